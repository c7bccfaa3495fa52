/* patterns.c - see patterns.h. */
#include "filter/patterns.h"

Pattern *filter_pattern(const FilterSetup *setup, size_t index, unsigned flags, Arena *arena,
                        FilterMistake *ret_mistake)
{
    PatternMistake m;
    Pattern *pattern = pattern_open(setup->values[index].text, flags, &m);
    if (pattern) {
        return pattern;
    }
    static const Str opening = S_INIT("not a regular expression: ");
    Span room;
    *ret_mistake = (FilterMistake){.value = index};
    if (arena_span(arena, opening.len + m.sentence_bytes, &room)) {
        Text t = text_in(room);
        text_add(&t, opening);
        text_add(&t, pattern_sentence(&m));
        ret_mistake->sentence = text_str(&t);
    }
    return NULL;
}
