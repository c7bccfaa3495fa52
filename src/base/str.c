/* str.c - the operations on slices that need more than a line. */
#include "base/str.h"

#include <string.h>

size_t str_search(Str s, Str part, size_t from)
{
    size_t at = part.len > 0 ? str_find(s, str_at(part, 0), from) : s.len;
    while (at < s.len && !str_stands(s, at, part)) {
        at = str_find(s, str_at(part, 0), at + 1);
    }
    return at;
}

int str_compare(Str a, Str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.at, b.at, common) : 0;
    if (order != 0) {
        return order;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

Str str_from_c(const char *text)
{
    return text ? str_of(text, strlen(text)) : STR_NONE;
}

Err str_to_c(Str s, Span out)
{
    if (s.len >= out.len || str_find(s, 0, 0) < s.len) {
        return ERR_LIMIT;
    }
    span_copy(out, s);
    out.at[s.len] = 0;
    return ERR_OK;
}

size_t span_copy(Span to, Str from)
{
    CHECK(from.len <= to.len);
    if (from.len) {
        memmove(to.at, from.at, from.len);
    }
    return from.len;
}

void span_fill(Span s, uint8_t value)
{
    if (s.len) {
        memset(s.at, value, s.len);
    }
}

Str str_rebase(Str part, Str from, Str to)
{
    if (part.len == 0) {
        return STR_NONE;
    }
    CHECK(part.at >= from.at && part.at + part.len <= from.at + from.len && to.len >= from.len);
    return str_of(to.at + (part.at - from.at), part.len);
}

uint64_t str_fnv(Str s, uint64_t hash)
{
    for (size_t i = 0; i < s.len; i++) {
        hash = (hash ^ s.at[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}
