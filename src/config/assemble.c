/* assemble.c - walks the trees of files, and joins the text between their directives. */
#include "config/assemble.h"

#include "base/number.h"
#include "base/str_map.h"
#include "config/check.h"
#include "config/nearest.h"
#include "config/path_pattern.h"

#define HELP_BYTES_MAX 512u
#define PATH_BYTES_MAX 4096u
#define NEAR_NAMES_MAX 1000u /* are compared with a name that is unknown */

/* A file that is part of the text. It is read once, however often it is included. */
typedef struct Part {
    SourceFile file;
    KdlNode *nodes;
    bool whole; /* its text is taken as it is: nothing in it is a directive, or it has mistakes */
    bool open;  /* being walked: who includes it now includes itself */
    bool read;
    uint32_t known; /* its place among the watched files before */
    Err err; /* why it cannot be read */
    const Diagnostics *mistakes; /* NULL: none */
} Part;

typedef struct Snippet {
    uint32_t part;
    Str name;
    const KdlNode *node;
    bool open;
} Snippet;

/* A piece of text on its way. */
typedef struct Segment {
    Str text;
    uint32_t part;
    uint32_t offset;
} Segment;

/* A list that grows in the arena. */
typedef struct Growing {
    size_t room;
    size_t count;
} Growing;

typedef struct Assembler {
    Arena *arena;
    const ConfigFiles *files;
    Diagnostics *d;
    int version; /* as which all files are read; 0: each as it can be */
    bool failed;
    bool full; /* that was said */
    size_t bytes;
    unsigned depth;
    const Assembly *before; /* NULL: none */
    StrMap known;           /* places of its watched files, by their paths */
    StrMap paths;           /* of parts */
    Growing part_list;
    Part *parts;
    Growing segment_list;
    Segment *segments;
    Growing watched_list;
    WatchedPath *watched;
    StrMap snippet_names;
    Growing snippet_list;
    Snippet *snippets; /* moves when it grows */
} Assembler;

/* Makes room for one more; what is outgrown stays in the arena. */
static void *grow_list(Arena *a, void *list, Growing *g, size_t element_bytes)
{
    if (g->count < g->room) {
        return list;
    }
    size_t room = g->room == 0 ? 16 : 2 * g->room;
    void *fresh = arena_alloc_array(a, room, element_bytes);
    if (fresh) {
        (void)span_copy(span_of(fresh, room * element_bytes),
                        str_of(list, g->count * element_bytes));
        g->room = room;
    }
    return fresh;
}

/* ---- segments ---- */

static Err put_text(Assembler *s, uint32_t part, Str text, size_t at)
{
    if (text.len == 0 || s->full) {
        return ERR_OK;
    }
    if (s->bytes + text.len > CONFIG_TEXT_BYTES_MAX ||
        s->segment_list.count == ASSEMBLE_PIECES_MAX) {
        Location here = {(uint32_t)s->bytes, 0};
        s->full = s->failed = true;
        diagnostics_add(s->d, SEVERITY_ERROR, here, STR_NONE,
                        "with all that is included, this is more than %u bytes or %u pieces",
                        (unsigned)CONFIG_TEXT_BYTES_MAX, (unsigned)ASSEMBLE_PIECES_MAX);
        return ERR_OK;
    }
    s->segments =
        (Segment *)grow_list(s->arena, s->segments, &s->segment_list, sizeof *s->segments);
    if (!s->segments) {
        return ERR_MEMORY;
    }
    s->segments[s->segment_list.count++] =
        (Segment){.text = text, .part = part, .offset = (uint32_t)at};
    s->bytes += text.len;
    return ERR_OK;
}

static Err put_range(Assembler *s, uint32_t part, size_t from, size_t to)
{
    return put_text(s, part, str_slice(s->parts[part].file.text, from, to), from);
}

/* A newline of ours, so that what is inserted is on lines of its own. */
static Err put_newline(Assembler *s, uint32_t part, size_t at)
{
    return put_text(s, part, S("\n"), at);
}

/* ---- mistakes ---- */

/* Notes a mistake at `at` of a directive's node: the node's text is put in, to be pointed at. */
static Err refuse_node(Assembler *s, uint32_t part, const KdlNode *node, Location at, Str help,
                  const char *format, ...) PRINTF_LIKE(6, 7);

