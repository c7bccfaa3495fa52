/* prefix_lines.c - one line after the other. */
#include "base/prefix_lines.h"

/* The first `byte` in [from, to), or `to`. */
static size_t find_within(Str s, uint8_t byte, size_t from, size_t to)
{
    for (size_t i = from; i < to && i < s.len; i++) {
        if (str_at(s, i) == byte) {
            return i;
        }
    }
    return to;
}

bool prefix_lines_next(PrefixLines *lines, Str *ret_content)
{
    Str s = lines->text;
    while (lines->at < s.len) {
        size_t from = lines->at;
        size_t end = str_find(s, '\n', from);
        lines->at = end < s.len ? end + 1 : s.len;
        lines->line++;
        size_t to = find_within(s, '#', from, end);
        if (to == end && to > from && str_at(s, to - 1) == '\r') {
            to--;
        }
        while (from < to && byte_is_blank(str_at(s, from))) {
            from++;
        }
        while (from < to && byte_is_blank(str_at(s, to - 1))) {
            to--;
        }
        if (from < to) {
            *ret_content = str_slice(s, from, to);
            return true;
        }
    }
    return false;
}
