/* rules.h - what no single option can say: rules between options. */
#ifndef CONFIG_RULES_H
#define CONFIG_RULES_H

#include "config/check.h"

/* More than these in one configuration are a mistake. */
#define SERVICES_MAX 65536u
#define LISTENERS_MAX 65536u  /* of all services */
#define CONNECTORS_MAX 65536u /* of all services, and at one place */
#define ROUTES_MAX 65536u     /* of all services */
#define HOST_PLACES_MAX 1000000u /* hosts of all services, each once for each of its addresses */

/* Checks all of them; overrides are applied already. The document may have other mistakes. */
void rules_check(Checker *c, Arena *a, const ConfigOverrides *overrides,
                 const KdlDocument *document);

/* Whether all that services have to do with each other (names, listeners, hosts) is in `now`,
 * as kdl_parse_again read it, as it does in `before`, where no rule was broken: rules_check need
 * not look at it again (Checker.joint_same). */
bool rules_joint_same(const KdlDocument *before, const KdlDocument *now);

/* The rules within one service (rules_service.c), and of what answers its requests
 * (rules_action.c). */
void rules_service(Checker *c, const KdlNode *service);
void rules_action(Checker *c, const KdlNode *service);

/* Who listens where, and for which hosts (rules_listeners.c). */
void rules_listeners(Checker *c, Arena *a, const KdlNode *services);

/* A mistake of fixed words (rules_mistake.c). */
void rules_error(Checker *c, Location at, Str help, const char *message);
/* Two properties of which neither makes sense alone. */
void rules_pair(Checker *c, const KdlNode *node, Str one, Str other);

#endif
