/* diff.c - two configurations side by side: services by their names, listeners by their addresses,
 * and of what has changed in a service the options. */
#include "config/diff.h"

#include "base/number.h"
#include "base/str_map.h"
#include "config/check.h"

#define LINE_BYTES_MAX 1600u
#define NAME_SHOWN_MAX 60u
#define PATH_BYTES_MAX 100u
#define NAMES_MAX 6u
#define WIDE 100u /* a section with more nodes is named as a whole: looking names up is quadratic */

typedef struct Differ {
    Arena *arena;
    const Settings *old;
    const Settings *fresh;
    Text out;
    size_t lines;
    ConfigDiff *diff;
} Differ;

/* Begins a line, while there is room for it. */
static bool begin_line(Differ *d, char sign, const char *what, Str name)
{
    d->lines++;
    if (d->lines > DIFF_LINES_MAX) {
        return false;
    }
    text_format(&d->out, "%c %s%s%.*s", sign, what, name.len > 0 ? " " : "",
                STR_ARG(str_take(name, NAME_SHOWN_MAX)));
    return true;
}

static void write_line(Differ *d, char sign, const char *what, Str name)
{
    if (begin_line(d, sign, what, name)) {
        text_byte(&d->out, '\n');
    }
}

/* ---- services ---- */

/* A node's text, read alone; NULL where that cannot be. */
static const KdlNode *tree_of(Arena *a, Str source)
{
    KdlDocument document = {0};
    Diagnostics *d = arena_new(a, Diagnostics);
    if (!d) {
        return NULL;
    }
    diagnostics_init(d, a, S("source"), source);
    Err err = kdl_parse(a, source, 0, d, &document);
    return err == ERR_OK ? document.nodes : NULL;
}

/* The names of what is not the same, on one line. */
typedef struct Naming {
    Differ *differ;
    Str was; /* the texts to which the trees belong */
    Str is;
    size_t count;
    uint8_t path[PATH_BYTES_MAX]; /* of the section that is compared, with a slash at its end */
    size_t path_len;
} Naming;

static void name_option(Naming *n, Str sign, Str name, Str property)
{
    Text *out = &n->differ->out;
    n->count++;
    if (n->count > NAMES_MAX) {
        text_add(out, n->count == NAMES_MAX + 1 ? S(", …") : STR_NONE);
        return;
    }
    text_add(out, n->count == 1 ? S(": ") : S(", "));
    text_add(out, sign);
    text_add(out, str_of(n->path, n->path_len));
    text_add(out, str_take(name, NAME_SHOWN_MAX));
    text_add(out, property.len > 0 ? S(" ") : STR_NONE);
    text_add(out, str_take(property, NAME_SHOWN_MAX));
}

static Str text_in_source(Str source, const KdlNode *node)
{
    return str_slice(source, node->whole.from, (size_t)node->whole.from + node->whole.len);
}

static size_t count_named(const KdlNode *nodes, Str name)
{
    size_t count = 0;
    for (const KdlNode *n = nodes; n; n = n->next) {
        count += str_equal(n->name, name) ? 1 : 0;
    }
    return count;
}

/* Whether all nodes of that name have the same texts, in the same order. */
static bool named_equal(const Naming *n, const KdlNode *before, const KdlNode *after, Str name)
{
    const KdlNode *was = node_find(before, name);
    const KdlNode *is = node_find(after, name);
    while (was && is) {
        Str one = str_trim(text_in_source(n->was, was));
        Str other = str_trim(text_in_source(n->is, is));
        if (!str_equal(one, other)) {
            return false;
        }
        was = node_find(was->next, name);
        is = node_find(is->next, name);
    }
    return was == is;
}

static bool value_equal(const KdlValue *a, const KdlValue *b)
{
    return a->kind == b->kind && a->truth == b->truth && str_equal(a->text, b->text);
}

