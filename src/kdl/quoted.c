/* quoted.c - escapes, raw strings, and the dedenting of multi-line strings.
 *
 * A multi-line string is read as the specification orders it: first white-space escapes are taken
 * out and newlines become LF, then the closing line's indent is cut off every line, and only then
 * the other escapes are resolved. */
#include "kdl/quoted.h"

#include "base/number.h"
#include "base/text.h"

typedef struct Decoder {
    Str text; /* what is decoded; positions count from its start */
    int version;
    KdlFault fault;
    size_t from;
    size_t to;
} Decoder;

static Err decoder_fail(Decoder *d, KdlFault fault, size_t from, size_t to)
{
    d->fault = fault;
    d->from = from;
    d->to = to;
    return ERR_SYNTAX;
}

static void add_code_point(Text *out, uint32_t c)
{
    if (c < 0x80) {
        text_byte(out, (uint8_t)c);
    } else if (c < 0x800) {
        text_byte(out, (uint8_t)(0xC0 | c >> 6));
        text_byte(out, (uint8_t)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        text_byte(out, (uint8_t)(0xE0 | c >> 12));
        text_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3F)));
        text_byte(out, (uint8_t)(0x80 | (c & 0x3F)));
    } else {
        text_byte(out, (uint8_t)(0xF0 | c >> 18));
        text_byte(out, (uint8_t)(0x80 | (c >> 12 & 0x3F)));
        text_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3F)));
        text_byte(out, (uint8_t)(0x80 | (c & 0x3F)));
    }
}

/* \u{…}; `at` is the backslash. */
static Err decode_unicode(Decoder *d, size_t at, Text *out, size_t *ret_next)
{
    size_t digit = at + 3;
    uint32_t c = 0;
    if (str_peek(d->text, at + 2) != '{') {
        return decoder_fail(d, KDL_FAULT_CODE_POINT, at, at + 2);
    }
    for (; byte_hex_value(str_peek(d->text, digit)) >= 0 && digit < at + 9; digit++) {
        c = c << 4 | (uint32_t)byte_hex_value(str_peek(d->text, digit));
    }
    bool closed = str_peek(d->text, digit) == '}';
    if (!closed || digit == at + 3 || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
        return decoder_fail(d, KDL_FAULT_CODE_POINT, at, digit + (closed ? 1 : 0));
    }
    add_code_point(out, c);
    *ret_next = digit + 1;
    return ERR_OK;
}

/* The byte that a one-letter escape stands for, or -1. */
static int escape_byte(int letter, int version)
{
    switch (letter) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case '"':
    case '\\':
        return letter;
    case '/':
        return version == 1 ? '/' : -1;
    case 's':
        return version == 2 ? ' ' : -1;
    default:
        return -1;
    }
}

/* After the white space (newlines counted too) that is at `at`. */
static size_t blank_end(Str text, size_t at, int version)
{
    size_t len = 0;
    do {
        at += len;
        len = kdl_space(text, at, version);
        len = len != 0 ? len : kdl_newline(text, at, version);
    } while (len != 0);
    return at;
}

static Err decode_escape(Decoder *d, size_t at, Text *out, size_t *ret_next)
{
    int letter = str_peek(d->text, at + 1);
    if (letter == 'u') {
        return decode_unicode(d, at, out, ret_next);
    }
    int byte = escape_byte(letter, d->version);
    if (byte >= 0) {
        text_byte(out, (uint8_t)byte);
        *ret_next = at + 2;
        return ERR_OK;
    }
    size_t blank = d->version == 2 ? blank_end(d->text, at + 1, 2) : at + 1;
    if (blank != at + 1) {
        *ret_next = blank;
        return ERR_OK;
    }
    uint32_t c = 0;
    return decoder_fail(d, KDL_FAULT_ESCAPE, at, at + 1 + kdl_code_point(d->text, at + 1, &c));
}

/* Resolves the escapes of [from, to). */
static Err decode_part(Decoder *d, size_t from, size_t to, Text *out)
{
    size_t at = from;
    while (at < to) {
        /* Only in this part: a look at the rest would cost its length for each line. */
        size_t plain = at + str_find(str_slice(d->text, at, to), '\\', 0);
        text_add(out, str_slice(d->text, at, plain));
        at = plain;
        if (at < to) {
            TRY(decode_escape(d, at, out, &at));
        }
    }
    return ERR_OK;
}

