/* h2_frames.h - follows the frames of one direction of an HTTP/2 connection (RFC 9113 §4.1): where
 * each begins and ends, and whether a header block is open. Of a client's frames it also knows what
 * nghttp2 forgets or does not look at: which streams were begun and which the client has ended
 * itself (§5.1), and what PRIORITY says (§5.3.1, §6.3).
 *
 * The zero value is a connection before its first byte. */
#ifndef HTTP_H2_FRAMES_H
#define HTTP_H2_FRAMES_H

#include "base/str.h"

#define H2_PREFACE_BYTES 24u /* of a client, before its first frame (RFC 9113 §3.4) */
#define H2_FRAME_HEAD_BYTES 9u

#define H2_FRAMES_STREAMS 256u /* of which it is known what became of them */

typedef struct H2Frames {
    uint64_t whole; /* frames that have come to their end; a header block counts as one */
    uint32_t skip;  /* bytes of the preface that are still to come */
    uint32_t left;  /* bytes of payload that are still to come */
    uint32_t length;
    uint8_t head_len; /* bytes of a frame's head that have come */
    uint8_t type;
    uint8_t flags;
    bool block; /* a header block goes on in the next frame (RFC 9113 §4.3) */
    bool server; /* the frames are a client's */
    uint32_t stream; /* of the frame */
    uint32_t word;   /* of its payload, the first four bytes */
    uint32_t last;   /* the highest stream that was begun */
    uint64_t begun[H2_FRAMES_STREAMS / 64]; /* of the latest streams, by their number */
    uint64_t ended[H2_FRAMES_STREAMS / 64]; /* by the client: END_STREAM or RST_STREAM was sent */
} H2Frames;

/* What a server hears starts with the client's preface. */
H2Frames h2_frames_of(bool server);
/* Takes note of bytes as they come. Returns how many of them are before a frame that may not come
 * there (*ret_code: the error, RFC 9113 §7), else all. */
size_t h2_frames_follow(H2Frames *f, Str bytes, uint32_t *ret_code);
/* Whether a frame or a header block has begun and is not whole. DATA counts as whole: a body has
 * deadlines of its own. */
bool h2_frames_partial(const H2Frames *f);

#endif
