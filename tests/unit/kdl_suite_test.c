/* kdl_suite_test.c - the cases of the kdl-org project, where KDL_TEST_SUITE names a checkout of it.
 *
 * A case is a file in tests/test_cases/input; what it must print as lies under the same name in
 * expected_kdl, and where nothing lies there it must be refused. Without the variable this passes
 * at once. */
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

TEST("the cases of the kdl-org suite pass, where KDL_TEST_SUITE names it")
{
    const char *root = getenv("KDL_TEST_SUITE");
    char path[PATH_BYTES_MAX];
    unsigned count = 0;
    if (!root) {
        return;
    }
    int version = suite_version(root);
    snprintf(path, sizeof path, "%s/tests/test_cases/input", root);
    DIR *folder = opendir(path);
    EXPECT(folder != NULL);
    for (struct dirent *e = folder ? readdir(folder) : NULL; e; e = readdir(folder)) {
        if (str_ends(str_from_c(e->d_name), S(".kdl"))) {
            count++;
            test_expect(passes(root, e->d_name, version), e->d_name, __FILE__, __LINE__);
        }
    }
    if (folder) {
        closedir(folder);
    }
    printf("  KDL %d: %u cases of %s\n", version, count, root);
    EXPECT(count > 0);
}
