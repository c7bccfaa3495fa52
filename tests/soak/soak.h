/* soak.h - what the parts of the load generator share: clients as actors, what they count, and the
 * pattern of which every body is made.
 *
 * A test program, not production code: it stops (die) where it cannot go on. One thread runs all
 * clients, another one the origin. Whatever a client gets is checked to the last byte; how it can
 * fail is a table here. */
#ifndef SOAK_SOAK_H
#define SOAK_SOAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>

#define KIND_TABLE(X)                                                                              \
    X(KEEPALIVE, "keepalive") /* one request after the other on a connection */                    \
    X(FRESH, "fresh")         /* a connection for each request */                                  \
    X(H2, "h2")               /* streams of HTTP/2, without TLS */                                 \
    X(WEBSOCKET, "websocket") /* numbered messages through a tunnel that lasts for all the run */  \
    X(UPLOAD, "upload")       /* a body that takes seconds */                                      \
    X(DOWNLOAD, "download")   /* large bodies, read slowly */

#define CAUSE_TABLE(X)                                                                             \
    X(REFUSED, "refused")   /* a connect failed */                                                 \
    X(RESET, "reset")       /* the connection, or the stream, was reset */                         \
    X(EOF, "eof")           /* it ended before the whole answer was there */                       \
    X(BYTES, "bytes")       /* other bytes, or more or fewer, than were asked for */               \
    X(STATUS, "status")     /* another status */                                                   \
    X(PROTOCOL, "protocol") /* no HTTP, no HTTP/2, no WebSocket */                                 \
    X(TIMEOUT, "timeout")

typedef enum Kind {
#define X(name, text) KIND_##name,
    KIND_TABLE(X)
#undef X
    KINDS
} Kind;

typedef enum Cause {
#define X(name, text) CAUSE_##name,
    CAUSE_TABLE(X)
#undef X
    CAUSES
} Cause;

#define NEVER UINT64_MAX
#define MS UINT64_C(1000000)
#define PAUSE_MS 20u     /* after a failure: whoever is refused does not knock a million times */

_Noreturn void die(const char *what);
uint64_t clock_ns(void);
int socket_new(void);    /* non-blocking, without Nagle */
int listen_anywhere(uint16_t *ret_port);

/* --- bodies: byte `i` of the pattern `seed` is always the same --- */

void pattern_fill(uint64_t seed, uint64_t from, uint8_t *to, size_t len);
bool pattern_matches(uint64_t seed, uint64_t from, const uint8_t *bytes, size_t len);
uint64_t random_u64(void);
uint64_t random_below(uint64_t limit);

/* --- what is counted (stats.c) --- */

void stats_done(Kind kind, uint64_t asked_ns);
void stats_failed(Kind kind, Cause cause, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A request met the end of a connection that had been idle, and no byte of an answer came: a client
 * may ask again (RFC 9112 §9.3.1; RFC 9113 §6.8 for streams above GOAWAY's last). */
void stats_raced(Kind kind);
/* A connection was made; one was closed while no request was under way. */
void stats_connected(Kind kind);
void stats_idle_closed(Kind kind);
bool stats_phase(const char *name);
uint64_t stats_requests(void); /* done, WebSocket messages not counted */
uint64_t stats_failures(void);
void stats_report(FILE *to);

/* --- clients --- */

typedef struct Actor Actor;
struct Actor {
    Kind kind;
    int fd; /* -1: none */
    uint32_t index;
    uint32_t generation; /* of fd, so that an old event does not meet a new connection */
    int receive_bytes;   /* what the system may hold for it; 0: as much as it likes */
    uint64_t due_ns;     /* when on_time is called; NEVER */
    bool over;           /* it has stopped, as it was told */
    void (*on_ready)(Actor *a, uint32_t events);
    void (*on_time)(Actor *a);
};

typedef struct Soak {
    int poller;
    uint16_t port;
    bool ending; /* no new requests */
    uint64_t now_ns;
    uint64_t answer_ms; /* an answer that takes longer is none */
    unsigned think_ms; /* of every second keep-alive client, at most */
    uint64_t rate;     /* requests a second of all clients that do not go by their own clock; 0: as
                          many as they can */
} Soak;
extern Soak soak;

/* When the next request is due. With a rate it may lie in the past: then all clients were waiting
 * for answers, and what they kept waiting counts as latency, too. */
uint64_t soak_pace(void);

/* Starts to connect; false (and counted): refused at once. Readiness to write says how it went. */
bool actor_connect(Actor *a);
/* After readiness to write: whether it is connected; false (and counted): it is not. */
bool actor_connected(Actor *a);
void actor_watch(const Actor *a, uint32_t events);
void actor_close(Actor *a);

/* How much of a request a client reads at once. */
#define READ_BYTES 65536u
extern uint8_t soak_room[READ_BYTES];

Actor *h1_new(Kind kind, unsigned number);
Actor *h2_client_new(unsigned number);
Actor *websocket_new(unsigned number);

/* --- the origin (origin.c): a thread of its own --- */

uint16_t origin_start(void);

#endif
