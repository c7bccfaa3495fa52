/* fault.h - every way in which a request can fail, one row each.
 *
 * A row has: name, reason code (stable; appears in the access log), status (0: no answer is
 * possible), whose fault it is, whether a retry may help, sentence. Violations of HTTP by a peer
 * come from http/fault.h, once for the client's side and once for the origin's. */
#ifndef TRANSPORT_FAULT_H
#define TRANSPORT_FAULT_H

#include "base/err.h"
#include "base/str.h"
#include "http/fault.h"
#include "net/tls.h"

typedef enum Blame { BLAME_NONE, BLAME_CLIENT, BLAME_ORIGIN, BLAME_RIVER } Blame;

typedef enum Retry {
    RETRY_NEVER,
    RETRY_UNSENT, /* nothing reached the origin: always safe */
    RETRY_SAFE    /* if the request is idempotent and can be sent again (RFC 9110 §9.2.2) */
} Retry;

/* clang-format off */
#define FAULT_TABLE(X)                                                                             \
    X(NONE, "", 200, NONE, NEVER, "no fault")                                                      \
    X(HEAD_TIMEOUT, "head-timeout", 408, CLIENT, NEVER, "the request head took too long")          \
    X(BODY_TIMEOUT, "body-timeout", 408, CLIENT, NEVER, "the request body took too long")          \
    X(RATE_TOO_LOW, "client-too-slow", 408, CLIENT, NEVER,                                         \
      "the client is slower than the minimum rate")                                                \
    X(TLS_PLAINTEXT, "tls-plaintext", 400, CLIENT, NEVER,                                          \
      "a plain HTTP request on a TLS port")                                                        \
    X(TLS_TIMEOUT, "tls-timeout", 0, CLIENT, NEVER, "the TLS handshake took too long")             \
    X(TLS_VERSION, "tls-version", 0, CLIENT, NEVER, "no TLS version in common")                    \
    X(TLS_SUITE, "tls-suite", 0, CLIENT, NEVER,                                                    \
      "no cipher suite, group or signature scheme in common")                                      \
    X(TLS_ALPN, "tls-alpn", 0, CLIENT, NEVER, "no application protocol in common")                 \
    X(TLS_CERTIFICATE, "tls-certificate", 0, CLIENT, NEVER,                                        \
      "the client's certificate is missing or invalid")                                            \
    X(TLS_ALERT, "tls-alert", 0, CLIENT, NEVER, "the client ended the TLS handshake")              \
    X(TLS_PROTOCOL, "tls-protocol", 0, CLIENT, NEVER, "the client broke the TLS protocol")         \
    X(MISDIRECTED, "misdirected", 421, CLIENT, NEVER,                                              \
      "the connection was opened with another certificate than this host's")                       \
    X(PROXY_PEER, "proxy-peer", 0, CLIENT, NEVER,                                                  \
      "this peer is not trusted to send the PROXY protocol")                                       \
    X(PROXY_HEADER, "proxy-header", 0, CLIENT, NEVER, "no valid PROXY protocol header")            \
    X(PROXY_TIMEOUT, "proxy-timeout", 0, CLIENT, NEVER,                                            \
      "the PROXY protocol header took too long")                                                   \
    X(ADDRESS_BLOCKED, "address-blocked", 403, CLIENT, NEVER, "the client's address is blocked")   \
    X(ADDRESS_NOT_ALLOWED, "address-not-allowed", 403, CLIENT, NEVER,                              \
      "the client's address is not on the allow list")                                             \
    X(CONNECTION_BLOCKED, "connection-blocked", 0, CLIENT, NEVER,                                  \
      "a connection from a blocked address was closed")                                            \
    X(SEND_TIMEOUT, "send-timeout", 0, CLIENT, NEVER, "the client does not read the response")     \
    X(CLIENT_GONE, "client-gone", 0, CLIENT, NEVER, "the client broke the connection")             \
    X(CONNECT_METHOD, "connect-method", 405, CLIENT, NEVER,                                        \
      "a reverse proxy does not serve CONNECT")                                                    \
    X(TRACE_METHOD, "trace-method", 405, CLIENT, NEVER, "TRACE is not forwarded")                  \
    X(EXPECTATION, "expectation", 417, CLIENT, NEVER, "an expectation other than 100-continue")    \
    X(RATE_LIMITED, "rate-limited", 429, CLIENT, NEVER,                                            \
      "a rate-limiting rule has no token left")                                                    \
    X(REQUEST_TOO_LARGE, "request-too-large", 413, CLIENT, NEVER,                                  \
      "the request's body exceeds `max-size`")                                                     \
    X(RESPONSE_TOO_LARGE, "response-too-large", 502, ORIGIN, NEVER,                                \
      "the response's body exceeds `max-size`")                                                    \
    X(CODING_UNKNOWN, "coding-unknown", 501, CLIENT, NEVER, "an unknown transfer coding")          \
    X(NORMALIZATION, "normalization", 400, CLIENT, NEVER,                                          \
      "the path has no safe normal form, or a field value is not ASCII")                           \
    X(OVERLOAD, "overload", 503, RIVER, NEVER,                                                     \
      "the service is at its limit of concurrent requests")                                        \
    X(OVERLOAD_HEAD, "overload-head", 503, CLIENT, NEVER, "the head exceeds the service's limit")  \
    X(MEMORY, "memory", 503, RIVER, NEVER, "River's memory budget is exhausted")                   \
    X(MEMORY_HELD, "memory-held", 0, CLIENT, NEVER,                                                \
      "the client held memory that others needed")                                                 \
    X(DRAINING, "draining", 503, RIVER, NEVER, "River is stopping")                                \
    X(NO_ENDPOINT, "no-endpoint", 503, RIVER, NEVER, "no endpoint can take the request")           \
    X(DESCRIPTORS, "descriptors", 503, RIVER, UNSENT, "no file descriptor is free")                \
    X(CONNECT_REFUSED, "connect-refused", 502, ORIGIN, UNSENT,                                     \
      "the origin refused the connection")                                                         \
    X(CONNECT_FAILED, "connect-failed", 502, ORIGIN, UNSENT, "the origin cannot be reached")       \
    X(CONNECT_TIMEOUT, "connect-timeout", 504, ORIGIN, UNSENT,                                     \
      "connecting to the origin took too long")                                                    \
    X(CONNECT_WAIT, "connect-wait", 503, ORIGIN, NEVER, "no connection to the origin became free") \
    X(ORIGIN_CLOSED, "origin-closed", 502, ORIGIN, SAFE, "the origin closed before it answered")   \
    X(ORIGIN_REFUSED, "origin-refused", 502, ORIGIN, UNSENT,                                       \
      "the origin refused the stream before it did anything")                                      \
    X(ORIGIN_RESET, "origin-reset", 502, ORIGIN, NEVER, "the origin reset the stream")             \
    X(ORIGIN_TLS, "origin-tls", 502, ORIGIN, UNSENT,                                               \
      "the TLS handshake with the origin failed")                                                  \
    X(ORIGIN_CERTIFICATE, "origin-certificate", 502, ORIGIN, UNSENT,                               \
      "the origin's certificate is not valid for its name")                                        \
    X(ORIGIN_PROTOCOL, "origin-protocol", 502, ORIGIN, UNSENT,                                     \
      "the origin speaks none of the allowed HTTP versions")                                       \
    X(ORIGIN_TIMEOUT, "origin-timeout", 504, ORIGIN, NEVER, "the origin did not answer in time")   \
    X(ORIGIN_STALLED, "origin-stalled", 504, ORIGIN, NEVER,                                        \
      "the origin stopped in the middle of its answer")                                            \
    X(ORIGIN_UNREAD, "origin-unread", 504, ORIGIN, NEVER,                                          \
      "the origin stopped reading the request")                                                    \
    X(ORIGIN_CUT, "origin-cut", 502, ORIGIN, NEVER,                                                \
      "the origin closed in the middle of its answer")                                             \
    X(ORIGIN_INTERIM, "origin-interim", 502, ORIGIN, NEVER,                                        \
      "the origin sent too many interim answers")                                                  \
    X(ORIGIN_SWITCH, "origin-switch", 502, ORIGIN, NEVER, "the origin switched protocols unasked") \
    X(ORIGIN_TUNNEL, "origin-tunnel", 502, ORIGIN, NEVER,                                          \
      "the HTTP/2 origin does not accept extended CONNECT")                                        \
    X(UNKNOWN_HOST, "unknown-host", 421, CLIENT, NEVER, "no service at this address has this host")\
    X(NO_ROUTE, "no-route", 404, CLIENT, NEVER, "no route matches this path and method")           \
    X(FILE_MISSING, "file-missing", 404, CLIENT, NEVER, "there is no such file")                   \
    X(FILE_DENIED, "file-denied", 403, CLIENT, NEVER, "River may not read the file")               \
    X(FILE_METHOD, "file-method", 405, CLIENT, NEVER, "files are served for GET and HEAD only")    \
    X(FILE_CONDITION, "file-condition", 412, CLIENT, NEVER,                                        \
      "the file does not meet a precondition of the request")                                      \
    X(FILE_RANGE, "file-range", 416, CLIENT, NEVER, "the requested range lies outside the file")   \
    X(FILE_BUSY, "file-busy", 503, RIVER, NEVER, "too many requests wait for the disk")            \
    X(FILE_SLOW, "file-slow", 503, RIVER, NEVER, "the disk took too long")                         \
    X(FILE_ERROR, "file-error", 500, RIVER, NEVER, "the file could not be read")                   \
    X(FILE_CHANGED, "file-changed", 500, RIVER, NEVER,                                             \
      "the file became shorter while it was sent")                                                 \
    X(STREAM_IDLE, "stream-idle", 504, NONE, NEVER,                                                \
      "nothing moved between client and origin for too long")                                      \
    X(FILTER_TIMEOUT, "filter-timeout", 503, RIVER, NEVER, "a filter did not come back in time")   \
    X(INTERNAL_FILTER, "internal-filter", 500, RIVER, NEVER,                                       \
      "a bug in River: a filter's verdict does not fit its stage")                                 \
    X(INTERNAL_DEADLINE, "internal-deadline", 500, RIVER, NEVER,                                   \
      "a bug in River: a deadline without an effect")                                              \
    X(TUNNEL_IDLE, "tunnel-idle", 0, NONE, NEVER, "nothing moved through the tunnel for too long") \
    X(STOPPED, "stopped", 0, RIVER, NEVER, "River stopped before the request was complete")
