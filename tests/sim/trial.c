/* trial.c - the worker over the simulated network: what it serves, whose turn it is, and the course
 * of a trial: trouble, calm, probes, the end. */
#include "base/number.h"
#include "balance/policies.h"
#include "trial.h"

#define SCRATCH_BYTES 64u /* of a thread, that others may have used */
#define TURN_NS_MAX 20000u
#define PAUSE_NS_MAX (60 * LAN_MS)
#define ROUNDS_MAX 20000000u

Trial *trial;

/* --- the site -------------------------------------------------------------------------------- */

static const Route no_route;

static void limits_make(ServiceLimits *l, uint64_t scale_ms)
{
    *l = (ServiceLimits){
        .head = {.head_bytes_max = 65536, .fields_max = 100, .target_bytes_max = 16384},
        .head_timeout_ms = 10000,
        .keep_alive_ms = 75000,
        .body_timeout_ms = scale_ms,
        .send_timeout_ms = scale_ms,
        .linger_ms = 2000,
        .tunnel_idle_ms = 60000,
        .stream_idle_ms = 3600000,
        .receive_rate_min = 100,
        .send_rate_min = 100,
        .streams_max = 100,
        .retry_buffer_bytes = 16384,
        .tries_max = 3,
        .overload_status = 503};
}

static void service_make(Site *s, unsigned i, uint64_t scale_ms)
{
    static const char *const names[] = {"one", "two", "three", "all", "files"};
    Service *v = &s->services[i];
    *v = (Service){.name = str_from_c(names[i]),
                   .route = no_route,
                   .client_ip_name = S("x-forwarded-for"),
                   .client_ip_field = FIELD_X_FORWARDED_FOR,
                   .request_id_name = S("x-request-id"),
                   .request_id_field = FIELD_X_REQUEST_ID,
                   .request_id_accept = true,
                   .upgrade_count = 1,
                   .upgrades = s->upgrades,
                   .active = &s->active};
    if (trial->plan.proxied) {
        const IpPrefix near = {.address = {.family = 4, .bytes = {192, 0, 2}}, .bits = 24};
        CHECK(cidr_build(&v->proxies, &near, 1, &s->arena) == ERR_OK);
    }
    if (i == FILES_AT) {
        s->files = (FileServer){.root = -1};
        v->route.handler = (FilterUse){.kind = &filter_file_server, .state = &s->files};
    }
    pauses_stand(v->chains);
    limits_make(&v->limits, scale_ms);
    s->service_list[i] = v;
}

static void endpoint_make(Site *s, unsigned i, const Plan *p)
{
    static const char *const names[] = {"first", "second", "third"};
    const OriginPlan *o = &p->origins[i];
    IpAddress ip = {.family = 4, .bytes = {192, 0, 2, 80}};
    s->endpoints[i] = (Endpoint){.address = address_ip(ip, (uint16_t)(i + 1)),
                                 .tls = o->tls ? s->clients[o->protocol] : NULL,
                                 .protocol = o->protocol,
                                 .name = str_from_c(names[i]),
                                 .weight = 1,
                                 .connect_timeout_ms = 5000,
                                 .connect_wait_ms = 5000,
                                 .read_timeout_ms = p->scale_ms,
                                 .write_timeout_ms = p->scale_ms,
                                 .idle_timeout_ms = p->scale_ms,
                                 .connections_max = o->connections_max};
    lan_host((int)i, &o->host);
}

static void tls_make(Site *s)
{
    TlsMistake mistake;
    TlsPair pair = {.chain = S("a"), .key = S("b"), .print = {{1, 2}}};
    TlsServerPlan server = {
        .pair_count = 1, .pairs = &pair, .offer_h2 = true, .offer_h1 = true, .key_log_fd = -1};
    CHECK(tls_server_new(&server, &s->server, &mistake, NULL) == ERR_OK);
    for (int i = 0; i < 3; i++) {
        TlsClientPlan client = {.name = S("sim.test"),
                                .offer_h1 = i != ENDPOINT_H2,
                                .offer_h2 = i != ENDPOINT_H1,
                                .key_log_fd = -1};
        CHECK(tls_client_new(&client, &s->clients[i], &mistake, NULL) == ERR_OK);
    }
}

