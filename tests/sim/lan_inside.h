/* lan_inside.h - what lan.c (connections and time) and lan_system.c (calls and pollers) share. */
#ifndef TESTS_SIM_LAN_INSIDE_H
#define TESTS_SIM_LAN_INSIDE_H

#include <sys/stat.h>

#include "lan.h"

/* Bytes that one end writes and the other reads, as counts since the connection began:
 * read <= arrived <= sent <= written, and acked <= arrived. */
typedef struct Pipe {
    uint8_t *ring;
    uint64_t written;
    uint64_t sent;
    uint64_t arrived;
    uint64_t read;
    uint64_t acked;  /* as the writer knows */
    uint64_t window; /* up to where the writer may send, as it knows */
    uint64_t offered; /* the same, as the reader has last told */
    uint64_t busy_ns; /* until then the link carries what was sent */
    uint64_t last_ns; /* when the last of it arrives: nothing overtakes */
    bool fin;
    bool fin_sent;
    bool fin_arrived;
} Pipe;

typedef struct End {
    bool open; /* its owner holds it */
    bool river;
    bool connected;
    bool reset;
    int error;
    int peer; /* the test's name; -1: none */
    bool told; /* a READY event is on its way */
    bool watched;
    bool queued; /* in its poller's list */
    bool nospace; /* the writer was told that it is full */
    unsigned poller;
    Token token;
    Pipe out;
} End;

typedef struct Conn {
    bool used;
    bool vanished;
    uint32_t generation;
    LanLink link;
} Conn;

typedef struct Listening {
    bool on;
    size_t count;
    int backlog[LAN_BACKLOG_MAX];
    bool watched[LAN_THREADS_MAX];
    Token token[LAN_THREADS_MAX];
} Listening;

typedef struct PollerOf {
    int fd;
    const Mailbox *mailbox;
    bool mailbox_watched;
    Token mailbox_token;
    bool alarm_due;
    size_t count;
    int ready[LAN_ENDS_MAX * 2];
} PollerOf;

typedef struct Lan {
    uint64_t now_ns;
    int64_t wall_s;
    Random random;
    const LanHooks *hooks;
    LanFaults faults;
    uint64_t work;
    uint64_t accepts_failed;
    uint64_t events;
    size_t held; /* descriptors that River has */
    unsigned thread_count;
    int first_free; /* connections below are in use, as a hint */
    int conns_touched;
    PollerOf pollers[LAN_THREADS_MAX];
    Listening listeners[LAN_LISTENERS_MAX];
    LanHost hosts[LAN_HOSTS_MAX];
    Conn conns[LAN_ENDS_MAX / 2];
    End ends[LAN_ENDS_MAX];
} Lan;

extern Lan *lan;

static inline Conn *conn_of(int end)
{
    return &lan->conns[end / 2];
}

/* What the end may read. */
static inline Pipe *pipe_in(int end)
{
    return &lan->ends[end ^ 1].out;
}

size_t end_space(int end);
bool end_is_writable(int end);
void end_wake(int end);
size_t end_put(int end, const void *bytes, size_t len);
size_t end_get(int end, void *room, size_t len);
/* The owner of an end lets go of it. */
void end_close(int end, bool reset);
void end_finish(int end);
void end_break(int end, int error);
int conn_new(const LanLink *link);
void dial_begin(int end, int host);
bool lan_one_in(unsigned n);
/* Files (standin_disk.c), as loop/system.h has them; disk_file_close: whether it was one. */
int disk_file_open(int root, const char *path, bool now);
int disk_file_facts(int fd, bool now, struct statx *ret);
ssize_t disk_file_read(int fd, void *bytes, size_t room, uint64_t offset, bool now);
ssize_t disk_file_ready(int fd, uint64_t offset, size_t len);
ssize_t disk_file_send(int socket, int fd, uint64_t offset, size_t len);
bool disk_file_close(int fd);
/* Puts lan_system.c's table in place of the system's, and takes it away. */
void calls_replace(bool on);

#endif
