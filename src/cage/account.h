/* account.h - looks up users and groups, and switches to them for good.
 *
 * The supervisor looks names up when it reads the configuration and keeps its own identity; only
 * the worker switches, once, while it has a single thread. */
#ifndef CAGE_ACCOUNT_H
#define CAGE_ACCOUNT_H

#include "base/text.h"
#include "config/load.h"

/* For ConfigFiles: the ids of a name or number. */
MUST_USE Err account_find_user(void *context, Str name, uint32_t *ret_user, uint32_t *ret_group);
MUST_USE Err account_find_group(void *context, Str name, uint32_t *ret_group);

/* Supervisor, before the first worker: whether this process may switch to that account. ERR_DENIED:
 * `why` tells the user what is missing. */
MUST_USE Err account_check(const AccountSettings *account, Text *why);
/* Whether a worker with that account would run as root. */
bool account_is_root(const AccountSettings *account);

/* The effective capabilities of this process, as bits. */
uint64_t account_capabilities(void);
/* Whether this process may bind privileged ports. */
bool account_may_bind(void);

/* Worker: drops supplementary groups, group, user and all capabilities, and verifies that they
 * cannot be regained. If River was not started by root there is nothing to drop, and the groups
 * stay. Without an account in the settings only a `powerless` worker loses its capabilities. */
MUST_USE Err account_become(const AccountSettings *account, bool powerless);

#endif
