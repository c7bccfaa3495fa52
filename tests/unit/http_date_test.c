/* http_date_test.c - the three forms of dates, and calendars at their edges. */
#include "http/date.h"

#include <stdio.h>
#include <time.h>

#include "http_support.h"

#define NOW INT64_C(1767225600) /* 2026-01-01 */

static Str print(int64_t seconds, Span room)
{
    Text t = text_in(room);
    date_print(&t, seconds);
    EXPECT(!t.overflow && t.len == DATE_BYTES);
    return text_str(&t);
}

TEST("all three forms name the same second")
{
    static const Str forms[] = {S_INIT("Sun, 06 Nov 1994 08:49:37 GMT"),
                                S_INIT("Sunday, 06-Nov-94 08:49:37 GMT"),
                                S_INIT("Sun Nov  6 08:49:37 1994")};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        int64_t got = 0;
        Span copy = exact_copy(forms[i]);
        EXPECT(date_parse(span_str(copy), NOW, &got) == ERR_OK);
        EXPECT_U64(got, 784111777);
        free(copy.at);
        for (size_t len = 0; len < forms[i].len; len++) {
            copy = exact_copy(str_take(forms[i], len));
            EXPECT(date_parse(span_str(copy), NOW, &got) == ERR_SYNTAX);
            free(copy.at);
        }
    }
}

TEST("what is printed is read back, and the C library agrees")
{
    uint8_t room[DATE_BYTES];
    for (int64_t s = -62135596800; s <= 253402300799; s += 86399 * 331) {
        int64_t got = 0;
        Str text = print(s, span_of(room, sizeof room));
        EXPECT(date_parse(text, NOW, &got) == ERR_OK && got == s);
        time_t when = (time_t)s;
        struct tm tm;
        char want[64];
        EXPECT(gmtime_r(&when, &tm) != NULL);
        size_t len = strftime(want, sizeof want, "%a, %d %b ", &tm);
        len += (size_t)snprintf(want + len, sizeof want - len, "%04d %02d:%02d:%02d GMT",
                                tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
        EXPECT_STR(text, str_of(want, len));
    }
    EXPECT_STR(print(INT64_MIN, span_of(room, sizeof room)), S("Mon, 01 Jan 0001 00:00:00 GMT"));
    EXPECT_STR(print(INT64_MAX, span_of(room, sizeof room)), S("Fri, 31 Dec 9999 23:59:59 GMT"));
}

TEST("a two-digit year lies at most fifty years ahead")
{
    static const struct {
        Str text;
        Str want;
    } rows[] = {
        {S_INIT("Sunday, 01-Jan-76 00:00:00 GMT"), S_INIT("Wed, 01 Jan 2076 00:00:00 GMT")},
        {S_INIT("Sunday, 01-Jan-77 00:00:00 GMT"), S_INIT("Sat, 01 Jan 1977 00:00:00 GMT")},
        {S_INIT("Sunday, 29-Feb-00 00:00:00 GMT"), S_INIT("Tue, 29 Feb 2000 00:00:00 GMT")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t room[DATE_BYTES];
        int64_t got = 0;
        EXPECT(date_parse(rows[i].text, NOW, &got) == ERR_OK);
        EXPECT_STR(print(got, span_of(room, sizeof room)), rows[i].want);
    }
}

TEST("a date that is none is refused")
{
    static const Str rows[] = {
        S_INIT(""),
        S_INIT("0"),
        S_INIT("Sun, 31 Nov 1994 08:49:37 GMT"),
        S_INIT("Sun, 29 Feb 1900 08:49:37 GMT"),
        S_INIT("Sun, 00 Nov 1994 08:49:37 GMT"),
        S_INIT("Sun, 06 nov 1994 08:49:37 GMT"),
        S_INIT("Sxn, 06 Nov 1994 08:49:37 GMT"),
        S_INIT("Sun, 06 Nov 0000 08:49:37 GMT"),
        S_INIT("Sun, 06 Nov 1994 24:49:37 GMT"),
        S_INIT("Sun, 06 Nov 1994 08:60:37 GMT"),
        S_INIT("Sun, 06 Nov 1994 08:49:61 GMT"),
        S_INIT("Sun, 06 Nov 1994 08:49:37 UTC"),
        S_INIT("Sun, 06 Nov 1994 08:49:37 GMT "),
        S_INIT("Sun, +6 Nov 1994 08:49:37 GMT"),
        S_INIT("Sun,  6 Nov 1994 08:49:37 GMT"),
        S_INIT("Sunday, 06 Nov 94 08:49:37 GMT"),
        S_INIT("Sunday, 06-Nov-1994 08:49:37 GMT"),
        S_INIT("Sun Nov 6 08:49:37 1994"),
        S_INIT("Sun Nov  6 08:49:37 94  "),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t got = 42;
        EXPECT(date_parse(rows[i], NOW, &got) == ERR_SYNTAX);
        EXPECT_U64(got, 42);
    }
}
