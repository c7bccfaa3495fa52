/* client_end.h - within a client's life: HTTP/2, how its connection ends, and what the files ask of
 * each other. */
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

/* The deadline of what the connection does now. */
void client_deadline(Thread *t, Client *c, uint64_t in_ms);
/* States FLUSH and LINGER go on. */
void client_flush(Thread *t, Client *c);
/* The deadline of FLUSH has come. */
void client_flush_watch(Thread *t, Client *c);
void client_linger(Thread *t, Client *c);
/* The exchange is over, if it is: on to the next one, or to the end. */
void client_go_on(Thread *t, Client *c);
/* Cuts the exchanges of all streams, for a connection that goes. `unfinished`: only of those whose
 * client has not sent all of its request, and never will; streams without an exchange are reset. */
void client_cut_streams(Thread *t, Client *c, Fault fault, bool unfinished);
/* From now on the connection speaks HTTP/2; `bytes` of it were read already. */
void client_mux_begin(Thread *t, Client *c, Str bytes);
void client_mux_ready(Thread *t, Client *c);
/* A deadline of the whole connection has passed, or is watched from now on. */
void client_mux_watch(Thread *t, Client *c);
/* An HTTP/2 session is over. */
void client_mux_end(Thread *t, Client *c);

#endif
