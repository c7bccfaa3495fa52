/* source.c - reads the configuration file. */
#include "app/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/read_fd.h"
#include "base/number.h"

#define GROWTH_BYTES 4096u /* a file may grow while it is read */

/* Reads up to one byte more than allowed, so that config_load reports that it is too long. A
 * regular file's size is known, so little more than that is reserved. */
static Err read_all(Arena *a, int fd, Str *ret)
{
    struct stat about;
    bool regular = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    size_t most = CONFIG_TEXT_BYTES_MAX + 1;
    size_t bytes = regular ? size_min((size_t)about.st_size + GROWTH_BYTES, most) : most;
    Span room;
    if (!arena_span(a, bytes, &room)) {
        return ERR_MEMORY;
    }
    TRY(read_fd(fd, room, ret));
    return ret->len == room.len && room.len < most ? ERR_AGAIN : ERR_OK;
}

static Err open_and_read(const Source *s, Arena *a, Str *ret)
{
    char name[PATH_MAX];
    TRY(str_to_c(s->path, span_of(name, sizeof name)));
    int fd = openat(s->files->directory, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    struct stat about;
    bool directory = fstat(fd, &about) == 0 && S_ISDIR(about.st_mode);
    Err err = directory ? ERR_UNSUPPORTED : read_all(a, fd, ret);
    (void)close(fd);
    return err;
}

Err source_read(const Source *s, Arena *a, Str *ret, uint64_t *ret_mark, Text *why)
{
    if (s->starting) {
        *ret_mark = 0;
        return arena_copy(a, s->starting->text, ret) ? ERR_OK : ERR_MEMORY;
    }
    *ret_mark = files_mark(s->files, s->path); /* before reading, so that a later change is seen */
    Err err = open_and_read(s, a, ret);
    if (err != ERR_OK) {
        text_format(why, "cannot read %.*s: %s", STR_ARG(s->path),
                    err == ERR_UNSUPPORTED ? "it is a directory; name a file in it, or write one "
                                             "with `include \"DIRECTORY/*.kdl\"`"
                                           : err_sentence(err));
    }
    return err;
}

Err source_load(const Source *s, Region *region, Str text, const SourceBefore *before,
                Diagnostics *d, const Settings **ret)
{
    Arena *a = &region->arena;
    files_look_at_clock(s->files);
    s->files->region = region;
    ConfigOptions options = {.overrides = s->overrides,
                             .compat = s->compat,
                             .format = s->format,
                             .files = &s->files->config,
                             .cache = s->cache,
                             .renew = before->renew,
                             .base = before->base,
                             .latest = before->latest};
    Err err = config_load(a, s->path, text, &options, d, ret);
    key_checker_end(&s->files->keys);
    if (s->starting) {
        starting_name_mistakes(s->starting, d);
    }
    return err;
}

Err source_open(Source *s, Files *files, ProcessManager *manager)
{
    CertificateCache *cache = NULL;
    TRY(certificate_cache_new(&cache));
    files_open(files);
    files->keys.manager = manager;
    certificate_cache_delegate(cache, key_checker_judge, &files->keys);
    s->files = files;
    s->cache = cache;
    return ERR_OK;
}

void source_close(Source *s)
{
    if (!s->files) {
        return;
    }
    key_checker_end(&s->files->keys);
    files_close(s->files);
    certificate_cache_drop(s->cache);
}
