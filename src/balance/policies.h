/* policies.h - all balancing policies, from all.def. */
#ifndef BALANCE_POLICIES_H
#define BALANCE_POLICIES_H

#include "proxy/balancer.h"

/* The policy with that name, as the configuration writes it; NULL if there is none. */
const Balancer *policy_find(Str name);

#endif
