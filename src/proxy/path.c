/* path.c - see path.h. */
#include "proxy/path.h"

static bool fields_are_ascii(const Fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        Str value = fields->at[i].value;
        for (size_t k = 0; k < value.len; k++) {
            if (value.at[k] >= 0x80) {
                return false;
            }
        }
    }
    return true;
}

/* --- one form of it -------------------------------------------------------------------------- */

static Fault refused_by(UriRule rule)
{
    switch (rule) {
    case URI_DOT_SEGMENTS:
        return FAULT_DOT_SEGMENTS;
    case URI_ENCODED_SEPARATORS:
        return FAULT_ENCODED_SEPARATORS;
    case URI_CONTROL_CHARACTERS:
        return FAULT_CONTROL_CHARACTERS;
    case URI_PERCENT_ENCODING:
        return FAULT_PERCENT_ENCODING;
    case URI_MATRIX_PARAMETERS:
        return FAULT_MATRIX_PARAMETERS;
    }
    return FAULT_DOT_SEGMENTS;
}

static Step refuse_path(Exchange *x, const Normalization *n, Fault fault)
{
    x->own.refusal = &n->refusal;
    return FAIL(fault);
}

static Step normalize_path(Exchange *x, const Normalization *n, const UriRules *rules)
{
    Str written = x->request.head.path;
    Span room;
    if (!arena_span(&x->arena, written.len, &room)) {
        return FAIL(FAULT_MEMORY);
    }
    Text path = text_in(room);
    if (uri_normalize(written, rules, &path) != ERR_OK) {
        return refuse_path(x, n, refused_by(uri_refusing_rule(written, rules, room)));
    }
    x->request.head.path = text_str(&path);
    return NEXT;
}

Step path_normalize(Exchange *x, const Normalization *n)
{
    return normalize_path(x, n, &n->rules);
}

/* --- all of its readings --------------------------------------------------------------------- */

static const Route *route_of(Exchange *x, Str reading)
{
    const Service *s = x->service;
    RequestHead *head = &x->request.head;
    Str path = head->path;
    head->path = reading;
    const Route *route = s->router ? router_find(s->router, head) : &s->route;
    head->path = path;
    return route;
}

/* The rules that hold for what this route takes. */
static const Normalization *rules_of(const Exchange *x, const Route *route)
{
    return route && route->normalization ? route->normalization : &x->service->normalization;
}

static Fault fault_of_readings(ReadingsVerdict verdict)
{
    switch (verdict) {
    case READINGS_SEPARATOR:
        return FAULT_ENCODED_SEPARATORS;
    case READINGS_CONTROL:
        return FAULT_CONTROL_CHARACTERS;
    case READINGS_ESCAPE:
        return FAULT_PERCENT_ENCODING;
    case READINGS_ENDLESS:
        return FAULT_PATH_AMBIGUOUS;
    case READINGS_FOUND:
        break;
    }
    return FAULT_NONE;
}

/* A copy for the filters, in the exchange's memory. */
static bool keep_readings(Exchange *x, const Readings *found)
{
    Readings *kept = arena_new(&x->arena, Readings);
    if (!kept) {
        return false;
    }
    *kept = (Readings){.count = found->count, .shortest = found->shortest};
    for (size_t i = 0; i < found->count; i++) {
        Span room;
        if (!arena_span(&x->arena, found->list[i].len, &room)) {
            return false;
        }
        span_copy(room, found->list[i]);
        kept->list[i] = span_str(room);
    }
    x->request.readings = kept;
    return true;
}

/* What the route's origin gets. River's own answers take the one form in which a path names a
 * file, whatever the rules are; an encoded slash stays, for no file has it. */
static Step spell_for(Exchange *x, const Route *route)
{
    static const UriRules own = {.dot_segments = true,
                                 .duplicate_slashes = true,
                                 .control_characters = true,
                                 .percent_encoding = true};
    const Normalization *n = rules_of(x, route);
    if (n->paths) {
        Step step = normalize_path(x, n, &n->rules);
        if (step.kind != STEP_NEXT) {
            return step;
        }
    }
    return route && route->handler.kind ? normalize_path(x, n, &own) : NEXT;
}

/* For when readings lead to different routes. If none of those has rules of its own, they do as
 * they would without all this: the path is normalised, and that form is compared and sent. */
static Step choose_by_form(Exchange *x, bool own_rules)
{
    const Normalization *n = &x->service->normalization;
    if (own_rules || n->ambiguous) {
        return refuse_path(x, n, FAULT_PATH_AMBIGUOUS);
    }
    return n->paths ? path_normalize(x, n) : NEXT;
}

static Step read_path(Thread *t, Exchange *x)
{
    Readings found;
    ReadingsVerdict verdict = readings_find(x->request.head.path, t->output, &found);
    if (verdict != READINGS_FOUND) {
        return refuse_path(x, &x->service->normalization, fault_of_readings(verdict));
    }
    const Route *route = route_of(x, found.list[0]);
    bool same = true;
    bool own_rules = false;
    for (size_t i = 0; i < found.count; i++) {
        const Route *other = route_of(x, found.list[i]);
        same = same && other == route;
        own_rules = own_rules || (other && other->normalization);
    }
    if (!same) {
        return choose_by_form(x, own_rules);
    }
    if ((own_rules || x->service->normalization.ambiguous) && !keep_readings(x, &found)) {
        return FAIL(FAULT_MEMORY);
    }
    Step step = spell_for(x, route);
    x->route = route;
    return step.kind == STEP_NEXT ? GOTO(ASK) : step;
}

Step path_screen(Thread *t, Exchange *x)
{
    const Normalization *n = &x->service->normalization;
    if (n->non_ascii && !fields_are_ascii(&x->request.head.fields)) {
        return refuse_path(x, n, FAULT_HEADER_NON_ASCII);
    }
    if (readings_is_one(x->request.head.path)) {
        return NEXT;
    }
    if (n->reads) {
        return read_path(t, x);
    }
    return n->paths ? path_normalize(x, n) : NEXT;
}
