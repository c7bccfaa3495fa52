/* lan.h - a network, its clock and the threads' pollers in memory, in place of the system's
 * (loop/system.h): connections have latency, a rate, windows and buffers with bounds; readiness
 * comes as edges, as Linux gives it; hosts refuse, delay or vanish.
 *
 * Time is simulated: the owner takes what is due (lan_deliver), and then moves the clock to
 * lan_next_ns. Everything is decided by the seed. A connection has two ends; an end is River's (a
 * descriptor) or the test's (a number of the same kind). */
#ifndef TESTS_SIM_LAN_H
#define TESTS_SIM_LAN_H

#include <sys/epoll.h>

#include "base/memory.h"
#include "loop/mailbox.h"
#include "loop/random.h"
#include "loop/token.h"

#define LAN_ENDS_MAX 16384
#define LAN_FD_FIRST 100000
#define LAN_LISTENERS_MAX 16
#define LAN_LISTENER_FD 90000
#define LAN_HOSTS_MAX 8
#define LAN_THREADS_MAX 4
#define LAN_BACKLOG_MAX 256
#define LAN_RING_BYTES (1u << 20) /* at least what both buffers of a link hold */
#define LAN_MS UINT64_C(1000000)
#define LAN_S UINT64_C(1000000000)

/* How a host treats those who dial it. */
typedef enum LanDial { LAN_ACCEPTS, LAN_REFUSES, LAN_SILENT } LanDial;

typedef struct LanLink { /* what a connection is made of */
    uint64_t latency_ns;   /* one way */
    uint64_t rate;         /* bytes a second; 0: no limit */
    uint32_t send_bytes;   /* of each end's buffers */
    uint32_t receive_bytes;
    uint32_t segment;      /* bytes that arrive at once, at most */
} LanLink;

typedef struct LanHost {
    LanDial dial;
    uint64_t dial_ns; /* what an accepted dial takes beyond the latency */
    LanLink link;
} LanHost;

typedef struct LanFaults {
    unsigned receive_one_in; /* calls that fail, one in so many; 0: none */
    unsigned accept_one_in;
    int accept_error; /* what they say */
    unsigned watch_one_in;
    unsigned short_one_in; /* calls that move few bytes */
} LanFaults;

/* What the test does when something happens; `peer` is what it named the end. */
typedef struct LanHooks {
    void (*arrived)(int host, int end);  /* River's dial has been accepted */
    void (*ready)(int end, int peer);    /* something has changed for the test's end */
    void (*timer)(uint32_t kind, uint64_t what);
} LanHooks;

void lan_open(uint64_t seed, const LanHooks *hooks);
void lan_close(void);

/* --- time and threads --- */
uint64_t lan_now_ns(void);
void lan_advance(uint64_t to_ns);
/* When something is due next; UINT64_MAX: never. */
uint64_t lan_next_ns(void);
/* Takes what is due now; false: nothing was. */
bool lan_deliver(void);
void lan_timer(uint64_t at_ns, uint32_t kind, uint64_t what);
void lan_wall_jump(int64_t by_s);
/* The poller of a thread, by its descriptor; its mailbox wakes it. */
void lan_thread(unsigned index, int poller_fd, const Mailbox *mailbox);
/* Whether the thread has something that would end its wait. `alarm_ms`: its alarm. */
bool lan_thread_is_ready(unsigned index, uint64_t alarm_ms);
/* Whether messages wait for it (a real eventfd). */
bool lan_mailbox_is_full(unsigned index);
/* Calls of a thread that moved bytes or said something new, and events that it got: work. */
uint64_t lan_work(void);
/* Events that a thread got, work or not. */
uint64_t lan_events(void);

/* Prints each call of River's that moves something, for who looks for a fault. */
extern bool lan_traces;

/* --- the test's side --- */
void lan_host(int host, const LanHost *is);
LanHost *lan_host_of(int host);
/* Connects to a listener; the end that the test holds, or -1: it does not listen. */
int lan_connect(int listener, const LanLink *link);
void lan_name(int end, int peer);
size_t lan_write(int end, Str bytes);
size_t lan_room(int end);
size_t lan_read(int end, Span room);
size_t lan_readable(int end);
/* All was read, and the other side has finished. */
bool lan_ended(int end);
bool lan_broken(int end);
/* The other side has closed. */
bool lan_is_left(int end);
bool lan_connected(int end);
void lan_finish(int end);
void lan_drop(int end, bool reset);
/* From now on nothing passes in either direction, without a word to either end. */
void lan_vanish(int end);
LanLink *lan_link(int end);
void lan_faults(const LanFaults *f);
LanFaults *lan_faults_now(void);
void lan_listen(int listener, bool on);

/* --- questions about River's ends --- */
size_t lan_river_open(void);
bool lan_is_river(int fd);
/* Bytes (or an end) that the socket has and no event has told of. */
bool lan_is_forgotten(int fd, bool readable);
size_t lan_unread(int fd);
bool lan_has_end(int fd);
bool lan_writable(int fd);
/* Calls of accept that have failed but for want of clients. */
uint64_t lan_accepts_failed(void);
size_t lan_waiting(int listener);
bool lan_is_watched(int listener, unsigned thread);
/* How many threads watch a listener. */
unsigned lan_watchers(int listener);

#endif
