/* timestamp.h - points in time as logs write them (RFC 3339 and the combined format), always UTC.
 * Pure apart from timestamp_now_us; it knows no time zones and no locale. */
#ifndef LOOP_TIMESTAMP_H
#define LOOP_TIMESTAMP_H

#include "base/text.h"

/* Microseconds since 1970, by the wall clock. */
uint64_t timestamp_now_us(void);

/* "2026-11-24T00:06:30.123Z" */
void timestamp_print(Text *t, uint64_t unix_us);
/* "24/Nov/2026:00:06:30 +0000" */
void timestamp_print_combined(Text *t, uint64_t unix_us);

#endif
