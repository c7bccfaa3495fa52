/* fault.h - every way in which a request can fail, one row each.
 *
 * A row has: name, reason code (stable; appears in the access log), status (0: no answer is
 * possible), whose fault it is, whether a retry may help, sentence, remedy. Violations of HTTP by
 * a peer come from http/fault.h, once for the client's side and once for the origin's. */
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
    X(NONE, "", 200, NONE, NEVER, "no fault",                                                      \
      "")                                                                                          \
    X(HEAD_TIMEOUT, "head-timeout", 408, CLIENT, NEVER, "the request head took too long",          \
      "nothing, for clients that open connections and send nothing; raise "                        \
      "`head-timeout-ms` if honest clients are slow")                                              \
    X(BODY_TIMEOUT, "body-timeout", 408, CLIENT, NEVER, "the request body took too long",          \
      "raise `read-timeout-ms` if clients pause for long in their uploads")                        \
    X(RATE_TOO_LOW, "client-too-slow", 408, CLIENT, NEVER,                                         \
      "the client is slower than the minimum rate",                                                \
      "lower `min-receive-rate-bytes` or `min-send-rate-bytes` if honest clients are that slow")   \
    X(TLS_PLAINTEXT, "tls-plaintext", 400, CLIENT, NEVER, "a plain HTTP request on a TLS port",    \
      "use https:// in the client, or a listener without `cert-path` for plain HTTP")              \
    X(TLS_TIMEOUT, "tls-timeout", 0, CLIENT, NEVER, "the TLS handshake took too long",             \
      "nothing, for port scanners; raise `head-timeout-ms` for slow clients")                      \
    X(TLS_VERSION, "tls-version", 0, CLIENT, NEVER, "no TLS version in common",                    \
      "let the client speak TLS 1.2 or 1.3, or look at `tls-versions` of "                         \
      "the listener")                                                                              \
    X(TLS_SUITE, "tls-suite", 0, CLIENT, NEVER,                                                    \
      "no cipher suite, group or signature scheme in common",                                      \
      "look at `cipher-suites` and `groups`: what the client offers is not among them; a "         \
      "client that knows RSA only needs an RSA certificate")                                       \
    X(TLS_ALPN, "tls-alpn", 0, CLIENT, NEVER, "no application protocol in common",                 \
      "allow the protocol that the client asks for (`offer-h2` of the listener), or let "          \
      "the client ask for http/1.1")                                                               \
    X(TLS_CERTIFICATE, "tls-certificate", 0, CLIENT, NEVER,                                        \
      "the client's certificate is missing or invalid",                                            \
      "`why` in the line says what is wrong: issue the client a certificate of an "                \
      "authority in `client-certificates`, renew it, or take it off the CRL")                      \
    X(TLS_ALERT, "tls-alert", 0, CLIENT, NEVER, "the client ended the TLS handshake",              \
      "`why` in the line names the alert: `unknown ca` and `bad certificate` mean that the "       \
      "client does not trust this listener's certificate")                                         \
    X(TLS_PROTOCOL, "tls-protocol", 0, CLIENT, NEVER, "the client broke the TLS protocol",         \
      "nothing, for scanners; otherwise look for a middlebox that changes bytes")                  \
    X(MISDIRECTED, "misdirected", 421, CLIENT, NEVER,                                              \
      "the connection was opened with another certificate than this host's",                       \
      "nothing: the client opens another connection; if it does not, serve both hosts by "         \
      "one certificate")                                                                           \
    X(PROXY_PEER, "proxy-peer", 0, CLIENT, NEVER,                                                  \
      "this peer is not trusted to send the PROXY protocol",                                       \
      "add the load balancer's address to `trusted-proxies`, or turn `proxy-protocol` off")        \
    X(PROXY_HEADER, "proxy-header", 0, CLIENT, NEVER, "no valid PROXY protocol header",            \
      "turn the PROXY protocol on at the load balancer, or turn `proxy-protocol` off here")        \
    X(PROXY_TIMEOUT, "proxy-timeout", 0, CLIENT, NEVER,                                            \
      "the PROXY protocol header took too long",                                                   \
      "turn the PROXY protocol on at the load balancer: it sent no header")                        \
    X(ADDRESS_BLOCKED, "address-blocked", 403, CLIENT, NEVER, "the client's address is blocked",   \
      "take the address off the block list if it is there by mistake")                             \
    X(ADDRESS_NOT_ALLOWED, "address-not-allowed", 403, CLIENT, NEVER,                              \
      "the client's address is not on the allow list",                                             \
      "add the address to the allow list, or the load balancer's to `trusted-proxies` if "         \
      "all clients seem to have its address")                                                      \
    X(CONNECTION_BLOCKED, "connection-blocked", 0, CLIENT, NEVER,                                  \
      "a connection from a blocked address was closed",                                            \
      "take the address off the block list if it is there by mistake")                             \
    X(SEND_TIMEOUT, "send-timeout", 0, CLIENT, NEVER, "the client does not read the response",     \
      "raise `write-timeout-ms` if clients stop reading for so long")                              \
    X(CLIENT_GONE, "client-gone", 0, CLIENT, NEVER, "the client broke the connection",             \
      "nothing: clients go away; many of them mean that answers come too late")                    \
    X(CONNECT_METHOD, "connect-method", 405, CLIENT, NEVER,                                        \
      "a reverse proxy does not serve CONNECT",                                                    \
      "use a forward proxy; River forwards to configured origins only")                            \
    X(TRACE_METHOD, "trace-method", 405, CLIENT, NEVER, "TRACE is not forwarded",                  \
      "use another method: TRACE shows fields that proxies add, so it is refused")                 \
    X(EXPECTATION, "expectation", 417, CLIENT, NEVER, "an expectation other than 100-continue",    \
      "leave the field Expect out of the request")                                                 \
    X(RATE_LIMITED, "rate-limited", 429, CLIENT, NEVER, "a rate-limiting rule has no token left",  \
      "raise the rule's `tokens-per-bucket` or refill if honest clients meet it, or choose "       \
      "a finer `key`")                                                                             \
    X(REQUEST_TOO_LARGE, "request-too-large", 413, CLIENT, NEVER,                                  \
      "the request's body exceeds `max-size`",                                                     \
      "raise `max-size` of the service's request filters if such uploads are meant to be")         \
    X(RESPONSE_TOO_LARGE, "response-too-large", 502, ORIGIN, NEVER,                                \
      "the response's body exceeds `max-size`",                                                    \
      "raise `max-size` of the service's response filters, or let the origin send less")           \
    X(CODING_UNKNOWN, "coding-unknown", 501, CLIENT, NEVER, "an unknown transfer coding",          \
      "let the client send `Transfer-Encoding: chunked` or a Content-Length")                      \
    X(DOT_SEGMENTS, "normalization-dot-segments", 400, CLIENT, NEVER,                              \
      "the path climbs above the root",                                                            \
      "nothing, for attacks; `dot-segments` or a preset of `normalization` lets such "             \
      "paths through")                                                                             \
    X(ENCODED_SEPARATORS, "normalization-encoded-separators", 400, CLIENT, NEVER,                  \
      "the path holds an encoded slash, or a backslash",                                           \
      "set `encoded-separators` or `normalization \"as-is\"` for an application that uses %2F")    \
    X(CONTROL_CHARACTERS, "normalization-control-characters", 400, CLIENT, NEVER,                  \
      "the path holds a control character",                                                        \
      "let the client send the path without it")                                                   \
    X(PERCENT_ENCODING, "normalization-percent-encoding", 400, CLIENT, NEVER,                      \
      "the path holds a malformed escape",                                                         \
      "let the client write % as %25")                                                             \
    X(MATRIX_PARAMETERS, "normalization-matrix-parameters", 400, CLIENT, NEVER,                    \
      "the path holds a matrix parameter",                                                         \
      "set `matrix-parameters` in `normalization` for an application that uses \";\" in paths")    \
    X(HEADER_NON_ASCII, "normalization-header-non-ascii", 400, CLIENT, NEVER,                      \
      "a field value is not ASCII",                                                                \
      "set `header-non-ascii` in `normalization`, or let the client encode the value")             \
    X(PATH_AMBIGUOUS, "path-ambiguous", 400, CLIENT, NEVER,                                        \
      "servers may read the path as several, and the rules for those differ",                      \
      "nothing, for attacks; otherwise let the rules agree, or set `normalization "                \
      "\"safe\"` for the route")                                                                   \
    X(OVERLOAD, "overload", 503, RIVER, NEVER,                                                     \
      "the service is at its limit of concurrent requests",                                        \
      "raise `max-concurrent-requests` in `overload`, add endpoints, or make the origin faster")   \
    X(OVERLOAD_HEAD, "overload-head", 503, CLIENT, NEVER, "the head exceeds the service's limit",  \
      "raise `max-headers` or `max-header-bytes` in `overload` if such heads are honest")          \
    X(MEMORY, "memory", 503, RIVER, NEVER, "River's memory budget is exhausted",                   \
      "raise `buffer-memory-bytes`, or look for clients that hold memory (reason "                 \
      "`memory-held`)")                                                                            \
    X(MEMORY_HELD, "memory-held", 0, CLIENT, NEVER, "the client held memory that others needed",   \
      "nothing, if memory was short because of this client; otherwise raise "                      \
      "`buffer-memory-bytes`")                                                                     \
    X(DRAINING, "draining", 503, RIVER, NEVER, "River is stopping",                                \
      "send the request again: River was about to stop")                                           \
    X(NO_ENDPOINT, "no-endpoint", 503, RIVER, NEVER, "no endpoint can take the request",           \
      "look at `river status`: all endpoints of the service are down or draining")                 \
    X(DESCRIPTORS, "descriptors", 503, RIVER, UNSENT, "no file descriptor is free",                \
      "raise the limit of open files (`ulimit -n`, `LimitNOFILE=`)")                               \
    X(CONNECT_REFUSED, "connect-refused", 502, ORIGIN, UNSENT,                                     \
      "the origin refused the connection",                                                         \
      "start the origin, or correct its address in `connectors`")                                  \
    X(CONNECT_FAILED, "connect-failed", 502, ORIGIN, UNSENT, "the origin cannot be reached",       \
      "look at the network between River and the origin: routes, firewalls, the path and "         \
      "mode of a Unix socket")                                                                     \
    X(CONNECT_TIMEOUT, "connect-timeout", 504, ORIGIN, UNSENT,                                     \
      "connecting to the origin took too long",                                                    \
      "look for a firewall that drops packets, or raise `connection-timeout-ms`")                  \
    X(CONNECT_WAIT, "connect-wait", 503, ORIGIN, NEVER,                                            \
      "no connection to the origin became free",                                                   \
      "raise `max-connections` of the endpoint, add endpoints, or make the origin faster")         \
    X(ORIGIN_CLOSED, "origin-closed", 502, ORIGIN, SAFE, "the origin closed before it answered",   \
      "look at the origin's own log: it ended or crashed, or closes idle connections "             \
      "sooner than `idle-timeout-ms`")                                                             \
    X(ORIGIN_REFUSED, "origin-refused", 502, ORIGIN, UNSENT,                                       \
      "the origin refused the stream before it did anything",                                      \
      "look at the origin's limit of concurrent streams")                                          \
    X(ORIGIN_RESET, "origin-reset", 502, ORIGIN, NEVER, "the origin reset the stream",             \
      "look at the origin's own log: it gave up on this request")                                  \
    X(ORIGIN_TLS, "origin-tls", 502, ORIGIN, UNSENT, "the TLS handshake with the origin failed",   \
      "look at `why` in the line `TLS handshake with the origin failed`")                          \
    X(ORIGIN_CERTIFICATE, "origin-certificate", 502, ORIGIN, UNSENT,                               \
      "the origin's certificate is not valid for its name",                                        \
      "correct `tls-sni`, or add the authority that issued the origin's certificate "              \
      "(`ca-path`)")                                                                               \
    X(ORIGIN_PROTOCOL, "origin-protocol", 502, ORIGIN, UNSENT,                                     \
      "the origin speaks none of the allowed HTTP versions",                                       \
      "let `proto` allow a version that the origin speaks")                                        \
    X(ORIGIN_TIMEOUT, "origin-timeout", 504, ORIGIN, NEVER, "the origin did not answer in time",   \
      "raise `read-timeout-ms` if such requests take long, or make the origin faster")             \
    X(ORIGIN_STALLED, "origin-stalled", 504, ORIGIN, NEVER,                                        \
      "the origin stopped in the middle of its answer",                                            \
      "look at the origin: it fell silent in the middle of an answer; raise "                      \
      "`read-timeout-ms` if it may")                                                               \
    X(ORIGIN_UNREAD, "origin-unread", 504, ORIGIN, NEVER,                                          \
      "the origin stopped reading the request",                                                    \
      "look at the origin: it stopped reading an upload; raise `write-timeout-ms` if it may")      \
    X(ORIGIN_CUT, "origin-cut", 502, ORIGIN, NEVER,                                                \
      "the origin closed in the middle of its answer",                                             \
      "look at the origin's own log: it ended or crashed in the middle of an answer")              \
    X(ORIGIN_INTERIM, "origin-interim", 502, ORIGIN, NEVER,                                        \
      "the origin sent too many interim answers",                                                  \
      "let the origin send fewer 1xx answers")                                                     \
    X(ORIGIN_SWITCH, "origin-switch", 502, ORIGIN, NEVER,                                          \
      "the origin switched protocols unasked",                                                     \
      "let the origin answer 101 only to a request with Upgrade, and list the protocol in "        \
      "`upgrade-protocols`")                                                                       \
    X(ORIGIN_TUNNEL, "origin-tunnel", 502, ORIGIN, NEVER,                                          \
      "the HTTP/2 origin does not accept extended CONNECT",                                        \
      "set `proto=\"h1-only\"` for WebSockets to this origin")                                     \
    X(UNKNOWN_HOST, "unknown-host", 421, CLIENT, NEVER,                                            \
      "no service at this address has this host",                                                  \
      "add the name to `hosts` of a service at this address, or a service without `hosts` "        \
      "for all other names")                                                                       \
    X(NO_ROUTE, "no-route", 404, CLIENT, NEVER, "no route matches this path and method",           \
      "add a route, or a route \"/\" for everything else")                                         \
    X(FILE_MISSING, "file-missing", 404, CLIENT, NEVER, "there is no such file",                   \
      "put the file there, or look at `base-path` and `strip-prefix`")                             \
    X(FILE_DENIED, "file-denied", 403, CLIENT, NEVER, "River may not read the file",               \
      "let the worker's user read the file and enter its directories")                             \
    X(FILE_METHOD, "file-method", 405, CLIENT, NEVER, "files are served for GET and HEAD only",    \
      "use GET or HEAD, or route other methods to an origin (`methods=`)")                         \
    X(FILE_CONDITION, "file-condition", 412, CLIENT, NEVER,                                        \
      "the file does not meet a precondition of the request",                                      \
      "nothing: the client asked for this with If-Match or If-Unmodified-Since")                   \
    X(FILE_RANGE, "file-range", 416, CLIENT, NEVER, "the requested range lies outside the file",   \
      "nothing: the client asked for bytes beyond the end of the file")                            \
    X(FILE_BUSY, "file-busy", 503, RIVER, NEVER, "too many requests wait for the disk",            \
      "look at the disk: reads take too long for the load")                                        \
    X(FILE_SLOW, "file-slow", 503, RIVER, NEVER, "the disk took too long",                         \
      "look at the disk: a read took longer than a request may wait")                              \
    X(FILE_ERROR, "file-error", 500, RIVER, NEVER, "the file could not be read",                   \
      "look at the system's log for errors of the disk or the network file system")                \
    X(FILE_CHANGED, "file-changed", 500, RIVER, NEVER,                                             \
      "the file became shorter while it was sent",                                                 \
      "replace files by renaming, instead of writing into them")                                   \
    X(STREAM_IDLE, "stream-idle", 504, NONE, NEVER,                                                \
      "nothing moved between client and origin for too long",                                      \
      "raise `stream-idle-timeout-ms` if silence is normal here")                                  \
    X(FILTER_TIMEOUT, "filter-timeout", 503, RIVER, NEVER, "a filter did not come back in time",   \
      "report it: a filter waits for something that does not come")                                \
    X(INTERNAL_FILTER, "internal-filter", 500, RIVER, NEVER,                                       \
      "a bug in River: a filter's verdict does not fit its stage",                                 \
      "report it, with the lines of the error log around it")                                      \
    X(INTERNAL_DEADLINE, "internal-deadline", 500, RIVER, NEVER,                                   \
      "a bug in River: a deadline without an effect",                                              \
      "report it, with the lines of the error log around it")                                      \
    X(TUNNEL_IDLE, "tunnel-idle", 0, NONE, NEVER,                                                  \
      "nothing moved through the tunnel for too long",                                             \
      "raise `tunnel-idle-timeout-ms`, or let the application send pings")                         \
    X(STOPPED, "stopped", 0, RIVER, NEVER, "River stopped before the request was complete",        \
      "raise `drain-timeout-ms` if requests take longer than that")
/* clang-format on */

typedef enum Fault {
#define X(name, code, status, blame, retry, sentence, remedy) FAULT_##name,
    FAULT_TABLE(X)
#undef X
#define X(name, code, sentence, remedy) FAULT_REQUEST_##name,
        HTTP_FAULT_TABLE(X)
#undef X
#define X(name, code, sentence, remedy) FAULT_RESPONSE_##name,
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
    Str remedy; /* what to do about it; `options` and the like in backquotes */
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
