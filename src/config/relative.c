/* relative.c - see relative.h. */
#include "config/relative.h"

#include "config/path_pattern.h"

#define PATH_SHOWN_MAX 200
#define HELP_BYTES_MAX 512u

/* 0 if there is none, or no one looks. */
static uint64_t identity_of(const ConfigFiles *files, Str path)
{
    return files && files->identity ? files->identity(files->context, path) : 0;
}

Str relative_directory(const ConfigFiles *files, Str file_name)
{
    Str directory = str_take(file_name, path_directory_len(file_name));
    uint64_t itself = directory.len > 0 ? identity_of(files, directory) : 0;
    return itself != 0 && itself == identity_of(files, S(".")) ? STR_NONE : directory;
}

/* Each is one cause, however many paths it concerns. */
static void warn_once(Checker *c, bool *io_told, Where where, Str path, Str joined, bool both)
{
    uint8_t room[HELP_BYTES_MAX];
    Text help = text_in(span_of(room, sizeof room));
    if (*io_told) {
        return;
    }
    *io_told = true;
    path = str_take(c->veil.len > 0 ? c->veil : path, PATH_SHOWN_MAX);
    if (both) {
        check_report(c, SEVERITY_WARNING, where, S("remove the one that is not meant"),
                     "`%.*s` is in the configuration's directory, which counts, and another one is "
                     "where River was started", STR_ARG(path));
        return;
    }
    if (c->veil.len == 0) {
        text_format(&help, "move it to %.*s, or write its whole path",
                    STR_ARG(str_take(joined, PATH_SHOWN_MAX)));
    }
    check_report(c, SEVERITY_WARNING, where, text_str(&help),
                 "`%.*s` is only where River was started; relative paths count from the "
                 "configuration's directory", STR_ARG(path));
}

static bool knows_file(const Settings *s, Str path)
{
    uint32_t place = 0;
    return str_map_find(&s->file_places, 0, path, &place) ||
           (s->base && str_map_find(&s->base->file_places, 0, path, &place));
}

/* What has vanished is what it was for the settings before, which may keep it. */
static bool was_started_from(const Checker *c, Str path, Str joined)
{
    return c->before && knows_file(c->before, path) && !knows_file(c->before, joined);
}

bool relative_resolve(Checker *c, Str *io_path, Where where)
{
    Str path = *io_path;
    Str joined = STR_NONE;
    if (c->directory.len == 0 || path.len == 0 || str_at(path, 0) == '/' || !c->values) {
        return true;
    }
    if (path_join(c->values->arena, c->directory, path, &joined) != ERR_OK) {
        c->diagnostics->out_of_memory = true;
        return false;
    }
    uint64_t here = identity_of(c->files, joined);
    uint64_t started = identity_of(c->files, path);
    if (here == 0 && (started != 0 || was_started_from(c, path, joined))) {
        warn_once(c, &c->told_elsewhere, where, path, joined, false);
        return true;
    }
    if (started != 0 && started != here) {
        warn_once(c, &c->told_both, where, path, joined, true);
    }
    *io_path = joined;
    return true;
}
