/* source.h - where a connection or a request comes from: whom River takes for the client.
 *
 * A peer is what the socket says, or what a header of the PROXY protocol said in its place; the
 * client is the peer, or whom trusted proxies name in a field of the request. */
#ifndef PROXY_SOURCE_H
#define PROXY_SOURCE_H

#include "net/proxy_header.h"
#include "proxy/exchange.h"

/* More entries than this of X-Forwarded-For are not looked at: no chain of proxies is so long. */
#define SOURCE_ENTRIES_MAX 100u

/* Why a peer that has just been accepted is closed at once; FAULT_NONE: it is not. */
Fault source_screen_peer(const Listener *l, const Peer *peer);
/* The same when a header of the PROXY protocol has told who the client is; *peer becomes that. */
Fault source_screen_header(const Listener *l, const ProxyHeader *header, Peer *peer);

/* Sets x->request.trusted, and x->request.client_ip where trusted proxies name the client. */
void source_find(Exchange *x, const Client *c);

/* Whether the field is the one in which trusted proxies name the client. */
bool source_is_field(const Service *s, const Field *f);

#endif
