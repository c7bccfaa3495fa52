/* stamp.h - points in time as logs write them (RFC 3339 and the combined format), always UTC.
 * Pure apart from stamp_now_us; it knows no time zones and no locale. */
#ifndef LOOP_STAMP_H
#define LOOP_STAMP_H

#include "base/text.h"

/* Microseconds since 1970, by the wall clock. */
uint64_t stamp_now_us(void);

/* "2026-11-24T00:06:30.123Z" */
void stamp_print(Text *t, uint64_t unix_us);
/* "24/Nov/2026:00:06:30 +0000" */
void stamp_print_combined(Text *t, uint64_t unix_us);

#endif
