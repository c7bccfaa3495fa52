/* system.h - every system call of the data path, behind one table.
 *
 * Production uses `system_real`. Tests put their own table in place: a simulated network and clock
 * (tests/sim), or the real one with the n-th call failing. The table is set before threads start.
 * All functions follow their system call's contract (result -1 and errno). */
#ifndef LOOP_SYSTEM_H
#define LOOP_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef struct System {
    uint64_t (*now_ns)(void); /* monotonic */
    int (*accept)(int listener, struct sockaddr_storage *ret_peer, socklen_t *ret_bytes);
    int (*socket)(int family);
    int (*connect)(int fd, const struct sockaddr *to, socklen_t bytes);
    int (*socket_error)(int fd);
    ssize_t (*receive)(int fd, void *bytes, size_t room);
    ssize_t (*send)(int fd, const void *bytes, size_t len);
    ssize_t (*send_more)(int fd, const void *bytes, size_t len); /* at once more will follow */
    ssize_t (*send_pieces)(int fd, struct iovec *pieces, size_t count);
    int (*shutdown_send)(int fd);
    int (*unacked)(int fd); /* bytes that were sent and that the peer has not acknowledged */
    int (*close)(int fd);
    int (*close_reset)(int fd); /* close so that the peer sees a reset, not an end */
    int (*poll_change)(int poller, int operation, int fd, struct epoll_event *event);
    int (*poll_alarm)(int alarm, uint64_t due_ms); /* `alarm`, a timer, is readable from then on */
    int (*poll_wait)(int poller, struct epoll_event *events, int room, int timeout_ms);
    /* Files. Those with `now` fail with EAGAIN where they would have to wait for a disk. */
    int (*file_open)(int root, const char *path, bool now); /* for reading, beneath `root` only */
    int (*file_facts)(int fd, bool now, struct statx *ret);
    ssize_t (*file_read)(int fd, void *bytes, size_t room, uint64_t offset, bool now);
    ssize_t (*file_ready)(int fd, uint64_t offset, size_t len); /* bytes in memory; -1: unknown */
    ssize_t (*file_send)(int socket, int fd, uint64_t offset, size_t len);
} System;

/* Has the kernel probe a TCP peer that is silent, so that one that has vanished is found within two
 * minutes. Set on a listener, it holds for what that accepts. */
#define KEEP_ALIVE_QUIET_S 60
#define KEEP_ALIVE_APART_S 15
#define KEEP_ALIVE_PROBES 4
void system_keep_alive(int fd);

extern const System system_real;
extern const System *system_calls;

#endif
