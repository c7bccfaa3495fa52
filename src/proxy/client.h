/* client.h - a client's connection: accepted, TLS handshake, reading heads, one exchange at a time
 * (or with HTTP/2 many, see mux.h), closing. */
#ifndef PROXY_CLIENT_H
#define PROXY_CLIENT_H

#include "transport/thread.h"
#include "transport/wire.h"

typedef struct Mux Mux;
typedef struct MuxStream MuxStream;

typedef enum ClientState {
    CLIENT_PROXY,     /* a PROXY protocol header must come first */
    CLIENT_HANDSHAKE, /* TLS */
    CLIENT_MUX,     /* HTTP/2: each stream has its own exchange */
    CLIENT_IDLE,    /* between requests; nothing of the next one has arrived */
    CLIENT_HEAD,    /* part of a head has arrived */
    CLIENT_BUSY,    /* an exchange is running */
    CLIENT_FLUSH,   /* sending the last answer, then close */
    CLIENT_LINGER   /* our side is finished; further input is discarded for a while */
} ClientState;

/* How an exchange has ended. */
typedef struct ExchangeOver {
    bool is;     /* it has, and the client has not moved on yet */
    bool keep;   /* the connection may serve another request */
    bool linger; /* the client may still be sending */
    bool abort;  /* the client must see that its answer is incomplete */
} ExchangeOver;

typedef struct Client {
    Handle self;
    Handle exchange;
    Wire wire;
    Mux *mux; /* in CLIENT_MUX; owned */
    Buf in; /* received, not consumed */
    Timer timer;
    uint8_t state;
    ExchangeOver over; /* of the last exchange */
    bool linger_wanted;
    bool looked; /* `in` was examined: only more bytes help */
    bool leaving; /* no request may follow the current one ... */
    uint16_t patience_ms; /* ... except one sent before the client could know */
    uint16_t listener;
    Peer peer; /* from the socket, or as named by the PROXY protocol */
    uint32_t scanned;  /* bytes of `in` already searched for the end of the head */
    union {
        uint32_t taken;    /* FLUSH: bytes that the peer took */
        uint32_t lingered; /* LINGER: bytes discarded */
    };
    uint64_t flushed_ms; /* FLUSH: when the peer last took bytes */
    uint64_t idle_ms;  /* since when nothing is under way */
    uint64_t held_ms;  /* since when relief.c measures what it takes; 0: it does not */
    uint64_t held_acked; /* ... and what was acknowledged then */
    uint64_t head_us;  /* when the head's first byte arrived (monotonic clock) */
} Client;

/* Takes over an accepted connection; closes it if there is no room. */
void client_adopt(Thread *t, Stream stream, uint16_t listener, Peer peer);
void client_on_ready(Thread *t, Handle h, unsigned what);
void client_on_timer(Thread *t, Handle h);
/* Wakes an exchange of any client; if that ends it, continues with the client. */
void client_wake_exchange(Thread *t, Handle exchange);
/* A stream's first request has arrived. */
void client_start_stream(Thread *t, MuxStream *s);
/* Ends with `fault` what the client has under way: its exchange, or those of all its streams. */
void client_cut(Thread *t, Handle h, Fault fault);
void client_close(Thread *t, Client *c, bool abort);
/* Sends what its HTTP/2 session has to say, and ends the session once it is over. */
void client_mux_flush(Thread *t, Handle h);
/* Grace time of a draining connection for a request that may be on its way. */
#define CLIENT_PATIENCE_MS 2000u

/* The connection ends with what is under way; if idle, at once, or after `patience_ms` without a
 * request. HTTP/2 clients get two GOAWAYs (RFC 9113 §6.8), with that time in between. */
void client_drain(Thread *t, Client *c, uint64_t patience_ms);

static inline Client *client_get(const Thread *t, Handle h)
{
    return (Client *)pool_get(&t->clients, h);
}

#endif
