/* troubles.c - the faults of a plan: how they begin and end, and whom they taint. */
#include <errno.h>

#include "base/number.h"
#include "trial.h"

/* Faults that a request for GET survives, if no byte of its answer has been sent. */
static bool is_mild(FaultKind kind)
{
    return kind == TROUBLE_RESTART || kind == TROUBLE_CLOSE_IDLE || kind == TROUBLE_GOAWAY;
}

/* Faults that must go unnoticed. */
static bool is_harmless(const FaultPlan *f)
{
    return f->kind == TROUBLE_WALL_JUMP || f->kind == TROUBLE_TRICKLE ||
           (f->kind == TROUBLE_DIAL_SLOW && f->for_ns < 2 * LAN_S);
}

static bool is_everywhere(FaultKind kind)
{
    return kind == TROUBLE_CALLS || kind == TROUBLE_WATCH || kind == TROUBLE_MEMORY;
}

static bool concerns(const FaultPlan *f, const Ask *a)
{
    return is_everywhere(f->kind) || a->origin == f->origin || a->origin == ORIGINS_MAX;
}

static void taint(const FaultPlan *f, uint64_t until_ns)
{
    if (is_harmless(f)) {
        return;
    }
    for (unsigned i = 0; i < trial->ask_count; i++) {
        Ask *a = &trial->asks[i];
        bool spared = is_mild(f->kind) && !a->own && !a->touched && a->sends == 0 && !a->quiet &&
                      !a->tunnel;
        a->tainted = a->tainted || (!a->over && concerns(f, a) && !spared);
        a->garbled = a->garbled || (f->kind == TROUBLE_NASTY && !a->over && concerns(f, a));
    }
    for (unsigned i = 0; i < SERVICES && !is_mild(f->kind); i++) {
        if (is_everywhere(f->kind) || i == f->origin || i == ORIGINS_MAX) {
            trial->tainted_ns[i] = u64_max(trial->tainted_ns[i], until_ns);
        }
    }
}

/* Whether an ask to the origin may fail now. */
bool trouble_is_felt(unsigned origin)
{
    for (unsigned i = 0; i < trial->plan.fault_count; i++) {
        const FaultPlan *f = &trial->plan.faults[i];
        bool here = is_everywhere(f->kind) || f->origin == origin || origin == ORIGINS_MAX;
        if (f->on && here && !is_harmless(f) && !is_mild(f->kind) &&
            trial->trouble[f->kind][f->origin] > 0) {
            return true;
        }
    }
    return lan_now_ns() < trial->tainted_ns[origin];
}

/* How long a fault is felt when it is over. */
static uint64_t felt_ns(const FaultPlan *f)
{
    uint64_t scale_ns = trial->plan.scale_ms * LAN_MS;
    switch ((int)f->kind) {
    case TROUBLE_NASTY:
    case TROUBLE_DEAD: return 2 * scale_ns + 20 * LAN_S;
    case TROUBLE_SILENT:
    case TROUBLE_DIAL_SLOW:
    case TROUBLE_STALL:
    case TROUBLE_MEMORY:
    case TROUBLE_DEAF_ORIGIN: return scale_ns + 10 * LAN_S;
    default: return 5 * LAN_S;
    }
}

static void each_peer(unsigned origin, void (*does)(Party *p))
{
    for (int i = 0; i < trial->peers_touched; i++) {
        Party *p = &trial->peers[i];
        if (p->used && !p->client && p->number == origin) {
            does(p);
        }
    }
}

static void vanish(Party *p)
{
    p->gone = true;
    lan_vanish(p->end);
}

static uint64_t stall_until_ns;

/* Who has connected reads nothing and says nothing; who connects meanwhile is served. */
static void stall(Party *p)
{
    p->stall_ns = u64_max(p->stall_ns, stall_until_ns);
}

static void wake(Party *p)
{
    peer_wake_at(p, lan_now_ns());
}

static void cut(Party *p)
{
    for (unsigned i = 0; i < trial->serves_touched; i++) {
        Serve *s = &trial->serves[i];
        if (s->used && s->peer == p->self) {
            *s = (Serve){0};
        }
    }
    peer_drop(p, trial_pick(2));
}

/* A restart, seen by those who have connected: dials that are on their way reach who comes up. */
static void cut_connected(Party *p)
{
    if (p->greeted && lan_now_ns() > p->idle_ns) {
        cut(p);
    }
}

static void cut_idle(Party *p)
{
    if (p->live == 0 && p->greeted && lan_now_ns() > p->idle_ns) {
        peer_drop(p, trial_pick(4) == 0);
    }
}

