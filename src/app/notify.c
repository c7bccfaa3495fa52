/* notify.c - messages to the service manager, one datagram each. */
#include "app/notify.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "app/fd_packet.h"
#include "base/number.h"
#include "loop/log.h"

#define USEC_PER_MS 1000u

/* ---- opening ---- */

/* A path, or an abstract name, where '@' stands for the byte 0 (unix(7)). */
static Err address_of(Str text, Address *ret)
{
    int first = str_peek(text, 0);
    if (first == '/') {
        return address_unix(text, ret);
    }
    Address a = {.as.local.sun_family = AF_UNIX};
    if (first != '@' || text.len < 2 || text.len > sizeof a.as.local.sun_path) {
        return ERR_SYNTAX;
    }
    span_copy(span_of(a.as.local.sun_path, sizeof a.as.local.sun_path), text);
    a.as.local.sun_path[0] = '\0';
    /* An abstract name's length is part of it. */
    a.bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + text.len);
    *ret = a;
    return ERR_OK;
}

/* The keep-alive interval: half the watchdog's timeout. 0: none. */
static Err read_watchdog(const NotifyVariables *v, uint64_t *ret_ms)
{
    uint64_t usec = 0;
    uint64_t pid = 0;
    *ret_ms = 0;
    if (v->watchdog_usec.len == 0) {
        return ERR_OK;
    }
    TRY(number_decimal(v->watchdog_usec, UINT64_MAX, &usec));
    if (v->watchdog_pid.len > 0) {
        TRY(number_decimal(v->watchdog_pid, UINT32_MAX, &pid));
        if (pid != (uint64_t)getpid()) {
            return ERR_OK; /* another process is watched */
        }
    }
    *ret_ms = usec == 0 ? 0 : u64_max(usec / 2 / USEC_PER_MS, 1);
    return ERR_OK;
}

void notify_open(Notify *n, const NotifyVariables *v, uint64_t now_ms)
{
    *n = (Notify){.fd = -1};
    if (v->socket.len == 0) {
        return;
    }
    Notify fresh = {.open = true, .due_ms = now_ms};
    Err err = address_of(v->socket, &fresh.to);
    if (err == ERR_OK) {
        err = read_watchdog(v, &fresh.every_ms);
    }
    if (err == ERR_OK) {
        fresh.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        err = fresh.fd < 0 ? err_from_errno(errno) : ERR_OK;
    }
    if (err != ERR_OK) {
        LOG(WARN, "the service manager hears nothing of us",
            LOG_STR("why", str_from_c(err_sentence(err))), LOG_STR("notify_socket", v->socket),
            LOG_STR("watchdog_usec", v->watchdog_usec), LOG_STR("watchdog_pid", v->watchdog_pid));
        return;
    }
    *n = fresh;
}

void notify_close(Notify *n)
{
    if (n->open) {
        (void)close(n->fd);
    }
    *n = (Notify){.fd = -1};
}

/* ---- sending ---- */

/* ERR_AGAIN: the manager's queue is full. */
static Err notify_tell(const Notify *n, Str news)
{
    ssize_t sent = sendto(n->fd, news.at, news.len, MSG_NOSIGNAL, &n->to.as.any, /* system call */
                          n->to.bytes);
    if (sent >= 0) {
        return ERR_OK;
    }
    return errno == ENOBUFS ? ERR_AGAIN : err_from_errno(errno);
}

/* Sends, and keeps what the manager has no room for. If no manager listens, the message is lost. */
static void send_news(Notify *n, const Text *news, uint64_t now_ms)
{
    n->kept_len = 0;
    if (notify_tell(n, text_str(news)) == ERR_AGAIN) {
        n->kept_len = span_copy(span_of(n->kept, sizeof n->kept), text_str(news));
        n->again_ms = now_ms + NOTIFY_AGAIN_MS;
    }
}

/* Adds the status line: one line, truncated to fit. */
static void add_status(Text *news, Str status)
{
    text_add(news, S("STATUS="));
    Str line = str_take(str_cut(status, '\n').head, news->room.len - news->len);
    text_add(news, line);
}

static void notify_say(Notify *n, Str what, Str status, uint64_t now_ms)
{
    uint8_t room[NOTIFY_BYTES_MAX];
    if (n->open) {
        Text news = text_in(span_of(room, sizeof room));
        text_add(&news, what);
        add_status(&news, status);
        send_news(n, &news, now_ms);
    }
}

