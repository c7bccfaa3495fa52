/* http_readings_test.c - what servers may take a path for. */
#include "http/readings.h"

#include "http_support.h"

static uint8_t scratch[1u << 20];

static ReadingsVerdict find(Str path, Readings *ret)
{
    return readings_find(path, span_of(scratch, sizeof scratch), ret);
}

static bool has(const Readings *all, Str path)
{
    for (size_t i = 0; i < all->count; i++) {
        if (str_equal(all->list[i], path)) {
            return true;
        }
    }
    return false;
}

TEST("readings: a path without anything to decode or resolve has one")
{
    static const Str one[] = {S_INIT("/"), S_INIT("/a/b.c"), S_INIT("/a/b..c/d.."), S_INIT("*"),
                              S_INIT("/a:b@c!$&'()*+,=~-_")};
    static const Str more[] = {S_INIT("/.a"), S_INIT("/a//b"), S_INIT("/a;b"), S_INIT("/a%41"),
                               S_INIT("/\xc3\xa4"), S_INIT("/a\\b"), S_INIT("/a{b}"),
                               S_INIT("//")};
    for (size_t i = 0; i < COUNT_OF(one); i++) {
        EXPECT(readings_is_one(one[i]));
    }
    for (size_t i = 0; i < COUNT_OF(more); i++) {
        EXPECT(!readings_is_one(more[i]));
    }
}

