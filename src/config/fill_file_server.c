/* fill_file_server.c - `file-server`: its settings, and the list of directories that are opened. */
#include "config/fill.h"

#include "http/file_path.h"

/* The index of a directory among those that are opened; equal ones are opened once. */
static Err root_index(Filler *f, Str path, uint32_t *ret)
{
    FillRoots *roots = &f->roots;
    if (str_map_find(&roots->paths, 0, path, ret)) {
        return ERR_OK;
    }
    uint32_t index = (uint32_t)roots->paths.count;
    FillRoot *fresh = arena_new(f->arena, FillRoot);
    if (!fresh) {
        return ERR_MEMORY;
    }
    TRY(str_map_put(f->arena, &roots->paths, 0, path, index));
    fresh->path = path;
    if (roots->last) {
        roots->last->next = fresh;
    } else {
        roots->first = fresh;
    }
    roots->last = fresh;
    *ret = index;
    return ERR_OK;
}

static void report_directory(Filler *f, const KdlEntry *entry, Err err)
{
    const char *why = err == ERR_UNSUPPORTED ? "it is not a directory" : err_sentence(err);
    check_report(f->checker, SEVERITY_ERROR, where_at(entry->value.location), STR_NONE,
                 "cannot serve files from here: %s", why);
}

/* The prefix as the handler compares it: decoded, without slashes at its ends. */
static Err prefix_decode(Filler *f, Str prefix, Str *ret)
{
    Span room;
    if (!arena_span(f->arena, prefix.len, &room)) {
        return ERR_MEMORY;
    }
    Text out = text_in(room);
    CHECK(prefix.len == 0 || file_path_decode(prefix, &out).verdict != FILE_PATH_IMPOSSIBLE);
    *ret = text_str(&out);
    return ERR_OK;
}

Err fill_file_server(Filler *f, Section section, FileServerSettings *ret)
{
    const KdlEntry *base = section_option(section, S("base-path")).entry;
    f->serves_files = true;
    *ret = (FileServerSettings){
        .base_path = section_text(section, S("base-path")),
        .dotfiles = section_bool(section, S("dotfiles")),
        .index = section_text(section, S("index")),
    };
    if (f->files && f->files->directory) {
        Err err = f->files->directory(f->files->context, ret->base_path);
        if (err != ERR_OK) {
            report_directory(f, base, err);
        }
    }
    Section fallback = section_child(section, S("fallback"));
    ret->fallback_assets = option_bool(section_property(fallback, S("assets")));
    TRY(prefix_decode(f, option_text(section_value(fallback)), &ret->fallback));
    TRY(prefix_decode(f, section_text(section, S("strip-prefix")), &ret->prefix));
    return root_index(f, ret->base_path, &ret->root);
}

/* Whether settings over a base can have its directories. One more or less changes their numbers,
 * and one that is gone is a mistake. */
static bool roots_same(const Filler *f)
{
    bool same = f->roots.paths.count == 0 && f->serving_count == f->base->serving_count;
    bool looks = f->files && f->files->directory;
    for (size_t i = 0; same && looks && i < f->base->root_count; i++) {
        same = f->files->directory(f->files->context, f->base->roots[i]) == ERR_OK;
    }
    return same;
}

Err fill_roots(Filler *f, Settings *settings)
{
    settings->serving_count = f->serving_count;
    if (f->base) {
        settings->root_count = f->base->root_count;
        settings->roots = f->base->roots;
        return roots_same(f) ? ERR_OK : ERR_AGAIN;
    }
    Str *list = arena_array(f->arena, Str, f->roots.paths.count + 1);
    if (!list) {
        return ERR_MEMORY;
    }
    size_t count = 0;
    for (const FillRoot *r = f->roots.first; r; r = r->next) {
        list[count++] = r->path;
    }
    settings->root_count = count;
    settings->roots = list;
    return ERR_OK;
}
