/* fill_files.c - the files that a configuration names, each read once. */
#include "config/check.h"
#include "config/fill.h"

#define PATH_SHOWN_MAX 200

/* The file as it was read before, or a place to keep it; NULL without memory. */
static FillFile *remember(Filler *f, Str path, bool *ret_known)
{
    for (FillFile *k = f->known; k; k = k->next) {
        if (str_equal(k->file.path, path)) {
            *ret_known = true;
            return k;
        }
    }
    FillFile *fresh = arena_new(f->arena, FillFile);
    if (fresh) {
        fresh->file.path = path;
        fresh->next = f->known;
        f->known = fresh;
    }
    *ret_known = false;
    return fresh;
}

Err fill_file(Filler *f, Str path, FillFile **ret)
{
    bool known = false;
    FillFile *file = remember(f, path, &known);
    Err err = ERR_OK;
    if (!file) {
        return ERR_MEMORY;
    }
    if (!known && f->files) {
        err = f->files->read(f->files->context, path, f->arena, &file->file.bytes);
        file->failed = err != ERR_OK;
    }
    *ret = file;
    return err;
}

Err fill_file_named(Filler *f, const KdlEntry *entry, FileSettings *ret, bool *io_good)
{
    FillFile *file = NULL;
    if (!entry) {
        return ERR_OK;
    }
    Str path = entry->value.text;
    Err err = fill_file(f, path, &file);
    if (err == ERR_MEMORY) {
        return err;
    }
    if (file->failed) {
        const char *reason = err == ERR_OK            ? "see above"
                             : err == ERR_UNSUPPORTED ? "it is no file"
                                                      : err_sentence(err);
        check_report(f->checker, SEVERITY_ERROR, where_at(entry->value.location),
                     err == ERR_DENIED ? S("River reads it as the user who starts it") : STR_NONE,
                     "cannot read %.*s: %s", STR_ARG(str_take(path, PATH_SHOWN_MAX)), reason);
        *io_good = false;
    }
    *ret = file->file;
    return ERR_OK;
}
