/* scan_sse2.c - the scan over field values, sixteen bytes at a time (every x86-64 has SSE2).
 *
 * Only whole blocks inside the slice are loaded; the rest, and the byte that stops the scan, are
 * left to the proved scalar form, so that this file can find a block too early but never accept a
 * byte that the other refuses. tests/unit/http_bytes_test.c compares the two. */
#include <emmintrin.h>

#include "http/bytes.h"

#define LANES 16u

/* Whether all sixteen bytes at `i` may stand in a value. The caller has checked the room. */
static inline bool block_is_value(Str s, size_t i)
{
    __m128i bytes = _mm_loadu_si128((const __m128i_u *)(const void *)&s.at[i]);
    /* Bytes below SP: the unsigned minimum of the byte and 0x1f is the byte itself. */
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
    __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
    return _mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, low), del)) == 0;
}

size_t scan_value(Str s, size_t from)
{
    size_t i = from;
    while (i < s.len && s.len - i >= LANES && block_is_value(s, i)) {
        i += LANES;
    }
    return scan_value_scalar(s, i);
}
