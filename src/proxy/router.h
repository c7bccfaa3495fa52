/* router.h - selects one of a service's routes by a request's method and path.
 *
 * The order: an exact path; the longest prefix, which must end at the path's end or at a slash; the
 * first regular expression that matches a part of the path; and last the prefix "/". A route
 * limited to certain methods does not exist for others: they see what it would have hidden.
 *
 * Exact paths and prefixes form a tree of segments, and each step down is one hash look-up: the
 * cost of a request depends on its path, not on the number of routes. All regular expressions are
 * matched in one pass over the path. Built once, then read by all threads. */
#ifndef PROXY_ROUTER_H
#define PROXY_ROUTER_H

#include "base/str_map.h"
#include "http/head.h"
#include "http/pattern.h"
#include "proxy/route.h"

typedef enum RouteMatch {
    ROUTE_PREFIX,
    ROUTE_EXACT,
    ROUTE_REGEX /* unanchored */
} RouteMatch;

/* Method names, case-sensitive (RFC 9110 §9.1). */
typedef struct RouteMethods {
    bool any;       /* every method; the other members are unset */
    uint32_t known; /* bit METHOD_x for each method that River knows */
    size_t other_count;
    const Str *others COUNTED_BY(other_count);
} RouteMethods;

typedef struct RouterRule {
    RouteMatch match;
    Str path; /* absolute, or an expression that pattern_open accepts */
    RouteMethods methods;
    Route route;
} RouterRule;

/* A node of the tree of segments. Members: number of the first such rule plus one; 0: none. */
typedef struct RouterNode {
    uint32_t exact;  /* the path ends here */
    uint32_t prefix; /* the path ends here, or a slash follows */
    uint32_t below;  /* a slash follows: prefixes written with a trailing slash */
} RouterNode;

typedef struct Router {
    size_t rule_count;
    const RouterRule *rules COUNTED_BY(rule_count); /* in file order */
    const uint32_t *next; /* per rule: number of the next one at its place plus one; 0: none */
    size_t node_room;
    RouterNode *nodes COUNTED_BY(node_room); /* root first */
    size_t node_count;
    StrMap children; /* by parent and segment */
    PatternSet *patterns; /* NULL: none */
    size_t regex_count;
    const uint32_t *regexes COUNTED_BY(regex_count); /* their rules */
} Router;

/* Builds it in the arena; the rules must live as long. ERR_LIMIT: more regular expressions than
 * PATTERN_SET_MAX, or they are too large together. */
MUST_USE Err router_build(Arena *a, const RouterRule *rules, size_t count, Router *ret);
/* Frees what is not in the arena. */
void router_drop(const Router *r);

/* The route for a request with a normalised path, or NULL. */
const Route *router_find(const Router *r, const RequestHead *request);

#endif
