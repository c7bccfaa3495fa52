/* relay.h - bodies on their way: request body to the origin, response body to the client, and
 * tunnels. Bytes leave as they come; nothing is read that the other side cannot take. */
#ifndef PROXY_RELAY_H
#define PROXY_RELAY_H

#include "proxy/exchange.h"

/* Moves what is there of the request body, behind `head` (the request head, or empty). NEXT: the
 * body's end has gone to the origin. WAIT: more must come, or the origin must take what it has. */
Step relay_request(Thread *t, Exchange *x, HeadOut *head);
/* Sends what an earlier try has sent of the body already. */
Step relay_replay(Thread *t, Exchange *x, HeadOut *head);
/* Moves what is there of the response body to the client, behind `head`: of HTTP/1 the first
 * `total` bytes of the thread's input. NEXT: the body is over. */
Step relay_first_response(Thread *t, Exchange *x, size_t total, HeadOut *head);
/* Reads from the origin, and moves it. NEXT: the body is over and all is sent. */
Step relay_response(Thread *t, Exchange *x);
/* Both directions of a tunnel. NEXT: both have ended. */
Step relay_tunnel(Thread *t, Exchange *x);
/* Reads and throws away what has come of a request body that nobody wants. */
void relay_discard_request(Thread *t, Exchange *x);

#endif
