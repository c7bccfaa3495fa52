/* http_chunk_test.c - the chunked coding: whole, at every split, and everything that it refuses. */
#include "http/chunk.h"

#include "http_support.h"

typedef struct Decoded {
    uint8_t body[512];
    size_t len;
    size_t consumed;
    bool last;
    HttpFault fault;
    uint64_t overhead_bytes;
} Decoded;

static void decode_piece(ChunkDecoder *d, Str piece, Decoded *ret)
{
    Span copy = exact_copy(piece);
    ChunkStep step = chunk_decode(d, copy);
    EXPECT(step.consumed <= copy.len && step.data <= step.consumed);
    EXPECT(step.data <= sizeof ret->body - ret->len);
    span_copy(span_drop(span_of(ret->body, sizeof ret->body), ret->len),
              str_take(span_str(copy), step.data));
    ret->len += step.data;
    ret->consumed += step.consumed;
    ret->last = step.last;
    ret->fault = step.fault;
    EXPECT(step.fault != HTTP_FAULT_NONE || step.last || step.consumed == copy.len);
    free(copy.at);
}

/* Feeds `wire` in pieces that end at `first`, `second` and the end. */
static Decoded decode_split(Str wire, size_t first, size_t second)
{
    Decoded got = {0};
    ChunkDecoder d = {0};
    size_t ends[3] = {first, second, wire.len};
    size_t from = 0;
    for (size_t i = 0; i < 3 && got.fault == HTTP_FAULT_NONE && !got.last; i++) {
        decode_piece(&d, str_slice(wire, from, ends[i]), &got);
        from = ends[i];
    }
    got.overhead_bytes = d.overhead_bytes;
    return got;
}

typedef struct ChunkRow {
    Str wire;
    HttpFault fault;
    bool last;
    Str body;
    size_t consumed;
} ChunkRow;

#define GOOD(wire, rest, body)                                                                     \
    {S_INIT(wire rest), HTTP_FAULT_NONE, true, S_INIT(body), sizeof(wire) - 1}
