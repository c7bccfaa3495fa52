/* plan.c - what a seed chooses: origins, clients, faults, and when. */
#include <stdio.h>

#include "base/number.h"
#include "trial.h"

static Random dice;

static uint64_t pick(uint64_t n)
{
    return random_next(&dice) % n;
}

static uint64_t between(uint64_t least, uint64_t most)
{
    return least + pick(most - least + 1);
}

static bool chance(unsigned percent)
{
    return pick(100) < percent;
}

/* --- origins --------------------------------------------------------------------------------- */

static LanLink link_make(void)
{
    static const uint64_t latencies_us[] = {0, 20, 200, 1000, 5000, 20000, 80000};
    LanLink l = {.latency_ns = latencies_us[pick(7)] * 1000,
                 .send_bytes = (uint32_t)(8u << 10 << pick(5)),
                 .receive_bytes = (uint32_t)(8u << 10 << pick(5)),
                 .segment = chance(20) ? (uint32_t)between(100, 1500) : 16u << 10};
    if (chance(15)) {
        l.segment = (uint32_t)between(4000, 5000);
    }
    if (chance(8)) { /* more than one read takes */
        l.send_bytes = 500u << 10;
        l.receive_bytes = 500u << 10;
    }
    return l;
}

static void origin_make(Plan *p, OriginPlan *o)
{
    static const uint64_t answers_us[] = {0, 0, 100, 2000, 30000};
    o->protocol = (EndpointProtocol)pick(3);
    o->tls = chance(50);
    if (o->protocol == ENDPOINT_H2_OR_H1 && !o->tls) {
        o->protocol = ENDPOINT_H1; /* without TLS there is nothing to agree on */
    }
    o->host = (LanHost){.dial = LAN_ACCEPTS, .link = link_make()};
    o->host.dial_ns = chance(20) ? between(1, 30) * LAN_MS : 0;
    o->old = p->seed / 7 % 2;
    o->answer_ns = answers_us[pick(5)] * 1000;
    o->idle_ns = chance(30) ? between(1, 5000) * LAN_MS : 0;
    o->window = (uint32_t)(16u << 10 << pick(5));
    bool h2 = p->theme == THEME_CROWD || p->theme == THEME_DEAD || p->theme == THEME_FRAMES;
    if (h2 && o == &p->origins[0]) {
        o->protocol = ENDPOINT_H2;
    }
    if (p->theme == THEME_CROWD) { /* what a crowd holds must have come soon */
        o->host.link = (LanLink){.latency_ns = pick(3) * 300000,
                                 .send_bytes = 64u << 10,
                                 .receive_bytes = 64u << 10,
                                 .segment = 16u << 10};
    }
    if (p->theme == THEME_STALE || p->theme == THEME_SURPLUS) {
        o->protocol = chance(80) ? ENDPOINT_H1 : o->protocol;
        o->idle_ns = between(5, 400) * LAN_MS;
        o->host.link.latency_ns = between(1, 20) * LAN_MS;
    }
    if (o->idle_ns > 0) { /* whoever dials has the time to ask */
        o->idle_ns += 6 * o->host.link.latency_ns + 2 * o->host.dial_ns;
    }
    if (p->theme == THEME_SEALED) {
        o->tls = true;
    }
    if (p->theme == THEME_SCARCE) {
        o->connections_max = (uint32_t)between(1, 4);
        o->host.link.latency_ns = pick(6) * LAN_MS; /* threads give connections up to each other */
        o->host.dial_ns = 0;
    }
    if (p->hoards) { /* what is asked for at once must have room on the link */
        o->host.link.latency_ns = u64_min(o->host.link.latency_ns, 5 * LAN_MS);
        o->host.link.send_bytes = (uint32_t)u64_max(o->host.link.send_bytes, 64u << 10);
        o->host.link.receive_bytes = (uint32_t)u64_max(o->host.link.receive_bytes, 64u << 10);
    }
    if (p->goodbyes || p->keeps) { /* one after the other, while streams go on that last */
        o->protocol = ENDPOINT_H2;
        o->idle_ns = 0;
    }
    if (p->turns) {
        o->protocol = ENDPOINT_H2_OR_H1;
        o->tls = true;
        o->idle_ns = 0;
        o->answer_ns = between(1, 60) * LAN_MS;
    }
}

