/* fill_routes.c - `routes`: rules of the router, and what no request can reach. */
#include "config/fill.h"
#include "config/value.h"
#include "http/readings.h"

#define PATH_SHOWN_MAX 200

static RouteMatch match_of(Str word)
{
    return str_equal(word, S("exact"))   ? ROUTE_EXACT
           : str_equal(word, S("regex")) ? ROUTE_REGEX
                                         : ROUTE_PREFIX;
}

static Err fill_methods(Arena *a, Str list, RouteMethods *ret)
{
    Str member;
    size_t count = 0;
    for (Str rest = list; value_list_next(&rest, &member);) {
        count++;
    }
    Str *others = arena_array(a, Str, count + 1);
    if (!others) {
        return ERR_MEMORY;
    }
    *ret = (RouteMethods){.any = count == 0};
    for (Str rest = list; value_list_next(&rest, &member);) {
        Method known = method_from(member);
        if (known == METHOD_OTHER) {
            others[ret->other_count] = member;
            ret->other_count++;
        } else {
            ret->known |= 1u << known;
        }
    }
    ret->others = others;
    return ERR_OK;
}

/* Requests are compared in their normal form: a path that has another one is never met. */
static Err check_normal(Filler *f, const NormalizationSettings *n, Str path, Location at)
{
    UriRules rules = {.dot_segments = n->dot_segments,
                      .duplicate_slashes = n->duplicate_slashes,
                      .encoded_separators = n->encoded_separators,
                      .control_characters = n->control_characters,
                      .percent_encoding = n->percent_encoding,
                      .matrix = n->matrix};
    Span room;
    if (!arena_span(f->arena, path.len, &room)) {
        return ERR_MEMORY;
    }
    Text normal = text_in(room);
    if (uri_normalize(path, &rules, &normal) != ERR_OK) {
        check_report(f->checker, SEVERITY_ERROR, where_at(at), STR_NONE,
                     "`normalization` refuses every request with such a path");
    } else if (!str_equal(text_str(&normal), path)) {
        uint8_t help_room[PATH_SHOWN_MAX + 16];
        Text help = text_in(span_of(help_room, sizeof help_room));
        text_format(&help, "write \"%.*s\"", STR_ARG(str_take(text_str(&normal), PATH_SHOWN_MAX)));
        check_report(f->checker, SEVERITY_ERROR, where_at(at), text_str(&help),
                     "no request's path has this form once it is normalised");
    }
    return ERR_OK;
}

static bool compares_readings(const NormalizationSettings *service, const RouteSettings *list,
                              size_t count)
{
    bool any = service->ambiguous_paths;
    for (size_t i = 0; !any && i < count; i++) {
        any = list[i].normalization != NULL;
    }
    return any;
}

/* A path with several readings is the path of no request that all of them lead here. */
static Err check_readings(Filler *f, Str path, Location at)
{
    Readings all;
    Span room;
    if (readings_is_one(path)) {
        return ERR_OK;
    }
    if (!arena_span(f->arena, READINGS_MAX * 4 * path.len, &room)) {
        return ERR_MEMORY;
    }
    uint8_t help_room[PATH_SHOWN_MAX + 16];
    Text help = text_in(span_of(help_room, sizeof help_room));
    ReadingsVerdict verdict = readings_find(path, room, &all);
    if (verdict == READINGS_FOUND && all.count == 1) {
        return ERR_OK;
    }
    if (verdict == READINGS_FOUND) {
        text_format(&help, "write \"%.*s\"",
                    STR_ARG(str_take(all.list[all.shortest], PATH_SHOWN_MAX)));
    }
    check_report(f->checker, SEVERITY_ERROR, where_at(at), text_str(&help),
                 "no request reaches this route: servers may read its path as another one, and "
                 "`normalization` refuses such paths here");
    return ERR_OK;
}

static Err check_all_readings(Filler *f, Section routes)
{
    for (const KdlNode *n = routes.node->children; n; n = n->next) {
        Section one = {.schema = schema_child(routes.schema, n->name), .node = n};
        bool is_route = str_equal(n->name, S("route"));
        if (is_route && match_of(option_text(section_property(one, S("match")))) != ROUTE_REGEX) {
            const KdlEntry *path = node_argument(n);
            TRY(check_readings(f, path->value.text, path->value.location));
        }
    }
    return ERR_OK;
}

/* Whether `a` takes every method that `b` takes. */
static bool methods_cover(const RouteMethods *a, const RouteMethods *b)
{
    if (a->any || b->any) {
        return a->any;
    }
    bool covered = (b->known & ~a->known) == 0;
    for (size_t i = 0; covered && i < b->other_count; i++) {
        covered = false;
        for (size_t k = 0; k < a->other_count; k++) {
            covered = covered || str_equal(a->others[k], b->others[i]);
        }
    }
    return covered;
}