static Err refuse_node(Assembler *s, uint32_t part, const KdlNode *node, Location at, Str help,
                  const char *format, ...)
{
    va_list list;
    Location here = {(uint32_t)(s->bytes + at.from - node->whole.from), at.len};
    s->failed = true;
    va_start(list, format);
    diagnostics_add_list(s->d, SEVERITY_ERROR, &here, STR_NONE, help, format, list);
    va_end(list);
    return put_range(s, part, node->whole.from, (size_t)node->whole.from + node->whole.len);
}

/* ---- files ---- */

static bool is_boundary(int c)
{
    return c < 0 || c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ';' || c == '{' ||
           c == '"' || c == '\\' || c == '/';
}

static bool has_word(Str text, Str word)
{
    for (size_t at = str_search(text, word, 0); at < text.len;
         at = str_search(text, word, at + 1)) {
        if (is_boundary(at == 0 ? -1 : str_at(text, at - 1)) &&
            is_boundary(str_peek(text, at + word.len))) {
            return true;
        }
    }
    return false;
}

/* Whether there may be a directive. Most files have none, and need not be read to a tree here. */
static bool may_direct(Str text)
{
    return has_word(text, S("include")) || has_word(text, S("define")) || has_word(text, S("use"));
}

static Err parse_part(Assembler *s, Part *p)
{
    Diagnostics *d = arena_new(s->arena, Diagnostics);
    KdlDocument document = {0};
    if (!d) {
        return ERR_MEMORY;
    }
    diagnostics_init(d, s->arena, p->file.name, p->file.text);
    Err err = kdl_parse(s->arena, p->file.text, s->version, d, &document);
    if (err == ERR_SYNTAX) {
        p->mistakes = d;
        p->whole = true;
        return ERR_OK;
    }
    p->nodes = document.nodes;
    return err;
}

static Err watch_path(Assembler *s, WatchedPath one)
{
    s->watched =
        (WatchedPath *)grow_list(s->arena, s->watched, &s->watched_list, sizeof *s->watched);
    if (!s->watched) {
        return ERR_MEMORY;
    }
    s->watched[s->watched_list.count++] = one;
    return ERR_OK;
}

/* The part of that path. */
static Err find_part(Assembler *s, Str path, uint32_t *ret)
{
    if (str_map_find(&s->paths, 0, path, ret)) {
        return ERR_OK;
    }
    s->parts = (Part *)grow_list(s->arena, s->parts, &s->part_list, sizeof *s->parts);
    if (!s->parts) {
        return ERR_MEMORY;
    }
    *ret = (uint32_t)s->part_list.count++;
    s->parts[*ret] = (Part){.file.name = path};
    return str_map_put(s->arena, &s->paths, 0, path, *ret);
}

/* Whether the file is as it was, and had neither mistakes nor directives. */
static bool take_unchanged(const Assembler *s, Part *p)
{
    if (!s->before || !s->files || !s->files->text_mark ||
        !str_map_find(&s->known, 0, p->file.name, &p->known)) {
        return false;
    }
    const WatchedPath *was = &s->before->watched[p->known];
    if (!was->settled || was->text.len == 0 || may_direct(was->text) ||
        s->files->text_mark(s->files->context, p->file.name) != was->mark) {
        return false;
    }
    p->file.text = str_drop(was->text, kdl_bom_bytes(was->text));
    return true;
}

/* An included file must be a document by itself: a brace that it does not close would swallow what
 * comes after it. */
static Err read_part(Assembler *s, Part *p)
{
    if (p->read) {
        return ERR_OK;
    }
    p->read = true;
    if (take_unchanged(s, p)) {
        return watch_path(s, s->before->watched[p->known]);
    }
    WatchedPath one = {.path = p->file.name};
    p->err = s->files && s->files->read_text
                 ? s->files->read_text(s->files->context, s->arena, p->file.name,
                                       CONFIG_TEXT_BYTES_MAX, &one)
                 : ERR_MISSING;
    if (p->err == ERR_MEMORY) {
        return ERR_MEMORY;
    }
    TRY(watch_path(s, one));
    if (p->err != ERR_OK) {
        return ERR_OK;
    }
    p->file.text = one.text;
    p->file.text = str_drop(p->file.text, kdl_bom_bytes(p->file.text));
    return parse_part(s, p);
}

/* ---- the walk ---- */

static Err walk_nodes(Assembler *s, uint32_t part, const KdlNode *nodes, bool top, size_t *cursor);

