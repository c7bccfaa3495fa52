/* text.h - a bounded writer: what River emits is put together here.
 *
 * A `Text` writes into a Span that the caller owns. What does not fit is not written at all and
 * sets `overflow`, which stays set: check it once, at the end. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdarg.h>

#include "base/str.h"

typedef struct Text {
    Span room;
    size_t len;
    bool overflow;
} Text;

static inline Text text_in(Span room)
{
    Text t = {.room = room, .len = 0, .overflow = false};
    return t;
}

/* What was written so far. */
static inline Str text_str(const Text *t)
{
    return str_of(t->room.at, t->len);
}

static inline void text_byte(Text *t, uint8_t byte)
{
    if (t->len < t->room.len) {
        t->room.at[t->len++] = byte;
    } else {
        t->overflow = true;
    }
}

/*@ requires room_is_kept: t->len <= t->room.len;
    requires readable: \valid_read(s.at + (0 .. s.len - 1));
    assigns t->len \from t->len, t->room.len, s.len;
    assigns t->overflow \from t->len, t->room.len, s.len, t->overflow;
    assigns t->room.at[0 .. t->room.len - 1] \from s.at[0 .. s.len - 1];
    ensures room_is_kept: t->len <= t->room.len;
    ensures truth: t->overflow == 0 || t->overflow == 1; */
static inline void text_add(Text *t, Str s)
{
    if (s.len <= t->room.len - t->len) {
        t->len += span_copy(span_drop(t->room, t->len), s);
    } else {
        t->overflow = true;
    }
}

/* A field line as HTTP/1 has it: "NAME: VALUE" and CRLF; all of it or nothing. */
static inline void text_line(Text *t, Str name, Str value)
{
    /* Both slices lie in memory, so their lengths are far from overflowing. */
    size_t bytes = name.len + value.len + sizeof ": \r\n" - 1;
    if (bytes > t->room.len - t->len) {
        t->overflow = true;
        return;
    }
    Span room = span_drop(t->room, t->len);
    t->len += bytes;
    room = span_drop(room, span_copy(room, name));
    room = span_drop(room, span_copy(room, S(": ")));
    room = span_drop(room, span_copy(room, value));
    (void)span_copy(room, S("\r\n"));
}

/* Decimal digits of `n`. */
/*@ requires room_is_kept: t->len <= t->room.len;
    assigns t->len \from t->len, t->room.len, n;
    assigns t->overflow \from t->len, t->room.len, n, t->overflow;
    assigns t->room.at[0 .. t->room.len - 1] \from n;
    ensures room_is_kept: t->len <= t->room.len;
    ensures truth: t->overflow == 0 || t->overflow == 1; */
void text_u64(Text *t, uint64_t n);
/* The last `digits` decimal digits of n (1 to 9), with zeros in front. */
void text_digits(Text *t, unsigned n, unsigned digits);

/* `n` in hexadecimal, lower case, at least `digits_min` digits. */
/*@ requires room_is_kept: t->len <= t->room.len;
    assigns t->len \from t->len, t->room.len, n, digits_min;
    assigns t->overflow \from t->len, t->room.len, n, digits_min, t->overflow;
    assigns t->room.at[0 .. t->room.len - 1] \from n;
    ensures room_is_kept: t->len <= t->room.len;
    ensures truth: t->overflow == 0 || t->overflow == 1; */
void text_hex(Text *t, uint64_t n, unsigned digits_min);

/* All sixteen hexadecimal digits of `n`. */
void text_hex_word(Text *t, uint64_t n);

/* For messages, never on the request path. */
void text_format(Text *t, const char *format, ...) PRINTF_LIKE(2, 3);
void text_format_list(Text *t, const char *format, va_list list) PRINTF_LIKE(2, 0);

#endif
