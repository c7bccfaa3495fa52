/* peers.c - one connection as a test's peer holds it: its queues, its seal, and at what speed it
 * reads and writes. What the bytes mean is for clients.c, origins.c and h2_peers.c. */
#include <string.h>

#include "base/number.h"
#include "trial.h"

#define PATTERN_BYTES (64u << 10)
#define READ_STEP_NS (250 * LAN_MS)
#define DRIP_NS (2 * LAN_S)
#define RAW_BYTES 16384u

static uint8_t pattern[PATTERN_BYTES + 26];

const uint8_t *pattern_at(uint64_t id, uint64_t at, size_t *len)
{
    if (pattern[0] == 0) {
        for (size_t i = 0; i < sizeof pattern; i++) {
            pattern[i] = (uint8_t)('a' + i % 26);
        }
    }
    *len = size_min(*len, PATTERN_BYTES);
    return pattern + (id * 7 + at) % 26;
}

bool pattern_fits(uint64_t id, uint64_t at, Str bytes)
{
    while (bytes.len > 0) {
        size_t len = bytes.len;
        const uint8_t *want = pattern_at(id, at, &len);
        if (memcmp(want, bytes.at, len) != 0) {
            return false;
        }
        at += len;
        bytes = str_drop(bytes, len);
    }
    return true;
}

/* --- queues ---------------------------------------------------------------------------------- */

void queue_add(Queue *q, const void *at, size_t len)
{
    if (q->from > 0 && q->from + q->len + len > q->room) {
        memmove(q->at, q->at + q->from, q->len);
        q->from = 0;
    }
    if (q->from + q->len + len > q->room) {
        size_t room = q->room ? q->room : 1024;
        while (room < q->len + len) {
            room *= 2;
        }
        uint8_t *fresh = (uint8_t *)memory_new(NULL, room);
        CHECK(fresh != NULL);
        if (q->len > 0) {
            memcpy(fresh, q->at + q->from, q->len);
        }
        memory_drop(NULL, q->at, q->room);
        q->at = fresh;
        q->room = room;
        q->from = 0;
    }
    if (len > 0) {
        memcpy(q->at + q->from + q->len, at, len);
    }
    q->len += len;
}

void queue_skip(Queue *q, size_t n)
{
    q->from += n;
    q->len -= n;
    if (q->len == 0) {
        q->from = 0;
    }
}

Str queue_str(const Queue *q)
{
    return q->len > 0 ? str_of(q->at + q->from, q->len) : STR_NONE;
}

static void queue_drop(Queue *q)
{
    memory_drop(NULL, q->at, q->room);
    *q = (Queue){0};
}

/* --- life ------------------------------------------------------------------------------------ */

Party *peer_new(bool client, unsigned number, int end)
{
    int i = 0;
    while (i < PEERS_MAX && trial->peers[i].used) {
        i++;
    }
    CHECK(i < PEERS_MAX);
    trial->peers_touched = i + 1 > trial->peers_touched ? i + 1 : trial->peers_touched;
    Party *p = &trial->peers[i];
    *p = (Party){.used = true,
                .client = client,
                .self = i,
                .end = end,
                .number = number,
                .begun_ns = lan_now_ns(),
                .read_ns = lan_now_ns(),
                .idle_ns = lan_now_ns()};
    lan_name(end, i);
    return p;
}

void peer_drop(Party *p, bool reset)
{
    lan_drop(p->end, reset);
    h2_drop(p->h2);
    engine_free(p->tls);
    queue_drop(&p->in);
    queue_drop(&p->out);
    *p = (Party){0};
}

void peer_wake_at(Party *p, uint64_t at_ns)
{
    if (p->wake_ns <= lan_now_ns() || at_ns < p->wake_ns) {
        p->wake_ns = at_ns;
        lan_timer(at_ns, TIMER_PEER, (uint64_t)p->self << 32 | (uint32_t)p->end);
    }
}

void peer_ready(int end, int self)
{
    Party *p = &trial->peers[self];
    if (p->used && p->end == end) {
        peer_go(p);
    }
}

/* --- bytes ----------------------------------------------------------------------------------- */

static Err sink(void *context, const Str *pieces, size_t count)
{
    Party *p = (Party *)context;
    for (size_t i = 0; i < count; i++) {
        queue_add(&p->out, pieces[i].at, pieces[i].len);
    }
    return ERR_OK;
}

static void seal_flush(Party *p)
{
    CHECK(engine_take(p->tls, sink, p) == ERR_OK);
}

