/* client_end.h - internal to clients: HTTP/2, the end of a connection, and functions that their
 * files share. */
#ifndef PROXY_CLIENT_END_H
#define PROXY_CLIENT_END_H

#include "proxy/client.h"
#include "proxy/snapshot.h"

static inline const Listener *listener_of(const Thread *t, const Client *c)
{
    return t->snapshot->listeners[c->listener];
}

static inline const Service *service_of(const Thread *t, const Client *c)
{
    return listener_of(t, c)->service;
}

/* Sets the deadline for the connection's current state. */
void client_deadline(Thread *t, Client *c, uint64_t in_ms);
/* Continue in states FLUSH and LINGER. */
void client_flush(Thread *t, Client *c);
/* The deadline of FLUSH has passed. */
void client_flush_watch(Thread *t, Client *c);
void client_linger(Thread *t, Client *c);
/* Moves on if the exchange is over: to the next one, or to the end. */
void client_go_on(Thread *t, Client *c);
/* Cuts the exchanges of all streams of a connection that ends. `unfinished`: only those whose
 * request is incomplete and will stay so; streams without an exchange are reset. */
void client_cut_streams(Thread *t, Client *c, Fault fault, bool unfinished);
/* Switches the connection to HTTP/2; `bytes` of it were already read. */
void client_mux_begin(Thread *t, Client *c, Str bytes);
void client_mux_ready(Thread *t, Client *c);
/* A deadline of the whole connection has passed, or needs to be set. */
void client_mux_watch(Thread *t, Client *c);
/* The HTTP/2 session is over. */
void client_mux_end(Thread *t, Client *c);

#endif
