/* build_tls.c - servers of listeners and clients of connectors. Equal ones are one: they share
 * ticket keys, remembered sessions, and the pool of connections. */
#include "config/build.h"

#include "loop/log.h"

static bool file_equal(const FileSettings *a, const FileSettings *b)
{
    return str_equal(a->path, b->path) && str_equal(a->bytes, b->bytes);
}

/* ---- clients ---- */

static bool connector_equal(const ConnectorSettings *a, const ConnectorSettings *b)
{
    return str_equal(a->tls.name, b->tls.name) && a->tls.verify == b->tls.verify &&
           a->protocol == b->protocol && file_equal(&a->tls.roots, &b->tls.roots) &&
           file_equal(&a->tls.chain, &b->tls.chain) && file_equal(&a->tls.key, &b->tls.key);
}

static Err refused(Err err, Str name, const Text *why)
{
    if (err == ERR_MEMORY) {
        return err;
    }
    LOG(ERROR, "TLS cannot be set up", LOG_STR("name", name), LOG_STR("why", text_str(why)));
    return ERR_SYSTEM;
}

Err build_client(BuiltClients *all, const Settings *settings, const ConnectorSettings *connector,
                 TlsClient **ret)
{
    uint8_t room[256];
    Text why = text_in(span_of(room, sizeof room));
    TlsMistake mistake;
    for (size_t i = 0; i < all->count; i++) {
        if (connector_equal(all->list[i].connector, connector)) {
            *ret = tls_client_ref(all->list[i].client);
            return ERR_OK;
        }
    }
    CHECK(all->count < all->room);
    TlsClientPlan plan = material_client_plan(connector, settings->platform_roots);
    plan.shelf = all->shelf;
    Err err = tls_client_new(&plan, ret, &mistake, &why);
    if (err != ERR_OK) {
        return refused(err, connector->tls.name, &why);
    }
    all->list[all->count++] = (BuiltClient){.connector = connector, .client = *ret};
    return ERR_OK;
}

/* ---- servers ---- */

static bool tls_equal(const ListenerTls *a, const ListenerTls *b)
{
    return a->pair_count == b->pair_count && a->offer_h2 == b->offer_h2 &&
           a->clients == b->clients && str_equal(a->versions, b->versions) &&
           str_equal(a->suites, b->suites) && str_equal(a->groups, b->groups) &&
           str_equal(a->key_log_path, b->key_log_path);
}

/* Makes the servers of all listeners for which there is material, shared where all is equal. */
static Err make_servers(Arena *scratch, const Settings *settings, const BuildInputs *inputs,
                        TlsServer **ret)
{
    const Material *m = inputs->material;
    for (size_t i = 0; i < inputs->count; i++) {
        const ListenerSettings *listener = &settings->listeners[i];
        const ListenerTls *tls = &listener->tls;
        for (size_t k = 0; k < i && m->parts[i].count > 0 && !ret[i]; k++) {
            if (ret[k] && tls_equal(tls, &settings->listeners[k].tls) &&
                material_equal(&m->parts[i], &m->parts[k])) {
                ret[i] = tls_server_ref(ret[k]);
            }
        }
        if (m->parts[i].count == 0 || ret[i]) {
            continue;
        }
        uint8_t room[256];
        Text why = text_in(span_of(room, sizeof room));
        TlsMistake mistake;
        TlsPair *pairs = arena_array(scratch, TlsPair, tls->pair_count);
        if (!pairs) {
            return ERR_MEMORY;
        }
        TlsServerPlan plan =
            material_server_plan(tls, m->parts[i].bytes, pairs, inputs->key_logs[i]);
        plan.shelf = inputs->shelf;
        Err err = tls_server_new(&plan, &ret[i], &mistake, &why);
        if (err != ERR_OK) {
            return refused(err, listener->address.text, &why);
        }
    }
    return ERR_OK;
}

static Err servers_of(Arena *scratch, const Settings *settings, const BuildInputs *inputs,
                      TlsServer ***ret)
{
    TlsServer **servers =
        (TlsServer **)arena_alloc_array(scratch, inputs->count, sizeof *servers);
    if (!servers) {
        return ERR_MEMORY;
    }
    Err err = make_servers(scratch, settings, inputs, servers);
    for (size_t i = 0; err != ERR_OK && i < inputs->count; i++) {
        tls_server_unref(servers[i]);
    }
    *ret = servers;
    return err;
}

Err build_slots(Arena *arena, const Settings *settings, const BuildInputs *inputs, Snapshot *s)
{
    TlsServer **servers = NULL;
    TRY(servers_of(arena, settings, inputs, &servers));
    Err err = ERR_OK;
    for (size_t i = 0; i < inputs->count; i++) {
        if (err == ERR_OK && servers[i]) {
            err = tls_slot_new(arena, servers[i], &s->listeners[i].tls);
        }
        if (err != ERR_OK) {
            tls_server_unref(servers[i]);
        }
    }
    return err;
}

Err config_renew(const Snapshot *s, const Settings *settings, const BuildInputs *inputs,
                 Arena *scratch)
{
    TlsServer **servers = NULL;
    CHECK(inputs->count == s->listener_count);
    TRY(servers_of(scratch, settings, inputs, &servers));
    for (size_t i = 0; i < s->listener_count; i++) {
        if (servers[i] && s->listeners[i].tls) {
            tls_slot_set(s->listeners[i].tls, servers[i]);
        } else {
            tls_server_unref(servers[i]);
        }
    }
    return ERR_OK;
}

void config_drop(const Snapshot *s)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        if (s->listeners[i].tls) {
            tls_slot_drop(s->listeners[i].tls);
        }
    }
    for (size_t i = 0; i < s->service_count; i++) {
        drop_routes(&s->services[i]);
        drop_chains(&s->services[i]);
    }
}