/* --- clients --------------------------------------------------------------------------------- */

static void client_size(const Plan *p, ClientPlan *c)
{
    static const uint64_t sizes[] = {0, 300, 5000, 60000, 200000, 1000000};
    c->size_max = sizes[pick(p->theme == THEME_BIG ? 6 : 5)];
    c->sends_max = chance(30) ? sizes[pick(5)] : 0;
    if (p->theme == THEME_BIG && chance(60)) {
        c->size_max = between(500000, 2500000);
        c->asks = (unsigned)between(1, 2);
    }
    if (p->theme == THEME_SEALED && chance(60)) {
        c->size_max = 300000;
        c->sends_max = chance(50) ? 300000 : 0;
    }
}

static void client_conduct(const Plan *p, ClientPlan *c, unsigned index)
{
    static const Conduct odd[] = {CONDUCT_SLOW, CONDUCT_RESETS, CONDUCT_STALLS, CONDUCT_DRIPS,
                                  CONDUCT_CUTS, CONDUCT_QUIET, CONDUCT_TUNNELS, CONDUCT_DEAF,
                                  CONDUCT_ABANDONS, CONDUCT_MUTE, CONDUCT_VANISHES};
    c->conduct = chance(25) ? odd[pick(sizeof odd / sizeof odd[0])] : CONDUCT_GOOD;
    switch ((int)p->theme) {
    case THEME_CROWD: c->conduct = index < 20 ? CONDUCT_SLOW : CONDUCT_GOOD; break;
    case THEME_QUIET: c->conduct = chance(60) ? CONDUCT_QUIET : CONDUCT_GOOD; break;
    case THEME_CUT: c->conduct = chance(70) ? CONDUCT_CUTS : CONDUCT_GOOD; break;
    case THEME_DRIP: c->conduct = chance(50) ? CONDUCT_DRIPS : CONDUCT_GOOD; break;
    case THEME_TUNNEL: c->conduct = chance(70) ? CONDUCT_TUNNELS : c->conduct; break;
    case THEME_STEADY: c->conduct = chance(70) ? CONDUCT_SLOW : CONDUCT_GOOD; break;
    case THEME_FRAMES: c->conduct = chance(50) ? CONDUCT_NASTY : c->conduct; break;
    case THEME_SURPLUS:
    case THEME_STALE:
    case THEME_SCARCE: {
        /* As many connections may leave with streams that last as there may be. */
        uint32_t lasting = p->goodbyes ? p->origins[0].connections_max
                           : p->keeps  ? p->origins[0].connections_max + 2
                                       : 0;
        bool lasts = index < lasting;
        c->conduct = lasts ? CONDUCT_QUIET : CONDUCT_GOOD;
        break;
    }
    default: break;
    }
    if (c->conduct == CONDUCT_TUNNELS) {
        c->way = c->way % 2 ? WAY_H1_SEALED : WAY_H1;
    }
    if (c->conduct == CONDUCT_NASTY) {
        c->way = c->way % 2 ? WAY_H2_SEALED : WAY_H2;
    }
}