/* Records of mixed sizes, as real stacks make them. */
void peer_say(Party *p, Str plain)
{
    if (!p->tls) {
        queue_add(&p->out, plain.at, plain.len);
        return;
    }
    while (plain.len > 0) {
        size_t n = trial_pick(4) ? 16384 : 1 + trial_pick(300);
        CHECK(engine_write(p->tls, str_take(plain, n)) == ERR_OK);
        plain = str_drop(plain, n);
    }
    seal_flush(p);
}

static Conduct conduct_of(const Party *p)
{
    return p->client && !trial->calm && p->number < trial->plan.client_count
               ? trial->plan.clients[p->number].conduct
               : CONDUCT_GOOD;
}

static void write_out(Party *p)
{
    size_t most = p->out.len;
    bool later = p->number % 2 && trial->client_asked[p->number] <= 1; /* not its first request */
    if (conduct_of(p) == CONDUCT_DRIPS && most > 0 && p->greeted && !later) {
        most = 1;
        p->drip_ns = p->drip_ns ? p->drip_ns : lan_now_ns();
        peer_wake_at(p, lan_now_ns() + DRIP_NS);
        if (lan_now_ns() < p->idle_ns + DRIP_NS) { /* when it last dripped */
            return;
        }
        p->idle_ns = lan_now_ns();
    }
    size_t n = lan_write(p->end, str_take(queue_str(&p->out), most));
    queue_skip(&p->out, n);
    p->drip_ns = p->out.len > 0 ? p->drip_ns : 0;
    bool ends = p->ending && !p->finished && p->out.len == 0 && !lan_broken(p->end);
    if (ends && p->tls && p->greeted && p->number % 2 && !p->said_end) { /* half of them say so */
        p->said_end = true;
        engine_finish(p->tls);
        seal_flush(p);
        queue_skip(&p->out, lan_write(p->end, queue_str(&p->out)));
    }
    if (ends && p->out.len == 0) {
        p->finished = true;
        lan_finish(p->end);
    }
}

/* How much it may read now, at its rate. */
static size_t read_room(Party *p)
{
    uint64_t rate = p->client && !trial->calm && p->number < trial->plan.client_count
                        ? trial->plan.clients[p->number].rate
                        : 0;
    if ((conduct_of(p) == CONDUCT_DEAF && p->moved > 500) || (p->raw_deaf && !trial->calm)) {
        return 0;
    }
    if (rate == 0) {
        return SIZE_MAX;
    }
    uint64_t due = (lan_now_ns() - p->read_ns) / READ_STEP_NS * rate / 4 + 1000;
    if (due <= p->read_bytes) {
        peer_wake_at(p, lan_now_ns() + READ_STEP_NS);
        return 0;
    }
    return due - p->read_bytes;
}

#define PAUSE_S 8u /* shorter than River waits for a head */

/* Where connections are few, who is idle has to go. */
static bool may_pause(void)
{
    return !trial->calm && trial->plan.connections_max >= 1000;
}

/* Says who its client is, and some take their time for the rest. */
static void introduce(Party *p)
{
    static const Str header = S("PROXY TCP4 198.51.100.7 192.0.2.80 40000 80\r\n");
    bool begun = p->half_said;
    bool planned = p->number < trial->plan.client_count && !trial->calm;
    p->cut_short = !begun && planned && trial_pick(4) == 0;
    p->half_said = !begun && !p->cut_short && planned && may_pause() && trial_pick(3) == 0;
    bool half = p->cut_short || p->half_said;
    Str part = str_drop(half ? str_take(header, header.len / 2) : header,
                        begun ? header.len / 2 : 0);
    size_t n = lan_write(p->end, part);
    CHECK(n == part.len || lan_broken(p->end));
    p->introduced = !p->half_said;
    if (p->cut_short) {
        lan_finish(p->end);
    }
    if (p->half_said || (p->number % 3 == 0 && may_pause())) {
        p->stall_ns = lan_now_ns() + trial_pick(PAUSE_S) * LAN_S;
    }
}

#define BABBLE_BYTES 9000u /* more than River reads at once */

/* Says much at once that is no handshake; or begins with one, and does not hear the answer. */
static void babble(Party *p)
{
    size_t len = BABBLE_BYTES;
    const uint8_t *at = pattern_at(1, 0, &len);
    p->raw_deaf = p->number % 4 == 1;
    if (p->raw_deaf) {
        seal_flush(p);
        (void)!lan_write(p->end, queue_str(&p->out));
    }
    (void)!lan_write(p->end, str_of(at, len));
    p->cut_short = true;
}

