/* upgrade.c - both sides of a take-over (handover.h has the protocol). */
#include "app/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "app/activation.h"
#include "app/handover.h"
#include "app/pidfile.h"
#include "app/store.h"
#include "app/trust.h"

#define WAIT_FOR_OLD_MS (10 * 60 * 1000) /* for SIGQUIT to reach the old one */
#define MESSAGE_MS 10000                 /* for the next message of the old one */
#define READY_MS 120000u                 /* for the new one to serve */
#define DISCARD_MS 1000                  /* for messages to be discarded */
#define RETRY_MS 500u                    /* between attempts to reach the waiting one */
#define RETRIES 20u
#define SOCKETS_MAX 65536u
#define WORDS_MAX 250
#define REASON_BYTES_MAX 8000u

/* ---- the new one: receiving ---- */

static Err take_sockets(Takeover *t, const HandoverMessage *m, Arena *arena)
{
    Str rest = m->lines;
    for (size_t i = 0; i < m->fd_count; i++) {
        StrCut line = str_cut(rest, '\n');
        Str name;
        uint32_t there = 0;
        rest = line.tail;
        if (!line.found || t->sockets.count == t->sockets.room ||
            (t->go_between != 0 && activation_has(m->fds[i])) ||
            str_map_find(&t->sockets.names, 0, line.head, &there)) {
            (void)close(m->fds[i]);
            continue;
        }
        if (!arena_copy(arena, line.head, &name)) {
            return ERR_MEMORY;
        }
        ListenSocket *socket = &t->sockets.at[t->sockets.count];
        *socket = (ListenSocket){
            .fd = m->fds[i], .name = name, .passed = m->kind == HANDOVER_PASSED};
        if (m->kind == HANDOVER_PASSED) {
            activation_adopt(socket->fd);
        } else {
            listen_find_file(socket);
        }
        str_map_add(&t->sockets.names, 0, name, (uint32_t)t->sockets.count);
        t->sockets.count++;
    }
    return ERR_OK;
}

static Err take_message(Takeover *t, const HandoverMessage *m, Arena *arena)
{
    if (m->kind == HANDOVER_LISTENERS || m->kind == HANDOVER_PASSED) {
        return take_sockets(t, m, arena);
    }
    for (size_t i = 0; i < m->fd_count; i++) {
        if (m->kind == HANDOVER_STATE && t->state < 0) {
            t->state = m->fds[i];
        } else {
            (void)close(m->fds[i]);
        }
    }
    return ERR_OK;
}

static Err take_all(Takeover *t, Arena *arena)
{
    uint8_t room[HANDOVER_BYTES_MAX];
    HandoverMessage m;
    do {
        TRY(handover_receive(t->fd, span_of(room, sizeof room), MESSAGE_MS, &m));
        TRY(take_message(t, &m, arena));
    } while (m.kind != HANDOVER_OVER);
    t->received = true;
    return ERR_OK;
}

Err takeover_receive(Takeover *t, const Launch *launch, const SystemSettings *system,
                     Arena *arena, Text *why)
{
    ListenSocket *sockets = arena_array(arena, ListenSocket, SOCKETS_MAX);
    if (!sockets || str_map_open(arena, SOCKETS_MAX, &t->sockets.names) != ERR_OK) {
        return ERR_MEMORY;
    }
    t->sockets.room = SOCKETS_MAX;
    t->sockets.at = sockets; /* system call */
    bool waits = t->fd < 0 && launch->hand_over_fd < 0;
    t->fd = t->fd < 0 ? launch->hand_over_fd : t->fd;
    if (waits && system->upgrade_socket.len == 0) {
        text_add(why, S("--upgrade needs `upgrade-socket` in `system`, or --upgrade-socket PATH"));
        return ERR_MISSING;
    }
    if (waits) {
        LOG(INFO, "waiting for the old River to hand over: send it SIGQUIT",
            LOG_STR("socket", system->upgrade_socket));
        TRY(handover_await(system->upgrade_socket, WAIT_FOR_OLD_MS, &t->fd, why));
    }
    (void)fcntl(t->fd, F_SETFD, FD_CLOEXEC);
    Err err = take_all(t, arena);
    if (err != ERR_OK) {
        text_format(why, "the old River has not handed over: %s",
                    err == ERR_UNSUPPORTED ? "it speaks another version's protocol"
                                           : err_sentence(err));
    }
    return err;
}

