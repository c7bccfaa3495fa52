/* version.c - which version of KDL a text is in: what it says, or else what it can be read as.
 *
 * It does not know the grammar. */
#include "kdl/kdl.h"

#include "kdl/parse.h"

int kdl_marked_version(Str text)
{
    Str line = str_cut(str_drop(text, kdl_bom_bytes(text)), '\n').head;
    line = str_ends(line, S("\r")) ? str_take(line, line.len - 1) : line;
    if (!str_starts(line, S("/-"))) {
        return 0;
    }
    line = str_trim(str_drop(line, 2));
    if (!str_starts(line, S("kdl-version"))) {
        return 0;
    }
    Str number = str_drop(line, sizeof "kdl-version" - 1);
    Str digits = str_trim(number);
    if (digits.len != 1 || digits.len == number.len) {
        return 0;
    }
    return str_equal(digits, S("1")) ? 1 : str_equal(digits, S("2")) ? 2 : 0;
}

/* Whether the second version tried (1) got further than the first (2). */
static bool got_further(const Diagnostics *one, const Diagnostics *two)
{
    uint32_t from_one = one->count > 0 ? one->list[0].location.from : 0;
    uint32_t from_two = two->count > 0 ? two->list[0].location.from : 0;
    if (from_one != from_two) {
        return from_one > from_two;
    }
    return one->error_count < two->error_count;
}

Err kdl_parse(Arena *a, Str text, int version, Diagnostics *d, KdlDocument *ret)
{
    if (text.len > KDL_TEXT_BYTES_MAX) {
        Location start = {0, 0};
        diagnostics_add(d, SEVERITY_ERROR, start, STR_NONE,
                        "the file is longer than %u bytes", KDL_TEXT_BYTES_MAX);
        return ERR_LIMIT;
    }
    int chosen = version != 0 ? version : kdl_marked_version(text);
    if (chosen != 0) {
        return kdl_parse_as(a, text, chosen, NULL, d, ret);
    }
    Diagnostics *tries = arena_array(a, Diagnostics, 2);
    if (!tries) {
        return ERR_MEMORY;
    }
    Diagnostics *two = &tries[0];
    Diagnostics *one = &tries[1];
    diagnostics_init(two, a, d->file_name, text);
    Err err = kdl_parse_as(a, text, 2, NULL, two, ret);
    if (err != ERR_SYNTAX && err != ERR_LIMIT) {
        return err;
    }
    diagnostics_init(one, a, d->file_name, text);
    err = kdl_parse_as(a, text, 1, NULL, one, ret);
    ret->not_two = two->list[0].location;
    if (err == ERR_SYNTAX || err == ERR_LIMIT) {
        diagnostics_take(d, got_further(one, two) ? one : two);
    }
    return err;
}
