/* worker_orphan.c - a worker that loses its supervisor: it keeps serving, logs that, obeys signals,
 * and gives its listeners to the next supervisor (orphan.h). */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/breakin.h"

#include "base/clock.h"
#include "app/handover.h"
#include "app/worker_parts.h"

#define SAY_MS 60000u
#define SIGNAL_FRESH_MS 2000u /* a signal that came so shortly before also counts for the orphan */

Err orphan_prepare(Orphan *o)
{
    sigset_t ours;
    (void)sigemptyset(&ours);
    (void)sigaddset(&ours, SIGTERM);
    (void)sigaddset(&ours, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &ours, NULL);
    o->socket = -1;
    o->heir = -1;
    o->signals = signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
    return o->signals < 0 ? err_from_errno(errno) : ERR_OK;
}

static void close_one(int *io_fd)
{
    if (*io_fd >= 0) {
        (void)close(*io_fd);
    }
    *io_fd = -1;
}

void orphan_take_socket(Orphan *o, int fd)
{
    close_one(&o->socket);
    o->socket = fd;
}

/* ---- signals ---- */

static void obey_signal(WorkerProcess *p, uint32_t number)
{
    if (number == SIGTERM && !p->ending) {
        LOG(INFO, "draining", LOG_U64("timeout_ms", p->system.drain_timeout_ms));
        worker_begin_drain(p, p->system.drain_timeout_ms, true);
        worker_refuse_newcomers(p);
    } else {
        LOG(INFO, "stopping");
        worker_refuse_newcomers(p);
        worker_begin_stop(p);
    }
}

static void take_signals(WorkerProcess *p)
{
    struct signalfd_siginfo info;
    Orphan *o = &p->orphan;
    while (read(o->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (o->is_one) {
            obey_signal(p, info.ssi_signo);
        } else { /* the supervisor got it too, or will send orders */
            o->signal = info.ssi_signo;
            o->signal_ms = clock_ms();
        }
    }
}

/* ---- the beginning ---- */

void orphan_begin(WorkerProcess *p)
{
    Orphan *o = &p->orphan;
    uint64_t now = clock_ms();
    o->is_one = true;
    if (p->ending) {
        return;
    }
    if (!p->confirmed) { /* it has only started: the previous worker keeps serving */
        LOG(ERROR, "the supervisor is gone before this worker was to serve: it ends");
        worker_begin_drain(p, p->system.drain_timeout_ms, false);
        return;
    }
    LOG(ERROR, "the supervisor is gone: this worker goes on alone; start River again",
        LOG_U64("pid", (uint64_t)getpid()));
    o->say_at_ms = now + breakin_look_ms(SAY_MS);
    if (o->signal_ms != 0 && now - o->signal_ms < SIGNAL_FRESH_MS) {
        obey_signal(p, o->signal);
    }
}

static void orphan_say(WorkerProcess *p)
{
    Orphan *o = &p->orphan;
    uint64_t now = clock_ms();
    if (o->is_one && !p->ending && now >= o->say_at_ms) {
        LOG(WARN, "no supervisor: this worker goes on alone; start River again",
            LOG_U64("pid", (uint64_t)getpid()));
        o->say_at_ms = now + breakin_look_ms(SAY_MS);
    }
}

/* ---- the next supervisor ---- */

/* Sends all listeners, as many per message as fit. The names are for people, and not trusted. */
static Err tell_listeners(const WorkerProcess *p)
{
    const Snapshot *s = &p->builder.newest->snapshot;
    int fds[HANDOVER_FDS_MAX];
    uint8_t room[HANDOVER_BYTES_MAX];
    size_t count = 0;
    Text names = text_in(span_of(room, sizeof room));
    for (size_t i = 0; i <= s->listener_count; i++) {
        bool full = count == HANDOVER_FDS_MAX || names.len + PATH_MAX > sizeof room - 64;
        if (count > 0 && (full || i == s->listener_count)) {
            TRY(handover_send(p->orphan.heir, HANDOVER_LISTENERS, text_str(&names), fds, count));
            count = 0;
            names.len = 0;
        }
        if (i < s->listener_count && s->listeners[i] && !s->listeners[i]->leaving) {
            text_add(&names, s->listeners[i]->name);
            text_byte(&names, '\n');
            fds[count++] = s->listeners[i]->fd;
        }
    }
    return handover_send(p->orphan.heir, HANDOVER_OVER, STR_NONE, NULL, 0);
}

static void lose_heir(Orphan *o)
{
    close_one(&o->heir);
    o->heir_state = HEIR_NONE;
}

static void meet_heir(WorkerProcess *p)
{
    Orphan *o = &p->orphan;
    o->heir = accept4(o->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (o->heir < 0) {
        return;
    }
    LOG(INFO, "another River takes over");
    o->heir_state = HEIR_TOLD;
    if (tell_listeners(p) != ERR_OK) {
        lose_heir(o);
    }
}

static void hear_heir(WorkerProcess *p)
{
    uint8_t room[HANDOVER_BYTES_MAX];
    HandoverMessage m;
    Orphan *o = &p->orphan;
    Err err = handover_receive(o->heir, span_of(room, sizeof room), 0, &m);
    if (err == ERR_AGAIN) {
        return;
    }
    for (size_t i = 0; err == ERR_OK && i < m.fd_count; i++) {
        (void)close(m.fds[i]);
    }
    if (err == ERR_OK && m.kind == HANDOVER_READY && o->heir_state == HEIR_TOLD) {
        LOG(INFO, "another River serves: finishing what is open");
        o->heir_state = HEIR_READY;
        worker_begin_drain(p, p->system.drain_timeout_ms, false);
    } else if (err != ERR_OK) {
        if (o->heir_state == HEIR_TOLD) {
            LOG(WARN, "the other River could not start: this worker goes on");
        }
        lose_heir(o);
    }
}

void orphan_tell_deaf(WorkerProcess *p)
{
    if (p->orphan.heir >= 0) {
        (void)!handover_send(p->orphan.heir, HANDOVER_RELEASED, STR_NONE, NULL, 0);
        lose_heir(&p->orphan);
    }
}

/* ---- the event loop ---- */

/* Whether this is an orphan that an heir may still connect to. */
static bool awaits_heir(const WorkerProcess *p)
{
    const Orphan *o = &p->orphan;
    return o->is_one && !p->ending && o->heir < 0 && o->socket >= 0;
}

size_t orphan_poll(const WorkerProcess *p, struct pollfd *fds)
{
    const Orphan *o = &p->orphan;
    fds[0] = (struct pollfd){.fd = o->signals, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = awaits_heir(p) ? o->socket : -1, .events = POLLIN};
    fds[2] = (struct pollfd){.fd = o->heir, .events = POLLIN};
    return ORPHAN_POLL_MAX;
}

int orphan_tick_ms(const WorkerProcess *p)
{
    uint64_t now = clock_ms();
    uint64_t at = p->orphan.say_at_ms;
    bool says = p->orphan.is_one && !p->ending;
    return !says ? -1 : at > now ? (int)(at - now) : 0;
}

void orphan_serve(WorkerProcess *p)
{
    Orphan *o = &p->orphan;
    take_signals(p);
    orphan_say(p);
    if (awaits_heir(p)) {
        meet_heir(p);
    }
    if (o->heir >= 0) {
        hear_heir(p);
    }
    if (p->ending) {
        close_one(&o->socket);
    }
}
