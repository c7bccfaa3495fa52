/* clients.c - the test's clients: when they connect, what they ask, and how they judge what comes.
 * One connection at a time each; over HTTP/1 one ask after the other (or a few ahead of their
 * answers), over HTTP/2 several at once. */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "standin_tls.h"
#include "trial.h"

static const ClientPlan probe_plans[WAY_COUNT] = {
    {.way = WAY_H1, .asks = 3, .at_once = 1, .window = 65535},
    {.way = WAY_H1_SEALED, .asks = 3, .at_once = 1, .window = 65535},
    {.way = WAY_H2, .asks = 3, .at_once = 3, .window = 65535},
    {.way = WAY_H2_SEALED, .asks = 3, .at_once = 3, .window = 65535},
};

static const LanLink probe_link = {.latency_ns = LAN_MS,
                                   .send_bytes = 64u << 10,
                                   .receive_bytes = 64u << 10,
                                   .segment = 16u << 10};

/* Clients beyond the plan's are probes: one for each way to each origin. */
static const ClientPlan *plan_of(unsigned number)
{
    const Plan *p = &trial->plan;
    return number < p->client_count ? &p->clients[number]
                                    : &probe_plans[(number - p->client_count) % WAY_COUNT];
}

static unsigned origin_of(unsigned number)
{
    const Plan *p = &trial->plan;
    return number < p->client_count ? p->clients[number].origin
                                    : (number - p->client_count) / WAY_COUNT;
}

static bool is_h2(Way way)
{
    return way == WAY_H2 || way == WAY_H2_SEALED;
}

static bool is_sealed(Way way)
{
    return way == WAY_H1_SEALED || way == WAY_H2_SEALED;
}

void client_opens(unsigned number)
{
    const ClientPlan *c = plan_of(number);
    unsigned origin = origin_of(number);
    if (trial->client_opened[number] || trial->client_asked[number] >= c->asks) {
        return;
    }
    int listener = (int)(2 * origin + is_sealed(c->way));
    int end = lan_connect(listener, number < trial->plan.client_count ? &c->link : &probe_link);
    Party *p = peer_new(true, number, end);
    trial->client_opened[number] = true;
    if (is_sealed(c->way)) {
        CHECK(engine_connect(standin_client(is_h2(c->way)), &p->tls) == ERR_OK);
    }
}

void client_open_h2(Party *p)
{
    if (is_h2(plan_of(p->number)->way)) {
        (void)h2_peer_open(p);
    }
}

/* --- asking over HTTP/1 ---------------------------------------------------------------------- */

static bool h1_is_chunked(const Ask *a)
{
    return !a->tunnel && a->id % 2 && plan_of(a->client)->conduct != CONDUCT_CUTS;
}

static void h1_head(Party *p, Ask *a)
{
    char head[400];
    char path[100];
    char body[100] = "";
    ask_path(a, path, sizeof path);
    if (a->tunnel) {
        snprintf(body, sizeof body, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    } else if (a->sends > 0 || a->quiet) {
        bool chunked = a->quiet || h1_is_chunked(a);
        snprintf(body, sizeof body,
                 chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: %llu\r\n",
                 (unsigned long long)a->sends);
    }
    bool closes = p->number % 5 == 3 && !a->tunnel && p->number < trial->plan.client_count;
    snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: x\r\n%s%s%s\r\n",
             a->post ? "POST" : a->sends || a->quiet ? "PUT" : "GET", path, body,
             a->quiet ? "Content-Type: application/grpc\r\n" : "",
             closes ? "Connection: close\r\n" : "");
    size_t len = strlen(head);
    if (plan_of(p->number)->conduct == CONDUCT_CUTS && !trial->calm) {
        /* The head, a part of the body and the end at once. */
        size_t n = trial_pick(a->sends);
        const uint8_t *bytes = pattern_at(a->id, 0, &n);
        memcpy(head + len, bytes, size_min(n, 50));
        len += size_min(n, 50);
        a->sent = a->sends;
        p->ending = true;
        peer_say(p, str_of(head, len));
        if (p->tls && a->id % 3 == 0) {
            engine_finish(p->tls);
        }
        return;
    }
    /* More than one read takes; but an origin that closes what is idle does not wait for it. */
    if (a->id % 16 == 3 && trial->plan.theme != THEME_STALE) {
        static char big[35000];
        memset(big, 'b', sizeof big);
        peer_say(p, str_of(head, len - 2));
        peer_say(p, S("X-Big: "));
        peer_say(p, str_of(big, sizeof big));
        peer_say(p, S("\r\n\r\n"));
        return;
    }
    peer_say(p, str_of(head, len));
}

