/* field.h - header and trailer fields as slices, and the names that River knows. */
#ifndef HTTP_FIELD_H
#define HTTP_FIELD_H

#include "base/arena.h"

/* Flags of a known name. */
enum {
    FIELD_HOP = 1,      /* belongs to one connection, never forwarded (RFC 9110 §7.6.1) */
    FIELD_FRAMING = 2,  /* decides where the message ends: out of reach of filters */
    FIELD_NO_TRAILER = 4 /* must not be in a trailer section (RFC 9110 §6.5.1) */
};

/* name, lower-case text, flags */
#define FIELD_TABLE(X)                                                                             \
    X(HOST, "host", FIELD_NO_TRAILER)                                                              \
    X(CONNECTION, "connection", FIELD_HOP | FIELD_NO_TRAILER)                                      \
    X(KEEP_ALIVE, "keep-alive", FIELD_HOP | FIELD_NO_TRAILER)                                      \
    X(PROXY_CONNECTION, "proxy-connection", FIELD_HOP | FIELD_NO_TRAILER)                          \
    X(PROXY_AUTHENTICATE, "proxy-authenticate", FIELD_HOP | FIELD_NO_TRAILER)                      \
    X(PROXY_AUTHORIZATION, "proxy-authorization", FIELD_HOP | FIELD_NO_TRAILER)                    \
    X(TE, "te", FIELD_HOP | FIELD_NO_TRAILER)                                                      \
    X(TRAILER, "trailer", FIELD_NO_TRAILER)                                                        \
    X(TRANSFER_ENCODING, "transfer-encoding", FIELD_HOP | FIELD_FRAMING | FIELD_NO_TRAILER)        \
    X(UPGRADE, "upgrade", FIELD_HOP | FIELD_NO_TRAILER)                                            \
    X(HTTP2_SETTINGS, "http2-settings", FIELD_HOP | FIELD_NO_TRAILER)                              \
    X(CONTENT_LENGTH, "content-length", FIELD_FRAMING | FIELD_NO_TRAILER)                          \
    X(CONTENT_TYPE, "content-type", FIELD_NO_TRAILER)                                              \
    X(CONTENT_ENCODING, "content-encoding", FIELD_NO_TRAILER)                                      \
    X(CONTENT_RANGE, "content-range", FIELD_NO_TRAILER)                                            \
    X(EXPECT, "expect", FIELD_NO_TRAILER)                                                          \
    X(MAX_FORWARDS, "max-forwards", FIELD_NO_TRAILER)                                              \
    X(RANGE, "range", FIELD_NO_TRAILER)                                                            \
    X(IF_MATCH, "if-match", FIELD_NO_TRAILER)                                                      \
    X(IF_NONE_MATCH, "if-none-match", FIELD_NO_TRAILER)                                            \
    X(IF_MODIFIED_SINCE, "if-modified-since", FIELD_NO_TRAILER)                                    \
    X(IF_UNMODIFIED_SINCE, "if-unmodified-since", FIELD_NO_TRAILER)                                \
    X(IF_RANGE, "if-range", FIELD_NO_TRAILER)                                                      \
    X(DATE, "date", FIELD_NO_TRAILER)                                                              \
    X(SERVER, "server", 0)                                                                         \
    X(VIA, "via", FIELD_NO_TRAILER)                                                                \
    X(USER_AGENT, "user-agent", FIELD_NO_TRAILER)                                                  \
    X(REFERER, "referer", FIELD_NO_TRAILER)                                                        \
    X(AUTHORIZATION, "authorization", FIELD_NO_TRAILER)                                            \
    X(COOKIE, "cookie", FIELD_NO_TRAILER)                                                          \
    X(SET_COOKIE, "set-cookie", FIELD_NO_TRAILER)                                                  \
    X(CACHE_CONTROL, "cache-control", FIELD_NO_TRAILER)                                            \
    X(FORWARDED, "forwarded", FIELD_NO_TRAILER)                                                    \
    X(X_FORWARDED_FOR, "x-forwarded-for", FIELD_NO_TRAILER)                                        \
    X(X_FORWARDED_PROTO, "x-forwarded-proto", FIELD_NO_TRAILER)                                    \
    X(X_FORWARDED_HOST, "x-forwarded-host", FIELD_NO_TRAILER)                                      \
    X(X_REAL_IP, "x-real-ip", FIELD_NO_TRAILER)                                                    \
    X(CLIENT_CERT, "client-cert", FIELD_NO_TRAILER)                                                \
    X(CLIENT_CERT_CHAIN, "client-cert-chain", FIELD_NO_TRAILER)                                    \
    X(X_REQUEST_ID, "x-request-id", FIELD_NO_TRAILER)

typedef enum FieldId {
    FIELD_OTHER,
#define X(name, text, flags) FIELD_##name,
    FIELD_TABLE(X)
#undef X
        FIELD_ID_COUNT
} FieldId;

typedef struct Field {
    Str name;  /* as it was sent */
    Str value; /* without white space around it */
    FieldId id;
    bool dropped; /* set by the proxy and filters: not forwarded */
} Field;

/* A list with a fixed capacity; its memory is the caller's. */
typedef struct Fields {
    size_t room;
    Field *at COUNTED_BY(room);
    size_t count;
} Fields;

/* An empty list with room for `room` fields at `memory`. */
static inline Fields fields_in(Field *memory, size_t room)
{
    Fields fields = {room, memory, 0};
    return fields;
}

/* Moves the list to the arena; false when that is full. The slices stay where they point. */
MUST_USE bool fields_keep(Arena *a, Fields *fields);

/* The known name that `name` is, whatever its case; FIELD_OTHER if it is not known. Constant work:
 * at most one comparison. */
/*@ requires readable: \valid_read(name.at + (0 .. name.len - 1));
    assigns \result \from name.at[0 .. name.len - 1];
    ensures known: FIELD_OTHER <= \result < FIELD_ID_COUNT; */
FieldId field_id(Str name);
/* Flags of a known name (0 for FIELD_OTHER). */
unsigned field_flags(FieldId id);
/* Lower-case text of a known name. */
Str field_name(FieldId id);

/* Whether `name` is a token of at least one byte (RFC 9110 §5.6.2). */
bool field_name_valid(Str name);
/* Whether `value` holds only HTAB, SP, VCHAR and obs-text (RFC 9110 §5.5). */
bool field_value_valid(Str value);

/* The first field that is not dropped with that id, or NULL. */
const Field *fields_find(const Fields *fields, FieldId id);

/* Walks a comma-separated list (RFC 9110 §5.6.1): cuts the next non-empty member off *rest, white
 * space trimmed; false at the end. Commas within a quoted string do not separate. */
bool list_next(Str *rest, Str *ret_member);
/* The same by position: the member after *at (0 at first) is [*ret_from, *ret_to) of `list`. */
bool list_bounds(Str list, size_t *at, size_t *ret_from, size_t *ret_to);

#endif
