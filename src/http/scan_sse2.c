/* scan_sse2.c - the scans over field names and values, sixteen bytes at a time (every x86-64 has
 * SSE2).
 *
 * Only whole blocks inside the slice are loaded; the rest, and the byte that stops the scan, are
 * left to the proved scalar form, so that this file can stop too early but never accept a byte that
 * the other refuses. tests/unit/http_bytes_test.c compares the two. */
#include <emmintrin.h>

#include "http/bytes.h"

#define LANES 16u

/* The sixteen bytes at `i`. The caller has checked the room. */
static inline __m128i block_at(Str s, size_t i)
{
    return _mm_loadu_si128((const __m128i_u *)(const void *)&s.at[i]);
}

static inline __m128i is_between(__m128i bytes, char from, char to)
{
    __m128i above = _mm_sub_epi8(bytes, _mm_set1_epi8(from));
    return _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8((char)(to - from))), above);
}

/* One bit for each byte that may not be in a value. */
static inline unsigned value_stops(__m128i bytes)
{
    __m128i low = is_between(bytes, 0, 0x1f);
    __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
    __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, low), del));
}

/* One bit for each byte that is not one of a name's common ones: letters, digits and '-'. */
static inline unsigned name_stops(__m128i bytes)
{
    __m128i letter = is_between(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
    __m128i digit = is_between(bytes, '0', '9');
    __m128i dash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-'));
    __m128i common = _mm_or_si128(_mm_or_si128(letter, digit), dash);
    return (unsigned)_mm_movemask_epi8(common) ^ 0xffffu;
}

/* The first position at or after `from` that stops the scan, or the last whole block's end. */
ALWAYS_INLINE size_t scan_blocks(Str s, size_t from, unsigned (*stops_of)(__m128i bytes))
{
    size_t i = from;
    unsigned stops = 0;
    while (stops == 0 && i < s.len && s.len - i >= LANES) {
        stops = stops_of(block_at(s, i));
        i += stops ? (unsigned)__builtin_ctz(stops) : LANES;
    }
    return i;
}

size_t scan_value(Str s, size_t from)
{
    return scan_value_scalar(s, scan_blocks(s, from, value_stops));
}

/* The scalar form also knows the rarer bytes, and goes on after them. */
size_t scan_name(Str s, size_t from)
{
    return scan_name_scalar(s, scan_blocks(s, from, name_stops));
}