/* The first step of a multi-line string: newlines become LF, white-space escapes vanish, every
 * other escape is kept as it is. */
static void flatten_lines(Str body, bool raw, Text *out)
{
    size_t at = 0;
    while (at < body.len) {
        size_t newline = kdl_newline(body, at, 2);
        if (newline != 0) {
            text_byte(out, '\n');
            at += newline;
        } else if (str_at(body, at) == '\\' && !raw) {
            size_t blank = blank_end(body, at + 1, 2);
            if (blank == at + 1) {
                text_add(out, str_slice(body, at, at + 2));
                blank = at + 2;
            }
            at = blank;
        } else {
            text_byte(out, str_at(body, at++));
        }
    }
}

static bool is_blank(Str line)
{
    size_t at = 0;
    size_t len = kdl_space(line, at, 2);
    while (len != 0) {
        at += len;
        len = kdl_space(line, at, 2);
    }
    return at == line.len;
}

static Err decode_line(Decoder *d, size_t from, size_t to, Str indent, bool raw, Text *out)
{
    Str line = str_slice(d->text, from, to);
    if (is_blank(line)) {
        return ERR_OK;
    }
    if (!str_starts(line, indent)) {
        return decoder_fail(d, KDL_FAULT_MULTILINE_INDENT, 0, 0);
    }
    if (raw) {
        text_add(out, str_drop(line, indent.len));
        return ERR_OK;
    }
    return decode_part(d, from + indent.len, to, out);
}

static Err decode_multiline(Decoder *d, bool raw, Text *flat, Text *out)
{
    size_t first = kdl_newline(d->text, 0, 2);
    if (first == 0) {
        return decoder_fail(d, KDL_FAULT_MULTILINE_START, 0, 0);
    }
    flatten_lines(str_drop(d->text, first), raw, flat);
    d->text = text_str(flat);
    size_t last = d->text.len;
    while (last > 0 && str_at(d->text, last - 1) != '\n') {
        last--;
    }
    Str indent = str_drop(d->text, last);
    if (!is_blank(indent)) {
        return decoder_fail(d, KDL_FAULT_MULTILINE_END, 0, 0);
    }
    size_t at = 0;
    while (at < last) {
        size_t end = str_find(d->text, '\n', at);
        TRY(decode_line(d, at, end, indent, raw, out));
        at = end + 1;
        if (at < last) {
            text_byte(out, '\n');
        }
    }
    return ERR_OK;
}

Err kdl_string_value(Arena *a, Str text, KdlToken token, int version, Str *ret,
                     KdlFault *ret_fault, size_t *ret_from, size_t *ret_to)
{
    Str body = str_slice(text, token.body_from, token.body_to);
    bool multiline =
        token.kind == KDL_TOKEN_MULTILINE || token.kind == KDL_TOKEN_RAW_MULTILINE;
    bool raw = token.kind == KDL_TOKEN_RAW || token.kind == KDL_TOKEN_RAW_MULTILINE;
    if (!multiline && (raw || str_find(body, '\\', 0) == body.len)) {
        *ret = body;
        return ERR_OK;
    }
    Span room;
    Span flat_room;
    if (!arena_span(a, body.len + 1, &room) || !arena_span(a, body.len + 1, &flat_room)) {
        return ERR_MEMORY;
    }
    Text out = text_in(room);
    Text flat = text_in(flat_room);
    Decoder d = {.text = body, .version = version};
    Err err = multiline ? decode_multiline(&d, raw, &flat, &out)
                        : decode_part(&d, 0, body.len, &out);
    if (err != ERR_OK) {
        *ret_fault = d.fault;
        *ret_from = multiline ? token.from : token.body_from + d.from;
        *ret_to = multiline ? token.to : token.body_from + d.to;
        return err;
    }
    CHECK(!out.overflow && !flat.overflow);
    *ret = text_str(&out);
    return ERR_OK;
}
