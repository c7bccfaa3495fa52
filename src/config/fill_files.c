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
        f->known_count++;
    }
    *ret_known = false;
    return fresh;
}

/* What a file held for the settings before; empty: it was not read then. */
static FileSettings file_before(const Filler *f, Str path)
{
    for (size_t i = 0; i < f->renew->file_count; i++) {
        if (str_equal(f->renew->files[i].path, path)) {
            return f->renew->files[i];
        }
    }
    return (FileSettings){0};
}

Err fill_files(Filler *f, Settings *settings)
{
    FileSettings *list = arena_array(f->arena, FileSettings, f->known_count);
    if (!list) {
        return ERR_MEMORY;
    }
    size_t count = 0;
    for (const FillFile *k = f->known; k; k = k->next) {
        list[count++] = k->file;
    }
    settings->file_count = count;
    settings->files = list;
    return ERR_OK;
}

static Err take_before(Filler *f, Str path, FileSettings *file)
{
    FileSettings before = file_before(f, path);
    file->identity = before.identity;
    return arena_copy(f->arena, before.bytes, &file->bytes) ? ERR_OK : ERR_MEMORY;
}

Err fill_file_restore(Filler *f, FileSettings *file)
{
    bool known = false;
    FillFile *there = remember(f, file->path, &known);
    if (!there) {
        return ERR_MEMORY;
    }
    TRY(take_before(f, file->path, &there->file));
    *file = there->file;
    return ERR_OK;
}

static Err read_file(Filler *f, Str path, FileSettings *file)
{
    if (f->renew && !f->renewing) {
        return take_before(f, path, file);
    }
    TRY(f->files->read(f->files->context, path, f->arena, &file->bytes));
    fingerprint_add(&file->identity, file->bytes);
    return ERR_OK;
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
        err = read_file(f, path, &file->file);
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
        check_report(f->checker, f->renew ? SEVERITY_WARNING : SEVERITY_ERROR,
                     where_at(entry->value.location),
                     err == ERR_DENIED ? S("River reads it as the user who starts it") : STR_NONE,
                     "cannot read %.*s: %s", STR_ARG(str_take(path, PATH_SHOWN_MAX)), reason);
        *io_good = false;
    }
    fingerprint_join(&f->identity, &file->file.identity);
    *ret = file->file;
    return ERR_OK;
}
