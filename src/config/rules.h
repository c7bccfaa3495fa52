/* rules.h - what no single option can say: rules between options. */
#ifndef CONFIG_RULES_H
#define CONFIG_RULES_H

#include "config/check.h"

/* More than these in one configuration are a mistake; comparing each with each stays affordable. */
#define SERVICES_MAX 4096u
#define LISTENERS_MAX 4096u   /* of all services */
#define CONNECTORS_MAX 8192u  /* of all services, and of one route */

/* Checks all of them; overrides are applied already. The document may have other mistakes. */
void rules_check(Checker *c, Arena *a, const ConfigOverrides *overrides,
                 const KdlDocument *document);

/* The rules within one service (rules_service.c). */
void rules_service(Checker *c, const KdlNode *service);

#endif