/* More of the body of the last ask. */
static void h1_body(Party *p, Ask *a)
{
    char line[40];
    while (a->sent < a->sends && p->out.len < 20000) {
        size_t n = size_min((size_t)(a->sends - a->sent), 1 + trial_pick(16000));
        const uint8_t *bytes = pattern_at(a->id, a->sent, &n);
        if (h1_is_chunked(a)) {
            snprintf(line, sizeof line, "%zx\r\n", n);
            peer_say(p, str_of(line, strlen(line)));
        }
        peer_say(p, str_of(bytes, n));
        a->sent += n;
        if (h1_is_chunked(a)) {
            peer_say(p, a->sent == a->sends ? S("\r\n0\r\n\r\n") : S("\r\n"));
        }
        if (a->tunnel) {
            break;
        }
    }
}

Ask *client_asks(Party *p)
{
    Ask *a = ask_new(p->number, origin_of(p->number));
    if (a) {
        a->peer = p->self;
        trial->client_asked[p->number]++;
        p->live++;
    }
    return a;
}

/* Whether it leaves the end of its connection to River. */
static bool is_lazy(const Party *p)
{
    return (p->number + trial->plan.seed) % 3 == 0;
}

static void h1_goes_on(Party *p)
{
    const ClientPlan *c = plan_of(p->number);
    Ask *last = p->current;
    if (last && !last->over) {
        bool waits = last->tunnel && last->status != 101;
        if (!waits) {
            h1_body(p, last);
        }
        if (last->tunnel && last->sent < last->sends) {
            peer_wake_at(p, lan_now_ns() + 200 * LAN_MS);
        }
        if (last->tunnel && last->got >= last->size && last->sent == last->sends) {
            p->ending = true;
        }
        return;
    }
    if (trial->client_asked[p->number] >= c->asks) {
        if (!is_lazy(p)) {
            peer_drop(p, false);
        }
        return;
    }
    if (lan_now_ns() < p->idle_ns + c->gap_ns) {
        peer_wake_at(p, p->idle_ns + c->gap_ns);
        return;
    }
    Ask *a = client_asks(p);
    p->current = a;
    if (a) {
        h1_head(p, a);
        if (!p->ending && !a->tunnel) {
            h1_body(p, a);
        }
    }
}

/* --- judging over HTTP/1 --------------------------------------------------------------------- */

static void h1_done(Party *p, bool keep)
{
    Ask *a = p->current;
    p->in_body = false;
    p->idle_ns = lan_now_ns();
    p->current = NULL;
    p->live--;
    ask_over(a, true, NULL);
    bool unsent = a->sent < a->sends;
    if (!keep || unsent || p->ending) {
        unsigned number = p->number;
        peer_drop(p, false);
        trial->client_opened[number] = false;
        lan_timer(lan_now_ns() + plan_of(number)->gap_ns + LAN_MS, TIMER_CLIENT, number);
    }
}

static bool h1_judge_head(Party *p)
{
    static Field room[64];
    static uint8_t copy[70000];
    Fields fields = {.room = 64, .at = room};
    const HeadLimits limits = {.head_bytes_max = 65536, .fields_max = 60};
    ResponseHead head;
    size_t scanned = 0;
    size_t end = 0;
    Str bytes = queue_str(&p->in);
    if (bytes.len == 0 || head_find_end(bytes, &scanned, &end) != ERR_OK) {
        return false;
    }
    memcpy(copy, bytes.at, end);
    if (head_parse_response(str_of(copy, end), &limits, METHOD_GET, fields, &head) !=
        HTTP_FAULT_NONE) {
        trial_fail("client %u got a malformed head", p->number);
        return false;
    }
    if (!p->current) {
        if (head.status != 408) {
            trial_fail("client %u got an answer (%u) to nothing", p->number, head.status);
        }
        queue_skip(&p->in, p->in.len);
        return false;
    }
    queue_skip(&p->in, end);
    if (head.status >= 100 && head.status < 200 && head.status != 101) {
        return true;
    }
    p->current->status = head.status;
    p->current->moved_ns = lan_now_ns();
    p->in_body = true;
    p->body = body_of(&head.framing);
    p->greeted = true;
    p->asked = head.framing.keep_alive; /* whether it goes on after this answer */
    if (head.status != 200 && head.status != 101) {
        p->current->size = head.framing.has_length ? head.framing.length : 0;
    }
    return true;
}

static bool h1_judge_body(Party *p)
{
    Ask *a = p->current;
    static uint8_t copy[65536];
    Str bytes = str_take(queue_str(&p->in), sizeof copy);
    if (a->status == 101) {
        bool fits = a->garbled || pattern_fits(a->id, a->got, bytes);
        a->got += bytes.len;
        queue_skip(&p->in, bytes.len);
        if (!fits) {
            trial_fail("client %u got other bytes through a tunnel", p->number);
        }
        return false;
    }
    memcpy(copy, bytes.at ? bytes.at : (const uint8_t *)"", bytes.len);
    BodyStep step = body_decode(&p->body, span_of(copy, bytes.len));
    if (step.fault != HTTP_FAULT_NONE) {
        trial_fail("client %u got a malformed body", p->number);
        return false;
    }
    if (a->status == 200 && !a->garbled && !pattern_fits(a->id, a->got, str_of(copy, step.data))) {
        trial_fail("client %u got another answer than it asked for", p->number);
        return false;
    }
    a->got += step.data;
    a->moved_ns = step.data > 0 ? lan_now_ns() : a->moved_ns;
    queue_skip(&p->in, step.consumed);
    if (p->body.done) {
        h1_done(p, p->asked);
        return false;
    }
    return step.consumed > 0;
}

