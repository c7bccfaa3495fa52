/* standin_tls.c - in place of rustls behind net/tls_engine.h: the same calls, records of the same
 * sizes, and the same bounds, without cryptography.
 *
 * What of rustls it keeps, because callers must live with it: a read takes at most 4,096 bytes, and
 * none while more than 16 KiB of plaintext wait; all whole records that are there are opened at
 * once; nothing after close_notify counts. A record's seal is its number and a sum over its
 * bytes, so that a byte that is lost, doubled or put elsewhere is seen. */
#include "net/tls_engine.h"

#include <string.h>

#include "base/number.h"
#include "standin_tls.h"

#define READ_BYTES_MAX 4096u
#define PLAIN_BYTES_MAX 16384u
#define WIRE_BYTES_MAX (16384u + 5u + 256u)
#define HEAD_BYTES 5u
#define SEAL_BYTES 17u
#define OUT_BYTES_MAX (4u << 20)

enum { TYPE_ALERT = 21, TYPE_HANDSHAKE = 22, TYPE_DATA = 23 };
enum { CODE_BROKEN = 1, CODE_FULL = 2, CODE_ALPN = 3 };
enum { OFFER_H1 = 1, OFFER_H2 = 2 };

struct EngineServer {
    uint8_t offers;
};
struct EngineClient {
    uint8_t offers;
};
struct EngineKey {
    int unused;
};
struct EngineRoots {
    int unused;
};

typedef struct Bytes {
    uint8_t *at;
    size_t len;
    size_t room;
} Bytes;

struct Engine {
    bool server;
    uint8_t offers;
    uint8_t alpn; /* chosen */
    unsigned step; /* of the handshake; the last one is OPEN */
    bool finished; /* the peer's close_notify has come */
    bool broken;
    uint64_t sealed; /* records */
    uint64_t opened;
    Bytes raw;   /* received, not a whole record yet */
    Bytes plain; /* opened, not read */
    Bytes out;   /* sealed, not taken */
};

#define OPEN 2u /* step: 0 waits for the first flight, 1 for the last word */

static void bytes_add(Bytes *b, const void *from, size_t len)
{
    if (len == 0) {
        return; /* `from` and `at` may be NULL */
    }
    if (b->len + len > b->room) {
        size_t room = b->room ? b->room : 1024;
        while (room < b->len + len) {
            room *= 2;
        }
        uint8_t *at = (uint8_t *)memory_new(NULL, room);
        CHECK(at != NULL);
        memcpy(at, b->at ? b->at : (const uint8_t *)"", b->len);
        memory_drop(NULL, b->at, b->room);
        b->at = at;
        b->room = room;
    }
    memcpy(b->at + b->len, from, len);
    b->len += len;
}

static void bytes_skip(Bytes *b, size_t n)
{
    b->len -= n;
    if (b->len > 0) {
        memmove(b->at, b->at + n, b->len);
    }
}

static void bytes_drop(Bytes *b)
{
    memory_drop(NULL, b->at, b->room);
    *b = (Bytes){0};
}

/* --- records --------------------------------------------------------------------------------- */

static uint64_t sum_of(uint64_t number, const uint8_t *at, size_t len)
{
    uint64_t sum = 0x9e3779b97f4a7c15 ^ number;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, at + i, 8);
        sum = (sum ^ word) * 0x100000001b3 + (sum >> 29);
    }
    for (; i < len; i++) {
        sum = (sum ^ at[i]) * 0x100000001b3;
    }
    return sum;
}

static void record_add(Engine *e, uint8_t type, const uint8_t *at, size_t len)
{
    size_t whole = len + SEAL_BYTES;
    uint8_t head[HEAD_BYTES] = {type, 3, 3, (uint8_t)(whole >> 8), (uint8_t)whole};
    uint8_t seal[SEAL_BYTES] = {type};
    uint64_t number = e->sealed++;
    uint64_t sum = sum_of(number, at, len);
    memcpy(seal + 1, &number, 8);
    memcpy(seal + 9, &sum, 8);
    bytes_add(&e->out, head, sizeof head);
    bytes_add(&e->out, at, len);
    bytes_add(&e->out, seal, sizeof seal);
}

