/* helpers.c - births, messages and deaths of helpers. */
#include "app/helpers.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/helper_process.h"
#include "base/clock.h"
#include "loop/log.h"

#define RECORDS_A_TURN 64u /* per helper, so that the others get their turn */
#define WINDOW_MS 1000u
#define GRACE_MS 1000u     /* between two kills */

static bool is_kept(unsigned kind)
{
    return child_kinds[kind]->stays && child_kinds[kind]->main;
}

/* ---- births ---- */

static Err send_start(const KeptChild *c, const HelperSetup *setup)
{
    Record start = {.kind = RECORD_START, .value_count = HELPER_START_VALUES};
    start.values[HELPER_HAS_USER] = setup->account->user.len > 0;
    start.values[HELPER_USER] = setup->account->user_id;
    start.values[HELPER_HAS_GROUP] = setup->account->group.len > 0;
    start.values[HELPER_GROUP] = setup->account->group_id;
    start.values[HELPER_SANDBOX] = setup->sandbox;
    start.values[HELPER_MUST] = 1;
    return record_order(&c->channel, &start, &setup->log, 1);
}

static void start_one(ProcessManager *k, unsigned kind, const HelperSetup *setup, uint64_t now_ms)
{
    KeptHelper *h = &k->helpers[kind];
    Err err = manager_bear(k, (ChildKindId)kind, now_ms, &h->child);
    if (err == ERR_OK) {
        h->child.role = KEPT_SERVING;
        h->records = 0;
        h->window_ms = now_ms;
        h->restarts.due_ms = 0;
        err = send_start(&h->child, setup);
    }
    if (err != ERR_OK) {
        LOG(ERROR, "a helper cannot be started", LOG_STR("kind", child_kinds[kind]->name),
            LOG_STR("why", str_from_c(err_sentence(err))));
        if (h->child.role != KEPT_NONE) {
            h->child.kill_at_ms = now_ms;
        }
        h->restarts.due_ms = now_ms + MANAGER_PAUSE_MS;
    }
}

/* ---- messages ---- */

static void end_mad(KeptHelper *h, unsigned kind, Str why, uint64_t now_ms)
{
    LOG(ERROR, "a helper has gone mad: it is ended", LOG_STR("kind", child_kinds[kind]->name),
        LOG_U64("pid", (uint64_t)h->child.pid), LOG_STR("why", why));
    channel_close(&h->child.channel);
    h->child.kill_at_ms = now_ms;
}

static void take_record(KeptHelper *h, unsigned kind, const Record *record)
{
    uint8_t room[256];
    if (record->kind == RECORD_READY && !h->child.ready && record->value_count == 1) {
        h->child.ready = true;
        h->child.cage = record->values[0];
        LOG(INFO, "a helper serves", LOG_STR("kind", child_kinds[kind]->name),
            LOG_U64("pid", (uint64_t)h->child.pid),
            LOG_STR("closed", cage_text(span_of(room, sizeof room), h->child.cage)));
    }
}

static void hear_one(KeptHelper *h, unsigned kind, uint64_t now_ms)
{
    static uint8_t room[CHANNEL_BYTES_MAX];
    static Record record;
    ChannelMessage message;
    if (now_ms - h->window_ms >= WINDOW_MS) {
        h->window_ms = now_ms;
        h->records = 0;
    }
    for (unsigned i = 0; i < RECORDS_A_TURN && h->child.channel.answers >= 0; i++) {
        Err err = channel_take_answer(&h->child.channel, span_of(room, sizeof room), &message);
        if (err == ERR_AGAIN) {
            return;
        }
        if (err != ERR_OK && err != ERR_SYNTAX) {
            channel_close(&h->child.channel); /* it is ending */
            h->child.kill_at_ms = now_ms + GRACE_MS;
            return;
        }
        err = err == ERR_OK ? record_read(&message, &record) : err;
        if (err != ERR_OK) {
            end_mad(h, kind, S("it sends what is no record"), now_ms);
        } else if (++h->records > HELPER_RECORDS_MAX) {
            end_mad(h, kind, S("it sends too many records"), now_ms);
        } else {
            take_record(h, kind, &record);
        }
    }
}

void helpers_hear(ProcessManager *k, uint64_t now_ms)
{
    for (unsigned kind = 0; kind < CHILD_KINDS; kind++) {
        if (k->helpers[kind].child.role != KEPT_NONE) {
            hear_one(&k->helpers[kind], kind, now_ms);
        }
    }
}

/* ---- deaths ---- */

void helpers_reap(ProcessManager *k, uint64_t now_ms)
{
    for (unsigned kind = 0; kind < CHILD_KINDS; kind++) {
        KeptHelper *h = &k->helpers[kind];
        KeptChild ended;
        int status = 0;
        if (manager_reap_one(&h->child, false, now_ms, &ended, &status)) {
            restarts_plan(&h->restarts, now_ms);
        }
    }
}

/* A helper that was told to die gets some time, but not forever. */
static void keep_one(KeptHelper *h, Watch *watch, uint64_t now_ms)
{
    watch_keep(watch, &h->child, now_ms);
    if (h->child.kill_at_ms != 0 && now_ms >= h->child.kill_at_ms) {
        (void)kill(h->child.pid, SIGKILL);
        h->child.kill_at_ms = now_ms + GRACE_MS;
    }
}

void helpers_keep(ProcessManager *k, Watch *watches, const HelperSetup *setup, uint64_t now_ms)
{
    for (unsigned kind = 0; kind < CHILD_KINDS; kind++) {
        KeptHelper *h = &k->helpers[kind];
        if (h->child.role != KEPT_NONE) {
            keep_one(h, &watches[kind], now_ms);
        } else if (is_kept(kind) && now_ms >= h->restarts.due_ms) {
            start_one(k, kind, setup, now_ms);
        }
    }
}

uint64_t helpers_due_ms(const ProcessManager *k, const Watch *watches)
{
    uint64_t due = 0;
    for (unsigned kind = 0; kind < CHILD_KINDS; kind++) {
        const KeptHelper *h = &k->helpers[kind];
        if (h->child.role != KEPT_NONE) {
            clock_sooner(&due, h->child.kill_at_ms);
            clock_sooner(&due, watch_due_ms(&watches[kind]));
        } else if (is_kept(kind)) {
            clock_sooner(&due, h->restarts.due_ms != 0 ? h->restarts.due_ms : 1);
        }
    }
    return due;
}

size_t helpers_poll(const ProcessManager *k, struct pollfd *fds)
{
    size_t count = 0;
    for (unsigned kind = 0; kind < CHILD_KINDS; kind++) {
        const KeptChild *c = &k->helpers[kind].child;
        if (c->role != KEPT_NONE) {
            fds[count++] = (struct pollfd){.fd = c->process, .events = POLLIN};
            fds[count++] = (struct pollfd){.fd = c->channel.answers, .events = POLLIN};
        }
    }
    return count;
}

void helpers_end(ProcessManager *k)
{
    for (unsigned kind = 0; kind < CHILD_KINDS; kind++) {
        KeptChild *c = &k->helpers[kind].child;
        if (c->role != KEPT_NONE) {
            manager_end(c);
        }
    }
}
