/* client.h - a client's connection: accepted, its TLS handshake, reading heads, one exchange at a
 * time (or with HTTP/2 many, see mux.h), closing. */
#ifndef PROXY_CLIENT_H
#define PROXY_CLIENT_H

#include "transport/thread.h"
#include "transport/wire.h"

typedef struct Mux Mux;
typedef struct MuxStream MuxStream;

typedef enum ClientState {
    CLIENT_PROXY,     /* a header of the PROXY protocol must come first */
    CLIENT_HANDSHAKE, /* TLS */
    CLIENT_MUX,     /* HTTP/2: its streams have exchanges of their own */
    CLIENT_IDLE,    /* between requests, nothing of the next one has come */
    CLIENT_HEAD,    /* part of a head is there */
    CLIENT_BUSY,    /* an exchange runs */
    CLIENT_FLUSH,   /* the last answer is on its way, then close */
    CLIENT_LINGER   /* our side is finished; what the peer still sends is thrown away for a while */
} ClientState;

/* How an exchange has ended. */
typedef struct ExchangeOver {
    bool is;     /* it has, and the client has not gone on yet */
    bool keep;   /* the connection may serve another request */
    bool linger; /* the client may still be sending */
    bool abort;  /* the client must see that its answer is not complete */
} ExchangeOver;

typedef struct Client {
    Handle self;
    Handle exchange;
    Wire wire;
    Mux *mux; /* of CLIENT_MUX; owned */
    Buf in; /* arrived, not consumed */
    Timer timer;
    uint8_t state;
    ExchangeOver over; /* of the last exchange */
    bool linger_wanted;
    bool looked; /* `in` was looked at: only more bytes help */
    bool leaving; /* no request may follow the one that is under way */
    uint16_t patience_ms; /* ... but one that was sent before the client could know */
    uint16_t listener;
    Peer peer; /* of the socket, or whom the PROXY protocol named */
    uint32_t scanned;  /* of `in`, for the head's end */
    union {
        uint32_t taken;    /* FLUSH: bytes that the peer took */
        uint32_t lingered; /* LINGER: bytes thrown away */
    };
    uint64_t flushed_ms; /* FLUSH: when the peer last took something */
    uint64_t idle_ms;  /* since when nothing is under way */
    uint64_t held_ms;  /* since when relief.c sees what it takes of what it holds; 0: not at all */
    uint64_t held_acked; /* ... and what it had acknowledged then */
    uint64_t head_us;  /* when the head's first byte came, of the monotonic clock */
} Client;

/* Takes over an accepted connection; closes it when there is no room. */
void client_adopt(Thread *t, Stream stream, uint16_t listener, Peer peer);
void client_on_ready(Thread *t, Handle h, unsigned what);
void client_on_timer(Thread *t, Handle h);
/* Wakes an exchange, of whichever client, and goes on with that when it is over. */
void client_wake_exchange(Thread *t, Handle exchange);
/* A stream's first request has come. */
void client_start_stream(Thread *t, MuxStream *s);
/* Ends what the client has under way with `fault`: an exchange, or all of its streams'. */
void client_cut(Thread *t, Handle h, Fault fault);
void client_close(Thread *t, Client *c, bool abort);
/* Sends what its HTTP/2 session has to say, and ends it when that is over. */
void client_mux_flush(Thread *t, Handle h);
/* How long a connection that leaves is still given for a request that may be on its way. */
#define CLIENT_PATIENCE_MS 2000u

/* The connection ends with what is under way; if it is idle, at once or when `patience_ms` have
 * passed without a request. HTTP/2 is told twice (RFC 9113 §6.8), with so long in between. */
void client_drain(Thread *t, Client *c, uint64_t patience_ms);

static inline Client *client_get(const Thread *t, Handle h)
{
    return (Client *)pool_get(&t->clients, h);
}

#endif
