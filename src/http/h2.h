/* h2.h - one HTTP/2 connection as a codec without I/O (RFC 9113): bytes in, events out; messages
 * in, bytes out. Only h2.c knows nghttp2.
 *
 * Events are told through `H2Hooks` while h2_feed or h2_take runs. A hook only records: it may call
 * nothing of this file but h2_reset, and must not end the session. Streams are known by what the
 * owner named them (an H2Name, a handle of its own).
 *
 * Every head is judged here by the same rules as HTTP/1's, so what leaves this room has one
 * meaning, whichever way it came. */
#ifndef HTTP_H2_H
#define HTTP_H2_H

#include "base/text.h"
#include "http/head.h"

typedef struct H2 H2;
typedef uint64_t H2Name; /* of a stream, the owner's; 0: none */

/* Error codes (RFC 9113 §7) that River uses by name. */
enum {
    H2_NO_ERROR = 0,
    H2_PROTOCOL_ERROR = 1,
    H2_INTERNAL_ERROR = 2,
    H2_REFUSED_STREAM = 7,
    H2_CANCEL = 8,
    H2_CONNECT_ERROR = 10,
    H2_ENHANCE_YOUR_CALM = 11,
    H2_HTTP_1_1_REQUIRED = 13
};

typedef struct H2Limits {
    HeadLimits head;       /* fields count with 32 bytes of overhead each (RFC 9113 §6.5.2) */
    uint32_t streams_max;  /* open at once, that the peer may start */
    uint32_t stream_window; /* bytes of body in flight that a stream may hold */
    uint32_t window;        /* ... and all of them together */
} H2Limits;

/* A message on its way in, as far as it has come (h2_message.c); the owner keeps it for each
 * stream, and the session alone reads and writes it. The zero value is a request before its
 * head. */
typedef struct H2Message {
    uint64_t left;  /* bytes of DATA that may still come, if they are counted */
    uint8_t method; /* a response: that of its request */
    bool response;
    bool final;   /* the head has come; of a response, one that is not interim */
    bool counted; /* a length was announced, or no body may follow */
    bool broken;  /* a rule was broken: what still comes is discarded */
} H2Message;

/* Slices that hooks are given live as long as the arena that comes with them. */
typedef struct H2Hooks {
    /* A client's request has begun: the owner's name for it; 0 refuses it (REFUSED_STREAM). */
    H2Name (*begin)(void *user, int32_t id);
    /* A whole request head. `fault`: it breaks a rule (then `head` may be empty). The arena with
     * all that it points to may be moved away (left initialised); what stays there is dropped.
     * `last`: no body follows. */
    void (*request)(void *user, H2Name name, Arena *arena, const RequestHead *head,
                    HttpFault fault, bool last);
    /* The same for a response, interim ones included. */
    void (*response)(void *user, H2Name name, Arena *arena, const ResponseHead *head,
                     HttpFault fault, bool last);
    /* Bytes of the body, and its end. */
    void (*data)(void *user, H2Name name, Str bytes);
    void (*end)(void *user, H2Name name);
    /* The trailer section; `end` follows. */
    void (*trailers)(void *user, H2Name name, Arena *arena, const Fields *fields);
    /* The peer broke a rule after the head: no more hooks are called for the message, the stream is
     * reset. Also where a head could not be kept: then there was none before. */
    void (*broken)(void *user, H2Name name, HttpFault fault);
    /* Where the stream's message is kept; NULL: the owner has forgotten the stream. */
    H2Message *(*message)(void *user, H2Name name);
    /* The stream is over, in both directions or by a reset (`code`). Its name is not used again. */
    void (*closed)(void *user, H2Name name, uint32_t code);
    /* How much of the body waits to be sent. *ret_last: nothing comes after it. */
    size_t (*waiting)(void *user, H2Name name, bool *ret_last);
    /* The next `n` bytes of it (n <= what `waiting` said, and they fit). */
    void (*pull)(void *user, H2Name name, size_t n, Text *out);
    /* The trailers to send after the body; false: there are none. */
    bool (*send_trailers)(void *user, H2Name name);
} H2Hooks;

typedef struct H2Plan {
    bool server;
    H2Limits limits;
    const H2Hooks *hooks;
    void *user;
    Budget *budget; /* what the session holds counts here */
    Blocks *blocks; /* for heads that are not whole yet */
} H2Plan;

/* A session, with its SETTINGS on the way. NULL: no memory. */
H2 *h2_new(const H2Plan *plan);
void h2_drop(H2 *h); /* No-op on NULL; tells no hook */

/* Takes bytes that the peer sent. ERR_SYNTAX: the peer broke the protocol beyond repair, or is a
 * flood; what h2_take still gives says so (GOAWAY), then close. */
