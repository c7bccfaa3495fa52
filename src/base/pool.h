/* pool.h - type-stable slots named by handles: how objects outlive no one's memory of them.
 *
 * A slot holds one object at a time; its generation grows when the object is dropped, so an old
 * Handle yields NULL for ever (generations are even while free, odd while used, and a slot whose
 * generation is spent is retired). One thread owns a pool. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/memory.h"

typedef struct Handle {
    uint32_t slot;
    uint32_t generation; /* 0: no object */
} Handle;

#define HANDLE_NONE ((Handle){.slot = 0, .generation = 0})

typedef struct PoolSlot {
    uint32_t generation;
    uint32_t next_free; /* slot + 1; 0 ends the list */
} PoolSlot;

typedef struct Pool {
    uint8_t *slots;
    size_t slot_bytes; /* with the PoolSlot in front of the object */
    uint32_t slots_max;
    uint32_t slots_touched;
    uint32_t first_free; /* slot + 1 */
    uint32_t used;
} Pool;

static inline bool handle_equal(Handle a, Handle b)
{
    return a.slot == b.slot && a.generation == b.generation;
}

static inline bool handle_is_none(Handle h)
{
    return h.generation == 0;
}

/* Reserves address space for `slots_max` objects of `object_bytes`; memory is used as slots are. */
MUST_USE Err pool_init(Pool *p, size_t object_bytes, uint32_t slots_max);
void pool_drop(Pool *p);

/* A zeroed object and its handle, or NULL when all slots are in use. */
void *pool_take(Pool *p, Handle *ret_handle);
/* Ends the object's life; its handle must be current. */
void pool_give(Pool *p, Handle h);

/* The object, or NULL when the handle is stale or none. */
static inline void *pool_get(const Pool *p, Handle h)
{
    if (UNLIKELY(h.slot >= p->slots_touched || (h.generation & 1) == 0)) {
        return NULL;
    }
    PoolSlot *slot = (PoolSlot *)(void *)(p->slots + (size_t)h.slot * p->slot_bytes);
    return slot->generation == h.generation ? slot + 1 : NULL;
}

/* The object in `slot` if it is in use, for walks over all of them; else NULL. */
void *pool_at(const Pool *p, uint32_t slot, Handle *ret_handle);

#endif
