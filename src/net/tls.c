/* tls.c - what River adds to rustls: states, references, the budget, and a listener's current
 * server. */
#include "net/tls.h"

#include <pthread.h>

#include "base/number.h"
#include "net/tls_hello.h"
#include "net/tls_meter.h"
#include "net/certificate_cache.h"

#define CONFIG_BLOCK_BYTES 4096u
#define CONFIG_BYTES_MAX (64u << 20)
#define NAME_BYTES_MAX 100u /* of a server name that is not a DNS name, for the log */
#define PEER_BYTES_MAX 4096u /* of a subject, or of names, which are not kept beyond that */
/* A record holds at most so much plaintext (RFC 8446 §5.1): pieces are put together up to it. */
#define RECORD_BYTES_MAX 16384u

/* What a peer may send before the handshake is over, by whole records: rustls keeps it, in case it
 * is one message. A client that shows no certificate has nothing to say that long. */
#define HELLO_BYTES_MAX (16u << 10)
#define CLIENT_CHAIN_BYTES_MAX (32u << 10)
#define SERVER_CHAIN_BYTES_MAX (64u << 10)

/* What a session counts for, which tests/unit/tls_end_test.c compares with what the allocator gave:
 * 2 KiB and what was received while it shakes hands, 7.6 KiB (4 of them rustls's input buffer)
 * once it is open. An origin is trusted not to send the longest chain on every connection. */
#define HANDSHAKE_BYTES_BASE (4u << 10)
#define OPEN_BYTES (8u << 10)

/* Memory of a configuration, whose owner it is. */
typedef struct Config {
    _Atomic size_t refs;
    Blocks blocks;
    Arena arena;
} Config;

struct TlsServer {
    Config config;
    EngineServer *engine;
    size_t pair_count;
    TlsParsed **pairs COUNTED_BY(pair_count);
    TlsParsed *client_roots; /* NULL: clients are not asked */
    TlsParsed *client_crls;  /* NULL: none are given */
    TlsNames names;
    bool asks_clients; /* for certificates */
};

struct TlsClient {
    Config config;
    EngineClient *engine;
    TlsParsed *own;   /* shown to the origin; NULL: nothing */
    TlsParsed *roots; /* NULL: any certificate is taken */
};

struct Tls {
    Engine *engine;
    TlsServer *server; /* one of these two */
    TlsClient *client;
    Budget *budget;
    size_t budget_bytes; /* taken from it for rustls */
    TlsState state;
    TlsReason reason;
    Str cause; /* what its code does not say; static */
    EngineCode code;
    bool began; /* the peer has sent a byte */
    bool heard; /* ... and data */
    bool refused; /* it ended with an alert about River's certificate */
    TlsMeter meter; /* of its handshake */
    uint64_t session_since_s; /* belongs to the engine */
    size_t subject_len; /* at the front of `peer` */
    size_t peer_len;
    uint8_t *peer COUNTED_BY(peer_len); /* the subject and the names of the client's certificate */
};

/* ---- configurations ---- */

static void config_init(Config *c)
{
    atomic_init(&c->refs, 1);
    blocks_init(&c->blocks, NULL, CONFIG_BLOCK_BYTES, 0);
    arena_init(&c->arena, &c->blocks, CONFIG_BYTES_MAX);
}

static void config_drop(Config *c)
{
    arena_reset(&c->arena);
    blocks_drop(&c->blocks);
}

static void config_ref(Config *c)
{
    (void)atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
}

/* Whether that was the last reference. */
static bool config_unref(Config *c)
{
    return atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1;
}

static Err note_mistake(Err err, TlsMistake *ret_mistake)
{
    if (err != ERR_SYNTAX) {
        *ret_mistake = (TlsMistake){.part = TLS_PART_MEMORY};
    }
    return err;
}

/* A plan's pairs, parsed. */
static Err pairs_parse(TlsServer *s, const TlsServerPlan *plan, TlsMistake *ret_mistake, Text *why)
{
    TlsParsed **pairs = (TlsParsed **)arena_alloc_array(&s->config.arena, plan->pair_count,
                                                        sizeof *pairs);
    if (!pairs) {
        return ERR_MEMORY;
    }
    s->pair_count = plan->pair_count;
    s->pairs = pairs;
    for (size_t i = 0; i < s->pair_count; i++) {
        TRY(tls_parsed_pair(plan->cache, &plan->pairs[i], i, &s->pairs[i], ret_mistake, why));
    }
    return ERR_OK;
}