MUST_USE Err h2_feed(H2 *h, Str bytes);
/* Writes frames to `out` until nothing waits or the room (at least H2_TAKE_BYTES_MIN) is used up;
 * *ret_more: there is more. Errors as h2_feed. */
#define H2_TAKE_BYTES_MIN (20u << 10)
MUST_USE Err h2_take(H2 *h, Text *out, bool *ret_more);
/* Whether the session has nothing more to say or to hear. */
bool h2_is_over(const H2 *h);
/* Whether it ends by the peer's fault: the protocol was broken beyond repair. */
bool h2_is_broken(const H2 *h);
bool h2_has_output(const H2 *h);

/* One field of a head to send: the name in lower case. Both are copied by the call they go to. */
typedef struct H2Field {
    Str name;
    Str value;
} H2Field;

/* A server's answer: interim (1xx), or final with or without a body to pull. The first field is
 * ":status". ERR_CLOSED: the stream is gone. */
MUST_USE Err h2_interim(H2 *h, int32_t id, const H2Field *fields, size_t count);
MUST_USE Err h2_respond(H2 *h, int32_t id, const H2Field *fields, size_t count, bool body);
/* A client's request; the pseudo-fields are first. ERR_FULL: no stream is free now. */
MUST_USE Err h2_request(H2 *h, H2Name name, const H2Field *fields, size_t count, bool body,
                        int32_t *ret_id);
/* Takes back a request, not closed, of which nothing was sent: it waits for the peer to allow one
 * more stream. Its name is not used again. false: some of it was sent. */
bool h2_withdraw(H2 *h, int32_t id);
/* From `send_trailers` alone. */
MUST_USE Err h2_trailers(H2 *h, int32_t id, const H2Field *fields, size_t count);

/* The body to pull has grown, or ended. */
void h2_resume(H2 *h, int32_t id);
/* The peer may send `n` more bytes of body on the stream, or on all streams together: one does not
 * open the other. */
void h2_open_stream(H2 *h, int32_t id, size_t n);
void h2_open_window(H2 *h, size_t n);
void h2_reset(H2 *h, int32_t id, uint32_t code);

/* Whether the peer's windows, the stream's and the connection's, let the stream send more. */
bool h2_has_window(const H2 *h, int32_t id);

/* Whether the window of the whole connection is shut. */
bool h2_is_shut(const H2 *h);

/* Asks for a sign of life (PING, RFC 9113 §6.7); any bytes that come afterwards are one. */
void h2_ping(H2 *h);
/* Whether the peer's first SETTINGS have come. */
bool h2_is_greeted(const H2 *h);
/* Whether a frame other than DATA, or a header block, has begun and is not whole; *ret_whole: how
 * many were before, so that the next one can be told from it. */
bool h2_is_partial(const H2 *h, uint64_t *ret_whole);
/* Ends the session with a GOAWAY that says `code`. */
void h2_end(H2 *h, uint32_t code);

/* A server: no new streams (first call: a warning that races nothing; second: the last word). A
 * client: says goodbye. */
void h2_goaway(H2 *h, bool final);
/* The peer's GOAWAY: it takes no more streams. *ret_last: the last one that it will answer. */
bool h2_peer_leaves(const H2 *h, int32_t *ret_last);
/* Streams that a client session may start now; before the peer has said how many, as many as are
 * expected of it. */
uint32_t h2_room(const H2 *h);
void h2_expect_streams(H2 *h, uint32_t streams_max);
/* How many the peer allows at once. */
uint32_t h2_streams_max(const H2 *h);
/* Whether the peer lets extended CONNECT pass (RFC 8441 §3); true until it has said so or not. */
bool h2_takes_connect(const H2 *h);

/* --- heads from fields (h2_head.c), pure --- */

typedef struct H2Pseudo {
    Str method;
    Str scheme;
    Str authority;
    Str path;
    Str protocol;
    Str status;
} H2Pseudo;

/* Judges a request's fields (RFC 9113 §8.3.1): pseudo-fields complete and sane, no field of a
 * connection, one host. `last`: no body follows. */
HttpFault h2_request_head(const H2Pseudo *pseudo, const HeadLimits *limits, bool last,
                          const Fields *fields, RequestHead *ret);
/* The same for a response. Whether its method lets it have a body is the caller's to judge
 * (response_has_body). */
HttpFault h2_response_head(const H2Pseudo *pseudo, bool last, const Fields *fields,
                           ResponseHead *ret);
/* What holds for every field, in heads and trailers: name, value, and that it is not one of a
 * connection. */
HttpFault h2_field_judge(const Field *f);
/* A value without a blank at either end: HTTP/1 would not see it (RFC 9113 §8.2.1). */
bool h2_value_valid(Str value);

#endif
