/* path.h - paths that need thought: normalising them, and judging them in all of their readings.
 *
 * A service compares paths as its `normalization` spells them. Where it, or one of its routes, lets
 * paths through as clients write them, each path is compared in all of its readings instead
 * (http/readings.h), for the origin may take it for any of them. All of them must lead to the same
 * route, and that route's rules say what the origin gets: one of them. Filters that compare paths
 * ask all of them, too (call_readings). */
#ifndef PROXY_PATH_H
#define PROXY_PATH_H

#include "proxy/exchange.h"

/* Gives the path the form that these rules say, or refuses it. */
Step path_normalize(Exchange *x, const Normalization *n);
/* For services with `unusual` rules: screens field values and the path; chooses the route of a path
 * with several readings, and goes on with ASK. */
Step path_screen(Thread *t, Exchange *x);

#endif
