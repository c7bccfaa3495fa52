/* network.c - sockets, readiness edges and the clock, simulated. */
#include "network.h"

#include <errno.h>
#include <string.h>

#include "loop/system.h"

static SimNetwork *net;

static SimSocket *socket_at(int index)
{
    CHECK(index >= 0 && index < SIM_SOCKETS_MAX && net->sockets[index].used);
    return &net->sockets[index];
}

static SimSocket *socket_of_fd(int fd)
{
    return socket_at(fd - SIM_FIRST_FD);
}

static int socket_new(bool is_test)
{
    for (int i = 0; i < SIM_SOCKETS_MAX; i++) {
        if (!net->sockets[i].used) {
            net->sockets[i] = (SimSocket){.used = true,
                                          .is_test = is_test,
                                          .peer = -1,
                                          .capacity = 256u << 10,
                                          .queue = (uint8_t *)memory_new(NULL, SIM_QUEUE_BYTES)};
            CHECK(net->sockets[i].queue != NULL);
            return i;
        }
    }
    return -1;
}

static void socket_free(int index)
{
    SimSocket *s = socket_at(index);
    memory_drop(NULL, s->queue, SIM_QUEUE_BYTES);
    *s = (SimSocket){0};
}

static void pair_up(int a, int b)
{
    socket_at(a)->peer = b;
    socket_at(b)->peer = a;
}

static void edge(SimSocket *s, uint32_t events)
{
    s->edges |= events;
}

/* Whether this call is the one that fault injection wants to fail. */
static bool call_fails(void)
{
    if (net->fail_call >= 0 && net->fail_call-- == 0) {
        return true;
    }
    return net->fail_one_in && random_next(&net->random) % net->fail_one_in == 0;
}

static size_t io_limit(size_t n)
{
    if (net->io_max == 0 || n == 0) {
        return n;
    }
    size_t limit = 1 + (size_t)(random_next(&net->random) % net->io_max);
    return n < limit ? n : limit;
}

static uint64_t sim_now_ns(void)
{
    return net->now_ns;
}

static int sim_accept(int listener, struct sockaddr_storage *ret_peer, socklen_t *ret_bytes)
{
    (void)ret_bytes;
    CHECK(listener == SIM_LISTENER_FD);
    if (net->pending_count == 0) {
        errno = EAGAIN;
        return -1;
    }
    if (call_fails()) {
        errno = EMFILE;
        return -1;
    }
    int index = net->pending[0];
    net->pending_count--;
    memmove(net->pending, net->pending + 1, net->pending_count * sizeof net->pending[0]);
    Address a = address_ip((IpAddress){.family = 4, .bytes = {192, 0, 2, 7}}, 40000);
    memcpy(ret_peer, &a.as, a.bytes);
    return index + SIM_FIRST_FD;
}

static int sim_socket(int family)
{
    (void)family;
    int index = call_fails() ? -1 : socket_new(false);
    errno = EMFILE;
    return index < 0 ? -1 : index + SIM_FIRST_FD;
}

static int sim_connect_call(int fd, const struct sockaddr *to, socklen_t bytes)
{
    (void)to;
    (void)bytes;
    SimSocket *s = socket_of_fd(fd);
    if (net->refuse || call_fails()) {
        s->connect_error = ECONNREFUSED;
        s->reset = true;
        s->connecting = true;
        edge(s, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP);
        errno = EINPROGRESS;
        return -1;
    }
    int other = socket_new(true);
    CHECK(other >= 0);
    pair_up(fd - SIM_FIRST_FD, other);
    net->origins[net->origin_count++] = other;
    edge(s, EPOLLOUT);
    errno = EINPROGRESS;
    return -1;
}

static int sim_socket_error(int fd)
{
    return socket_of_fd(fd)->connect_error;
}

static ssize_t sim_receive(int fd, void *bytes, size_t room)
{
    SimSocket *s = socket_of_fd(fd);
    if (s->reset || call_fails()) {
        errno = ECONNRESET;
        return -1;
    }
    if (s->len == 0) {
        errno = EAGAIN;
        return s->fin_in ? 0 : -1;
    }
    size_t want = room < s->len ? room : s->len;
    size_t n = io_limit(want);
    memcpy(bytes, s->queue, n);
    memmove(s->queue, s->queue + n, s->len - n);
    s->len -= n;
    if (s->len > 0) {
        edge(s, EPOLLIN); /* as if the rest had come a moment later */
    }
    return (ssize_t)n;
}

