/* endpoint.h - where an origin is, and how River speaks to it. */
#ifndef POOL_ENDPOINT_H
#define POOL_ENDPOINT_H

#include "base/keyed_hash.h"
#include "net/address.h"
#include "net/tls.h"

/* Which versions of HTTP an endpoint may be spoken to in. With TLS both are offered by ALPN;
 * without it ENDPOINT_H2 is HTTP/2 by prior knowledge. */
typedef enum EndpointProtocol { ENDPOINT_H1, ENDPOINT_H2, ENDPOINT_H2_OR_H1 } EndpointProtocol;

typedef struct Endpoint {
    Address address;
    TlsClient *tls; /* the pool's; NULL: plain */
    EndpointProtocol protocol;
    Fingerprint tls_identity; /* of what `tls` was made of */
    Str name; /* canonical text: the identity in logs and status */
    uint32_t weight; /* as it was when it came; its set knows what it is now */
    uint32_t number; /* of a cluster's endpoints: Thread.endpoint_pins */
    uint32_t origin; /* index of the shared pool */
    uint64_t connect_timeout_ms;
    uint64_t connect_wait_ms; /* for a connection to become free or be made, in all */
    uint64_t read_timeout_ms;
    uint64_t write_timeout_ms;
    uint64_t idle_timeout_ms;
    uint32_t connections_max; /* 0: no limit */
} Endpoint;

#endif
