/* region.c - sealed memory files at reserved addresses. */
#include "base/region.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/number.h"

/* All that writers can still do is read. */
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

#define SLOT_BYTES (REGION_BYTES + REGION_SECRET_BYTES)

static uint8_t *reserved;
static bool taken[REGION_SLOTS];
static Region *open_regions[REGION_SLOTS]; /* that this process fills or has filled */

static void *slot_at(unsigned slot)
{
    CHECK(reserved && slot < REGION_SLOTS);
    return reserved + slot * SLOT_BYTES;
}

static void *secrets_at(unsigned slot)
{
    return (uint8_t *)slot_at(slot) + REGION_BYTES;
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
    void *at = mmap(NULL, REGION_SLOTS * SLOT_BYTES, PROT_NONE,
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
    *r = (Region){.fd = fd, .secrets = -1, .slot = slot};
    open_regions[slot] = r;
    fill_with_block(r);
    return ERR_OK;
}

/* F_SEAL_WRITE wants that no writable mapping exists, so ours is exchanged first. */
Err region_seal(Region *r)
{
    CHECK(slot_clear(slot_at(r->slot), REGION_BYTES, MAP_FIXED));
    bool sealed = fcntl(r->fd, F_ADD_SEALS, SEALS) == 0 &&
                  (r->secrets < 0 || fcntl(r->secrets, F_ADD_SEALS, SEALS) == 0);
    Err err = sealed ? ERR_OK : err_from_errno(errno);
    Err mapped = region_map_at(r->fd, r->slot, REGION_BYTES, PROT_READ);
    return err == ERR_OK ? mapped : err;
}

void region_close(Region *r)
{
    if (r->fd >= 0) {
        region_unmap(r->slot);
        open_regions[r->slot] = NULL;
        (void)close(r->fd);
    }
    if (r->secrets >= 0) {
        (void)close(r->secrets);
    }
    *r = REGION_NONE;
}

/* ---- secrets ---- */

static Err open_secrets(Region *r)
{
    if (r->secrets < 0) {
        r->secrets = memfd_create("river-secrets", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    }
    return r->secrets >= 0 ? ERR_OK : err_from_errno(errno);
}

/* Whatever way the kernel has: the first is for all files that it can map. */
static ssize_t copy_some(int to, int from, off_t *io_from, size_t bytes)
{
    ssize_t n;
    do {
        n = sendfile(to, from, io_from, bytes);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EINVAL) {
        off_t at = lseek(to, 0, SEEK_CUR);
        n = copy_file_range(from, io_from, to, &at, bytes, 0);
        (void)lseek(to, at, SEEK_SET);
    }
    return n;
}

static Err copy_secret(Region *r, int from, off_t at, size_t bytes, Str *ret)
{
    uint8_t *where = (uint8_t *)secrets_at(r->slot) + r->secret_len;
    size_t len = 0;
    TRY(open_secrets(r));
    CHECK(r->secrets >= 0);
    if (bytes > REGION_SECRET_BYTES - r->secret_len) {
        return ERR_LIMIT;
    }
    while (len < bytes) {
        ssize_t n = copy_some(r->secrets, from, &at, bytes - len);
        if (n < 0) {
            bool odd = errno == EINVAL || errno == EXDEV || errno == EOPNOTSUPP;
            return odd ? ERR_UNSUPPORTED : err_from_errno(errno);
        }
        if (n == 0) {
            break;
        }
        len += (size_t)n;
        r->secret_len += (size_t)n;
    }
    *ret = str_of(where, len);
    return ERR_OK;
}

Err region_add_secret(Region *r, int fd, size_t bytes, Str *ret)
{
    return copy_secret(r, fd, 0, bytes, ret);
}

Err region_copy_secret(Region *r, Str secret, Str *ret)
{
    RegionPlace place = {0};
    if (secret.len == 0) {
        *ret = STR_NONE;
        return ERR_OK;
    }
    bool found = region_find(secret.at /* its address */, secret.len, &place);
    return found && place.secret
               ? copy_secret(r, region_file(place.slot, true), (off_t)place.offset, secret.len, ret)
               : ERR_MISSING;
}

bool region_find(const void *at, size_t bytes, RegionPlace *ret)
{
    uintptr_t start = (uintptr_t)reserved;
    uintptr_t from = (uintptr_t)at;
    if (!reserved || from < start || from - start >= REGION_SLOTS * SLOT_BYTES) {
        return false;
    }
    size_t within = (from - start) % SLOT_BYTES;
    bool secret = within >= REGION_BYTES;
    size_t room = secret ? SLOT_BYTES : REGION_BYTES;
    *ret = (RegionPlace){.slot = (unsigned)((from - start) / SLOT_BYTES),
                         .secret = secret,
                         .offset = within - (secret ? REGION_BYTES : 0)};
    return bytes <= room - within;
}

int region_file(unsigned slot, bool secret)
{
    const Region *r = slot < REGION_SLOTS ? open_regions[slot] : NULL;
    return !r ? -1 : secret ? r->secrets : r->fd;
}

/* ---- the reader's side ---- */

Err region_map_secrets(int fd, unsigned slot)
{
    struct stat about;
    if (slot >= REGION_SLOTS || !taken[slot] || fstat(fd, &about) != 0 || about.st_size <= 0 ||
        (size_t)about.st_size > REGION_SECRET_BYTES) {
        return ERR_SYNTAX;
    }
    void *at = secrets_at(slot);
    size_t bytes = (size_t)about.st_size;
    if (mmap(at, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
        return err_from_errno(errno);
    }
    (void)madvise(at, bytes, MADV_DONTDUMP);
    return ERR_OK;
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
    CHECK(slot_clear(slot_at(slot), SLOT_BYTES, MAP_FIXED));
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
