/* http_range_test.c - Range fields: the examples of RFC 9110 §14, edges, floods. */
#include "http/range.h"

#include "base/text.h"
#include "http_support.h"

typedef struct RangeRow {
    Str value;
    uint64_t size;
    Str want; /* "from-to,..." with `to` inclusive; "416", or "200" for ignored */
} RangeRow;

static Str print_verdict(Str value, uint64_t size, Span room)
{
    Ranges ranges = {.count = 0};
    Span copy = exact_copy(value);
    RangeVerdict verdict = range_judge(span_str(copy), size, &ranges);
    Text t = text_in(room);
    if (verdict == RANGE_IGNORED) {
        text_add(&t, S("200"));
    } else if (verdict == RANGE_UNSATISFIABLE) {
        text_add(&t, S("416"));
    }
    for (size_t i = 0; verdict == RANGE_SATISFIED && i < ranges.count; i++) {
        text_add(&t, i ? S(",") : S(""));
        text_u64(&t, ranges.list[i].from);
        text_byte(&t, '-');
        text_u64(&t, ranges.list[i].to - 1);
    }
    free(copy.at);
    return text_str(&t);
}

TEST("ranges are read, clipped, merged or refused as RFC 9110 says")
{
    static const RangeRow rows[] = {
        /* §14.1.2's own examples, for 10000 bytes */
        {S_INIT("bytes=0-499"), 10000, S_INIT("0-499")},
        {S_INIT("bytes=500-999"), 10000, S_INIT("500-999")},
        {S_INIT("bytes=-500"), 10000, S_INIT("9500-9999")},
        {S_INIT("bytes=9500-"), 10000, S_INIT("9500-9999")},
        {S_INIT("bytes=0-0,-1"), 10000, S_INIT("0-0,9999-9999")},
        {S_INIT("bytes= 0-999, 4500-5499, -1000"), 10000, S_INIT("0-999,4500-5499,9000-9999")},
        {S_INIT("bytes=500-600,601-999"), 10000, S_INIT("500-999")},
        {S_INIT("bytes=500-700,601-999"), 10000, S_INIT("500-999")},
        /* clipped */
        {S_INIT("bytes=0-"), 1, S_INIT("0-0")},
        {S_INIT("bytes=0-10000"), 10000, S_INIT("0-9999")},
        {S_INIT("bytes=9999-99999"), 10000, S_INIT("9999-9999")},
        {S_INIT("bytes=-10001"), 10000, S_INIT("0-9999")},
        {S_INIT("bytes=-99999999999999999999999999"), 10, S_INIT("0-9")},
        {S_INIT("bytes=0-99999999999999999999999999"), 10, S_INIT("0-9")},
        {S_INIT("bytes=0-18446744073709551615"), 10, S_INIT("0-9")},
        {S_INIT("bytes=0-18446744073709551616"), 10, S_INIT("0-9")},
        {S_INIT("bytes=18446744073709551614-18446744073709551615"), UINT64_MAX,
         S_INIT("18446744073709551614-18446744073709551614")},
        /* nothing is there */
        {S_INIT("bytes=10000-"), 10000, S_INIT("416")},
        {S_INIT("bytes=10000-10000"), 10000, S_INIT("416")},
        {S_INIT("bytes=-0"), 10000, S_INIT("416")},
        {S_INIT("bytes=-0,20000-"), 10000, S_INIT("416")},
        {S_INIT("bytes=99999999999999999999999999-"), 10, S_INIT("416")},
        {S_INIT("bytes=-0,5-6,20000-"), 10000, S_INIT("5-6")},
        {S_INIT("bytes=0-"), 0, S_INIT("200")},
        {S_INIT("bytes=-5"), 0, S_INIT("200")},
        /* merged, at the place of the first */
        {S_INIT("bytes=1000-1999,0-99,1500-2500"), 10000, S_INIT("1000-2500,0-99")},
        {S_INIT("bytes=0-99,1000-1099,50-1050"), 10000, S_INIT("0-1099")},
        {S_INIT("bytes=1000-1099,0-99,50-1050"), 10000, S_INIT("0-1099")},
        {S_INIT("bytes=0-0,129-129"), 10000, S_INIT("0-129")},
        {S_INIT("bytes=0-0,130-130"), 10000, S_INIT("0-0,130-130")},
        {S_INIT("bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-"), 10000,
         S_INIT("0-9999")},
        {S_INIT("bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-"), 10000,
         S_INIT("200")},
        /* lists with holes, other units, and what breaks the grammar */
        {S_INIT("bytes=,, 0-1 , ,"), 10, S_INIT("0-1")},
        {S_INIT("BYTES=0-1"), 10, S_INIT("0-1")},
        {S_INIT("bytes="), 10, S_INIT("200")},
        {S_INIT("bytes=,"), 10, S_INIT("200")},
        {S_INIT(""), 10, S_INIT("200")},
        {S_INIT("bytes"), 10, S_INIT("200")},
        {S_INIT("bytes 0-1"), 10, S_INIT("200")},
        {S_INIT("lines=0-1"), 10, S_INIT("200")},
        {S_INIT("bytes =0-1"), 10, S_INIT("200")},
        {S_INIT("bytes=5-4"), 10, S_INIT("200")},
        {S_INIT("bytes=0-1,5-4"), 10, S_INIT("200")},
        {S_INIT("bytes=-"), 10, S_INIT("200")},
        {S_INIT("bytes=1"), 10, S_INIT("200")},
        {S_INIT("bytes=--1"), 10, S_INIT("200")},
        {S_INIT("bytes=-1-"), 10, S_INIT("200")},
        {S_INIT("bytes=+1-2"), 10, S_INIT("200")},
        {S_INIT("bytes=1 - 2"), 10, S_INIT("200")},
        {S_INIT("bytes=0x0-1"), 10, S_INIT("200")},
        {S_INIT("bytes=0-1;2-3"), 10, S_INIT("200")},
        {S_INIT("bytes=0-1, a"), 10, S_INIT("200")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t room[256];
        EXPECT_STR(print_verdict(rows[i].value, rows[i].size, span_of(room, sizeof room)),
                   rows[i].want);
    }
}

/* A small model: which bytes were asked for. */
TEST("what is answered is what was asked for, merged, and no byte stands twice")
{
    uint64_t random = 42;
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t bytes[256];
        Text t = text_in(span_of(bytes, sizeof bytes));
        bool asked[2000] = {false};
        text_add(&t, S("bytes="));
        unsigned members = 1 + round % 8;
        for (unsigned m = 0; m < members; m++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
            uint64_t from = (random >> 33) % 2000;
            uint64_t to = from + (random >> 50) % 300;
            text_add(&t, m ? S(",") : S(""));
            text_u64(&t, from);
            text_byte(&t, '-');
            text_u64(&t, to);
            for (uint64_t b = from; b <= to && b < 2000; b++) {
                asked[b] = true;
            }
        }
        Ranges r = {.count = 0};
        EXPECT(range_judge(text_str(&t), 2000, &r) == RANGE_SATISFIED && r.count <= members);
        unsigned seen[2000] = {0};
        for (size_t i = 0; i < r.count; i++) {
            EXPECT(r.list[i].from < r.list[i].to && r.list[i].to <= 2000);
            for (uint64_t b = r.list[i].from; b < r.list[i].to && b < 2000; b++) {
                seen[b]++;
            }
        }
        size_t extra = 0;
        bool good = true;
        for (size_t b = 0; b < 2000; b++) {
            good &= seen[b] <= 1 && (!asked[b] || seen[b] == 1);
            extra += seen[b] && !asked[b];
        }
        EXPECT(good && extra <= RANGE_GAP_BYTES * (members - 1));
    }
}