static void listeners_make(Site *s, unsigned set, int leaving)
{
    for (int i = 0; i < LISTENERS; i++) {
        unsigned origin = (unsigned)i / 2;
        bool files = origin == FILES_AT && trial->plan.theme == THEME_FILES;
        bool there = origin == ORIGINS_MAX || origin < trial->plan.origin_count || files;
        s->listeners[set][i] = (Listener){.fd = LAN_LISTENER_FD + i,
                                          .leaving = i == leaving,
                                          .name = S("here"),
                                          .service = &s->services[origin],
                                          .tls = i % 2 ? s->server : NULL,
                                          .proxy_protocol = trial->plan.proxied,
                                          .h2c = true};
        s->listener_list[set][i] = there ? &s->listeners[set][i] : NULL;
    }
}

static const Snapshot *snapshot_make(Site *s, int leaving)
{
    unsigned at = s->snapshot_count++;
    unsigned set = leaving >= 0 ? 1 + (unsigned)leaving / 2 : 0;
    CHECK(at < sizeof s->snapshots / sizeof s->snapshots[0]);
    s->snapshots[at] = (Snapshot){.number = s->snapshot_count,
                                  .service_count = SERVICES,
                                  .services = s->service_list,
                                  .listener_count = LISTENERS,
                                  .listeners = s->listener_list[set]};
    return &s->snapshots[at];
}

static void site_make(Site *s, const Plan *p)
{
    blocks_init(&s->blocks, NULL, 4064, 0);
    arena_init(&s->arena, &s->blocks, 1u << 20);
    s->upgrades[0] = S("websocket");
    tls_make(s);
    for (unsigned i = 0; i < p->origin_count; i++) {
        endpoint_make(s, i, p);
    }
    for (unsigned i = 0; i < SERVICES; i++) {
        service_make(s, i, p->scale_ms);
    }
    listeners_make(s, 0, -1);
    for (unsigned i = 0; i < ORIGINS_MAX; i++) {
        listeners_make(s, 1 + i, (int)(2 * i));
    }
}

/* Numbers for what the site names, and the clusters. */
static void site_hold(Site *s, Worker *w, const Plan *p)
{
    for (unsigned i = 0; i < SERVICES; i++) {
        Service *v = &s->services[i];
        CHECK(worker_hold_service(w, v->name, &v->index) == ERR_OK);
        CHECK(worker_take_part(w, &v->part) == ERR_OK);
    }
    for (unsigned i = 0; i <= ORIGINS_MAX; i++) {
        CHECK(cluster_hold(w, s->services[i].name, &s->clusters[i]) == ERR_OK);
        s->services[i].route.cluster = &w->clusters.list[s->clusters[i]];
    }
    sets_prepare();
    clusters_commit(w);
    for (unsigned i = 0; i < p->origin_count; i++) {
        s->endpoints[i].origin = w->clusters.list[s->clusters[i]].newest->only->origin;
    }
}

static void site_drop(Site *s)
{
    tls_server_unref(s->server);
    for (int i = 0; i < 3; i++) {
        tls_client_unref(s->clients[i]);
    }
    arena_reset(&s->arena);
    blocks_drop(&s->blocks);
}

/* One listener leaves, or all are there again. */
void world_snapshot(void)
{
    int leaving = -1;
    for (unsigned i = 0; i < trial->plan.fault_count; i++) {
        const FaultPlan *f = &trial->plan.faults[i];
        if (f->on && f->kind == TROUBLE_SNAPSHOT && trial->trouble[f->kind][f->origin] > 0) {
            leaving = (int)(2 * f->origin);
        }
    }
    Site *s = &trial->site;
    trial->leaving_ns = leaving >= 0 ? lan_now_ns() : 0;
    if (s->snapshot_count < sizeof s->snapshots / sizeof s->snapshots[0]) {
        worker_publish(trial->worker, snapshot_make(s, leaving));
    }
}

/* --- time ------------------------------------------------------------------------------------ */

static Thread *thread_at(unsigned i)
{
    return trial->worker->group.threads[i];
}

static bool is_paused(unsigned i)
{
    return lan_now_ns() < trial->paused_ns[i];
}

