/* rewrite.c - see rewrite.h. */
#include "proxy/rewrite.h"

#include "proxy/worker.h"

/* Whether a path is this prefix, or is below it. The prefix has no slash at its end. */
static bool is_below(Str path, Str prefix)
{
    return str_starts(path, prefix) &&
           (path.len == prefix.len || str_at(path, prefix.len) == '/');
}

/* --- requests -------------------------------------------------------------------------------- */

static Step refuse_ambiguous(Exchange *x)
{
    x->own.refusal = &x->service->normalization.refusal;
    return FAIL(FAULT_PATH_AMBIGUOUS);
}

/* Whether one of these readings is `off` and then `rest`. */
static bool was_judged(const Readings *judged, Str off, Str rest)
{
    for (size_t i = 0; i < judged->count; i++) {
        Str reading = judged->list[i];
        if (str_starts(reading, off) && str_equal(str_drop(reading, off.len), rest)) {
            return true;
        }
    }
    return false;
}

/* Whether each reading of the origin's path is the image of a reading of the client's. */
static bool means_the_same(Thread *t, const Rewrite *w, Str theirs, Str ours)
{
    Readings judged;
    Readings sent;
    size_t half = t->output.len / 2;
    if (readings_find(theirs, span_take(t->output, half), &judged) != READINGS_FOUND ||
        readings_find(ours, span_drop(t->output, half), &sent) != READINGS_FOUND) {
        return false;
    }
    for (size_t i = 0; i < sent.count; i++) {
        if (!is_below(sent.list[i], w->on) ||
            !was_judged(&judged, w->off, str_drop(sent.list[i], w->on.len))) {
            return false;
        }
    }
    return true;
}

Step rewrite_request(Thread *t, Exchange *x)
{
    const Rewrite *w = x->route->rewrite;
    Str path = x->request.head.path;
    Span room;
    if (w->path.len > 0) {
        x->request.origin_path = w->path;
        return NEXT;
    }
    if (str_peek(path, 0) != '/') { /* OPTIONS * has no path */
        return NEXT;
    }
    bool plain = readings_is_one(path);
    if (!is_below(path, w->off)) {
        x->own.refusal = plain ? x->service->no_route : NULL;
        return plain ? FAIL(FAULT_NO_ROUTE) : refuse_ambiguous(x);
    }
    Str rest = str_drop(path, w->off.len);
    if (!arena_span(&x->arena, w->on.len + rest.len + 1, &room)) {
        return FAIL(FAULT_MEMORY);
    }
    Text ours = text_in(room);
    text_add(&ours, w->on);
    text_add(&ours, rest);
    if (ours.len == 0) {
        text_byte(&ours, '/');
    }
    if (!plain && !means_the_same(t, w, path, text_str(&ours))) {
        return refuse_ambiguous(x);
    }
    x->request.origin_path = text_str(&ours);
    return NEXT;
}

/* --- responses ------------------------------------------------------------------------------- */

/* A reference that begins with a slash: its path, and its query and fragment. */
static StrCut split_path(Str reference)
{
    size_t end = 0;
    while (end < reference.len && str_at(reference, end) != '?' && str_at(reference, end) != '#') {
        end++;
    }
    return (StrCut){.head = str_take(reference, end), .tail = str_drop(reference, end)};
}

/* Writes the client's path for the origin's. False: this path is not one of those that are mapped,
 * or its image would name a host ("//x"); what was written is then to be dropped. */
static bool map_path(const Rewrite *w, Str path, Text *out)
{
    size_t from = out->len;
    if (!is_below(path, w->on)) {
        return false;
    }
    text_add(out, w->off);
    text_add(out, str_drop(path, w->on.len));
    if (out->len == from) {
        text_byte(out, '/');
    }
    int second = str_peek(text_str(out), from + 1);
    return second != '/' && second != '\\';
}

/* Whether two authorities name the same host and port. `standard` is the scheme's own port. */
static bool same_authority(Str a, Str b, Str standard)
{
    a = str_ends(a, standard) ? str_take(a, a.len - standard.len) : a;
    b = str_ends(b, standard) ? str_take(b, b.len - standard.len) : b;
    return a.len > 0 && str_equal_nocase(a, b);
}

/* The origin's own host is dropped from a URI, the public one stays. */
typedef enum UriHost { HOST_PUBLIC, HOST_ORIGIN, HOST_FOREIGN } UriHost;

static UriHost host_of(const Exchange *x, Str authority, Str standard)
{
    if (same_authority(authority, x->request.head.host, standard)) {
        return HOST_PUBLIC;
    }
    return same_authority(authority, x->service->host, standard) ||
                   same_authority(authority, x->try.endpoint->name, standard)
               ? HOST_ORIGIN
               : HOST_FOREIGN;
}