/* The table of their names. Where several pairs have one, the modern ones are preferred. */
static Err names_make(TlsServer *s)
{
    size_t count = 0;
    for (size_t i = 0; i < s->pair_count; i++) {
        count += tls_names_count(tls_parsed_names(s->pairs[i]));
    }
    TRY(tls_names_open(&s->config.arena, count, &s->names));
    for (unsigned modern = 2; modern-- > 0;) {
        for (size_t i = 0; i < s->pair_count; i++) {
            if (s->pairs[i]->modern == (modern == 1)) {
                tls_names_add(&s->names, tls_parsed_names(s->pairs[i]), i);
            }
        }
    }
    tls_names_close(&s->names, tls_parsed_names(s->pairs[0]));
    return ERR_OK;
}

static Err server_make(TlsServer *s, const TlsServerPlan *plan, TlsMistake *ret_mistake, Text *why)
{
    TRY(pairs_parse(s, plan, ret_mistake, why));
    TRY(names_make(s));
    if (plan->clients != TLS_CLIENTS_NONE) {
        TRY(tls_parsed_roots(plan->cache, plan->client_roots, true, TLS_PART_CLIENT_ROOTS,
                             &s->client_roots, ret_mistake, why));
    }
    if (plan->clients != TLS_CLIENTS_NONE && plan->client_crls.len > 0) {
        TRY(tls_parsed_crls(plan, &s->client_crls, ret_mistake, why));
    }
    const EngineKey **keys = (const EngineKey **)arena_alloc_array(
        &s->config.arena, s->pair_count, sizeof *keys);
    uint16_t *groups = arena_array(&s->config.arena, uint16_t, s->pair_count);
    if (!keys || !groups) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < s->pair_count; i++) {
        keys[i] = s->pairs[i]->key;
        groups[i] = s->pairs[i]->group;
    }
    EngineServerParts parts = {
        .key_count = s->pair_count, .keys = keys, .groups = groups, .names = &s->names};
    parts.client_roots = s->client_roots ? s->client_roots->roots : NULL;
    parts.client_crls = s->client_crls ? s->client_crls->crls : NULL;
    return engine_server_new(&s->config.arena, plan, &parts, &s->engine, ret_mistake, why);
}

static void server_drop(TlsServer *s)
{
    if (s->engine) {
        engine_server_drop(s->engine);
    }
    for (size_t i = 0; i < s->pair_count; i++) {
        tls_parsed_unref(s->pairs[i]);
    }
    tls_parsed_unref(s->client_roots);
    tls_parsed_unref(s->client_crls);
    config_drop(&s->config);
    memory_drop(NULL, s, sizeof *s);
}

Err tls_server_new(const TlsServerPlan *plan, TlsServer **ret, TlsMistake *ret_mistake, Text *why)
{
    CHECK(plan->pair_count > 0);
    TlsServer *s = (TlsServer *)memory_new(NULL, sizeof *s);
    if (!s) {
        return note_mistake(ERR_MEMORY, ret_mistake);
    }
    config_init(&s->config);
    Err err = server_make(s, plan, ret_mistake, why);
    if (err != ERR_OK) {
        server_drop(s);
        return note_mistake(err, ret_mistake);
    }
    s->asks_clients = plan->clients != TLS_CLIENTS_NONE;
    *ret = s;
    return ERR_OK;
}

TlsServer *tls_server_ref(TlsServer *s)
{
    config_ref(&s->config);
    return s;
}

void tls_server_unref(TlsServer *s)
{
    if (s && config_unref(&s->config)) {
        server_drop(s);
    }
}

size_t tls_server_identity(const TlsServer *s, Str host)
{
    return tls_names_identity(&s->names, host);
}

