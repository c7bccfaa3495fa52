/* framing.c - what a head's fields say about its body, its connection and its host.
 *
 * Here request smuggling is stopped: whatever two readers could understand differently is a fault,
 * and what remains is one number or one word that River writes anew for the next hop. */
#include "base/number.h"
#include "http/parts.h"

/* Counters on other hops are often signed 64-bit numbers: a length beyond them is refused. */
#define LENGTH_MAX ((uint64_t)INT64_MAX)

/* RFC 9112 §6.3: a list ("5, 5"), a sign, a blank or an overflow is not a length. Repetition is
 * refused even where the values are equal: nothing honest sends it. */
static HttpFault length_read(const Fields *fields, const FieldsSeen *seen, uint64_t *ret)
{
    const Field *first = fields_find(fields, FIELD_CONTENT_LENGTH);
    if (!first) {
        return HTTP_FAULT_LENGTH_INVALID;
    }
    if (number_decimal(first->value, LENGTH_MAX, ret) != ERR_OK) {
        return HTTP_FAULT_LENGTH_INVALID;
    }
    if (!fields_repeat(seen, FIELD_CONTENT_LENGTH)) {
        return HTTP_FAULT_NONE;
    }
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->at[i].id == FIELD_CONTENT_LENGTH &&
            !str_equal(fields->at[i].value, first->value)) {
            return HTTP_FAULT_LENGTH_CONFLICT;
        }
    }
    return HTTP_FAULT_LENGTH_INVALID;
}

/* RFC 9112 §6.1: River speaks no transfer coding but chunked, and an HTTP/1.0 peer speaks none. */
static HttpFault coding_read(const Fields *fields, const FieldsSeen *seen, uint8_t minor)
{
    if (minor == 0) {
        return HTTP_FAULT_CODING_IN_10;
    }
    const Field *coding = fields_find(fields, FIELD_TRANSFER_ENCODING);
    if (!coding || fields_repeat(seen, FIELD_TRANSFER_ENCODING) ||
        !str_equal_nocase(coding->value, S("chunked"))) {
        return HTTP_FAULT_CODING;
    }
    return HTTP_FAULT_NONE;
}

/* The bit of the word that the member [from, to) is, after them all the bit of any other. */
static unsigned word_bit(Str list, size_t from, size_t to, const Str *words, size_t count)
{
    /*@ loop unroll 3; */
    for (size_t i = 0; i < count; i++) {
        if (str_stands_nocase(list, from, to, words[i])) {
            return 1u << i;
        }
    }
    return 1u << count;
}

/* Which members are in the lists of all fields `id`, as bits of word_bit: fields of one name are
 * one list (RFC 9110 §5.3). */
static unsigned list_words(const Fields *fields, FieldId id, const Str *words, size_t count)
{
    unsigned bits = 0;
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->at[i].id != id) {
            continue;
        }
        Str list = fields->at[i].value;
        size_t at = 0;
        size_t from = 0;
        size_t to = 0;
        while (list_bounds(list, &at, &from, &to)) {
            bits |= word_bit(list, from, to, words, count);
        }
    }
    return bits;
}

/* The words of Connection that mean something themselves; any other names a field. */
enum { OPTION_KEEP_ALIVE = 1, OPTION_CLOSE = 2, OPTION_UPGRADE = 4, OPTION_FIELD = 8 };
static const Str connection_words[] = {S_INIT("keep-alive"), S_INIT("close"), S_INIT("upgrade")};

/* Each field of the head is looked up in the list (connection_names): a long one times many fields
 * would cost milliseconds. */
#define CONNECTION_BYTES_MAX 1024u

static bool connection_too_long(const Fields *fields)
{
    size_t bytes = 0;
    for (size_t i = 0; i < fields->count; i++) {
        bytes += fields->at[i].id == FIELD_CONNECTION ? fields->at[i].value.len : 0;
    }
    return bytes > CONNECTION_BYTES_MAX;
}

/* RFC 9112 §9.3, §9.6. */
static HttpFault connection_read(const Fields *fields, const FieldsSeen *seen, uint8_t minor,
                                 Framing *framing)
{
    framing->keep_alive = minor == 1;
    if (fields_seen(seen, FIELD_CONNECTION)) {
        if (connection_too_long(fields)) {
            return HTTP_FAULT_CONNECTION_TOO_LONG;
        }
        unsigned options = list_words(fields, FIELD_CONNECTION, connection_words, 3);
        framing->keep_alive =
            !(options & OPTION_CLOSE) && (minor == 1 || (options & OPTION_KEEP_ALIVE));
        /* RFC 9110 §7.8: Upgrade in HTTP/1.0 is ignored. */
        framing->upgrade =
            minor == 1 && (options & OPTION_UPGRADE) && fields_seen(seen, FIELD_UPGRADE);
        framing->names_fields = (options & OPTION_FIELD) != 0;
    }
    return HTTP_FAULT_NONE;
}

