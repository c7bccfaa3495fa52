/* pem.h - which parts of a PEM file (RFC 7468) are secret. */
#ifndef APP_PEM_H
#define APP_PEM_H

#include "base/str.h"

/* Whether it contains a private key of any kind. */
bool pem_has_key(Str text);
/* Copies the blocks that are not private keys, and no text between blocks; `room` is as long as
 * `text`. */
Str pem_public(Str text, Span room);

#endif
