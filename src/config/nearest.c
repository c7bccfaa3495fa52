/* nearest.c - edit distance (Damerau's, restricted to neighbouring swaps). */
#include "config/nearest.h"

#include "base/number.h"

typedef struct Row {
    uint8_t at[NEAREST_BYTES_MAX + 1];
} Row;

static bool same_letter(Str a, size_t i, Str b, size_t j)
{
    return byte_lower(str_at(a, i)) == byte_lower(str_at(b, j));
}

/* Row i from the two rows before it; all lengths are at most NEAREST_BYTES_MAX. */
static void fill_row(Str a, Str b, size_t i, const Row *older, const Row *old, Row *row)
{
    row->at[0] = (uint8_t)i;
    for (size_t j = 1; j <= b.len; j++) {
        size_t best = (size_t)old->at[j - 1] + (same_letter(a, i - 1, b, j - 1) ? 0 : 1);
        best = size_min(best, (size_t)old->at[j] + 1);
        best = size_min(best, (size_t)row->at[j - 1] + 1);
        if (i > 1 && j > 1 && same_letter(a, i - 1, b, j - 2) && same_letter(a, i - 2, b, j - 1)) {
            best = size_min(best, (size_t)older->at[j - 2] + 1);
        }
        row->at[j] = (uint8_t)best;
    }
}

size_t edit_distance(Str a, Str b)
{
    CHECK(a.len <= NEAREST_BYTES_MAX && b.len <= NEAREST_BYTES_MAX);
    Row rows[3] = {0};
    for (size_t j = 0; j <= b.len; j++) {
        rows[0].at[j] = (uint8_t)j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        fill_row(a, b, i, &rows[(i + 1) % 3], &rows[(i - 1) % 3], &rows[i % 3]);
    }
    return rows[a.len % 3].at[b.len];
}

void nearest_offer(Nearest *n, Str known)
{
    if (n->word.len > NEAREST_BYTES_MAX || known.len > NEAREST_BYTES_MAX || known.len == 0) {
        return;
    }
    size_t distance = edit_distance(n->word, known);
    size_t allowed = size_max(1, size_max(n->word.len, known.len) / 3);
    if (distance <= allowed && (n->found.len == 0 || distance < n->distance)) {
        n->found = known;
        n->distance = distance;
    }
}
