/* patterns.h - a regular expression as a filter's property: compiled, or a mistake at its place. */
#ifndef FILTER_PATTERNS_H
#define FILTER_PATTERNS_H

#include "http/pattern.h"
#include "proxy/filter.h"

/* The expression in value `index`, compiled with PATTERN_ flags; the caller closes it. NULL:
 * *ret_mistake says why (only flags can make a text that was checked too large), or with an empty
 * sentence that the arena is full. */
Pattern *filter_pattern(const FilterSetup *setup, size_t index, unsigned flags, Arena *arena,
                        FilterMistake *ret_mistake);

#endif