static void client_pace(const Plan *p, ClientPlan *c)
{
    if (c->conduct == CONDUCT_SLOW) {
        c->rate = p->theme == THEME_CROWD ? between(200, 600) : between(3000, 20000);
        c->size_max = u64_max(c->size_max, p->theme == THEME_CROWD ? 400000 : c->rate * 20);
        c->sends_max = 0;
        c->asks = 1;
        c->at_once = 1;
        /* A receiver speaks of its window when half of it is read: that must be often enough. */
        c->window = (uint32_t)u64_min(c->window, c->rate * p->scale_ms / 4000);
        uint64_t most = u64_max(2048, c->rate * p->scale_ms / 4000);
        c->link.receive_bytes = (uint32_t)u64_min(c->link.receive_bytes, most);
        c->start_ns = pick(500) * LAN_MS;
        c->origin = p->theme == THEME_CROWD ? 0 : c->origin;
    }
    if (c->conduct == CONDUCT_DEAF && c->way >= WAY_H2 && chance(50)) { /* River holds it all */
        c->asks = (unsigned)between(50, 90);
        c->at_once = c->asks;
        c->gap_ns = 0;
        c->size_max = 400000;
        c->sends_max = 0;
    }
    if (c->conduct == CONDUCT_GOOD && p->theme == THEME_CROWD) {
        c->start_ns = between(2000, 9000) * LAN_MS;
        c->size_max = u64_min(c->size_max, 60000);
        c->sends_max = 0;
        c->origin = 0;
    }
    if (p->theme == THEME_STALE || p->theme == THEME_SURPLUS) {
        c->gap_ns = between(1, 400) * LAN_MS;
        c->size_max = u64_min(c->size_max, 5000);
        c->sends_max = 0;
        c->asks = (unsigned)between(3, 20);
        c->start_ns = pick(3) * 100 * LAN_MS;
    }
    if (p->theme == THEME_SCARCE) {
        c->size_max = u64_min(c->size_max, 5000);
        c->sends_max = 0;
        c->at_once = 1;
        bool long_since = p->goodbyes || p->turns || p->keeps;
        c->asks += long_since ? (unsigned)pick(20) : 0;
        c->gap_ns = long_since ? between(1, 400) * LAN_MS : c->gap_ns;
    }
    if (p->theme == THEME_DEAD) {
        c->gap_ns = between(300, 1500) * LAN_MS;
        c->asks = (unsigned)between(20, 60);
        c->size_max = u64_min(c->size_max, 5000);
        c->sends_max = 0;
    }
    if (p->theme == THEME_OUTAGE) {
        c->gap_ns = between(1, 2000) * LAN_MS;
        c->asks = (unsigned)between(5, 30);
    }
    if (c->conduct == CONDUCT_QUIET || c->conduct == CONDUCT_TUNNELS) {
        c->asks = 1;
    }
    if (c->conduct == CONDUCT_DRIPS) { /* heads; bodies have a minimum rate */
        c->sends_max = 0;
    }
}

/* Some ask for all that a connection may hold and read nothing; others for little and often. */
static void client_hoards(ClientPlan *c, unsigned index)
{
    bool hoarder = index % 2 == 0;
    c->way = hoarder || c->way % 2 ? (c->way % 4 < 2 ? WAY_H2_SEALED : WAY_H2) : c->way;
    c->conduct = hoarder ? CONDUCT_DEAF : CONDUCT_GOOD;
    c->start_ns = pick(hoarder ? 2000 : 5000) * LAN_MS;
    c->asks = (unsigned)(hoarder ? between(50, 90) : between(15, 40));
    c->at_once = hoarder ? c->asks : (unsigned)between(1, 2);
    c->gap_ns = hoarder ? 0 : between(100, 800) * LAN_MS;
    c->size_max = hoarder ? 400000 : 20000;
    c->sends_max = 0;
    c->rate = 0;
}

/* No more at once than the links carry within a part of the limits: HTTP/2 sends one stream's body
 * after the other, and who comes last must not wait too long. */
static void client_bounds(const Plan *p, ClientPlan *c)
{
    uint64_t most = UINT64_MAX;
    if (c->conduct == CONDUCT_DEAF) {
        return;
    }
    for (unsigned i = 0; i <= p->origin_count; i++) {
        const LanLink *l = i < p->origin_count ? &p->origins[i].host.link : &c->link;
        uint64_t round_ns = 2 * l->latency_ns + LAN_MS / 10;
        uint64_t window = u64_min(l->send_bytes, l->receive_bytes);
        window = u64_min(window, i < p->origin_count ? p->origins[i].window : c->window);
        most = u64_min(most, window * LAN_S / round_ns * p->scale_ms / 4000 / c->at_once);
    }
    c->size_max = u64_min(c->size_max, most);
    c->sends_max = u64_min(c->sends_max, most);
}

