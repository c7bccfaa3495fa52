/* lan_system.c - the table of system calls over the simulated network, the threads' pollers, and
 * the wall clock. */
#include "lan_inside.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "loop/system.h"
#include "net/address.h"

static int end_of_fd(int fd)
{
    int end = fd - LAN_FD_FIRST;
    CHECK(end >= 0 && end < LAN_ENDS_MAX && lan->ends[end].open && lan->ends[end].river);
    return end;
}

bool lan_traces;

static void trace(const char *what, int end, long result)
{
    if (lan_traces) {
        printf("    %12.3f ms  %-8s %5d  %ld\n", (double)lan->now_ns / LAN_MS, what, end, result);
    }
}

static size_t some_of(size_t n)
{
    return n > 1 && lan_one_in(lan->faults.short_one_in) ? 1 + random_next(&lan->random) % n : n;
}

static uint64_t call_now_ns(void)
{
    return lan->now_ns;
}

/* The wall clock, and the monotonic one for libraries: both simulated. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    uint64_t ns = lan ? lan->now_ns : 0;
    int64_t base_s = lan && clock == CLOCK_REALTIME ? lan->wall_s : 0;
    now->tv_sec = (time_t)(base_s + (int64_t)(ns / LAN_S));
    now->tv_nsec = (long)(ns % LAN_S);
    return 0;
}

void lan_wall_jump(int64_t by_s)
{
    lan->wall_s += by_s;
}

/* --- connections ----------------------------------------------------------------------------- */

static int call_accept(int listener, struct sockaddr_storage *ret_peer, socklen_t *ret_bytes)
{
    (void)ret_bytes;
    Listening *l = &lan->listeners[listener - LAN_LISTENER_FD];
    if (l->count == 0) {
        errno = EAGAIN;
        return -1;
    }
    if (lan_one_in(lan->faults.accept_one_in)) {
        errno = lan->faults.accept_error;
        lan->accepts_failed++;
        return -1;
    }
    int end = l->backlog[0];
    l->count--;
    memmove(l->backlog, l->backlog + 1, l->count * sizeof l->backlog[0]);
    Address from = address_ip((IpAddress){.family = 4, .bytes = {192, 0, 2, 7}}, 40000);
    memcpy(ret_peer, &from.as, from.bytes);
    lan->ends[end].river = true;
    lan->held++;
    trace("accept", end, listener - LAN_LISTENER_FD);
    lan->work++;
    return LAN_FD_FIRST + end;
}

static int call_socket(int family)
{
    (void)family;
    static const LanLink none;
    int end = conn_new(&none);
    lan->ends[end].open = true;
    lan->ends[end].river = true;
    lan->held++;
    return LAN_FD_FIRST + end;
}

static int call_connect(int fd, const struct sockaddr *to, socklen_t bytes)
{
    (void)bytes;
    int end = end_of_fd(fd);
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)to;
    int host = ntohs(in->sin_port) - 1;
    CHECK(host >= 0 && host < LAN_HOSTS_MAX);
    conn_of(end)->link = lan->hosts[host].link;
    for (int k = 0; k < 2; k++) {
        lan->ends[end ^ k].out.window = conn_of(end)->link.receive_bytes;
        lan->ends[end ^ k].out.offered = conn_of(end)->link.receive_bytes;
    }
    dial_begin(end, host);
    trace("dial", end, host);
    lan->work++;
    errno = EINPROGRESS;
    return -1;
}

static int call_socket_error(int fd)
{
    const End *e = &lan->ends[end_of_fd(fd)];
    return e->error ? e->error : e->connected ? 0 : EAGAIN;
}

static ssize_t call_receive(int fd, void *bytes, size_t room)
{
    int end = end_of_fd(fd);
    End *e = &lan->ends[end];
    if (lan_one_in(lan->faults.receive_one_in) && !e->reset) {
        end_break(end, ECONNRESET);
        end_break(end ^ 1, ECONNRESET);
    }
    size_t n = end_get(end, bytes, some_of(room));
    if (n > 0) {
        lan->work++;
        trace("receive", end, (long)n);
        if (n < room && pipe_in(end)->arrived > pipe_in(end)->read) {
            end_wake(end); /* a call that was made short: as if the rest came a moment later */
        }
        return (ssize_t)n;
    }
    trace("nothing", end, e->reset ? e->error : -(long)pipe_in(end)->fin_arrived);
    if (e->reset) {
        errno = e->error;
        return -1;
    }
    if (pipe_in(end)->fin_arrived) {
        return 0;
    }
    errno = EAGAIN;
    return -1;
}

static ssize_t call_send(int fd, const void *bytes, size_t len)
{
    int end = end_of_fd(fd);
    End *e = &lan->ends[end];
    if (e->reset || e->out.fin) {
        errno = EPIPE;
        return -1;
    }
    size_t n = e->connected ? end_put(end, bytes, some_of(len)) : 0;
    if (n < len) {
        e->nospace = true;
        if (end_is_writable(end)) { /* a call that was made short */
            e->nospace = false;
            end_wake(end);
        }
    }
    lan->work += n > 0;
    trace("send", end, (long)n);
    errno = EAGAIN;
    return n > 0 ? (ssize_t)n : -1;
}

