/* region.h - memory that one process fills and another reads at the same address, pointers and all.
 *
 * The address space is reserved once, before any fork, so that it is free in all processes. One
 * fills a region, seals it, and sends the descriptor; from then on no one can write to it, the
 * writer neither. The reader maps it, takes what it needs, and unmaps it. Both must be the same
 * program in the same place, as a forked child is: pointers to constants and functions hold, too.
 *
 * A region has **secrets** beside it, in a memory file of their own: bytes that the one who fills
 * the region must never see. The kernel copies them there. They have an address, so that the region
 * can point to them, but only a reader that may see them maps them there. Core dumps leave both
 * out. */
#ifndef BASE_REGION_H
#define BASE_REGION_H

#include "base/arena.h"

#define REGION_SLOTS 6u                   /* that may be mapped at once */
#define REGION_BYTES ((size_t)512 << 20) /* of address space; memory is used as it is filled */

#define REGION_SECRET_BYTES ((size_t)256 << 20)

typedef struct Region {
    int fd; /* -1: none */
    int secrets; /* -1: there are none yet */
    size_t secret_len;
    unsigned slot;
    Blocks blocks;
    Arena arena; /* what fills it; not to be reset: the region is closed as a whole */
} Region;

#define REGION_NONE ((Region){.fd = -1, .secrets = -1})

/* Reserves the address space; once, in the process that forks. ERR_MEMORY. */
MUST_USE Err region_reserve(void);

/* An empty region in a free slot, to be filled through its arena. ERR_FULL: no slot is free;
 * ERR_MEMORY and what else the system says. It must stay where it is: its arena points into it. */
MUST_USE Err region_open(Region *r);
/* No one can write to it any more. */
MUST_USE Err region_seal(Region *r);
/* Ends it here; others keep what they have mapped. No-op on REGION_NONE. */
void region_close(Region *r);

/* Adds what the file of this descriptor holds, up to `bytes`, to the secrets; *ret is where that
 * will be for a reader. ERR_LIMIT: there is no room; ERR_UNSUPPORTED: the kernel cannot copy from
 * such a file; and what else the system says. */
MUST_USE Err region_add_secret(Region *r, int fd, size_t bytes, Str *ret);
/* The same of secrets that another open region of this process has. */
MUST_USE Err region_copy_secret(Region *r, Str secret, Str *ret);

/* Where bytes of an open region lie: in which of its files, and from where on. */
typedef struct RegionPlace {
    unsigned slot;
    bool secret;
    uint64_t offset;
} RegionPlace;
/* False: they lie in no slot. */
bool region_find(const void *at, size_t bytes, RegionPlace *ret);
/* The files of the region that is open in this slot; -1: none. They stay the region's. */
int region_file(unsigned slot, bool secret);

/* The reader's side: maps the sealed region of this descriptor, and unmaps it with its secrets. */
MUST_USE Err region_map(int fd, unsigned slot);
void region_unmap(unsigned slot);
/* The same for its secrets, once the region is mapped. */
MUST_USE Err region_map_secrets(int fd, unsigned slot);
/* Unmaps all, for a child that has taken what it needs. */
void region_unmap_all(void);

/* Whether `bytes` at an address lie in the slot. */
bool region_holds(unsigned slot, const void *at, size_t bytes);

#endif