#define PART(wire, body) {S_INIT(wire), HTTP_FAULT_NONE, false, S_INIT(body), sizeof(wire) - 1}
/* The fault is found behind `before`. */
#define BAD(before, behind, body, name)                                                            \
    {S_INIT(before behind), HTTP_FAULT_##name, false, S_INIT(body), sizeof(before) - 1}

static const ChunkRow rows[] = {
    GOOD("0\r\n", "\r\n", ""),
    GOOD("000\r\n", "\r\nGET", ""),
    GOOD("5\r\nhello\r\n0\r\n", "X: 1\r\n\r\n", "hello"),
    GOOD("5\r\nhello\r\n6\r\n world\r\n0\r\n", "\r\n", "hello world"),
    GOOD("A\r\n0123456789\r\n00\r\n", "\r\n", "0123456789"),
    GOOD("a\r\n\r\n0\r\n\r\n\0\xff\r\r\n0\r\n", "", "\r\n0\r\n\r\n\0\xff\r"),
    GOOD("0000000000000000000000001\r\nx\r\n0\r\n", "", "x"),
    GOOD("1;a\r\nx\r\n0\r\n", "", "x"),
    GOOD("1 \t; a\t=\tb ;c\r\nx\r\n0;z\r\n", "", "x"),
    GOOD("1;a=\"b;\\\"\\\\ \t\xff\";c=d\r\nx\r\n0;z=\"\"\r\n", "", "x"),
    PART("", ""),
    PART("5", ""),
    PART("5\r", ""),
    PART("5\r\nhel", "hel"),
    PART("5\r\nhello", "hello"),
    PART("5\r\nhello\r", "hello"),
    PART("5\r\nhello\r\n", "hello"),
    PART("7fffffffffffffff\r\nxyz", "xyz"),
    BAD("", "\r\n", "", CHUNK_SIZE),
    BAD("", "\n", "", CHUNK_SIZE),
    BAD("", " 5\r\n", "", CHUNK_SIZE),
    BAD("", "+5\r\n", "", CHUNK_SIZE),
    BAD("", "-5\r\n", "", CHUNK_SIZE),
    BAD("", ";a\r\n", "", CHUNK_SIZE),
    BAD("", "g\r\n", "", CHUNK_SIZE),
    BAD("", "\0\r\n", "", CHUNK_SIZE),
    BAD("0", "x5\r\n", "", CHUNK_SIZE),
    BAD("5", "_0\r\n", "", CHUNK_SIZE),
    BAD("5", ",5\r\n", "", CHUNK_SIZE),
    BAD("5", "h\r\n", "", CHUNK_SIZE),
    BAD("5", "\nhello", "", BARE_LF),
    BAD("5\r", "hello", "", BARE_CR),
    BAD("5\r", "\r\nhello", "", BARE_CR),
    BAD("5 ", "\r\n", "", CHUNK_EXTENSION),
    BAD("5 ", "5\r\n", "", CHUNK_EXTENSION),
    BAD("5\t ", "\n", "", CHUNK_EXTENSION),
    BAD("800000000000000", "00\r\n", "", CHUNK_SIZE) /* 2^63 */,
    BAD("fffffffffffffff", "ff\r\n", "", CHUNK_SIZE),
    BAD("1000000000000000", "0\r\n", "", CHUNK_SIZE) /* 2^64 */,
    BAD("5;", "\r\n", "", CHUNK_EXTENSION),
    BAD("5;", ";a\r\n", "", CHUNK_EXTENSION),
    BAD("5;", "=a\r\n", "", CHUNK_EXTENSION),
    BAD("5; ", "\r\n", "", CHUNK_EXTENSION),
    BAD("5;a ", "\r\n", "", CHUNK_EXTENSION),
    BAD("5;a ", "b\r\n", "", CHUNK_EXTENSION),
    BAD("5;a=", "\r\n", "", CHUNK_EXTENSION),
    BAD("5;a=", ";b\r\n", "", CHUNK_EXTENSION),
    BAD("5;a=b", "=c\r\n", "", CHUNK_EXTENSION),
    BAD("5;a=b", "\"\r\n", "", CHUNK_EXTENSION),
    BAD("5;a=\"b\"", "c\r\n", "", CHUNK_EXTENSION),
    BAD("5;a=\"b", "\r\n\"\r\n", "", CHUNK_EXTENSION),
    BAD("5;a=\"b", "\n\"\r\n", "", BARE_LF),
    BAD("5;a=\"\\", "\0\"\r\n", "", CHUNK_EXTENSION),
    BAD("5;a", "\nhello", "", BARE_LF),
    BAD("5;a=b", "\nhello", "", BARE_LF),
    BAD("5;a", "\0\r\n", "", CHUNK_EXTENSION),
    BAD("5;a\r", "b\nhello", "", BARE_CR),
    BAD("5;a=b ", "\r\n", "", CHUNK_EXTENSION),
    BAD("5;a=\"b\"", "\n", "", BARE_LF),
    BAD("5;a=\"b\"\r", "\r", "", BARE_CR),
    BAD("5\r\nhello", "\n0\r\n", "hello", CHUNK_END),
    BAD("5\r\nhello", "!\r\n0\r\n", "hello", CHUNK_END),
    BAD("5\r\nhello", "0\r\n\r\n", "hello", CHUNK_END),
    BAD("5\r\nhello\r", "0\r\n", "hello", CHUNK_END),
    BAD("5\r\nhello\r", "\r\n", "hello", CHUNK_END),
    BAD("5\r\nhello\r\n", "\r\n0\r\n", "hello", CHUNK_SIZE),
};

static void expect_row(const ChunkRow *row, size_t first, size_t second)
{
    Decoded got = decode_split(row->wire, first, second);
    EXPECT_STR(http_fault_code(got.fault), http_fault_code(row->fault));
    EXPECT_STR(str_of(got.body, got.len), row->body);
    EXPECT_U64(got.consumed, row->consumed);
    EXPECT(got.last == row->last);
    EXPECT_U64(got.overhead_bytes, got.consumed - got.len);
}

TEST("chunks decode to the same at every pair of splits, and deviations are refused at their byte")
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t first = 0; first <= rows[i].wire.len; first++) {
            for (size_t second = first; second <= rows[i].wire.len; second++) {
                expect_row(&rows[i], first, second);
            }
        }
    }
}

TEST("a decoder behind the last chunk takes nothing more")
{
    ChunkDecoder d = {0};
    uint8_t bytes[] = {'0', '\r', '\n'};
    EXPECT(chunk_decode(&d, span_of(bytes, 3)).last);
    ChunkStep step = chunk_decode(&d, span_of(bytes, 3));
    EXPECT(step.last && step.consumed == 0 && step.fault == HTTP_FAULT_NONE);
}

TEST("a size line has a bound, whatever fills it")
{
    static const struct {
        Str start;
        uint8_t fill;
        HttpFault fault;
    } lines[] = {
        {S_INIT("5;"), 'a', HTTP_FAULT_CHUNK_EXTENSION},
        {S_INIT("5;a=\""), '"' + 1, HTTP_FAULT_CHUNK_EXTENSION},
        {S_INIT("5"), ' ', HTTP_FAULT_CHUNK_EXTENSION},
        {S_INIT("0"), '0', HTTP_FAULT_CHUNK_SIZE},
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        uint8_t bytes[2 * CHUNK_LINE_BYTES_MAX];
        span_fill(span_of(bytes, sizeof bytes), lines[i].fill);
        span_copy(span_of(bytes, sizeof bytes), lines[i].start);
        ChunkDecoder d = {0};
        ChunkStep step = chunk_decode(&d, span_of(bytes, sizeof bytes));
        EXPECT(step.fault == lines[i].fault);
        EXPECT_U64(step.consumed, CHUNK_LINE_BYTES_MAX);
    }
}