void notify_ready(Notify *n, size_t services, size_t listeners, uint64_t worker, uint64_t now_ms)
{
    uint8_t what_room[64];
    uint8_t status_room[128];
    Text what = text_in(span_of(what_room, sizeof what_room));
    Text status = text_in(span_of(status_room, sizeof status_room));
    text_format(&what, "READY=1\nMAINPID=%d\n", getpid());
    text_format(&status, "serving: %zu service%s, %zu listener%s, worker %llu", services,
                services == 1 ? "" : "s", listeners, listeners == 1 ? "" : "s",
                (unsigned long long)worker);
    notify_say(n, text_str(&what), text_str(&status), now_ms);
}

void notify_reloading(Notify *n, uint64_t now_ms)
{
    struct timespec now;
    uint8_t room[64];
    Text what = text_in(span_of(room, sizeof room));
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t usec = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / USEC_PER_MS;
    text_format(&what, "RELOADING=1\nMONOTONIC_USEC=%llu\n", (unsigned long long)usec);
    notify_say(n, text_str(&what), S("reloading"), now_ms);
}

void notify_stopping(Notify *n, Str status, uint64_t now_ms)
{
    notify_say(n, S("STOPPING=1\n"), status, now_ms);
}

void notify_status(Notify *n, Str status, uint64_t now_ms)
{
    if (n->kept_len == 0) { /* a kept message is more important than a status line */
        notify_say(n, S(""), status, now_ms);
    }
}

/* ---- the store ---- */

Err notify_store(const Notify *n, Str name, int fd)
{
    uint8_t room[NOTIFY_BYTES_MAX];
    Text news = text_in(span_of(room, sizeof room));
    FdRoom control = {0};
    Address to = n->to; /* sendmsg takes no const address */
    text_format(&news, "FDSTORE=1\nFDNAME=%.*s\n", STR_ARG(name));
    struct iovec piece = {room, news.len};
    struct msghdr packet = {.msg_name = &to.as.any,
                            .msg_namelen = to.bytes,
                            .msg_iov = &piece,
                            .msg_iovlen = 1};
    fd_packet_attach(&packet, &control, &fd, 1);
    if (sendmsg(n->fd, &packet, MSG_NOSIGNAL) >= 0) {
        return ERR_OK;
    }
    return errno == ENOBUFS ? ERR_AGAIN : err_from_errno(errno);
}

void notify_unstore(const Notify *n, Str name)
{
    uint8_t room[NOTIFY_BYTES_MAX];
    Text news = text_in(span_of(room, sizeof room));
    text_format(&news, "FDSTOREREMOVE=1\nFDNAME=%.*s\n", STR_ARG(name));
    (void)!notify_tell(n, text_str(&news));
}

/* ---- what is due ---- */

void notify_keep(Notify *n, bool well, uint64_t now_ms)
{
    if (!n->open) {
        return;
    }
    if (n->kept_len > 0 && now_ms >= n->again_ms) {
        Text news = text_in(span_of(n->kept, n->kept_len));
        news.len = n->kept_len;
        send_news(n, &news, now_ms);
    }
    if (n->every_ms != 0 && well && now_ms >= n->due_ms) {
        Err err = notify_tell(n, S("WATCHDOG=1"));
        n->due_ms = now_ms + (err == ERR_AGAIN ? u64_min(NOTIFY_AGAIN_MS, n->every_ms)
                                               : n->every_ms);
    } else if (n->every_ms != 0 && now_ms >= n->due_ms) {
        /* Not well: check again soon, without a busy loop. */
        n->due_ms = now_ms + u64_min(NOTIFY_AGAIN_MS, n->every_ms);
    }
}

uint64_t notify_due_ms(const Notify *n)
{
    uint64_t due = n->every_ms != 0 ? n->due_ms : 0;
    if (n->kept_len > 0) {
        due = due == 0 ? n->again_ms : u64_min(due, n->again_ms);
    }
    return due;
}

void notify_successor(Notify *n, Str pid, uint64_t now_ms)
{
    uint8_t room[64];
    Text what = text_in(span_of(room, sizeof room));
    text_format(&what, "MAINPID=%.*s\n", STR_ARG(str_take(pid, 20)));
    notify_say(n, text_str(&what), S("another River takes over"), now_ms);
    notify_close(n); /* from now on the other one sends */
}

static void set_variable(const char *name, Str value)
{
    char room[PATH_MAX];
    if (value.len > 0 && str_to_c(value, span_of(room, sizeof room)) == ERR_OK) {
        (void)setenv(name, room, 1);
    }
}

void notify_bequeath(const NotifyVariables *v)
{
    uint8_t room[24];
    Text pid = text_in(span_of(room, sizeof room));
    text_u64(&pid, (uint64_t)getpid());
    set_variable("NOTIFY_SOCKET", v->socket);
    set_variable("WATCHDOG_USEC", v->watchdog_usec);
    set_variable("WATCHDOG_PID", v->watchdog_usec.len > 0 ? text_str(&pid) : STR_NONE);
}