static ssize_t sim_send(int fd, const void *bytes, size_t len)
{
    SimSocket *s = socket_of_fd(fd);
    CHECK(!s->fin_out);
    if (s->reset || s->peer < 0 || call_fails()) {
        errno = EPIPE;
        return -1;
    }
    SimSocket *to = socket_at(s->peer);
    size_t room = to->capacity > to->len ? to->capacity - to->len : 0;
    size_t n = io_limit(len < room ? len : room);
    if (n == 0) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(to->queue + to->len, bytes, n);
    to->len += n;
    if (n < len && to->len < to->capacity) {
        edge(s, EPOLLOUT);
    }
    return (ssize_t)n;
}

static ssize_t sim_send_pieces(int fd, struct iovec *pieces, size_t count)
{
    ssize_t total = 0;
    for (size_t i = 0; i < count; i++) {
        ssize_t n = pieces[i].iov_len ? sim_send(fd, pieces[i].iov_base, pieces[i].iov_len) : 0;
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

/* What the peer has not read. */
static int sim_unacked(int fd)
{
    SimSocket *s = socket_of_fd(fd);
    return s->peer >= 0 ? (int)socket_at(s->peer)->len : 0;
}

static int sim_shutdown_send(int fd)
{
    SimSocket *s = socket_of_fd(fd);
    s->fin_out = true;
    if (s->peer >= 0) {
        SimSocket *to = socket_at(s->peer);
        to->fin_in = true;
        edge(s, to->fin_out ? EPOLLHUP | EPOLLIN | EPOLLRDHUP : 0);
    }
    return 0;
}

static void socket_close(int index, bool hard)
{
    SimSocket *s = socket_at(index);
    if (s->peer >= 0) {
        SimSocket *to = socket_at(s->peer);
        to->peer = -1;
        to->fin_in = true;
        if (hard || s->len > 0) { /* unread bytes turn a close into a reset, as Linux does */
            to->reset = true;
            to->len = to->is_test ? to->len : 0;
        }
        edge(to, EPOLLIN | EPOLLRDHUP | (to->reset ? EPOLLERR | EPOLLHUP : 0));
    }
    socket_free(index);
}

static int sim_close(int fd)
{
    socket_close(fd - SIM_FIRST_FD, false);
    return 0;
}

static int sim_close_reset(int fd)
{
    socket_close(fd - SIM_FIRST_FD, true);
    return 0;
}

static int sim_poll_change(int poller, int operation, int fd, struct epoll_event *event)
{
    (void)poller;
    if (fd < SIM_FIRST_FD) { /* the listener, or the mailbox, which nobody writes to */
        net->listening = fd == SIM_LISTENER_FD ? operation == EPOLL_CTL_ADD : net->listening;
        return 0;
    }
    if (operation == EPOLL_CTL_ADD && call_fails()) {
        errno = ENOSPC;
        return -1;
    }
    SimSocket *s = socket_of_fd(fd);
    s->registered = operation == EPOLL_CTL_ADD;
    if (s->registered) {
        s->token = event->data.u64;
        uint32_t now = (s->peer >= 0 && !s->connecting ? EPOLLOUT : 0) |
                       (s->len > 0 || s->fin_in ? EPOLLIN : 0) | (s->fin_in ? EPOLLRDHUP : 0);
        edge(s, now);
    }
    return 0;
}

/* Each turn looks at the wheel. */
static int sim_poll_alarm(int alarm, uint64_t due_ms)
{
    (void)alarm;
    (void)due_ms;
    return 0;
}

static int sim_poll_wait(int poller, struct epoll_event *events, int room, int timeout_ms)
{
    (void)poller;
    (void)timeout_ms;
    int count = 0;
    if (net->pending_count > 0 && net->listening) {
        Handle h = {.slot = 0, .generation = 1};
        events[count++] = (struct epoll_event){.events = EPOLLIN,
                                               .data.u64 = token_of(TOKEN_LISTENER, h)};
    }
    int start = (int)(random_next(&net->random) % SIM_SOCKETS_MAX);
    for (int k = 0; k < SIM_SOCKETS_MAX && count < room; k++) {
        SimSocket *s = &net->sockets[(start + k) % SIM_SOCKETS_MAX];
        if (s->used && s->registered && s->edges) {
            uint32_t ready = s->edges;
            if (s->fin_in) {
                ready |= EPOLLRDHUP | EPOLLIN;
            }
            events[count++] = (struct epoll_event){.events = ready, .data.u64 = s->token};
            s->edges = 0;
        }
    }
    return count;
}

static const System sim_system = {
    .now_ns = sim_now_ns,
    .accept = sim_accept,
    .socket = sim_socket,
    .connect = sim_connect_call,
    .socket_error = sim_socket_error,
    .receive = sim_receive,
    .send = sim_send,
    .send_pieces = sim_send_pieces,
    .shutdown_send = sim_shutdown_send,
    .unacked = sim_unacked,
    .close = sim_close,
    .close_reset = sim_close_reset,
    .poll_change = sim_poll_change,
    .poll_alarm = sim_poll_alarm,
    .poll_wait = sim_poll_wait,
};

void sim_start(SimNetwork *n, uint64_t seed)
{
    *n = (SimNetwork){.now_ns = UINT64_C(1000000000), .fail_call = -1};
    random_seed_from(&n->random, seed);
    net = n;
    system_calls = &sim_system;
}

void sim_stop(SimNetwork *n)
{
    for (int i = 0; i < SIM_SOCKETS_MAX; i++) {
        if (n->sockets[i].used) {
            socket_free(i);
        }
    }
    system_calls = &system_real;
    net = NULL;
}

int sim_connect(SimNetwork *n)
{
    int river = socket_new(false);
    int test = socket_new(true);
    CHECK(river >= 0 && test >= 0);
    pair_up(river, test);
    n->pending[n->pending_count++] = river;
    return test;
}

void sim_write(SimNetwork *n, int side, Str bytes)
{
    SimSocket *s = &n->sockets[side];
    if (!s->used || s->peer < 0 || bytes.len == 0) {
        return;
    }
    SimSocket *to = socket_at(s->peer);
    CHECK(to->len + bytes.len <= SIM_QUEUE_BYTES);
    memcpy(to->queue + to->len, bytes.at, bytes.len);
    to->len += bytes.len;
    edge(to, EPOLLIN);
}

void sim_finish(SimNetwork *n, int side)
{
    SimSocket *s = &n->sockets[side];
    s->fin_out = true;
    if (s->used && s->peer >= 0) {
        SimSocket *to = socket_at(s->peer);
        to->fin_in = true;
        edge(to, EPOLLIN | EPOLLRDHUP | (to->fin_out ? EPOLLHUP : 0));
    }
}

void sim_reset(SimNetwork *n, int side)
{
    if (n->sockets[side].used) {
        socket_close(side, true);
    }
}

size_t sim_read(SimNetwork *n, int side, Span room)
{
    SimSocket *s = &n->sockets[side];
    size_t got = s->used ? (s->len < room.len ? s->len : room.len) : 0;
    if (got == 0) {
        return 0;
    }
    memcpy(room.at, s->queue, got);
    memmove(s->queue, s->queue + got, s->len - got);
    s->len -= got;
    if (s->peer >= 0) {
        edge(socket_at(s->peer), EPOLLOUT);
    }
    return got;
}

bool sim_ended(const SimNetwork *n, int side)
{
    const SimSocket *s = &n->sockets[side];
    return !s->used || (s->fin_in && s->len == 0);
}

bool sim_was_reset(const SimNetwork *n, int side)
{
    return n->sockets[side].used && n->sockets[side].reset;
}

int sim_accept_origin(SimNetwork *n)
{
    if (n->origin_count == 0) {
        return -1;
    }
    int index = n->origins[0];
    n->origin_count--;
    memmove(n->origins, n->origins + 1, n->origin_count * sizeof n->origins[0]);
    return index;
}

size_t sim_open_count(const SimNetwork *n)
{
    size_t count = 0;
    for (int i = 0; i < SIM_SOCKETS_MAX; i++) {
        count += n->sockets[i].used && !n->sockets[i].is_test;
    }
    return count - n->pending_count; /* those that nobody has accepted are not River's */
}
