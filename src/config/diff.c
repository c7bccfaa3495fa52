/* diff.c - two configurations side by side: services by their names, listeners by their addresses,
 * and of what has changed in a service the sections. */
#include "config/diff.h"

#include "base/number.h"
#include "base/str_map.h"
#include "config/check.h"

#define LINE_BYTES_MAX 400u
#define NAME_SHOWN_MAX 100u

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

/* The section of a service as a tree; NULL where its text cannot be read alone. */
static const KdlNode *tree_of(Arena *a, const ServiceSettings *s)
{
    KdlDocument document = {0};
    Diagnostics *d = arena_new(a, Diagnostics);
    if (!d) {
        return NULL;
    }
    diagnostics_init(d, a, S("service"), s->source);
    Err err = kdl_parse(a, s->source, 0, d, &document);
    return err == ERR_OK && document.nodes ? document.nodes->children : NULL;
}

static Str text_of(const ServiceSettings *s, const KdlNode *node)
{
    Location at = node->whole;
    return str_slice(s->source, at.from, at.from + at.len);
}

static void name_section(Differ *d, Str name, size_t *count)
{
    text_add(&d->out, *count == 0 ? S(": ") : S(", "));
    text_add(&d->out, str_take(name, NAME_SHOWN_MAX));
    (*count)++;
}

/* Names the sections that are not the same in both. */
static void name_sections(Differ *d, const ServiceSettings *was, const ServiceSettings *is)
{
    const KdlNode *before = tree_of(d->arena, was);
    const KdlNode *after = tree_of(d->arena, is);
    size_t count = 0;
    for (const KdlNode *n = after; n && before; n = n->next) {
        const KdlNode *other = node_find(before, n->name);
        if (!other || !str_equal(text_of(was, other), text_of(is, n))) {
            name_section(d, n->name, &count);
        }
    }
    for (const KdlNode *n = before; n && after; n = n->next) {
        if (!node_find(after, n->name)) {
            name_section(d, n->name, &count);
        }
    }
    if (count == 0 && str_equal(was->source, is->source)) {
        text_add(&d->out, S(": a file that it names"));
    }
}

static void compare_service(Differ *d, const ServiceSettings *was, const ServiceSettings *is)
{
    if (was == is || fingerprint_equal(&was->identity, &is->identity)) {
        return;
    }
    d->diff->services_changed++;
    if (begin_line(d, '~', "service", is->name)) {
        name_sections(d, was, is);
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
        write_line(&d, '~', "system", STR_NONE);
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
