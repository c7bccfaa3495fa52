/* lines.c - field lines: NAME ":" OWS VALUE OWS CRLF (RFC 9112 §5), of heads and trailers alike.
 *
 * One pass over absolute positions of one slice; nothing is guessed or repaired. Which field means
 * what is not known here, only that known names are noted. */
#include "http/bytes.h"
#include "http/parts.h"

HttpFault byte_fault(Str head, size_t i, HttpFault at_end, HttpFault fallback)
{
    int c = str_peek(head, i);
    if (c < 0) {
        return at_end;
    }
    if (c == '\r') {
        return str_peek(head, i + 1) == '\n' ? at_end : HTTP_FAULT_BARE_CR;
    }
    if (c == '\n') {
        return HTTP_FAULT_BARE_LF;
    }
    if (c != '\t' && byte_is((uint8_t)c, BYTE_CONTROL)) {
        return HTTP_FAULT_CONTROL;
    }
    return fallback;
}

/* Why no colon follows a token that goes from `start` to `end`. */
COLD static HttpFault name_fault(Str head, size_t start, size_t end)
{
    int c = str_peek(head, end);
    if (byte_is_blank(c)) {
        /* RFC 9112 §5.2 (a folded line) and §5.1 (space before the colon): both let two readers
         * see different fields. */
        return end == start ? HTTP_FAULT_FOLDING : HTTP_FAULT_FIELD_COLON;
    }
    return byte_fault(head, end, HTTP_FAULT_FIELD_COLON, HTTP_FAULT_FIELD_NAME);
}

COLD static HttpFault value_fault(Str head, size_t end)
{
    HttpFault fault = byte_fault(head, end, HTTP_FAULT_FIELD_VALUE, HTTP_FAULT_FIELD_VALUE);
    return fault == HTTP_FAULT_CONTROL ? HTTP_FAULT_FIELD_VALUE : fault;
}

HttpFault field_line_read(Str head, size_t *at, Field *ret)
{
    size_t start = *at;
    /*@ split start; */
    size_t name_end = scan_name(head, start);
    if (UNLIKELY(name_end == start || name_end >= head.len || str_at(head, name_end) != ':')) {
        return name_fault(head, start, name_end);
    }
    size_t from = name_end + 1;
    while (byte_is_blank(str_peek(head, from))) {
        from++;
    }
    size_t end = scan_value(head, from);
    if (UNLIKELY(end >= head.len || head.len - end < 2 || str_at(head, end) != '\r' ||
                 str_at(head, end + 1) != '\n')) {
        return value_fault(head, end);
    }
    size_t to = end;
    while (to > from && byte_is_blank(str_peek(head, to - 1))) {
        to--;
    }
    ret->name = str_slice(head, start, name_end);
    ret->value = str_slice(head, from, to);
    ret->id = field_id(ret->name);
    ret->dropped = false;
    *at = end + 2;
    return HTTP_FAULT_NONE;
}

HttpFault field_lines_read(Str head, size_t from, size_t fields_max, Fields *fields,
                           FieldsSeen *ret_seen)
{
    FieldsSeen seen = {0};
    size_t room = fields_max < fields->room ? fields_max : fields->room;
    size_t count = 0;
    size_t i = from;
    while (str_peek(head, i) != '\r') {
        if (UNLIKELY(count >= room)) {
            return HTTP_FAULT_TOO_MANY_FIELDS;
        }
        HttpFault fault = field_line_read(head, &i, &fields->at[count]);
        if (UNLIKELY(fault != HTTP_FAULT_NONE)) {
            return fault;
        }
        uint64_t bit = UINT64_C(1) << ((unsigned)fields->at[count].id % 64u);
        seen.again |= seen.once & bit;
        seen.once |= bit;
        count++;
    }
    if (UNLIKELY(str_peek(head, i + 1) != '\n')) {
        return HTTP_FAULT_BARE_CR;
    }
    if (UNLIKELY(i + 2 != head.len)) {
        return HTTP_FAULT_EXTRA_BYTES; /* the caller measured the head wrongly */
    }
    fields->count = count;
    *ret_seen = seen;
    return HTTP_FAULT_NONE;
}