static void client_make(Plan *p, ClientPlan *c, unsigned index)
{
    *c = (ClientPlan){.on = true,
                      .way = (Way)pick(WAY_COUNT),
                      .origin = (unsigned)pick(p->origin_count + 1),
                      .start_ns = pick(3000) * LAN_MS,
                      .gap_ns = chance(50) ? pick(200) * LAN_MS : 0,
                      .asks = (unsigned)between(1, 8),
                      .at_once = (unsigned)between(1, 6),
                      .window = (uint32_t)(16u << 10 << pick(6)),
                      .link = link_make()};
    c->origin = c->origin == p->origin_count ? ORIGINS_MAX : c->origin;
    client_size(p, c);
    client_conduct(p, c, index);
    client_pace(p, c);
    if (p->theme == THEME_FILES && index % 3) {
        bool odd = c->conduct == CONDUCT_QUIET || c->conduct == CONDUCT_TUNNELS ||
                   c->conduct == CONDUCT_CUTS; /* they are for origins */
        c->conduct = odd ? CONDUCT_GOOD : c->conduct;
        c->sends_max = 0;
        c->origin = FILES_AT;
    }
    if (p->hoards) {
        client_hoards(c, index);
    }
    client_bounds(p, c);
    /* Less than a handshake. How slowly it is taken River judges when it looks, and no sooner. */
    if (c->conduct == CONDUCT_MUTE && index % 4 == 1 && p->seed % 4 != 1) {
        c->link.send_bytes = 1000;
        c->link.receive_bytes = 1000;
    }
}

/* --- faults ---------------------------------------------------------------------------------- */

static void fault_make(const Plan *p, FaultPlan *f)
{
    static const FaultKind by_theme[THEME_COUNT][4] = {
        [THEME_OUTAGE] = {TROUBLE_REFUSE, TROUBLE_SILENT, TROUBLE_REFUSE, TROUBLE_DIAL_SLOW},
        [THEME_STALE] = {TROUBLE_RESTART, TROUBLE_CLOSE_IDLE, TROUBLE_DIAL_SLOW,
                         TROUBLE_CLOSE_IDLE},
        [THEME_SURPLUS] = {TROUBLE_CLOSE_IDLE, TROUBLE_RESTART, TROUBLE_CLOSE_IDLE,
                           TROUBLE_RESTART},
        [THEME_DEAD] = {TROUBLE_DEAD, TROUBLE_DEAD, TROUBLE_DEAD, TROUBLE_STALL},
        [THEME_FRAMES] = {TROUBLE_NASTY, TROUBLE_NASTY, TROUBLE_NASTY, TROUBLE_GOAWAY},
        [THEME_MEMORY] = {TROUBLE_MEMORY, TROUBLE_MEMORY, TROUBLE_MEMORY, TROUBLE_RESTART},
        [THEME_FILES] = {TROUBLE_MEMORY, TROUBLE_CALLS, TROUBLE_WALL_JUMP, TROUBLE_SNAPSHOT},
        [THEME_RELOAD] = {TROUBLE_SNAPSHOT, TROUBLE_SNAPSHOT, TROUBLE_WATCH, TROUBLE_CALLS},
    };
    f->on = true;
    f->origin = (unsigned)pick(p->origin_count);
    f->at_ns = between(300, 8000) * LAN_MS;
    f->for_ns = between(1, 6000) * LAN_MS;
    bool themed = p->theme == THEME_OUTAGE || p->theme == THEME_STALE ||
                  p->theme == THEME_SURPLUS || p->theme == THEME_DEAD || p->theme == THEME_RELOAD ||
                  p->theme >= THEME_FRAMES;
    f->kind = themed && chance(75) ? by_theme[p->theme][pick(4)] : (FaultKind)pick(TROUBLE_NASTY);
    if (f->kind == TROUBLE_REFUSE || f->kind == TROUBLE_SILENT || f->kind == TROUBLE_STALL) {
        f->for_ns = chance(20) ? 86400 * LAN_S : f->for_ns * (1 + pick(10));
    }
    if (p->theme == THEME_DEAD) {
        f->origin = 0;
        if (f->kind == TROUBLE_STALL) { /* it is doubted, and lives */
            f->for_ns = (p->scale_ms + pick(15000)) * LAN_MS;
        }
    }
    if (p->goodbyes || p->turns) {
        f->kind = p->turns ? TROUBLE_RESTART : TROUBLE_GOAWAY;
    }
    if (f->kind == TROUBLE_SNAPSHOT) {
        f->for_ns *= 4;
    }
}

