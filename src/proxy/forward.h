/* forward.h - heads as they leave River: always written anew from the parsed form. */
#ifndef PROXY_FORWARD_H
#define PROXY_FORWARD_H

#include "proxy/exchange.h"

/* The request head for the origin. Overflow of `out` means that it does not fit. */
void forward_request_head(Thread *t, const Exchange *x, const Client *c, Text *out);
/* The response head for the client, with the framing that x->send_as says. */
void forward_response_head(Thread *t, const Exchange *x, Text *out);
/* An interim head (1xx), or 101 with its Upgrade. */
void forward_interim_head(const Exchange *x, const ResponseHead *head, Text *out);
/* The fields of a trailer section that may be passed on. Returns a fault for a malformed one. */
HttpFault forward_trailers(Thread *t, Str section, Text *out);
/* "Date: ...\r\n" of now. */
void forward_date(Thread *t, Text *out);

/* The protocol that the client asks to switch to, if the service lists it; else empty. */
Str forward_protocol(const Exchange *x);
/* Whether the peer is one of the service's trusted proxies. */
bool forward_trusts(const Service *s, IpAddress ip);

#endif
