/* roster.c - a table of chains over an array of places. */
#include "base/roster.h"

Err roster_open(Roster *r, uint32_t room)
{
    CHECK(room > 0 && (room & (room - 1)) == 0);
    RosterPlace *places = (RosterPlace *)memory_reserve(sizeof(RosterPlace) * room);
    uint32_t *buckets = (uint32_t *)memory_reserve(sizeof(uint32_t) * room);
    *r = (Roster){.room = room, .places = places, .buckets = buckets};
    if (!places || !buckets) {
        roster_close(r);
        return ERR_MEMORY;
    }
    hash_secret_make(&r->secret);
    return ERR_OK;
}

static void name_drop(Span name)
{
    memory_drop(NULL, name.at, name.len);
}

void roster_close(Roster *r)
{
    for (uint32_t i = 0; i < r->touched; i++) {
        name_drop(r->places[i].name);
    }
    memory_release(r->places, sizeof(RosterPlace) * r->room);
    memory_release(r->buckets, sizeof(uint32_t) * r->room);
    *r = (Roster){0};
}

static uint32_t *bucket_of(Roster *r, Str name)
{
    return &r->buckets[hash_str(&r->secret, name) & (r->room - 1)];
}

/* A free place, or the room if there is none. */
static uint32_t place_take(Roster *r)
{
    uint32_t at = r->first_free;
    if (at > 0) {
        r->first_free = r->places[at - 1].next;
        return at - 1;
    }
    return r->touched < r->room ? r->touched++ : r->room;
}

static Err place_fill(Roster *r, Str name, uint32_t *bucket, uint32_t *ret)
{
    void *copy = memory_new(NULL, name.len);
    uint32_t at = copy ? place_take(r) : r->room;
    if (at == r->room) {
        memory_drop(NULL, copy, name.len);
        return copy ? ERR_FULL : ERR_MEMORY;
    }
    Span own = span_of(copy, name.len);
    span_copy(own, name);
    r->places[at] = (RosterPlace){.name = own, .holders = 1, .next = *bucket};
    *bucket = at + 1;
    r->count++;
    *ret = at;
    return ERR_OK;
}

Err roster_hold(Roster *r, Str name, uint32_t *ret, bool *ret_fresh)
{
    CHECK(name.len > 0);
    uint32_t *bucket = bucket_of(r, name);
    for (uint32_t i = *bucket; i > 0; i = r->places[i - 1].next) {
        RosterPlace *place = &r->places[i - 1];
        if (str_equal(span_str(place->name), name)) {
            place->holders++;
            *ret = i - 1;
            *ret_fresh = false;
            return ERR_OK;
        }
    }
    TRY(place_fill(r, name, bucket, ret));
    *ret_fresh = true;
    return ERR_OK;
}

bool roster_find(const Roster *r, Str name, uint32_t *ret)
{
    uint32_t i = r->buckets[hash_str(&r->secret, name) & (r->room - 1)];
    while (i > 0 && !str_equal(span_str(r->places[i - 1].name), name)) {
        i = r->places[i - 1].next;
    }
    if (i == 0 || r->places[i - 1].holders == 0) {
        return false;
    }
    *ret = i - 1;
    return true;
}

bool roster_release(Roster *r, uint32_t number)
{
    CHECK(roster_is_held(r, number));
    return --r->places[number].holders == 0;
}

void roster_forget(Roster *r, uint32_t number)
{
    CHECK(roster_name(r, number).len > 0 && !roster_is_held(r, number));
    RosterPlace *place = &r->places[number];
    uint32_t *link = bucket_of(r, span_str(place->name));
    while (*link != number + 1) {
        link = &r->places[*link - 1].next;
    }
    *link = place->next;
    name_drop(place->name);
    *place = (RosterPlace){.next = r->first_free};
    r->first_free = number + 1;
    r->count--;
}

Str roster_name(const Roster *r, uint32_t number)
{
    return number < r->touched ? span_str(r->places[number].name) : STR_NONE;
}

bool roster_is_held(const Roster *r, uint32_t number)
{
    return number < r->touched && r->places[number].holders > 0;
}
