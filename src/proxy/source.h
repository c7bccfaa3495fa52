/* source.h - determines the client of a connection or a request.
 *
 * The peer is the socket's address, or the one in a PROXY protocol header; the client is the peer,
 * or the address that trusted proxies name in a field of the request. */
#ifndef PROXY_SOURCE_H
#define PROXY_SOURCE_H

#include "net/proxy_header.h"
#include "proxy/exchange.h"

/* Entries of X-Forwarded-For beyond this are ignored: no chain of proxies is so long. */
#define SOURCE_ENTRIES_MAX 100u

/* Why a newly accepted peer must be closed at once, or FAULT_NONE. */
Fault source_screen_peer(const Listener *l, const Peer *peer);
/* The same once a PROXY protocol header has named the peer, which becomes *peer. */
Fault source_screen_header(const Listener *l, const ProxyHeader *header, Peer *peer);

/* Sets x->request.trusted, and x->request.client_ip if trusted proxies name the client. */
void source_find(Exchange *x, const Client *c);

/* Whether trusted proxies name the client in this field. */
bool source_is_field(const Service *s, const Field *f);

#endif