/* A message of the handshake: what is offered or chosen, and padding to the usual size. */
static void shake_add(Engine *e, uint8_t says, size_t bytes)
{
    static const uint8_t zeros[4096];
    uint8_t message[4096];
    memcpy(message, zeros, bytes);
    message[0] = says;
    record_add(e, TYPE_HANDSHAKE, message, bytes);
}

static EngineCode shake_server(Engine *e, uint8_t offered)
{
    if (e->step == 1) {
        e->step = OPEN;
        shake_add(e, 0, 250); /* tickets */
        shake_add(e, 0, 250);
        return ENGINE_OK;
    }
    uint8_t common = e->offers & offered;
    e->alpn = common & OFFER_H2 ? OFFER_H2 : common & OFFER_H1 ? OFFER_H1 : 0;
    if (offered && e->offers && !common) {
        return CODE_ALPN;
    }
    e->step = 1;
    shake_add(e, e->alpn, 122);
    shake_add(e, 0, 2600); /* a chain */
    return ENGINE_OK;
}

static void shake_client(Engine *e, uint8_t says, size_t len)
{
    if (e->step == 0 && len < 1000) {
        e->alpn = says;
    } else if (e->step == 0) {
        shake_add(e, 0, 52);
        e->step = OPEN;
    }
}

static EngineCode record_open(Engine *e, uint8_t type, const uint8_t *at, size_t len)
{
    uint64_t number = 0;
    uint64_t sum = 0;
    size_t plain = len - SEAL_BYTES;
    memcpy(&number, at + plain + 1, 8);
    memcpy(&sum, at + plain + 9, 8);
    if (number != e->opened || sum != sum_of(number, at, plain) || at[plain] != type) {
        return CODE_BROKEN;
    }
    e->opened++;
    if (type == TYPE_DATA) {
        if (e->step != OPEN) {
            return CODE_BROKEN;
        }
        bytes_add(&e->plain, at, plain);
    } else if (type == TYPE_ALERT) {
        e->finished = true;
    } else if (e->server) {
        return shake_server(e, at[0]);
    } else {
        shake_client(e, at[0], plain);
    }
    return ENGINE_OK;
}

/* Opens all whole records. */
static EngineCode records_open(Engine *e)
{
    size_t from = 0;
    EngineCode code = ENGINE_OK;
    while (code == ENGINE_OK && !e->finished && e->raw.len - from >= HEAD_BYTES) {
        const uint8_t *at = e->raw.at + from;
        size_t len = (size_t)at[3] << 8 | at[4];
        if (len < SEAL_BYTES || len > WIRE_BYTES_MAX) {
            code = CODE_BROKEN;
        } else if (e->raw.len - from < HEAD_BYTES + len) {
            break;
        } else {
            code = record_open(e, at[0], at + HEAD_BYTES, len);
            from += HEAD_BYTES + len;
        }
    }
    bytes_skip(&e->raw, from);
    return code;
}

/* --- connections ----------------------------------------------------------------------------- */

static Engine *engine_new(bool server, uint8_t offers)
{
    Engine *e = (Engine *)memory_new(NULL, sizeof *e);
    CHECK(e != NULL);
    e->server = server;
    e->offers = offers;
    return e;
}

Err engine_accept(EngineServer *s, Engine **ret)
{
    *ret = engine_new(true, s->offers);
    return ERR_OK;
}

Err engine_connect(EngineClient *c, Engine **ret)
{
    *ret = engine_new(false, c->offers);
    shake_add(*ret, c->offers, 300);
    return ERR_OK;
}

void engine_free(Engine *e)
{
    if (e) {
        bytes_drop(&e->raw);
        bytes_drop(&e->plain);
        bytes_drop(&e->out);
        memory_drop(NULL, e, sizeof *e);
    }
}

