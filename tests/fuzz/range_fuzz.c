/* range_fuzz.c - Range fields against sizes of all magnitudes: parts lie inside, apart from each
 * other, and answer no byte twice. The first eight bytes are the size. */
#include "http/range.h"

#include "fuzz.h"

static void must_lie_apart(const Ranges *r, uint64_t size)
{
    uint64_t total = 0;
    MUST(r->count >= 1 && r->count <= RANGES_MAX);
    for (size_t i = 0; i < r->count; i++) {
        MUST(r->list[i].from < r->list[i].to && r->list[i].to <= size);
        total += r->list[i].to - r->list[i].from;
        for (size_t k = 0; k < i; k++) {
            MUST(r->list[i].from > r->list[k].to || r->list[k].from > r->list[i].to);
        }
    }
    MUST(total <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t bytes = 0;
    if (size < 8) {
        return 0;
    }
    for (size_t i = 0; i < 8; i++) {
        bytes = bytes << 8 | data[i];
    }
    Span value = fuzz_copy(str_drop(str_take(str_of(data, size), 4096), 8));
    Ranges ranges = {.count = 0};
    RangeVerdict verdict = range_judge(span_str(value), bytes, &ranges);
    MUST(verdict != RANGE_UNSATISFIABLE || bytes > 0);
    if (verdict == RANGE_SATISFIED) {
        must_lie_apart(&ranges, bytes);
    } else {
        MUST(ranges.count == 0);
    }
    free(value.at);
    return 0;
}
