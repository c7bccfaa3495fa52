/* parts.h - what the files of this room share and nothing else needs. */
#ifndef HTTP_PARTS_H
#define HTTP_PARTS_H

#include "http/head.h"
#include "http/uri.h"

/* Which known fields are in a head, as bits of FieldId. */
typedef struct FieldsSeen {
    uint64_t once;
    uint64_t again; /* more than once */
} FieldsSeen;

static inline bool fields_seen(const FieldsSeen *seen, FieldId id)
{
    return (seen->once >> id & 1) != 0;
}

static inline bool fields_repeat(const FieldsSeen *seen, FieldId id)
{
    return (seen->again >> id & 1) != 0;
}

/* Reads one field line with its CRLF at *at and moves *at past it. */
/*@ requires readable: \valid_read(head.at + (0 .. head.len - 1));
    requires inside: *at <= head.len;
    requires writable: \valid(ret) && \valid(at);
    assigns *at \from head.at[0 .. head.len - 1], head.len, *at;
    assigns ret->name \from head, *at;
    assigns ret->value \from head, *at;
    assigns ret->id \from head.at[0 .. head.len - 1], head.len, *at;
    assigns ret->dropped \from \nothing;
    assigns \result \from head.at[0 .. head.len - 1], head.len, *at;
    ensures inside: *at <= head.len; */
HttpFault field_line_read(Str head, size_t *at, Field *ret);

/* Reads field lines from `from` up to the empty line, which must end the head. */
HttpFault field_lines_read(Str head, size_t from, size_t fields_max, Fields *fields,
                           FieldsSeen *ret_seen);

/* The fault of the byte at `i` that a grammar did not expect: bare CR, bare LF or a control
 * character by name, `at_end` for the end of the line (or head), else `fallback`. */
HttpFault byte_fault(Str head, size_t i, HttpFault at_end, HttpFault fallback);

/* Judges Content-Length, Transfer-Encoding and Connection. The body is BODY_NONE when neither
 * framing field is there, or a length of 0. */
HttpFault framing_read(const Fields *fields, const FieldsSeen *seen, uint8_t minor, Framing *ret);

/* The same for a response that ends with its head whatever its fields say (RFC 9112 §6.3, item 1):
 * a length that is not one, or that a coding overrides, is left out, and the connection ends. */
HttpFault framing_read_bodiless(const Fields *fields, const FieldsSeen *seen, uint8_t minor,
                                Framing *ret);

/* Judges Host against RFC 9112 §3.2 and yields the request's authority: that of an absolute
 * target, which must be Host's then, or Host's. */
HttpFault host_read(const Fields *fields, const FieldsSeen *seen, uint8_t minor,
                    const UriParts *target, Str *ret_host);

/* Judges Expect (RFC 9110 §10.1.1). */
void expect_read(const Fields *fields, uint8_t minor, bool *ret_continue, bool *ret_other);

/* Milliseconds of "Keep-Alive: timeout=N"; 0 if there is none. */
uint64_t keep_alive_read(const Fields *fields);

/* The request and status lines; *ret_next is after their CRLF. */
HttpFault request_line_read(Str head, size_t target_bytes_max, RequestHead *ret,
                            UriParts *ret_parts, size_t *ret_next);
HttpFault status_line_read(Str head, ResponseHead *ret, size_t *ret_next);

#endif