/* The routes of equal path and match so far, each with the one before it. */
typedef struct Earlier {
    StrMap last;
    uint32_t *before; /* one more than its index; 0: none */
    uint32_t *newest; /* by the number in `last` */
    uint32_t paths;
} Earlier;

/* A route after another one of the same path that takes all its methods is never reached. */
static void check_hidden(Filler *f, Earlier *e, const RouteSettings *list, uint32_t i,
                         const KdlNode *node)
{
    const RouteSettings *route = &list[i];
    uint32_t path = 0;
    if (!str_map_find(&e->last, route->match, route->path, &path)) {
        path = e->paths++;
        str_map_add(&e->last, route->match, route->path, path);
    }
    for (uint32_t k = e->newest[path]; k > 0; k = e->before[k - 1]) {
        if (methods_cover(&list[k - 1].methods, &route->methods)) {
            check_report(f->checker, SEVERITY_ERROR,
                         where_at(node_argument(node)->value.location),
                         S("remove it, or give both of them `methods`"),
                         "a route before this one takes all of its requests");
            break;
        }
    }
    e->before[i] = e->newest[path];
    e->newest[path] = i + 1;
}

static Err earlier_open(Arena *a, size_t count, Earlier *ret)
{
    *ret = (Earlier){.before = arena_array(a, uint32_t, count + 1),
                     .newest = arena_array(a, uint32_t, count + 1)};
    return ret->before && ret->newest ? str_map_open(a, count, &ret->last) : ERR_MEMORY;
}

static Err fill_route(Filler *f, Section one, const ServiceSettings *service, RouteSettings *ret)
{
    const NormalizationSettings *n = &service->normalization;
    const KdlEntry *path = node_argument(one.node);
    ret->match = match_of(option_text(section_property(one, S("match"))));
    ret->path = path->value.text;
    TRY(fill_methods(f->arena, option_text(section_property(one, S("methods"))), &ret->methods));
    Section own = section_child(one, S("normalization"));
    if (own.node) {
        NormalizationSettings *mine = arena_new(f->arena, NormalizationSettings);
        if (!mine) {
            return ERR_MEMORY;
        }
        *mine = fill_route_normalization(own, n);
        ret->normalization = mine;
        n = mine;
    }
    if (ret->match != ROUTE_REGEX) {
        TRY(check_normal(f, n, ret->path, path->value.location));
    }
    TRY(fill_route_own(f, one, service, &ret->own));
    return fill_action(f, one, ret->path, ret->match == ROUTE_PREFIX, &ret->action);
}

/* Together the expressions may be too large, though each alone was not. */
static Err check_patterns(Filler *f, Section routes, const RouteSettings *list, size_t count)
{
    size_t regexes = 0;
    Str *texts = arena_array(f->arena, Str, count + 1);
    if (!texts) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        if (list[i].match == ROUTE_REGEX) {
            texts[regexes++] = list[i].path;
        }
    }
    if (regexes > PATTERN_SET_MAX) {
        check_report(f->checker, SEVERITY_ERROR, where_at(routes.node->name_at), STR_NONE,
                     "a service has at most %u routes with match=\"regex\"", PATTERN_SET_MAX);
        return ERR_OK;
    }
    PatternSet *set = regexes ? pattern_set_open(texts, regexes) : NULL;
    if (regexes && !set) {
        check_report(f->checker, SEVERITY_ERROR, where_at(routes.node->name_at), STR_NONE,
                     "the regular expressions of these routes become too large together");
    }
    pattern_set_close(set);
    return ERR_OK;
}

Err fill_routes(Filler *f, Section routes, ServiceSettings *ret)
{
    Earlier earlier;
    size_t room = fill_count(routes.node);
    RouteSettings *list = arena_array(f->arena, RouteSettings, room);
    if (!list) {
        return ERR_MEMORY;
    }
    TRY(earlier_open(f->arena, room, &earlier));
    size_t count = 0;
    for (const KdlNode *n = routes.node->children; n; n = n->next) {
        Section one = {.schema = schema_child(routes.schema, n->name), .node = n};
        if (str_equal(n->name, S("route"))) {
            TRY(fill_route(f, one, ret, &list[count]));
            check_hidden(f, &earlier, list, (uint32_t)count, n);
            count++;
        }
    }
    if (compares_readings(&ret->normalization, list, count)) {
        TRY(check_all_readings(f, routes));
    }
    Section none = section_child(routes, S("no-route"));
    ret->route_count = count;
    ret->routes = list;
    ret->no_route = (RespondSettings){
        .status = (uint16_t)option_number(section_property(none, S("status"))),
        .body = option_text(section_property(none, S("body")))};
    return check_patterns(f, routes, list, count);
}