TEST("readings: all of them, in the spelling of rules")
{
    static const struct {
        Str path;
        size_t count;
        Str list[6];
        Str shortest;
    } rows[] = {
        {S_INIT("/bkt/a//b/../c"), 4,
         {S_INIT("/bkt/a//b/../c"), S_INIT("/bkt/a/b/../c"), S_INIT("/bkt/a//c"),
          S_INIT("/bkt/a/c")}, S_INIT("/bkt/a/c")},
        {S_INIT("/@babel%2fcore"), 2, {S_INIT("/@babel%2Fcore"), S_INIT("/@babel/core")},
         S_INIT("/@babel/core")},
        {S_INIT("/q/%2F/x"), 3, {S_INIT("/q/%2F/x"), S_INIT("/q///x"), S_INIT("/q/x")},
         S_INIT("/q/x")},
        {S_INIT("/100%25.txt"), 1, {S_INIT("/100%25.txt")}, S_INIT("/100%25.txt")},
        {S_INIT("/caf%c3%a9"), 1, {S_INIT("/caf%C3%A9")}, S_INIT("/caf%C3%A9")},
        {S_INIT("/caf\xc3\xa9"), 2, {S_INIT("/caf\xc3\xa9"), S_INIT("/caf%C3%A9")},
         S_INIT("/caf\xc3\xa9")},
        {S_INIT("/a%20b"), 1, {S_INIT("/a%20b")}, S_INIT("/a%20b")},
        {S_INIT("/x/%2e%2e/a"), 3, {S_INIT("/x/%2E%2E/a"), S_INIT("/x/../a"), S_INIT("/a")},
         S_INIT("/a")},
        {S_INIT("/%2561"), 3, {S_INIT("/%2561"), S_INIT("/%61"), S_INIT("/a")}, S_INIT("/a")},
        {S_INIT("/x/..;/a"), 3, {S_INIT("/x/..;/a"), S_INIT("/x/../a"), S_INIT("/a")},
         S_INIT("/a")},
        {S_INIT("/a%3fb"), 2, {S_INIT("/a%3Fb"), S_INIT("/a")}, S_INIT("/a")},
        {S_INIT("/a/."), 2, {S_INIT("/a/."), S_INIT("/a/")}, S_INIT("/a/")},
        {S_INIT("/a/b/.."), 2, {S_INIT("/a/b/.."), S_INIT("/a/")}, S_INIT("/a/")},
        {S_INIT("/a%2fb/.."), 4,
         {S_INIT("/a%2Fb/.."), S_INIT("/a/b/.."), S_INIT("/"), S_INIT("/a/")}, S_INIT("/")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Span copy = exact_copy(rows[i].path);
        Readings all = {0};
        EXPECT(find(span_str(copy), &all) == READINGS_FOUND);
        EXPECT_STR(all.count == rows[i].count ? S("") : rows[i].path, S(""));
        for (size_t k = 0; k < rows[i].count; k++) {
            EXPECT_STR(has(&all, rows[i].list[k]) ? S("") : rows[i].list[k], S(""));
        }
        EXPECT_STR(all.list[all.shortest], rows[i].shortest);
        free(copy.at);
    }
}

TEST("readings: what no server may be left to judge")
{
    static const struct {
        Str path;
        ReadingsVerdict verdict;
    } rows[] = {
        {S_INIT("/a\\b"), READINGS_SEPARATOR},      {S_INIT("/a%5cb"), READINGS_SEPARATOR},
        {S_INIT("/a%00"), READINGS_CONTROL},        {S_INIT("/a%0A"), READINGS_CONTROL},
        {S_INIT("/a%7f"), READINGS_CONTROL},        {S_INIT("/a%"), READINGS_ESCAPE},
        {S_INIT("/a%2"), READINGS_ESCAPE},          {S_INIT("/a%zz"), READINGS_ESCAPE},
        {S_INIT("/a%u002f"), READINGS_ESCAPE},      {S_INIT("/a%2500"), READINGS_ENDLESS},
        {S_INIT("/a%255cb"), READINGS_ENDLESS},     {S_INIT("/a%25u002f"), READINGS_ENDLESS},
        {S_INIT("/.."), READINGS_ENDLESS},          {S_INIT("/a/../.."), READINGS_ENDLESS},
        {S_INIT("/a/%2e%2e/.."), READINGS_ENDLESS}, {S_INIT("/%252e%252e"), READINGS_ENDLESS},
        {S_INIT("/..;/a"), READINGS_ENDLESS},       {S_INIT("/%c0%af"), READINGS_ENDLESS},
        {S_INIT("/\xc0\xae"), READINGS_ENDLESS},    {S_INIT("/%e0%80%af"), READINGS_ENDLESS},
        {S_INIT("/%f0%80%80%af"), READINGS_ENDLESS}, {S_INIT("/%25c0%25af"), READINGS_ENDLESS},
        {S_INIT("/a//b/./c;d%2f%41%3f%2541"), READINGS_ENDLESS},
        {S_INIT("/%e0%a0%80%f0%90%80%80%c3%a4"), READINGS_FOUND}, /* the shortest forms */
        {S_INIT("/100%25u"), READINGS_FOUND},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Span copy = exact_copy(rows[i].path);
        Readings all = {0};
        EXPECT_STR(find(span_str(copy), &all) == rows[i].verdict ? S("") : rows[i].path, S(""));
        free(copy.at);
    }
}

TEST("readings: a list that does not fit is no list")
{
    static uint8_t bytes[READINGS_PATH_MAX + 1];
    Readings all = {0};
    span_fill(span_of(bytes, sizeof bytes), 'a');
    bytes[0] = '/';
    bytes[1] = '%';
    bytes[2] = '4';
    bytes[3] = '1';
    EXPECT(find(str_of(bytes, sizeof bytes), &all) == READINGS_ENDLESS);
    EXPECT(find(str_of(bytes, sizeof bytes - 1), &all) == READINGS_FOUND);
    bytes[10] = ';'; /* a third and a fourth reading: too much work */
    bytes[2000] = '/';
    bytes[2001] = '/';
    EXPECT(find(str_of(bytes, sizeof bytes - 1), &all) == READINGS_ENDLESS);
    EXPECT(find(str_of(bytes, 2002), &all) == READINGS_FOUND);
    Str path = S("/a//b/../c");
    size_t whole = 0; /* the least room in which all of them fit */
    while (readings_find(path, span_of(scratch, whole), &all) != READINGS_FOUND) {
        whole++;
    }
    EXPECT(whole > 3 * path.len && whole < 8 * path.len);
}

TEST("a path that is refused: by which rule")
{
    static const struct {
        Str path;
        UriRule rule;
    } rows[] = {
        {S_INIT("/.."), URI_DOT_SEGMENTS},          {S_INIT("/a//../.."), URI_DOT_SEGMENTS},
        {S_INIT("/a%2f"), URI_ENCODED_SEPARATORS},  {S_INIT("/a%5C"), URI_ENCODED_SEPARATORS},
        {S_INIT("/a%1f"), URI_CONTROL_CHARACTERS},  {S_INIT("/a%2"), URI_PERCENT_ENCODING},
        {S_INIT("/a;b"), URI_MATRIX_PARAMETERS},    {S_INIT("/a;%2f"), URI_MATRIX_PARAMETERS},
        {S_INIT("/a%2f/../../.."), URI_ENCODED_SEPARATORS},
    };
    UriRules rules = {.dot_segments = true,
                      .duplicate_slashes = true,
                      .encoded_separators = true,
                      .control_characters = true,
                      .percent_encoding = true,
                      .matrix = MATRIX_REJECT};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Span room = exact_copy(rows[i].path);
        Text out = text_in(room);
        EXPECT(uri_normalize(rows[i].path, &rules, &out) == ERR_SYNTAX);
        EXPECT(uri_refusing_rule(rows[i].path, &rules, room) == rows[i].rule);
        free(room.at);
    }
    UriRules strip = rules;
    strip.matrix = MATRIX_STRIP; /* what is left out refuses nothing */
    Span room = span_of(scratch, 100);
    EXPECT(uri_refusing_rule(S("/a;%2f/../.."), &strip, room) == URI_DOT_SEGMENTS);
}
