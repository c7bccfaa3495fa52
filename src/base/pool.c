/* pool.c - slots, generations and the free list. */
#include "base/pool.h"

#define POOL_ALIGN 64u

static PoolSlot *pool_slot(const Pool *p, uint32_t slot)
{
    return (PoolSlot *)(void *)(p->slots + (size_t)slot * p->slot_bytes);
}

Err pool_init(Pool *p, size_t object_bytes, uint32_t slots_max)
{
    size_t slot_bytes = sizeof(PoolSlot) + object_bytes;
    slot_bytes = (slot_bytes + POOL_ALIGN - 1) & ~(size_t)(POOL_ALIGN - 1);
    uint8_t *slots = (uint8_t *)memory_reserve(slot_bytes * slots_max);
    if (!slots) {
        return ERR_MEMORY;
    }
    *p = (Pool){.slots = slots, .slot_bytes = slot_bytes, .slots_max = slots_max};
    return ERR_OK;
}

void pool_drop(Pool *p)
{
    if (p->slots) {
        memory_unpoison(p->slots, p->slot_bytes * p->slots_touched); /* for later mappings */
    }
    memory_release(p->slots, p->slot_bytes * p->slots_max);
    *p = (Pool){0};
}

void *pool_take(Pool *p, Handle *ret_handle)
{
    uint32_t index;
    if (p->first_free) {
        index = p->first_free - 1;
        p->first_free = pool_slot(p, index)->next_free;
    } else if (p->slots_touched < p->slots_max) {
        index = p->slots_touched++;
    } else {
        return NULL;
    }
    PoolSlot *slot = pool_slot(p, index);
    size_t object_bytes = p->slot_bytes - sizeof(PoolSlot);
    memory_unpoison(slot + 1, object_bytes);
    __builtin_memset(slot + 1, 0, object_bytes);
    slot->generation++;
    CHECK((slot->generation & 1) == 1);
    p->used++;
    *ret_handle = (Handle){.slot = index, .generation = slot->generation};
    return slot + 1;
}

void pool_give(Pool *p, Handle h)
{
    CHECK(pool_get(p, h) != NULL);
    PoolSlot *slot = pool_slot(p, h.slot);
    slot->generation++;
    p->used--;
    memory_poison(slot + 1, p->slot_bytes - sizeof(PoolSlot));
    if (slot->generation == UINT32_MAX - 1) {
        return; /* the generation is spent: this slot is never used again */
    }
    slot->next_free = p->first_free;
    p->first_free = h.slot + 1;
}

void *pool_at(const Pool *p, uint32_t slot, Handle *ret_handle)
{
    if (slot >= p->slots_touched) {
        return NULL;
    }
    *ret_handle = (Handle){.slot = slot, .generation = pool_slot(p, slot)->generation};
    return pool_get(p, *ret_handle);
}
