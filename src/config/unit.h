/* unit.h - times and sizes as people write them: "60s", "2m", "64KiB" (internal to the room).
 *
 * An option whose name ends in a unit (`drain-timeout-ms`) takes a bare number in that unit, or a
 * text with any unit of its kind. Its short name (`drain-timeout`) takes only the latter. */
#ifndef CONFIG_UNIT_H
#define CONFIG_UNIT_H

#include "base/text.h"

typedef enum Unit {
    UNIT_NONE,
    UNIT_MS,
    UNIT_SECONDS,
    UNIT_DAYS,
    UNIT_BYTES
} Unit;

typedef enum UnitFault {
    UNIT_OK,
    UNIT_SYNTAX,   /* no number with a unit */
    UNIT_MISSING,  /* a bare number */
    UNIT_UNKNOWN,  /* no unit of that kind */
    UNIT_FRACTION, /* not a whole number in the option's unit */
    UNIT_LARGE
} UnitFault;

/* The unit that an option's name ends in. */
Unit unit_of(Str option);
/* The name without it; the name itself for UNIT_NONE. */
Str unit_short_name(Str option);
/* "60s" or "1m30s" as a number in `unit`, which is not UNIT_NONE. */
UnitFault unit_parse(Str text, Unit unit, uint64_t *ret);
/* The number as a person would write it: "60s" for 60000 and UNIT_MS. */
void unit_print(Text *out, uint64_t number, Unit unit);
/* What may be written: "a time like \"500ms\", \"60s\", \"2m\", \"1h\" or \"7d\"". */
Str unit_takes(Unit unit);

#endif
