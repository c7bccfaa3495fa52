/* pem.h - which parts of a PEM file (RFC 7468) are secret. */
#ifndef APP_PEM_H
#define APP_PEM_H

#include "base/str.h"

/* Whether a private key stands in it, of whatever kind. */
bool pem_has_key(Str text);
/* Copies the blocks that are no private keys, and nothing of what stands between blocks. `room` is
 * as long as `text`. */
Str pem_public(Str text, Span room);

#endif
