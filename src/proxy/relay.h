/* relay.h - bodies on their way: request body to the origin, response body to the client, and
 * tunnels. Bytes leave as they come; nothing is read that the other side cannot take. */
#ifndef PROXY_RELAY_H
#define PROXY_RELAY_H

#include "proxy/exchange.h"

/* Moves what is there of the request body, behind `head` (the request head, or empty). NEXT: the
 * body's end has gone to the origin. WAIT: more must come, or the origin must take what it has. */
Step relay_request(Thread *t, Exchange *x, Text *head);
/* Sends what an earlier try has sent of the body already. */
Step relay_replay(Thread *t, Exchange *x, Text *head);
/* Moves response body bytes (the first `bytes.len` of the thread's input) to the client, behind
 * `head`. NEXT: the body is over. */
Step relay_response_bytes(Thread *t, Exchange *x, Span bytes, Text *head);
/* Reads from the origin, and moves it. NEXT: the body is over and all is sent. */
Step relay_response(Thread *t, Exchange *x);
/* Both directions of a tunnel. NEXT: both have ended. */
Step relay_tunnel(Thread *t, Exchange *x);
/* Reads and throws away what has come of a request body that nobody wants. */
void relay_discard_request(Thread *t, Exchange *x);

/* Fills the thread's input: what waits in `in`, then what the wire has (at most `room` fresh
 * bytes). *ret_old: bytes of `in` that stand first; *ret_total: all. ERR_AGAIN: nothing at all. */
MUST_USE Err relay_fill(Thread *t, Wire *w, const Buf *in, size_t room, size_t *ret_old,
                        size_t *ret_total);
/* How much may be read for a peer that is `to`. */
size_t relay_room(const Thread *t, const Wire *to);
/* Keeps what follows the first `consumed` of `total` input bytes in `in`. */
MUST_USE Err relay_keep(Thread *t, Buf *in, size_t total, size_t consumed);

#endif
