/* http_uri_test.c - targets, authorities and the normalisation of paths. */
#include "http/uri.h"

#include "http_support.h"

typedef struct SplitRow {
    Str target;
    Method method;
    TargetForm form;
    Str scheme;
    Str authority;
    Str path;
    Str query;
    bool has_query;
} SplitRow;

TEST("a target falls into its parts")
{
    static const SplitRow rows[] = {
        {S_INIT("/"), METHOD_GET, TARGET_ORIGIN, S_INIT(""), S_INIT(""), S_INIT("/"), S_INIT(""),
         false},
        {S_INIT("/a/b?"), METHOD_GET, TARGET_ORIGIN, S_INIT(""), S_INIT(""), S_INIT("/a/b"),
         S_INIT(""), true},
        {S_INIT("/a?b?c\\/d"), METHOD_POST, TARGET_ORIGIN, S_INIT(""), S_INIT(""), S_INIT("/a"),
         S_INIT("b?c\\/d"), true},
        {S_INIT("//a.example/b"), METHOD_GET, TARGET_ORIGIN, S_INIT(""), S_INIT(""),
         S_INIT("//a.example/b"), S_INIT(""), false},
        {S_INIT("/\xc3\xa4"), METHOD_GET, TARGET_ORIGIN, S_INIT(""), S_INIT(""),
         S_INIT("/\xc3\xa4"), S_INIT(""), false},
        {S_INIT("http://a/b?c"), METHOD_GET, TARGET_ABSOLUTE, S_INIT("http"), S_INIT("a"),
         S_INIT("/b"), S_INIT("c"), true},
        {S_INIT("HTTPS://A:1"), METHOD_GET, TARGET_ABSOLUTE, S_INIT("HTTPS"), S_INIT("A:1"),
         S_INIT("/"), S_INIT(""), false},
        {S_INIT("http://a?b@c"), METHOD_GET, TARGET_ABSOLUTE, S_INIT("http"), S_INIT("a"),
         S_INIT("/"), S_INIT("b@c"), true},
        {S_INIT("http://[::1]:8080/"), METHOD_GET, TARGET_ABSOLUTE, S_INIT("http"),
         S_INIT("[::1]:8080"), S_INIT("/"), S_INIT(""), false},
        {S_INIT("http://a"), METHOD_OPTIONS, TARGET_ASTERISK, S_INIT("http"), S_INIT("a"),
         S_INIT("*"), S_INIT(""), false},
        {S_INIT("http://a?"), METHOD_OPTIONS, TARGET_ABSOLUTE, S_INIT("http"), S_INIT("a"),
         S_INIT("/"), S_INIT(""), true},
        {S_INIT("*"), METHOD_OPTIONS, TARGET_ASTERISK, S_INIT(""), S_INIT(""), S_INIT("*"),
         S_INIT(""), false},
        {S_INIT("a.b:443"), METHOD_CONNECT, TARGET_AUTHORITY, S_INIT(""), S_INIT("a.b:443"),
         S_INIT(""), S_INIT(""), false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const SplitRow *row = &rows[i];
        Span copy = exact_copy(row->target);
        UriParts parts;
        EXPECT_STR(uri_split(span_str(copy), row->method, &parts) == ERR_OK ? S("") : row->target,
                   S(""));
        EXPECT(parts.form == row->form && parts.has_query == row->has_query);
        EXPECT_STR(parts.scheme, row->scheme);
        EXPECT_STR(parts.authority, row->authority);
        EXPECT_STR(parts.path, row->path);
        EXPECT_STR(parts.query, row->query);
        free(copy.at);
    }
}

TEST("a target that is not one is refused")
{
    static const struct {
        Str target;
        Method method;
    } rows[] = {
        {S_INIT(""), METHOD_GET},
        {S_INIT("a"), METHOD_GET},
        {S_INIT("*"), METHOD_GET},
        {S_INIT("**"), METHOD_OPTIONS},
        {S_INIT("/a#b"), METHOD_GET},
        {S_INIT("/a?b#c"), METHOD_GET},
        {S_INIT("/a b"), METHOD_GET},
        {S_INIT("/a\tb"), METHOD_GET},
        {S_INIT("/a?b\x01"), METHOD_GET},
        {S_INIT("/a\x7f"), METHOD_GET},
        {S_INIT("/a\0"), METHOD_GET},
        {S_INIT("/a\r\nb"), METHOD_GET},
        {S_INIT("/..\\b"), METHOD_GET},
        {S_INIT("http:/a"), METHOD_GET},
        {S_INIT("http:///a"), METHOD_GET},
        {S_INIT("http://"), METHOD_GET},
        {S_INIT("http://?a"), METHOD_GET},
        {S_INIT("http://a b/"), METHOD_GET},
        {S_INIT("http://u@a/"), METHOD_GET},
        {S_INIT("http://u:p@a/"), METHOD_GET},
        {S_INIT("http://a::/"), METHOD_GET},
        {S_INIT("http://a:x/"), METHOD_GET},
        {S_INIT("http://a/#b"), METHOD_GET},
        {S_INIT("http://a#b"), METHOD_GET},
        {S_INIT("http://a\\b/"), METHOD_GET},
        {S_INIT("ws://a/"), METHOD_GET},
        {S_INIT("file:///a"), METHOD_GET},
        {S_INIT("://a/"), METHOD_GET},
        {S_INIT("a:443"), METHOD_GET},
        {S_INIT("a"), METHOD_CONNECT},
        {S_INIT("a:"), METHOD_CONNECT},
        {S_INIT("/"), METHOD_CONNECT},
        {S_INIT("a:443/"), METHOD_CONNECT},
        {S_INIT("http://a:443"), METHOD_CONNECT},
        {S_INIT("u@a:443"), METHOD_CONNECT},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Span copy = exact_copy(rows[i].target);
        UriParts parts;
        EXPECT_STR(uri_split(span_str(copy), rows[i].method, &parts) == ERR_SYNTAX ? S("")
                                                                                   : rows[i].target,
                   S(""));
        free(copy.at);
    }
}

TEST("an authority is a host and perhaps a port")
{
    static const struct {
        Str text;
        bool valid;
        Str host;
        uint16_t port;
    } rows[] = {
        {S_INIT("a"), true, S_INIT("a"), 0},
        {S_INIT("A.example:80"), true, S_INIT("A.example"), 80},
        {S_INIT("a_b-c.~!$&'()*+,;="), true, S_INIT("a_b-c.~!$&'()*+,;="), 0},
        {S_INIT("%41b"), true, S_INIT("%41b"), 0},
        {S_INIT("127.0.0.1:65535"), true, S_INIT("127.0.0.1"), 65535},
        {S_INIT("[::1]"), true, S_INIT("::1"), 0},
        {S_INIT("[::ffff:1.2.3.4]:0"), true, S_INIT("::ffff:1.2.3.4"), 0},
        {S_INIT(""), false, S_INIT(""), 0},
        {S_INIT(":80"), false, S_INIT(""), 0},
        {S_INIT("a:"), true, S_INIT("a"), 0},
        {S_INIT("[::1]:"), true, S_INIT("::1"), 0},
        {S_INIT(":"), false, S_INIT(""), 0},
        {S_INIT("a::"), false, S_INIT(""), 0},
        {S_INIT("a:65536"), false, S_INIT(""), 0},
        {S_INIT("a:000080"), false, S_INIT(""), 0},
        {S_INIT("a:+1"), false, S_INIT(""), 0},
        {S_INIT("a:1:2"), false, S_INIT(""), 0},
        {S_INIT("u@a"), false, S_INIT(""), 0},
        {S_INIT("a/"), false, S_INIT(""), 0},
        {S_INIT("a?b"), false, S_INIT(""), 0},
        {S_INIT("a#b"), false, S_INIT(""), 0},
        {S_INIT("a b"), false, S_INIT(""), 0},
        {S_INIT("a\\b"), false, S_INIT(""), 0},
        {S_INIT("a\xc3\xa4"), false, S_INIT(""), 0},
        {S_INIT("a\0"), false, S_INIT(""), 0},
        {S_INIT("%4"), false, S_INIT(""), 0},
        {S_INIT("%zz"), false, S_INIT(""), 0},
        {S_INIT("%"), false, S_INIT(""), 0},
        {S_INIT("["), false, S_INIT(""), 0},
        {S_INIT("[]"), false, S_INIT(""), 0},
        {S_INIT("[::1"), false, S_INIT(""), 0},
        {S_INIT("::1"), false, S_INIT(""), 0},
        {S_INIT("[::1]x"), false, S_INIT(""), 0},
        {S_INIT("[::1]80"), false, S_INIT(""), 0},
        {S_INIT("[1.2.3.4]"), false, S_INIT(""), 0},
        {S_INIT("[::1%25eth0]"), false, S_INIT(""), 0},
        {S_INIT("[v1.a:b]"), false, S_INIT(""), 0},
        {S_INIT("[[::1]]"), false, S_INIT(""), 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Span copy = exact_copy(rows[i].text);
        Authority authority = {.port = 0};
        bool valid = authority_split(span_str(copy), &authority) == ERR_OK;
        EXPECT_STR(valid == rows[i].valid ? S("") : rows[i].text, S(""));
        EXPECT(authority_valid(span_str(copy)) == valid);
        EXPECT_STR(authority.host, rows[i].host);
        EXPECT_U64(authority.port, rows[i].port);
        free(copy.at);
    }
    Str http = S("http");
    EXPECT(authority_equal(S("A.example:80"), S("a.EXAMPLE:80"), http));
    EXPECT(authority_equal(S("a:80"), S("a"), http) && authority_equal(S("a:"), S("a"), http));
    EXPECT(authority_equal(S("a:443"), S("a:"), S("https")));
    EXPECT(!authority_equal(S("a:443"), S("a"), http));
    EXPECT(!authority_equal(S("a:80"), S("a:81"), http) && !authority_equal(S("a"), S("b"), http));
    EXPECT(!authority_equal(S("a b"), S("a b"), http));
    EXPECT_STR(authority_plain(S("a:")), S("a"));
    EXPECT_STR(authority_plain(S("a:1")), S("a:1"));
    EXPECT_STR(authority_plain(S("")), S(""));
}

static const UriRules all_rules = {true, true, true, true, true, MATRIX_PASS};

/* Normalises an exact copy into exactly as much room. */
static Err normalize(Str path, const UriRules *rules, Span room, Str *ret)
{
    Span copy = exact_copy(path);
    Text t = text_in(span_take(room, path.len));
    Err err = uri_normalize(span_str(copy), rules, &t);
    *ret = err == ERR_OK ? text_str(&t) : S("(refused)");
    free(copy.at);
    return err;
}

TEST("each resource has one spelling")
{
    static const struct {
        Str path;
        Str want;
    } rows[] = {
        {S_INIT("*"), S_INIT("*")},
        {S_INIT("/"), S_INIT("/")},
        {S_INIT("/a/b"), S_INIT("/a/b")},
        {S_INIT("/a/"), S_INIT("/a/")},
        {S_INIT("//"), S_INIT("/")},
        {S_INIT("///a//b///"), S_INIT("/a/b/")},
        {S_INIT("/."), S_INIT("/")},
        {S_INIT("/./"), S_INIT("/")},
        {S_INIT("/a/./b/."), S_INIT("/a/b/")},
        {S_INIT("/a/b/.."), S_INIT("/a/")},
        {S_INIT("/a/b/../"), S_INIT("/a/")},
        {S_INIT("/a/b/../../c"), S_INIT("/c")},
        {S_INIT("/a//../b"), S_INIT("/b")},
        {S_INIT("/a/.../b"), S_INIT("/a/.../b")},
        {S_INIT("/a/..b/.c/d.."), S_INIT("/a/..b/.c/d..")},
        {S_INIT("/a/%2e%2E/b"), S_INIT("/b")},
        {S_INIT("/a/.%2e"), S_INIT("/")},
        {S_INIT("/a/%2e"), S_INIT("/a/")},
        {S_INIT("/%61%7e%2D"), S_INIT("/a~-")},
        {S_INIT("/%c3%a4%20%25"), S_INIT("/%C3%A4%20%25")},
        {S_INIT("/%252e%252e/"), S_INIT("/%252e%252e/")},
        {S_INIT("/\xc3\xa4"), S_INIT("/\xc3\xa4")},
        {S_INIT("/a;b=c@d:e"), S_INIT("/a;b=c@d:e")},
        {S_INIT("/%3f%23"), S_INIT("/%3F%23")},
    };
    uint8_t room[64];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Str got;
        EXPECT(normalize(rows[i].path, &all_rules, span_of(room, sizeof room), &got) == ERR_OK);
        EXPECT_STR(got, rows[i].want);
    }
}

TEST("a path that some hop would read otherwise is refused")
{
    static const Str rows[] = {
        S_INIT(""),       S_INIT("a"),        S_INIT("/.."),       S_INIT("/../a"),
        S_INIT("/a/../.."), S_INIT("/./.."),  S_INIT("/%2e%2e/a"), S_INIT("/.%2e"),
        S_INIT("//../a"), S_INIT("/a%2fb"),   S_INIT("/a%2Fb"),    S_INIT("/a%5cb"),
        S_INIT("/%00"),   S_INIT("/%0d%0a"),  S_INIT("/%1F"),      S_INIT("/%7f"),
        S_INIT("/%"),     S_INIT("/%4"),      S_INIT("/%4g"),      S_INIT("/%g4"),
        S_INIT("/%%32%65"), S_INIT("/a\x01"), S_INIT("/a?b"),      S_INIT("/a#b"),
    };
    uint8_t room[64];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Str got;
        EXPECT(normalize(rows[i], &all_rules, span_of(room, sizeof room), &got) == ERR_SYNTAX);
        EXPECT_STR(got, S("(refused)"));
    }
}

