/* chunk.c - the chunked coding, byte by byte where it is framing, in one move where it is data.
 *
 *     chunk          = chunk-size [ chunk-ext ] CRLF chunk-data CRLF      (RFC 9112 §7.1)
 *     chunk-ext      = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )
 *
 * Lenient decoders have caused request smuggling again and again, so each deviation is a fault,
 * blanks after a size included; the decoder can be told to accept only those, for old origins that
 * pad their sizes. Extensions are checked and dropped. */
#include "http/chunk.h"

#include "http/bytes.h"
#include "http/parts.h"

enum ChunkState {
    CHUNK_SIZE_FIRST, /* the first digit of a size */
    CHUNK_SIZE,
    CHUNK_SIZE_BLANK, /* BWS that must lead to ';', or where that is forgiven to the line's end */
    CHUNK_EXT_BLANK,  /* BWS that must lead to ';' */
    CHUNK_EXT_NAME_FIRST,
    CHUNK_EXT_NAME,
    CHUNK_EXT_NAME_BLANK,
    CHUNK_EXT_VALUE_FIRST,
    CHUNK_EXT_VALUE,
    CHUNK_EXT_QUOTED,
    CHUNK_EXT_ESCAPED,
    CHUNK_EXT_QUOTED_END,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_LAST
};

/* Sizes stay below 2^63, as lengths do: the next digit must not push a bit beyond. */
#define SIZE_SHIFT_MAX (UINT64_C(1) << 59)

#define PLAIN_DIGITS_MAX 8u /* digits of a size that is read in one go */

/* A byte that ends the size or an extension: the next state, or the fault. */
static HttpFault line_goes_on(ChunkDecoder *d, uint8_t c, HttpFault fallback)
{
    if (c == ';') {
        d->state = CHUNK_EXT_NAME_FIRST;
    } else if (c == '\r') {
        d->state = CHUNK_SIZE_LF;
    } else if (byte_is_blank(c)) {
        d->state = CHUNK_EXT_BLANK;
    } else {
        return c == '\n' ? HTTP_FAULT_BARE_LF : fallback;
    }
    return HTTP_FAULT_NONE;
}

static HttpFault size_byte(ChunkDecoder *d, uint8_t c)
{
    int digit = byte_hex_value(c);
    if (digit < 0) {
        if (d->state != CHUNK_SIZE) {
            return HTTP_FAULT_CHUNK_SIZE;
        }
        if (byte_is_blank(c)) {
            d->state = CHUNK_SIZE_BLANK;
            return HTTP_FAULT_NONE;
        }
        return line_goes_on(d, c, HTTP_FAULT_CHUNK_SIZE);
    }
    if (d->left >= SIZE_SHIFT_MAX) {
        return HTTP_FAULT_CHUNK_SIZE;
    }
    d->left = d->left * 16 + (uint64_t)digit;
    d->state = CHUNK_SIZE;
    return HTTP_FAULT_NONE;
}

static HttpFault extension_name_byte(ChunkDecoder *d, uint8_t c)
{
    bool token = byte_is(c, BYTE_TOKEN);
    if (d->state != CHUNK_EXT_NAME_BLANK && token) {
        d->state = CHUNK_EXT_NAME;
        return HTTP_FAULT_NONE;
    }
    if (byte_is_blank(c)) {
        if (d->state == CHUNK_EXT_NAME) {
            d->state = CHUNK_EXT_NAME_BLANK;
        }
        return HTTP_FAULT_NONE;
    }
    if (d->state == CHUNK_EXT_NAME_FIRST) {
        return HTTP_FAULT_CHUNK_EXTENSION; /* a name has at least one byte */
    }
    if (c == '=') {
        d->state = CHUNK_EXT_VALUE_FIRST;
        return HTTP_FAULT_NONE;
    }
    if (c == '\r' && d->state == CHUNK_EXT_NAME_BLANK) {
        return HTTP_FAULT_CHUNK_EXTENSION; /* BWS leads to '=' or ';', never to the line's end */
    }
    return line_goes_on(d, c, HTTP_FAULT_CHUNK_EXTENSION);
}

static HttpFault extension_value_byte(ChunkDecoder *d, uint8_t c)
{
    if (byte_is(c, BYTE_TOKEN)) {
        d->state = CHUNK_EXT_VALUE;
        return HTTP_FAULT_NONE;
    }
    if (d->state == CHUNK_EXT_VALUE) {
        return line_goes_on(d, c, HTTP_FAULT_CHUNK_EXTENSION);
    }
    if (c == '"') {
        d->state = CHUNK_EXT_QUOTED;
        return HTTP_FAULT_NONE;
    }
    return byte_is_blank(c) ? HTTP_FAULT_NONE : HTTP_FAULT_CHUNK_EXTENSION;
}

