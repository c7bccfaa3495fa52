/* fill_listeners.c - `listeners`: each address once, with all services that share it; and `hosts`,
 * which tell them apart. */
#include "config/fill.h"
#include "config/value.h"
#include "http/uri.h"

#define NAME_SHOWN_MAX 80

/* ---- addresses ---- */

Err fill_listeners_open(Filler *f, size_t room)
{
    FillListeners *l = &f->listeners;
    if (f->checker->joint_same) {
        return ERR_OK;
    }
    *l = (FillListeners){.room = room,
                         .list = arena_array(f->arena, ListenerSettings, room),
                         .owners = arena_array(f->arena, Str, room),
                         .claims = arena_array(f->arena, FillClaim, room)};
    bool whole = l->list && l->owners && l->claims;
    return whole ? str_map_open(f->arena, room, &l->addresses) : ERR_MEMORY;
}

/* The name of an option in which two ways to listen at one address differ; empty: they do not. What
 * is decided before a request has named its host can be decided in one way only. */
static Str listener_difference(const ListenerSettings *a, const ListenerSettings *b)
{
    const ListenerTls *s = &a->tls;
    const ListenerTls *t = &b->tls;
    if (s->pair_count == 0 || t->pair_count == 0) {
        s = t; /* one takes what the other has */
    }
    const struct {
        Str name;
        bool equal;
    } rows[] = {
        {S("mode"), a->mode == b->mode},
        {S("proxy-protocol"), a->proxy_protocol == b->proxy_protocol},
        {S("h2c"), a->h2c == b->h2c},
        {S("offer-h2"), s->offer_h2 == t->offer_h2},
        {S("tls-versions"), str_equal(s->versions, t->versions)},
        {S("cipher-suites"), str_equal(s->suites, t->suites)},
        {S("key-exchange"), str_equal(s->groups, t->groups)},
        {S("session-lifetime-seconds"), s->session_lifetime_s == t->session_lifetime_s},
        {S("client-certificates"), fill_clients_equal(s, t)},
        {S("key-log-path"), str_equal(s->key_log_path, t->key_log_path)},
    };
    for (size_t i = 0; i < SCHEMA_COUNT(rows); i++) {
        if (!rows[i].equal) {
            return rows[i].name;
        }
    }
    return STR_NONE;
}

/* A further service at an address that is there. */
static void listener_compare(Filler *f, uint32_t index, const ListenerSettings *fresh, Location at)
{
    ListenerSettings *there = &f->listeners.list[index];
    Str other = listener_difference(there, fresh);
    if (other.len > 0) {
        Str owner = str_take(f->listeners.owners[index], NAME_SHOWN_MAX);
        check_report(f->checker, SEVERITY_ERROR, where_at(at),
                     S("write the address the same way in both; only certificates may differ"),
                     "the service `%.*s` shares this address and differs in `%.*s`", STR_ARG(owner),
                     STR_ARG(other));
    }
    if (there->tls.pair_count == 0) {
        there->tls = fresh->tls;
    }
}

static Err fill_listener(Filler *f, Section one, ListenerSettings *ret)
{
    *ret = (ListenerSettings){
        .proxy_protocol = option_bool(section_property(one, S("proxy-protocol"))),
        .tls_wanted = option_bool(section_property(one, S("tls")))};
    Str mode = option_text(section_property(one, S("mode")));
    TRY(fill_address(f->arena, one.node->name, &ret->address));
    if (mode.len != 0) {
        CHECK(value_mode(mode, &ret->mode) == ERR_OK);
    }
    return fill_listener_tls(f, one, ret);
}

void fill_claim(Filler *f, uint32_t service, Str owner, const ListenerSettings *one, Location at)
{
    FillListeners *l = &f->listeners;
    if (f->checker->joint_same) {
        return;
    }
    uint32_t index = (uint32_t)l->count;
    bool shared = str_map_find(&l->addresses, 0, one->address.text, &index);
    CHECK(l->claim_count < l->room);
    l->claims[l->claim_count++] = (FillClaim){.listener = index,
                                              .service = service,
                                              .tls_wanted = one->tls_wanted,
                                              .place = at,
                                              .file_count = one->tls.file_count,
                                              .files = one->tls.files};
    if (shared) {
        l->list[index].service_count++;
        listener_compare(f, index, one, at);
        return;
    }
    str_map_add(&l->addresses, 0, one->address.text, index);
    l->owners[index] = owner;
    l->list[index] = *one;
    l->list[index].service_count = 1;
    l->count++;
}