TEST("each switch governs its own rewrite only")
{
    static const struct {
        UriRules rules;
        Str path;
        Str want;
    } rows[] = {
        {{0}, S_INIT("/a//./../%2f%61%zz%\x01/.."), S_INIT("/a//./../%2f%61%zz%\x01/..")},
        {{.dot_segments = true}, S_INIT("/a//../%61"), S_INIT("/a/%61")},
        {{.dot_segments = true}, S_INIT("/a//b/.."), S_INIT("/a//")},
        {{.dot_segments = true}, S_INIT("/a/%2E%2e/b"), S_INIT("/b")},
        {{.dot_segments = true}, S_INIT("//.."), S_INIT("/")},
        {{.dot_segments = true}, S_INIT("/.."), S_INIT("(refused)")},
        {{.duplicate_slashes = true}, S_INIT("//a//..//%2f"), S_INIT("/a/../%2f")},
        {{.percent_encoding = true}, S_INIT("//%2e%2f/%61"), S_INIT("//.%2F/a")},
        {{.percent_encoding = true}, S_INIT("/%2"), S_INIT("(refused)")},
        {{.encoded_separators = true}, S_INIT("/%2e/%5C"), S_INIT("(refused)")},
        {{.control_characters = true}, S_INIT("/%2f%61%0a"), S_INIT("(refused)")},
        {{.control_characters = true}, S_INIT("/%2f%61%zz"), S_INIT("/%2f%61%zz")},
        {{.matrix = MATRIX_REJECT}, S_INIT("/a//b;"), S_INIT("(refused)")},
        {{.matrix = MATRIX_REJECT}, S_INIT("/a//%3b"), S_INIT("/a//%3b")},
        {{.matrix = MATRIX_STRIP}, S_INIT("/a;b=c;d/..;x/;/e;%zz"), S_INIT("/a/..//e")},
    };
    uint8_t room[64];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Str got;
        (void)normalize(rows[i].path, &rows[i].rules, span_of(room, sizeof room), &got);
        EXPECT_STR(got, rows[i].want);
    }
}

