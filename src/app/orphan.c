/* orphan.c - the socket where an orphan answers, and the go-between that talks to it. */
#include "app/orphan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/bound.h"
#include "app/handover.h"
#include "loop/log.h"
#include "net/address.h"

#define SUFFIX S(".orphan")
#define MESSAGE_MS 2000   /* for the orphan's next message */
#define READY_MS 120000   /* for the next supervisor's worker to serve */
#define RELEASED_MS 5000  /* for an orphan to stop accepting */
#define MESSAGES_MAX 1024u

/* ---- the socket ---- */

static Err print_path(Str control, Text *ret)
{
    text_add(ret, control);
    text_add(ret, SUFFIX);
    return ret->overflow ? ERR_LIMIT : ERR_OK;
}

Err orphan_listen(Str control, Arena *arena, ListenSocket *ret)
{
    uint8_t room[PATH_MAX];
    Text path = text_in(span_of(room, sizeof room));
    Address at;
    struct stat about;
    ListenSocket socket = {.fd = -1};
    TRY(print_path(control, &path));
    if (!arena_copy(arena, text_str(&path), &socket.unix_path)) {
        return ERR_MEMORY;
    }
    TRY(address_unix(socket.unix_path, &at));
    TRY(handover_listen(socket.unix_path, &socket.fd));
    if (lstat(at.as.local.sun_path, &about) != 0) {
        (void)close(socket.fd);
        return ERR_MISSING;
    }
    socket.name = socket.unix_path;
    socket.device = about.st_dev;
    socket.inode = about.st_ino;
    *ret = socket;
    return ERR_OK;
}

/* ---- the go-between ---- */

typedef struct GoBetween {
    int orphan;
    int supervisor;
    int pid; /* of the orphan, from the kernel; 0: no message yet */
} GoBetween;

/* Forwards the listening sockets under names derived from the sockets themselves. All others stay
 * open until this process ends. */
static Err forward_message(const GoBetween *g, const HandoverMessage *m)
{
    int good[HANDOVER_FDS_MAX];
    uint8_t room[HANDOVER_BYTES_MAX];
    Text names = text_in(span_of(room, sizeof room - 64));
    size_t count = 0;
    for (size_t i = 0; i < m->fd_count; i++) {
        int flags = fcntl(m->fds[i], F_GETFL);
        if (bound_is_alive(m->fds[i]) && flags >= 0 &&
            fcntl(m->fds[i], F_SETFL, flags | O_NONBLOCK) == 0) {
            bound_print(&names, m->fds[i]);
            text_byte(&names, '\n');
            good[count++] = m->fds[i];
        }
    }
    return count == 0 || names.overflow ? ERR_OK
                                        : handover_send(g->supervisor, HANDOVER_LISTENERS,
                                                        text_str(&names), good, count);
}

static Err receive_from_orphan(GoBetween *g, int timeout_ms, HandoverMessage *ret)
{
    static uint8_t room[HANDOVER_BYTES_MAX];
    Err err = handover_receive(g->orphan, span_of(room, sizeof room), timeout_ms, ret);
    g->pid = err == ERR_OK && ret->process != 0 ? ret->process : g->pid;
    return err;
}

/* Forwards the orphan's listeners up to its "over", an error or a timeout. Whether these suffice is
 * up to the supervisor. */
static Err forward_all(GoBetween *g)
{
    HandoverMessage m = {0};
    Err err = ERR_OK;
    for (unsigned i = 0; err == ERR_OK && m.kind != HANDOVER_OVER && i < MESSAGES_MAX; i++) {
        err = receive_from_orphan(g, MESSAGE_MS, &m);
        if (err == ERR_OK && m.kind == HANDOVER_LISTENERS) {
            TRY(forward_message(g, &m));
        }
    }
    return handover_send(g->supervisor, HANDOVER_OVER, STR_NONE, NULL, 0);
}

/* Waits until the orphan has stopped accepting, or kills it. */
static void retire_orphan(GoBetween *g)
{
    HandoverMessage m = {0};
    Err err = handover_send(g->orphan, HANDOVER_READY, STR_NONE, NULL, 0);
    while (err == ERR_OK && m.kind != HANDOVER_RELEASED) {
        err = receive_from_orphan(g, RELEASED_MS, &m);
    }
    if (err != ERR_OK && err != ERR_CLOSED && g->pid > 1) {
        LOG(ERROR, "the worker without a supervisor does not give its listeners up: killed",
            LOG_U64("pid", (uint64_t)g->pid));
        (void)kill(g->pid, SIGKILL);
    }
}

static _Noreturn void go_between(GoBetween *g)
{
    uint8_t room[HANDOVER_BYTES_MAX];
    HandoverMessage m = {0};
    if (forward_all(g) == ERR_OK &&
        handover_receive(g->supervisor, span_of(room, sizeof room), READY_MS, &m) == ERR_OK &&
        m.kind == HANDOVER_READY) {
        retire_orphan(g);
        (void)!handover_send(g->supervisor, HANDOVER_RELEASED, STR_NONE, NULL, 0);
    }
    _exit(0);
}

/* ---- the next supervisor ---- */

/* A live River answers at its control socket. */
static bool river_answers(Str control)
{
    Address to;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool answers = fd >= 0 && address_unix(control, &to) == ERR_OK &&
                   (connect(fd, &to.as.any, to.bytes) == 0 || errno == EAGAIN);
    if (fd >= 0) {
        (void)close(fd);
    }
    return answers;
}

/* Requires that the socket's peer, when it began to listen, was a supervisor of ours or root's. */
static int connect_orphan(Str control)
{
    uint8_t room[PATH_MAX];
    uint8_t why_room[PATH_MAX + 100];
    Text path = text_in(span_of(room, sizeof room));
    Text why = text_in(span_of(why_room, sizeof why_room));
    int fd = -1;
    if (print_path(control, &path) != ERR_OK) {
        return -1;
    }
    Err err = handover_connect(text_str(&path), &fd, &why);
    if (err == ERR_DENIED && why.len > 0) {
        LOG(WARN, "a worker without a supervisor is not asked for its listeners",
            LOG_STR("why", text_str(&why)));
    }
    int on = 1; /* receive the sender's credentials: the orphan's process id */
    (void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    return fd;
}

bool orphan_meet(Str control, int *ret_fd, pid_t *ret_pid)
{
    GoBetween g = {.orphan = -1, .supervisor = -1};
    int end = -1;
    if (control.len == 0 || river_answers(control)) {
        return false;
    }
    g.orphan = connect_orphan(control);
    if (g.orphan < 0 || handover_pair(&g.supervisor, &end) != ERR_OK) {
        if (g.orphan >= 0) {
            (void)close(g.orphan);
        }
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(end);
        go_between(&g);
    }
    (void)close(g.orphan); /* the go-between has it too, so this does not block */
    (void)close(g.supervisor);
    if (pid < 0) {
        (void)close(end);
        return false;
    }
    *ret_fd = end;
    *ret_pid = pid;
    return true;
}