Err fill_listeners(Filler *f, Section service, uint32_t index, ServiceSettings *ret)
{
    Section listeners = section_child(service, S("listeners"));
    ListenerSettings *list =
        arena_array(f->arena, ListenerSettings, fill_count(listeners.node));
    if (!list) {
        return ERR_MEMORY;
    }
    size_t count = 0;
    for (const KdlNode *n = listeners.node->children; n; n = n->next) {
        Section one = {.schema = schema_child(listeners.schema, n->name), .node = n};
        TRY(fill_listener(f, one, &list[count]));
        fill_claim(f, index, service.node->name, &list[count], n->name_at);
        count++;
    }
    ret->listener_count = count;
    ret->listeners = list;
    return ERR_OK;
}

/* ---- certificates of an address that several services share ---- */

/* The certificates so far at all such addresses. */
typedef struct Joiner {
    Arena *arena;
    StrMap known; /* "CHAIN\0KEY\0OCSP", the paths of a pair, in the scope of an address */
} Joiner;

static Err pair_name(Arena *a, const FileSettings *pair, Str *ret)
{
    size_t bytes = 0;
    Span room;
    for (size_t k = 0; k < TLS_FILES_OF_PAIR; k++) {
        bytes += pair[k].path.len + 1;
    }
    if (!arena_span(a, bytes, &room)) {
        return ERR_MEMORY;
    }
    Text name = text_in(room);
    for (size_t k = 0; k < TLS_FILES_OF_PAIR; k++) {
        text_add(&name, pair[k].path);
        text_byte(&name, 0); /* no path holds one */
    }
    *ret = text_str(&name);
    return ERR_OK;
}

/* Adds the pairs of a claim that the address does not have yet. */
static Err join_pairs(Joiner *j, const FillClaim *claim, size_t *io_count, FileSettings *into)
{
    for (size_t i = 0; i + TLS_FILES_OF_PAIR <= claim->file_count; i += TLS_FILES_OF_PAIR) {
        const FileSettings *pair = &claim->files[i];
        Str name = STR_NONE;
        uint32_t any = 0;
        TRY(pair_name(j->arena, pair, &name));
        if (str_map_find(&j->known, claim->listener, name, &any)) {
            continue;
        }
        TRY(str_map_put(j->arena, &j->known, claim->listener, name, 0));
        for (size_t k = 0; k < TLS_FILES_OF_PAIR; k++) {
            into[(*io_count)++] = pair[k];
        }
    }
    return ERR_OK;
}

/* All files of an address. What is about clients is the same in all its services, and is at the
 * end. */
static Err join_listener(FillListeners *l, uint32_t index, const uint32_t *claims, Joiner *j)
{
    ListenerTls *tls = &l->list[index].tls;
    size_t services = l->list[index].service_count;
    size_t room = 0;
    size_t count = 0;
    for (size_t i = 0; i < services; i++) {
        room += l->claims[claims[i]].file_count;
    }
    FileSettings *files = arena_array(j->arena, FileSettings, room + 1);
    if (!files) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < services; i++) {
        TRY(join_pairs(j, &l->claims[claims[i]], &count, files));
    }
    size_t pairs = count / TLS_FILES_OF_PAIR;
    for (size_t k = tls->pair_count * TLS_FILES_OF_PAIR; k < tls->file_count; k++) {
        files[count++] = tls->files[k];
    }
    tls->pair_count = pairs;
    tls->file_count = count;
    tls->files = files;
    return ERR_OK;
}

/* ---- listeners of the base ---- */

static bool has_changed(const Filler *f, const FileSettings *file)
{
    return file->path.len > 0 && f->known.list[file->place].changed;
}

static bool any_changed(const Filler *f, const ListenerTls *tls)
{
    bool any = false;
    for (size_t i = 0; !any && i < tls->file_count; i++) {
        any = has_changed(f, &tls->files[i]);
    }
    return any;
}

