/* fetches.c - requests of River's own (pool/fetch.h) beside the clients': started on any thread at
 * any time, gathered or streamed, paused, cancelled, or for a client's request that waits for what
 * comes of it. Each must be over in its time; one that nothing troubles must be answered to the
 * last byte. */
#include <stdio.h>
#include <string.h>

#include "proxy/cluster_fetch.h"
#include "trial.h"

#define FETCHES_AT_ONCE 24
#define LATE_MS 3000u /* threads may be paused */
#define SENDS_MAX 20000u

/* One that is under way. */
typedef struct Own {
    bool used;
    unsigned thread;
    Handle fetch;
    Ask *ask;
    const Ask *waiter; /* the client's request that waits for it; NULL: none does */
    uint64_t due_ms;
    uint64_t cancel_ns; /* when the one who started it gives up; 0: never */
    uint64_t resume_ns;
    bool wrong; /* the sink has got other bytes than the origin sent */
} Own;

static Own owns[FETCHES_AT_ONCE];
static Random own_random;
static unsigned own_left;

static uint64_t own_pick(uint64_t n)
{
    return random_next(&own_random) % n;
}

static void timer_next(void)
{
    if (own_left > 0) {
        lan_timer(lan_now_ns() + LAN_MS * (1 + own_pick(1500)), TIMER_FETCH, 0);
    }
}

void fetches_begin(void)
{
    memset(owns, 0, sizeof owns);
    random_seed_from(&own_random, trial->plan.seed ^ 0x6665746368);
    bool none = trial->plan.seed % 2 || trial->plan.hoards; /* nothing else may hold memory then */
    own_left = none ? 0 : 10 + (unsigned)own_pick(60);
    timer_next();
}

static bool own_sink(void *context, Thread *t, Handle fetch, Str bytes)
{
    Own *o = (Own *)context;
    o->wrong |= !pattern_fits(o->ask->id, o->ask->got, bytes);
    o->ask->got += bytes.len;
    if (own_pick(3) == 0) {
        fetch_pause(t, fetch);
        o->resume_ns = lan_now_ns() + own_pick(300 * LAN_MS);
        lan_timer(o->resume_ns, TIMER_FETCH_GOES_ON, (uint64_t)(o - owns));
    }
    return true;
}

static Own *own_new(void)
{
    for (unsigned i = 0; i < FETCHES_AT_ONCE; i++) {
        if (!owns[i].used) {
            owns[i] = (Own){.used = true};
            return &owns[i];
        }
    }
    return NULL;
}

/* Whether what goes wrong may be this one's own: it has one more try, not three. */
static bool own_is_tainted(const Ask *a)
{
    const OriginPlan *p = &trial->plan.origins[a->origin];
    bool memory = trial->plan.memory_bytes_max > 0;
    return memory || p->connections_max > 0 || p->idle_ns > 0 || trial->plan.theme == THEME_FRAMES;
}

static void own_start(Own *o, Ask *a)
{
    char path[100];
    size_t sends = (size_t)a->sends;
    ask_path(a, path, sizeof path);
    Thread *t = trial->worker->group.threads[o->thread];
    FetchPlan plan = {.origin = trial->site.endpoints[a->origin].origin,
                      .fresh = own_pick(4) == 0,
                      .owner = o->waiter ? o->waiter->waiter : TOKEN_NONE,
                      .method = a->sends ? S("PUT") : S("GET"),
                      .target = str_of(path, strlen(path)),
                      .host = S("x"),
                      .timeout_ms = own_pick(6) ? 60000 : 1 + own_pick(4000),
                      .body_bytes_max = own_pick(8) ? UINT64_MAX : own_pick(30000),
                      .sink = own_pick(3) == 0 ? own_sink : NULL,
                      .context = o};
    plan.body = str_of(pattern_at(a->id, 0, &sends), sends);
    a->tainted |= plan.timeout_ms < 60000 || plan.body_bytes_max < UINT64_MAX || own_is_tainted(a);
    thread_clock(t); /* it may have slept for long */
    trial->knocked[o->thread] = true; /* as whoever starts one runs on that thread */
    Err err = own_pick(2) ? cluster_fetch(t, sets_cluster(a->origin), &plan, &o->fetch)
                          : fetch_start(t, &plan, &o->fetch);
    if (err == ERR_MISSING) { /* the cluster has no endpoint now */
        err = fetch_start(t, &plan, &o->fetch);
    }
    if (err != ERR_OK) {
        if (err != ERR_MEMORY) {
            trial_fail("a request of River's own cannot begin: %s", err_sentence(err));
        }
        a->tainted = true;
        ask_over(a, false, "no room");
        o->used = false;
        return;
    }
    o->due_ms = t->now_ms + plan.timeout_ms;
    if (own_pick(8) == 0 && !o->waiter) {
        o->cancel_ns = lan_now_ns() + own_pick(3000 * LAN_MS);
        lan_timer(o->cancel_ns, TIMER_FETCH_GOES_ON, (uint64_t)(o - owns));
    }
}

