/* head.h - HTTP/1 heads: finding their end, reading them, and what they say about the body.
 *
 * Strict where leniency lets two readers disagree (RFC 9112 §2.2, §5.1, §6): see fault.h.
 * Pure: slices in, slices out; results point into the head that was passed. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "http/fault.h"
#include "http/field.h"

#define METHOD_TABLE(X) /* name, safe, idempotent (RFC 9110 §9.2) */                               \
    X(GET, true, true)                                                                             \
    X(HEAD, true, true)                                                                            \
    X(POST, false, false)                                                                          \
    X(PUT, false, true)                                                                            \
    X(DELETE, false, true)                                                                         \
    X(CONNECT, false, false)                                                                       \
    X(OPTIONS, true, true)                                                                         \
    X(TRACE, true, true)                                                                           \
    X(PATCH, false, false)

typedef enum Method {
    METHOD_OTHER, /* any other token: forwarded as it is, treated as not idempotent */
#define X(name, safe, idempotent) METHOD_##name,
    METHOD_TABLE(X)
#undef X
} Method;

#define METHOD_BYTES_MAX 32u /* the longest registered one has 18 */

typedef enum TargetForm { /* RFC 9112 §3.2 */
    TARGET_ORIGIN,    /* /path?query */
    TARGET_ABSOLUTE,  /* http://host/path */
    TARGET_AUTHORITY, /* host:port, CONNECT only */
    TARGET_ASTERISK   /* *, OPTIONS only */
} TargetForm;

typedef enum BodyKind {
    BODY_NONE,   /* the message ends with its head; also in HTTP/1 with a Content-Length of 0 */
    BODY_LENGTH, /* HTTP/2: DATA frames follow, be it one without a byte */
    BODY_CHUNKED,
    BODY_UNTIL_CLOSE /* responses only */
} BodyKind;

/* What both kinds of head say about the connection and the body. */
typedef struct Framing {
    BodyKind body;
    uint64_t length; /* of BODY_LENGTH */
    bool keep_alive; /* the sender is ready to go on (RFC 9112 §9.3) */
    bool upgrade;    /* Connection names "upgrade" and an Upgrade field is there */
    bool has_length; /* a Content-Length was there, also where no body follows (HEAD, 304) */
    bool names_fields; /* Connection names fields besides close, keep-alive and upgrade */
} Framing;

typedef struct RequestHead {
    Method method;
    Str method_name;
    TargetForm form;
    Str target; /* as it was sent */
    Str scheme; /* of an absolute target, else empty */
    Str host;   /* the authority: the absolute target's, else Host's value; may be empty in 1.0 */
    Str path;   /* with its leading slash ("/" also where an absolute target has none), or "*" */
    Str query;  /* after the '?', without it */
    bool has_query;
    Str protocol; /* HTTP/2: what an extended CONNECT asks for (RFC 8441); else empty */
    uint8_t major; /* 1 or 2 */
    uint8_t minor; /* HTTP/1.minor, 0 or 1; 1 for HTTP/2, whose semantics are those of 1.1 */
    bool expects_continue; /* Expect: 100-continue (never in 1.0) */
    bool expects_other;    /* an expectation that is not 100-continue: 417 */
    Framing framing;
    Fields fields;
} RequestHead;

typedef struct ResponseHead {
    uint16_t status; /* 100..599 (an origin's other numbers are a fault) */
    Str reason;
    uint8_t minor;
    uint64_t keep_alive_ms; /* of "Keep-Alive: timeout=N"; 0 when there is none */
    Framing framing;
    Fields fields;
} ResponseHead;

typedef struct HeadLimits {
    size_t head_bytes_max; /* from the first byte to the empty line, both counted */
    size_t fields_max;
    size_t target_bytes_max;
} HeadLimits;

/* Looks for the end of a head in `bytes`, which grow from call to call; *scanned (0 at first)
 * remembers how far. ERR_OK: *ret_end is the head's length with its empty line. ERR_INCOMPLETE:
 * none yet. ERR_SYNTAX: a line ended with a bare LF (head_skip_empty deals with empty lines before
 * a request). */
MUST_USE Err head_find_end(Str bytes, size_t *scanned, size_t *ret_end);

/* Judges what has come of a head that is not whole: its request line once that has ended, and the
 * method before that. HTTP_FAULT_NONE: it may become a request. */
HttpFault request_line_begin(Str bytes, size_t target_bytes_max);

/* Number of bytes of empty lines (CRLF) before a request line, at most one is forgiven
 * (RFC 9112 §2.2): 0 or 2. */
size_t head_skip_empty(Str bytes);

/* Reads a whole request head (as head_find_end measured it). `fields` gives the room; it must hold
 * limits->fields_max. Returns HTTP_FAULT_NONE and fills *ret, or the first fault. Framing and Host
 * are judged here too: what is returned without fault can be forwarded without ambiguity. */
HttpFault head_parse_request(Str head, const HeadLimits *limits, Fields fields, RequestHead *ret);

/* The same for a response to a request of `method`. A 1xx, 204, 304 or answer to HEAD has
 * BODY_NONE whatever its fields say: nothing is framed by them (RFC 9112 §6.3). */
HttpFault head_parse_response(Str head, const HeadLimits *limits, Method method, Fields fields,
                              ResponseHead *ret);

/* Whether a response to a request of `method` may have a body at all (RFC 9112 §6.3, items 1
 * and 2). */
bool response_has_body(unsigned status, Method method);

/* Whether `name` is among the members of the head's Connection fields. */
bool connection_names(const Fields *fields, Str name);

Method method_from(Str name);
bool method_is_safe(Method m);
bool method_is_idempotent(Method m);

/* The standard reason phrase ("Not Found"); "Unknown" for others. */
Str status_reason(unsigned status);

/* Reason code and sentence of a fault's row. */
Str http_fault_code(HttpFault f);
Str http_fault_sentence(HttpFault f);

#endif
