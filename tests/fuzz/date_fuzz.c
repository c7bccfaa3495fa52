/* date_fuzz.c - dates: what was read prints as the same second, and every second reads back. The
 * first eight bytes are the clock. */
#include "http/date.h"

#include "fuzz.h"

#define SECONDS_MIN INT64_C(-62135596800)
#define SECONDS_MAX INT64_C(253402300800) /* ":60" reads as the second that follows */

static void must_read_back(int64_t seconds)
{
    uint8_t bytes[DATE_BYTES];
    int64_t again = 0;
    Text t = text_in(span_of(bytes, sizeof bytes));
    date_print(&t, seconds);
    MUST(!t.overflow && t.len == DATE_BYTES);
    MUST(date_parse(text_str(&t), 0, &again) == ERR_OK && again == seconds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 8 || size > 256) {
        return 0;
    }
    uint64_t bits = 0;
    for (size_t i = 0; i < 8; i++) {
        bits = bits << 8 | data[i];
    }
    int64_t now = (int64_t)bits;
    uint64_t range = (uint64_t)(SECONDS_MAX - SECONDS_MIN);
    must_read_back((int64_t)(bits % range) + SECONDS_MIN);
    Span text = fuzz_copy(str_drop(str_of(data, size), 8));
    int64_t seconds = 0;
    if (date_parse(span_str(text), now, &seconds) == ERR_OK) {
        MUST(seconds >= SECONDS_MIN && seconds <= SECONDS_MAX);
        if (seconds < SECONDS_MAX) {
            must_read_back(seconds);
        }
    }
    free(text.at);
    return 0;
}
