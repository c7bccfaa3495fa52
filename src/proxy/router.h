/* router.h - which of a service's routes a request takes, by its method and its path.
 *
 * The order: an exact path; the longest prefix, which ends where the path ends or at a slash; the
 * first regular expression that matches a part of the path; and the prefix "/" when nothing else
 * has matched. A route for certain methods does not exist for the others: what it would have
 * hidden is seen.
 *
 * Exact paths and prefixes stand in a tree of segments, and each step down it is one look-up in a
 * hash table: what a request costs depends on its path, not on how many routes there are. Regular
 * expressions are asked in one pass over the path. Built once, then read by all threads. */
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

/* Names of methods; case counts (RFC 9110 §9.1). */
typedef struct RouteMethods {
    bool any;       /* every method; nothing else is set */
    uint32_t known; /* bit METHOD_x for each of those that River knows */
    size_t other_count;
    const Str *others COUNTED_BY(other_count);
} RouteMethods;

typedef struct RouterRule {
    RouteMatch match;
    Str path; /* absolute, or an expression that pattern_open takes */
    RouteMethods methods;
    Route route;
} RouterRule;

/* A node of the tree of segments. Each is one more than the first rule at that place; 0: none. */
typedef struct RouterNode {
    uint32_t exact;  /* the path ends here */
    uint32_t prefix; /* it ends here, or a slash follows */
    uint32_t below;  /* a slash follows: a prefix that is written with a slash at its end */
} RouterNode;

typedef struct Router {
    size_t rule_count;
    const RouterRule *rules COUNTED_BY(rule_count); /* in the order of the file */
    const uint32_t *next; /* of each rule: one more than the next at its place; 0: none */
    size_t node_room;
    RouterNode *nodes COUNTED_BY(node_room); /* the root stands first */
    size_t node_count;
    StrMap children; /* by parent and segment */
    PatternSet *patterns; /* NULL: none */
    size_t regex_count;
    const uint32_t *regexes COUNTED_BY(regex_count); /* their rules */
} Router;

/* Builds it in the arena; the rules must live as long. ERR_LIMIT: more regular expressions than
 * PATTERN_SET_MAX, or together they become too large. */
MUST_USE Err router_build(Arena *a, const RouterRule *rules, size_t count, Router *ret);
/* Gives up what does not lie in the arena. */
void router_drop(const Router *r);

/* The route of a request whose path is in its final form; NULL: there is none. */
const Route *router_find(const Router *r, const RequestHead *request);

#endif
