/* h2_frames_test.c - where frames begin and end, however they arrive. */
#include "http/h2_frames.h"
#include "test.h"

static const uint8_t stream[] = {
    0, 0, 0, 4, 0, 0, 0, 0, 0,                  /* SETTINGS */
    0, 0, 2, 1, 0, 0, 0, 0, 1, 'h', 'e',        /* HEADERS that go on */
    0, 0, 0, 9, 0, 0, 0, 0, 1,                  /* CONTINUATION, empty */
    0, 0, 1, 9, 4, 0, 0, 0, 1, 'x',             /* CONTINUATION, the last */
    0, 0, 3, 0, 1, 0, 0, 0, 1, 'a', 'b', 'c',   /* DATA */
    0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8 /* PING */
};

static const struct {
    size_t at;
    uint64_t whole;
    bool partial;
} states[] = {
    {0, 0, false},  {1, 0, true},   {8, 0, true},   {9, 1, false},  {18, 1, true},
    {20, 1, true},  {29, 1, true},  {38, 1, true},  {39, 2, false}, {47, 2, true},
    {48, 2, false}, {50, 2, false}, {51, 3, false}, {60, 3, true},  {68, 4, false},
};

/* Bytes in which nothing is wrong. */
static size_t follow(H2Frames *f, Str bytes)
{
    uint32_t code = 0;
    size_t good = h2_frames_follow(f, bytes, &code);
    EXPECT(code == 0 && good == bytes.len);
    return good;
}

TEST("h2 frames: each is whole at its last byte, and a header block at its last frame's")
{
    for (size_t step = 1; step <= sizeof stream; step++) {
        for (unsigned k = 0; k < sizeof states / sizeof states[0]; k++) {
            H2Frames f = h2_frames_of(false);
            for (size_t at = 0; at < states[k].at; at += step) {
                size_t to = at + step < states[k].at ? at + step : states[k].at;
                (void)follow(&f, str_of(stream + at, to - at));
            }
            EXPECT_U64(f.whole, states[k].whole);
            EXPECT(h2_frames_partial(&f) == states[k].partial);
        }
    }
}

TEST("h2 frames: a server skips the preface")
{
    H2Frames f = h2_frames_of(true);
    Str preface = S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    EXPECT_U64(preface.len, H2_PREFACE_BYTES);
    (void)follow(&f, str_take(preface, 10));
    (void)follow(&f, str_drop(preface, 10));
    EXPECT(!h2_frames_partial(&f));
    (void)follow(&f, str_of(stream, sizeof stream));
    EXPECT_U64(f.whole, 4);
}

typedef struct FrameRow {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    uint32_t code; /* wanted */
} FrameRow;

enum { DATA = 0, HEADERS = 1, PRIORITY = 2, RST = 3, WINDOW = 8, CONTINUATION = 9 };

/* Frames of five bytes, the last of which is told to be wrong, byte by byte and whole. */
static void frames_judge(const FrameRow *rows, size_t count)
{
    uint8_t bytes[14 * 16];
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t s = rows[i].stream;
        uint8_t frame[14] = {0, 0, 5, rows[i].type, rows[i].flags, (uint8_t)(s >> 24),
                             (uint8_t)(s >> 16), (uint8_t)(s >> 8), (uint8_t)s, 0, 0, 0, 9, 0};
        for (size_t k = 0; k < sizeof frame; k++) {
            bytes[len++] = frame[k];
        }
    }
    for (size_t piece = 1; piece <= len; piece += len - 1) {
        H2Frames f = h2_frames_of(true);
        f.skip = 0;
        uint32_t code = 0;
        for (size_t at = 0; at < len && code == 0; at += piece) {
            size_t good = h2_frames_follow(&f, str_slice(str_of(bytes, len), at, at + piece),
                                           &code);
            EXPECT(code == 0 || piece == 1 || good == 14 * (count - 1));
        }
        EXPECT_U64(code, rows[count - 1].code);
    }
}

TEST("frames of streams that were never begun, or that their client has ended, are errors")
{
    static const FrameRow back[] = {{HEADERS, 4, 5, 0}, {HEADERS, 4, 3, 1}};
    static const FrameRow far_back[] = {{HEADERS, 4, 1, 0}, {HEADERS, 4, 5001, 0},
                                        {HEADERS, 4, 4999, 1}};
    static const FrameRow forgotten[] = {{HEADERS, 4, 1, 0}, {HEADERS, 4, 5001, 0},
                                         {DATA, 0, 1, 0}};
    static const FrameRow data[] = {{HEADERS, 5, 1, 0}, {WINDOW, 0, 1, 0}, {DATA, 0, 1, 5}};
    static const FrameRow head[] = {{HEADERS, 4, 1, 0}, {DATA, 1, 1, 0}, {HEADERS, 5, 1, 5}};
    static const FrameRow reset[] = {{HEADERS, 4, 1, 0}, {RST, 0, 1, 0}, {RST, 0, 1, 0},
                                     {DATA, 0, 1, 5}};
    static const FrameRow trailers[] = {{HEADERS, 4, 1, 0}, {HEADERS, 5, 1, 0},
                                        {PRIORITY, 0, 1, 0}};
    static const FrameRow block[] = {{HEADERS, 1, 1, 0}, {CONTINUATION, 4, 1, 0}};
    static const FrameRow nought[] = {{PRIORITY, 0, 0, 1}};
    static const FrameRow idle[] = {{HEADERS, 5, 1, 0}, {DATA, 0, 3, 0}};
    static const struct {
        const FrameRow *rows;
        size_t count;
    } cases[] = {{back, 2},  {far_back, 3}, {forgotten, 3}, {data, 3},   {head, 3},
                 {reset, 4}, {trailers, 3}, {block, 2},     {nought, 1}, {idle, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        frames_judge(cases[i].rows, cases[i].count);
    }
}

TEST("a stream that depends on itself is an error")
{
    static const uint8_t bytes[] = {0, 0, 5, PRIORITY, 0, 0, 0, 0, 9, 0x80, 0, 0, 9, 1};
    for (size_t piece = 1; piece <= sizeof bytes; piece += sizeof bytes - 1) {
        H2Frames f = h2_frames_of(true);
        uint32_t code = 0;
        f.skip = 0;
        for (size_t at = 0; at < sizeof bytes; at += piece) {
            EXPECT(code == 0);
            (void)h2_frames_follow(&f, str_of(bytes + at, piece), &code);
        }
        EXPECT_U64(code, 1);
    }
}
