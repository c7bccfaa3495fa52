/* source.c - determines the client. */
#include "proxy/source.h"

#include "http/forwarded_for.h"
#include "proxy/filter_run.h"

/* --- connections ----------------------------------------------------------------------------- */

static size_t count_services(const Listener *l)
{
    const Hosts *hosts = l->service->hosts;
    return hosts ? hosts->service_count : 1;
}

static const Service *service_at(const Listener *l, size_t i)
{
    const Hosts *hosts = l->service->hosts;
    return hosts ? hosts->services[i] : l->service;
}

/* Only peers that all services of the address trust may send a header: which service a request is
 * for is known only later. Access to a Unix socket is controlled by its mode, so all its peers
 * may. */
static bool may_send_header(const Listener *l, const Peer *peer)
{
    bool may = true;
    for (size_t i = 0; may && peer->ip.family != 0 && i < count_services(l); i++) {
        may = cidr_holds(&service_at(l, i)->proxies, &peer->ip);
    }
    return may;
}

/* A client may connect if any service of the address admits it; others refuse its requests. */
static Fault screen_client(const Listener *l, const Peer *client)
{
    for (size_t i = 0; i < count_services(l); i++) {
        if (!filter_refuses(&service_at(l, i)->chains[STAGE_REQUEST], &client->ip)) {
            return FAULT_NONE;
        }
    }
    return FAULT_CONNECTION_BLOCKED;
}

Fault source_screen_peer(const Listener *l, const Peer *peer)
{
    if (l->proxy_protocol) { /* its client is screened after the header */
        return may_send_header(l, peer) ? FAULT_NONE : FAULT_PROXY_PEER;
    }
    return screen_client(l, peer);
}

Fault source_screen_header(const Listener *l, const ProxyHeader *header, Peer *peer)
{
    switch (header->source) {
    case PROXY_SOURCE_PEER:
        return FAULT_NONE; /* the proxy speaks for itself */
    case PROXY_SOURCE_IP:
        *peer = (Peer){.ip = header->ip, .port = header->port};
        break;
    case PROXY_SOURCE_UNIX:
        *peer = (Peer){0};
        break;
    }
    return screen_client(l, peer);
}

/* --- requests -------------------------------------------------------------------------------- */

bool source_is_field(const Service *s, const Field *f)
{
    return f->id == s->client_ip_field &&
           (f->id != FIELD_OTHER || str_equal_nocase(f->name, s->client_ip_name));
}

/* Walks one line of the field from its end. False: the walk is over. */
static bool walk_line(Exchange *x, Str line, size_t *entries)
{
    size_t end = line.len;
    size_t from = 0;
    size_t to = 0;
    while (forwarded_last(line, &end, &from, &to)) {
        if (++*entries > SOURCE_ENTRIES_MAX) {
            return false;
        }
        if (from == to) {
            continue; /* empty list members are ignored (RFC 9110 §5.6.1) */
        }
        if (forwarded_address(str_slice(line, from, to), &x->request.client_ip) != ERR_OK) {
            return false;
        }
        x->request.client_port = 0;
        if (!cidr_holds(&x->service->proxies, &x->request.client_ip)) {
            return false; /* entries before it are not trustworthy */
        }
    }
    return true;
}

void source_find(Exchange *x, const Client *c)
{
    const Service *s = x->service;
    x->request.trusted = !cidr_is_empty(&s->proxies) && cidr_holds(&s->proxies, &c->peer.ip);
    if (!x->request.trusted) {
        return;
    }
    const Fields *fields = &x->request.head.fields;
    size_t entries = 0;
    for (size_t i = fields->count; i > 0; i--) { /* all lines form one list; last one first */
        const Field *f = &fields->at[i - 1];
        if (source_is_field(s, f) && !walk_line(x, f->value, &entries)) {
            return;
        }
    }
}