/* One on that thread; false: there is no room. */
static bool start_on(unsigned thread, const Ask *waiter)
{
    unsigned origin = (unsigned)own_pick(trial->plan.origin_count);
    Own *o = trial->drained || trial->retired || trial->over[thread] ? NULL : own_new();
    Ask *a = o ? ask_new(CLIENTS_MAX + PROBES_MAX, origin) : NULL;
    if (!a) {
        if (o) {
            o->used = false;
        }
        return false;
    }
    a->own = true;
    a->peer = -1;
    a->sends = own_pick(4) ? 0 : 1 + own_pick(SENDS_MAX);
    o->thread = thread;
    o->ask = a;
    o->waiter = waiter;
    own_start(o, a);
    return o->used;
}

void fetches_start(void)
{
    own_left--;
    timer_next();
    (void)start_on((unsigned)own_pick(trial->plan.threads), NULL);
}

bool fetches_start_for(const Ask *waiter)
{
    return start_on(waiter->waiter_thread, waiter);
}

bool fetches_have_for(const Ask *waiter)
{
    for (unsigned i = 0; i < FETCHES_AT_ONCE; i++) {
        const Own *o = &owns[i];
        if (o->used && o->waiter == waiter) {
            const Fetch *f = fetch_get(trial->worker->group.threads[o->thread], o->fetch);
            return !f || f->state == FETCH_OVER;
        }
    }
    return true;
}

/* The result is there. */
static void own_judge(Own *o, const Fetch *f)
{
    Ask *a = o->ask;
    bool gathered = f->plan.sink == NULL;
    a->status = f->fault == FAULT_NONE ? f->reply.status : 0;
    a->got = gathered ? f->answer.len : a->got;
    bool fits = !o->wrong && (!gathered || pattern_fits(a->id, 0, f->answer));
    if (!fits && !a->garbled) {
        trial_fail("a request of River's own got other bytes than the origin sent");
    }
    if (f->fault == FAULT_MEMORY && trial->plan.memory_bytes_max > 0) {
        a->tainted = true;
    }
    Str code = fault_row(f->fault)->code;
    ask_over(a, f->fault == FAULT_NONE, (const char *)code.at);
}

static void own_end(Own *o)
{
    fetch_end(trial->worker->group.threads[o->thread], o->fetch);
    o->used = false;
}

void fetches_go_on(unsigned number)
{
    Own *o = &owns[number];
    if (!o->used) {
        return;
    }
    if (o->cancel_ns && lan_now_ns() >= o->cancel_ns) {
        o->ask->tainted = true;
        ask_over(o->ask, false, "cancelled");
        own_end(o);
    } else if (o->resume_ns && lan_now_ns() >= o->resume_ns) {
        fetch_resume(trial->worker->group.threads[o->thread], o->fetch);
        trial->knocked[o->thread] = true;
    }
}

void fetches_look(void)
{
    for (unsigned i = 0; i < FETCHES_AT_ONCE; i++) {
        Own *o = &owns[i];
        if (!o->used) {
            continue;
        }
        const Fetch *f = fetch_get(trial->worker->group.threads[o->thread], o->fetch);
        if (!f) {
            trial_fail("a request of River's own has gone by itself");
        } else if (f->state == FETCH_OVER) {
            own_judge(o, f);
            own_end(o);
        } else if (lan_now_ns() > (o->due_ms + LATE_MS) * LAN_MS) {
            trial_fail("a request of River's own is not over in its time (state %d)", f->state);
        }
    }
}
