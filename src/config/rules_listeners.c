/* rules_listeners.c - rules between services: who listens where, and for which hosts.
 *
 * Addresses and hosts are in tables, so that each is looked at once, however many there are. */
#include "base/str_map.h"
#include "config/fill.h"
#include "config/rules.h"
#include "config/value.h"

#define NAME_SHOWN_MAX 80

/* Who listens at an address. */
typedef struct Claim {
    uint32_t last;        /* one more than the index of the service that said it last */
    const KdlNode *other; /* the service for all other hosts; NULL: none yet */
} Claim;

typedef struct Claims {
    Checker *checker;
    Arena *arena;
    StrMap addresses; /* by canonical text: the index of a claim */
    StrMap hosts;     /* by name in the scope of an address: the index of a service */
    size_t room;      /* for the listeners of all services */
    Claim *list COUNTED_BY(room);
    size_t count;
    uint32_t *here COUNTED_BY(room); /* those of the service that is looked at, each once */
    size_t here_count;
    size_t service_count;
    const KdlNode **services COUNTED_BY(service_count);
} Claims;

static Str name_of(const KdlNode *service)
{
    return str_take(service->name, NAME_SHOWN_MAX);
}

static const KdlNode *listeners_of(const KdlNode *service)
{
    const KdlNode *listeners = node_find(service->children, S("listeners"));
    return listeners ? listeners->children : NULL;
}

/* ---- addresses ---- */

/* The claim of an address, maybe a fresh one. */
static Err claim_find(Claims *claims, SettingsAddress *address, uint32_t *ret)
{
    uint32_t index = (uint32_t)claims->count;
    if (!value_address_text(claims->arena, address)) {
        return ERR_MEMORY;
    }
    if (!str_map_find(&claims->addresses, 0, address->text, &index)) {
        str_map_add(&claims->addresses, 0, address->text, index);
        claims->count++;
    }
    *ret = index;
    return ERR_OK;
}

/* Notes a listener of a service. Of those who share an address, at most one has no `hosts`. */
static Err claim_listener(Claims *claims, uint32_t service, const KdlNode *hosts,
                          const KdlNode *listener)
{
    SettingsAddress address;
    uint32_t index = 0;
    if (value_address(listener->name, &address) != ADDRESS_OK) {
        return ERR_OK;
    }
    TRY(claim_find(claims, &address, &index));
    Claim *there = &claims->list[index];
    const KdlNode *other = hosts ? NULL : claims->services[service];
    if (there->last == service + 1) {
        rules_error(claims->checker, listener->name_at, S("remove one of them"),
                    "this service already listens there");
        return ERR_OK;
    }
    if (other && there->other) {
        check_report(claims->checker, SEVERITY_ERROR, where_at(listener->name_at),
                     S("give one of them another address, or tell them apart by `hosts`"),
                     "the service `%.*s` already listens there", STR_ARG(name_of(there->other)));
    }
    there->last = service + 1;
    there->other = other ? other : there->other;
    claims->here[claims->here_count++] = index;
    return ERR_OK;
}

/* ---- hosts ---- */

/* Notes a host at all addresses of a service, of which none may have it yet. */
static Err claim_host(Claims *claims, uint32_t service, const KdlEntry *host)
{
    bool below = false;
    Str lower = STR_NONE;
    Where where = where_at(host->value.location);
    TRY(fill_lower(claims->arena, value_host_name(entry_text(host), &below), &lower));
    for (size_t i = 0; i < claims->here_count; i++) {
        uint32_t scope = claims->here[i] * 2 + (below ? 1 : 0);
        uint32_t holder = 0;
        if (!str_map_find(&claims->hosts, scope, lower, &holder)) {
            str_map_add(&claims->hosts, scope, lower, service);
            continue;
        }
        if (holder == service) {
            check_report(claims->checker, SEVERITY_ERROR, where, S("remove one of them"),
                         "this host is already listed");
        } else {
            check_report(claims->checker, SEVERITY_ERROR, where, S("remove it from one of them"),
                         "the service `%.*s` has this host at the same address",
                         STR_ARG(name_of(claims->services[holder])));
        }
        break;
    }
    return ERR_OK;
}

static Err claim_all(Claims *claims, uint32_t service)
{
    const KdlNode *node = claims->services[service];
    const KdlNode *hosts = node_find(node->children, S("hosts"));
    claims->here_count = 0;
    for (const KdlNode *n = listeners_of(node); n; n = n->next) {
        TRY(claim_listener(claims, service, hosts, n));
    }
    for (const KdlEntry *e = node_argument(hosts); e; e = argument_next(e)) {
        TRY(claim_host(claims, service, e));
    }
    return ERR_OK;
}

static Err claims_open(Claims *claims, const KdlNode *services)
{
    size_t room = 0;
    size_t count = 0;
    size_t hosts = 0;
    for (const KdlNode *s = services; s; s = s->next) {
        size_t before = room;
        count++;
        for (const KdlNode *n = listeners_of(s); n; n = n->next) {
            room++;
        }
        hosts += (room - before) * node_argument_count(node_find(s->children, S("hosts")));
    }
    TRY(str_map_open(claims->arena, room, &claims->addresses));
    TRY(str_map_open(claims->arena, hosts, &claims->hosts));
    Claim *list = arena_array(claims->arena, Claim, room + 1);
    uint32_t *here = arena_array(claims->arena, uint32_t, room + 1);
    const KdlNode **nodes =
        (const KdlNode **)arena_alloc_array(claims->arena, count + 1, sizeof *nodes);
    if (!list || !here || !nodes) {
        return ERR_MEMORY;
    }
    claims->room = room;
    claims->list = list;
    claims->here = here;
    claims->service_count = count;
    claims->services = nodes;
    size_t i = 0;
    for (const KdlNode *s = services; s; s = s->next) {
        claims->services[i++] = s;
    }
    return ERR_OK;
}

void rules_listeners(Checker *c, Arena *a, const KdlNode *services)
{
    Claims claims = {.checker = c, .arena = a};
    Err err = claims_open(&claims, services);
    for (uint32_t i = 0; err == ERR_OK && i < claims.service_count; i++) {
        err = claim_all(&claims, i);
    }
    if (err != ERR_OK) {
        c->diagnostics->out_of_memory = true;
    }
}
