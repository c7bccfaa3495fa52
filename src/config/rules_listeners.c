/* rules_listeners.c - rules between services: who listens where, and for which hosts. */
#include "base/str_map.h"
#include "config/rules.h"
#include "config/value.h"

#define NAME_SHOWN_MAX 80

static Str name_of(const KdlNode *service)
{
    return str_take(service->name, NAME_SHOWN_MAX);
}

static const KdlNode *listeners_of(const KdlNode *service)
{
    const KdlNode *listeners = node_find(service->children, S("listeners"));
    return listeners ? listeners->children : NULL;
}

static const KdlNode *hosts_of(const KdlNode *service)
{
    return node_find(service->children, S("hosts"));
}

/* ---- addresses ---- */

/* An address, and who listens there. */
typedef struct Claim {
    SettingsAddress address;
    const KdlNode *last;  /* the service that said it last */
    const KdlNode *other; /* the one that serves all other hosts; NULL: none yet */
} Claim;

typedef struct Claims {
    size_t room;
    Claim *list COUNTED_BY(room);
    size_t count;
} Claims;

static Claim *claim_find(Claims *claims, const SettingsAddress *address)
{
    for (size_t i = 0; i < claims->count; i++) {
        if (value_address_equal(address, &claims->list[i].address)) {
            return &claims->list[i];
        }
    }
    return NULL;
}

/* Notes a listener of `service`. Of those who share an address, at most one has no `hosts`. */
static void claim(Checker *c, Claims *claims, const KdlNode *service, const KdlNode *listener)
{
    SettingsAddress address;
    if (claims->count == claims->room || value_address(listener->name, &address) != ADDRESS_OK) {
        return;
    }
    const KdlNode *other = hosts_of(service) ? NULL : service;
    Claim *there = claim_find(claims, &address);
    if (!there) {
        claims->count++;
        claims->list[claims->count - 1] =
            (Claim){.address = address, .last = service, .other = other};
        return;
    }
    if (there->last == service) {
        rules_error(c, listener->name_at, S("remove one of them"),
                    "this service listens there already");
    } else if (other && there->other) {
        check_report(c, SEVERITY_ERROR, where_at(listener->name_at),
                     S("give one of them another address, or tell them apart by `hosts`"),
                     "the service `%.*s` listens there already", STR_ARG(name_of(there->other)));
    }
    there->last = service;
    there->other = other ? other : there->other;
}

/* ---- hosts ---- */

/* A service that has a host, and the one before it that has the same. */
typedef struct Holder {
    const KdlNode *service;
    uint32_t before; /* one more than its index; 0: none */
} Holder;

typedef struct Holders {
    StrMap newest; /* one more than the index, by host; below a name in a scope of its own */
    size_t room;
    Holder *list COUNTED_BY(room);
    uint32_t *links COUNTED_BY(room); /* by the number in `newest`: the newest holder */
    size_t count;
    uint32_t names;
} Holders;

static bool share_address(const KdlNode *a, const KdlNode *b)
{
    SettingsAddress one;
    SettingsAddress other;
    for (const KdlNode *m = listeners_of(a); m; m = m->next) {
        for (const KdlNode *n = listeners_of(b); n; n = n->next) {
            if (value_address(m->name, &one) == ADDRESS_OK &&
                value_address(n->name, &other) == ADDRESS_OK &&
                value_address_equal(&one, &other)) {
                return true;
            }
        }
    }
    return false;
}

static void hold(Checker *c, Holders *h, Str name, bool below, const KdlNode *service, Where where)
{
    uint32_t number = 0;
    if (h->count == h->room) {
        return;
    }
    if (!str_map_find(&h->newest, below, name, &number)) {
        number = h->names++;
        str_map_add(&h->newest, below, name, number);
    }
    for (uint32_t i = h->links[number]; i > 0; i = h->list[i - 1].before) {
        const KdlNode *other = h->list[i - 1].service;
        if (other == service) {
            check_report(c, SEVERITY_ERROR, where, S("remove one of them"),
                         "this host stands here already");
            return;
        }
        if (share_address(other, service)) {
            check_report(c, SEVERITY_ERROR, where, S("remove it from one of them"),
                         "the service `%.*s` has this host at the same address",
                         STR_ARG(name_of(other)));
            return;
        }
    }
    h->list[h->count++] = (Holder){.service = service, .before = h->links[number]};
    h->links[number] = (uint32_t)h->count;
}

static size_t count_hosts(const KdlNode *services)
{
    size_t count = 0;
    for (const KdlNode *s = services; s; s = s->next) {
        size_t i = 0;
        while (node_argument(hosts_of(s), i)) {
            i++;
        }
        count += i;
    }
    return count;
}

static void check_hosts(Checker *c, Arena *a, const KdlNode *services)
{
    size_t room = count_hosts(services);
    Holders h = {.room = room,
                 .list = arena_array(a, Holder, room + 1),
                 .links = arena_array(a, uint32_t, room + 1)};
    if (!h.list || !h.links || str_map_open(a, room, &h.newest) != ERR_OK) {
        c->diagnostics->out_of_memory = true;
        return;
    }
    for (const KdlNode *s = services; s; s = s->next) {
        const KdlEntry *e;
        for (size_t i = 0; (e = node_argument(hosts_of(s), i)) != NULL; i++) {
            bool below = false;
            Str name = value_host_name(entry_text(e), &below);
            Span lower;
            if (!arena_span(a, name.len, &lower)) {
                c->diagnostics->out_of_memory = true;
                return;
            }
            for (size_t k = 0; k < name.len; k++) {
                lower.at[k] = byte_lower(name.at[k]);
            }
            hold(c, &h, span_str(lower), below, s, where_at(e->value.location));
        }
    }
}

void rules_listeners(Checker *c, Arena *a, const KdlNode *services)
{
    Claims claims = {.room = LISTENERS_MAX, .list = arena_array(a, Claim, LISTENERS_MAX)};
    if (!claims.list) {
        c->diagnostics->out_of_memory = true;
        return;
    }
    for (const KdlNode *service = services; service; service = service->next) {
        for (const KdlNode *n = listeners_of(service); n; n = n->next) {
            claim(c, &claims, service, n);
        }
    }
    check_hosts(c, a, services);
}