static ssize_t call_send_pieces(int fd, struct iovec *pieces, size_t count)
{
    ssize_t total = 0;
    for (size_t i = 0; i < count; i++) {
        ssize_t n =
            pieces[i].iov_len ? call_send(fd, pieces[i].iov_base, pieces[i].iov_len) : 0;
        if (n < 0) {
            return total > 0 ? total : n;
        }
        total += n;
        if ((size_t)n < pieces[i].iov_len) {
            break;
        }
    }
    return total;
}

static int call_shutdown_send(int fd)
{
    trace("finish", fd - LAN_FD_FIRST, 0);
    end_finish(end_of_fd(fd));
    lan->work++;
    return 0;
}

static int call_unacked(int fd)
{
    const Pipe *p = &lan->ends[end_of_fd(fd)].out;
    return (int)(p->written - p->acked);
}

static int call_close(int fd)
{
    if (disk_file_close(fd)) {
        return 0;
    }
    trace("close", fd - LAN_FD_FIRST, 0);
    lan->held--;
    end_close(end_of_fd(fd), false);
    lan->work++;
    return 0;
}

static int call_close_reset(int fd)
{
    trace("reset", fd - LAN_FD_FIRST, 0);
    lan->held--;
    end_close(end_of_fd(fd), true);
    lan->work++;
    return 0;
}

/* --- pollers --------------------------------------------------------------------------------- */

static unsigned poller_index(int fd)
{
    for (unsigned i = 0; i < lan->thread_count; i++) {
        if (lan->pollers[i].fd == fd) {
            return i;
        }
    }
    CHECK(false);
    return 0;
}

static uint32_t events_of(int end)
{
    End *e = &lan->ends[end];
    const Pipe *in = pipe_in(end);
    if (!e->connected && !e->error) {
        return 0;
    }
    uint32_t mask = 0;
    bool end_in = in->fin_arrived || e->reset;
    mask |= in->arrived > in->read || end_in ? EPOLLIN : 0;
    mask |= end_in ? EPOLLRDHUP : 0;
    mask |= e->reset ? EPOLLERR | EPOLLHUP : 0;
    mask |= in->fin_arrived && e->out.fin ? EPOLLHUP : 0;
    if (e->reset || e->out.fin || end_is_writable(end)) {
        mask |= EPOLLOUT;
    } else {
        e->nospace = true;
    }
    return mask;
}

static int listener_change(Listening *l, unsigned p, int operation, const struct epoll_event *event)
{
    bool add = operation == EPOLL_CTL_ADD;
    if (add && lan_one_in(lan->faults.watch_one_in)) {
        errno = ENOSPC;
        return -1;
    }
    if (l->watched[p] == add) {
        errno = add ? EEXIST : ENOENT;
        return -1;
    }
    l->watched[p] = add;
    l->token[p] = add ? event->data.u64 : 0;
    return 0;
}

static int call_poll_change(int poller, int operation, int fd, struct epoll_event *event)
{
    unsigned p = 0;
    bool add = operation == EPOLL_CTL_ADD;
    if (fd < LAN_LISTENER_FD) { /* a mailbox; it is watched while its thread is made */
        return 0;
    }
    p = poller_index(poller);
    if (fd < LAN_FD_FIRST) {
        return listener_change(&lan->listeners[fd - LAN_LISTENER_FD], p, operation, event);
    }
    int end = end_of_fd(fd);
    End *e = &lan->ends[end];
    if (add && lan_one_in(lan->faults.watch_one_in)) {
        errno = ENOSPC;
        return -1;
    }
    CHECK(!add || !e->watched);
    if (!add && (!e->watched || e->poller != p)) {
        errno = ENOENT;
        return -1;
    }
    e->watched = add;
    e->queued = false;
    if (add) {
        e->poller = p;
        e->token = event->data.u64;
        if (events_of(end)) {
            end_wake(end);
        }
    }
    return 0;
}

/* Whether its descriptor is readable: who has not been woken has written nothing there. */
static bool mailbox_is_full(const PollerOf *p)
{
    if (!p->mailbox || !atomic_load(&p->mailbox->woken)) {
        return false;
    }
    struct pollfd look = {.fd = p->mailbox->wake_fd, .events = POLLIN};
    return poll(&look, 1, 0) == 1;
}

/* Events of connections, in an order that the seed chooses. */
static int ends_give(PollerOf *p, unsigned index, struct epoll_event *events, int room, int count)
{
    size_t total = p->count;
    size_t start = total ? random_next(&lan->random) % total : 0;
    size_t kept = 0;
    for (size_t i = 0; i < total; i++) {
        int end = p->ready[(start + i) % total];
        End *e = &lan->ends[end];
        if (!e->open || !e->watched || !e->queued || e->poller != index) {
            continue;
        }
        uint32_t mask = events_of(end);
        e->queued = false;
        if (mask && count < room) {
            events[count++] = (struct epoll_event){.events = mask, .data.u64 = e->token};
        }
        CHECK(count < room); /* far more than a simulation has */
    }
    p->count = kept;
    return count;
}

