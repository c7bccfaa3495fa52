/* fill_files.c - the files that a configuration names, each read once. */
#include "config/check.h"
#include "config/fill.h"

#define PATH_SHOWN_MAX 200

#define FILES_ROOM_FIRST 16u
#define NAMED_ROOM_FIRST 8u

const FileSettings *settings_file(const Settings *s, Str path)
{
    uint32_t place = 0;
    bool found = str_map_find(&s->file_places, 0, path, &place) ||
                 (s->base && str_map_find(&s->base->file_places, 0, path, &place));
    return found ? &s->files[place] : NULL;
}

/* ---- the list ---- */

/* Room for one more. */
static Err list_grow(Arena *a, FillFiles *known)
{
    size_t room = known->room ? 2 * known->room : FILES_ROOM_FIRST;
    FillFile *list = arena_array(a, FillFile, room);
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

/* The place of a file, maybe a new one. */
static Err place_of_file(Filler *f, Str path, uint32_t *ret)
{
    FillFiles *known = &f->known;
    if ((f->base && str_map_find(&f->base->file_places, 0, path, ret)) ||
        str_map_find(&known->paths, 0, path, ret)) {
        return ERR_OK;
    }
    if (known->count == known->room) {
        TRY(list_grow(f->arena, known));
    }
    *ret = (uint32_t)known->count;
    TRY(str_map_put(f->arena, &known->paths, 0, path, *ret));
    known->list[known->count++] = (FillFile){.file = {.path = path, .place = *ret}};
    return ERR_OK;
}

Err fill_files(Filler *f, Settings *settings)
{
    FileSettings *list = arena_array(f->arena, FileSettings, f->known.count);
    if (!list) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < f->known.count; i++) {
        list[i] = f->known.list[i].file;
    }
    settings->file_count = f->known.count;
    settings->files = list;
    settings->file_places = f->known.paths;
    settings->platform_roots = f->platform_roots;
    settings->platform_identity = f->platform_identity;
    settings->platform_file = f->platform_file;
    return ERR_OK;
}

Err fill_name_file(Filler *f, uint32_t place)
{
    FillNamed *n = &f->named;
    if (n->count == n->room) {
        size_t room = n->room ? 2 * n->room : NAMED_ROOM_FIRST;
        uint32_t *list = arena_array(f->arena, uint32_t, room);
        if (!list) {
            return ERR_MEMORY;
        }
        for (size_t i = 0; i < n->count; i++) {
            list[i] = n->list[i];
        }
        n->room = room;
        n->list = list;
    }
    n->list[n->count++] = place;
    return ERR_OK;
}

/* ---- files of the base ---- */

/* It does not hold what it held for the base. `now`: what it holds, or NULL: nobody has read it. */
static void note_change(const Filler *f, const FileSettings *was, const FileSettings *now,
                        FillFile *ret)
{
    bool known = now && !f->renew; /* of a renewal it is not known yet whose bytes it will have */
    *ret = (FillFile){.file = {.path = was->path}, .changed = true, .read = known};
    if (known) {
        ret->file = *now;
    }
    ret->file.of_listener = was->of_listener;
    ret->file.place = was->place;
}

/* Whether the file at this place holds what it held. What may have been written just when it was
 * read is read again. */
static Err look_again(Filler *f, size_t i, const uint64_t *mark, FillFile *ret)
{
    const ConfigFiles *files = f->files;
    const FileSettings *was = &f->base->files[i];
    const FileSettings *seen = &f->latest->files[i];
    FileSettings now = {.path = was->path};
    *ret = (FillFile){.file = *was, .read = true};
    if (mark && *mark == seen->mark && seen->settled) {
        ret->file.mark = seen->mark;
        ret->file.settled = true;
        if (!fingerprint_equal(&seen->identity, &was->identity)) {
            note_change(f, was, NULL, ret);
        }
        return ERR_OK;
    }
    Err err = files->read(files->context, f->arena, &now);
    if (err == ERR_MEMORY) {
        return err;
    }
    fingerprint_add(&now.identity, now.bytes);
    ret->file.mark = now.mark;
    ret->file.settled = now.settled;
    if (err != ERR_OK || !fingerprint_equal(&now.identity, &was->identity)) {
        note_change(f, was, err == ERR_OK ? &now : NULL, ret);
    }
    return ERR_OK;
}

