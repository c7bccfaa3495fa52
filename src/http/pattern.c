/* pattern.c - regular expressions: everything that River knows of `rure`.
 *
 * `Pattern` is rure's own handle. rure promises that one may be used by many threads at once; a
 * thread that finds its store of caches busy makes a cache of its own rather than wait. */
#include "http/pattern.h"

#include <rure.h>

#include "base/text.h"

#define WRAPPED_BYTES_MAX (PATTERN_BYTES_MAX + 16u)

static rure *regex_of(const Pattern *p)
{
    return (rure *)(uintptr_t)p; /* rure's functions do not change what they match with */
}

static void pattern_mistake(PatternMistake *ret, size_t from, size_t to, Str sentence)
{
    *ret = (PatternMistake){.from = from, .to = to};
    Text t = text_in(span_of(ret->sentence, sizeof ret->sentence));
    text_add(&t, str_take(sentence, sizeof ret->sentence));
    ret->sentence_bytes = t.len;
}

/* --- rure's message -------------------------------------------------------------------------- */

/* rure tells the place of a mistake only in its message for people:
 *
 *     regex parse error:
 *         a(b
 *          ^
 *     error: unclosed group
 *
 * The line of marks counts characters, after an indentation of four. A pattern of several lines
 * is shown in another way; then, and whenever the message is not of this form, no place is taken
 * from it and the whole pattern is the place. */
#define MARKS_INDENT 4u

/* The byte at which the `n`-th character begins (UTF-8, RFC 3629 §3). */
static size_t character_at(Str s, size_t n)
{
    size_t i = 0;
    for (; i < s.len; i++) {
        if ((s.at[i] & 0xc0) == 0x80) {
            continue;
        }
        if (n == 0) {
            return i;
        }
        n--;
    }
    return i;
}

static size_t spaces_before(Str line)
{
    size_t n = 0;
    while (str_peek(line, n) == ' ') {
        n++;
    }
    return n;
}

/* Whether `line` is nothing but marks after blanks; then the characters [from, to) are meant. */
static bool marks_read(Str line, size_t *ret_from, size_t *ret_to)
{
    size_t from = spaces_before(line);
    size_t to = from;
    while (str_peek(line, to) == '^') {
        to++;
    }
    if (from < MARKS_INDENT || to == from) {
        return false;
    }
    *ret_from = from - MARKS_INDENT;
    *ret_to = to - MARKS_INDENT;
    return true;
}

static void mistake_from(PatternMistake *ret, Str pattern, Str message)
{
    size_t from = 0;
    size_t to = pattern.len;
    Str sentence = S("it is no regular expression");
    StrCut cut = str_cut(message, '\n');
    bool one_line = str_find(pattern, '\n', 0) == pattern.len;
    for (size_t line = 0; cut.tail.len > 0; line++) {
        cut = str_cut(cut.tail, '\n');
        size_t mark_from = 0;
        size_t mark_to = 0;
        if (line == 1 && one_line && marks_read(cut.head, &mark_from, &mark_to)) {
            from = character_at(pattern, mark_from);
            to = character_at(pattern, mark_to);
        } else if (str_starts(cut.head, S("error: "))) {
            sentence = str_drop(cut.head, 7);
        }
    }
    pattern_mistake(ret, from, to > from ? to : from, sentence);
}

/* --- compiling ------------------------------------------------------------------------------- */

static rure *regex_compile(Str text, unsigned flags, PatternMistake *ret_mistake)
{
    static const uint8_t nothing[1];
    rure_options *options = rure_options_new();
    rure_error *error = rure_error_new();
    rure_options_size_limit(options, PATTERN_PROGRAM_BYTES_MAX);
    rure_options_dfa_size_limit(options, PATTERN_CACHE_BYTES_MAX);
    uint32_t marks = RURE_DEFAULT_FLAGS;
    marks |= flags & PATTERN_NOCASE ? (uint32_t)RURE_FLAG_CASEI : 0;
    const uint8_t *bytes = text.len ? text.at : nothing; /* foreign call */
    rure *re = rure_compile(bytes, text.len, marks, options, error);
    if (!re) {
        Str message = str_from_c(rure_error_message(error));
        if (str_starts(message, S("Compiled regex exceeds size limit"))) {
            pattern_mistake(ret_mistake, 0, text.len, S("the expression becomes too large"));
        } else {
            mistake_from(ret_mistake, text, message);
        }
    }
    rure_error_free(error);
    rure_options_free(options);
    return re;
}

