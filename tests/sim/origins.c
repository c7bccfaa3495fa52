/* origins.c - the test's origins: they answer by the path, over HTTP/1 by themselves and over
 * HTTP/2 with h2_peers.c, and misbehave as the faults say. */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "trial.h"

#define QUIET_NS (5 * LAN_S)
#define QUIET_BYTES 100u
#define TUNNEL_BYTES 200u

void origin_arrived(int host, int end)
{
    Party *p = peer_new(false, (unsigned)host, end);
    const LanHost *h = lan_host_of(host);
    p->idle_ns += h->dial_ns + 2 * h->link.latency_ns; /* until the other side knows of it */
    const OriginPlan *o = &trial->plan.origins[host];
    if (o->tls) {
        /* By EndpointProtocol, as standin_tls.c lays a server out: one byte of offers. */
        static uint8_t offers[3] = {1, 2, 3};
        bool old = o->old != trial->flipped[host] && o->protocol == ENDPOINT_H2_OR_H1;
        EngineServer *s = (EngineServer *)(void *)&offers[old ? ENDPOINT_H1 : o->protocol];
        CHECK(engine_accept(s, &p->tls) == ERR_OK);
    }
}

/* --- what is served -------------------------------------------------------------------------- */

void origin_reads_head(Party *p, Serve *s, const RequestHead *head)
{
    uint64_t id = 0;
    StrCut cut = str_cut(str_drop(head->path, 1), '/');
    CHECK(number_decimal(cut.head, UINT64_MAX, &id) == ERR_OK);
    s->ask = ask_by_id(id);
    CHECK(s->ask != NULL);
    s->known = true;
    s->size = s->ask->size;
    s->chunked = trial_pick(2);
    s->due_ns = lan_now_ns() + trial->plan.origins[p->number].answer_ns;
    s->lies = trial->trouble[TROUBLE_LIE][p->number] && trial_pick(2);
    s->tunnel = s->ask->tunnel;
    s->chunked = s->chunked && !s->tunnel;
    if (s->lies) {
        s->ask->tainted = true;
    }
}

/* How many bytes of the answer may go now, and whether they are the last. */
uint64_t serve_ready(const Serve *s)
{
    if (!s->ask) {
        return 0;
    }
    if (s->ask->quiet) {
        uint64_t messages = 1 + (lan_now_ns() - s->ask->begun_ns) / QUIET_NS;
        uint64_t due = u64_min(messages * QUIET_BYTES, s->size);
        return due > s->at ? due - s->at : 0;
    }
    return s->size - s->at;
}

bool serve_is_all(const Serve *s)
{
    if (s->tunnel && s->got < s->ask->sends) {
        return false;
    }
    return s->ask && s->at + serve_ready(s) >= s->size;
}

void serve_paces(Party *p, Serve *s)
{
    if (s->ask->quiet && s->at < s->size) {
        peer_wake_at(p, lan_now_ns() + QUIET_NS);
    }
}

/* --- HTTP/1 ---------------------------------------------------------------------------------- */

static Serve *serve_new(Party *p)
{
    for (unsigned i = 0; i < SERVES_MAX; i++) {
        if (!trial->serves[i].used) {
            trial->serves_touched = i + 1 > trial->serves_touched ? i + 1 : trial->serves_touched;
            trial->serves[i] = (Serve){.used = true, .peer = p->self};
            p->live++;
            return &trial->serves[i];
        }
    }
    CHECK(false);
    return NULL;
}

static void serve_drop(Party *p)
{
    if (p->serve) {
        *p->serve = (Serve){0};
        p->serve = NULL;
        p->live--;
        p->idle_ns = lan_now_ns();
    }
}

static bool h1_reads_head(Party *p)
{
    static Field room[64];
    static uint8_t copy[70000];
    Fields fields = {.room = 64, .at = room};
    const HeadLimits limits = {65536, 60, 16384};
    RequestHead head;
    size_t scanned = 0;
    size_t end = 0;
    Str bytes = queue_str(&p->in);
    if (bytes.len == 0 || head_find_end(bytes, &scanned, &end) != ERR_OK) {
        return false;
    }
    memcpy(copy, bytes.at, end);
    if (head_parse_request(str_of(copy, end), &limits, fields, &head) != HTTP_FAULT_NONE) {
        trial_fail("an origin got a malformed head: %.*s", (int)size_min(end, 150),
                   (const char *)copy);
        return false;
    }
    p->serve = serve_new(p);
    origin_reads_head(p, p->serve, &head);
    p->body = body_of(&head.framing);
    p->in_body = true;
    p->serve->over = p->body.done;
    if (!p->serve->tunnel && trial_pick(6) == 0) {
        p->serve->ask->touched = true;
        peer_say(p, S("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"));
    }
    queue_skip(&p->in, end);
    return true;
}

static void h1_reads_body(Party *p)
{
    static uint8_t copy[65536];
    Serve *s = p->serve;
    bool more = true;
    while (more && p->in.len > 0 && !trial_failed()) {
        Str bytes = str_take(queue_str(&p->in), sizeof copy);
        if (s->tunnel) {
            s->got += bytes.len;
            queue_skip(&p->in, bytes.len);
            continue;
        }
        if (p->body.done) {
            return;
        }
        memcpy(copy, bytes.at, bytes.len);
        BodyStep step = body_decode(&p->body, span_of(copy, bytes.len));
        bool fits = s->ask->garbled || pattern_fits(s->ask->id, s->got, str_of(copy, step.data));
        if (step.fault != HTTP_FAULT_NONE || !fits) {
            trial_fail("an origin got a malformed body of ask %llu (fault %d, at %llu): %.*s",
                       (unsigned long long)s->ask->id, step.fault, (unsigned long long)s->got,
                       (int)size_min(bytes.len, 60), (const char *)bytes.at);
            return;
        }
        s->got += step.data;
        queue_skip(&p->in, step.consumed);
        s->over = p->body.done;
        more = step.consumed > 0;
    }
}