EngineCode engine_feed(Engine *e, uint64_t *since_s, Str raw, size_t *ret_taken)
{
    (void)since_s;
    Str rest = raw;
    while (rest.len > 0) {
        if (e->finished) {
            rest = STR_NONE;
            break;
        }
        if (e->plain.len > PLAIN_BYTES_MAX) {
            break;
        }
        size_t used = size_min(e->raw.len, WIRE_BYTES_MAX);
        size_t room = size_min(READ_BYTES_MAX, WIRE_BYTES_MAX - used);
        if (room == 0) {
            return CODE_FULL;
        }
        Str part = str_take(rest, room);
        bytes_add(&e->raw, part.at, part.len);
        rest = str_drop(rest, part.len);
        EngineCode code = records_open(e);
        if (code != ENGINE_OK) {
            e->broken = true;
            return code;
        }
    }
    *ret_taken = raw.len - rest.len;
    return ENGINE_OK;
}

Err engine_read(Engine *e, Span room, size_t *ret_read)
{
    CHECK(room.len > 0);
    size_t n = size_min(room.len, e->plain.len);
    if (n == 0) {
        return e->finished ? ERR_CLOSED : ERR_AGAIN;
    }
    memcpy(room.at, e->plain.at, n);
    bytes_skip(&e->plain, n);
    *ret_read = n;
    return ERR_OK;
}

size_t standin_waiting(const Engine *e)
{
    return e->plain.len;
}

Err engine_write(Engine *e, Str plain)
{
    if (e->step != OPEN) {
        return ERR_SYSTEM;
    }
    while (plain.len > 0) {
        Str part = str_take(plain, PLAIN_BYTES_MAX);
        record_add(e, TYPE_DATA, part.at, part.len);
        plain = str_drop(plain, part.len);
    }
    return ERR_OK;
}

void engine_finish(Engine *e)
{
    static const uint8_t close_notify[2] = {1, 0};
    record_add(e, TYPE_ALERT, close_notify, sizeof close_notify);
}

bool engine_has_output(const Engine *e)
{
    return e->out.len > 0;
}

void standin_barren(Engine *e, unsigned records)
{
    for (unsigned i = 0; i < records; i++) {
        record_add(e, TYPE_DATA, e->raw.at, 0);
    }
}

EngineClient *standin_client(bool h2)
{
    static EngineClient clients[2] = {{.offers = OFFER_H1}, {.offers = OFFER_H2}};
    return &clients[h2];
}

Err engine_take(Engine *e, TlsSink *sink, void *context)
{
    while (e->out.len > 0) {
        Str piece = str_of(e->out.at, e->out.len);
        TRY(sink(context, &piece, 1));
        e->out.len = 0;
    }
    if (e->out.room > 65536) {
        bytes_drop(&e->out);
    }
    return ERR_OK;
}

unsigned engine_alert(Engine *e)
{
    (void)e;
    return 0;
}

bool engine_is_handshaking(const Engine *e)
{
    return e->step != OPEN;
}

void engine_info(const Engine *e, TlsInfo *ret)
{
    *ret = (TlsInfo){.alpn = e->alpn == OFFER_H2   ? TLS_ALPN_H2
                             : e->alpn == OFFER_H1 ? TLS_ALPN_H1
                                                   : TLS_ALPN_NONE,
                     .version = S("TLSv1.3")};
}

Str engine_peer_certificate(const Engine *e, size_t index)
{
    (void)e;
    (void)index;
    return STR_NONE;
}

void engine_describe(Str der, Text *subject, Text *names)
{
    (void)der;
    (void)subject;
    (void)names;
}

void engine_fingerprint(Str der, Span out)
{
    (void)der;
    span_fill(out, 0);
}

TlsReason engine_reason(EngineCode code, unsigned alert)
{
    (void)alert;
    return code == CODE_ALPN ? TLS_REASON_ALPN : TLS_REASON_PROTOCOL;
}

