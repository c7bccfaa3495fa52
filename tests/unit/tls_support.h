/* tls_support.h - two TLS sessions that talk to each other in memory, and the test certificates. */
#ifndef TESTS_UNIT_TLS_SUPPORT_H
#define TESTS_UNIT_TLS_SUPPORT_H

#include "net/tls.h"

/* A file that tests/e2e/certificates.py has written; empty when it is not there. */
Str fixture(const char *name);
bool fixture_exists(const char *name);
/* "a": a.pem and a.key. */
TlsPair fixture_pair(const char *name);

/* A plan with up to four pairs by name (NULL ends), h1 and h2 offered, no client certificates. The
 * plan points into static memory that the next call changes. */
TlsServerPlan server_plan(const char *one, const char *two, const char *three, const char *four);
/* Trusts the test authority. */
TlsClientPlan client_plan(Str name);

TlsServer *server_of(const TlsServerPlan *plan);
TlsClient *client_of(const TlsClientPlan *plan);

#define QUEUE_BYTES_MAX (1u << 20)

typedef struct Queue {
    size_t len;
    uint8_t bytes[QUEUE_BYTES_MAX];
} Queue;

/* A TlsSink that appends to a Queue. */
Err queue_sink(void *context, const Str *pieces, size_t count);

/* Both ends, the ciphertext that is under way, and the plaintext that came out. */
typedef struct Ends {
    Tls *server;
    Tls *client;
    Queue *to_server;
    Queue *to_client;
    Queue *server_got;
    Queue *client_got;
    bool server_closed; /* close_notify came */
    bool client_closed;
} Ends;

/* The references of `s` and `c` stay the caller's. */
void ends_open(Ends *e, TlsServer *s, TlsClient *c);
void ends_close(Ends *e);
/* Moves everything there is, in pieces of at most `split` bytes, until nothing moves any more. */
void ends_run(Ends *e, size_t split);
/* Whether both are open after ends_run. */
bool ends_shake(Ends *e, size_t split);

/* One handshake between new ends of these plans; the caller looks at the outcome, and closes. The
 * server and the client are given up at once: sessions hold references. */
void ends_between(Ends *e, const TlsServerPlan *server, const TlsClientPlan *client);

#endif