static void say_goodbye(Party *p)
{
    if (p->h2) {
        h2_goaway(p->h2, true);
        peer_wake_at(p, lan_now_ns());
    }
}

/* Of those that went nasty half are ended; the others are silent from now on. */
static void behave(Party *p)
{
    if (p->raw) {
        p->raw_done = true;
        p->raw_deaf = false;
        if (trial_pick(2)) {
            cut(p);
        }
    }
}

void trouble_begins(unsigned i)
{
    const FaultPlan *f = &trial->plan.faults[i];
    uint64_t variant = f->at_ns / LAN_MS; /* a number by chance */
    LanHost *host = lan_host_of((int)f->origin);
    taint(f, 0);
    trial->trouble[f->kind][f->origin]++;
    switch (f->kind) {
    case TROUBLE_REFUSE: host->dial = LAN_REFUSES; each_peer(f->origin, cut); break;
    case TROUBLE_SILENT: host->dial = LAN_SILENT; break;
    case TROUBLE_DIAL_SLOW: host->dial_ns = f->for_ns; break;
    case TROUBLE_RESTART:
        trial->flipped[f->origin] = trial->plan.turns ? !trial->flipped[f->origin] : variant % 2;
        each_peer(f->origin, cut_connected);
        break;
    case TROUBLE_CLOSE_IDLE: each_peer(f->origin, cut_idle); break;
    case TROUBLE_DEAD: each_peer(f->origin, vanish); break;
    case TROUBLE_GOAWAY: each_peer(f->origin, say_goodbye); break;
    case TROUBLE_TRICKLE: host->link.segment = 3; break;
    case TROUBLE_LATENCY: host->link.latency_ns += 20 * LAN_MS; break;
    case TROUBLE_WALL_JUMP: lan_wall_jump(variant % 2 ? 86400 * 400 : -86400 * 400); break;
    case TROUBLE_CALLS: lan_faults_now()->receive_one_in = 60; break;
    case TROUBLE_WATCH:
        lan_faults_now()->watch_one_in = 3;
        lan_faults_now()->accept_one_in = variant % 2 ? 1 : 3;
        lan_faults_now()->accept_error = variant % 3 ? EMFILE : EINVAL;
        break;
    case TROUBLE_SNAPSHOT: world_snapshot(); break;
    case TROUBLE_MEMORY: trial->worker->group.budget.max_bytes = (64u << 10) << variant % 5; break;
    case TROUBLE_NASTY: each_peer(f->origin, wake); break;
    case TROUBLE_STALL:
        stall_until_ns = lan_now_ns() + f->for_ns;
        each_peer(f->origin, stall);
        break;
    case TROUBLE_LIE:
    case TROUBLE_REFUSE_STREAMS:
    case TROUBLE_HALF_CLOSE:
    case TROUBLE_DEAF_ORIGIN:
    case TROUBLE_COUNT: break;
    }
}

/* Several faults may concern one host: what the last one leaves is as the plan says. */
static void host_as_planned(unsigned origin)
{
    LanHost is = trial->plan.origins[origin].host;
    if (trial->trouble[TROUBLE_REFUSE][origin]) {
        is.dial = LAN_REFUSES;
    } else if (trial->trouble[TROUBLE_SILENT][origin]) {
        is.dial = LAN_SILENT;
    }
    lan_host((int)origin, &is);
}

static bool is_on(FaultKind kind)
{
    unsigned count = 0;
    for (unsigned i = 0; i < ORIGINS_MAX; i++) {
        count += trial->trouble[kind][i];
    }
    return count > 0;
}

void trouble_ends(unsigned i)
{
    const FaultPlan *f = &trial->plan.faults[i];
    trial->trouble[f->kind][f->origin]--;
    host_as_planned(f->origin);
    taint(f, lan_now_ns() + felt_ns(f));
    if (!is_on(TROUBLE_CALLS)) {
        lan_faults_now()->receive_one_in = 0;
    }
    if (!is_on(TROUBLE_WATCH)) {
        lan_faults_now()->watch_one_in = 0;
        lan_faults_now()->accept_one_in = 0;
    }
    if (f->kind == TROUBLE_SNAPSHOT) {
        world_snapshot();
    }
    if (f->kind == TROUBLE_NASTY) {
        each_peer(f->origin, behave);
    }
    if (f->kind == TROUBLE_MEMORY) {
        trial->worker->group.budget.max_bytes = trial->plan.memory_bytes_max;
    }
    each_peer(f->origin, wake);
}
