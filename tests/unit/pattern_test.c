/* pattern_test.c - regular expressions and globs: what matches, where a mistake stands, and that
 * hostile patterns and texts stay cheap. */
#include "http/pattern.h"

#include <pthread.h>
#include <time.h>

#include "http_support.h"

static bool matches(Str text, unsigned flags, Str subject)
{
    PatternMistake m;
    Span copy = exact_copy(text);
    Span exact = exact_copy(subject);
    Pattern *p = pattern_open(span_str(copy), flags, &m);
    EXPECT(p != NULL);
    bool yes = p && pattern_matches(p, span_str(exact));
    pattern_close(p);
    free(copy.at);
    free(exact.at);
    return yes;
}

TEST("an expression matches a part of the text, or with the flag all of it")
{
    static const struct {
        Str pattern;
        unsigned flags;
        Str text;
        bool yes;
    } rows[] = {
        {S_INIT("static"), 0, S_INIT("/static/a.js"), true},
        {S_INIT("static"), 0, S_INIT("/Static/a.js"), false},
        {S_INIT("static"), PATTERN_NOCASE, S_INIT("/Static/a.js"), true},
        {S_INIT("^/static/"), 0, S_INIT("/a/static/"), false},
        {S_INIT(""), 0, S_INIT(""), true},
        {S_INIT(""), 0, S_INIT("anything"), true},
        {S_INIT(""), PATTERN_WHOLE, S_INIT("anything"), false},
        {S_INIT("^$"), 0, S_INIT(""), true},
        {S_INIT(".*ETag.*"), PATTERN_NOCASE, S_INIT("etag"), true},
        {S_INIT("a|ab"), PATTERN_WHOLE, S_INIT("ab"), true},
        {S_INIT("a|ab"), PATTERN_WHOLE, S_INIT("abc"), false},
        {S_INIT("a|b"), PATTERN_WHOLE, S_INIT("ac"), false},
        {S_INIT("(?x)a # comment"), PATTERN_WHOLE, S_INIT("a"), true},
        {S_INIT("(?x)a # comment"), PATTERN_WHOLE, S_INIT("a\n"), false},
        {S_INIT("(?m)^b$"), PATTERN_WHOLE, S_INIT("a\nb"), false},
        {S_INIT("(?i)ADMIN"), 0, S_INIT("/admin"), true},
        {S_INIT("\\.mp4$"), 0, S_INIT("/x.mp4"), true},
        {S_INIT("\\.mp4$"), 0, S_INIT("/x.mp4\n"), false},
        {S_INIT("\xc3\xa9"), PATTERN_NOCASE, S_INIT("\xc3\x89"), true}, /* é and É */
        {S_INIT("a"), 0, S_INIT("\xff\x00\x80"
                                "a"),
         true},
        {S_INIT("^.$"), 0, S_INIT("\xff"), false}, /* no character */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool yes = matches(rows[i].pattern, rows[i].flags, rows[i].text);
        if (yes != rows[i].yes) {
            EXPECT_STR(rows[i].text, rows[i].pattern);
        }
    }
}

