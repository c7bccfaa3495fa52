/* inherit.h - what is written once and holds in many places (internal to the room).
 *
 * The top-level section `tls` has the certificates and the rules of TLS for all listeners that say
 * `tls=true`. They are copied there in the tree, so that everything after this finds them as if
 * they had been written at each listener. */
#ifndef CONFIG_INHERIT_H
#define CONFIG_INHERIT_H

#include "config/check.h"

/* Completes the listeners of services that are not those of the base. ERR_MEMORY only. */
MUST_USE Err inherit_tls(Arena *a, KdlDocument *document);

/* Whether both documents let services inherit the same. */
bool inherit_same(const KdlDocument *before, const KdlDocument *now);

#endif
