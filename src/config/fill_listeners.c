/* fill_listeners.c - `listeners`: each address once, with all services that share it; and `hosts`,
 * by which those are told apart. */
#include "config/fill.h"
#include "config/value.h"
#include "http/uri.h"

#define NAME_SHOWN_MAX 80

/* ---- addresses ---- */

Err fill_listeners_open(Filler *f, size_t room)
{
    FillListeners *l = &f->listeners;
    *l = (FillListeners){.room = room,
                         .list = arena_array(f->arena, ListenerSettings, room),
                         .owners = arena_array(f->arena, Str, room),
                         .claims = arena_array(f->arena, FillClaim, room)};
    bool whole = l->list && l->owners && l->claims;
    return whole ? str_map_open(f->arena, room, &l->addresses) : ERR_MEMORY;
}

static bool file_equal(const FileSettings *a, const FileSettings *b)
{
    return str_equal(a->path, b->path);
}

static bool clients_equal(const ListenerTls *a, const ListenerTls *b)
{
    bool equal = a->clients == b->clients;
    for (size_t i = 0; i < TLS_FILES_OF_CLIENTS && a->pair_count && b->pair_count; i++) {
        equal = equal && file_equal(&a->files[a->pair_count * TLS_FILES_OF_PAIR + i],
                                    &b->files[b->pair_count * TLS_FILES_OF_PAIR + i]);
    }
    return equal;
}

/* The name of an option in which two ways to listen at one address differ; empty: they do not. What
 * is decided before a request has named its host can be decided in one way only. */
static Str difference(const ListenerSettings *a, const ListenerSettings *b)
{
    const ListenerTls *s = &a->tls;
    const ListenerTls *t = &b->tls;
    const struct {
        Str name;
        bool equal;
    } rows[] = {
        {S("cert-path"), (s->pair_count > 0) == (t->pair_count > 0)},
        {S("mode"), a->mode == b->mode},
        {S("proxy-protocol"), a->proxy_protocol == b->proxy_protocol},
        {S("h2c"), a->h2c == b->h2c},
        {S("offer-h2"), s->offer_h2 == t->offer_h2},
        {S("tls-versions"), str_equal(s->versions, t->versions)},
        {S("cipher-suites"), str_equal(s->suites, t->suites)},
        {S("key-exchange"), str_equal(s->groups, t->groups)},
        {S("client-certificates"), clients_equal(s, t)},
        {S("key-log-path"), str_equal(s->key_log_path, t->key_log_path)},
    };
    for (size_t i = 0; i < SCHEMA_COUNT(rows); i++) {
        if (!rows[i].equal) {
            return rows[i].name;
        }
    }
    return STR_NONE;
}

static bool has_pair(const ListenerTls *tls, size_t count, const FileSettings *pair)
{
    for (size_t i = 0; i < count; i++) {
        bool equal = true;
        for (size_t k = 0; k < TLS_FILES_OF_PAIR; k++) {
            equal = equal && file_equal(&tls->files[i * TLS_FILES_OF_PAIR + k], &pair[k]);
        }
        if (equal) {
            return true;
        }
    }
    return false;
}

/* The certificates of both; those of the first service stay in front. */
static Err join_certificates(Arena *a, ListenerTls *into, const ListenerTls *more)
{
    size_t pairs = into->pair_count + more->pair_count;
    size_t room = pairs * TLS_FILES_OF_PAIR + TLS_FILES_OF_CLIENTS;
    FileSettings *files = arena_array(a, FileSettings, room);
    if (!files) {
        return ERR_MEMORY;
    }
    size_t count = into->pair_count * TLS_FILES_OF_PAIR;
    for (size_t i = 0; i < count; i++) {
        files[i] = into->files[i];
    }
    for (size_t i = 0; i < more->pair_count; i++) {
        const FileSettings *pair = &more->files[i * TLS_FILES_OF_PAIR];
        for (size_t k = 0; !has_pair(into, into->pair_count, pair) && k < TLS_FILES_OF_PAIR; k++) {
            files[count++] = pair[k];
        }
    }
    pairs = count / TLS_FILES_OF_PAIR;
    for (size_t i = 0; i < TLS_FILES_OF_CLIENTS; i++) {
        files[count++] = more->files[more->pair_count * TLS_FILES_OF_PAIR + i];
    }
    into->pair_count = pairs;
    into->file_count = count;
    into->files = files;
    return ERR_OK;
}

