/* fill_files.c - the files that a configuration names, each read once. */
#include "config/check.h"
#include "config/fill.h"

#define PATH_SHOWN_MAX 200

#define FILES_ROOM_FIRST 16u

/* Room for one more. */
static Err list_grow(Arena *a, FillFiles *known)
{
    size_t room = known->room ? 2 * known->room : FILES_ROOM_FIRST;
    FillFile **list = (FillFile **)arena_alloc_array(a, room, sizeof *list);
    if (!list) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < known->count; i++) {
        list[i] = known->list[i];
    }
    known->room = room;
    known->list = list;
    return ERR_OK;
}

/* The file as it was read before, or a place to keep it. */
static Err remember(Filler *f, Str path, FillFile **ret, bool *ret_known)
{
    FillFiles *known = &f->known;
    uint32_t index = 0;
    *ret_known = str_map_find(&known->paths, 0, path, &index);
    if (*ret_known) {
        *ret = known->list[index];
        return ERR_OK;
    }
    FillFile *fresh = arena_new(f->arena, FillFile);
    if (!fresh) {
        return ERR_MEMORY;
    }
    if (known->count == known->room) {
        TRY(list_grow(f->arena, known));
    }
    TRY(str_map_put(f->arena, &known->paths, 0, path, (uint32_t)known->count));
    fresh->file.path = path;
    known->list[known->count++] = fresh;
    *ret = fresh;
    return ERR_OK;
}

/* What a file held for the settings before; empty: it was not read then. */
static FileSettings file_before(const Filler *f, Str path)
{
    uint32_t index = 0;
    return str_map_find(&f->before, 0, path, &index) ? f->renew->files[index] : (FileSettings){0};
}

Err fill_files_open(Filler *f)
{
    for (uint32_t i = 0; f->renew && i < f->renew->file_count; i++) {
        TRY(str_map_put(f->arena, &f->before, 0, f->renew->files[i].path, i));
    }
    return ERR_OK;
}

Err fill_files(Filler *f, Settings *settings)
{
    FileSettings *list = arena_array(f->arena, FileSettings, f->known.count);
    if (!list) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < f->known.count; i++) {
        list[i] = f->known.list[i]->file;
    }
    settings->file_count = f->known.count;
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
    FillFile *there = NULL;
    TRY(remember(f, file->path, &there, &known));
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
    FillFile *file = NULL;
    Err err = ERR_OK;
    TRY(remember(f, path, &file, &known));
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
