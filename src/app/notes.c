/* notes.c - walks over the certificates of the settings' listeners and connectors and over
 * listeners' revocation lists. */
#include "app/notes.h"

#include "app/own_certificates.h"
#include "config/material.h"
#include "http/date.h"
#include "loop/log.h"

#define WHY_BYTES_MAX 256u

/* A walk; `since_s` is the time of the last one, 0 if everything is new. */
typedef struct Walk {
    const Settings *settings;
    CertificateCache *cache;
    Arena *scratch;
    int64_t now_s;
    int64_t since_s;
    int64_t due_s;
} Walk;

static void due_at(Walk *w, int64_t at_s)
{
    w->due_s = at_s > w->now_s && at_s < w->due_s ? at_s : w->due_s;
}

/* Whether it happened after the last walk, up to now. */
static bool is_news(const Walk *w, int64_t at_s)
{
    return at_s <= w->now_s && at_s > w->since_s;
}

/* Where a certificate is used: a listener or a connector. */
typedef struct Place {
    LogField who;
    Str path;
} Place;

static void note_certificate(Walk *w, const Place *at, const TlsValidity *holds)
{
    int64_t end = holds->not_after + 1; /* valid to the end of that second */
    due_at(w, end);
    if (is_news(w, end)) {
        LOG(WARN, "certificate has expired", at->who, LOG_STR("path", at->path));
    } else if (w->since_s == 0 && holds->not_before > w->now_s) {
        LOG(WARN, "certificate is not valid yet", at->who,
            LOG_STR("path", at->path));
    }
}

static void note_list(Walk *w, Str listener, Str path, const TlsCrl *crl, bool refuse)
{
    static const Str beside[] = {
        [TLS_CRL_TWICE] = S_INIT("it is listed twice"),
        [TLS_CRL_SAME_NUMBER] = S_INIT("another list has its number"),
        [TLS_CRL_DISAGREES] = S_INIT("its number and its date disagree with another list's"),
        [TLS_CRL_STRANGER] = S_INIT("no authority at hand has signed it"),
    };
    Str what = crl->state < SCHEMA_COUNT(beside) ? beside[crl->state] : STR_NONE;
    if (w->since_s == 0 && what.len > 0) {
        LOG(WARN, "list of revoked certificates", LOG_STR("listener", listener),
            LOG_STR("path", path), LOG_STR("issuer", crl->issuer), LOG_STR("number", crl->number),
            LOG_STR("why", what));
    }
    if (!crl->counts) {
        return;
    }
    due_at(w, crl->next_update);
    if (is_news(w, crl->next_update)) {
        LOG(WARN, "list of revoked certificates has expired", LOG_STR("listener", listener),
            LOG_STR("path", path), LOG_STR("issuer", crl->issuer), LOG_STR("number", crl->number),
            LOG_STR("clients", refuse ? S("refused") : S("accepted")));
    } else if (w->since_s == 0 && crl->this_update > w->now_s) {
        LOG(WARN, "list of revoked certificates is of the future", LOG_STR("listener", listener),
            LOG_STR("path", path), LOG_STR("issuer", crl->issuer), LOG_STR("number", crl->number));
    }
}

/* A response that is not stapled, or not any more. */
static void note_staple(Walk *w, Str listener, Str path, const TlsStaple *staple)
{
    uint8_t room[WHY_BYTES_MAX];
    Text why = text_in(span_of(room, sizeof room));
    TlsStapleState state = tls_staple_at(staple, w->now_s);
    bool dated = staple->state == TLS_STAPLE_GOOD;
    if (dated) {
        due_at(w, staple->from);
        due_at(w, staple->until);
    }
    bool bad = state != TLS_STAPLE_GOOD && state != TLS_STAPLE_NONE;
    if (bad && (w->since_s == 0 || (dated && is_news(w, staple->until)))) {
        tls_staple_print(state, staple->detail, &why);
        LOG(WARN, "OCSP response not stapled", LOG_STR("listener", listener),
            LOG_STR("path", path), LOG_STR("why", text_str(&why)));
    }
}

static void walk_pairs(Walk *w, const ListenerSettings *listener)
{
    const ListenerTls *tls = &listener->tls;
    for (size_t i = 0; i < tls->pair_count; i++) {
        const FileSettings *files = &tls->files[i * TLS_FILES_OF_PAIR];
        TlsPair pair =
            material_pair(&files[TLS_FILE_CHAIN], &files[TLS_FILE_KEY], &files[TLS_FILE_OCSP]);
        TlsValidity holds;
        TlsMistake mistake;
        if (tls_pair_try(&pair, w->cache, &holds, &mistake, NULL) == ERR_OK) {
            Place at = {LOG_STR("listener", listener->address.text),
                        files[TLS_FILE_CHAIN].path};
            note_certificate(w, &at, &holds);
        }
        TlsStaple staple;
        if (material_staple(files, w->cache, &staple) == ERR_OK) {
            note_staple(w, listener->address.text, files[TLS_FILE_OCSP].path, &staple);
        }
    }
}

/* Certificates that River shows to origins. */
static void walk_own(Walk *w)
{
    const OwnCertificate *own = NULL;
    size_t count = 0;
    if (own_certificates(w->settings, w->scratch, &own, &count) != ERR_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const ConnectorTls *tls = &own[i].first->tls;
        TlsPair pair = material_pair(&tls->chain, &tls->key, NULL);
        TlsValidity holds;
        TlsMistake mistake;
        if (tls_pair_try(&pair, w->cache, &holds, &mistake, NULL) == ERR_OK) {
            Place at = {LOG_STR("connector", own[i].first->address.text), tls->chain.path};
            note_certificate(w, &at, &holds);
        }
    }
}

static void walk_lists(Walk *w, const ListenerSettings *listener)
{
    const TlsCrl *list = NULL;
    size_t count = 0;
    TlsServerPlan plan = material_clients_plan(&listener->tls);
    plan.cache = w->cache;
    if (tls_crls_read(&plan, w->scratch, &list, &count) != ERR_OK) {
        return; /* it parsed when it was checked */
    }
    Str path = material_crl_path(&listener->tls);
    for (size_t i = 0; i < count; i++) {
        note_list(w, listener->address.text, path, &list[i], listener->tls.refuse_expired_crls);
    }
}

void notes_take(Notes *n, const Settings *settings, CertificateCache *cache, int64_t now_s,
                bool all, Arena *scratch)
{
    if (!all && now_s < n->due_s) {
        return;
    }
    Walk w = {.settings = settings,
              .cache = cache,
              .scratch = scratch,
              .now_s = now_s,
              .since_s = all ? 0 : n->seen_s,
              .due_s = INT64_MAX};
    for (size_t i = 0; i < settings->listener_count; i++) {
        if (settings->listeners[i].tls.pair_count > 0) {
            walk_pairs(&w, &settings->listeners[i]);
            walk_lists(&w, &settings->listeners[i]);
        }
    }
    walk_own(&w);
    *n = (Notes){.seen_s = now_s, .due_s = w.due_s};
}