/* The expression with ends that must be met. It has compiled alone, so its brackets are paired and
 * a group around it stays its own. Only a comment at its end ((?x) # ...) would swallow the group's
 * end: that fails, and then a line end, which is a blank there, closes the comment. */
static rure *compile_whole(Str text, unsigned flags, PatternMistake *ret_mistake)
{
    static const Str ends[] = {S_INIT(")\\z"), S_INIT("\n)\\z")};
    uint8_t room[WRAPPED_BYTES_MAX];
    rure *re = NULL;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0] && !re; i++) {
        Text t = text_in(span_of(room, sizeof room));
        text_add(&t, S("\\A(?:"));
        text_add(&t, text);
        text_add(&t, ends[i]);
        CHECK(!t.overflow);
        re = regex_compile(text_str(&t), flags, ret_mistake);
    }
    if (!re) { /* alone it was small enough */
        pattern_mistake(ret_mistake, 0, text.len, S("the expression becomes too large"));
    }
    return re;
}

Pattern *pattern_open(Str text, unsigned flags, PatternMistake *ret_mistake)
{
    if (text.len > PATTERN_BYTES_MAX) {
        pattern_mistake(ret_mistake, 0, text.len, S("the expression is longer than 4096 bytes"));
        return NULL;
    }
    rure *re = regex_compile(text, flags, ret_mistake);
    if (re && flags & PATTERN_WHOLE) {
        rure_free(re);
        re = compile_whole(text, flags, ret_mistake);
    }
    return (Pattern *)re;
}

void pattern_close(Pattern *p)
{
    if (p) {
        rure_free(regex_of(p));
    }
}

bool pattern_matches(const Pattern *p, Str text)
{
    static const uint8_t nothing[1]; /* rure wants a place even for no bytes */
    return rure_is_match(regex_of(p), text.len ? text.at : nothing, text.len, 0); /* foreign call */
}

/* --- sets ------------------------------------------------------------------------------------ */

static rure_set *set_handle(const PatternSet *s)
{
    return (rure_set *)(uintptr_t)s;
}

PatternSet *pattern_set_open(const Str *texts, size_t count)
{
    static const uint8_t nothing[1];
    const uint8_t *places[PATTERN_SET_MAX]; /* foreign call */
    size_t lengths[PATTERN_SET_MAX];
    CHECK(count <= PATTERN_SET_MAX);
    for (size_t i = 0; i < count; i++) {
        places[i] = texts[i].len ? texts[i].at : nothing; /* foreign call */
        lengths[i] = texts[i].len;
    }
    rure_options *options = rure_options_new();
    rure_options_size_limit(options, PATTERN_SET_PROGRAM_BYTES_MAX);
    rure_options_dfa_size_limit(options, PATTERN_CACHE_BYTES_MAX);
    rure_set *set =
        rure_compile_set(places, lengths, count, RURE_DEFAULT_FLAGS, options, NULL);
    rure_options_free(options);
    return (PatternSet *)set;
}

void pattern_set_close(PatternSet *s)
{
    if (s) {
        rure_set_free(set_handle(s));
    }
}

bool pattern_set_matches(const PatternSet *s, Str text, bool *ret, size_t count)
{
    static const uint8_t nothing[1];
    CHECK(count == rure_set_len(set_handle(s)));
    const uint8_t *bytes = text.len ? text.at : nothing; /* foreign call */
    return rure_set_matches(set_handle(s), bytes, text.len, 0, ret);
}
