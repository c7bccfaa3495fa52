/* client_end.h - within a client's life: how its connection ends, and what both files ask. */
#ifndef PROXY_CLIENT_END_H
#define PROXY_CLIENT_END_H

#include "proxy/client.h"

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
/* An HTTP/2 session is over. */
void client_mux_end(Thread *t, Client *c);

#endif