void takeover_failed(Takeover *t, Str why)
{
    uint8_t room[HANDOVER_BYTES_MAX];
    HandoverMessage m = {.kind = HANDOVER_UNKNOWN};
    if (t->fd >= 0) {
        /* Closing a socket with unread data would discard what was sent last. */
        while (m.kind != HANDOVER_OVER && !t->received &&
               handover_receive(t->fd, span_of(room, sizeof room), DISCARD_MS, &m) == ERR_OK) {
            for (size_t i = 0; i < m.fd_count; i++) {
                (void)close(m.fds[i]);
            }
        }
        (void)!handover_send(t->fd, HANDOVER_FAILED, str_take(why, REASON_BYTES_MAX), NULL, 0);
        (void)close(t->fd);
        t->fd = -1;
    }
}

void takeover_ready(Supervisor *s)
{
    uint8_t room[32];
    Text t = text_in(span_of(room, sizeof room));
    text_u64(&t, (uint64_t)getpid());
    text_byte(&t, '\n');
    if (handover_send(s->takeover.fd, HANDOVER_READY, text_str(&t), NULL, 0) != ERR_OK) {
        LOG(WARN, "the old River has gone before it was told");
    }
}

void takeover_on_readable(Supervisor *s)
{
    uint8_t room[HANDOVER_BYTES_MAX];
    HandoverMessage m;
    Err err = handover_receive(s->takeover.fd, span_of(room, sizeof room), 0, &m);
    if (err == ERR_AGAIN || (err == ERR_OK && m.kind != HANDOVER_RELEASED)) {
        return;
    }
    (void)close(s->takeover.fd);
    s->takeover.fd = -1;
    supervisor_claim_files(s);
    store_remove(&s->notify, &s->takeover.sockets, &s->current->listeners);
    supervisor_notify_serving(s);
    LOG(INFO, "taken over");
}

/* ---- the old one ---- */

static void upgrade_conclude(Supervisor *s, int status, Str text)
{
    ControlClient *client =
        s->upgrade.client != 0 ? control_find(&s->control, s->upgrade.client) : NULL;
    s->upgrade.client = 0;
    if (client) {
        control_answer(&s->control, client, text);
        control_answer(&s->control, client, status == 0 ? S("exit 0\n") : S("exit 1\n"));
        control_finish(client);
    }
}

/* The new one has failed: everything stays as it is. */
static void upgrade_cancel(Supervisor *s, Str why)
{
    uint8_t room[REASON_BYTES_MAX + 200];
    Text t = text_in(span_of(room, sizeof room));
    Upgrade *u = &s->upgrade;
    if (u->fd >= 0) {
        (void)close(u->fd);
    }
    if (u->pid != 0) {
        (void)kill(u->pid, SIGKILL);
    }
    u->fd = -1;
    u->tries_left = 0;
    u->deadline_ms = 0;
    LOG(ERROR, "not upgraded", LOG_STR("why", str_take(why, 500)));
    text_format(&t, "%.*s%snot upgraded; this River goes on\n", STR_ARG(why),
                str_ends(why, S("\n")) ? "" : "\n");
    upgrade_conclude(s, 1, text_str(&t));
}

/* Sends the listeners that the service manager has passed, or all others. */
static Err send_listeners(int fd, const ListenSet *set, bool passed)
{
    int fds[HANDOVER_FDS_MAX];
    uint8_t room[HANDOVER_BYTES_MAX];
    size_t count = 0;
    Text t = text_in(span_of(room, sizeof room));
    for (size_t i = 0; i <= set->count; i++) {
        bool full = count == HANDOVER_FDS_MAX || t.len + PATH_MAX > sizeof room - 64;
        if (count > 0 && (full || i == set->count)) {
            TRY(handover_send(fd, passed ? HANDOVER_PASSED : HANDOVER_LISTENERS, text_str(&t), fds,
                              count));
            count = 0;
            t = text_in(span_of(room, sizeof room));
        }
        if (i < set->count && set->at[i].fd >= 0 && set->at[i].passed == passed) {
            text_add(&t, set->at[i].name);
            text_byte(&t, '\n');
            fds[count++] = set->at[i].fd;
        }
    }
    return ERR_OK;
}

