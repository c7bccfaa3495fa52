/* renew.c - reading again, and the way of the bytes through a sealed memory file. */
#include "app/renew.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/number.h"
#include "loop/log.h"

#define BLOCK_BYTES 65536u
#define MATERIAL_BYTES_MAX (256u << 20)
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

static uint64_t mark_all(const Renewal *r)
{
    uint64_t mark = FNV_START;
    for (size_t i = 0; i < r->material.count; i++) {
        const ListenerTls *tls = &r->settings->listeners[i].tls;
        for (size_t k = 0; k < tls->file_count; k++) {
            if (tls->files[k].path.len > 0) {
                mark = files_mark(r->files, tls->files[k].path, mark);
            }
        }
    }
    return mark;
}

Err renewal_open(Renewal *r, const Settings *settings, Files *files, uint64_t now_ms)
{
    *r = (Renewal){.settings = settings, .files = files, .look_at_ms = now_ms + RENEW_LOOK_MS};
    blocks_init(&r->blocks, NULL, BLOCK_BYTES, 0);
    for (size_t i = 0; i < 2; i++) {
        arena_init(&r->arenas[i], &r->blocks, MATERIAL_BYTES_MAX);
    }
    TRY(material_first(settings, &r->arenas[0], &r->material));
    for (size_t i = 0; i < r->material.count; i++) {
        r->tls_count += r->material.parts[i].count > 0 ? 1 : 0;
    }
    r->mark = r->seen = mark_all(r);
    return ERR_OK;
}

void renewal_close(Renewal *r)
{
    arena_reset(&r->arenas[0]);
    arena_reset(&r->arenas[1]);
    blocks_drop(&r->blocks);
}

bool renewal_is_due(Renewal *r, uint64_t now_ms)
{
    if (r->tls_count == 0 || now_ms < r->look_at_ms) {
        return false;
    }
    uint64_t now = mark_all(r);
    bool steady = now == r->seen;
    r->look_at_ms = now_ms + RENEW_LOOK_MS;
    r->seen = now;
    return steady && now != r->mark;
}

/* Keeps what is there already, in the new arena. */
static Err keep_part(const MaterialPart *old, Arena *a, MaterialPart *ret)
{
    Str *bytes = arena_array(a, Str, old->count);
    if (!bytes) {
        return ERR_MEMORY;
    }
    for (size_t k = 0; k < old->count; k++) {
        if (!arena_copy(a, old->bytes[k], &bytes[k])) {
            return ERR_MEMORY;
        }
    }
    *ret = (MaterialPart){.count = old->count, .bytes = bytes};
    return ERR_OK;
}

/* One listener: *ret_all gets what holds from now on, *ret_news what is new (or nothing). */
static Err read_listener(Renewal *r, size_t i, Arena *a, MaterialPart *ret_all,
                         MaterialPart *ret_news)
{
    const ListenerSettings *listener = &r->settings->listeners[i];
    const MaterialPart *old = &r->material.parts[i];
    uint8_t room[1024];
    Text why = text_in(span_of(room, sizeof room));
    *ret_news = (MaterialPart){0};
    if (old->count == 0) {
        *ret_all = (MaterialPart){0};
        return ERR_OK;
    }
    Err err = material_read(&listener->tls, &r->files->config, a, ret_all, &why);
    if (err == ERR_MEMORY) {
        return err;
    }
    if (err != ERR_OK) {
        LOG(ERROR, "certificates not renewed", LOG_STR("listener", listener->address.text),
            LOG_STR("why", text_str(&why)));
        r->refused++;
        return keep_part(old, a, ret_all);
    }
    if (!material_equal(old, ret_all)) {
        *ret_news = *ret_all;
    }
    return ERR_OK;
}