/* A handshake is over: the session begins. */
static void greet(Party *p)
{
    p->greeted = true;
    if (!p->client) {
        TlsInfo info;
        if (p->tls) {
            engine_info(p->tls, &info);
        }
        bool h2 = p->tls ? info.alpn == TLS_ALPN_H2
                         : trial->plan.origins[p->number].protocol == ENDPOINT_H2;
        if (h2) {
            (void)h2_peer_open(p);
        }
    } else {
        client_open_h2(p);
        if (p->tls && p->number % 4 == 1 && may_pause()) { /* and its first request is late */
            p->stall_ns = lan_now_ns() + trial_pick(PAUSE_S) * LAN_S;
        }
    }
}

static void take_plain(Party *p, Str plain)
{
    if (p->raw) {
        return;
    }
    if (p->h2) {
        h2_peer_hears(p, plain);
    } else {
        queue_add(&p->in, plain.at, plain.len);
    }
}

static void take_sealed(Party *p, Str raw)
{
    static uint8_t plain[32768];
    while (raw.len > 0) {
        size_t taken = 0;
        size_t n = 0;
        if (engine_feed(p->tls, NULL, raw, &taken) != ENGINE_OK) {
            trial_fail("a peer got ciphertext that it cannot open");
            return;
        }
        raw = str_drop(raw, taken);
        if (!p->greeted && !engine_is_handshaking(p->tls)) {
            greet(p);
        }
        while (engine_read(p->tls, span_of(plain, sizeof plain), &n) == ERR_OK) {
            take_plain(p, str_of(plain, n));
        }
        seal_flush(p);
        CHECK(taken > 0 || n > 0);
    }
}

static void read_in(Party *p)
{
    static uint8_t raw[RAW_BYTES];
    int end = p->end;
    while (p->used && p->end == end) {
        size_t room = size_min(read_room(p), sizeof raw);
        size_t n = room > 0 ? lan_read(p->end, span_of(raw, room)) : 0;
        if (n == 0) {
            return;
        }
        p->read_bytes += n;
        p->moved += n;
        if (p->tls) {
            take_sealed(p, str_of(raw, n));
        } else {
            take_plain(p, str_of(raw, n));
        }
        if (trial_failed()) {
            return;
        }
        if (p->client) {
            client_hears(p);
        } else {
            origin_hears(p);
        }
    }
}

static void lose(Party *p, const char *why)
{
    if (p->client) {
        client_loses(p, why);
    } else {
        origin_loses(p);
    }
}

void peer_go(Party *p)
{
    if (p->gone || trial_failed() || !lan_connected(p->end)) {
        return;
    }
    bool mute = conduct_of(p) == CONDUCT_MUTE;
    if (p->client && trial->plan.proxied && !p->introduced && !p->half_said && !mute) {
        introduce(p);
    }
    if (lan_now_ns() < p->stall_ns) {
        peer_wake_at(p, p->stall_ns);
        return;
    }
    if (p->half_said && !p->introduced) {
        introduce(p);
    }
    int self = p->self;
    int end = p->end;
    if (mute || p->cut_short) { /* not even a handshake */
        static uint8_t dropped[RAW_BYTES];
        while (p->cut_short && !p->raw_deaf &&
               lan_read(p->end, span_of(dropped, sizeof dropped)) > 0) {
        }
        if (mute && p->tls && p->number % 2 && !p->cut_short && !trial->plan.proxied) {
            babble(p);
        }
        if (lan_ended(p->end)) {
            client_loses(p, "was mute");
        }
        return;
    }
    if (!p->greeted && !p->tls) {
        greet(p);
    } else if (p->tls) {
        seal_flush(p);
    }
    write_out(p);
    read_in(p);
    bool same = p->used && p->end == end;
    if (same && p->client && p->live == 0 && lan_ended(p->end)) { /* while it stood still */
        lose(p, "closed");
        return;
    }
    bool waits = same && lan_now_ns() < p->stall_ns; /* from now on */
    if (same && p->greeted && !p->ending && !waits) {
        if (p->client) {
            client_goes_on(p);
        } else {
            origin_goes_on(p);
        }
    }
    if (!p->used || p->self != self || p->end != end || trial_failed()) {
        return;
    }
    if (p->h2 && !p->raw) {
        h2_peer_says(p);
    }
    write_out(p);
    if (p->raw_cuts && p->out.len == 0) {
        lose(p, "its own reset");
        return;
    }
    if (lan_ended(p->end)) {
        lose(p, lan_broken(p->end) ? "reset" : "closed");
    }
}
