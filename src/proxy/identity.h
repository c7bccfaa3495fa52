/* identity.h - what origins are told about a client's certificate: RFC 9440's fields, and its
 * subject, names and fingerprint in fields of the operator's. */
#ifndef PROXY_IDENTITY_H
#define PROXY_IDENTITY_H

#include "proxy/exchange.h"
#include "transport/head_out.h"

/* Whether a client may not say that of itself: a field that River writes, whoever sends it, under
 * its name or one that some origins take for it ('_' in place of '-'). */
bool identity_is_field(const IdentityRules *rules, const Field *f);
/* The fields about the certificate that the client has shown; none without one. */
void identity_add(const Exchange *x, const Client *c, HeadOut *out);
/* How much room their values take, at most. */
size_t identity_bytes(const Exchange *x, const Client *c);
/* Drops them from a client's trailers. */
void identity_drop(const IdentityRules *rules, Fields *trailers);

#endif
