/* kdl_suite_test.c - the cases of the kdl-org project, where KDL_TEST_SUITE names a checkout of it,
 * or where both versions lie beside the source (../shared/kdl-suites).
 *
 * A case is a file in tests/test_cases/input; what it must print as lies under the same name in
 * expected_kdl, and where nothing lies there it must be refused. Where there are none
 * this passes at once. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kdl_support.h"
#include "test.h"

#define PATH_BYTES_MAX 4096
#define FILE_BYTES_MAX 65536

/* Reads a whole file into `room`; false when there is none. */
static bool read_file(const char *root, const char *folder, const char *name, Span room, Str *ret)
{
    char path[PATH_BYTES_MAX];
    snprintf(path, sizeof path, "%s/tests/test_cases/%s/%s", root, folder, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        return false;
    }
    size_t len = fread(room.at, 1, room.len, file);
    fclose(file);
    *ret = str_take(span_str(room), len);
    return true;
}

static bool passes(const char *root, const char *name, int version)
{
    static uint8_t input_room[FILE_BYTES_MAX];
    static uint8_t expected_room[FILE_BYTES_MAX];
    KdlFixture f;
    Str input = STR_NONE;
    Str expected = STR_NONE;
    Str printed = STR_NONE;
    kdl_open(&f);
    bool found = read_file(root, "input", name, span_of(input_room, FILE_BYTES_MAX), &input);
    bool good = read_file(root, "expected_kdl", name, span_of(expected_room, FILE_BYTES_MAX),
                          &expected);
    Err err = kdl_canonical(&f, input, version, &printed);
    bool passed = found && (good ? err == ERR_OK && str_equal(printed, expected)
                                 : err == ERR_SYNTAX);
    kdl_close(&f);
    return passed;
}

/* Version 1's raw strings begin with r: one case has always held one. */
static int suite_version(const char *root)
{
    uint8_t room[FILE_BYTES_MAX];
    Str text = STR_NONE;
    bool found = read_file(root, "input", "raw_string_arg.kdl", span_of(room, sizeof room), &text);
    return found && str_starts(text, S("node_1 r")) ? 1 : 2;
}

/* Cases that River does not follow. Each must differ, or it is taken off this list. */
static const struct {
    int version;
    const char *name;
    const char *reason;
} others[] = {
    {1, "all_escapes.kdl", "\"/\" is printed as it is: paths stay readable"},
    {1, "unusual_chars_in_bare_id.kdl", "the grammar has no \"/\" in bare identifiers"},
    {1, "unusual_bare_id_chars_in_quoted_id.kdl", "the same"},
    {1, "underscore_in_fraction.kdl", "the grammar has _ in fractions"},
    {1, "escline_comment_node.kdl", "by the grammar the next line continues the node"},
    {2, "vertical_tab_whitespace.kdl", "the grammar counts U+000B among the newlines"},
};

static bool is_other(int version, const char *name)
{
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (others[i].version == version && strcmp(others[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void run_suite(const char *root)
{
    char path[PATH_BYTES_MAX];
    unsigned count = 0;
    unsigned listed = 0;
    int version = suite_version(root);
    snprintf(path, sizeof path, "%s/tests/test_cases/input", root);
    DIR *folder = opendir(path);
    EXPECT(folder != NULL);
    for (struct dirent *e = folder ? readdir(folder) : NULL; e; e = readdir(folder)) {
        if (str_ends(str_from_c(e->d_name), S(".kdl"))) {
            bool other = is_other(version, e->d_name);
            count++;
            listed += other ? 1 : 0;
            test_expect(passes(root, e->d_name, version) != other, e->d_name, __FILE__, __LINE__);
        }
    }
    if (folder) {
        closedir(folder);
    }
    printf("  KDL %d: %u cases of %s, %u of them otherwise\n", version, count, root, listed);
    EXPECT(count > 0);
}

TEST("the cases of the kdl-org suites pass, where there are any")
{
    static const char *const beside[] = {SOURCE_ROOT "/../shared/kdl-suites/1.0.0",
                                         SOURCE_ROOT "/../shared/kdl-suites/2.0.0"};
    const char *root = getenv("KDL_TEST_SUITE");
    if (root) {
        run_suite(root);
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        DIR *there = opendir(beside[i]);
        if (there) {
            closedir(there);
            run_suite(beside[i]);
        }
    }
}