/* A further service at an address that is there. */
static Err share(Filler *f, uint32_t index, const ListenerSettings *fresh, const KdlNode *node)
{
    ListenerSettings *there = &f->listeners.list[index];
    Str other = difference(there, fresh);
    if (other.len > 0) {
        Str owner = str_take(f->listeners.owners[index], NAME_SHOWN_MAX);
        check_report(f->checker, SEVERITY_ERROR, where_at(node->name_at),
                     S("write the address the same way in both; only certificates may differ"),
                     "the service `%.*s` shares this address and differs in `%.*s`", STR_ARG(owner),
                     STR_ARG(other));
        return ERR_OK;
    }
    return fresh->tls.pair_count ? join_certificates(f->arena, &there->tls, &fresh->tls) : ERR_OK;
}

static Err fill_listener(Filler *f, Section one, uint32_t service, Str owner)
{
    FillListeners *l = &f->listeners;
    ListenerSettings fresh = {
        .proxy_protocol = option_bool(section_property(one, S("proxy-protocol")))};
    Str mode = option_text(section_property(one, S("mode")));
    TRY(fill_address(f->arena, one.node->name, &fresh.address));
    if (mode.len != 0) {
        CHECK(value_mode(mode, &fresh.mode) == ERR_OK);
    }
    TRY(fill_listener_tls(f, one, &fresh));
    uint32_t index = (uint32_t)l->count;
    bool shared = str_map_find(&l->addresses, 0, fresh.address.text, &index);
    CHECK(l->claim_count < l->room);
    l->claims[l->claim_count++] = (FillClaim){.listener = index, .service = service};
    if (shared) {
        l->list[index].service_count++;
        return share(f, index, &fresh, one.node);
    }
    fresh.service_count = 1;
    str_map_add(&l->addresses, 0, fresh.address.text, index);
    l->owners[index] = owner;
    l->list[index] = fresh;
    l->count++;
    return ERR_OK;
}

Err fill_listeners(Filler *f, Section service, uint32_t index)
{
    Section listeners = section_child(service, S("listeners"));
    for (const KdlNode *n = listeners.node->children; n; n = n->next) {
        Section one = {.schema = schema_child(listeners.schema, n->name), .node = n};
        TRY(fill_listener(f, one, index, service.node->name));
    }
    return ERR_OK;
}

Err fill_listeners_close(Filler *f, Settings *settings)
{
    FillListeners *l = &f->listeners;
    uint32_t **lists = (uint32_t **)arena_alloc_array(f->arena, l->count, sizeof *lists);
    if (!lists) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < l->count; i++) {
        lists[i] = arena_array(f->arena, uint32_t, l->list[i].service_count);
        if (!lists[i]) {
            return ERR_MEMORY;
        }
        l->list[i].services = lists[i];
        fill_listener_identity(&l->list[i].tls);
        l->list[i].service_count = 0; /* counts again, to the same number */
    }
    for (size_t i = 0; i < l->claim_count; i++) {
        const FillClaim *c = &l->claims[i];
        lists[c->listener][l->list[c->listener].service_count++] = c->service;
    }
    settings->listener_count = l->count;
    settings->listeners = l->list;
    return ERR_OK;
}

/* ---- hosts ---- */

Err fill_hosts(Filler *f, Section hosts, ServiceSettings *ret)
{
    size_t count = 0;
    while (node_argument(hosts.node, count)) {
        count++;
    }
    HostSettings *list = arena_array(f->arena, HostSettings, count + 1);
    if (!list) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        bool below = false;
        Str name = value_host_name(node_argument(hosts.node, i)->value.text, &below);
        list[i].below = below;
        TRY(fill_lower(f->arena, name, &list[i].name));
    }
    ret->host_count = count;
    ret->hosts = list;
    return ERR_OK;
}
