/* filters.c - the list of kinds. A new one is one new file and one line in all.def. */
#include "filter/filters.h"

const FilterKind *filter_find(Str name)
{
    static const FilterKind *const all[] = {
#define FILTER(name) &filter_##name,
#include "filter/all.def"
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (str_equal(all[i]->schema.name, name)) {
            return all[i];
        }
    }
    return NULL;
}