/* Themes in which nothing but the clients' conduct may trouble anybody. */
static unsigned fault_count(const Plan *p)
{
    if (p->goodbyes || p->turns) {
        return (unsigned)between(1, FAULTS_MAX);
    }
    if (p->hoards || p->keeps) {
        return 0;
    }
    switch ((int)p->theme) {
    case THEME_BIG:
    case THEME_CROWD:
    case THEME_QUIET:
    case THEME_CUT:
    case THEME_SEALED:
    case THEME_STEADY:
    case THEME_SCARCE:
    case THEME_DRIP: return chance(70) ? 0 : (unsigned)between(1, 2);
    default: return (unsigned)between(1, FAULTS_MAX);
    }
}

/* Every sixth round of the themes is for frames by hand, small budgets and files; half of another
 * one for connections that are few. */
static Theme theme_of(uint64_t seed)
{
    if (seed / THEME_FRAMES % 6 == 5) {
        static const Theme themes[] = {THEME_MEMORY, THEME_FRAMES, THEME_FILES, THEME_FRAMES};
        return themes[seed % 4];
    }
    if (seed / THEME_FRAMES % 6 == 2 && seed % 2) {
        return THEME_SCARCE;
    }
    return (Theme)(seed % THEME_FRAMES);
}

void plan_make(Plan *p, uint64_t seed)
{
    random_seed_from(&dice, seed * 0x9e3779b97f4a7c15 + 12345);
    *p = (Plan){.seed = seed, .theme = theme_of(seed)};
    p->threads = (unsigned)between(1, 3);
    p->origin_count = (unsigned)between(1, ORIGINS_MAX);
    p->scale_ms = chance(50) ? 60000 : between(2000, 10000);
    p->connections_max = p->theme == THEME_MIXED && chance(30) ? between(3, 12) : 1000;
    p->short_one_in = chance(20) ? (unsigned)between(3, 50) : 0;
    if (p->theme == THEME_SCARCE || p->theme == THEME_CROWD) {
        p->origin_count = 1;
        p->threads = p->theme == THEME_SCARCE ? (unsigned)between(2, 3) : p->threads;
    }
    uint64_t scarce = p->theme == THEME_SCARCE ? (seed / 2 + seed / THEME_FRAMES) % 4 : 0;
    p->goodbyes = scarce == 1;
    p->turns = scarce == 2;
    p->keeps = scarce == 3;
    p->hoards = p->theme == THEME_MEMORY && seed / 4 % 2;
    p->memory_bytes_max = p->hoards ? between(5, 9) << 20 : 0;
    if (p->theme == THEME_CROWD || p->theme == THEME_QUIET || p->hoards) {
        p->scale_ms = 60000;
    }
    if (p->theme == THEME_DEAD) {
        p->scale_ms = between(2000, 5000);
    }
    if (p->theme == THEME_STEADY) {
        p->scale_ms = between(5000, 9000);
    }
    for (unsigned i = 0; i < p->origin_count; i++) {
        origin_make(p, &p->origins[i]);
    }
    p->client_count = (unsigned)between(1, p->theme == THEME_BIG ? 6 : 14);
    p->client_count += p->theme == THEME_CROWD ? 24 : p->theme == THEME_SURPLUS ? 8 : 0;
    p->client_count += p->hoards ? 10 : 0;
    for (unsigned i = 0; i < p->client_count; i++) {
        client_make(p, &p->clients[i], i);
    }
    p->fault_count = fault_count(p);
    bool timed = p->theme == THEME_STALE || p->theme == THEME_SURPLUS;
    p->pause_one_in = chance(30) && !timed ? (unsigned)between(50, 1000) : 0;
    for (unsigned i = 0; i < p->origin_count && p->pause_one_in; i++) {
        OriginPlan *o = &p->origins[i];
        o->idle_ns += o->idle_ns > 0 ? 300 * LAN_MS : 0; /* whoever was paused has the time, too */
    }
    p->proxied = chance(10) && !p->hoards;
    for (unsigned i = 0; i < p->fault_count; i++) {
        fault_make(p, &p->faults[i]);
    }
    if (p->theme == THEME_RELOAD && p->fault_count > 1 && chance(50)) {
        FaultPlan *reload = &p->faults[0]; /* a listener comes back, and cannot be watched */
        reload->kind = TROUBLE_SNAPSHOT;
        p->faults[1] = (FaultPlan){.on = true,
                                   .kind = TROUBLE_WATCH,
                                   .origin = p->faults[1].origin,
                                   .at_ns = reload->at_ns + reload->for_ns - 5 * LAN_MS,
                                   .for_ns = between(10, 6000) * LAN_MS};
    }
}