/* Names the properties that differ; whether arguments do. */
static bool name_entries(Naming *n, const KdlNode *was, const KdlNode *is)
{
    const KdlEntry *old = node_argument(was);
    const KdlEntry *fresh = node_argument(is);
    while (old && fresh && value_equal(&old->value, &fresh->value)) {
        old = argument_next(old);
        fresh = argument_next(fresh);
    }
    for (const KdlEntry *e = is->entries; e; e = e->next) {
        const KdlEntry *other = node_property(was, e->name);
        bool counts = e->is_property && !e->overridden;
        if (counts && (!other || !value_equal(&other->value, &e->value))) {
            name_option(n, other ? STR_NONE : S("+"), is->name, e->name);
        }
    }
    for (const KdlEntry *e = was->entries; e; e = e->next) {
        if (e->is_property && !e->overridden && !node_property(is, e->name)) {
            name_option(n, S("-"), is->name, e->name);
        }
    }
    return old || fresh;
}

static bool is_wide(const KdlNode *nodes)
{
    size_t count = 0;
    for (const KdlNode *n = nodes; n && count <= WIDE; n = n->next) {
        count++;
    }
    return count > WIDE;
}

static void name_nodes(Naming *n, const KdlNode *before, const KdlNode *after);

/* One node that is in both, and has another text. */
static void name_node(Naming *n, const KdlNode *was, const KdlNode *is)
{
    size_t before = n->path_len;
    bool wide = is_wide(was->children) || is_wide(is->children);
    if (name_entries(n, was, is) || wide) {
        name_option(n, STR_NONE, is->name, STR_NONE);
    }
    if (wide) {
        return;
    }
    Text path = text_in(span_of(n->path, sizeof n->path));
    path.len = n->path_len;
    text_add(&path, str_take(is->name, NAME_SHOWN_MAX));
    text_byte(&path, '/');
    if (!path.overflow) {
        n->path_len = path.len;
        name_nodes(n, was->children, is->children);
        n->path_len = before;
    }
}

/* Names the options that are not the same in both. Of several with one name, the name. */
static void name_nodes(Naming *n, const KdlNode *before, const KdlNode *after)
{
    for (const KdlNode *is = after; is; is = is->next) {
        const KdlNode *was = node_find(before, is->name);
        bool first = node_find(after, is->name) == is;
        if (!first || (was && named_equal(n, before, after, is->name))) {
            continue;
        }
        if (!was) {
            name_option(n, S("+"), is->name, STR_NONE);
        } else if (count_named(before, is->name) + count_named(after, is->name) > 2) {
            name_option(n, STR_NONE, is->name, STR_NONE);
        } else {
            name_node(n, was, is);
        }
    }
    for (const KdlNode *was = before; was; was = was->next) {
        if (!node_find(after, was->name) && node_find(before, was->name) == was) {
            name_option(n, S("-"), was->name, STR_NONE);
        }
    }
}

/* The same for a section, whose texts these are; and what has changed if no option has. */
static void name_changes(Differ *d, Str was, Str is)
{
    Naming n = {.differ = d, .was = was, .is = is};
    const KdlNode *before = tree_of(d->arena, was);
    const KdlNode *after = tree_of(d->arena, is);
    if (before && after) {
        name_nodes(&n, before->children, after->children);
    }
    if (n.count == 0 && str_equal(was, is)) {
        text_add(&d->out, S(": a file that it names"));
    } else if (n.count == 0 && before && after) {
        bool values = str_search(is, S("{file."), 0) < is.len;
        text_add(&d->out, values ? S(": a value from a file") : S(": comments or layout"));
    }
}

static void compare_service(Differ *d, const ServiceSettings *was, const ServiceSettings *is)
{
    if (was == is || fingerprint_equal(&was->identity, &is->identity)) {
        return;
    }
    d->diff->services_changed++;
    if (begin_line(d, '~', "service", is->name)) {
        name_changes(d, was->source, is->source);
        text_byte(&d->out, '\n');
    }
}

