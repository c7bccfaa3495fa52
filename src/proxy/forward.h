/* forward.h - heads as they leave River: always written anew from the parsed form. */
#ifndef PROXY_FORWARD_H
#define PROXY_FORWARD_H

#include "proxy/exchange.h"
#include "transport/head_out.h"

/* The request head for the origin. Overflow of `out` means that it does not fit. */
void forward_request_head(Thread *t, const Exchange *x, const Client *c, HeadOut *out);
/* The response head for the client, with the framing that x->reply.body says; `edit`: its fields,
 * where filters have been at them, or NULL. */
void forward_response_head(Thread *t, const Exchange *x, const HeadEdit *edit, HeadOut *out);
/* An interim head (1xx), or the one that opens a tunnel: 101 with its Upgrade, in HTTP/2 200. */
void forward_interim_head(const Exchange *x, const ResponseHead *head, HeadOut *out);

/* Collects the fields of either head for filters; the values stand in the exchange's arena, the
 * response's for this turn only. edit->overflow: there is no room. */
void forward_request_edit(const Exchange *x, const Client *c, HeadEdit *edit);
void forward_response_edit(Thread *t, const Exchange *x, HeadEdit *edit);
/* Writes what the filters have left. */
void forward_edited(const HeadEdit *edit, HeadOut *out);

/* For River's own answers. */
void forward_status(HeadOut *out, unsigned status, Str reason);
/* "Date: ..." of now. */
void forward_date(Thread *t, HeadOut *out);
/* What the head says of the client's connection, and its end. */
void forward_client_connection(const Exchange *x, HeadOut *out);

/* The protocol that the client asks to switch to, if the service lists it; else empty. */
Str forward_protocol(const Exchange *x);

#endif