TEST("what the encoder writes the decoder reads")
{
    static const uint64_t sizes[] = {1, 9, 10, 15, 16, 255, 256, 65536, INT64_MAX};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        uint8_t room[CHUNK_HEAD_BYTES_MAX];
        Text t = text_in(span_of(room, sizeof room));
        chunk_head(&t, sizes[i]);
        EXPECT(!t.overflow);
        ChunkDecoder d = {0};
        ChunkStep step = chunk_decode(&d, span_of(room, t.len));
        EXPECT(step.fault == HTTP_FAULT_NONE && step.consumed == t.len && step.data == 0);
        EXPECT_U64(d.left, sizes[i]);
    }
}

TEST("blanks after a size are accepted where that is asked for, and nothing else")
{
    static const struct {
        Str wire;
        HttpFault fault;
    } padded[] = {
        {S_INIT("5   \r\nhello\r\n0 \r\n"), HTTP_FAULT_NONE},
        {S_INIT("5\t\r\nhello\r\n0\r\n"), HTTP_FAULT_NONE},
        {S_INIT("5 ;a=b\r\nhello\r\n0\r\n"), HTTP_FAULT_NONE},
        {S_INIT(" 5\r\nhello\r\n0\r\n"), HTTP_FAULT_CHUNK_SIZE},
        {S_INIT("5 \nhello\r\n0\r\n"), HTTP_FAULT_CHUNK_EXTENSION},
        {S_INIT("5 5\r\nhello\r\n0\r\n"), HTTP_FAULT_CHUNK_EXTENSION},
        {S_INIT("5 \rhello\r\n0\r\n"), HTTP_FAULT_BARE_CR},
        {S_INIT("5;a=b \r\nhello\r\n0\r\n"), HTTP_FAULT_CHUNK_EXTENSION},
    };
    for (size_t i = 0; i < COUNT_OF(padded); i++) {
        for (size_t split = 0; split < padded[i].wire.len; split++) {
            ChunkDecoder d = {.padded = true};
            Decoded got = {0};
            decode_piece(&d, str_take(padded[i].wire, split), &got);
            if (got.fault == HTTP_FAULT_NONE && !got.last) {
                decode_piece(&d, str_drop(padded[i].wire, split), &got);
            }
            EXPECT(got.fault == padded[i].fault);
            EXPECT(got.last == (padded[i].fault == HTTP_FAULT_NONE));
            EXPECT(!got.last || str_equal(str_of(got.body, got.len), S("hello")));
        }
    }
}

static HttpFault trailer_fault(Str section, Fields *ret)
{
    static Field room[3];
    Span copy = exact_copy(section);
    HttpFault fault = trailer_parse(span_str(copy), (Fields){.room = 3, .at = room}, ret);
    free(copy.at);
    return fault;
}

TEST("a trailer section keeps to the grammar of heads, and framing fields in it are dropped")
{
    Fields fields = {0};
    EXPECT(trailer_fault(S("\r\n"), &fields) == HTTP_FAULT_NONE && fields.count == 0);
    EXPECT(trailer_fault(S("X: 1\r\nContent-Length: 5\r\nHOST: a\r\n\r\n"), &fields) ==
           HTTP_FAULT_NONE);
    EXPECT_U64(fields.count, 3);
    EXPECT(!fields.at[0].dropped && fields.at[1].dropped && fields.at[2].dropped);
    static const Str bad[] = {
        S_INIT(""), S_INIT("\r"), S_INIT("X: 1\r\n"), S_INIT("X: 1\n\r\n"), S_INIT(" X: 1\r\n\r\n"),
        S_INIT("X : 1\r\n\r\n"), S_INIT("X: \0\r\n\r\n"), S_INIT("\r\n\r\n"), S_INIT("\n"),
        S_INIT("A:\r\nB:\r\nC:\r\nD:\r\n\r\n"),
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        EXPECT(trailer_fault(bad[i], &fields) == HTTP_FAULT_TRAILER);
    }
}

TEST("the end of a trailer section is found at every split")
{
    Str wire = S("A: 1\r\nB: 2\r\n\r\nGET / HTTP/1.1\r\n");
    size_t want = sizeof("A: 1\r\nB: 2\r\n\r\n") - 1;
    size_t scanned = 0;
    size_t end = 0;
    for (size_t n = 0; n < want; n++) {
        EXPECT(trailer_find_end(str_take(wire, n), &scanned, &end) == ERR_INCOMPLETE);
    }
    EXPECT(trailer_find_end(wire, &scanned, &end) == ERR_OK);
    EXPECT_U64(end, want);
    scanned = 0;
    EXPECT(trailer_find_end(S("\r\nGET"), &scanned, &end) == ERR_OK && end == 2);
}