static Err index_services(Arena *a, const Settings *s, StrMap *ret)
{
    TRY(str_map_open(a, s->service_count, ret));
    for (uint32_t i = 0; i < s->service_count; i++) {
        str_map_add(ret, 0, s->services[i]->name, i);
    }
    return ERR_OK;
}

/* Whether they are at the same places; then no table is needed to find them. */
static bool services_in_place(const Settings *old, const Settings *fresh)
{
    bool same = old->service_count == fresh->service_count;
    for (size_t i = 0; same && i < old->service_count; i++) {
        const ServiceSettings *was = old->services[i];
        const ServiceSettings *is = fresh->services[i];
        same = was == is || str_equal(was->name, is->name);
    }
    return same;
}

static Err compare_services(Differ *d)
{
    if (services_in_place(d->old, d->fresh)) {
        for (size_t i = 0; i < d->fresh->service_count; i++) {
            compare_service(d, d->old->services[i], d->fresh->services[i]);
        }
        return ERR_OK;
    }
    StrMap before;
    StrMap after;
    uint32_t at = 0;
    TRY(index_services(d->arena, d->old, &before));
    TRY(index_services(d->arena, d->fresh, &after));
    for (size_t i = 0; i < d->fresh->service_count; i++) {
        const ServiceSettings *is = d->fresh->services[i];
        if (str_map_find(&before, 0, is->name, &at)) {
            compare_service(d, d->old->services[at], is);
        } else {
            d->diff->services_changed++;
            write_line(d, '+', "service", is->name);
        }
    }
    for (size_t i = 0; i < d->old->service_count; i++) {
        if (!str_map_find(&after, 0, d->old->services[i]->name, &at)) {
            d->diff->services_changed++;
            write_line(d, '-', "service", d->old->services[i]->name);
        }
    }
    return ERR_OK;
}

/* ---- listeners ---- */

/* Whether a listener speaks with the same options, whatever its certificates hold. */
static bool policy_equal(const ListenerSettings *a, const ListenerSettings *b)
{
    const ListenerTls *s = &a->tls;
    const ListenerTls *t = &b->tls;
    return s->offer_h2 == t->offer_h2 && s->clients == t->clients && a->h2c == b->h2c &&
           a->mode == b->mode && a->proxy_protocol == b->proxy_protocol &&
           (s->pair_count > 0) == (t->pair_count > 0) && str_equal(s->versions, t->versions) &&
           str_equal(s->suites, t->suites) && str_equal(s->groups, t->groups) &&
           s->session_lifetime_s == t->session_lifetime_s &&
           s->refuse_expired_crls == t->refuse_expired_crls &&
           str_equal(s->key_log_path, t->key_log_path);
}

static bool paths_equal(const ListenerTls *a, const ListenerTls *b)
{
    bool equal = a->file_count == b->file_count;
    for (size_t i = 0; equal && i < a->file_count; i++) {
        equal = str_equal(a->files[i].path, b->files[i].path);
    }
    return equal;
}

/* Whether the certificates, and what else there is in files, hold the same bytes. */
static bool files_equal(const ListenerTls *a, const ListenerTls *b)
{
    bool equal = a->file_count == b->file_count;
    for (size_t i = 0; equal && i < a->file_count; i++) {
        equal = fingerprint_equal(&a->files[i].identity, &b->files[i].identity);
    }
    return equal;
}

static bool hosts_equal(const Differ *d, const ListenerSettings *was, const ListenerSettings *is)
{
    bool equal = was->service_count == is->service_count;
    for (size_t i = 0; equal && i < was->service_count; i++) {
        equal = str_equal(d->old->services[was->services[i]]->name,
                          d->fresh->services[is->services[i]]->name);
    }
    return equal;
}