/* RFC 9110 §5.6.4: qdtext and quoted-pair hold no control character but HTAB. */
static HttpFault extension_quoted_byte(ChunkDecoder *d, uint8_t c)
{
    if (!byte_is(c, BYTE_VALUE)) {
        return c == '\n' ? HTTP_FAULT_BARE_LF : HTTP_FAULT_CHUNK_EXTENSION;
    }
    if (d->state == CHUNK_EXT_ESCAPED) {
        d->state = CHUNK_EXT_QUOTED;
    } else if (c == '\\') {
        d->state = CHUNK_EXT_ESCAPED;
    } else if (c == '"') {
        d->state = CHUNK_EXT_QUOTED_END;
    }
    return HTTP_FAULT_NONE;
}

/* BWS before ';': only more of it, or the ';', may follow. */
static HttpFault extension_blank_byte(ChunkDecoder *d, uint8_t c)
{
    if (c == ';') {
        d->state = CHUNK_EXT_NAME_FIRST;
        return HTTP_FAULT_NONE;
    }
    if (c == '\r' && d->state == CHUNK_SIZE_BLANK && d->padded) {
        d->state = CHUNK_SIZE_LF;
        return HTTP_FAULT_NONE;
    }
    return byte_is_blank(c) ? HTTP_FAULT_NONE : HTTP_FAULT_CHUNK_EXTENSION;
}

static HttpFault size_line_end(ChunkDecoder *d, uint8_t c)
{
    if (c != '\n') {
        return HTTP_FAULT_BARE_CR;
    }
    d->state = d->left > 0 ? CHUNK_DATA : CHUNK_LAST;
    return HTTP_FAULT_NONE;
}

/* A byte of a size line. On a fault the decoder does not change. */
static HttpFault size_line_byte(ChunkDecoder *d, uint8_t c)
{
    if (d->line_bytes >= CHUNK_LINE_BYTES_MAX) {
        return d->state <= CHUNK_SIZE ? HTTP_FAULT_CHUNK_SIZE : HTTP_FAULT_CHUNK_EXTENSION;
    }
    d->line_bytes++;
    switch (d->state) {
    case CHUNK_SIZE_FIRST:
    case CHUNK_SIZE:
        return size_byte(d, c);
    case CHUNK_SIZE_BLANK:
    case CHUNK_EXT_BLANK:
        return extension_blank_byte(d, c);
    case CHUNK_EXT_NAME_FIRST:
    case CHUNK_EXT_NAME:
    case CHUNK_EXT_NAME_BLANK:
        return extension_name_byte(d, c);
    case CHUNK_EXT_VALUE_FIRST:
    case CHUNK_EXT_VALUE:
        return extension_value_byte(d, c);
    case CHUNK_EXT_QUOTED:
    case CHUNK_EXT_ESCAPED:
        return extension_quoted_byte(d, c);
    case CHUNK_EXT_QUOTED_END:
        return line_goes_on(d, c, HTTP_FAULT_CHUNK_EXTENSION);
    default:
        return size_line_end(d, c);
    }
}

static HttpFault framing_byte(ChunkDecoder *d, uint8_t c)
{
    if (d->state == CHUNK_DATA_CR) {
        if (c != '\r') {
            return HTTP_FAULT_CHUNK_END;
        }
        d->state = CHUNK_DATA_LF;
    } else if (d->state == CHUNK_DATA_LF) {
        if (c != '\n') {
            return HTTP_FAULT_CHUNK_END;
        }
        d->state = CHUNK_SIZE_FIRST;
        d->line_bytes = 0;
    } else {
        HttpFault fault = size_line_byte(d, c);
        if (fault != HTTP_FAULT_NONE) {
            return fault;
        }
    }
    d->overhead_bytes++;
    return HTTP_FAULT_NONE;
}

/* Where the CRLF at `at` ends; 0 if there is none. */
static size_t line_end(Str s, size_t at)
{
    size_t end = at + 2;
    if (end > s.len || !str_stands(s, at, S("\r\n"))) {
        return 0;
    }
    return end;
}