/* When the system lets the first of the threads run that it has paused; UINT64_MAX: none is. */
static uint64_t pause_next_ns(void)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < trial->plan.threads; i++) {
        next = is_paused(i) ? u64_min(next, trial->paused_ns[i]) : next;
    }
    return next;
}

/* A thread that has done something goes round once more: only the next turn sets its alarm, and
 * waits. */
static bool is_runnable(unsigned i, bool *ret_mail)
{
    const Thread *t = thread_at(i);
    *ret_mail = (t->mailbox.count > 0 || t->mailbox.woken) && lan_mailbox_is_full(i);
    return lan_thread_is_ready(i, t->poller.alarm_ms) || *ret_mail || t->again_count > 0 ||
           t->flush_count > 0 || trial->awake[i] || trial->knocked[i];
}

static uint64_t alarm_next_ns(void)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < trial->plan.threads; i++) {
        uint64_t alarm_ms = thread_at(i)->poller.alarm_ms;
        bool set = alarm_ms != UINT64_MAX && !is_paused(i);
        next = set ? u64_min(next, alarm_ms * LAN_MS + 1) : next;
    }
    return next;
}

/* As a thread judges of itself after each turn. */
static bool is_over(const Thread *t)
{
    const Worker *w = trial->worker;
    return t->draining && atomic_load(&w->threads_draining) == w->group.thread_count &&
           atomic_load(&t->client_count) == 0;
}

/* One turn of one thread that has something to do; false: all of them sleep. */
static bool turn_one(void)
{
    unsigned from = (unsigned)trial_pick(trial->plan.threads);
    for (unsigned k = 0; k < trial->plan.threads; k++) {
        unsigned i = (from + k) % trial->plan.threads;
        bool mail = false;
        if (!is_paused(i) && is_runnable(i, &mail)) {
            const Thread *t = thread_at(i);
            mail |= trial->knocked[i];
            trial->knocked[i] = false;
            uint64_t work = lan_work();
            uint64_t events = lan_events();
            bool more = t->again_count > 0 || t->flush_count > 0;
            uint64_t alarm_ms = t->poller.alarm_ms;
            bool alarm = alarm_ms != UINT64_MAX && lan_now_ns() > alarm_ms * LAN_MS;
            Span scratch = span_take(thread_at(i)->input, SCRATCH_BYTES);
            span_fill(scratch, 'x'); /* nothing in it outlives a turn */
            thread_turn(thread_at(i), -1);
            trial->over[i] = is_over(t);
            fetches_look();
            bool idle = lan_work() == work && lan_events() == events && !mail && !more && !alarm;
            if (!idle) {
                judge_turn(thread_at(i), work, mail);
            }
            trial->awake[i] = !idle;
            lan_advance(lan_now_ns() + 500 + trial_pick(TURN_NS_MAX));
            if (trial->plan.pause_one_in && trial_pick(trial->plan.pause_one_in) == 0) {
                trial->paused_ns[i] = lan_now_ns() + trial_pick(PAUSE_NS_MAX);
            }
            return true;
        }
    }
    return false;
}

static bool is_quiet(void)
{
    return trial->ask_over == trial->ask_count && !frames_linger();
}

/* A thread that is over ends, and does not wait for something to happen. */
static void judge_ends(void)
{
    for (unsigned i = 0; i < trial->plan.threads; i++) {
        if (is_over(thread_at(i)) && !trial->over[i]) {
            trial_fail("thread %u is over, and sleeps", i);
        }
    }
}

void world_run(uint64_t until_ns, bool until_quiet)
{
    bool wakes = trial->plan.seed % 4 == 1;
    uint64_t looked_ns = lan_now_ns();
    for (unsigned round = 0; round < ROUNDS_MAX && !trial_failed(); round++) {
        (void)lan_deliver();
        if (turn_one()) {
            continue;
        }
        if (lan_now_ns() >= until_ns || (until_quiet && is_quiet())) {
            return;
        }
        uint64_t next = u64_min(u64_min(lan_next_ns(), alarm_next_ns()), until_ns);
        uint64_t pause_ns = pause_next_ns();
        if (pause_ns != UINT64_MAX) {
            next = u64_min(next, pause_ns);
        } else if (next >= looked_ns + LAN_MS) {
            judge_rest();
            judge_asks();
            fetches_look();
            pauses_judge();
            judge_ends();
            if (wakes) {
                judge_wakes();
            }
            looked_ns = lan_now_ns();
        }
        lan_advance(u64_max(next, lan_now_ns()));
    }
}

