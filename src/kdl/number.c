/* number.c - the canonical decimal text of KDL's numbers.
 *
 * No number is ever rounded: integers of any base become exact decimal digits, and fractions keep
 * the digits that were written. */
#include "kdl/number.h"

#include "base/text.h"

/* Multiplies the decimal number in `digits` (lowest digit first) by `base` and adds `value`. */
static void decimal_shift(Text *digits, unsigned base, unsigned value)
{
    unsigned carry = value;
    for (size_t i = 0; i < digits->len; i++) {
        carry += digits->room.at[i] * base;
        digits->room.at[i] = (uint8_t)(carry % 10);
        carry /= 10;
    }
    while (carry != 0) {
        text_byte(digits, (uint8_t)(carry % 10));
        carry /= 10;
    }
}

/* Integers of base 2, 8 and 16. A hexadecimal digit makes at most 1.21 decimal ones. */
static Err convert_base(Arena *a, Str digits, unsigned base, Text *out)
{
    Span room;
    if (!arena_span(a, digits.len * 2 + 2, &room)) {
        return ERR_MEMORY;
    }
    Text reversed = text_in(room);
    for (size_t i = 0; i < digits.len; i++) {
        int value = byte_hex_value(str_at(digits, i));
        if (value >= 0) {
            decimal_shift(&reversed, base, (unsigned)value);
        }
    }
    for (size_t i = reversed.len; i > 0; i--) {
        text_byte(out, (uint8_t)('0' + reversed.room.at[i - 1]));
    }
    if (reversed.len == 0) {
        text_byte(out, '0');
    }
    return ERR_OK;
}

/* Copies digits without '_' and leading zeros; nothing but zeros gives "0". Returns where they
 * ended. */
static size_t add_digits(Text *out, Str word, size_t at)
{
    bool any = false;
    while (byte_is_digit(str_peek(word, at)) || str_peek(word, at) == '_') {
        uint8_t byte = str_at(word, at++);
        if (byte != '_' && (any || byte != '0')) {
            text_byte(out, byte);
            any = true;
        }
    }
    if (!any) {
        text_byte(out, '0');
    }
    return at;
}

static void add_decimal(Text *out, Str word, size_t at)
{
    at = add_digits(out, word, at);
    if (str_peek(word, at) == '.') {
        text_byte(out, '.');
        for (at++; byte_is_digit(str_peek(word, at)) || str_peek(word, at) == '_'; at++) {
            if (str_at(word, at) != '_') {
                text_byte(out, str_at(word, at));
            }
        }
    }
    if (at < word.len) {
        int sign = str_peek(word, at + 1);
        text_byte(out, 'E');
        text_byte(out, sign == '-' ? '-' : '+');
        add_digits(out, word, at + (sign == '+' || sign == '-' ? 2 : 1));
    }
}

/* Whether it is written in the canonical way: digits, of which the first is no needless zero. */
static bool is_canonical(Str word)
{
    size_t at = 0;
    while (byte_is_digit(str_peek(word, at))) {
        at++;
    }
    return at > 0 && at == word.len && (at == 1 || str_at(word, 0) != '0');
}

Err kdl_number_canonical(Arena *a, Str word, Str *ret_text, bool *ret_float)
{
    KdlNumberShape shape;
    if (word.len > KDL_NUMBER_BYTES_MAX || !kdl_number_shape(word, &shape)) {
        return ERR_SYNTAX;
    }
    if (is_canonical(word)) {
        *ret_text = word;
        *ret_float = false;
        return ERR_OK;
    }
    Span room;
    if (!arena_span(a, word.len * 2 + 4, &room)) {
        return ERR_MEMORY;
    }
    Text out = text_in(room);
    if (shape.negative) {
        text_byte(&out, '-');
    }
    if (shape.base == 10) {
        add_decimal(&out, word, shape.digits_from);
    } else {
        TRY(convert_base(a, str_drop(word, shape.digits_from), shape.base, &out));
    }
    Str text = text_str(&out);
    *ret_text = str_equal(text, S("-0")) ? S("0") : text;
    *ret_float = shape.is_float;
    return ERR_OK;
}

Err kdl_number_based(Arena *a, Str word, Str *ret)
{
    KdlNumberShape shape;
    Span room;
    *ret = STR_NONE;
    if (!kdl_number_shape(word, &shape) || shape.base == 10) {
        return ERR_OK;
    }
    if (!arena_span(a, word.len + 4, &room)) {
        return ERR_MEMORY;
    }
    Text out = text_in(room);
    text_add(&out, shape.negative ? S("-") : STR_NONE);
    text_add(&out, shape.base == 16 ? S("0x") : shape.base == 8 ? S("0o") : S("0b"));
    size_t before = out.len;
    for (size_t at = shape.digits_from; at < word.len; at++) {
        uint8_t digit = byte_lower(str_at(word, at));
        if (digit != '_' && (digit != '0' || out.len > before)) {
            text_byte(&out, digit);
        }
    }
    text_add(&out, out.len == before ? S("0") : STR_NONE);
    *ret = text_str(&out);
    return ERR_OK;
}