bool engine_is_refusal(EngineCode code)
{
    (void)code;
    return false;
}

void engine_words(EngineCode code, Text *out)
{
    text_add(out, code == CODE_FULL ? S("MessageTooLarge") : S("Broken"));
}

Str engine_cause(void)
{
    return STR_NONE;
}

/* --- configurations -------------------------------------------------------------------------- */

static uint8_t offers_of(bool h2, bool h1)
{
    return (uint8_t)((h2 ? OFFER_H2 : 0) | (h1 ? OFFER_H1 : 0));
}

Err engine_server_new(Arena *a, const TlsServerPlan *plan, const EngineServerParts *parts,
                      EngineServer **ret, TlsMistake *ret_mistake, Text *why)
{
    (void)parts;
    (void)ret_mistake;
    (void)why;
    *ret = arena_new(a, EngineServer);
    CHECK(*ret != NULL);
    (*ret)->offers = offers_of(plan->offer_h2, plan->offer_h1);
    return ERR_OK;
}

void engine_server_drop(EngineServer *s)
{
    (void)s;
}

Err engine_client_new(Arena *a, const TlsClientPlan *plan, const EngineKey *own,
                      const EngineRoots *roots, EngineClient **ret, TlsMistake *ret_mistake,
                      Text *why)
{
    (void)own;
    (void)roots;
    (void)ret_mistake;
    (void)why;
    *ret = arena_new(a, EngineClient);
    CHECK(*ret != NULL);
    (*ret)->offers = offers_of(plan->offer_h2, plan->offer_h1);
    return ERR_OK;
}

void engine_client_drop(EngineClient *c)
{
    (void)c;
}

static EngineKey the_key;
static EngineRoots the_roots;

Err engine_key_new(const TlsPair *pair, size_t index, EngineKey **ret, TlsMistake *ret_mistake,
                   Text *why)
{
    (void)pair;
    (void)index;
    (void)ret_mistake;
    (void)why;
    *ret = &the_key;
    return ERR_OK;
}

void engine_key_drop(EngineKey *key)
{
    (void)key;
}

bool engine_key_is_modern(const EngineKey *key)
{
    (void)key;
    return true;
}

uint16_t engine_key_group(const EngineKey *key)
{
    (void)key;
    return 0;
}

Err engine_roots_new(Str pem, bool strict, TlsPart part, EngineRoots **ret,
                     TlsMistake *ret_mistake, Text *why)
{
    (void)pem;
    (void)strict;
    (void)part;
    (void)ret_mistake;
    (void)why;
    *ret = &the_roots;
    return ERR_OK;
}

void engine_roots_drop(EngineRoots *roots)
{
    (void)roots;
}

Err engine_crls_new(Str pem, Str roots, EngineCrls **ret, TlsMistake *ret_mistake, Text *why)
{
    (void)pem;
    (void)roots;
    (void)ret_mistake;
    (void)why;
    *ret = NULL;
    return ERR_OK;
}

TlsStaple engine_key_staple(const EngineKey *key)
{
    (void)key;
    return (TlsStaple){.state = TLS_STAPLE_NONE};
}

void engine_crls_drop(EngineCrls *crls)
{
    (void)crls;
}

Err engine_crl_read(const EngineCrls *crls, size_t at, Arena *a, TlsCrl *ret)
{
    (void)crls;
    (void)at;
    (void)a;
    (void)ret;
    return ERR_MISSING;
}

void engine_save_tickets(const EngineServer *s, Text *out)
{
    (void)s;
    (void)out;
}

bool engine_restore_tickets(const EngineServer *s, Str keys)
{
    (void)s;
    (void)keys;
    return true;
}

Str engine_known(TlsList list)
{
    (void)list;
    return STR_NONE;
}

Err engine_certificate_read(Str chain, Arena *a, TlsCertificate *ret)
{
    (void)chain;
    (void)a;
    *ret = (TlsCertificate){.not_after = INT64_MAX, .names = S("sim.test")};
    return ERR_OK;
}
