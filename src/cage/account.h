/* account.h - users and groups: looking them up, and becoming them for good.
 *
 * The supervisor looks names up when it reads the configuration and keeps its own identity; only
 * the worker changes, once, before it has any thread but its first. */
#ifndef CAGE_ACCOUNT_H
#define CAGE_ACCOUNT_H

#include "base/text.h"
#include "config/load.h"

/* For ConfigFiles: the ids behind a name or number. */
MUST_USE Err account_find_user(void *context, Str name, uint32_t *ret_user, uint32_t *ret_group);
MUST_USE Err account_find_group(void *context, Str name, uint32_t *ret_group);

/* Supervisor, before the first worker: whether this process may become that account.
 * ERR_DENIED: `why` tells a person what is missing. */
MUST_USE Err account_check(const AccountSettings *account, Text *why);
/* Whether a worker of that account would run as root. */
bool account_is_root(const AccountSettings *account);

/* The effective capabilities of this process, as bits. */
uint64_t account_capabilities(void);
/* Whether this process may listen below the unprivileged ports. */
bool account_may_bind(void);

/* Worker: gives up all supplementary groups, the group, the user and every capability, and makes
 * sure that there is no way back. Where River was not started by root there is nothing to give up,
 * and the groups stay. Where no account is set, only a `powerless` worker loses its
 * capabilities. */
MUST_USE Err account_become(const AccountSettings *account, bool powerless);

#endif
