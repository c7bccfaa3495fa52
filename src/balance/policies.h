/* policies.h - the balancing policies that there are, from all.def. */
#ifndef BALANCE_POLICIES_H
#define BALANCE_POLICIES_H

#include "proxy/balancer.h"

/* The policy with that name, as the configuration writes it; NULL when there is none. */
const Balancer *policy_find(Str name);

#endif
