/* region.c - sealed memory files at reserved addresses. */
#include "base/region.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* All that writers can still do is read. */
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static uint8_t *reserved;
static bool taken[REGION_SLOTS];

static void *slot_at(unsigned slot)
{
    CHECK(reserved && slot < REGION_SLOTS);
    return reserved + slot * REGION_BYTES;
}

/* Address space of a slot with nothing behind it. */
static bool slot_clear(void *at, size_t bytes, int flags)
{
    return mmap(at, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1,
                0) != MAP_FAILED;
}

Err region_reserve(void)
{
    if (reserved) {
        return ERR_OK;
    }
    void *at = mmap(NULL, REGION_SLOTS * REGION_BYTES, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    reserved = at == MAP_FAILED ? NULL : (uint8_t *)at;
    return reserved ? ERR_OK : ERR_MEMORY;
}

static Err region_map_at(int fd, unsigned slot, size_t bytes, int protection)
{
    void *at = slot_at(slot);
    if (mmap(at, bytes, protection, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
        return err_from_errno(errno);
    }
    (void)madvise(at, bytes, MADV_DONTDUMP);
    taken[slot] = true;
    return ERR_OK;
}

/* The whole slot is one block of the arena, and there is no other. */
static void fill_with_block(Region *r)
{
    Block *block = (Block *)slot_at(r->slot);
    blocks_init(&r->blocks, NULL, (uint32_t)(REGION_BYTES - sizeof(Block)), 1);
    r->blocks.free = block;
    r->blocks.free_count = 1;
    arena_init(&r->arena, &r->blocks, r->blocks.block_bytes);
    r->arena.zeroed = true; /* the file is new */
}

Err region_open(Region *r)
{
    unsigned slot = 0;
    while (slot < REGION_SLOTS && taken[slot]) {
        slot++;
    }
    if (slot == REGION_SLOTS) {
        return ERR_FULL;
    }
    int fd = memfd_create("river-configuration", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    Err err = ftruncate(fd, (off_t)REGION_BYTES) == 0
                  ? region_map_at(fd, slot, REGION_BYTES, PROT_READ | PROT_WRITE)
                  : err_from_errno(errno);
    if (err != ERR_OK) {
        (void)close(fd);
        return err;
    }
    *r = (Region){.fd = fd, .slot = slot};
    fill_with_block(r);
    return ERR_OK;
}

/* F_SEAL_WRITE wants that no writable mapping exists, so ours is exchanged first. */
Err region_seal(Region *r)
{
    CHECK(slot_clear(slot_at(r->slot), REGION_BYTES, MAP_FIXED));
    Err err = fcntl(r->fd, F_ADD_SEALS, SEALS) == 0 ? ERR_OK : err_from_errno(errno);
    Err mapped = region_map_at(r->fd, r->slot, REGION_BYTES, PROT_READ);
    return err == ERR_OK ? mapped : err;
}

void region_close(Region *r)
{
    if (r->fd >= 0) {
        region_unmap(r->slot);
        (void)close(r->fd);
    }
    *r = REGION_NONE;
}

Err region_map(int fd, unsigned slot)
{
    if (slot >= REGION_SLOTS || taken[slot]) {
        return ERR_SYNTAX;
    }
    return region_map_at(fd, slot, REGION_BYTES, PROT_READ);
}

void region_unmap(unsigned slot)
{
    CHECK(slot_clear(slot_at(slot), REGION_BYTES, MAP_FIXED));
    taken[slot] = false;
}

void region_unmap_all(void)
{
    for (unsigned i = 0; i < REGION_SLOTS; i++) {
        if (taken[i]) {
            region_unmap(i);
        }
    }
}

bool region_holds(unsigned slot, const void *at, size_t bytes)
{
    if (!reserved || slot >= REGION_SLOTS || bytes > REGION_BYTES) {
        return false;
    }
    uintptr_t start = (uintptr_t)slot_at(slot);
    uintptr_t from = (uintptr_t)at;
    return from >= start && from - start <= REGION_BYTES - bytes;
}
