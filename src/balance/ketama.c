/* ketama.c - `Ketama`: consistent hashing on a ring of CRC-32 points, placed as nginx places them
 * (`hash KEY consistent`), so that both map a key to the same endpoint, and adding or removing an
 * endpoint moves only its share of the keys.
 *
 * An endpoint has 160 points for each unit of weight; each is the CRC-32 of HOST, NUL, PORT and the
 * previous point (four bytes, least significant first; initially zero). */
#include "balance/policies.h"

#include "base/crc32.h"
#include "proxy/endpoint_set.h"

#define POINTS_PER_WEIGHT 160u
#define STEPS_MAX 4096u /* points searched for an endpoint that the request may go to */

typedef struct Point {
    uint32_t hash;
    uint32_t place; /* in the set */
} Point;

typedef struct Ring {
    size_t count;
    Point *points COUNTED_BY(count); /* sorted by hash, hashes distinct */
} Ring;

extern const Balancer policy_ketama;

/* "HOST:PORT" without brackets; a Unix socket is its path, without a port. */
static void name_split(Str name, Str *ret_host, Str *ret_port)
{
    *ret_host = name;
    *ret_port = STR_NONE;
    if (str_starts(name, S("/"))) {
        return;
    }
    size_t colon = name.len;
    for (size_t i = 0; i < name.len; i++) {
        colon = name.at[i] == ':' ? i : colon;
    }
    *ret_host = str_take(name, colon);
    *ret_port = str_drop(name, colon + 1);
    if (str_starts(*ret_host, S("["))) {
        *ret_host = str_slice(*ret_host, 1, ret_host->len - 1);
    }
}

static void points_add(Ring *ring, size_t from, const Member *m, uint32_t place)
{
    Str host;
    Str port;
    name_split(m->endpoint->name, &host, &port);
    uint32_t base = crc32_add(CRC32_START, host);
    base = crc32_add(base, str_of((const uint8_t[]){0}, 1));
    base = crc32_add(base, port);
    uint32_t previous = 0;
    for (size_t i = 0; i < (size_t)m->weight * POINTS_PER_WEIGHT; i++) {
        const uint8_t bytes[4] = {(uint8_t)previous, (uint8_t)(previous >> 8),
                                  (uint8_t)(previous >> 16), (uint8_t)(previous >> 24)};
        previous = crc32_end(crc32_add(base, str_of(bytes, sizeof bytes)));
        ring->points[from + i] = (Point){.hash = previous, .place = place};
    }
}

/* Radix sort by hash, eight bits at a time; stable. */
static void ring_sort(Ring *ring, Ring *spare)
{
    for (unsigned shift = 0; shift < 32; shift += 8) {
        size_t starts[257] = {0};
        for (size_t i = 0; i < ring->count; i++) {
            starts[(ring->points[i].hash >> shift & 255) + 1]++;
        }
        for (size_t i = 1; i < 256; i++) {
            starts[i] += starts[i - 1];
        }
        for (size_t i = 0; i < ring->count; i++) {
            spare->points[starts[ring->points[i].hash >> shift & 255]++] = ring->points[i];
        }
        Ring swap = *ring;
        ring->points = spare->points;
        spare->points = swap.points;
    }
}

/* Of points with equal hashes the first is kept. */
static void make_distinct(Ring *ring)
{
    size_t kept = 0;
    for (size_t i = 1; i < ring->count; i++) {
        if (ring->points[kept].hash != ring->points[i].hash) {
            kept++;
            ring->points[kept] = ring->points[i];
        }
    }
    ring->count = kept + 1;
}

static void ring_fill(const EndpointSet *set, Ring *ring, Ring *spare)
{
    size_t from = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (member_counts(&set->members[i])) {
            points_add(ring, from, &set->members[i], (uint32_t)i);
            from += (size_t)set->members[i].weight * POINTS_PER_WEIGHT;
        }
    }
    ring_sort(ring, spare);
    make_distinct(ring);
}

static const void *ketama_build(const EndpointSet *set, Arena *arena)
{
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        bool counts = member_counts(&set->members[i]);
        count += counts ? (size_t)set->members[i].weight * POINTS_PER_WEIGHT : 0;
    }
    Ring *ring = arena_new(arena, Ring);
    Point *points = arena_array(arena, Point, count);
    Ring spare = {.count = count};
    spare.points = (Point *)memory_new(NULL, count * sizeof(Point));
    bool room = ring && points && spare.points;
    if (room) {
        *ring = (Ring){.count = count, .points = points};
        ring_fill(set, ring, &spare); /* an even number of passes, so the result is in the arena */
    }
    memory_drop(NULL, spare.points, count * sizeof(Point));
    return room ? ring : NULL;
}

/* The first point at or after the hash, wrapping around. */
static size_t point_at(const Ring *ring, uint32_t hash)
{
    size_t low = 0;
    size_t high = ring->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ring->points[middle].hash < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low % ring->count;
}

static size_t point_of(const Ring *ring, const PickKey *key)
{
    return point_at(ring, crc32_end(crc32_add(CRC32_START, key->hashed)));
}

static size_t ketama_first(const void *table, const PickKey *key)
{
    const Ring *ring = (const Ring *)table;
    return ring->points[point_of(ring, key)].place;
}

/* A retry goes to the next endpoint along the ring. */
static size_t ketama_pick(const void *table, const PickKey *key, const Tried *tried,
                          const Loads *loads)
{
    const Ring *ring = (const Ring *)table;
    size_t at = point_of(ring, key);
    size_t before = PICK_NONE;
    for (size_t i = 0; i < ring->count && i < STEPS_MAX; i++) {
        size_t place = ring->points[at].place;
        if (place != before && pick_may(tried, loads, place)) {
            return place;
        }
        before = place;
        at = at + 1 < ring->count ? at + 1 : 0;
    }
    return PICK_NONE;
}

const Balancer policy_ketama = {
    .name = S_INIT("Ketama"),
    .hashes = true,
    .costly = true,
    .build = ketama_build,
    .first = ketama_first,
    .pick = ketama_pick,
};
