/* origin_place.h - within the shared pool: a thread's connection to an origin that speaks HTTP/2,
 * and who waits for it. */
#ifndef POOL_ORIGIN_PLACE_H
#define POOL_ORIGIN_PLACE_H

#include "pool/origin.h"

Origin *origin_at(Thread *t, uint32_t index);
MuxPlace *mux_place_of(Thread *t, uint32_t origin);
/* A stream now (ERR_OK), or later when the connection that is being made is there (ERR_AGAIN). */
MUST_USE Err mux_place_take(Thread *t, Origin *o, Lease *l);

#endif
