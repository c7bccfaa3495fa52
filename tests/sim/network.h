/* network.h - a network and a clock in memory, in place of the system's (loop/system.h).
 *
 * A test plays the clients and the origins: it connects, writes, finishes, resets and reads on its
 * side of each connection, and turns a real worker thread in between. Everything is deterministic
 * for a seed. Faults: calls that move few bytes, calls that fail, peers that take little. */
#ifndef TESTS_SIM_NETWORK_H
#define TESTS_SIM_NETWORK_H

#include "loop/random.h"
#include "proxy/turn.h"
#include "proxy/worker.h"
#include "site.h"

#define SIM_SOCKETS_MAX 512
#define SIM_QUEUE_BYTES (1u << 20)
#define SIM_LISTENER_FD 1000
#define SIM_FIRST_FD 1001

typedef struct SimSocket {
    bool used;
    bool connecting;
    bool fin_in;   /* the peer has finished */
    bool fin_out;  /* this side has finished */
    bool reset;    /* broken by the peer */
    int connect_error;
    int peer;      /* index of the other side; -1: gone */
    bool is_test;  /* held by the test, not by River */
    bool registered;
    uint64_t token;
    uint32_t edges;
    size_t capacity; /* of the queue that arrives here */
    size_t len;
    uint8_t *queue;
} SimSocket;

typedef struct SimNetwork {
    uint64_t now_ns;
    Random random;
    unsigned io_max;          /* calls move at most so many bytes (random); 0: no limit */
    unsigned fail_one_in;     /* one call in so many fails with a reset; 0: none */
    bool refuse;              /* dials are refused */
    long fail_call;           /* the n-th call from now fails (ENOMEM or so); -1: none */
    int pending[SIM_SOCKETS_MAX]; /* River's sides of clients that wait to be accepted */
    size_t pending_count;
    bool listening;
    int origins[SIM_SOCKETS_MAX]; /* test's sides of connections that River has dialled */
    size_t origin_count;
    SimSocket sockets[SIM_SOCKETS_MAX];
} SimNetwork;

/* Puts the network in place of the system; one at a time. */
void sim_start(SimNetwork *n, uint64_t seed);
void sim_stop(SimNetwork *n);

/* The test's side of things; sockets are indexes. */
int sim_connect(SimNetwork *n);
void sim_write(SimNetwork *n, int side, Str bytes);
void sim_finish(SimNetwork *n, int side);
void sim_reset(SimNetwork *n, int side);
/* Takes at most `room.len` of what River has sent; returns how much. */
size_t sim_read(SimNetwork *n, int side, Span room);
/* River has finished (or reset) its side, and all was read. */
bool sim_ended(const SimNetwork *n, int side);
bool sim_was_reset(const SimNetwork *n, int side);
/* The next connection that River has dialled, or -1. */
int sim_accept_origin(SimNetwork *n);
/* Sockets that River holds open. */
size_t sim_open_count(const SimNetwork *n);

/* A site over a simulated network, and the worker that serves it. */
typedef struct SimWorld {
    SimNetwork network;
    Site site;
    Worker *worker;
} SimWorld;

/* Builds the world; `change` (may be NULL) alters the site before the worker is made. */
void world_open(SimWorld *w, uint64_t seed, void (*change)(SimWorld *w));
/* Cuts everything and checks that nothing is left. Returns the number of things that leaked. */
size_t world_close(SimWorld *w);
/* Turns the thread until nothing more happens. */
void world_settle(SimWorld *w);
/* Lets time pass, in steps, turning the thread. */
void world_wait(SimWorld *w, uint64_t ms);

#endif