/* clang-format on */

typedef enum Fault {
#define X(name, code, status, blame, retry, sentence) FAULT_##name,
    FAULT_TABLE(X)
#undef X
#define X(name, code, sentence) FAULT_REQUEST_##name,
        HTTP_FAULT_TABLE(X)
#undef X
#define X(name, code, sentence) FAULT_RESPONSE_##name,
            HTTP_FAULT_TABLE(X)
#undef X
                FAULT_COUNT
} Fault;

typedef struct FaultRow {
    Str code;
    uint16_t status;
    Blame blame;
    Retry retry;
    Str sentence;
} FaultRow;

const FaultRow *fault_row(Fault f);

/* The status to answer with: the row's, except 431, 414 and 501 for heads beyond the limits. */
uint16_t fault_status(Fault f);

/* The fault for an HTTP rule broken by the client, or by the origin. */
Fault fault_of_request(HttpFault f);
Fault fault_of_response(HttpFault f);

/* Whether the request is malformed in the sense of HTTP/2 (RFC 9113 §8.1.1). */
bool fault_is_malformed(Fault f);

/* Whether the fault counts against the endpoint, not just against one connection or request. */
bool fault_is_unreachable(Fault f);

/* The fault for a failed dial. */
Fault fault_of_dial(Err err);

/* The fault for a failed TLS handshake, with a client or with an origin. */
Fault fault_of_client_tls(TlsReason reason);
Fault fault_of_origin_tls(TlsReason reason);

#endif
