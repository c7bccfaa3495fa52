/* certificate_cache.c - a table of parsed things by the fingerprints of their bytes.
 *
 * Open addressing, never more than half full; built anew when it grows and when it is swept. */
#include "net/certificate_cache.h"

#define PLACES_FIRST 64u
#define CRLS_FIRST 8u
#define SCRATCH_BLOCK_BYTES 4096u
#define SCRATCH_BYTES_MAX (64u << 20)

struct CertificateCache {
    HashSecret secret;
    uint64_t round; /* sweeps so far */
    size_t room;    /* a power of two, or 0 */
    TlsParsed **places COUNTED_BY(room);
    size_t count;
    TlsJudge *judge; /* NULL: pairs are parsed here */
    void *judge_context;
};

/* ---- references ---- */

static TlsParsed *parsed_ref(TlsParsed *p)
{
    (void)atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void tls_parsed_unref(TlsParsed *p)
{
    if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    engine_key_drop(p->key);
    engine_roots_drop(p->roots);
    engine_crls_drop(p->crls);
    memory_drop(NULL, p->names, p->names_len);
    memory_drop(NULL, p, sizeof *p);
}

static TlsParsed *parsed_new(Fingerprint print)
{
    TlsParsed *p = (TlsParsed *)memory_new(NULL, sizeof *p);
    if (p) {
        atomic_init(&p->refs, 1);
        p->print = print;
    }
    return p;
}

/* ---- the table ---- */

/* Its slot, or the one where it would go. The fingerprint is keyed, so peers cannot make entries
 * collide. */
static size_t place_of(const CertificateCache *cache, Fingerprint print)
{
    size_t mask = cache->room - 1;
    size_t at = (size_t)print.words[0] & mask;
    while (cache->places[at] && !fingerprint_equal(&cache->places[at]->print, &print)) {
        at = (at + 1) & mask;
    }
    return at;
}

/* Moves what `keep` lets pass into a table of this size, and drops the rest. */
static Err cache_rebuild(CertificateCache *cache, size_t room,
                         bool (*keep)(const CertificateCache *, const TlsParsed *))
{
    TlsParsed **places = (TlsParsed **)memory_new(NULL, room * sizeof *places);
    if (!places) {
        return ERR_MEMORY;
    }
    CertificateCache fresh = *cache;
    fresh.room = room;
    fresh.count = 0;
    fresh.places = places;
    for (size_t i = 0; i < cache->room; i++) {
        TlsParsed *p = cache->places[i];
        if (p && keep(cache, p)) {
            fresh.places[place_of(&fresh, p->print)] = p;
            fresh.count++;
        } else {
            tls_parsed_unref(p);
        }
    }
    memory_drop(NULL, (void *)cache->places, cache->room * sizeof *places);
    *cache = fresh;
    return ERR_OK;
}

static bool keep_all(const CertificateCache *cache, const TlsParsed *p)
{
    (void)cache;
    (void)p;
    return true;
}

static bool is_wanted(const CertificateCache *cache, const TlsParsed *p)
{
    return p->round == cache->round || atomic_load_explicit(&p->refs, memory_order_acquire) > 1;
}

/* A reference, or NULL. */
static TlsParsed *cache_find(CertificateCache *cache, Fingerprint print)
{
    TlsParsed *p = cache && cache->room > 0 ? cache->places[place_of(cache, print)] : NULL;
    if (!p) {
        return NULL;
    }
    p->round = cache->round;
    return parsed_ref(p);
}

/* Without memory it is not kept here; its owner has it all the same. */
static void cache_add(CertificateCache *cache, TlsParsed *p)
{
    if (!cache) {
        return;
    }
    if (2 * (cache->count + 1) > cache->room) {
        size_t room = cache->room > 0 ? 2 * cache->room : PLACES_FIRST;
        if (cache_rebuild(cache, room, keep_all) != ERR_OK) {
            return;
        }
    }
    p->round = cache->round;
    cache->places[place_of(cache, p->print)] = parsed_ref(p);
    cache->count++;
}

Err certificate_cache_new(CertificateCache **ret)
{
    CertificateCache *cache = (CertificateCache *)memory_new(NULL, sizeof *cache);
    if (!cache) {
        return ERR_MEMORY;
    }
    hash_secret_make(&cache->secret);
    *ret = cache;
    return ERR_OK;
}

void certificate_cache_drop(CertificateCache *cache)
{
    if (!cache) {
        return;
    }
    for (size_t i = 0; i < cache->room; i++) {
        tls_parsed_unref(cache->places[i]);
    }
    memory_drop(NULL, (void *)cache->places, cache->room * sizeof(TlsParsed *));
    memory_drop(NULL, cache, sizeof *cache);
}

void certificate_cache_delegate(CertificateCache *cache, TlsJudge *judge, void *context)
{
    cache->judge = judge;
    cache->judge_context = context;
}

void certificate_cache_turn(CertificateCache *cache)
{
    cache->round++;
}

void certificate_cache_sweep(CertificateCache *cache)
{
    /* Without memory the next sweep will do it. */
    if (cache->room == 0 || cache_rebuild(cache, cache->room, is_wanted) == ERR_OK) {
        cache->round++;
    }
}

size_t certificate_cache_count(const CertificateCache *cache)
{
    return cache->count;
}

/* ---- parsing ---- */

/* What a fingerprint is of: equal bytes of different kinds are different things. */
typedef enum Kind {
    KIND_PAIR,
    KIND_PAIR_PRINTED,
    KIND_ROOTS,
    KIND_ROOTS_STRICT,
    KIND_CRLS,
    KIND_CRLS_PRINTED
} Kind;

#define PRINT_TEXTS 3u

/* The lengths are in it whole; SipHash by itself takes in their last byte. */
static Fingerprint print_of(const CertificateCache *cache, Kind kind, Str one, Str two, Str three)
{
    const Str texts[PRINT_TEXTS] = {one, two, three};
    uint64_t words[1 + 3 * PRINT_TEXTS] = {(uint64_t)kind};
    if (!cache) {
        return (Fingerprint){{0}};
    }
    for (size_t i = 0; i < PRINT_TEXTS; i++) {
        Fingerprint part = hash_str_wide(&cache->secret, texts[i]);
        words[1 + 3 * i] = texts[i].len;
        words[2 + 3 * i] = part.words[0];
        words[3 + 3 * i] = part.words[1];
    }
    return hash_str_wide(&cache->secret, str_of(words, sizeof words));
}

static bool is_none(const Fingerprint *print)
{
    return print->words[0] == 0 && print->words[1] == 0;
}

/* Of a fingerprint that came with the plan. */
static Fingerprint print_of_print(const CertificateCache *cache, Kind kind,
                                  const Fingerprint *print)
{
    Str words = str_of(print->words, sizeof print->words);
    return print_of(cache, kind, words, STR_NONE, STR_NONE);
}

static Fingerprint print_of_pair(const CertificateCache *cache, const TlsPair *pair)
{
    return is_none(&pair->print)
               ? print_of(cache, KIND_PAIR, pair->chain, pair->key, pair->ocsp)
               : print_of_print(cache, KIND_PAIR_PRINTED, &pair->print);
}

static Fingerprint print_of_crls(const TlsServerPlan *plan)
{
    const Fingerprint *print = &plan->clients_print;
    return is_none(print) ? print_of(plan->cache, KIND_CRLS, plan->client_crls, plan->client_roots,
                                     STR_NONE)
                          : print_of_print(plan->cache, KIND_CRLS_PRINTED, print);
}

static Err keep_names(TlsParsed *p, Str names)
{
    uint8_t *room = names.len > 0 ? (uint8_t *)memory_new(NULL, names.len) : NULL;
    if (names.len > 0 && !room) {
        return ERR_MEMORY;
    }
    p->names_len = room ? names.len : 0;
    p->names = room;
    for (size_t i = 0; i < p->names_len; i++) {
        p->names[i] = byte_lower(str_at(names, i));
    }
    return ERR_OK;
}

/* What the certificate says of itself. */
static Err describe_chain(TlsParsed *p, Str chain)
{
    Blocks blocks;
    Arena scratch;
    TlsCertificate about;
    blocks_init(&blocks, NULL, SCRATCH_BLOCK_BYTES, 0);
    arena_init(&scratch, &blocks, SCRATCH_BYTES_MAX);
    Err err = engine_certificate_read(chain, &scratch, &about);
    if (err == ERR_OK) {
        p->validity = (TlsValidity){.not_before = about.not_before, .not_after = about.not_after};
        err = keep_names(p, about.names);
    }
    arena_reset(&scratch);
    blocks_drop(&blocks);
    return err;
}

/* What another process knows of it. */
static Err pair_judge(const CertificateCache *cache, TlsParsed *p, const TlsPair *pair,
                      size_t index, TlsMistake *ret_mistake, Text *why)
{
    TlsPairFacts facts = {0};
    Err err = cache->judge(cache->judge_context, pair, &facts, ret_mistake, why);
    ret_mistake->index = index;
    TRY(err);
    p->validity = facts.validity;
    p->staple = facts.staple;
    return ERR_OK;
}

static Err pair_fill(TlsParsed *p, const TlsPair *pair, size_t index, TlsMistake *ret_mistake,
                     Text *why)
{
    TRY(engine_key_new(pair, index, &p->key, ret_mistake, why));
    p->modern = engine_key_is_modern(p->key);
    p->group = engine_key_group(p->key);
    p->staple = engine_key_staple(p->key);
    Err err = describe_chain(p, pair->chain);
    p->validity.has_names = p->names_len > 0;
    if (err == ERR_SYNTAX) {
        *ret_mistake = (TlsMistake){.part = TLS_PART_CHAIN, .index = index};
        if (why) {
            text_add(why, S("the certificate is malformed"));
        }
    }
    return err;
}

Err tls_parsed_pair(CertificateCache *cache, const TlsPair *pair, size_t index, TlsParsed **ret,
                    TlsMistake *ret_mistake, Text *why)
{
    Fingerprint print = print_of_pair(cache, pair);
    TlsParsed *p = cache_find(cache, print);
    if (p) {
        *ret = p;
        return ERR_OK;
    }
    p = parsed_new(print);
    if (!p) {
        return ERR_MEMORY;
    }
    Err err = cache && cache->judge ? pair_judge(cache, p, pair, index, ret_mistake, why)
                                    : pair_fill(p, pair, index, ret_mistake, why);
    if (err != ERR_OK) {
        tls_parsed_unref(p);
        return err;
    }
    cache_add(cache, p);
    *ret = p;
    return ERR_OK;
}

Err tls_parsed_roots(CertificateCache *cache, Str pem, bool strict, TlsPart part, TlsParsed **ret,
                     TlsMistake *ret_mistake, Text *why)
{
    Kind kind = strict ? KIND_ROOTS_STRICT : KIND_ROOTS;
    Fingerprint print = print_of(cache, kind, pem, STR_NONE, STR_NONE);
    TlsParsed *p = cache_find(cache, print);
    if (p) {
        *ret = p;
        return ERR_OK;
    }
    p = parsed_new(print);
    if (!p) {
        return ERR_MEMORY;
    }
    Err err = engine_roots_new(pem, strict, part, &p->roots, ret_mistake, why);
    if (err != ERR_OK) {
        tls_parsed_unref(p);
        return err;
    }
    cache_add(cache, p);
    *ret = p;
    return ERR_OK;
}

Err tls_parsed_crls(const TlsServerPlan *plan, TlsParsed **ret, TlsMistake *ret_mistake, Text *why)
{
    Fingerprint print = print_of_crls(plan);
    TlsParsed *p = cache_find(plan->cache, print);
    if (p) {
        *ret = p;
        return ERR_OK;
    }
    p = parsed_new(print);
    if (!p) {
        return ERR_MEMORY;
    }
    Err err = engine_crls_new(plan->client_crls, plan->client_roots, &p->crls, ret_mistake, why);
    if (err != ERR_OK) {
        tls_parsed_unref(p);
        return err;
    }
    cache_add(plan->cache, p);
    *ret = p;
    return ERR_OK;
}

/* Room for what is there, doubled as need be. */
static Err crls_list(const EngineCrls *crls, Arena *a, TlsCrl **ret, size_t *ret_count)
{
    size_t room = 0;
    size_t count = 0;
    TlsCrl *list = NULL;
    TlsCrl one;
    Err err = ERR_OK;
    while ((err = engine_crl_read(crls, count, a, &one)) == ERR_OK) {
        if (count == room) {
            room = room > 0 ? 2 * room : CRLS_FIRST;
            TlsCrl *more = arena_array(a, TlsCrl, room);
            if (!more) {
                return ERR_MEMORY;
            }
            for (size_t i = 0; i < count; i++) {
                more[i] = list[i];
            }
            list = more;
        }
        list[count++] = one;
    }
    *ret = list;
    *ret_count = count;
    return err == ERR_MISSING ? ERR_OK : err;
}

Err tls_crls_read(const TlsServerPlan *plan, Arena *a, const TlsCrl **ret, size_t *ret_count)
{
    TlsParsed *p = NULL;
    TlsMistake mistake;
    TlsCrl *list = NULL;
    size_t count = 0;
    if (plan->clients != TLS_CLIENTS_NONE && plan->client_crls.len > 0) {
        TRY(tls_parsed_crls(plan, &p, &mistake, NULL));
        Err err = crls_list(p->crls, a, &list, &count);
        tls_parsed_unref(p);
        TRY(err);
    }
    *ret = list;
    *ret_count = count;
    return ERR_OK;
}

Err tls_pair_try(const TlsPair *pair, CertificateCache *cache, TlsValidity *ret,
                 TlsMistake *ret_mistake, Text *why)
{
    TlsParsed *p = NULL;
    TRY(tls_parsed_pair(cache, pair, 0, &p, ret_mistake, why));
    *ret = p->validity;
    tls_parsed_unref(p);
    return ERR_OK;
}

Err tls_pair_staple(const TlsPair *pair, CertificateCache *cache, TlsStaple *ret)
{
    TlsParsed *p = NULL;
    TlsMistake mistake;
    Err err = tls_parsed_pair(cache, pair, 0, &p, &mistake, NULL);
    if (err == ERR_OK) {
        *ret = p->staple;
        tls_parsed_unref(p);
    } else if (err == ERR_SYNTAX) {
        *ret = (TlsStaple){.state = TLS_STAPLE_NONE};
        err = ERR_OK;
    }
    return err;
}

/* ---- what rustls itself tells ---- */

Str tls_known(TlsList list)
{
    return engine_known(list);
}

Err tls_certificate_read(Str chain, Arena *a, TlsCertificate *ret)
{
    return engine_certificate_read(chain, a, ret);
}

void tls_fingerprint(Str der, Span out)
{
    engine_fingerprint(der, out);
}