static Err client_make(TlsClient *c, const TlsClientPlan *plan, TlsMistake *ret_mistake, Text *why)
{
    if (plan->verify) {
        TRY(tls_parsed_roots(plan->cache, plan->roots, !plan->roots_of_platform, TLS_PART_ROOTS,
                             &c->roots, ret_mistake, why));
    }
    if (plan->own.chain.len > 0) {
        TRY(tls_parsed_pair(plan->cache, &plan->own, 0, &c->own, ret_mistake, why));
    }
    return engine_client_new(&c->config.arena, plan, c->own ? c->own->key : NULL,
                             c->roots ? c->roots->roots : NULL, &c->engine, ret_mistake, why);
}

static void client_drop(TlsClient *c)
{
    if (c->engine) {
        engine_client_drop(c->engine);
    }
    tls_parsed_unref(c->own);
    tls_parsed_unref(c->roots);
    config_drop(&c->config);
    memory_drop(NULL, c, sizeof *c);
}

Err tls_client_new(const TlsClientPlan *plan, TlsClient **ret, TlsMistake *ret_mistake, Text *why)
{
    TlsClient *c = (TlsClient *)memory_new(NULL, sizeof *c);
    if (!c) {
        return note_mistake(ERR_MEMORY, ret_mistake);
    }
    config_init(&c->config);
    Err err = client_make(c, plan, ret_mistake, why);
    if (err != ERR_OK) {
        client_drop(c);
        return note_mistake(err, ret_mistake);
    }
    *ret = c;
    return ERR_OK;
}

TlsClient *tls_client_ref(TlsClient *c)
{
    config_ref(&c->config);
    return c;
}

void tls_client_unref(TlsClient *c)
{
    if (c && config_unref(&c->config)) {
        client_drop(c);
    }
}

void tls_server_save_tickets(const TlsServer *s, Text *out)
{
    engine_save_tickets(s->engine, out);
}

Err tls_server_restore_tickets(TlsServer *s, Str keys)
{
    return engine_restore_tickets(s->engine, keys) ? ERR_OK : ERR_SYNTAX;
}

/* ---- the life of a session ---- */

/* A session without its engine, counted as one that shakes hands. */
static Err session_new(Budget *budget, size_t handshake_bytes, Tls **ret)
{
    size_t bytes = handshake_bytes + HANDSHAKE_BYTES_BASE;
    if (!budget_take(budget, bytes)) {
        return ERR_MEMORY;
    }
    Tls *t = (Tls *)memory_new(budget, sizeof *t);
    if (!t) {
        budget_give(budget, bytes);
        return ERR_MEMORY;
    }
    t->budget = budget;
    t->budget_bytes = bytes;
    *ret = t;
    return ERR_OK;
}

Err tls_accept(TlsServer *server, Budget *budget, Tls **ret)
{
    Tls *t = NULL;
    size_t most = server->asks_clients ? CLIENT_CHAIN_BYTES_MAX : HELLO_BYTES_MAX;
    TRY(session_new(budget, most, &t));
    t->server = tls_server_ref(server);
    t->meter.left = most;
    Err err = engine_accept(server->engine, &t->engine);
    if (err != ERR_OK) {
        tls_free(t);
        return err;
    }
    *ret = t;
    return ERR_OK;
}

Err tls_connect(TlsClient *client, Budget *budget, Tls **ret)
{
    Tls *t = NULL;
    TRY(session_new(budget, HELLO_BYTES_MAX, &t));
    t->client = tls_client_ref(client);
    t->meter.left = SERVER_CHAIN_BYTES_MAX;
    Err err = engine_connect(client->engine, &t->engine);
    if (err != ERR_OK) {
        tls_free(t);
        return err;
    }
    *ret = t;
    return ERR_OK;
}

void tls_free(Tls *t)
{
    if (!t) {
        return;
    }
    engine_free(t->engine); /* first: it may still look at its configuration */
    tls_server_unref(t->server);
    tls_client_unref(t->client);
    memory_drop(t->budget, t->peer, t->peer_len);
    budget_give(t->budget, t->budget_bytes);
    memory_drop(t->budget, t, sizeof *t);
}

static Err tls_fail(Tls *t, TlsReason reason, EngineCode code)
{
    t->state = TLS_FAILED;
    t->reason = reason;
    t->code = code;
    t->cause = code == ENGINE_OK ? STR_NONE : engine_cause();
    return ERR_SYNTAX;
}

