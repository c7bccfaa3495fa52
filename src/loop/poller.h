/* poller.h - readiness by epoll: connections edge-triggered and registered once, listeners
 * level-triggered and exclusive. */
#ifndef LOOP_POLLER_H
#define LOOP_POLLER_H

#include <sys/epoll.h>

#include "base/err.h"
#include "loop/token.h"

#define POLLER_EVENTS_MAX 256

enum {
    READY_IN = 1,     /* bytes (or an end) can be read */
    READY_OUT = 2,    /* bytes can be written */
    READY_END = 4,    /* the peer has finished sending */
    READY_BROKEN = 8  /* the connection failed or is gone in both directions */
};

typedef struct Ready {
    Token token;
    unsigned what;
} Ready;

typedef struct Poller {
    int fd; /* -1 when closed */
    int alarm_fd;
    uint64_t alarm_ms; /* when it rings; UINT64_MAX: never */
    size_t count;
    Ready ready[POLLER_EVENTS_MAX];
    struct epoll_event events[POLLER_EVENTS_MAX]; /* here, for a local array is zeroed each time */
} Poller;

MUST_USE Err poller_open(Poller *p);
void poller_close(Poller *p);
/* A connection: all events, edge-triggered, until its descriptor is closed or removed. */
MUST_USE Err poller_add(const Poller *p, int fd, Token token);
/* A listener, shared by the threads: level-triggered, one thread is woken. One that is watched
 * already stays so. */
MUST_USE Err poller_add_listener(const Poller *p, int fd, Token token);
/* Anything else that only becomes readable (an eventfd): level-triggered. */
MUST_USE Err poller_add_input(const Poller *p, int fd, Token token);
void poller_remove(const Poller *p, int fd);
/* Sees to it that poller_wait returns at `due_ms` (of the monotonic clock) or before. The alarm
 * stays set while events come and go, so that waiting sets no timer of its own: on an idle machine
 * that is the dearest part of a wait. An alarm that rings too early costs one empty turn. */
void poller_alarm(Poller *p, uint64_t due_ms);
/* Waits at most `timeout_ms` (-1: for ever) and fills ready[0..count). */
void poller_wait(Poller *p, int timeout_ms);

#endif