HttpFault framing_read(const Fields *fields, const FieldsSeen *seen, uint8_t minor, Framing *ret)
{
    Framing framing = {.body = BODY_NONE};
    HttpFault fault = HTTP_FAULT_NONE;
    bool has_coding = fields_seen(seen, FIELD_TRANSFER_ENCODING);
    framing.has_length = fields_seen(seen, FIELD_CONTENT_LENGTH);
    if (has_coding && framing.has_length) {
        return HTTP_FAULT_LENGTH_AND_CODING;
    }
    if (has_coding) {
        fault = coding_read(fields, seen, minor);
        framing.body = BODY_CHUNKED;
    } else if (framing.has_length) {
        fault = length_read(fields, seen, &framing.length);
        framing.body = framing.length > 0 ? BODY_LENGTH : BODY_NONE;
    }
    if (fault == HTTP_FAULT_NONE) {
        fault = connection_read(fields, seen, minor, &framing);
    }
    if (fault == HTTP_FAULT_NONE) {
        *ret = framing;
    }
    return fault;
}

HttpFault framing_read_bodiless(const Fields *fields, const FieldsSeen *seen, uint8_t minor,
                                Framing *ret)
{
    Framing framing = {.body = BODY_NONE};
    HttpFault fault = connection_read(fields, seen, minor, &framing);
    if (fault != HTTP_FAULT_NONE) {
        return fault;
    }
    bool has_coding = fields_seen(seen, FIELD_TRANSFER_ENCODING);
    if (fields_seen(seen, FIELD_CONTENT_LENGTH)) {
        uint64_t length = 0;
        framing.has_length =
            !has_coding && length_read(fields, seen, &length) == HTTP_FAULT_NONE;
        framing.length = framing.has_length ? length : 0;
        framing.keep_alive &= framing.has_length; /* too confused for another request */
    }
    *ret = framing;
    return HTTP_FAULT_NONE;
}

bool connection_names(const Fields *fields, Str name)
{
    return (list_words(fields, FIELD_CONNECTION, &name, 1) & 1) != 0;
}

HttpFault host_read(const Fields *fields, const FieldsSeen *seen, uint8_t minor,
                    const UriParts *target, Str *ret_host)
{
    const Field *host = NULL;
    if (fields_seen(seen, FIELD_HOST)) {
        host = fields_find(fields, FIELD_HOST);
    }
    if (!host && minor == 1) {
        return HTTP_FAULT_HOST_MISSING;
    }
    if (fields_repeat(seen, FIELD_HOST)) {
        return HTTP_FAULT_HOST_REPEATED;
    }
    if (host && !authority_valid(host->value)) {
        return HTTP_FAULT_HOST_INVALID;
    }
    Str of_target = target->authority;
    /* RFC 9112 §3.2.2: the absolute form wins, and a client must send the same twice. Where it does
     * not, the next hop might take the other one. */
    bool twice = of_target.len > 0 && target->scheme.len > 0 && host;
    if (twice && !authority_equal(of_target, host->value, target->scheme)) {
        return HTTP_FAULT_HOST_CONFLICT;
    }
    *ret_host = authority_plain(of_target.len > 0 ? of_target : host ? host->value : STR_NONE);
    return HTTP_FAULT_NONE;
}

void expect_read(const Fields *fields, uint8_t minor, bool *ret_continue, bool *ret_other)
{
    static const Str words[] = {S_INIT("100-continue")};
    unsigned bits = list_words(fields, FIELD_EXPECT, words, 1);
    *ret_continue = (bits & 1) && minor == 1; /* ignored in 1.0 (RFC 9110 §10.1.1) */
    *ret_other = (bits & 2) != 0;
}

#define KEEP_ALIVE_SECONDS_MAX 86400u

/* Reads the member [from, to) of a Keep-Alive list; false when it is not "timeout=...". */
static bool keep_alive_member(Str list, size_t from, size_t to, uint64_t *ret_ms)
{
    size_t equals = from;
    while (equals < to && str_peek(list, equals) != '=') {
        equals++;
    }
    size_t name_end = equals;
    while (name_end > from && byte_is_blank(str_peek(list, name_end - 1))) {
        name_end--;
    }
    if (equals >= to || !str_stands_nocase(list, from, name_end, S("timeout"))) {
        return false;
    }
    size_t digits = equals + 1;
    while (digits < to && byte_is_blank(str_peek(list, digits))) {
        digits++;
    }
    uint64_t seconds = 0;
    Err err = number_decimal_in(list, digits, to, KEEP_ALIVE_SECONDS_MAX, &seconds);
    if (err == ERR_RANGE) {
        seconds = KEEP_ALIVE_SECONDS_MAX;
    } else if (err != ERR_OK) {
        seconds = 0;
    }
    *ret_ms = seconds * 1000;
    return true;
}

uint64_t keep_alive_read(const Fields *fields)
{
    const Field *field = fields_find(fields, FIELD_KEEP_ALIVE);
    if (!field) {
        return 0;
    }
    size_t at = 0;
    size_t from = 0;
    size_t to = 0;
    uint64_t ms = 0;
    while (list_bounds(field->value, &at, &from, &to)) {
        if (keep_alive_member(field->value, from, to, &ms)) {
            return ms;
        }
    }
    return 0;
}
