/* policies.c - the list of policies. To add one, add a file and a line in all.def. */
#include "balance/policies.h"

#define POLICY(name) extern const Balancer policy_##name;
#include "balance/all.def"
#undef POLICY

const Balancer *policy_find(Str name)
{
    static const Balancer *const all[] = {
#define POLICY(name) &policy_##name,
#include "balance/all.def"
#undef POLICY
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (str_equal(all[i]->name, name)) {
            return all[i];
        }
    }
    return NULL;
}