/* Cuts "http://host" or "//host" off a URI. False: it does not begin like that. */
static bool cut_host(const Exchange *x, Str uri, Str *ret_start, Str *ret_rest, UriHost *ret_host)
{
    Str standard = S(":80");
    size_t from = 2;
    if (str_starts_nocase(uri, S("http://"))) {
        from = 7;
    } else if (str_starts_nocase(uri, S("https://"))) {
        from = 8;
        standard = S(":443");
    } else if (!str_starts(uri, S("//"))) {
        return false;
    }
    size_t end = from;
    while (end < uri.len && str_find(S("/?#\\"), str_at(uri, end), 0) == 4) {
        end++;
    }
    *ret_start = str_take(uri, end);
    *ret_rest = str_drop(uri, end);
    *ret_host = host_of(x, str_slice(uri, from, end), standard);
    return true;
}

static Err map_reference(Exchange *x, Str *uri)
{
    const Rewrite *w = x->route->rewrite;
    Str start = STR_NONE;
    Str rest = *uri;
    UriHost host = HOST_PUBLIC;
    Span room;
    bool absolute = cut_host(x, *uri, &start, &rest, &host);
    StrCut parts = split_path(rest);
    if (host == HOST_FOREIGN || (!absolute && parts.head.len == 0)) {
        return ERR_OK;
    }
    Str path = absolute && parts.head.len == 0 ? S("/") : parts.head;
    if (str_at(path, 0) != '/') {
        return ERR_OK; /* relative to the request's path, which is mapped already */
    }
    if (!arena_span(&x->arena, uri->len + w->off.len + 2, &room)) {
        return ERR_MEMORY;
    }
    Text out = text_in(room);
    text_add(&out, host == HOST_PUBLIC ? start : STR_NONE);
    if (map_path(w, path, &out)) {
        text_add(&out, parts.tail);
        *uri = text_str(&out);
    }
    return ERR_OK;
}

/* The value of an attribute "Path=" without white space around it; false: it is another one. */
static bool is_path(Str attribute, Str *ret_path)
{
    StrCut cut = str_cut(attribute, '=');
    *ret_path = str_trim(cut.tail);
    return str_equal_nocase(str_trim(cut.head), S("path")) && str_peek(*ret_path, 0) == '/';
}

/* A cookie's path covers what is below it: "/" becomes "/app", which covers "/app/" as well. */
static void map_cookie_path(const Rewrite *w, Str path, Text *out)
{
    size_t from = out->len;
    if (!map_path(w, path, out)) {
        out->len = from;
        text_add(out, path);
    } else if (out->len == from + w->off.len + 1 && str_at(text_str(out), out->len - 1) == '/' &&
               w->off.len > 0) {
        out->len--;
    }
}

/* RFC 6265 §5.2. A cookie whose name begins with "__Host-" has no other path than "/". */
static Err map_cookie(Exchange *x, Str *cookie)
{
    const Rewrite *w = x->route->rewrite;
    StrCut cut = str_cut(*cookie, ';');
    Span room;
    Str path;
    size_t members = 1;
    for (size_t i = 0; i < cookie->len; i++) {
        members += str_at(*cookie, i) == ';';
    }
    if (members == 1 || str_starts_nocase(*cookie, S("__Host-"))) {
        return ERR_OK;
    }
    if (!arena_span(&x->arena, cookie->len + members * (w->off.len + 1), &room)) {
        return ERR_MEMORY;
    }
    Text out = text_in(room);
    text_add(&out, cut.head);
    while (cut.found) {
        cut = str_cut(cut.tail, ';');
        text_byte(&out, ';');
        if (is_path(cut.head, &path)) {
            text_add(&out, S(" Path="));
            map_cookie_path(w, path, &out);
        } else {
            text_add(&out, cut.head);
        }
    }
    CHECK(!out.overflow);
    *cookie = text_str(&out);
    return ERR_OK;
}

bool rewrite_response(Exchange *x)
{
    Fields *fields = &x->try.response.fields;
    for (size_t i = 0; x->route->rewrite->answers && i < fields->count; i++) {
        Field *f = &fields->at[i];
        Err err = ERR_OK;
        if (f->id == FIELD_SET_COOKIE) {
            err = map_cookie(x, &f->value);
        } else if (f->id == FIELD_OTHER && (str_equal_nocase(f->name, S("location")) ||
                                            str_equal_nocase(f->name, S("content-location")))) {
            err = map_reference(x, &f->value);
        }
        if (err != ERR_OK) {
            return false;
        }
    }
    return true;
}
