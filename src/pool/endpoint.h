/* endpoint.h - an origin's address, and how River talks to it. */
#ifndef POOL_ENDPOINT_H
#define POOL_ENDPOINT_H

#include "base/keyed_hash.h"
#include "net/address.h"
#include "net/tls.h"

/* The versions of HTTP that an endpoint may use. With TLS, ALPN offers both; without it,
 * ENDPOINT_H2 means HTTP/2 by prior knowledge. */
typedef enum EndpointProtocol { ENDPOINT_H1, ENDPOINT_H2, ENDPOINT_H2_OR_H1 } EndpointProtocol;

typedef struct Endpoint {
    Address address;
    TlsClient *tls; /* the pool's; NULL: plain */
    EndpointProtocol protocol;
    Fingerprint tls_identity; /* what `tls` was made from */
    Str name; /* canonical text: the identity in logs and status */
    uint32_t weight; /* initial weight; the endpoint set has the current one */
    uint32_t number; /* within its cluster: Thread.endpoint_pins */
    uint32_t origin; /* index of the shared pool */
    uint64_t connect_timeout_ms;
    uint64_t connect_wait_ms; /* to get a connection, idle or new, in all */
    uint64_t read_timeout_ms;
    uint64_t write_timeout_ms;
    uint64_t idle_timeout_ms;
    uint32_t connections_max; /* 0: no limit */
} Endpoint;

#endif
