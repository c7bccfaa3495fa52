/* relay.h - moves bodies: request body to the origin, response body to the client, and tunnels.
 * Bytes are sent as they arrive; nothing is read that the other side cannot take. */
#ifndef PROXY_RELAY_H
#define PROXY_RELAY_H

#include "proxy/exchange.h"

/* Moves the available request body, after `head` (the request head, or empty). NEXT: all of it was
 * sent to the origin. WAIT: more must arrive, or the origin must take what it has. */
Step relay_request(Thread *t, Exchange *x, HeadOut *head);
/* Sends again the body bytes that an earlier try has sent. */
Step relay_replay(Thread *t, Exchange *x, HeadOut *head);
/* Moves the available response body to the client, after `head`: with HTTP/1 the first `total`
 * bytes of the thread's input. NEXT: the body is over. */
Step relay_first_response(Thread *t, Exchange *x, size_t total, HeadOut *head);
/* Reads from the origin, and moves it to the client. NEXT: the body is over and all is sent. */
Step relay_response(Thread *t, Exchange *x);
/* Moves both directions of a tunnel. NEXT: both have ended. */
Step relay_tunnel(Thread *t, Exchange *x);
/* Reads and discards a request body that is no longer needed. */
void relay_discard_request(Thread *t, Exchange *x);

#endif
