/* router.c - the tree of segments, and look-ups in it. */
#include "proxy/router.h"

#define ROOT 0u

/* --- building -------------------------------------------------------------------------------- */

static size_t count_segments(Str path)
{
    size_t count = 0;
    for (size_t i = 0; i < path.len; i++) {
        count += path.at[i] == '/' ? 1 : 0;
    }
    return count;
}

/* Cuts the next segment off a path that starts with a slash. */
static Str cut_segment(Str *path)
{
    size_t end = str_find(*path, '/', 1);
    Str segment = str_slice(*path, 1, end);
    *path = str_drop(*path, end);
    return segment;
}

/* The node for a path, created if missing. */
static uint32_t node_at(Router *r, Str path)
{
    uint32_t node = ROOT;
    while (path.len > 0) {
        Str segment = cut_segment(&path);
        uint32_t child = 0;
        if (!str_map_find(&r->children, node, segment, &child)) {
            child = (uint32_t)r->node_count++;
            str_map_add(&r->children, node, segment, child);
        }
        node = child;
    }
    return node;
}

/* The list for a rule. A prefix with a trailing slash belongs to the node before that slash. */
static uint32_t *place_of(Router *r, const RouterRule *rule)
{
    Str path = rule->path;
    CHECK(str_peek(path, 0) == '/');
    if (rule->match == ROUTE_EXACT) {
        return &r->nodes[node_at(r, path)].exact;
    }
    if (str_at(path, path.len - 1) == '/') {
        return &r->nodes[node_at(r, str_take(path, path.len - 1))].below;
    }
    return &r->nodes[node_at(r, path)].prefix;
}

/* Each rule is put in front of the others at its place, starting with the last one in the file. */
static void hang_rules(Router *r, uint32_t *next)
{
    for (size_t i = r->rule_count; i > 0; i--) {
        const RouterRule *rule = &r->rules[i - 1];
        if (rule->match != ROUTE_REGEX) {
            uint32_t *place = place_of(r, rule);
            next[i - 1] = *place;
            *place = (uint32_t)i;
        }
    }
}

static Err build_patterns(Arena *a, Router *r, size_t count)
{
    Str *texts = arena_array(a, Str, count + 1);
    uint32_t *regexes = arena_array(a, uint32_t, count + 1);
    if (count > PATTERN_SET_MAX) {
        return ERR_LIMIT;
    }
    if (!texts || !regexes) {
        return ERR_MEMORY;
    }
    r->regexes = regexes;
    for (size_t i = 0; i < r->rule_count; i++) {
        if (r->rules[i].match == ROUTE_REGEX) {
            texts[r->regex_count] = r->rules[i].path;
            regexes[r->regex_count++] = (uint32_t)i;
        }
    }
    r->patterns = count > 0 ? pattern_set_open(texts, count) : NULL;
    return count > 0 && !r->patterns ? ERR_LIMIT : ERR_OK;
}

Err router_build(Arena *a, const RouterRule *rules, size_t count, Router *ret)
{
    size_t nodes = 1;
    size_t regexes = 0;
    for (size_t i = 0; i < count; i++) {
        bool regex = rules[i].match == ROUTE_REGEX;
        nodes += regex ? 0 : count_segments(rules[i].path);
        regexes += regex ? 1 : 0;
    }
    uint32_t *next = arena_array(a, uint32_t, count + 1);
    Router r = {.rule_count = count, .rules = rules, .next = next, .node_room = nodes};
    r.nodes = arena_array(a, RouterNode, nodes);
    if (!next || !r.nodes) {
        return ERR_MEMORY;
    }
    r.node_count = 1;
    TRY(str_map_open(a, nodes, &r.children));
    hang_rules(&r, next);
    TRY(build_patterns(a, &r, regexes));
    *ret = r;
    return ERR_OK;
}

void router_drop(const Router *r)
{
    pattern_set_close(r->patterns);
}

/* --- looking up ------------------------------------------------------------------------------ */

static bool takes_method(const RouteMethods *m, const RequestHead *request)
{
    if (m->any || m->known >> request->method & 1) {
        return true;
    }
    for (size_t i = 0; i < m->other_count; i++) {
        if (str_equal(m->others[i], request->method_name)) {
            return true;
        }
    }
    return false;
}

/* The first rule at a place that takes the request, or `otherwise`. */
static const RouterRule *first_at(const Router *r, uint32_t place, const RequestHead *request,
                                  const RouterRule *otherwise)
{
    for (; place > 0; place = r->next[place - 1]) {
        const RouterRule *rule = &r->rules[place - 1];
        if (takes_method(&rule->methods, request)) {
            return rule;
        }
    }
    return otherwise;
}

/* Looks up a path that starts with a slash: the exact rule, or the longest prefix, except "/". */
static const RouterRule *tree_walk(const Router *r, const RequestHead *request)
{
    const RouterRule *best = NULL;
    Str rest = request->path;
    uint32_t at = ROOT;
    while (rest.len > 0) {
        if (at != ROOT) {
            best = first_at(r, r->nodes[at].below, request, best);
        }
        if (!str_map_find(&r->children, at, cut_segment(&rest), &at)) {
            return best;
        }
        best = first_at(r, r->nodes[at].prefix, request, best);
    }
    return first_at(r, r->nodes[at].exact, request, best);
}

static const RouterRule *match_patterns(const Router *r, const RequestHead *request)
{
    bool matches[PATTERN_SET_MAX]; /* zeroed each time, hence only for routers with patterns */
    if (!pattern_set_matches(r->patterns, request->path, matches, r->regex_count)) {
        return NULL;
    }
    Str found = str_of((const uint8_t *)matches, r->regex_count); /* each is 0 or 1 */
    for (size_t i = str_find(found, 1, 0); i < found.len; i = str_find(found, 1, i + 1)) {
        const RouterRule *rule = &r->rules[r->regexes[i]];
        if (takes_method(&rule->methods, request)) {
            return rule;
        }
    }
    return NULL;
}

const Route *router_find(const Router *r, const RequestHead *request)
{
    bool absolute = str_peek(request->path, 0) == '/'; /* otherwise it is OPTIONS * */
    const RouterRule *rule = absolute ? tree_walk(r, request) : NULL;
    if (!rule && r->patterns) {
        rule = match_patterns(r, request);
    }
    if (!rule) {
        rule = first_at(r, r->nodes[ROOT].below, request, NULL);
    }
    return rule ? &rule->route : NULL;
}
