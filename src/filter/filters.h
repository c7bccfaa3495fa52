/* filters.h - the kinds of filters that there are, from all.def. */
#ifndef FILTER_FILTERS_H
#define FILTER_FILTERS_H

#include "proxy/filter_call.h"

#define FILTER(name) extern const FilterKind filter_##name;
#include "filter/all.def"

/* The kind with that name, as the configuration writes it; NULL if there is none. */
const FilterKind *filter_find(Str name);

#endif
