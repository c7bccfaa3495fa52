/* h2_frames.h - follows the frames of one direction of an HTTP/2 connection (RFC 9113 §4.1) without
 * looking at their payload: where each begins and ends, and whether a header block is open.
 *
 * The zero value is a connection before its first byte. */
#ifndef HTTP_H2_FRAMES_H
#define HTTP_H2_FRAMES_H

#include "base/str.h"

#define H2_PREFACE_BYTES 24u /* of a client, before its first frame (RFC 9113 §3.4) */
#define H2_FRAME_HEAD_BYTES 9u

typedef struct H2Frames {
    uint64_t whole; /* frames that have come to their end; a header block counts as one */
    uint32_t skip;  /* bytes of the preface that are still to come */
    uint32_t left;  /* bytes of payload that are still to come */
    uint32_t length;
    uint8_t head_len; /* bytes of a frame's head that have come */
    uint8_t type;
    uint8_t flags;
    bool block; /* a header block goes on in the next frame (RFC 9113 §4.3) */
} H2Frames;

/* What a server hears starts with the client's preface. */
H2Frames h2_frames_of(bool server);
/* Takes note of bytes as they come. */
void h2_frames_follow(H2Frames *f, Str bytes);
/* Whether a frame or a header block has begun and is not whole. DATA counts as whole: a body has
 * deadlines of its own. */
bool h2_frames_partial(const H2Frames *f);

#endif
