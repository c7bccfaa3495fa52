/* http_conditional_test.c - preconditions in the order of RFC 9110 §13.2.2, and If-Range. */
#include "http/conditional.h"

#include "http_support.h"

#define MODIFIED 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define NOW 1767225600

#define SAME "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

typedef struct Row {
    Str match;
    Str unmodified;
    Str none_match;
    Str modified;
    Condition get;
    Condition put;
} Row;

static void add(Fields *fields, FieldId id, Str value)
{
    if (value.len > 0) {
        fields->at[fields->count++] = (Field){.name = field_name(id), .value = value, .id = id};
    }
}

#define HOLDS CONDITION_HOLDS
#define SAME_ONE CONDITION_NOT_MODIFIED
#define FAILED CONDITION_FAILED

TEST("preconditions are judged in their order")
{
    static const Row rows[] = {
        {.get = HOLDS, .put = HOLDS},
        /* If-Match: strong */
        {.match = S_INIT("\"a\""), .get = HOLDS, .put = HOLDS},
        {.match = S_INIT("*"), .get = HOLDS, .put = HOLDS},
        {.match = S_INIT("\"b\", \"a\""), .get = HOLDS, .put = HOLDS},
        {.match = S_INIT("W/\"a\""), .get = FAILED, .put = FAILED},
        {.match = S_INIT("\"b\""), .get = FAILED, .put = FAILED},
        {.match = S_INIT("a"), .get = FAILED, .put = FAILED},
        /* If-Unmodified-Since, only without If-Match */
        {.unmodified = S_INIT(SAME), .get = HOLDS, .put = HOLDS},
        {.unmodified = S_INIT(AFTER), .get = HOLDS, .put = HOLDS},
        {.unmodified = S_INIT(BEFORE), .get = FAILED, .put = FAILED},
        {.unmodified = S_INIT("never"), .get = HOLDS, .put = HOLDS},
        {.match = S_INIT("\"a\""), .unmodified = S_INIT(BEFORE), .get = HOLDS, .put = HOLDS},
        {.match = S_INIT("\"b\""), .unmodified = S_INIT(AFTER), .get = FAILED, .put = FAILED},
        /* If-None-Match: weak */
        {.none_match = S_INIT("\"a\""), .get = SAME_ONE, .put = FAILED},
        {.none_match = S_INIT("W/\"a\""), .get = SAME_ONE, .put = FAILED},
        {.none_match = S_INIT("*"), .get = SAME_ONE, .put = FAILED},
        {.none_match = S_INIT("\"x\" , W/\"a\""), .get = SAME_ONE, .put = FAILED},
        {.none_match = S_INIT("\"b\""), .get = HOLDS, .put = HOLDS},
        {.none_match = S_INIT("w/\"a\""), .get = HOLDS, .put = HOLDS},
        /* If-Modified-Since, only without If-None-Match, and only for reading */
        {.modified = S_INIT(SAME), .get = SAME_ONE, .put = HOLDS},
        {.modified = S_INIT(AFTER), .get = SAME_ONE, .put = HOLDS},
        {.modified = S_INIT(BEFORE), .get = HOLDS, .put = HOLDS},
        {.modified = S_INIT("Sunday, 06-Nov-94 08:49:37 GMT"), .get = SAME_ONE, .put = HOLDS},
        {.modified = S_INIT("Sun Nov  6 08:49:37 1994"), .get = SAME_ONE, .put = HOLDS},
        {.modified = S_INIT(SAME ", " SAME), .get = HOLDS, .put = HOLDS},
        {.none_match = S_INIT("\"b\""), .modified = S_INIT(AFTER), .get = HOLDS, .put = HOLDS},
        {.none_match = S_INIT("\"a\""), .modified = S_INIT(BEFORE), .get = SAME_ONE, .put = FAILED},
        /* the first that fails wins */
        {.match = S_INIT("\"b\""), .none_match = S_INIT("\"a\""), .get = FAILED, .put = FAILED},
        {.match = S_INIT("\"a\""), .none_match = S_INIT("\"a\""), .get = SAME_ONE, .put = FAILED},
        {.unmodified = S_INIT(BEFORE), .modified = S_INIT(SAME), .get = FAILED, .put = FAILED},
        {.unmodified = S_INIT(SAME), .modified = S_INIT(SAME), .get = SAME_ONE, .put = HOLDS},
    };
    const Validators v = {.etag = S("\"a\""), .modified = MODIFIED};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Field room[4];
        Fields fields = fields_in(room, COUNT_OF(room));
        add(&fields, FIELD_IF_MODIFIED_SINCE, rows[i].modified);
        add(&fields, FIELD_IF_NONE_MATCH, rows[i].none_match);
        add(&fields, FIELD_IF_UNMODIFIED_SINCE, rows[i].unmodified);
        add(&fields, FIELD_IF_MATCH, rows[i].match);
        EXPECT_U64(conditional_judge(&fields, METHOD_GET, &v, NOW), rows[i].get);
        EXPECT_U64(conditional_judge(&fields, METHOD_HEAD, &v, NOW), rows[i].get);
        EXPECT_U64(conditional_judge(&fields, METHOD_PUT, &v, NOW), rows[i].put);
    }
}