/* --- the course ------------------------------------------------------------------------------ */

static void on_timer(uint32_t kind, uint64_t what)
{
    if (kind == TIMER_PEER) {
        Party *p = &trial->peers[what >> 32];
        if (p->used && p->end == (int)(uint32_t)what) {
            peer_go(p);
        }
    } else if (kind == TIMER_CLIENT) {
        client_opens((unsigned)what);
    } else if (kind == TIMER_TROUBLE) {
        trouble_begins((unsigned)what);
    } else if (kind == TIMER_FETCH) {
        fetches_start();
    } else if (kind == TIMER_FETCH_GOES_ON) {
        fetches_go_on((unsigned)what);
    } else if (kind == TIMER_PAUSE_OVER) {
        pause_over(what);
    } else if (kind == TIMER_DISK) {
        disk_goes_on();
    } else if (kind == TIMER_TABLE) {
        tables_go_on();
    } else if (kind == TIMER_SETS) {
        sets_change();
    } else if (kind == TIMER_TIDY) {
        sets_tidy();
    } else {
        trouble_ends((unsigned)what);
    }
}

static const LanHooks lan_hooks = {
    .arrived = origin_arrived, .ready = peer_ready, .timer = on_timer};

#define HOARDS_NS (8 * LAN_S)

/* For a while there may be no memory for others. */
static void hoards_begin(void)
{
    for (unsigned i = 0; i < SERVICES && trial->plan.hoards; i++) {
        trial->tainted_ns[i] = lan_now_ns() + HOARDS_NS;
    }
}

static void trial_begin(Trial *t, const Plan *plan)
{
    trial = t;
    check_soft_traps = true;
    t->plan = *plan;
    random_seed_from(&t->random, plan->seed ^ 0x747269);
    blocks_init(&t->peers_blocks, &t->peers_budget, 4064, 64);
    lan_open(plan->seed, &lan_hooks);
    judge_begin();
    lan_faults_now()->short_one_in = plan->short_one_in;
    site_make(&t->site, plan);
    WorkerPlan how = {.threads = plan->threads,
                      .connections_max = plan->connections_max,
                      .idle_upstreams_max = 1000,
                      .files_max = plan->theme == THEME_FILES ? 4 : 0,
                      .memory_bytes_max = plan->memory_bytes_max};
    CHECK(worker_build(&how, &t->worker) == ERR_OK);
    for (unsigned i = 0; i < plan->threads; i++) {
        Thread *h = t->worker->group.threads[i];
        random_seed_from(&h->random, plan->seed + i);
        lan_thread(i, h->poller.fd, &h->mailbox);
    }
    site_hold(&t->site, t->worker, plan);
    CHECK(worker_begin(t->worker, snapshot_make(&t->site, -1)) == ERR_OK);
    t->worker->started = plan->threads; /* for messages to them; they are not joined */
    uint64_t now = lan_now_ns();
    for (unsigned i = 0; i < plan->client_count; i++) {
        if (plan->clients[i].on) {
            lan_timer(now + plan->clients[i].start_ns, TIMER_CLIENT, i);
        }
    }
    fetches_begin();
    sets_begin();
    hoards_begin(); /* until the first of them are seen and ended */
    for (unsigned i = 0; i < plan->fault_count; i++) {
        const FaultPlan *f = &plan->faults[i];
        if (f->on) {
            lan_timer(now + f->at_ns, TIMER_TROUBLE, i);
            lan_timer(now + f->at_ns + f->for_ns, TIMER_TROUBLE_OVER, i);
            t->calm_ns = u64_max(t->calm_ns, now + f->at_ns + f->for_ns + 1);
        }
    }
}

static void trial_end(Trial *t)
{
    for (unsigned i = 0; i < t->plan.threads; i++) {
        if (!trial_failed()) {
            thread_stop_now(t->worker->group.threads[i]);
        }
    }
    if (!trial_failed()) {
        for (int i = 0; i < t->peers_touched; i++) {
            if (t->peers[i].used) {
                peer_drop(&t->peers[i], true);
            }
        }
        worker_free(t->worker);
        blocks_drop(&t->peers_blocks);
        site_drop(&t->site);
    }
    lan_close();
}

