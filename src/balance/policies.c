/* policies.c - the list of policies. A new one is one new file and one line in all.def. */
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