void upgrade_on_dump(Supervisor *s, int fd)
{
    Upgrade *u = &s->upgrade;
    if (u->fd < 0) {
        return; /* it was cancelled meanwhile */
    }
    Err err = fd >= 0 ? handover_send(u->fd, HANDOVER_STATE, STR_NONE, &fd, 1) : ERR_OK;
    err = err == ERR_OK ? handover_send(u->fd, HANDOVER_OVER, STR_NONE, NULL, 0) : err;
    if (err != ERR_OK) {
        upgrade_cancel(s, str_from_c(err_sentence(err)));
    } else {
        LOG(INFO, "handed over; waiting until the new River serves");
    }
}

/* Passes on all that there is. */
static void hand_over(Supervisor *s)
{
    Upgrade *u = &s->upgrade;
    u->deadline_ms = clock_ms() + READY_MS;
    reload_mend_listeners(s);
    Err err = send_listeners(u->fd, &s->current->listeners, false);
    err = err == ERR_OK ? send_listeners(u->fd, &s->current->listeners, true) : err;
    if (err != ERR_OK) {
        upgrade_cancel(s, str_from_c(err_sentence(err)));
    } else {
        dumping_begin(s, DUMP_FOR_UPGRADE);
    }
}

static bool may_begin(Supervisor *s, Text *why)
{
    if (s->state != STATE_SERVING) {
        text_add(why, S("River ends"));
    } else if (s->reload.state != RELOAD_NONE) {
        text_add(why, S("a reload is under way; try again"));
    } else if (s->upgrade.fd >= 0 || s->upgrade.tries_left > 0) {
        text_add(why, S("another upgrade is under way"));
    }
    return why->len == 0;
}

/* The arguments of this River, without those for its own take-over. */
static void child_words(const Launch *launch, char *end_flag, char **words)
{
    int count = 0;
    for (int i = 0; i < launch->count && count < WORDS_MAX; i++) {
        Str word = str_from_c(launch->words[i]);
        if (!str_equal(word, S("--upgrade")) && !str_starts(word, S("--hand-over-fd="))) {
            words[count++] = launch->words[i];
        }
    }
    words[count++] = end_flag;
    words[count] = NULL;
}

/* The forked child: becomes the new River. */
static _Noreturn void become_next(const Supervisor *s, const char *path, int end)
{
    char *words[WORDS_MAX + 2];
    uint8_t room[48];
    Text flag = text_in(span_of(room, sizeof room - 1));
    sigset_t all;
    text_format(&flag, "--hand-over-fd=%d", end);
    room[flag.len] = 0;
    child_words(s->launch, (char *)room, words);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_UNBLOCK, &all, NULL);
    (void)fcntl(end, F_SETFD, 0);
    notify_bequeath(s->launch->notify);
    if (s->source.files->directory >= 0) {
        (void)!fchdir(s->source.files->directory);
    }
    (void)execv(path, words);
    _exit(127);
}

void upgrade_begin(Supervisor *s, Str path, ControlClient *client)
{
    uint8_t room[200];
    Text why = text_in(span_of(room, sizeof room));
    char name[PATH_MAX];
    int end = -1;
    Upgrade *u = &s->upgrade;
    if (!may_begin(s, &why)) {
        control_answer(&s->control, client, text_str(&why));
        control_answer(&s->control, client, S("\nnot upgraded; this River goes on\nexit 1\n"));
        control_finish(client);
        return;
    }
    u->client = client->id;
    control_be_patient(client);
    if (str_to_c(path, span_of(name, sizeof name)) != ERR_OK || access(name, X_OK) != 0 ||
        handover_pair(&u->fd, &end) != ERR_OK) {
        upgrade_cancel(s, S("the binary cannot be run"));
        return;
    }
    u->pid = fork();
    if (u->pid == 0) {
        become_next(s, name, end);
    }
    (void)close(end);
    if (u->pid < 0) {
        u->pid = 0;
        upgrade_cancel(s, S("no process can be forked"));
        return;
    }
    LOG(INFO, "starting the new River", LOG_STR("path", path),
        LOG_U64("pid", (uint64_t)u->pid));
    hand_over(s);
}

