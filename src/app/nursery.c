/* nursery.c - both sides of a birth: the supervisor asks, the nursery clones. */
#include "app/nursery.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/daemon.h"
#include "app/exit.h"
#include "app/fd_packet.h"
#include "base/region.h"
#include "loop/crash.h"
#include "loop/log.h"

#define NAME "river-nursery"
#define BIRTH_FDS 3u /* orders, answers, notes */

/* The order of clone's arguments depends on the architecture. */
#if defined(__aarch64__)
#define CLONE(flags, number) syscall(SYS_clone, (flags), NULL, NULL, NULL, (number))
#else
#define CLONE(flags, number) syscall(SYS_clone, (flags), NULL, NULL, (number), NULL)
#endif

typedef struct Request {
    uint32_t kind;
} Request;

typedef struct Reply {
    int32_t pid; /* 0: none */
    int32_t error; /* why there is none: an errno */
} Reply;

/* ---- the nursery ---- */

/* Like fork, but the child is a sibling. The C library registered the address of its thread id with
 * the kernel (set_tid_address): the child's id is stored there too. */
static pid_t clone_sibling(void)
{
    unsigned long flags = CLONE_PARENT | SIGCHLD;
    int *number = NULL;
    if (prctl(PR_GET_TID_ADDRESS, &number, 0, 0, 0) == 0 && number) {
        flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    }
    return (pid_t)CLONE(flags, number);
}

/* Runs the child; does not return. */
static _Noreturn void child_live(uint32_t kind, const int *fds)
{
    (void)prctl(PR_SET_NAME, child_kinds[kind]->process);
    ChildStart start = {.channel = {.orders = fds[0], .answers = fds[1]}};
    if (crash_adopt(fds[2]) == ERR_OK) {
        child_kinds[kind]->main(&start);
    }
    _exit(EXIT_FAILED);
}

static void answer_birth(int fd, Reply reply)
{
    ssize_t n;
    do {
        n = send(fd, &reply, sizeof reply, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
}

static void bear_child(int fd, const Request *request, const int *fds)
{
    pid_t pid = clone_sibling();
    if (pid == 0) {
        (void)close(fd);
        child_live(request->kind, fds);
    }
    answer_birth(fd, (Reply){.pid = pid > 0 ? pid : 0, .error = pid > 0 ? 0 : errno});
}

/* Serves one request; false: the supervisor is gone. */
static bool serve_one(int fd)
{
    Request request = {0};
    int fds[BIRTH_FDS] = {-1, -1, -1};
    FdRoom room = {0};
    struct iovec piece = {&request, sizeof request};
    struct msghdr packet = {.msg_iov = &piece, .msg_iovlen = 1};
    fd_packet_expect(&packet, &room, BIRTH_FDS);
    ssize_t n = recvmsg(fd, &packet, MSG_CMSG_CLOEXEC);
    if (n <= 0) {
        return n < 0 && errno == EINTR;
    }
    bool whole = fd_packet_take(&packet, fds, BIRTH_FDS) == BIRTH_FDS && n == sizeof request &&
                 request.kind < CHILD_KINDS && child_kinds[request.kind]->main;
    if (whole) {
        bear_child(fd, &request, fds);
    } else {
        answer_birth(fd, (Reply){.error = EINVAL});
    }
    for (size_t i = 0; i < BIRTH_FDS; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    return true;
}

/* The nursery dies with the supervisor. Other processes may neither trace it nor read its memory:
 * they could use it to create processes of their own. */
static _Noreturn void nursery_live(int fd, pid_t supervisor, bool let_go)
{
    (void)prctl(PR_SET_NAME, NAME);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor) {
        _exit(EXIT_OK);
    }
    if (fd > STDERR_FILENO + 1) {
        (void)close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
    }
    (void)close_range((unsigned)fd + 1, ~0u, 0);
    region_unmap_all();
    log_bind_direct(-1, LOG_ERROR);
    if (let_go) {
        daemon_let_go();
    }
    while (serve_one(fd)) {
    }
    _exit(EXIT_OK);
}

/* ---- the supervisor's side ---- */

static void nursery_forget(Nursery *n)
{
    if (n->fd >= 0) {
        (void)close(n->fd);
    }
    n->fd = -1;
    n->pid = 0;
}

Err nursery_start(Nursery *io)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return err_from_errno(errno);
    }
    pid_t supervisor = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        nursery_live(ends[1], supervisor, io->let_go);
    }
    (void)close(ends[1]);
    if (pid < 0) {
        Err err = err_from_errno(errno);
        (void)close(ends[0]);
        return err;
    }
    io->fd = ends[0];
    io->pid = pid;
    return ERR_OK;
}

void nursery_end(Nursery *io)
{
    if (io->pid > 0) {
        (void)kill(io->pid, SIGKILL);
        (void)waitpid(io->pid, NULL, 0);
    }
    nursery_forget(io);
}

void nursery_look(Nursery *io)
{
    if (io->pid > 0 && waitpid(io->pid, NULL, WNOHANG) != 0) {
        LOG(ERROR, "the nursery died: the next child is made by another one",
            LOG_U64("pid", (uint64_t)io->pid));
        nursery_forget(io);
    }
}

static Err ask_birth(int fd, const Birth *birth)
{
    Request request = {.kind = (uint32_t)birth->kind};
    const int fds[BIRTH_FDS] = {birth->channel.orders, birth->channel.answers, birth->notes};
    FdRoom room = {0};
    struct iovec piece = {&request, sizeof request};
    struct msghdr packet = {.msg_iov = &piece, .msg_iovlen = 1};
    fd_packet_attach(&packet, &room, fds, BIRTH_FDS);
    ssize_t n;
    do {
        n = sendmsg(fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? err_from_errno(errno) : ERR_OK;
}

/* ERR_CLOSED, ERR_TIMEOUT: the nursery is useless now. */
static Err hear_birth(int fd, pid_t *ret)
{
    Reply reply = {0};
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    int found;
    do {
        found = poll(&ready, 1, NURSERY_ANSWER_MS);
    } while (found < 0 && errno == EINTR);
    if (found == 0) {
        return ERR_TIMEOUT;
    }
    if (recv(fd, &reply, sizeof reply, MSG_DONTWAIT) != (ssize_t)sizeof reply) {
        return ERR_CLOSED;
    }
    *ret = reply.pid;
    return reply.pid > 0 ? ERR_OK : err_from_errno(reply.error);
}

Err nursery_bear(Nursery *io, const Birth *birth, pid_t *ret)
{
    Err err = ERR_OK;
    for (unsigned tries = 0; tries < 2; tries++) {
        if (io->pid == 0) {
            TRY(nursery_start(io));
        }
        err = ask_birth(io->fd, birth);
        bool asked = err == ERR_OK;
        err = asked ? hear_birth(io->fd, ret) : err;
        if (asked && err != ERR_TIMEOUT && err != ERR_CLOSED) {
            return err; /* it is alive, whatever it answered */
        }
        LOG(ERROR, "the nursery does not answer: another one takes its place",
            LOG_U64("pid", (uint64_t)io->pid));
        nursery_end(io);
    }
    return err;
}
