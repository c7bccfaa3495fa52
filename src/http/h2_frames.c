/* h2_frames.c - where HTTP/2 frames begin and end, and which may not come. */
#include "http/h2_frames.h"

#include "base/number.h"

enum {
    TYPE_DATA = 0,
    TYPE_HEADERS = 1,
    TYPE_PRIORITY = 2,
    TYPE_RST_STREAM = 3,
    TYPE_PUSH_PROMISE = 5,
    TYPE_CONTINUATION = 9
};
enum { FLAG_END_STREAM = 1, FLAG_END_HEADERS = 4 };
enum { NO_ERROR = 0, PROTOCOL_ERROR = 1, STREAM_CLOSED = 5 };

#define PRIORITY_BYTES 5u
#define WORD_BYTES 4u
#define STREAM_MASK 0x7fffffffu

H2Frames h2_frames_of(bool server)
{
    return (H2Frames){.skip = server ? H2_PREFACE_BYTES : 0, .server = server};
}

/* --- streams --------------------------------------------------------------------------------- */

static bool bit_of(const uint64_t *bits, uint32_t stream)
{
    uint32_t i = stream / 2 % H2_FRAMES_STREAMS;
    return (bits[i / 64] >> i % 64 & 1) != 0;
}

static void bit_set(uint64_t *bits, uint32_t stream, bool to)
{
    uint32_t i = stream / 2 % H2_FRAMES_STREAMS;
    uint64_t bit = UINT64_C(1) << i % 64;
    bits[i / 64] = to ? bits[i / 64] | bit : bits[i / 64] & ~bit;
}

/* The streams between the last one and this were never begun (RFC 9113 §5.1.1). */
static void stream_begin(H2Frames *f, uint32_t stream)
{
    uint32_t from = f->last + 2;
    if (stream - f->last >= 2 * H2_FRAMES_STREAMS) {
        from = stream - 2 * (H2_FRAMES_STREAMS - 1);
    }
    for (uint32_t s = f->last == 0 ? 1 : from; s <= stream; s += 2) {
        bit_set(f->begun, s, s == stream);
        bit_set(f->ended, s, false);
    }
    f->last = stream;
}

/* HEADERS and DATA on a stream that was never begun, or that the client has ended. What River has
 * ended is another matter: the client may not know yet. */
static uint32_t stream_judge(const H2Frames *f)
{
    bool known = f->last - f->stream < 2 * H2_FRAMES_STREAMS;
    if (known && !bit_of(f->begun, f->stream)) {
        return PROTOCOL_ERROR;
    }
    return known && bit_of(f->ended, f->stream) ? STREAM_CLOSED : NO_ERROR;
}

/* A frame's head has come: the error, if it may not come here. */
static uint32_t head_judge(H2Frames *f)
{
    uint32_t code = NO_ERROR;
    if (f->type == TYPE_PRIORITY && f->stream == 0) {
        return PROTOCOL_ERROR;
    }
    if (!f->server || f->stream % 2 == 0 || f->block) {
        return NO_ERROR; /* nghttp2 looks at the rest */
    }
    bool carries = f->type == TYPE_HEADERS || f->type == TYPE_DATA;
    if (f->type == TYPE_HEADERS && f->stream > f->last) {
        stream_begin(f, f->stream);
    } else if (carries && f->stream <= f->last) {
        code = stream_judge(f);
    }
    if (f->stream <= f->last &&
        (f->type == TYPE_RST_STREAM || (carries && (f->flags & FLAG_END_STREAM)))) {
        bit_set(f->ended, f->stream, true);
    }
    return code;
}

/* --- frames ---------------------------------------------------------------------------------- */

static void frame_over(H2Frames *f)
{
    bool block = f->type == TYPE_HEADERS || f->type == TYPE_PUSH_PROMISE ||
                 f->type == TYPE_CONTINUATION;
    f->block = block && (f->flags & FLAG_END_HEADERS) == 0;
    f->whole += !f->block;
    f->head_len = 0;
}

/* The next byte of a frame's head: length (24 bits), type, flags, stream. */
static void head_byte(H2Frames *f, uint8_t byte)
{
    uint8_t at = f->head_len++;
    if (at == 0) {
        f->length = 0;
    }
    if (at < 3) {
        f->length = f->length << 8 | byte;
    } else if (at == 3) {
        f->type = byte;
    } else if (at == 4) {
        f->flags = byte;
    } else {
        f->stream = f->stream << 8 | byte; /* what was there before is shifted out */
    }
    if (f->head_len == H2_FRAME_HEAD_BYTES) {
        f->left = f->length;
        f->stream &= STREAM_MASK;
        f->word = 0;
    }
}

/* The first bytes of a payload. */
static void word_take(H2Frames *f, Str bytes)
{
    uint32_t before = f->length - f->left;
    for (size_t i = 0; before + i < WORD_BYTES && i < bytes.len; i++) {
        f->word = f->word << 8 | str_at(bytes, i);
    }
}

/* A stream that depends on itself (RFC 7540 §5.3.1). */
static bool depends_on_itself(const H2Frames *f)
{
    return f->type == TYPE_PRIORITY && f->length == PRIORITY_BYTES && f->stream != 0 &&
           (f->word & STREAM_MASK) == f->stream;
}

size_t h2_frames_follow(H2Frames *f, Str bytes, uint32_t *ret_code)
{
    Str rest = str_drop(bytes, size_min(f->skip, bytes.len));
    size_t frame_at = 0; /* where the frame begins, or goes on */
    f->skip -= (uint32_t)(bytes.len - rest.len);
    *ret_code = NO_ERROR;
    while (rest.len > 0) {
        bool head = f->left == 0;
        size_t n = head ? 1 : size_min(f->left, rest.len);
        if (head && f->head_len == 0) {
            frame_at = bytes.len - rest.len;
        }
        if (head) {
            head_byte(f, str_at(rest, 0));
            uint32_t code = f->head_len == H2_FRAME_HEAD_BYTES ? head_judge(f) : NO_ERROR;
            if (code != NO_ERROR) {
                *ret_code = code;
                return frame_at;
            }
        } else {
            if (f->type == TYPE_PRIORITY) {
                word_take(f, str_take(rest, n));
            }
            f->left -= (uint32_t)n;
        }
        rest = str_drop(rest, n);
        if (f->head_len == H2_FRAME_HEAD_BYTES && f->left == 0) {
            if (depends_on_itself(f)) {
                *ret_code = PROTOCOL_ERROR;
                return frame_at;
            }
            frame_over(f);
        }
    }
    return bytes.len;
}

bool h2_frames_partial(const H2Frames *f)
{
    bool data = f->head_len == H2_FRAME_HEAD_BYTES && f->type == TYPE_DATA;
    return f->block || (f->head_len > 0 && !data);
}