static Err walk_part(Assembler *s, uint32_t part)
{
    size_t cursor = 0;
    Part *p = &s->parts[part];
    if (p->mistakes) {
        Diagnostics moved = *p->mistakes;
        for (size_t i = 0; i < moved.count; i++) {
            moved.list[i].location.from += (uint32_t)s->bytes;
        }
        s->failed = true;
        diagnostics_take(s->d, &moved);
        p->mistakes = NULL; /* said once */
    }
    if (!p->whole) {
        p->open = true;
        TRY(walk_nodes(s, part, p->nodes, true, &cursor));
        s->parts[part].open = false;
    }
    return put_range(s, part, cursor, s->parts[part].file.text.len);
}

/* The only argument of a directive, or NULL. */
static const KdlEntry *only_argument(const KdlNode *node)
{
    const KdlEntry *e = node->entries;
    bool one = e && !e->next && !e->is_property && e->value.kind == KDL_STRING;
    return one && e->value.text.len > 0 ? e : NULL;
}

static Err include_file(Assembler *s, uint32_t part, const KdlNode *node, Str path, bool listed)
{
    uint32_t other = 0;
    Location at = node->entries->value.location;
    if (s->part_list.count >= ASSEMBLE_FILES_MAX) {
        return refuse_node(s, part, node, at, STR_NONE, "more than %u files are included",
                      (unsigned)ASSEMBLE_FILES_MAX);
    }
    TRY(find_part(s, path, &other));
    if (s->parts[other].open || other == 0) {
        return listed ? ERR_OK /* a pattern that also matches the file in which it is */
                      : refuse_node(s, part, node, at, STR_NONE, "%.*s includes itself",
                                    STR_ARG(path));
    }
    TRY(read_part(s, &s->parts[other]));
    Err err = s->parts[other].err;
    if (err != ERR_OK) {
        return refuse_node(s, part, node, at,
                      err == ERR_MISSING  ? S("the path counts from the file that includes it")
                      : err == ERR_DENIED ? CONFIG_TEXT_DENIED
                                          : STR_NONE,
                      "cannot include %.*s: %s", STR_ARG(path), err_sentence(err));
    }
    TRY(walk_part(s, other));
    return put_newline(s, part, (size_t)node->whole.from);
}

static Err include_pattern(Assembler *s, uint32_t part, const KdlNode *node, Str path)
{
    Location at = node->entries->value.location;
    size_t cut = path_directory_len(path);
    Str directory = cut > 0 ? str_take(path, cut) : S("./");
    Str *names = NULL;
    size_t count = 0;
    uint64_t mark = 0;
    if (path_has_wildcard(directory)) {
        return refuse_node(s, part, node, at, S("include each directory by a line of its own"),
                      "only the last part of the path may have `*` or `?`");
    }
    Err err = s->files && s->files->list ? s->files->list(s->files->context, s->arena, directory,
                                                          &names, &count, &mark)
                                         : ERR_MISSING;
    if (err == ERR_MEMORY) {
        return ERR_MEMORY;
    }
    TRY(watch_path(s, (WatchedPath){.path = directory, .mark = mark}));
    if (err != ERR_OK) {
        return refuse_node(s, part, node, at, STR_NONE, "cannot look for files in %.*s: %s",
                      STR_ARG(directory), err_sentence(err));
    }
    count = path_pattern_select(names, count, str_drop(path, cut));
    for (size_t i = 0; i < count && !s->full; i++) {
        Str one;
        TRY(path_join(s->arena, str_take(path, cut), names[i], &one));
        TRY(include_file(s, part, node, one, true));
    }
    return ERR_OK;
}

static Err walk_include(Assembler *s, uint32_t part, const KdlNode *node)
{
    const KdlEntry *argument = only_argument(node);
    if (!argument || node->has_children) {
        return refuse_node(s, part, node, node->name_at,
                      S("write include \"FILE\" or include \"DIRECTORY/*.kdl\""),
                      "`include` takes one path");
    }
    Str path = argument->value.text;
    Str own = s->parts[part].file.name;
    if (path.len > PATH_BYTES_MAX || str_find(path, 0, 0) < path.len) {
        return refuse_node(s, part, node, argument->value.location, STR_NONE, "this is not a path");
    }
    if (str_at(path, 0) != '/') {
        TRY(path_join(s->arena, str_take(own, path_directory_len(own)), path, &path));
    }
    return path_has_wildcard(path) ? include_pattern(s, part, node, path)
                              : include_file(s, part, node, path, false);
}

