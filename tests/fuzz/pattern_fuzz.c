/* pattern_fuzz.c - patterns: a glob matches what a table of all its prefixes says, a mistake in an
 * expression lies inside of it, and what matches as a whole also matches in part. The first byte
 * holds the flags; a line end parts the pattern from the text. */
#include "http/pattern.h"

#include "fuzz.h"

#define TEXT_BYTES_MAX 256u

static bool same(uint8_t a, uint8_t b, bool nocase)
{
    return a == b || (nocase && byte_lower(a) == byte_lower(b));
}

/* The slow way: row[j] says whether the glob so far matches the first j bytes. */
static bool glob_model(Str glob, Str text, bool nocase)
{
    bool row[TEXT_BYTES_MAX + 1] = {true};
    for (size_t i = 0; i < glob.len; i++) {
        uint8_t c = str_at(glob, i);
        bool before = row[0];
        row[0] = row[0] && c == '*';
        for (size_t j = 1; j <= text.len; j++) {
            bool above = row[j];
            if (c == '*') {
                row[j] = above || row[j - 1];
            } else {
                row[j] = before && (c == '?' || same(c, str_at(text, j - 1), nocase));
            }
            before = above;
        }
    }
    return row[text.len];
}

static void glob(Str pattern, Str text, bool nocase)
{
    size_t items = 0;
    for (size_t i = 0; i < pattern.len; i++) {
        items += str_at(pattern, i) != '*';
    }
    Glob g;
    Err err = glob_make(pattern, nocase, &g);
    MUST(err == (items > GLOB_ITEMS_MAX ? ERR_LIMIT : ERR_OK));
    MUST(err != ERR_OK || glob_matches(&g, text) == glob_model(pattern, text, nocase));
}

static void expression(Str pattern, Str text, unsigned flags)
{
    PatternMistake m;
    Pattern *part = pattern_open(pattern, flags, &m);
    if (!part) {
        MUST(m.from <= m.to && m.to <= pattern.len);
        MUST(m.sentence_bytes > 0 && m.sentence_bytes <= sizeof m.sentence);
        MUST(!pattern_open(pattern, flags | PATTERN_WHOLE, &m));
        return;
    }
    Pattern *whole = pattern_open(pattern, flags | PATTERN_WHOLE, &m);
    MUST(!whole || !pattern_matches(whole, text) || pattern_matches(part, text));
    pattern_close(whole);
    pattern_close(part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > TEXT_BYTES_MAX) {
        return 0;
    }
    bool nocase = data[0] & 1;
    StrCut cut = str_cut(str_drop(str_of(data, size), 1), '\n');
    Span pattern = fuzz_copy(cut.head);
    Span text = fuzz_copy(cut.tail);
    glob(span_str(pattern), span_str(text), nocase);
    expression(span_str(pattern), span_str(text), nocase ? PATTERN_NOCASE : 0);
    free(pattern.at);
    free(text.at);
    return 0;
}