TEST("matrix parameters are left out before dots are resolved")
{
    static const struct {
        Str path;
        Str want;
    } rows[] = {
        {S_INIT("/admin;a=b"), S_INIT("/admin")},   {S_INIT("/x/..;/admin"), S_INIT("/admin")},
        {S_INIT("/x/..;a=b/admin;"), S_INIT("/admin")}, {S_INIT("/;x/admin"), S_INIT("/admin")},
        {S_INIT("/x/.;y/z"), S_INIT("/x/z")},       {S_INIT("/a%3Bb/c"), S_INIT("/a%3Bb/c")},
        {S_INIT("/;"), S_INIT("/")},                {S_INIT("/a;b/%2e;c"), S_INIT("/a/")},
        {S_INIT("/..;"), S_INIT("(refused)")},      {S_INIT("/a/b;..;/c"), S_INIT("/a/b/c")},
    };
    UriRules rules = all_rules;
    rules.matrix = MATRIX_STRIP;
    uint8_t room[64];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Str got;
        (void)normalize(rows[i].path, &rules, span_of(room, sizeof room), &got);
        EXPECT_STR(got, rows[i].want);
    }
}

TEST("normalising again changes nothing, under every combination of switches")
{
    static const char alphabet[] = "/.%2eEaf5";
    uint8_t path[8] = {'/'};
    uint8_t first[8];
    uint8_t second[8];
    for (unsigned n = 0; n < 9 * 9 * 9 * 9 * 9; n++) {
        unsigned digits = n;
        for (size_t i = 1; i < 6; i++) {
            path[i] = (uint8_t)alphabet[digits % 9];
            digits /= 9;
        }
        for (unsigned bits = n % 4; bits < 16; bits += 4) {
            UriRules rules = {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, true,
                              (bits & 8) != 0, MATRIX_PASS};
            Text a = text_in(span_of(first, 6));
            if (uri_normalize(str_of(path, 6), &rules, &a) != ERR_OK) {
                continue;
            }
            Text b = text_in(span_of(second, a.len));
            EXPECT(uri_normalize(text_str(&a), &rules, &b) == ERR_OK);
            EXPECT_STR(text_str(&b), text_str(&a));
        }
    }
}
