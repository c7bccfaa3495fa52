/* forward.h - the heads that River sends, always written anew from the parsed form. */
#ifndef PROXY_FORWARD_H
#define PROXY_FORWARD_H

#include "proxy/exchange.h"
#include "transport/head_out.h"

/* Writes the request head for the origin. Overflow of `out` means that it does not fit. */
void forward_request_head(Thread *t, const Exchange *x, const Client *c, HeadOut *out);
/* Writes the response head for the client, with the framing x->reply.body; `edit`: its fields as
 * edited by filters, or NULL. */
void forward_response_head(Thread *t, const Exchange *x, const HeadEdit *edit, HeadOut *out);
/* Writes an interim head (1xx) or one that opens a tunnel: 101 with its Upgrade, in HTTP/2 200. */
void forward_interim_head(const Exchange *x, const ResponseHead *head, HeadOut *out);

/* Collects the fields of either head for filters; the values lie in the exchange's arena, those of
 * the response only for this turn. edit->overflow: no room. */
void forward_request_edit(const Exchange *x, const Client *c, HeadEdit *edit);
void forward_response_edit(Thread *t, const Exchange *x, HeadEdit *edit);
/* Writes the fields that the filters have left. */
void forward_edited(const HeadEdit *edit, HeadOut *out);

/* Writes the status of an answer of River's own. */
void forward_status(HeadOut *out, unsigned status, Str reason);
/* Writes the current "Date: ...". */
void forward_date(Thread *t, HeadOut *out);
/* Writes Connection, which tells whether the client's connection stays open. */
void forward_client_connection(const Exchange *x, HeadOut *out);

/* The protocol that the client wants to switch to, if the service lists it; else empty. */
Str forward_protocol(const Exchange *x);

#endif
