/* str_map.c - open addressing, never more than half full, so that runs stay short. */
#include "base/str_map.h"

#include "base/number.h"

#define SCOPE_SPREAD UINT64_C(0x9e3779b97f4a7c15) /* 2^64 divided by the golden ratio */

Err str_map_open(Arena *a, size_t most, StrMap *ret)
{
    size_t room = 4;
    while (room < 2 * most) {
        room *= 2;
    }
    StrMapPlace *places = arena_array(a, StrMapPlace, room);
    if (!places) {
        return ERR_MEMORY;
    }
    *ret = (StrMap){.room = room, .places = places};
    hash_secret_make(&ret->secret);
    return ERR_OK;
}

/* Where the text stands, or would stand. */
static size_t place_of(const StrMap *m, uint32_t scope, Str key)
{
    size_t mask = m->room - 1;
    size_t at = (size_t)(hash_str(&m->secret, key) ^ (scope * SCOPE_SPREAD) >> 16) & mask;
    while (m->places[at].used &&
           (m->places[at].scope != scope || !str_equal(m->places[at].key, key))) {
        at = (at + 1) & mask;
    }
    return at;
}

void str_map_add(StrMap *m, uint32_t scope, Str key, uint32_t value)
{
    size_t at = place_of(m, scope, key);
    CHECK(!m->places[at].used && 2 * (m->count + 1) <= m->room);
    m->places[at] = (StrMapPlace){.key = key, .scope = scope, .value = value, .used = true};
    m->count++;
}

static Err map_grow(Arena *a, StrMap *m)
{
    StrMap larger;
    TRY(str_map_open(a, m->room, &larger));
    for (size_t i = 0; i < m->room; i++) {
        const StrMapPlace *place = &m->places[i];
        if (place->used) {
            str_map_add(&larger, place->scope, place->key, place->value);
        }
    }
    *m = larger;
    return ERR_OK;
}

Err str_map_put(Arena *a, StrMap *m, uint32_t scope, Str key, uint32_t value)
{
    if (2 * (m->count + 1) > m->room) {
        TRY(map_grow(a, m));
    }
    str_map_add(m, scope, key, value);
    return ERR_OK;
}

bool str_map_find(const StrMap *m, uint32_t scope, Str key, uint32_t *ret)
{
    if (m->count == 0) {
        return false;
    }
    const StrMapPlace *place = &m->places[place_of(m, scope, key)];
    *ret = place->used ? place->value : *ret;
    return place->used;
}
