/* fill_files.c - the files that a configuration names, each read once. */
#include "config/check.h"
#include "config/fill.h"

#define PATH_SHOWN_MAX 200
#define ROOM_FIRST 16u

const FileSettings *settings_file(const Settings *s, Str path)
{
    uint32_t place = 0;
    bool found = str_map_find(&s->file_places, 0, path, &place) ||
                 (s->base && str_map_find(&s->base->file_places, 0, path, &place));
    return found ? &s->files[place] : NULL;
}

/* ---- the list ---- */

/* What a full list holds, with room for as much again; NULL: no memory. */
static void *list_grown(Arena *a, const void *list, size_t count, size_t size, size_t *ret_room)
{
    size_t room = count > 0 ? 2 * count : ROOM_FIRST;
    void *more = arena_alloc_array(a, room, size);
    if (more) {
        (void)span_copy(span_of(more, room * size), str_of(list, count * size));
        *ret_room = room;
    }
    return more;
}

/* Room for one more. */
static Err list_grow(Arena *a, FillFiles *known)
{
    size_t room = 0;
    FillFile *list = (FillFile *)list_grown(a, known->list, known->count, sizeof *list, &room);
    if (!list) {
        return ERR_MEMORY;
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
    return ERR_OK;
}

Err fill_name_file(Filler *f, uint32_t place)
{
    FillNamed *n = &f->named;
    f->known.list[place].file.named = true;
    if (n->count == n->room) {
        size_t room = 0;
        uint32_t *list = (uint32_t *)list_grown(f->arena, n->list, n->count, sizeof *list, &room);
        if (!list) {
            return ERR_MEMORY;
        }
        n->room = room;
        n->list = list;
    }
    n->list[n->count++] = place;
    return ERR_OK;
}

/* ---- files of the base ---- */

/* Whether the file at this place holds what it held for the base; `mark` is the one that it has
 * now, 0 where no one can tell. What may have changed is read when a service names it. */
static bool is_unchanged(const Filler *f, size_t i, uint64_t mark)
{
    const FileSettings *was = &f->base->files[i];
    const FileSettings *seen = &f->latest->files[i];
    bool renewed = !f->renew || was->of_listener || seen->of_listener;
    bool same = !renewed || (seen->settled && mark == seen->mark);
    return same && fingerprint_equal(&seen->identity, &was->identity);
}

static Err look_again(Filler *f, const Settings *base)
{
    uint64_t *marks = arena_array(f->arena, uint64_t, base->file_count + 1);
    if (!marks) {
        return ERR_MEMORY;
    }
    if (f->files->marks) {
        f->files->marks(f->files->context, base->files, base->file_count, marks);
    }
    for (size_t i = 0; i < base->file_count; i++) {
        FillFile *known = &f->known.list[i];
        known->now = marks[i];
        if (is_unchanged(f, i, marks[i])) {
            known->file.mark = f->latest->files[i].mark;
            known->file.settled = f->latest->files[i].settled;
        } else {
            const FileSettings *was = &base->files[i];
            known->file = (FileSettings){
                .path = was->path,
                .of_listener = was->of_listener,
                .secret = was->secret,
                .place = was->place};
            known->changed = true;
            known->read = false;
        }
    }
    return ERR_OK;
}

static bool names_key(const KdlEntry *e)
{
    return e->is_property &&
           (str_equal(e->name, S("key-path")) || str_equal(e->name, S("client-key-path")));
}

static Err add_key(Filler *f, Str path)
{
    uint32_t any = 0;
    return str_map_find(&f->known.keys, 0, path, &any)
               ? ERR_OK
               : str_map_put(f->arena, &f->known.keys, 0, path, 0);
}

/* Before any file is read: the same one may be named for something else first. As deep as the
 * schema is. */
static Err find_keys(Filler *f, const KdlNode *nodes)
{
    for (const KdlNode *n = nodes; n; n = n->next) {
        for (const KdlEntry *e = n->entries; e; e = e->next) {
            TRY(names_key(e) ? add_key(f, e->value.text) : ERR_OK);
        }
        TRY(find_keys(f, n->children));
    }
    return ERR_OK;
}

static bool is_key(const Filler *f, Str path)
{
    uint32_t any = 0;
    return f->files && f->files->read_secret && str_map_find(&f->known.keys, 0, path, &any);
}

Err fill_files_open(Filler *f, const KdlNode *nodes)
{
    const Settings *base = f->base;
    TRY(find_keys(f, nodes));
    if (!base) {
        return ERR_OK;
    }
    FillFiles *known = &f->known;
    known->room = base->file_count + ROOM_FIRST;
    known->list = arena_array(f->arena, FillFile, known->room);
    if (!known->list) {
        return ERR_MEMORY;
    }
    known->count = base->file_count;
    for (size_t i = 0; i < base->file_count; i++) {
        known->list[i] = (FillFile){.file = base->files[i], .read = true};
        known->list[i].file.named = false;
        if (is_key(f, base->files[i].path) && !base->files[i].secret) {
            known->list[i].read = false; /* what it was read for needed no key */
        }
    }
    return f->files ? look_again(f, base) : ERR_OK;
}

/* ---- reading ---- */

/* What it held for the settings before; nothing, if it was not read then. */
static Err take_before(Filler *f, FileSettings *file)
{
    const FileSettings *before = settings_file(f->renew, file->path);
    file->identity = before ? before->identity : (Fingerprint){{0}};
    file->bytes = before ? before->bytes : STR_NONE;
    file->mark = before ? before->mark : 0;
    file->settled = before && before->settled;
    file->secret = before ? before->secret : NULL;
    if (!arena_copy(f->arena, file->bytes, &file->bytes)) {
        return ERR_MEMORY;
    }
    return file->secret ? f->files->keep_secret(f->files->context, f->arena, file) : ERR_OK;
}

Err fill_file_restore(Filler *f, FileSettings *file)
{
    uint32_t place = 0;
    TRY(place_of_file(f, file->path, &place));
    TRY(take_before(f, &f->known.list[place].file));
    *file = f->known.list[place].file;
    return ERR_OK;
}

/* Whether a renewal reads it: a listener names it, whatever else does, and first. */
static bool is_renewed(const Filler *f, Str path)
{
    const FileSettings *before = settings_file(f->renew, path);
    return f->renewing || (before && before->of_listener);
}

static Err read_file(Filler *f, FileSettings *file)
{
    if (f->renew && !is_renewed(f, file->path)) {
        return take_before(f, file);
    }
    bool key = file->secret || is_key(f, file->path);
    Err err = key ? f->files->read_secret(f->files->context, f->arena, file)
                  : f->files->read(f->files->context, f->arena, file);
    if (err != ERR_OK) {
        if (f->files->marks) {
            f->files->marks(f->files->context, file, 1, &file->mark);
        }
        return err;
    }
    if (!file->secret) {
        fingerprint_add(&file->identity, file->bytes);
    }
    return ERR_OK;
}

Err fill_file(Filler *f, Str path, uint32_t *ret)
{
    Err err = ERR_OK;
    TRY(place_of_file(f, path, ret));
    FillFile *known = &f->known.list[*ret];
    if (!known->read && f->files) {
        FileSettings file = {.path = path,
                             .of_listener = known->file.of_listener,
                             .secret = known->file.secret,
                             .named = known->file.named,
                             .place = *ret};
        err = read_file(f, &file);
        known->file = file;
        known->read = true;
        known->failed = err != ERR_OK;
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
    if (file->failed && (f->renew || err != ERR_OK)) { /* said once, unless each keeps its own */
        const char *reason = err == ERR_OK            ? "see above"
                             : err == ERR_UNSUPPORTED ? "it is no file"
                                                      : err_sentence(err);
        check_report(f->checker, f->renew ? SEVERITY_KEPT : SEVERITY_ERROR,
                     where_at(entry->value.location),
                     err == ERR_DENIED ? S("River reads it as the user who starts it") : STR_NONE,
                     "cannot read %.*s: %s", STR_ARG(str_take(path, PATH_SHOWN_MAX)), reason);
    }
    *io_good = *io_good && !file->failed;
    fingerprint_join(&f->identity, &file->file.identity);
    *ret = file->file;
    return fill_name_file(f, place);
}
