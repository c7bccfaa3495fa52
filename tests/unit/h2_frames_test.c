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

TEST("h2 frames: each is whole at its last byte, and a header block at its last frame's")
{
    for (size_t step = 1; step <= sizeof stream; step++) {
        for (unsigned k = 0; k < sizeof states / sizeof states[0]; k++) {
            H2Frames f = h2_frames_of(false);
            for (size_t at = 0; at < states[k].at; at += step) {
                size_t to = at + step < states[k].at ? at + step : states[k].at;
                h2_frames_follow(&f, str_of(stream + at, to - at));
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
    h2_frames_follow(&f, str_take(preface, 10));
    h2_frames_follow(&f, str_drop(preface, 10));
    EXPECT(!h2_frames_partial(&f));
    h2_frames_follow(&f, str_of(stream, sizeof stream));
    EXPECT_U64(f.whole, 4);
}
