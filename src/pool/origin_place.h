/* origin_place.h - internal to the shared pool: a thread's connection to an HTTP/2 origin, and the
 * leases that wait for it. */
#ifndef POOL_ORIGIN_PLACE_H
#define POOL_ORIGIN_PLACE_H

#include "pool/origin.h"

Origin *origin_at(Thread *t, uint32_t index);
MuxPlace *mux_place_of(Thread *t, uint32_t origin);
/* Gets a stream now (ERR_OK), or later, when the connection being dialled is ready (ERR_AGAIN). */
MUST_USE Err mux_place_take(Thread *t, Origin *o, Lease *l);

#endif