/* The simulation itself looks when the next deadline is (lan_thread_is_ready). */
static int call_poll_alarm(int alarm, uint64_t due_ms)
{
    (void)alarm;
    (void)due_ms;
    return 0;
}

static int call_poll_wait(int poller, struct epoll_event *events, int room, int timeout_ms)
{
    (void)timeout_ms;
    unsigned index = poller_index(poller);
    PollerOf *p = &lan->pollers[index];
    int count = 0;
    for (int i = 0; i < LAN_LISTENERS_MAX; i++) {
        const Listening *l = &lan->listeners[i];
        if (l->watched[index] && l->count > 0) {
            events[count++] =
                (struct epoll_event){.events = EPOLLIN, .data.u64 = l->token[index]};
        }
    }
    struct epoll_event mail = {.events = EPOLLIN, .data.u64 = p->mailbox_token};
    bool full = mailbox_is_full(p);
    bool first = random_next(&lan->random) % 2;
    if (full && first) {
        events[count++] = mail;
    }
    int before = count; /* a listener's event is no work yet: the clients that it brings are */
    count = ends_give(p, index, events, room, count);
    lan->work += (uint64_t)(count - before);
    if (full && !first) {
        events[count++] = mail;
    }
    lan->events += (uint64_t)count;
    if (p->alarm_due) {
        p->alarm_due = false;
        events[count++] = (struct epoll_event){.events = EPOLLIN, .data.u64 = 0};
    }
    return count;
}

static const System lan_calls = {
    .now_ns = call_now_ns,
    .accept = call_accept,
    .socket = call_socket,
    .connect = call_connect,
    .socket_error = call_socket_error,
    .receive = call_receive,
    .send = call_send,
    .send_more = call_send,
    .send_pieces = call_send_pieces,
    .shutdown_send = call_shutdown_send,
    .unacked = call_unacked,
    .close = call_close,
    .close_reset = call_close_reset,
    .poll_change = call_poll_change,
    .poll_alarm = call_poll_alarm,
    .poll_wait = call_poll_wait,
    .file_open = disk_file_open,
    .file_facts = disk_file_facts,
    .file_read = disk_file_read,
    .file_ready = disk_file_ready,
    .file_send = disk_file_send,
};

void calls_replace(bool on)
{
    system_calls = on ? &lan_calls : &system_real;
}

void lan_thread(unsigned index, int poller_fd, const Mailbox *mailbox)
{
    lan->thread_count = index + 1 > lan->thread_count ? index + 1 : lan->thread_count;
    Token token = (Token)4 << TOKEN_SLOT_BITS; /* TOKEN_MAILBOX without a handle */
    lan->pollers[index] = (PollerOf){
        .fd = poller_fd, .mailbox = mailbox, .mailbox_token = token};
}

bool lan_thread_is_ready(unsigned index, uint64_t alarm_ms)
{
    PollerOf *p = &lan->pollers[index];
    if (alarm_ms != UINT64_MAX && lan->now_ns > alarm_ms * LAN_MS) {
        p->alarm_due = true;
        return true;
    }
    for (int i = 0; i < LAN_LISTENERS_MAX; i++) {
        if (lan->listeners[i].watched[index] && lan->listeners[i].count > 0) {
            return true;
        }
    }
    for (size_t i = 0; i < p->count; i++) {
        const End *e = &lan->ends[p->ready[i]];
        if (e->open && e->watched && e->queued && e->poller == index) {
            return true;
        }
    }
    return false;
}

bool lan_mailbox_is_full(unsigned index)
{
    return mailbox_is_full(&lan->pollers[index]);
}

uint64_t lan_events(void)
{
    return lan->events;
}

uint64_t lan_work(void)
{
    return lan->work;
}

/* --- questions ------------------------------------------------------------------------------- */

size_t lan_river_open(void)
{
    return lan->held;
}

bool lan_is_forgotten(int fd, bool readable)
{
    int end = end_of_fd(fd);
    const End *e = &lan->ends[end];
    const Pipe *in = pipe_in(end);
    bool something = in->arrived > in->read || in->fin_arrived || e->reset;
    return something && !readable && !e->queued && e->watched;
}

bool lan_has_end(int fd)
{
    int end = end_of_fd(fd);
    return pipe_in(end)->fin_arrived || lan->ends[end].reset;
}

size_t lan_unread(int fd)
{
    return lan_readable(end_of_fd(fd));
}

bool lan_writable(int fd)
{
    return end_is_writable(end_of_fd(fd));
}

uint64_t lan_accepts_failed(void)
{
    return lan->accepts_failed;
}

size_t lan_waiting(int listener)
{
    return lan->listeners[listener].count;
}

bool lan_is_watched(int listener, unsigned thread)
{
    return lan->listeners[listener].watched[thread];
}

unsigned lan_watchers(int listener)
{
    unsigned count = 0;
    for (unsigned i = 0; i < LAN_THREADS_MAX; i++) {
        count += lan->listeners[listener].watched[i];
    }
    return count;
}