TEST("a mistake in an expression has its place and a sentence")
{
    static const struct {
        Str pattern;
        size_t from;
        size_t to;
        Str sentence;
    } rows[] = {
        {S_INIT("a(b"), 1, 2, S_INIT("unclosed group")},
        {S_INIT("a)b"), 1, 2, S_INIT("unopened group")},
        {S_INIT("x[z-a]"), 2, 5,
         S_INIT("invalid character class range, the start must be <= the end")},
        {S_INIT("*a"), 0, 1, S_INIT("repetition operator missing expression")},
        {S_INIT("\xc3\xa9\xc3\xa9(b"), 4, 5, S_INIT("unclosed group")},
        {S_INIT("a\\"), 1, 2,
         S_INIT("incomplete escape sequence, reached end of pattern prematurely")},
        {S_INIT("(a\nb"), 0, 4, S_INIT("unclosed group")},
        {S_INIT("\\w{900}{900}"), 0, 12, S_INIT("the expression becomes too large")},
        {S_INIT("(?=a)b"), 0, 3, S_INIT("look-around, including look-ahead and look-behind, is not "
                                       "supported")},
        {S_INIT("\xff"), 0, 1, S_INIT("it is no regular expression")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (unsigned flags = 0; flags < 4; flags++) {
            PatternMistake m = {0};
            EXPECT(pattern_open(rows[i].pattern, flags, &m) == NULL);
            EXPECT_U64(m.from, rows[i].from);
            EXPECT_U64(m.to, rows[i].to);
            EXPECT_STR(pattern_sentence(&m), rows[i].sentence);
        }
    }
    static uint8_t long_one[PATTERN_BYTES_MAX + 1];
    span_fill(span_of(long_one, sizeof long_one), 'a');
    PatternMistake m = {0};
    EXPECT(pattern_open(str_of(long_one, sizeof long_one), 0, &m) == NULL && m.to == 4097);
    Pattern *longest = pattern_open(str_of(long_one, PATTERN_BYTES_MAX), PATTERN_WHOLE, &m);
    EXPECT(longest != NULL);
    pattern_close(longest);
    pattern_close(NULL);
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

TEST("no expression and no glob makes a text of 64 KiB slow")
{
    static uint8_t text[65536];
    span_fill(span_of(text, sizeof text), 'a');
    Str hay = str_of(text, sizeof text);
    double start = seconds_now();
    EXPECT(!matches(S("(a*)*(a|aa)+b"), 0, hay));
    EXPECT(!matches(S("(?:a?){50}a{50}b$"), 0, hay));
    EXPECT(matches(S("(x+x+)+y|a$"), PATTERN_NOCASE, hay));
    Glob g;
    EXPECT(glob_make(S("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"), false, &g) == ERR_OK);
    EXPECT(!glob_matches(&g, hay));
    EXPECT(seconds_now() - start < 20); /* minutes and more if any of it went back */
}

static const Pattern *shared;
static _Atomic unsigned shared_wrong;

static void *match_many(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 2000; i++) {
        if (!pattern_matches(shared, S("/a/b/c/42.js")) || pattern_matches(shared, S("/a/b.png"))) {
            shared_wrong++;
        }
    }
    return NULL;
}

TEST("threads match with one expression at once")
{
    PatternMistake m;
    Pattern *p = pattern_open(S("/(\\w+/)*\\d+\\.js$"), 0, &m);
    shared = p;
    pthread_t threads[6];
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        EXPECT(pthread_create(&threads[i], NULL, match_many, NULL) == 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        (void)pthread_join(threads[i], NULL);
    }
    EXPECT_U64(shared_wrong, 0);
    pattern_close(p);
}

TEST("a glob matches the whole text")
{
    static const struct {
        Str glob;
        Str text;
        bool yes;
    } rows[] = {
        {S_INIT(""), S_INIT(""), true},
        {S_INIT(""), S_INIT("a"), false},
        {S_INIT("*"), S_INIT(""), true},
        {S_INIT("*"), S_INIT("anything at all"), true},
        {S_INIT("?"), S_INIT(""), false},
        {S_INIT("?"), S_INIT("a"), true},
        {S_INIT("?"), S_INIT("ab"), false},
        {S_INIT("x-internal-*"), S_INIT("X-Internal-Id"), true},
        {S_INIT("x-internal-*"), S_INIT("x-internal-"), true},
        {S_INIT("x-internal-*"), S_INIT("x-internal"), false},
        {S_INIT("x-internal-*"), S_INIT("my-x-internal-id"), false},
        {S_INIT("*-ID"), S_INIT("request-id"), true},
        {S_INIT("*-id"), S_INIT("request-ids"), false},
        {S_INIT("*secret*"), S_INIT("x-secret-1"), true},
        {S_INIT("a*b*c"), S_INIT("abbbcbc"), true},
        {S_INIT("a*b*c"), S_INIT("acb"), false},
        {S_INIT("**a**"), S_INIT("a"), true},
        {S_INIT("a?c"), S_INIT("abc"), true},
        {S_INIT("a?c"), S_INIT("ac"), false},
        {S_INIT("?*?"), S_INIT("a"), false},
        {S_INIT("?*?"), S_INIT("ab"), true},
        {S_INIT("@"), S_INIT("`"), false}, /* no letters: 0x20 apart */
        {S_INIT("["), S_INIT("{"), false},
        {S_INIT("a.b"), S_INIT("axb"), false},
        {S_INIT("\xff*"), S_INIT("\xff\x80"), true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Glob g;
        Span glob = exact_copy(rows[i].glob);
        Span text = exact_copy(rows[i].text);
        EXPECT(glob_make(span_str(glob), true, &g) == ERR_OK);
        if (glob_matches(&g, span_str(text)) != rows[i].yes) {
            EXPECT_STR(rows[i].text, rows[i].glob);
        }
        free(glob.at);
        free(text.at);
    }
    Glob g;
    EXPECT(glob_make(S("Ab"), false, &g) == ERR_OK && glob_matches(&g, S("Ab")));
    EXPECT(!glob_matches(&g, S("aB")));
}

TEST("a glob of 63 items is the longest, stars aside")
{
    uint8_t text[130];
    Glob g;
    span_fill(span_of(text, sizeof text), '*');
    for (size_t i = 0; i < 63; i++) {
        text[2 * i + 1] = i == 62 ? 'z' : '?';
    }
    Str s = str_of(text, sizeof text);
    EXPECT(glob_make(s, true, &g) == ERR_OK);
    uint8_t subject[63];
    span_fill(span_of(subject, sizeof subject), 'z');
    EXPECT(glob_matches(&g, str_of(subject, 63)));
    EXPECT(!glob_matches(&g, str_of(subject, 62)));
    text[0] = 'y';
    EXPECT(glob_make(s, true, &g) == ERR_LIMIT);
}

TEST("a set says of each of its expressions whether it matches")
{
    static const Str texts[] = {S_INIT("^/a"), S_INIT("[0-9]$"), S_INIT("(?i)X"), S_INIT("^/a/b$")};
    bool yes[COUNT_OF(texts)];
    PatternSet *set = pattern_set_open(texts, COUNT_OF(texts));
    EXPECT(set != NULL);
    if (set) {
        EXPECT(pattern_set_matches(set, S("/a/x7"), yes, COUNT_OF(texts)));
        EXPECT(yes[0] && yes[1] && yes[2] && !yes[3]);
        EXPECT(!pattern_set_matches(set, S(""), yes, COUNT_OF(texts)));
        EXPECT(pattern_set_matches(set, S("/a/b"), yes, COUNT_OF(texts)));
        EXPECT(yes[0] && !yes[1] && !yes[2] && yes[3]);
    }
    pattern_set_close(set);
}

TEST("expressions that become too large together are no set")
{
    static Str texts[PATTERN_SET_MAX];
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        texts[i] = S("\\w{100}");
    }
    EXPECT(pattern_set_open(texts, COUNT_OF(texts)) == NULL);
    PatternSet *set = pattern_set_open(texts, 1);
    EXPECT(set != NULL);
    pattern_set_close(set);
}
