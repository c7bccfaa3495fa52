/* range.c - Range fields: read, clipped to what is there, and merged where they overlap. */
#include "http/range.h"

#include "base/number.h"
#include "http/bytes.h"

/* A decimal number of any length; what does not fit is UINT64_MAX, which lies beyond every end.
 * Returns the position after its last digit, `from` where there is none. */
static size_t read_position(Str s, size_t from, size_t to, uint64_t *ret)
{
    uint64_t value = 0;
    size_t i = from;
    while (i < to && byte_is_digit(str_peek(s, i))) {
        uint64_t digit = (uint64_t)(str_at(s, i) - '0');
        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
        i++;
    }
    *ret = value;
    return i;
}

typedef enum SpecVerdict { SPEC_BROKEN, SPEC_OUTSIDE, SPEC_INSIDE } SpecVerdict;

/* One range-spec, the bytes [at, to) of `s`: "first-last", "first-" or "-suffix"
 * (RFC 9110 §14.1.2). */
static SpecVerdict read_spec(Str s, size_t at, size_t to, uint64_t size, ByteRange *ret)
{
    uint64_t first = 0;
    uint64_t last = 0;
    size_t dash = read_position(s, at, to, &first);
    if (dash >= to || str_peek(s, dash) != '-') {
        return SPEC_BROKEN;
    }
    size_t end = read_position(s, dash + 1, to, &last);
    bool has_first = dash > at;
    bool has_last = end > dash + 1;
    if (end != to || (!has_first && !has_last) || (has_first && has_last && last < first)) {
        return SPEC_BROKEN;
    }
    if (!has_first) {
        *ret = (ByteRange){.from = last < size ? size - last : 0, .to = size};
        return last > 0 ? SPEC_INSIDE : SPEC_OUTSIDE;
    }
    bool open = !has_last || last >= size;
    *ret = (ByteRange){.from = first, .to = open ? size : last + 1};
    return first < size ? SPEC_INSIDE : SPEC_OUTSIDE;
}

static bool ranges_meet(ByteRange a, ByteRange b)
{
    uint64_t gap = a.from > b.to ? a.from - b.to : b.from > a.to ? b.from - a.to : 0;
    return gap <= RANGE_GAP_BYTES;
}

static void ranges_remove(Ranges *r, size_t at)
{
    for (size_t i = at; i + 1 < r->count && i + 1 < RANGES_MAX; i++) {
        ByteRange next = r->list[i + 1];
        r->list[i] = next;
    }
    r->count -= r->count > 0;
}

/* Adds a range; those that it meets become one with it, at the place of the first of them
 * (RFC 9110 §15.3.7.2 lets a server merge what overlaps or nearly touches). */
static void ranges_add(Ranges *r, ByteRange more)
{
    size_t place = r->count;
    size_t i = 0;
    while (i < r->count && i < RANGES_MAX) {
        if (i == place || !ranges_meet(r->list[i], more)) {
            i++;
            continue;
        }
        more.from = u64_min(more.from, r->list[i].from);
        more.to = u64_max(more.to, r->list[i].to);
        if (place >= r->count) {
            place = i; /* what it absorbs later comes here */
        } else {
            size_t gone = i > place ? i : place;
            place = i > place ? place : i;
            ranges_remove(r, gone);
        }
        i = 0; /* it has grown: look at all again */
    }
    if (place < RANGES_MAX) {
        r->list[place] = more;
        if (place == r->count) {
            r->count = place + 1;
        }
    }
}

/* After "bytes=", or 0 where the value does not begin so. Units are case-insensitive
 * (RFC 9110 §14.1). */
static size_t skip_unit(Str s)
{
    Str unit = S("bytes=");
    return str_stands_nocase(s, 0, unit.len, unit) ? unit.len : 0;
}

RangeVerdict range_judge(Str value, uint64_t size, Ranges *ret)
{
    Ranges found = {.count = 0};
    size_t members = 0;
    size_t at = skip_unit(value);
    if (at == 0 || size == 0) {
        return RANGE_IGNORED; /* no bytes: there is no Content-Range for none of them */
    }
    while (at < value.len) {
        int c = str_peek(value, at);
        if (byte_is_blank(c) || c == ',') { /* empty members count for nothing (RFC 9110 §5.6.1) */
            at++;
            continue;
        }
        size_t comma = str_find(value, ',', at);
        size_t to = comma;
        while (to > at && byte_is_blank(str_peek(value, to - 1))) {
            to--;
        }
        ByteRange range = {0};
        SpecVerdict verdict = read_spec(value, at, to, size, &range);
        if (verdict == SPEC_BROKEN || ++members > RANGES_MAX) {
            return RANGE_IGNORED;
        }
        if (verdict == SPEC_INSIDE) {
            ranges_add(&found, range);
        }
        at = comma;
    }
    if (members == 0) {
        return RANGE_IGNORED;
    }
    if (found.count == 0) {
        return RANGE_UNSATISFIABLE;
    }
    *ret = found;
    return RANGE_SATISFIED;
}