/* ---- snippets ---- */

static Err walk_define(Assembler *s, uint32_t part, const KdlNode *node, bool top)
{
    const KdlEntry *e = node->entries;
    bool formed = e && !e->next && !e->is_property && node->has_children;
    if (!formed || e->value.kind != KDL_STRING || e->value.text.len == 0) {
        return refuse_node(s, part, node, node->name_at, S("write define \"NAME\" { … }"),
                      "`define` takes a name and a block");
    }
    if (!top) {
        return refuse_node(s, part, node, node->name_at, S("move it before the first section"),
                      "snippets are defined at the top level");
    }
    uint32_t place = 0;
    if (str_map_find(&s->snippet_names, 0, e->value.text, &place)) {
        return refuse_node(s, part, node, e->value.location, STR_NONE,
                      "the snippet `%.*s` is defined already",
                      STR_ARG(str_take(e->value.text, 80)));
    }
    s->snippets =
        (Snippet *)grow_list(s->arena, s->snippets, &s->snippet_list, sizeof *s->snippets);
    if (!s->snippets) {
        return ERR_MEMORY;
    }
    place = (uint32_t)s->snippet_list.count++;
    s->snippets[place] = (Snippet){.part = part, .name = e->value.text, .node = node};
    return str_map_put(s->arena, &s->snippet_names, 0, e->value.text, place);
}

static Err refuse_unknown(Assembler *s, uint32_t part, const KdlNode *node, const KdlEntry *e)
{
    uint8_t room[HELP_BYTES_MAX];
    Text help = text_in(span_of(room, sizeof room));
    Nearest near = nearest_to(e->value.text);
    for (size_t i = 0; i < s->snippet_list.count && i < NEAR_NAMES_MAX; i++) {
        nearest_offer(&near, s->snippets[i].name);
    }
    if (near.found.len > 0) {
        text_format(&help, "did you mean `%.*s`?", STR_ARG(near.found));
    } else {
        text_add(&help, S("define it before this line: define \"NAME\" { … }"));
    }
    return refuse_node(s, part, node, e->value.location, text_str(&help),
                  "there is no snippet `%.*s`", STR_ARG(str_take(e->value.text, 80)));
}

static Err walk_use(Assembler *s, uint32_t part, const KdlNode *node)
{
    const KdlEntry *argument = only_argument(node);
    if (!argument || node->has_children) {
        return refuse_node(s, part, node, node->name_at, S("write use \"NAME\""),
                      "`use` takes the name of a snippet");
    }
    uint32_t place = 0;
    if (!str_map_find(&s->snippet_names, 0, argument->value.text, &place)) {
        return refuse_unknown(s, part, node, argument);
    }
    Snippet snippet = s->snippets[place];
    if (snippet.open) {
        return refuse_node(s, part, node, argument->value.location, STR_NONE,
                           "the snippet `%.*s` uses itself",
                           STR_ARG(str_take(snippet.name, 80)));
    }
    const KdlNode *first = snippet.node->children;
    const KdlNode *last = first;
    while (last && last->next) {
        last = last->next;
    }
    if (!first) {
        return ERR_OK;
    }
    size_t cursor = first->whole.from;
    s->snippets[place].open = true;
    TRY(walk_nodes(s, snippet.part, first, false, &cursor));
    s->snippets[place].open = false;
    TRY(put_range(s, snippet.part, cursor, (size_t)last->whole.from + last->whole.len));
    return put_newline(s, part, node->whole.from);
}

static bool is_directive(const KdlNode *node)
{
    return str_equal(node->name, S("include")) || str_equal(node->name, S("define")) ||
           str_equal(node->name, S("use"));
}

static Err walk_directive(Assembler *s, uint32_t part, const KdlNode *node, bool top)
{
    if (s->depth == ASSEMBLE_DEPTH_MAX) {
        return refuse_node(s, part, node, node->name_at, STR_NONE,
                      "more than %u files and snippets are within each other",
                      ASSEMBLE_DEPTH_MAX);
    }
    s->depth++;
    Err err = str_equal(node->name, S("include")) ? walk_include(s, part, node)
              : str_equal(node->name, S("use"))   ? walk_use(s, part, node)
                                                  : walk_define(s, part, node, top);
    s->depth--;
    return err;
}

