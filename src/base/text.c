/* text.c - the bounded writer's longer half. */
#include "base/text.h"

#include <stdio.h>

void text_u64(Text *t, uint64_t n)
{
    uint8_t digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (uint8_t)('0' + n % 10);
        n /= 10;
    } while (n != 0 && at > 0);
    /*@ split at; */
    text_add(t, str_of(digits + at, sizeof digits - at));
}

void text_digits(Text *t, unsigned n, unsigned digits)
{
    unsigned power = 1;
    for (unsigned i = 1; i < digits; i++) {
        power *= 10;
    }
    for (; power > 0; power /= 10) {
        text_byte(t, (uint8_t)('0' + n / power % 10));
    }
}

void text_hex(Text *t, uint64_t n, unsigned digits_min)
{
    uint8_t digits[16];
    size_t at = sizeof digits;
    unsigned written = 0;
    do {
        digits[--at] = (uint8_t) "0123456789abcdef"[n & 15];
        n >>= 4;
        written++;
    } while (at > 0 && (n != 0 || written < digits_min));
    /*@ split at; */
    text_add(t, str_of(digits + at, sizeof digits - at));
}

void text_hex_word(Text *t, uint64_t n)
{
    uint8_t digits[16];
    for (unsigned i = 0; i < sizeof digits; i++) {
        digits[i] = (uint8_t) "0123456789abcdef"[n >> (60 - 4 * i) & 15];
    }
    text_add(t, str_of(digits, sizeof digits));
}

void text_format_list(Text *t, const char *format, va_list list)
{
    Span room = span_drop(t->room, t->len);
    int n = vsnprintf((char *)room.at, room.len, format, list);
    if (n < 0 || (size_t)n >= room.len) {
        t->overflow = true;
        return;
    }
    t->len += (size_t)n;
}

void text_format(Text *t, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    text_format_list(t, format, list);
    va_end(list);
}
