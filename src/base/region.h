/* region.h - memory that one process fills and another reads at the same address, pointers and all.
 *
 * The address space is reserved once, before any fork, so that it is free in all processes. One
 * fills a region, seals it, and sends the descriptor; from then on nobody can write to it, the
 * writer neither. The reader maps it, takes what it needs, and unmaps it. Both must be the same
 * program in the same place, as a forked child is: pointers to constants and functions hold, too.
 * Core dumps leave it out, because keys may lie in it. */
#ifndef BASE_REGION_H
#define BASE_REGION_H

#include "base/arena.h"

#define REGION_SLOTS 6u                   /* that may be mapped at once */
#define REGION_BYTES ((size_t)512 << 20) /* of address space; memory is used as it is filled */

typedef struct Region {
    int fd; /* -1: none */
    unsigned slot;
    Blocks blocks;
    Arena arena; /* what fills it; not to be reset: the region is closed as a whole */
} Region;

#define REGION_NONE ((Region){.fd = -1})

/* Reserves the address space; once, in the process that forks. ERR_MEMORY. */
MUST_USE Err region_reserve(void);

/* An empty region in a free slot, to be filled through its arena. ERR_FULL: no slot is free;
 * ERR_MEMORY and what else the system says. It must stay where it is: its arena points into it. */
MUST_USE Err region_open(Region *r);
/* Nobody can write to it any more. */
MUST_USE Err region_seal(Region *r);
/* Ends it here; others keep what they have mapped. A region that is none is none. */
void region_close(Region *r);

/* The reader's side: maps the sealed region of this descriptor, and unmaps it. */
MUST_USE Err region_map(int fd, unsigned slot);
void region_unmap(unsigned slot);
/* Unmaps all, for a child that has taken what it needs. */
void region_unmap_all(void);

/* Whether `bytes` at an address lie in the slot. */
bool region_holds(unsigned slot, const void *at, size_t bytes);

#endif
