/* identity.h - what origins are told about a client's certificate: the fields of RFC 9440, and its
 * subject, names and fingerprint in fields that the operator chooses. */
#ifndef PROXY_IDENTITY_H
#define PROXY_IDENTITY_H

#include "proxy/exchange.h"
#include "transport/head_out.h"

/* Whether a client must not send this field: River writes it itself. Also matches names that some
 * origins treat as equal ('_' in place of '-'). */
bool identity_is_field(const IdentityRules *rules, const Field *f);
/* Adds the fields about the client's certificate, if it presented one. */
void identity_add(const Exchange *x, const Client *c, HeadOut *out);
/* The maximum size of their values. */
size_t identity_bytes(const Exchange *x, const Client *c);
/* Drops such fields from a client's trailers. */
void identity_drop(const IdentityRules *rules, Fields *trailers);

#endif