/* Keeps what the client's certificate says. Its rooms are cleared, which costs those who show
 * none nothing where it is a call. */
NOINLINE static void keep_peer(Tls *t, Str der)
{
    uint8_t rooms[2][PEER_BYTES_MAX];
    Text subject = text_in(span_of(rooms[0], PEER_BYTES_MAX));
    Text names = text_in(span_of(rooms[1], PEER_BYTES_MAX));
    engine_describe(der, &subject, &names);
    size_t len = subject.len + names.len;
    uint8_t *kept = len > 0 ? (uint8_t *)memory_new(t->budget, len) : NULL;
    if (kept) {
        t->peer = kept;
        t->peer_len = len;
        t->subject_len = subject.len;
        Span room = span_of(t->peer, t->peer_len);
        (void)span_copy(room, text_str(&subject));
        (void)span_copy(span_drop(room, subject.len), text_str(&names));
    }
}

static void open_session(Tls *t)
{
    t->state = TLS_OPEN;
    Str shown = tls_peer_certificate(t, 0);
    if (shown.len > 0) {
        keep_peer(t, shown);
    }
    budget_give(t->budget, t->budget_bytes - OPEN_BYTES);
    t->budget_bytes = OPEN_BYTES;
}

/* ---- bytes ---- */

/* Whether a peer's first byte is the type of a TLS record (RFC 8446 §5.1, RFC 6520 §3): one that
 * begins so speaks no HTTP, even where only a handshake, or a server's alert, has its place. */
static bool begins_record(uint8_t first)
{
    enum { RECORD_FIRST = 20, RECORD_LAST = 24 };
    return first >= RECORD_FIRST && first <= RECORD_LAST;
}

static Err feed_engine(Tls *t, Str raw, size_t *ret_taken)
{
    EngineCode code = engine_feed(t->engine, &t->session_since_s, raw, ret_taken);
    if (code != ENGINE_OK) {
        t->refused = t->client && !t->heard && engine_is_refusal(code);
        return tls_fail(t, engine_reason(code, engine_alert(t->engine)), code);
    }
    return ERR_OK;
}

static void (*on_odd_name)(Str name);

void tls_report_odd_names(void (*report)(Str name))
{
    on_odd_name = report;
}

/* Reports the name in a client's hello that counts as none. */
static void look_at_name(const Tls *t, Str raw)
{
    Str name = t->server && on_odd_name ? tls_hello_name(raw) : STR_NONE;
    if (name.len > 0 && !tls_hello_is_dns(name)) {
        on_odd_name(str_take(name, NAME_BYTES_MAX));
    }
}

/* rustls says so to the peer, under the keys of the moment, when it is given what is no record
 * where one should begin (decode_error). */
static Err refuse_length(Tls *t)
{
    static const uint8_t none[TLS_RECORD_HEAD_BYTES];
    size_t taken = 0;
    (void)engine_feed(t->engine, &t->session_since_s, str_of(none, sizeof none), &taken);
    return tls_fail(t, TLS_REASON_PROTOCOL, ENGINE_OK);
}

/* Feeds what a handshake may still need. The head of a record waits in the meter until it is
 * whole. */
static Err feed_handshake(Tls *t, Str raw, size_t *ret_taken)
{
    TlsMeter *m = &t->meter;
    size_t taken = 0;
    size_t before = 0; /* bytes that end a head */
    Str head = STR_NONE; /* that was cut */
    if (m->head_len > 0) {
        before = tls_meter_go_on(m, raw, &head);
        TRY(feed_engine(t, head, &taken));
    }
    Str rest = str_drop(raw, before);
    size_t fits = tls_meter_measure(m, rest);
    TRY(feed_engine(t, str_take(rest, fits), &taken));
    *ret_taken = before + taken;
    if (!engine_is_handshaking(t->engine)) {
        m->too_long = false; /* what follows is data */
        open_session(t);
        return ERR_OK;
    }
    if (m->too_long) {
        return refuse_length(t);
    }
    if (fits < rest.len) {
        tls_meter_hold(m, str_drop(rest, fits));
    }
    *ret_taken = raw.len;
    return ERR_OK;
}