static Err look_again_at_all(Filler *f, const Settings *base)
{
    FillFiles *known = &f->known;
    bool looks = f->files->marks != NULL;
    uint64_t *marks = looks ? arena_array(f->arena, uint64_t, base->file_count + 1) : NULL;
    if (looks && !marks) {
        return ERR_MEMORY;
    }
    if (looks) {
        f->files->marks(f->files->context, base->files, base->file_count, marks);
    }
    for (size_t i = 0; i < base->file_count; i++) {
        TRY(look_again(f, i, looks ? &marks[i] : NULL, &known->list[i]));
    }
    return ERR_OK;
}

Err fill_files_open(Filler *f)
{
    const Settings *base = f->base;
    if (!base) {
        return ERR_OK;
    }
    FillFiles *known = &f->known;
    known->room = base->file_count + FILES_ROOM_FIRST;
    known->list = arena_array(f->arena, FillFile, known->room);
    if (!known->list) {
        return ERR_MEMORY;
    }
    known->count = base->file_count;
    for (size_t i = 0; i < base->file_count; i++) {
        known->list[i] = (FillFile){.file = base->files[i], .read = true};
    }
    TRY(f->files ? look_again_at_all(f, base) : ERR_OK);
    if (base->platform_roots.len > 0 && !known->list[base->platform_file].changed) {
        f->platform_roots = base->platform_roots;
        f->platform_identity = base->platform_identity;
        f->platform_file = base->platform_file;
    }
    return ERR_OK;
}

/* ---- reading ---- */

/* What it held for the settings before; nothing, if it was not read then. */
static Err take_before(Filler *f, FileSettings *file)
{
    const FileSettings *before = settings_file(f->renew, file->path);
    file->identity = before ? before->identity : (Fingerprint){{0}};
    file->bytes = before ? before->bytes : STR_NONE;
    return arena_copy(f->arena, file->bytes, &file->bytes) ? ERR_OK : ERR_MEMORY;
}

Err fill_file_restore(Filler *f, FileSettings *file)
{
    uint32_t place = 0;
    TRY(place_of_file(f, file->path, &place));
    TRY(take_before(f, &f->known.list[place].file));
    *file = f->known.list[place].file;
    return ERR_OK;
}

static Err read_file(Filler *f, FileSettings *file)
{
    if (f->renew && !f->renewing) {
        return take_before(f, file);
    }
    Err err = f->files->read(f->files->context, f->arena, file);
    if (err != ERR_OK) {
        if (f->files->marks) {
            f->files->marks(f->files->context, file, 1, &file->mark);
        }
        return err;
    }
    fingerprint_add(&file->identity, file->bytes);
    return ERR_OK;
}

Err fill_file(Filler *f, Str path, uint32_t *ret)
{
    Err err = ERR_OK;
    TRY(place_of_file(f, path, ret));
    FillFile *known = &f->known.list[*ret];
    if (!known->read && f->files) {
        FileSettings file = {.path = path, .place = *ret};
        err = read_file(f, &file);
        *known = (FillFile){
            .file = file, .changed = known->changed, .read = true, .failed = err != ERR_OK};
    }
    known->file.of_listener = known->file.of_listener || f->renewing;
    return err;
}

Err fill_file_named(Filler *f, const KdlEntry *entry, FileSettings *ret, bool *io_good)
{
    uint32_t place = 0;
    if (!entry) {
        return ERR_OK;
    }
    Str path = entry->value.text;
    Err err = fill_file(f, path, &place);
    if (err == ERR_MEMORY) {
        return err;
    }
    const FillFile *file = &f->known.list[place];
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
    return fill_name_file(f, place);
}