static void compare_listener(Differ *d, const ListenerSettings *was, uint32_t index)
{
    const ListenerSettings *is = &d->fresh->listeners[index];
    const char *what = NULL;
    if (was->tls.pair_count > 0 && is->tls.pair_count > 0 && !files_equal(&was->tls, &is->tls)) {
        d->diff->renewed[d->diff->renewed_count++] = index;
    }
    if (!policy_equal(was, is)) {
        what = "options";
    } else if (!fingerprint_equal(&was->tls.identity, &is->tls.identity)) {
        what = paths_equal(&was->tls, &is->tls) ? "certificate renewed" : "certificates";
    } else if (!hosts_equal(d, was, is)) {
        what = "services";
    }
    if (!what) {
        return;
    }
    d->diff->listeners_changed++;
    if (begin_line(d, '~', "listener", is->address.text)) {
        text_format(&d->out, ": %s\n", what);
    }
}

static Err index_listeners(Arena *a, const Settings *s, StrMap *ret)
{
    TRY(str_map_open(a, s->listener_count, ret));
    for (uint32_t i = 0; i < s->listener_count; i++) {
        str_map_add(ret, 0, s->listeners[i].address.text, i);
    }
    return ERR_OK;
}

static bool listeners_in_place(const Settings *old, const Settings *fresh)
{
    bool same = old->listener_count == fresh->listener_count;
    for (size_t i = 0; same && i < old->listener_count; i++) {
        same = str_equal(old->listeners[i].address.text, fresh->listeners[i].address.text);
    }
    return same;
}

static Err compare_listeners(Differ *d)
{
    if (d->old->listeners == d->fresh->listeners) {
        return ERR_OK;
    }
    d->diff->renewed = arena_array(d->arena, uint32_t, d->fresh->listener_count);
    if (!d->diff->renewed) {
        return ERR_MEMORY;
    }
    if (listeners_in_place(d->old, d->fresh)) {
        for (uint32_t i = 0; i < d->fresh->listener_count; i++) {
            compare_listener(d, &d->old->listeners[i], i);
        }
        return ERR_OK;
    }
    StrMap before;
    StrMap after;
    uint32_t at = 0;
    TRY(index_listeners(d->arena, d->old, &before));
    TRY(index_listeners(d->arena, d->fresh, &after));
    for (uint32_t i = 0; i < d->fresh->listener_count; i++) {
        const ListenerSettings *is = &d->fresh->listeners[i];
        if (str_map_find(&before, 0, is->address.text, &at)) {
            compare_listener(d, &d->old->listeners[at], i);
        } else {
            d->diff->listeners_changed++;
            write_line(d, '+', "listener", is->address.text);
        }
    }
    for (size_t i = 0; i < d->old->listener_count; i++) {
        if (!str_map_find(&after, 0, d->old->listeners[i].address.text, &at)) {
            d->diff->listeners_changed++;
            write_line(d, '-', "listener", d->old->listeners[i].address.text);
        }
    }
    return ERR_OK;
}

Err config_diff(Arena *a, const Settings *old, const Settings *fresh, ConfigDiff *ret)
{
    Span room;
    ConfigDiff diff = {0};
    if (!arena_span(a, (DIFF_LINES_MAX + 2) * LINE_BYTES_MAX, &room)) {
        return ERR_MEMORY;
    }
    Differ d = {.arena = a, .old = old, .fresh = fresh, .out = text_in(room), .diff = &diff};
    if (!str_equal(old->system_source, fresh->system_source)) {
        diff.system_changed = true;
        if (begin_line(&d, '~', "system", STR_NONE)) {
            name_changes(&d, old->system_source, fresh->system_source);
            text_byte(&d.out, '\n');
        }
    }
    TRY(compare_services(&d));
    TRY(compare_listeners(&d));
    if (d.lines > DIFF_LINES_MAX) {
        text_format(&d.out, "... and %zu more\n", d.lines - DIFF_LINES_MAX);
    }
    diff.lines = text_str(&d.out);
    *ret = diff;
    return ERR_OK;
}