Err tls_feed(Tls *t, Str raw, size_t *ret_taken)
{
    size_t taken = 0;
    size_t more = 0;
    if (t->state == TLS_FAILED) {
        return ERR_SYNTAX;
    }
    if (raw.len > 0 && !t->began && !begins_record(str_at(raw, 0))) {
        return tls_fail(t, TLS_REASON_PLAINTEXT, ENGINE_OK);
    }
    if (raw.len > 0 && !t->began) {
        look_at_name(t, raw);
        t->began = true;
    }
    if (t->state == TLS_HANDSHAKING) {
        TRY(feed_handshake(t, raw, &taken));
    }
    if (t->state == TLS_OPEN) {
        TRY(feed_engine(t, str_drop(raw, taken), &more));
    }
    *ret_taken = taken + more;
    return ERR_OK;
}

Err tls_read(Tls *t, Span room, size_t *ret_read)
{
    Err err = engine_read(t->engine, room, ret_read);
    t->heard |= err == ERR_OK;
    return err;
}

/* Small pieces leave in common records: each record costs a header, a tag and a call. */
Err tls_write(Tls *t, const Str *pieces, size_t count)
{
    static _Thread_local uint8_t room[RECORD_BYTES_MAX];
    Text record = text_in(span_of(room, sizeof room));
    if (t->state != TLS_OPEN) {
        return t->state == TLS_FAILED ? ERR_CLOSED : ERR_AGAIN;
    }
    for (size_t i = 0; i < count; i++) {
        Str rest = pieces[i];
        if (record.len > 0 || (count > 1 && rest.len < RECORD_BYTES_MAX)) {
            Str head = str_take(rest, RECORD_BYTES_MAX - record.len);
            text_add(&record, head);
            rest = str_drop(rest, head.len);
        }
        if (record.len == RECORD_BYTES_MAX) {
            TRY(engine_write(t->engine, text_str(&record)));
            record.len = 0;
        }
        if (record.len == 0 && rest.len > 0) {
            size_t whole = i + 1 < count ? rest.len - rest.len % RECORD_BYTES_MAX : rest.len;
            TRY(engine_write(t->engine, str_take(rest, whole)));
            text_add(&record, str_drop(rest, whole));
        }
    }
    return engine_write(t->engine, text_str(&record));
}

void tls_finish(Tls *t)
{
    if (t->state != TLS_FAILED) {
        engine_finish(t->engine);
    }
}

bool tls_has_output(const Tls *t)
{
    return engine_has_output(t->engine);
}

Err tls_take(Tls *t, TlsSink *sink, void *context)
{
    Err err = engine_take(t->engine, sink, context);
    if (err != ERR_OK && t->state != TLS_FAILED) {
        (void)tls_fail(t, TLS_REASON_NONE, ENGINE_OK); /* by no fault of its own */
    }
    return err;
}

/* ---- what is known of it ---- */

TlsState tls_state(const Tls *t)
{
    return t->state;
}

void tls_info(const Tls *t, TlsInfo *ret)
{
    engine_info(t->engine, ret);
    ret->identity = t->server ? tls_server_identity(t->server, ret->sni) : 0;
    Str peer = str_of(t->peer, t->peer_len);
    ret->subject = str_take(peer, t->subject_len);
    ret->names = str_drop(peer, t->subject_len);
}

Str tls_peer_certificate(const Tls *t, size_t index)
{
    return t->server ? engine_peer_certificate(t->engine, index) : STR_NONE;
}

const TlsServer *tls_server_of(const Tls *t)
{
    return t->server;
}

TlsReason tls_reason(const Tls *t)
{
    return t->reason;
}

bool tls_awaits_verdict(const Tls *t)
{
    return t->client && t->client->own && t->state == TLS_OPEN && !t->heard;
}

bool tls_is_refused(const Tls *t)
{
    return t->refused;
}

void tls_reason_print(const Tls *t, Text *out)
{
    if (t->reason == TLS_REASON_PLAINTEXT) {
        text_add(out, S("the first bytes are no TLS record"));
    } else if (t->meter.too_long) {
        text_add(out, S("the handshake is too long"));
    } else if (t->cause.len > 0) {
        text_add(out, t->cause);
    } else if (t->code != ENGINE_OK) {
        engine_words(t->code, out);
    }
}