Err renewal_read(Renewal *r, Material *ret)
{
    Arena *a = &r->arenas[1 - r->current];
    size_t count = r->material.count;
    size_t news = 0;
    uint64_t mark = mark_all(r); /* before: what is written meanwhile is noticed later */
    arena_reset(a);
    MaterialPart *all = arena_array(a, MaterialPart, count);
    MaterialPart *fresh = arena_array(a, MaterialPart, count);
    if (!all || !fresh) {
        return ERR_MEMORY;
    }
    files_look_at_clock(r->files);
    r->refused = 0;
    for (size_t i = 0; i < count; i++) {
        TRY(read_listener(r, i, a, &all[i], &fresh[i]));
        news += fresh[i].count > 0 ? 1 : 0;
    }
    r->material = (Material){.count = count, .parts = all};
    r->current = 1 - r->current;
    r->mark = r->seen = mark;
    *ret = (Material){.count = count, .parts = fresh};
    return news > 0 ? ERR_OK : ERR_MISSING;
}

/* ---- the way to the worker ---- */

static Err write_all(int fd, Str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.at, bytes.len); /* system call */
        if (n < 0 && errno != EINTR) {
            return err_from_errno(errno);
        }
        bytes = str_drop(bytes, n > 0 ? (size_t)n : 0);
    }
    return ERR_OK;
}

Err renewal_pack(const Material *m, int *ret_fd)
{
    Span room = memory_reserve_span(material_size(m));
    if (room.len == 0) {
        return ERR_MEMORY;
    }
    Text out = text_in(room);
    material_write(m, &out);
    CHECK(!out.overflow);
    int fd = memfd_create("certificates", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    Err err = fd < 0 ? err_from_errno(errno) : write_all(fd, text_str(&out));
    memory_release_span(room);
    if (err == ERR_OK && fcntl(fd, F_ADD_SEALS, SEALS) != 0) {
        err = err_from_errno(errno);
    }
    if (err != ERR_OK && fd >= 0) {
        (void)close(fd);
    }
    *ret_fd = err == ERR_OK ? fd : -1;
    return err;
}

Err renewal_unpack(int fd, const Settings *settings, Arena *a, Material *ret)
{
    struct stat about;
    Span room;
    if (fstat(fd, &about) != 0) {
        return err_from_errno(errno);
    }
    if (about.st_size <= 0 || about.st_size > (off_t)MATERIAL_BYTES_MAX) {
        return ERR_LIMIT;
    }
    if (!arena_span(a, (size_t)about.st_size, &room)) {
        return ERR_MEMORY;
    }
    for (size_t at = 0; at < room.len;) {
        Span rest = span_drop(room, at);
        ssize_t n = pread(fd, rest.at, rest.len, (off_t)at); /* system call */
        if (n <= 0) {
            return n == 0 ? ERR_CLOSED : err_from_errno(errno);
        }
        at += (size_t)n;
    }
    return material_parse(span_str(room), settings, a, ret);
}

/* ---- status ---- */

Err renewal_status(const Renewal *r, Arena *a, const CertificateStatus **ret, size_t *ret_count)
{
    size_t most = 0;
    size_t count = 0;
    for (size_t i = 0; i < r->material.count; i++) {
        most += r->settings->listeners[i].tls.pair_count;
    }
    CertificateStatus *list = arena_array(a, CertificateStatus, most + 1);
    if (!list) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < r->material.count; i++) {
        const ListenerSettings *listener = &r->settings->listeners[i];
        const MaterialPart *part = &r->material.parts[i];
        for (size_t k = 0; part->count > 0 && k < listener->tls.pair_count; k++) {
            size_t at = k * TLS_FILES_OF_PAIR + TLS_FILE_CHAIN;
            TlsCertificate about;
            if (tls_certificate_read(part->bytes[at], a, &about) != ERR_OK) {
                continue; /* it was read when it was tried */
            }
            list[count++] = (CertificateStatus){.listener = listener->address.text,
                                                .path = listener->tls.files[at].path,
                                                .subject = about.subject,
                                                .names = about.names,
                                                .not_before_s = about.not_before,
                                                .not_after_s = about.not_after};
        }
    }
    *ret = list;
    *ret_count = count;
    return ERR_OK;
}