/* Where the size line at `at` ends when it is plain: a few digits and CRLF; else 0. */
static size_t plain_line_end(Str s, size_t at, uint64_t *ret_size)
{
    uint64_t size = 0;
    size_t digits = 0;
    int digit = byte_hex_value(str_peek(s, at));
    while (digit >= 0 && digits < PLAIN_DIGITS_MAX) {
        size = size * 16 + (uint64_t)digit;
        digits++;
        digit = byte_hex_value(str_peek(s, at + digits));
    }
    *ret_size = size;
    return digits > 0 ? line_end(s, at + digits) : 0;
}

/* Moves the data in [from, end) down to `to`, which is not ahead of `from`; returns where it ends
 * there. */
/*@ requires inside: from <= bytes.len && end <= bytes.len;
    requires writable: \valid(bytes.at + (0 .. bytes.len - 1));
    assigns bytes.at[0 .. bytes.len - 1] \from bytes.at[0 .. bytes.len - 1], to, from, end;
    assigns \result \from to, from, end;
    ensures inside: \result <= bytes.len; */
static size_t data_move(Span bytes, size_t to, size_t from, size_t end)
{
    /*@ split from; */
    if (to > from || from > end) {
        return from; /* never: said for the proof */
    }
    size_t len = end - from;
    if (len == 1) {
        bytes.at[to] = bytes.at[from]; /* the worst case is worth a branch */
    } else if (to != from) {
        span_copy(span_drop(bytes, to), str_slice(span_str(bytes), from, end));
    }
    return to + len;
}

/* Takes the chunk at `at` without the byte machine when it lies here whole and plain (size line,
 * data, CRLF); returns where it ends. Whatever else there is, extended or last, wrong or cut or
 * long, is left to framing_byte: 0. */
static size_t whole_chunk(ChunkDecoder *d, Span bytes, size_t at, size_t *data)
{
    Str s = span_str(bytes);
    uint64_t size = 0;
    size_t from = plain_line_end(s, at, &size);
    if (from == 0 || size == 0 || size > s.len - from) {
        return 0;
    }
    size_t end = line_end(s, from + (size_t)size);
    if (end < 2) {
        return 0; /* no CRLF after the data */
    }
    *data = data_move(bytes, *data, from, end - 2);
    d->overhead_bytes += end - at - size;
    return end;
}

/* Takes what is here of the data of a chunk that is not. */
static void data_take(ChunkDecoder *d, Span bytes, ChunkStep *step)
{
    size_t from = step->consumed;
    size_t end = bytes.len;
    /*@ split from; */
    if (d->left < bytes.len - from) {
        end = from + (size_t)d->left;
    }
    step->data = data_move(bytes, step->data, from, end);
    step->consumed = end;
    d->left -= end - from;
    if (d->left == 0) {
        d->state = CHUNK_DATA_CR;
    }
}

ChunkStep chunk_decode(ChunkDecoder *d, Span bytes)
{
    ChunkStep step = {0};
    while (step.consumed < bytes.len && d->state != CHUNK_LAST) {
        if (d->state == CHUNK_DATA) {
            data_take(d, bytes, &step);
            continue;
        }
        if (d->state == CHUNK_SIZE_FIRST && d->line_bytes == 0) {
            size_t end = whole_chunk(d, bytes, step.consumed, &step.data);
            if (end != 0) {
                step.consumed = end;
                continue;
            }
        }
        step.fault = framing_byte(d, str_at(span_str(bytes), step.consumed));
        if (UNLIKELY(step.fault != HTTP_FAULT_NONE)) {
            break;
        }
        step.consumed++;
    }
    step.last = d->state == CHUNK_LAST;
    return step;
}

void chunk_head(Text *t, uint64_t len)
{
    text_hex(t, len, 1);
    text_add(t, S("\r\n"));
}

Err trailer_find_end(Str bytes, size_t *scanned, size_t *ret_end)
{
    return head_find_end(bytes, scanned, ret_end);
}

HttpFault trailer_parse(Str section, Fields fields, Fields *ret)
{
    FieldsSeen seen = {0};
    if (field_lines_read(section, 0, fields.room, &fields, &seen) != HTTP_FAULT_NONE) {
        return HTTP_FAULT_TRAILER;
    }
    for (size_t i = 0; i < fields.count; i++) {
        if (field_flags(fields.at[i].id) & FIELD_NO_TRAILER) {
            fields.at[i].dropped = true; /* RFC 9110 §6.5.1 */
        }
    }
    *ret = fields;
    return HTTP_FAULT_NONE;
}