/* --- in words -------------------------------------------------------------------------------- */

static const char *const theme_names[] = {
#define X(name) #name,
    THEME_TABLE(X)
#undef X
};
static const char *const conduct_names[] = {
#define X(name) #name,
    CONDUCT_TABLE(X)
#undef X
};
static const char *const fault_names[] = {
#define X(name) #name,
    FAULT_KINDS(X)
#undef X
};
static const char *const way_names[] = {"h1", "h1+tls", "h2c", "h2+tls"};
static const char *const protocol_names[] = {"h1", "h2", "h2-or-h1"};

void plan_print(const Plan *p)
{
    printf("    %s%s%s: %u threads, limits of %llu ms, one short call in %u, one pause in %u\n",
           theme_names[p->theme],
           p->goodbyes ? " with goodbyes"
           : p->turns  ? " with turns"
           : p->keeps  ? " with streams that last"
           : p->hoards ? " with hoarders"
                       : "",
           p->proxied ? " behind a proxy" : "", p->threads, (unsigned long long)p->scale_ms,
           p->short_one_in, p->pause_one_in);
    for (unsigned i = 0; i < p->origin_count; i++) {
        const OriginPlan *o = &p->origins[i];
        printf("    origin %u: %s%s, latency %llu us, buffers %u/%u, segment %u, answers after "
               "%llu us, idle %llu ms, connections %u, window %u\n", i,
               protocol_names[o->protocol], o->tls ? "+tls" : "",
               (unsigned long long)o->host.link.latency_ns / 1000, o->host.link.send_bytes,
               o->host.link.receive_bytes, o->host.link.segment,
               (unsigned long long)o->answer_ns / 1000, (unsigned long long)(o->idle_ns / LAN_MS),
               o->connections_max, o->window);
    }
    for (unsigned i = 0; i < p->client_count; i++) {
        const ClientPlan *c = &p->clients[i];
        if (c->on) {
            printf("    client %u: %s %s to %u at %llu ms, %u asks, %u at once, every %llu ms, up "
                   "to %llu (sends %llu), rate %llu, latency %llu us, buffers %u/%u, segment %u\n",
                   i, way_names[c->way], conduct_names[c->conduct], c->origin,
                   (unsigned long long)(c->start_ns / LAN_MS), c->asks, c->at_once,
                   (unsigned long long)(c->gap_ns / LAN_MS), (unsigned long long)c->size_max,
                   (unsigned long long)c->sends_max, (unsigned long long)c->rate,
                   (unsigned long long)c->link.latency_ns / 1000, c->link.send_bytes,
                   c->link.receive_bytes, c->link.segment);
        }
    }
    for (unsigned i = 0; i < p->fault_count; i++) {
        const FaultPlan *f = &p->faults[i];
        if (f->on) {
            printf("    fault %u: %s at origin %u from %llu ms for %llu ms\n", i,
                   fault_names[f->kind], f->origin, (unsigned long long)(f->at_ns / LAN_MS),
                   (unsigned long long)(f->for_ns / LAN_MS));
        }
    }
}
