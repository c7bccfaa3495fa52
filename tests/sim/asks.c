/* asks.c - requests of the test's clients: from the first byte to the verdict on their answers. */
#include <stdarg.h>
#include <stdio.h>

#include "base/number.h"
#include "trial.h"

#define ANSWER_NS (15 * LAN_S) /* an ask that nothing troubles is answered within, and its bytes */

void trial_fail(const char *format, ...)
{
    if (trial_failed()) {
        return;
    }
    va_list list;
    va_start(list, format);
    int n = snprintf(trial->failure, sizeof trial->failure, "at %llu ms: ",
                     (unsigned long long)(lan_now_ns() / LAN_MS));
    n += vsnprintf(trial->failure + n, sizeof trial->failure - (size_t)n, format, list);
    va_end(list);
    n += snprintf(trial->failure + n, sizeof trial->failure - (size_t)n, "; River:");
    judge_reasons(trial->failure + n, sizeof trial->failure - (size_t)n);
}

uint64_t trial_pick(uint64_t n)
{
    return random_next(&trial->random) % n;
}

static bool odd_conduct(Conduct c)
{
    return c == CONDUCT_RESETS || c == CONDUCT_STALLS || c == CONDUCT_DRIPS || c == CONDUCT_CUTS ||
           c == CONDUCT_DEAF || c == CONDUCT_ABANDONS || c == CONDUCT_MUTE ||
           c == CONDUCT_VANISHES || c == CONDUCT_NASTY;
}

/* Whether a connection to the origin may be found closed: then a body that is too long to be kept
 * cannot be sent again, nor a POST. */
static bool may_be_stale(unsigned origin)
{
    bool stale = false;
    for (unsigned i = 0; i < trial->plan.origin_count; i++) {
        bool here = i == origin || origin == ORIGINS_MAX;
        bool closes = trial->plan.origins[i].idle_ns > 0 ||
                      trial->trouble[TROUBLE_CLOSE_IDLE][i] > 0 ||
                      trial->trouble[TROUBLE_RESTART][i] > 0;
        stale = stale || (here && closes);
    }
    return stale;
}

Ask *ask_new(unsigned client, unsigned origin)
{
    if (trial->ask_count == ASKS_MAX) {
        return NULL;
    }
    Ask *a = &trial->asks[trial->ask_count];
    *a = (Ask){.used = true, .id = trial->ask_count + 1, .client = client, .origin = origin};
    trial->ask_count++;
    a->begun_ns = lan_now_ns();
    a->moved_ns = lan_now_ns();
    a->probe = client >= trial->plan.client_count;
    a->tainted = trouble_is_felt(origin) || trial->drained || trial->retired;
    a->tainted |= trial->plan.keeps && !a->probe; /* others may hold all connections for long */
    a->garbled = a->tainted && trial->plan.theme == THEME_FRAMES;
    const ClientPlan *c = a->probe ? NULL : &trial->plan.clients[client];
    uint64_t rate = UINT64_MAX / LAN_S;
    if (c) {
        a->tainted = a->tainted || odd_conduct(c->conduct);
        a->slow = c->conduct == CONDUCT_SLOW || c->conduct == CONDUCT_STALLS ||
                  c->conduct == CONDUCT_DEAF || c->conduct == CONDUCT_QUIET ||
                  c->conduct == CONDUCT_TUNNELS;
        a->quiet = c->conduct == CONDUCT_QUIET;
        a->tunnel = c->conduct == CONDUCT_TUNNELS;
        a->size = c->size_max ? trial_pick(c->size_max + 1) : 0;
        a->size = c->conduct == CONDUCT_SLOW ? c->size_max : a->size;
        a->sends = c->sends_max && trial_pick(2) ? 1 + trial_pick(c->sends_max) : 0;
        rate = u64_min(c->link.receive_bytes, c->link.send_bytes) * LAN_S /
               (2 * c->link.latency_ns + LAN_MS);
        rate = u64_min(rate, c->window * LAN_S / (2 * c->link.latency_ns + LAN_MS));
    } else {
        a->size = trial_pick(3) ? trial_pick(300) : trial_pick(20000);
        rate = 100000;
    }
    if (a->quiet || a->tunnel) {
        a->size = 2000;
        a->sends = a->tunnel ? 2000 : 0;
    }
    if (c && c->conduct == CONDUCT_CUTS) {
        a->sends = 2 + trial_pick(3000);
    }
    a->post = a->sends > 0 && trial_pick(2);
    a->tainted = a->tainted || (a->sends > 0 && may_be_stale(origin));
    a->due_ns = a->begun_ns + ANSWER_NS + (a->size + a->sends) * 8 * LAN_S / u64_max(rate, 1000);
    a->due_ns += trial->plan.scale_ms * LAN_MS / 4; /* as plan.c bounds what goes at once */
    a->due_ns += trial->plan.connections_max < 1000 ? 1000 * LAN_S : 0; /* it waits for others */
    return a;
}

Ask *ask_by_id(uint64_t id)
{
    return id >= 1 && id <= trial->ask_count ? &trial->asks[id - 1] : NULL;
}

void ask_path(const Ask *a, char *room, size_t bytes)
{
    snprintf(room, bytes, "/%llu/%llu/%s", (unsigned long long)a->id,
             (unsigned long long)a->size, a->quiet ? "quiet" : a->tunnel ? "tunnel" : "plain");
}

static bool must_succeed(const Ask *a)
{
    return !a->tainted;
}

void ask_over(Ask *a, bool whole, const char *why)
{
    if (a->over) {
        return;
    }
    a->over = true;
    a->whole = whole && a->got == a->size;
    a->why = why;
    trial->ask_over++;
    bool good = a->whole && (a->status == 200 || a->status == 101);
    if (!good && must_succeed(a)) {
        trial_fail("ask %llu of client %u to origin %u (%llu bytes, sends %llu, since %llu ms) "
                   "failed: status %u, %llu bytes, %s", (unsigned long long)a->id, a->client,
                   a->origin, (unsigned long long)a->size, (unsigned long long)a->sends,
                   (unsigned long long)(a->begun_ns / LAN_MS), a->status,
                   (unsigned long long)a->got, why ? why : "not whole");
    }
}
