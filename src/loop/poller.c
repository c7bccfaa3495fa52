/* poller.c - epoll, translated to our own flags. */
#include "loop/poller.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "loop/system.h"

/* No object has this token: generations of live objects are odd. */
#define ALARM_TOKEN ((Token)0)

Err poller_open(Poller *p)
{
    p->count = 0;
    p->alarm_ms = UINT64_MAX;
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    p->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = ALARM_TOKEN};
    if (p->fd < 0 || p->alarm_fd < 0 ||
        epoll_ctl(p->fd, EPOLL_CTL_ADD, p->alarm_fd, &event) != 0) {
        Err err = err_from_errno(errno);
        poller_close(p);
        return err;
    }
    return ERR_OK;
}

void poller_close(Poller *p)
{
    if (p->fd >= 0) {
        (void)close(p->fd);
        p->fd = -1;
    }
    if (p->alarm_fd >= 0) {
        (void)close(p->alarm_fd);
        p->alarm_fd = -1;
    }
}

void poller_alarm(Poller *p, uint64_t due_ms)
{
    if (due_ms >= p->alarm_ms) {
        return;
    }
    p->alarm_ms = due_ms;
    (void)system_calls->poll_alarm(p->alarm_fd, due_ms);
}

static Err poller_change(const Poller *p, int operation, int fd, uint32_t events, Token token)
{
    struct epoll_event event = {.events = events, .data.u64 = token};
    if (system_calls->poll_change(p->fd, operation, fd, &event) != 0) {
        return err_from_errno(errno);
    }
    return ERR_OK;
}

Err poller_add(const Poller *p, int fd, Token token)
{
    return poller_change(p, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, token);
}

Err poller_add_listener(const Poller *p, int fd, Token token)
{
    Err err = poller_change(p, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE, token);
    return err == ERR_EXISTS ? ERR_OK : err;
}

Err poller_add_input(const Poller *p, int fd, Token token)
{
    return poller_change(p, EPOLL_CTL_ADD, fd, EPOLLIN, token);
}

void poller_remove(const Poller *p, int fd)
{
    /* A descriptor that is not registered (any more) is what the caller wants. */
    (void)poller_change(p, EPOLL_CTL_DEL, fd, 0, 0);
}

static unsigned ready_flags(uint32_t events)
{
    unsigned what = 0;
    what |= events & EPOLLIN ? (unsigned)READY_IN : 0;
    what |= events & EPOLLOUT ? (unsigned)READY_OUT : 0;
    what |= events & EPOLLRDHUP ? (unsigned)READY_END | READY_IN : 0;
    what |= events & (EPOLLERR | EPOLLHUP) ? (unsigned)READY_BROKEN | READY_IN : 0;
    return what;
}

void poller_wait(Poller *p, int timeout_ms)
{
    int n = system_calls->poll_wait(p->fd, p->events, POLLER_EVENTS_MAX, timeout_ms);
    p->count = 0;
    for (int i = 0; i < n; i++) { /* EINTR is an empty turn */
        const struct epoll_event *event = &p->events[i];
        if (event->data.u64 == ALARM_TOKEN) {
            p->alarm_ms = UINT64_MAX;
            continue;
        }
        p->ready[p->count++] =
            (Ready){.token = event->data.u64, .what = ready_flags(event->events)};
    }
}
