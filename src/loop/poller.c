/* poller.c - epoll, translated to our own flags. */
#include "loop/poller.h"

#include <errno.h>
#include <unistd.h>

#include "loop/system.h"

Err poller_open(Poller *p)
{
    p->count = 0;
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    return p->fd >= 0 ? ERR_OK : err_from_errno(errno);
}

void poller_close(Poller *p)
{
    if (p->fd >= 0) {
        (void)close(p->fd);
        p->fd = -1;
    }
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
    return poller_change(p, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE, token);
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
    struct epoll_event events[POLLER_EVENTS_MAX];
    int n = system_calls->poll_wait(p->fd, events, POLLER_EVENTS_MAX, timeout_ms);
    p->count = n > 0 ? (size_t)n : 0; /* EINTR is an empty turn */
    for (size_t i = 0; i < p->count; i++) {
        p->ready[i] = (Ready){.token = events[i].data.u64, .what = ready_flags(events[i].events)};
    }
}