TEST("several lines of tags are one list, and two dates are none")
{
    const Validators v = {.etag = S("\"a\""), .modified = MODIFIED};
    Field room[4];
    Fields fields = fields_in(room, COUNT_OF(room));
    add(&fields, FIELD_IF_NONE_MATCH, S("\"x\""));
    add(&fields, FIELD_IF_NONE_MATCH, S("\"a\""));
    EXPECT(conditional_judge(&fields, METHOD_GET, &v, NOW) == CONDITION_NOT_MODIFIED);
    fields.count = 0;
    add(&fields, FIELD_IF_MODIFIED_SINCE, S(SAME));
    add(&fields, FIELD_IF_MODIFIED_SINCE, S(SAME));
    EXPECT(conditional_judge(&fields, METHOD_GET, &v, NOW) == CONDITION_HOLDS);
}

TEST("lists of tags follow the grammar")
{
    static const struct {
        Str list;
        bool strong;
        bool weak;
    } rows[] = {
        {S_INIT("\"a\""), true, true},
        {S_INIT("W/\"a\""), false, true},
        {S_INIT(" ,, \"a\" ,"), true, true},
        {S_INIT("\"b\",\"a\""), true, true},
        {S_INIT("\"b\"\t,\t\"a\""), true, true},
        {S_INIT("\"\\\", \"a\""), true, true}, /* a backslash is a byte of a tag like others */
        {S_INIT("\"x, \"a\""), false, false},
        {S_INIT("\"a"), false, false},
        {S_INIT("a\""), false, false},
        {S_INIT("\"A\""), false, false},
        {S_INIT("\"a\" \"a\""), false, false},
        {S_INIT("b, \"a\""), false, false},
        {S_INIT("W/ \"a\""), false, false},
        {S_INIT("\"a\"b"), false, false},
        {S_INIT(""), false, false},
        {S_INIT("\""), false, false},
        {S_INIT("W/"), false, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Span copy = exact_copy(rows[i].list);
        EXPECT(etag_list_holds(span_str(copy), S("\"a\""), false) == rows[i].strong);
        EXPECT(etag_list_holds(span_str(copy), S("\"a\""), true) == rows[i].weak);
        free(copy.at);
    }
}

TEST("If-Range holds for the same strong validator only")
{
    static const struct {
        Str value;
        bool holds;
    } rows[] = {
        {S_INIT("\"a\""), true},
        {S_INIT("W/\"a\""), false},
        {S_INIT("\"b\""), false},
        {S_INIT("*"), false},
        {S_INIT("\"a\", \"b\""), false},
        {S_INIT(SAME), true},
        {S_INIT("Sun Nov  6 08:49:37 1994"), true},
        {S_INIT(BEFORE), false},
        {S_INIT(AFTER), false},
        {S_INIT("soon"), false},
    };
    const Validators v = {.etag = S("\"a\""), .modified = MODIFIED};
    Field room[2];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Fields fields = fields_in(room, COUNT_OF(room));
        add(&fields, FIELD_IF_RANGE, rows[i].value);
        EXPECT(conditional_range(&fields, &v, NOW) == rows[i].holds);
        add(&fields, FIELD_IF_RANGE, rows[i].value);
        EXPECT(!conditional_range(&fields, &v, NOW));
    }
    Fields none = fields_in(room, COUNT_OF(room));
    EXPECT(conditional_range(&none, &v, NOW));
    add(&none, FIELD_IF_RANGE, S(SAME)); /* within the second it says nothing (§8.8.2.2) */
    EXPECT(!conditional_range(&none, &v, MODIFIED));
    EXPECT(conditional_range(&none, &v, MODIFIED + 1));
}
