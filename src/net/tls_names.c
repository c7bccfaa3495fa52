/* tls_names.c - a sorted table, and binary search in it: once for the name, once for the wildcard
 * that would cover it. */
#include "net/tls_names.h"

#include <stdlib.h>

#include "base/number.h"
#include "base/text.h"

#define NAME_BYTES_MAX 256u /* a DNS name has at most 253 bytes (RFC 1035 §2.3.4) */

size_t tls_names_count(Str names)
{
    size_t count = names.len > 0 ? 1 : 0;
    for (size_t i = 0; i < names.len; i++) {
        count += str_at(names, i) == ',' ? 1 : 0;
    }
    return count;
}

Err tls_names_open(Arena *a, size_t name_count, TlsNames *ret)
{
    TlsName *list = arena_array(a, TlsName, name_count + 1);
    if (!list) {
        return ERR_MEMORY;
    }
    *ret = (TlsNames){.room = name_count};
    ret->list = list;
    return ERR_OK;
}

/* A name may end with the root's dot. */
static Str without_root(Str name)
{
    return str_ends(name, S(".")) ? str_take(name, name.len - 1) : name;
}

static Err add_one(TlsNames *n, Arena *a, Str name, size_t pair, uint32_t rank)
{
    Str text = without_root(str_starts(name, S("*.")) ? str_drop(name, 1) : name);
    Span room = {0};
    if (text.len == 0 || n->count == n->room) {
        return ERR_OK;
    }
    if (!arena_span(a, text.len, &room)) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < text.len; i++) {
        room.at[i] = byte_lower(str_at(text, i));
    }
    n->list[n->count++] =
        (TlsName){.text = span_str(room), .pair = (uint32_t)pair, .rank = rank};
    return ERR_OK;
}

Err tls_names_add(TlsNames *n, Arena *a, Str names, size_t pair, uint32_t rank)
{
    while (names.len > 0) {
        StrCut cut = str_cut(names, ',');
        TRY(add_one(n, a, cut.head, pair, rank));
        names = cut.tail;
    }
    return ERR_OK;
}

/* By name, then rank, then pair. */
static int compare(const void *left, const void *right)
{
    const TlsName *a = (const TlsName *)left;
    const TlsName *b = (const TlsName *)right;
    int order = str_compare(a->text, b->text);
    if (order == 0) {
        order = a->rank < b->rank ? -1 : a->rank > b->rank;
    }
    return order != 0 ? order : a->pair < b->pair ? -1 : a->pair > b->pair;
}

/* The first entry that is not below `text`, which is in lower case. */
static size_t lower_bound(const TlsNames *n, Str text)
{
    size_t from = 0;
    size_t to = n->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (str_compare(n->list[middle].text, text) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static size_t find_text(const TlsNames *n, Str text, uint32_t *ret_pairs, size_t room)
{
    size_t found = 0;
    for (size_t i = lower_bound(n, text);
         i < n->count && found < room && str_equal(n->list[i].text, text); i++) {
        ret_pairs[found++] = n->list[i].pair;
    }
    return found;
}

/* The name in lower case, as the table has it; empty when it is too long for one. */
static Str lowered(Str name, Text *room)
{
    for (size_t i = 0; i < name.len && !room->overflow; i++) {
        text_byte(room, byte_lower(str_at(name, i)));
    }
    return room->overflow ? STR_NONE : text_str(room);
}

void tls_names_close(TlsNames *n, Str first)
{
    uint8_t room[NAME_BYTES_MAX];
    Text t = text_in(span_of(room, sizeof room));
    Str name = lowered(without_root(str_starts(first, S("*.")) ? str_drop(first, 1) : first), &t);
    qsort(n->list, n->count, sizeof n->list[0], compare);
    n->default_count = (uint32_t)find_text(n, name, n->defaults, TLS_NAME_PAIRS_MAX);
    if (n->default_count == 0) {
        n->defaults[0] = 0;
        n->default_count = 1;
    }
}

size_t tls_names_find(const TlsNames *n, Str host, uint32_t *ret_pairs, size_t room)
{
    uint8_t lower[NAME_BYTES_MAX];
    Text t = text_in(span_of(lower, sizeof lower));
    Str text = lowered(without_root(host), &t);
    /* A leading dot is no name: it would find the wildcard itself. */
    size_t found = 0;
    if (text.len > 0 && str_at(text, 0) != '.') {
        found = find_text(n, text, ret_pairs, room);
        Str parent = str_drop(text, str_find(text, '.', 0));
        if (found == 0 && parent.len > 0) {
            found = find_text(n, parent, ret_pairs, room);
        }
    }
    if (found == 0) {
        for (size_t i = 0; i < n->default_count && i < room; i++) {
            ret_pairs[found++] = n->defaults[i];
        }
    }
    return found;
}

size_t tls_names_identity(const TlsNames *n, Str host)
{
    uint32_t pairs[TLS_NAME_PAIRS_MAX];
    size_t count = tls_names_find(n, host, pairs, TLS_NAME_PAIRS_MAX);
    size_t lowest = pairs[0];
    for (size_t i = 1; i < count; i++) {
        lowest = size_min(lowest, pairs[i]);
    }
    return lowest;
}
