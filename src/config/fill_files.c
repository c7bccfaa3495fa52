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

Err fill_file(Filler *f, Str path, FillFile **ret)
{
    bool known = false;
    FillFile *file = NULL;
    Err err = ERR_OK;
    TRY(remember(f, path, &file, &known));
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