static void try_to_reach(Supervisor *s, uint64_t now_ms)
{
    Upgrade *u = &s->upgrade;
    uint8_t room[PATH_MAX + 100];
    Text why = text_in(span_of(room, sizeof room));
    Err err = handover_connect(s->system.upgrade_socket, &u->fd, &why);
    u->tries_left--;
    if (err == ERR_OK) {
        u->tries_left = 0;
        trust_no_descriptors(u->fd);
        hand_over(s);
    } else if (err == ERR_DENIED && why.len > 0) {
        upgrade_cancel(s, text_str(&why));
    } else if (u->tries_left == 0) {
        upgrade_cancel(s, S("nobody waits at the upgrade socket"));
    } else {
        u->deadline_ms = now_ms + RETRY_MS;
    }
}

void upgrade_to_waiting(Supervisor *s)
{
    uint8_t room[200];
    Text why = text_in(span_of(room, sizeof room));
    if (s->system.upgrade_socket.len == 0) {
        text_add(&why, S("there is no `upgrade-socket`; use `river upgrade`"));
    } else {
        (void)may_begin(s, &why);
    }
    if (why.len > 0) {
        LOG(ERROR, "not upgraded", LOG_STR("why", text_str(&why)));
        return;
    }
    s->upgrade.tries_left = RETRIES;
    try_to_reach(s, clock_ms());
}

/* The new one serves: it gets the files that only one may have, and we end. */
static void upgrade_commit(Supervisor *s, Str lines)
{
    uint8_t room[200];
    Text t = text_in(span_of(room, sizeof room));
    Str pid = str_take(str_cut(lines, '\n').head, 20);
    control_stop_listening(&s->control);
    supervisor_close_orphan(s);
    pidfile_release(&s->pid_file);
    notify_successor(&s->notify, pid, clock_ms());
    if (handover_send(s->upgrade.fd, HANDOVER_RELEASED, STR_NONE, NULL, 0) != ERR_OK) {
        LOG(WARN, "the new River has gone before it was told");
    }
    (void)close(s->upgrade.fd);
    s->upgrade.fd = -1;
    s->upgrade.deadline_ms = 0;
    LOG(INFO, "upgraded: finishing what is open", LOG_STR("successor", pid));
    text_format(&t, "upgraded: River %.*s serves now; %u finishes what it has\n", STR_ARG(pid),
                (unsigned)getpid());
    upgrade_conclude(s, 0, text_str(&t));
    supervisor_retire(s);
}

void upgrade_on_readable(Supervisor *s)
{
    uint8_t room[HANDOVER_BYTES_MAX];
    HandoverMessage m;
    Err err = handover_receive(s->upgrade.fd, span_of(room, sizeof room), 0, &m);
    if (err == ERR_AGAIN) {
        return;
    }
    for (size_t i = 0; err == ERR_OK && i < m.fd_count; i++) {
        (void)close(m.fds[i]);
    }
    if (err == ERR_OK && m.kind == HANDOVER_READY) {
        upgrade_commit(s, m.lines);
    } else if (err == ERR_OK && m.kind == HANDOVER_FAILED) {
        upgrade_cancel(s, m.lines);
    } else if (err != ERR_OK) {
        upgrade_cancel(s, S("the new River ended before it was ready"));
    }
}

void upgrade_keep_deadlines(Supervisor *s, uint64_t now_ms)
{
    Upgrade *u = &s->upgrade;
    pid_t ended = u->pid != 0 ? waitpid(u->pid, NULL, WNOHANG) : 0;
    if (u->pid != 0 && (ended == u->pid || (ended < 0 && errno == ECHILD))) {
        u->pid = 0;
    }
    if (u->deadline_ms == 0 || now_ms < u->deadline_ms) {
        return;
    }
    if (u->tries_left > 0) {
        try_to_reach(s, now_ms);
    } else {
        upgrade_cancel(s, S("the new River was not ready in time"));
    }
}
