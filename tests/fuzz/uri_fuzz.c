/* uri_fuzz.c - request targets: their parts are the target, and normalising is idempotent and never
 * longer. The first byte chooses the method, the second the rules. */
#include "http/uri.h"

#include "fuzz.h"

static void print_parts(Text *t, const UriParts *parts, bool own_path)
{
    if (parts->scheme.len) {
        text_add(t, parts->scheme);
        text_add(t, S("://"));
    }
    text_add(t, parts->authority);
    if (own_path) {
        text_add(t, parts->path);
    }
    if (parts->has_query) {
        text_byte(t, '?');
        text_add(t, parts->query);
    }
}

/* No segment is ".", ".." or empty but the last. */
static void must_be_plain(Str path)
{
    Str rest = str_drop(path, 1);
    for (bool more = true; more;) {
        StrCut cut = str_cut(rest, '/');
        MUST(!str_equal(cut.head, S(".")) && !str_equal(cut.head, S("..")));
        MUST(cut.head.len > 0 || !cut.found);
        more = cut.found;
        rest = cut.tail;
    }
}

static void normalize(Str path, unsigned bits)
{
    UriRules rules = {.dot_segments = bits & 1,
                      .duplicate_slashes = bits & 2,
                      .encoded_separators = bits & 4,
                      .control_characters = bits & 8,
                      .percent_encoding = bits & 16,
                      .matrix = bits & 32 ? bits & 64 ? MATRIX_REJECT : MATRIX_STRIP : MATRIX_PASS};
    Span room = fuzz_copy(path);
    Span room_again = fuzz_copy(path);
    Text once = text_in(room);
    Text twice = text_in(room_again);
    Err err = uri_normalize(path, &rules, &once);
    MUST(err == ERR_OK || err == ERR_SYNTAX);
    if (err == ERR_OK) {
        Str written = text_str(&once);
        MUST(str_peek(written, 0) == '/' || str_equal(written, S("*")));
        MUST(uri_normalize(written, &rules, &twice) == ERR_OK);
        MUST(str_equal(text_str(&twice), written));
        if (rules.dot_segments && rules.duplicate_slashes && rules.percent_encoding &&
            str_peek(written, 0) == '/') {
            must_be_plain(written);
        }
        MUST(rules.matrix == MATRIX_PASS || str_find(written, ';', 0) == written.len);
        MUST(str_find(written, '?', 0) == written.len && str_find(written, '#', 0) == written.len);
    }
    free(room.at);
    free(room_again.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    Method method = (Method)(data[0] % (METHOD_PATCH + 1));
    Span target = fuzz_copy(str_drop(str_take(str_of(data, size), 4096), 2));
    UriParts parts;
    if (uri_split(span_str(target), method, &parts) == ERR_OK) {
        uint8_t bytes[4096];
        Text t = text_in(span_of(bytes, sizeof bytes));
        print_parts(&t, &parts, true);
        if (!str_equal(text_str(&t), span_str(target))) {
            /* an absolute target without a path has got one of ours: "/" or "*" */
            t.len = 0;
            print_parts(&t, &parts, false);
            MUST(parts.path.len == 1 && parts.scheme.len > 0);
            MUST(str_equal(text_str(&t), span_str(target)));
        }
        MUST(parts.authority.len == 0 || authority_valid(parts.authority));
        MUST((method == METHOD_CONNECT) == (parts.form == TARGET_AUTHORITY));
        normalize(parts.path, data[1]);
    }
    normalize(span_str(target), data[1]);
    free(target.at);
    return 0;
}