/* Puts in the text from *cursor up to the last directive among the nodes and below them, with what
 * each stands for instead of it. */
static Err walk_nodes(Assembler *s, uint32_t part, const KdlNode *nodes, bool top, size_t *cursor)
{
    for (const KdlNode *n = nodes; n && !s->full; n = n->next) {
        if (!is_directive(n)) {
            TRY(walk_nodes(s, part, n->children, false, cursor));
            continue;
        }
        TRY(put_range(s, part, *cursor, n->whole.from));
        TRY(put_newline(s, part, n->whole.from));
        TRY(walk_directive(s, part, n, top));
        *cursor = (size_t)n->whole.from + n->whole.len;
    }
    return ERR_OK;
}

/* ---- the result ---- */

static Err index_before(Assembler *s, const Assembly *before)
{
    s->before = before;
    size_t count = before ? before->watched_count : 0;
    TRY(count > 0 ? str_map_open(s->arena, count, &s->known) : ERR_OK);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t any = 0;
        if (!str_map_find(&s->known, 0, before->watched[i].path, &any)) {
            str_map_add(&s->known, 0, before->watched[i].path, i);
        }
    }
    s->before = count > 0 ? before : NULL;
    return ERR_OK;
}

static Err join_segments(Assembler *s, Assembly *ret)
{
    Span room;
    size_t count = s->segment_list.count;
    SourcePiece *pieces = arena_array(s->arena, SourcePiece, count + 1);
    SourceFile *files = arena_array(s->arena, SourceFile, s->part_list.count);
    if (!pieces || !files || !arena_span(s->arena, s->bytes + 1, &room)) {
        return ERR_MEMORY;
    }
    Text text = text_in(room);
    for (size_t i = 0; i < count; i++) {
        pieces[i] = (SourcePiece){.from = (uint32_t)text.len,
                                  .file = s->segments[i].part,
                                  .offset = s->segments[i].offset};
        text_add(&text, s->segments[i].text);
    }
    for (size_t i = 0; i < s->part_list.count; i++) {
        files[i] = s->parts[i].file;
    }
    ret->text = text_str(&text);
    ret->map.file_count = s->part_list.count;
    ret->map.files = files;
    ret->map.piece_count = count;
    ret->map.pieces = pieces;
    ret->watched_count = s->watched_list.count;
    ret->watched = s->watched;
    return ERR_OK;
}

Err assemble(Arena *a, Str name, Str text, const ConfigFiles *files, const Assembly *before,
             Diagnostics *d, Assembly *ret)
{
    Assembler s = {.arena = a, .files = files, .d = d, .version = kdl_marked_version(text)};
    *ret = (Assembly){.text = text};
    if (text.len > CONFIG_TEXT_BYTES_MAX || !may_direct(text)) {
        return ERR_OK;
    }
    uint32_t first = 0;
    TRY(index_before(&s, before));
    TRY(find_part(&s, name, &first));
    s.parts[first].file.text = text;
    s.parts[first].read = true;
    TRY(parse_part(&s, &s.parts[first]));
    if (s.parts[first].mistakes) {
        return ERR_OK; /* reading it will say so */
    }
    TRY(walk_part(&s, first));
    TRY(join_segments(&s, ret));
    d->text = ret->text;
    d->map = &ret->map;
    return s.failed ? ERR_SYNTAX : ERR_OK;
}

Err assembly_copy(Arena *a, const Assembly *from, Assembly *ret)
{
    WatchedPath *watched = arena_array(a, WatchedPath, from->watched_count + 1);
    ValueFile *values = arena_array(a, ValueFile, from->value_count + 1);
    *ret = (Assembly){.watched_count = from->watched_count, .value_count = from->value_count};
    if (!watched || !values || !arena_copy(a, from->text, &ret->text)) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < from->watched_count; i++) {
        watched[i] = from->watched[i];
        if (!arena_copy(a, from->watched[i].path, &watched[i].path) ||
            !arena_copy(a, from->watched[i].text, &watched[i].text)) {
            return ERR_MEMORY;
        }
    }
    for (size_t i = 0; i < from->value_count; i++) {
        if (!arena_copy(a, from->values[i].path, &values[i].path) ||
            !arena_copy(a, from->values[i].text, &values[i].text)) {
            return ERR_MEMORY;
        }
    }
    ret->watched = watched;
    ret->values = values;
    return source_map_copy(a, &from->map, &ret->map);
}