/* From now on all peers behave: slow ones hurry, and stalled ones go on. */
static void calm_down(void)
{
    trial->calm = true;
    hoards_begin(); /* who took nothing takes all, and more comes */
    for (int i = 0; i < trial->peers_touched; i++) {
        Party *p = &trial->peers[i];
        if (p->used) {
            p->stall_ns = 0;
            peer_wake_at(p, lan_now_ns());
        }
    }
}

static void probes_open(void)
{
    unsigned first = trial->plan.client_count;
    for (unsigned i = 0; i < trial->plan.origin_count * WAY_COUNT; i++) {
        trial->client_asked[first + i] = 0;
        client_opens(first + i);
    }
}

/* All faults are over: each origin must serve again, whichever way it is asked. */
static void probe(void)
{
    probes_open();
    world_run(lan_now_ns() + 40 * LAN_S, false);
}

#define RETIRED_NS (2 * LAN_S)

/* Some trials end with a configuration that names no origin any more, half of them while requests
 * of the old one have just begun: idle connections end at once, not when their time is over. */
static void retire(void)
{
    if (trial->plan.seed % 4 != 3 || trial->plan.scale_ms * LAN_MS < 2 * RETIRED_NS ||
        trial_failed()) {
        return;
    }
    if (trial->plan.seed % 8 == 7) {
        world_run(lan_now_ns() + trial->plan.scale_ms * LAN_MS, false); /* what is idle goes */
        trial->retired = true; /* soon: a further try of these may find no endpoint */
        probes_open();
        world_run(lan_now_ns() + trial_pick(20 * LAN_MS), false);
    }
    sets_retire();
    world_run(lan_now_ns() + RETIRED_NS, false);
    for (unsigned i = 0; i < trial->plan.threads && !trial_failed(); i++) {
        judge_retired(trial->worker->group.threads[i]);
    }
}

/* Half of the trials end with a drain: idle clients must leave soon. */
static void drain(void)
{
    if (trial->plan.seed % 2 || trial_failed()) {
        return;
    }
    if (trial->plan.seed % 4 == 0) { /* who is idle is closed at once: no request may be coming */
        world_run(lan_now_ns() + 40 * LAN_S, true);
    }
    trial->drained = true;
    worker_drain(trial->worker, trial->plan.seed % 4 ? 2000 : 0);
    /* Idle clients leave soon; those that take nothing, or are paused, when their time is over. */
    uint64_t paused_ms = pauses_are_wanted() ? FILTER_PAUSE_MS : 0;
    world_run(lan_now_ns() + 30 * LAN_S + (trial->plan.scale_ms + paused_ms) * LAN_MS, false);
    uint32_t clients = atomic_load(&trial->worker->client_count);
    if (clients > 0) {
        trial_fail("%u clients are still there after a drain", clients);
    }
}

bool trial_run(Trial *t, const Plan *plan)
{
    trial_begin(t, plan);
    uint64_t span_ns = u64_max(t->calm_ns, lan_now_ns() + 300 * LAN_S);
    world_run(u64_max(t->calm_ns, lan_now_ns() + 20 * LAN_S), false);
    world_run(span_ns, true);
    calm_down();
    uint64_t patience_ns = (plan->scale_ms * 8 + 1200000) * LAN_MS; /* TCP gives up within */
    world_run(lan_now_ns() + patience_ns, true);
    if (!trial_failed() && t->ask_over < t->ask_count) {
        for (unsigned i = 0; i < t->ask_count; i++) {
            const Ask *a = &t->asks[i];
            if (!a->over) {
                trial_fail("ask %llu of client %u (%llu bytes) hangs: %llu came, status %u",
                           (unsigned long long)a->id, a->client, (unsigned long long)a->size,
                           (unsigned long long)a->got, a->status);
            }
        }
    }
    probe();
    judge_asks();
    retire();
    drain();
    world_run(lan_now_ns() + 1000 * LAN_S, false);
    if (!trial_failed()) {
        judge_leftovers();
    }
    bool good = !trial_failed();
    trial_end(t);
    return good;
}
