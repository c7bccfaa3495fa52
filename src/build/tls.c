/* tls.c - servers of listeners and clients of connectors. Equal clients are shared, so that they
 * share remembered sessions. */
#include "build/build.h"

#include "config/material.h"
#include "loop/log.h"

static Err tls_refused(Err err, Str name, const Text *why)
{
    if (err == ERR_MEMORY) {
        return err;
    }
    LOG(ERROR, "TLS cannot be set up", LOG_STR("name", name), LOG_STR("why", text_str(why)));
    return ERR_SYSTEM;
}

/* ---- clients ---- */

static Err client_build(Build *b, const ConnectorSettings *from, TlsClient **ret)
{
    uint8_t room[256];
    Text why = text_in(span_of(room, sizeof room));
    TlsMistake mistake;
    TlsClientPlan plan = material_client_plan(from, b->settings->platform_roots);
    plan.cache = b->builder->cache;
    Err err = tls_client_new(&plan, ret, &mistake, &why);
    return err == ERR_OK ? ERR_OK : tls_refused(err, from->tls.name, &why);
}

Err hold_client(Build *b, const ConnectorSettings *from, uint32_t *ret)
{
    Builder *builder = b->builder;
    bool fresh = false;
    const Fingerprint *id = &from->tls.identity;
    TRY(roster_hold(&builder->client_names, str_of(id->words, sizeof id->words), ret, &fresh));
    Err err = fresh ? client_build(b, from, &builder->clients[*ret]) : ERR_OK;
    if (err != ERR_OK) {
        release_client(builder, *ret);
    }
    return err;
}

void release_client(Builder *b, uint32_t client)
{
    if (roster_release(&b->client_names, client)) {
        tls_client_unref(b->clients[client]);
        b->clients[client] = NULL;
        roster_forget(&b->client_names, client);
    }
}

/* ---- servers ---- */

Err build_server(const ListenerSettings *from, int key_log_fd, CertificateCache *cache,
                 Arena *scratch, TlsServer **ret)
{
    const ListenerTls *tls = &from->tls;
    uint8_t room[256];
    Text why = text_in(span_of(room, sizeof room));
    TlsMistake mistake;
    TlsPair *pairs = arena_array(scratch, TlsPair, tls->pair_count);
    if (!pairs) {
        return ERR_MEMORY;
    }
    TlsServerPlan plan = material_server_plan(tls, pairs, key_log_fd);
    plan.cache = cache;
    Err err = tls_server_new(&plan, ret, &mistake, &why);
    return err == ERR_OK ? ERR_OK : tls_refused(err, from->address.text, &why);
}