bool client_h1_judges(Party *p)
{
    bool more = true;
    int self = p->self;
    while (more && p->used && p->self == self && !trial_failed()) {
        more = p->in_body ? h1_judge_body(p) : h1_judge_head(p);
    }
    return p->used;
}

/* --- both ------------------------------------------------------------------------------------ */

void client_hears(Party *p)
{
    if (!p->h2 && p->greeted) {
        (void)client_h1_judges(p);
    }
}

/* Some say their end as soon as River says goodbye, whatever they have still to send. */
static bool is_hasty(Party *p)
{
    int32_t last = 0;
    bool hasty = p->number % 4 == 1 && !trial->calm && h2_peer_leaves(p->h2, &last);
    for (unsigned i = 0; hasty && i < trial->ask_count; i++) {
        Ask *a = &trial->asks[i];
        bool ours = a->peer == p->self && a->client == p->number;
        a->tainted |= ours && !a->over; /* it can open no more windows */
    }
    p->ending |= hasty;
    return hasty;
}

static void h2_goes_on(Party *p)
{
    const ClientPlan *c = plan_of(p->number);
    client_consumes(p);
    if (is_hasty(p)) {
        return;
    }
    if (trial->client_asked[p->number] >= c->asks) {
        if (p->live == 0 && !is_lazy(p)) {
            peer_drop(p, false);
        }
        return;
    }
    while (p->live < c->at_once && trial->client_asked[p->number] < c->asks &&
           lan_now_ns() >= p->idle_ns + c->gap_ns && h2_room(p->h2) > 0) {
        Ask *a = client_asks(p);
        p->idle_ns = lan_now_ns();
        if (!a || !h2_client_ask(p, a)) {
            break;
        }
    }
    if (p->live < c->at_once) {
        peer_wake_at(p, u64_max(p->idle_ns + c->gap_ns, lan_now_ns() + LAN_MS));
    }
}

/* All that the client has asked over this connection is over. */
static void asks_end(int self, unsigned number, const char *why)
{
    for (unsigned i = 0; i < trial->ask_count; i++) {
        Ask *a = &trial->asks[i];
        if (!a->over && a->peer == self && a->client == number) {
            ask_over(a, false, why);
        }
    }
}

/* What clients do that misbehave. True: the connection is gone. */
static bool misbehaves(Party *p)
{
    const ClientPlan *c = plan_of(p->number);
    if (trial->calm || p->number >= trial->plan.client_count) {
        return false;
    }
    if (c->conduct == CONDUCT_RESETS && p->live > 0 && trial_pick(12) == 0) {
        client_loses(p, "its own reset");
        return true;
    }
    if (c->conduct == CONDUCT_VANISHES && trial->client_asked[p->number] > 0 &&
        trial_pick(6) == 0) { /* without a word, and for ever */
        p->gone = true;
        lan_vanish(p->end);
        asks_end(p->self, p->number, "its host has vanished");
        return true;
    }
    if (c->conduct == CONDUCT_NASTY && p->h2 && trial_pick(4) == 0) {
        trial->client_asked[p->number]++;
        frames_begin(p);
        return !p->used;
    }
    if (c->conduct == CONDUCT_STALLS && trial_pick(30) == 0) {
        p->stall_ns = lan_now_ns() + (1 + trial_pick(100)) * LAN_S;
        peer_wake_at(p, p->stall_ns);
    }
    if (c->conduct == CONDUCT_ABANDONS && p->live > 0 && p->h2 && trial_pick(8) == 0) {
        for (unsigned i = 0; i < trial->ask_count; i++) {
            Ask *a = &trial->asks[i];
            if (!a->over && a->peer == p->self && a->client == p->number && a->stream > 0) {
                h2_reset(p->h2, a->stream, H2_CANCEL);
                break;
            }
        }
    }
    return false;
}

void client_goes_on(Party *p)
{
    if (!p->raw && misbehaves(p)) {
        return;
    }
    if (p->raw) {
        frames_go_on(p);
        return;
    }
    if (p->h2) {
        h2_goes_on(p);
    } else {
        h1_goes_on(p);
    }
}

void client_loses(Party *p, const char *why)
{
    unsigned number = p->number;
    int self = p->self;
    if (p->current && p->in_body && p->body.kind == BODY_UNTIL_CLOSE && !lan_broken(p->end)) {
        p->body.done = true;
        p->asked = 0;
        h1_done(p, false);
        return;
    }
    if (p->current && p->current->status == 101) {
        ask_over(p->current, true, why);
    }
    peer_drop(p, strcmp(why, "its own reset") == 0);
    trial->client_opened[number] = false;
    asks_end(self, number, why);
    lan_timer(lan_now_ns() + plan_of(number)->gap_ns + 5 * LAN_MS, TIMER_CLIENT, number);
}