/* The same files, with what they hold now. */
static Err renew_files(const Filler *f, ListenerTls *tls)
{
    FileSettings *files = arena_array(f->arena, FileSettings, tls->file_count);
    if (!files) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < tls->file_count; i++) {
        const FileSettings *was = &tls->files[i];
        files[i] = has_changed(f, was) ? f->known.list[was->place].file : *was;
    }
    tls->files = files;
    fill_listener_identity(tls);
    return ERR_OK;
}

/* Nothing has changed in who listens where and for what hosts, but files may have. */
static Err take_listeners(const Filler *f, Settings *settings)
{
    const Settings *base = f->base;
    ListenerSettings *list = NULL;
    settings->listener_count = base->listener_count;
    settings->listeners = base->listeners;
    for (size_t i = 0; i < base->listener_count; i++) {
        if (!any_changed(f, &base->listeners[i].tls)) {
            continue;
        }
        if (!list) {
            list = arena_array(f->arena, ListenerSettings, base->listener_count);
            if (!list) {
                return ERR_MEMORY;
            }
            for (size_t k = 0; k < base->listener_count; k++) {
                list[k] = base->listeners[k];
            }
            settings->listeners = list;
        }
        TRY(renew_files(f, &list[i].tls));
    }
    return ERR_OK;
}

/* Listeners that want TLS get a certificate from somewhere. */
static void check_wanted(Filler *f)
{
    FillListeners *l = &f->listeners;
    for (size_t i = 0; i < l->claim_count; i++) {
        const FillClaim *claim = &l->claims[i];
        if (claim->tls_wanted && l->list[claim->listener].tls.pair_count == 0) {
            check_report(f->checker, SEVERITY_ERROR, where_at(claim->place),
                         S("write `cert-path` and `key-path` here, or at the top a section "
                           "`tls { certificate cert-path=\"…\" key-path=\"…\" }`"),
                         "this listener speaks TLS, but has no certificate");
        }
    }
}

Err fill_listeners_close(Filler *f, Settings *settings)
{
    FillListeners *l = &f->listeners;
    if (f->checker->joint_same) {
        return take_listeners(f, settings);
    }
    Joiner joiner = {.arena = f->arena};
    check_wanted(f);
    uint32_t **lists = (uint32_t **)arena_alloc_array(f->arena, l->count, sizeof *lists);
    uint32_t **claims = (uint32_t **)arena_alloc_array(f->arena, l->count, sizeof *claims);
    if (!lists || !claims) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < l->count; i++) {
        size_t services = l->list[i].service_count;
        lists[i] = arena_array(f->arena, uint32_t, services);
        claims[i] = arena_array(f->arena, uint32_t, services);
        if (!lists[i] || !claims[i]) {
            return ERR_MEMORY;
        }
        l->list[i].services = lists[i];
        l->list[i].service_count = 0; /* counts again, to the same number */
    }
    for (uint32_t i = 0; i < l->claim_count; i++) {
        const FillClaim *c = &l->claims[i];
        size_t at = l->list[c->listener].service_count++;
        lists[c->listener][at] = c->service;
        claims[c->listener][at] = i;
    }
    for (uint32_t i = 0; i < l->count; i++) {
        ListenerSettings *one = &l->list[i];
        if (one->service_count > 1 && one->tls.pair_count > 0) {
            TRY(join_listener(l, i, claims[i], &joiner));
        }
        fill_listener_identity(&one->tls);
    }
    settings->listener_count = l->count;
    settings->listeners = l->list;
    return ERR_OK;
}

/* ---- hosts ---- */

Err fill_hosts(Filler *f, Section hosts, ServiceSettings *ret)
{
    size_t count = node_argument_count(hosts.node);
    HostSettings *list = arena_array(f->arena, HostSettings, count + 1);
    if (!list) {
        return ERR_MEMORY;
    }
    size_t i = 0;
    for (const KdlEntry *e = node_argument(hosts.node); e; e = argument_next(e), i++) {
        bool below = false;
        Str name = value_host_name(e->value.text, &below);
        list[i].below = below;
        TRY(fill_lower(f->arena, name, &list[i].name));
        fingerprint_add(&ret->hosts_identity, list[i].name);
        fingerprint_add_number(&ret->hosts_identity, below ? 1 : 0);
    }
    ret->host_count = count;
    ret->hosts = list;
    return ERR_OK;
}
