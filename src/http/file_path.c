/* file_path.c - decoding a path once, and spelling it for a Location. */
#include "http/file_path.h"

#include "http/bytes.h"

typedef struct Segment {
    size_t bytes;
    size_t dots; /* only these: "." and ".." are no names */
    bool hidden; /* it begins with a dot */
} Segment;

/* The byte at *at, decoded; -1 where an escape is malformed. */
static int next_byte(Str path, size_t *at)
{
    size_t i = *at;
    int c = str_peek(path, i);
    if (c != '%') {
        *at = i + 1;
        return c;
    }
    int high = byte_hex_value(str_peek(path, i + 1));
    int low = byte_hex_value(str_peek(path, i + 2));
    *at = i + 3;
    if (high < 0 || low < 0) {
        return -1;
    }
    return high * 16 + low;
}

static void segment_byte(Segment *s, int c)
{
    if (s->bytes == 0 && c == '.') {
        s->hidden = true;
    }
    s->dots += c == '.';
    s->bytes++;
}

/* Whether "." or ".." ends here. */
static bool is_dot_segment(const Segment *s)
{
    return s->bytes > 0 && s->bytes <= 2 && s->dots == s->bytes;
}

FilePath file_path_decode(Str path, Text *out)
{
    const FilePath impossible = {.verdict = FILE_PATH_IMPOSSIBLE};
    FilePath found = {.verdict = FILE_PATH_PLAIN, .directory = true};
    Segment segment = {0};
    size_t i = 1;
    if (str_peek(path, 0) != '/') {
        return impossible;
    }
    while (i < path.len) {
        bool escaped = str_peek(path, i) == '%';
        int c = next_byte(path, &i);
        if (c <= 0 || c == '\\' || (escaped && c == '/')) {
            return impossible;
        }
        if (c == '/') {
            if (is_dot_segment(&segment)) {
                return impossible;
            }
            if (found.directory) { /* it follows another slash */
                found.verdict = FILE_PATH_DOUBLED;
            }
            found.directory = true;
            segment = (Segment){0};
            continue;
        }
        if (found.directory && out->len > 0) {
            text_byte(out, '/');
        }
        found.directory = false;
        segment_byte(&segment, c);
        found.hidden = found.hidden || segment.hidden;
        text_byte(out, (uint8_t)c);
    }
    return is_dot_segment(&segment) || out->overflow ? impossible : found;
}

static uint8_t hex_upper(unsigned digit)
{
    return (uint8_t)(digit < 10 ? '0' + digit : 'A' + (digit - 10));
}

void file_path_encode(Str decoded, Text *out)
{
    for (size_t i = 0; i < decoded.len; i++) {
        uint8_t c = str_at(decoded, i);
        /* BYTE_HOST: unreserved and sub-delims, which are pchar too */
        if (byte_is(c, BYTE_HOST) || c == '/' || c == ':' || c == '@') {
            text_byte(out, c);
        } else {
            text_byte(out, '%');
            text_byte(out, hex_upper(c >> 4));
            text_byte(out, hex_upper(c & 15u));
        }
    }
}
