/* strict.h - a second, slow and simple opinion on heads, shared by the fuzz targets.
 *
 * It is written without a look at src/http: lines are split first, then judged one by one. What the
 * parsers accept, these rules must accept too. */
#ifndef TESTS_FUZZ_STRICT_H
#define TESTS_FUZZ_STRICT_H

#include "fuzz.h"
#include "http/head.h"

/* No NUL, no control character but HTAB and whole CRLFs. */
static inline bool strict_bytes(Str s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = str_at(s, i);
        bool line_end = (c == '\r' && str_peek(s, i + 1) == '\n') ||
                        (c == '\n' && i > 0 && str_at(s, i - 1) == '\r');
        if ((c < 0x20 && c != '\t' && !line_end) || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static inline bool strict_token(Str s)
{
    static const Str others = S_INIT("!#$%&'*+-.^_`|~");
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = byte_lower(str_at(s, i));
        if (!byte_is_digit(c) && (c < 'a' || c > 'z') && str_find(others, c, 0) == others.len) {
            return false;
        }
    }
    return s.len > 0;
}

typedef struct StrictHead {
    Str first;
    size_t fields;
    size_t hosts;
    size_t lengths;
    size_t codings;
    bool length_positive; /* a Content-Length is not 0 */
} StrictHead;

/* Splits at CRLF and looks at each field line; a head that breaks a rule stops the program.
 * `framed`: a body may follow, so that framing fields have to be right. */
static inline StrictHead strict_head(Str head, bool framed)
{
    StrictHead strict = {0};
    MUST(strict_bytes(head));
    MUST(str_ends(head, S("\r\n\r\n")));
    Str rest = str_take(head, head.len - 2);
    for (size_t line = 0; rest.len > 0; line++) {
        StrCut cut = str_cut(rest, '\n');
        MUST(cut.found && str_ends(cut.head, S("\r")) && cut.head.len > 1);
        rest = cut.tail;
        Str text = str_take(cut.head, cut.head.len - 1);
        if (line == 0) {
            strict.first = text;
            continue;
        }
        StrCut field = str_cut(text, ':');
        MUST(field.found && strict_token(field.head));
        strict.fields++;
        strict.hosts += str_equal_nocase(field.head, S("host"));
        strict.codings += str_equal_nocase(field.head, S("transfer-encoding"));
        if (str_equal_nocase(field.head, S("content-length"))) {
            Str value = str_trim(field.tail);
            strict.lengths++;
            MUST(value.len > 0 || !framed);
            for (size_t i = 0; i < value.len; i++) {
                MUST(byte_is_digit(str_at(value, i)) || !framed);
                strict.length_positive |= str_at(value, i) != '0';
            }
        }
        if (str_equal_nocase(field.head, S("transfer-encoding"))) {
            MUST(!framed || str_equal_nocase(str_trim(field.tail), S("chunked")));
        }
    }
    MUST(strict.lengths + strict.codings <= 1 || !framed);
    return strict;
}

/* A head is measured the same whether its bytes come at once or one by one. */
static inline Err measured_at_any_split(Str bytes, size_t *ret_end)
{
    size_t scanned = 0;
    size_t end = 0;
    Err whole = head_find_end(bytes, &scanned, &end);
    size_t scanned_slowly = 0;
    size_t end_slowly = 0;
    Err err = ERR_INCOMPLETE;
    for (size_t len = 0; len <= bytes.len && err == ERR_INCOMPLETE; len++) {
        err = head_find_end(str_take(bytes, len), &scanned_slowly, &end_slowly);
    }
    MUST(err == whole && end == end_slowly);
    MUST(whole != ERR_INCOMPLETE || scanned == scanned_slowly);
    *ret_end = end;
    return whole;
}

static inline void fields_print(Text *t, const Fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        text_add(t, fields->at[i].name);
        text_add(t, S(": "));
        text_add(t, fields->at[i].value);
        text_add(t, S("\r\n"));
    }
    text_add(t, S("\r\n"));
}

static inline void fields_must_equal(const Fields *a, const Fields *b)
{
    MUST(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        MUST(str_equal(a->at[i].name, b->at[i].name));
        MUST(str_equal(a->at[i].value, b->at[i].value));
        MUST(a->at[i].id == b->at[i].id);
        MUST(field_name_valid(a->at[i].name) && field_value_valid(a->at[i].value));
    }
}

static inline void framing_must_equal(const Framing *a, const Framing *b)
{
    MUST(a->body == b->body && a->length == b->length && a->has_length == b->has_length);
    MUST(a->keep_alive == b->keep_alive && a->upgrade == b->upgrade);
    MUST(a->names_fields == b->names_fields);
}

#define FUZZ_FIELDS_MAX 32
#define FUZZ_BYTES_MAX 16384

#endif