void origin_hears(Party *p)
{
    if (p->h2) {
        return;
    }
    if (!p->serve && !h1_reads_head(p)) {
        return;
    }
    h1_reads_body(p);
}

static void h1_head(Party *p, Serve *s)
{
    char head[300];
    s->replied = true;
    s->ask->touched = true;
    if (s->tunnel) {
        peer_say(p, S("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                      "Upgrade: websocket\r\n\r\n"));
        return;
    }
    if (s->lies && s->ask->id % 3 == 0) { /* a part of a head, and the end */
        peer_say(p, S("HTTP/1.1 200 OK\r\nContent-Le"));
        s->ended = true;
        p->ending = true;
        return;
    }
    uint64_t says = s->lies ? s->size + 1 + trial_pick(100) : s->size;
    s->chunked = s->chunked && !s->lies;
    snprintf(head, sizeof head,
             s->chunked ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                        : "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n",
             (unsigned long long)says);
    peer_say(p, str_of(head, strlen(head)));
    if (s->ask->id % 16 == 5 && !s->ask->slow) { /* more than one read takes */
        static char big[35000];
        memset(big, 'b', sizeof big);
        peer_say(p, S("X-Big: "));
        peer_say(p, str_of(big, sizeof big));
        peer_say(p, S("\r\n"));
    }
    peer_say(p, s->ask->quiet ? S("Content-Type: application/grpc\r\n\r\n") : S("\r\n"));
}

static void h1_piece(Party *p, Serve *s, size_t n)
{
    char line[40];
    const uint8_t *bytes = pattern_at(s->ask->id, s->at, &n);
    if (s->chunked) {
        snprintf(line, sizeof line, "%zx\r\n", n);
        peer_say(p, str_of(line, strlen(line)));
    }
    peer_say(p, str_of(bytes, n));
    if (s->chunked) {
        peer_say(p, S("\r\n"));
    }
    s->at += n;
}

static void h1_says(Party *p, Serve *s)
{
    while (p->out.len < 32768 && serve_ready(s) > 0) {
        size_t most = s->tunnel ? TUNNEL_BYTES : 1 + trial_pick(20000);
        h1_piece(p, s, (size_t)u64_min(serve_ready(s), most));
        if (s->tunnel) {
            peer_wake_at(p, lan_now_ns() + 300 * LAN_MS);
            s->due_ns = lan_now_ns() + 300 * LAN_MS;
            break;
        }
        if (trial->trouble[TROUBLE_HALF_CLOSE][p->number] && trial_pick(4) == 0) {
            s->ask->tainted = true;
            p->ending = true; /* the end, in the middle of the answer */
            return;
        }
    }
    if (s->at < s->size || s->ended || !serve_is_all(s)) {
        return;
    }
    s->ended = true;
    if (s->tunnel || s->lies) {
        p->ending = true;
    } else if (s->chunked) {
        peer_say(p, trial_pick(2) ? S("0\r\n\r\n") : S("0\r\nX-Sum: 1\r\n\r\n"));
    }
}

static void h1_goes_on(Party *p)
{
    Serve *s = p->serve;
    if (!s || !(s->over || s->ask->quiet || s->tunnel)) {
        return;
    }
    if (lan_now_ns() < s->due_ns) {
        peer_wake_at(p, s->due_ns);
        return;
    }
    if (!s->replied) {
        h1_head(p, s);
    }
    if (!s->ended) {
        h1_says(p, s);
    }
    if (s->ended && s->over) {
        serve_drop(p);
        p->in_body = false;
        if (p->in.len > 0) {
            origin_hears(p);
        }
    } else {
        serve_paces(p, s);
    }
}

/* --- both ------------------------------------------------------------------------------------ */

/* Closes what has been idle for as long as the plan says. True: the connection is gone. */
static bool closes_idle(Party *p)
{
    uint64_t idle_ns = trial->plan.origins[p->number].idle_ns;
    if (idle_ns == 0 || p->live > 0 || p->in.len + p->out.len > 0 || trial->calm) {
        return false;
    }
    if (lan_now_ns() < p->idle_ns + idle_ns) {
        peer_wake_at(p, p->idle_ns + idle_ns);
        return false;
    }
    if (p->h2) {
        h2_goaway(p->h2, true);
        p->idle_ns = lan_now_ns();
        return false;
    }
    peer_drop(p, false);
    return true;
}

void origin_goes_on(Party *p)
{
    if (p->raw) {
        frames_go_on(p);
        return;
    }
    if (p->h2 && trial->trouble[TROUBLE_NASTY][p->number] && trial_pick(3) == 0) {
        frames_begin(p);
        return;
    }
    if (closes_idle(p)) {
        return;
    }
    if (p->h2) {
        h2_origin_goes_on(p);
    } else {
        h1_goes_on(p);
    }
}

void origin_loses(Party *p)
{
    if (p->serve && p->serve->tunnel && !p->finished && !lan_broken(p->end)) {
        p->ending = true;
    }
    for (unsigned i = 0; i < trial->serves_touched; i++) {
        if (trial->serves[i].used && trial->serves[i].peer == p->self) {
            trial->serves[i] = (Serve){0};
        }
    }
    peer_drop(p, false);
}
