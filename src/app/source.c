/* source.c - reading the configuration's file. */
#include "app/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

/* Up to one byte more than is allowed: config_load says that it is too long. */
static Err read_all(Arena *a, int fd, Str *ret)
{
    Span room;
    if (!arena_span(a, CONFIG_TEXT_BYTES_MAX + 1, &room)) {
        return ERR_MEMORY;
    }
    return files_fill(fd, room, ret);
}

static Err open_and_read(const Source *s, Arena *a, Str *ret)
{
    char name[PATH_MAX];
    TRY(str_to_c(s->path, span_of(name, sizeof name)));
    int fd = openat(s->files->directory, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    Err err = read_all(a, fd, ret);
    (void)close(fd);
    return err;
}

Err source_read(const Source *s, Arena *a, Str *ret, Text *why)
{
    Err err = open_and_read(s, a, ret);
    if (err != ERR_OK) {
        text_format(why, "cannot read %.*s: %s", STR_ARG(s->path), err_sentence(err));
    }
    return err;
}

Err source_load(const Source *s, Arena *a, Str text, const Settings *renew, Diagnostics *d,
                const Settings **ret)
{
    files_look_at_clock(s->files);
    ConfigOptions options = {.overrides = s->overrides,
                             .compat = s->compat,
                             .format = s->format,
                             .files = &s->files->config,
                             .shelf = s->shelf,
                             .renew = renew};
    return config_load(a, s->path, text, &options, d, ret);
}
