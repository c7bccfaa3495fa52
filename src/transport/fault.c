/* fault.c - the table of faults, generated from fault.h and http/fault.h. */
#include "transport/fault.h"

const FaultRow *fault_row(Fault f)
{
    static const FaultRow rows[FAULT_COUNT] = {
#define X(name, code, status, blame, retry, sentence, remedy)                                      \
    [FAULT_##name] = {S_INIT(code),     status,          BLAME_##blame, RETRY_##retry,             \
                      S_INIT(sentence), S_INIT(remedy)},
        FAULT_TABLE(X)
#undef X
#define X(name, code, sentence, remedy)                                                            \
    [FAULT_REQUEST_##name] = {S_INIT("request-" code), 400, BLAME_CLIENT, RETRY_NEVER,             \
                              S_INIT(sentence), S_INIT(remedy)},
            HTTP_FAULT_TABLE(X)
#undef X
#define X(name, code, sentence, remedy)                                                            \
    [FAULT_RESPONSE_##name] = {S_INIT("response-" code), 502, BLAME_ORIGIN, RETRY_NEVER,           \
                               S_INIT(sentence), S_INIT(remedy)},
                HTTP_FAULT_TABLE(X)
#undef X
    };
    CHECK(f < FAULT_COUNT);
    return &rows[f];
}

uint16_t fault_status(Fault f)
{
    switch ((int)f) {
    case FAULT_REQUEST_HEAD_TOO_LARGE:
    case FAULT_REQUEST_TOO_MANY_FIELDS:
        return 431; /* RFC 6585 §5 */
    case FAULT_REQUEST_TARGET_TOO_LONG:
        return 414;
    case FAULT_REQUEST_METHOD_TOO_LONG:
        return 501; /* RFC 9110 §9.1 */
    default:
        return fault_row(f)->status;
    }
}

Fault fault_of_request(HttpFault f)
{
    return (Fault)((unsigned)FAULT_REQUEST_NONE + (unsigned)f);
}

Fault fault_of_response(HttpFault f)
{
    return (Fault)((unsigned)FAULT_RESPONSE_NONE + (unsigned)f);
}

bool fault_is_malformed(Fault f)
{
    switch ((int)f) {
    case FAULT_REQUEST_PSEUDO:
    case FAULT_REQUEST_FIELD_NAME:
    case FAULT_REQUEST_FIELD_VALUE:
    case FAULT_REQUEST_CONNECTION_FIELD:
    case FAULT_REQUEST_LENGTH_INVALID:
    case FAULT_REQUEST_LENGTH_CONFLICT:
    case FAULT_REQUEST_BODY_CUT:
    case FAULT_REQUEST_BODY_FORBIDDEN:
    case FAULT_REQUEST_EXTRA_BYTES:
    case FAULT_REQUEST_TRAILER:
        return true;
    default:
        return false;
    }
}

bool fault_is_unreachable(Fault f)
{
    return f == FAULT_CONNECT_REFUSED || f == FAULT_CONNECT_FAILED || f == FAULT_CONNECT_TIMEOUT ||
           f == FAULT_ORIGIN_TLS || f == FAULT_ORIGIN_CERTIFICATE || f == FAULT_ORIGIN_PROTOCOL;
}

Fault fault_of_dial(Err err)
{
    switch ((int)err) {
    case ERR_REFUSED:
    case ERR_MISSING: /* no such Unix socket */
        return FAULT_CONNECT_REFUSED;
    case ERR_TIMEOUT:
        return FAULT_CONNECT_TIMEOUT;
    case ERR_DESCRIPTORS:
        return FAULT_DESCRIPTORS;
    case ERR_MEMORY:
        return FAULT_MEMORY;
    default:
        return FAULT_CONNECT_FAILED;
    }
}

Fault fault_of_client_tls(TlsReason reason)
{
    switch (reason) {
    case TLS_REASON_PLAINTEXT:
        return FAULT_TLS_PLAINTEXT;
    case TLS_REASON_VERSION:
        return FAULT_TLS_VERSION;
    case TLS_REASON_SUITE:
        return FAULT_TLS_SUITE;
    case TLS_REASON_ALPN:
        return FAULT_TLS_ALPN;
    case TLS_REASON_NO_CERTIFICATE:
    case TLS_REASON_CERTIFICATE:
        return FAULT_TLS_CERTIFICATE;
    case TLS_REASON_ALERT:
        return FAULT_TLS_ALERT;
    case TLS_REASON_NONE: /* the client disconnected during the handshake */
        return FAULT_CLIENT_GONE;
    case TLS_REASON_NAME:
    case TLS_REASON_PROTOCOL:
        break;
    }
    return FAULT_TLS_PROTOCOL;
}

Fault fault_of_origin_tls(TlsReason reason)
{
    switch (reason) {
    case TLS_REASON_CERTIFICATE:
    case TLS_REASON_NAME:
    case TLS_REASON_NO_CERTIFICATE:
        return FAULT_ORIGIN_CERTIFICATE;
    case TLS_REASON_ALPN:
        return FAULT_ORIGIN_PROTOCOL;
    case TLS_REASON_NONE:
    case TLS_REASON_PLAINTEXT:
    case TLS_REASON_VERSION:
    case TLS_REASON_SUITE:
    case TLS_REASON_ALERT:
    case TLS_REASON_PROTOCOL:
        break;
    }
    return FAULT_ORIGIN_TLS;
}
