/* h2_frames.c - where HTTP/2 frames begin and end. */
#include "http/h2_frames.h"

#include "base/number.h"

enum { TYPE_DATA = 0, TYPE_HEADERS = 1, TYPE_PUSH_PROMISE = 5, TYPE_CONTINUATION = 9 };
enum { FLAG_END_HEADERS = 4 };

H2Frames h2_frames_of(bool server)
{
    return (H2Frames){.skip = server ? H2_PREFACE_BYTES : 0};
}

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
    }
    if (f->head_len == H2_FRAME_HEAD_BYTES) {
        f->left = f->length;
        if (f->left == 0) {
            frame_over(f);
        }
    }
}

void h2_frames_follow(H2Frames *f, Str bytes)
{
    Str rest = str_drop(bytes, size_min(f->skip, bytes.len));
    f->skip -= (uint32_t)(bytes.len - rest.len);
    while (rest.len > 0) {
        if (f->left == 0) {
            head_byte(f, str_at(rest, 0));
            rest = str_drop(rest, 1);
            continue;
        }
        size_t n = size_min(f->left, rest.len);
        rest = str_drop(rest, n);
        f->left -= (uint32_t)n;
        if (f->left == 0) {
            frame_over(f);
        }
    }
}

bool h2_frames_partial(const H2Frames *f)
{
    bool data = f->head_len == H2_FRAME_HEAD_BYTES && f->type == TYPE_DATA;
    return f->block || (f->head_len > 0 && !data);
}
