/* scan_plain.c - the scan over field values where no vectorised form exists. */
#include "http/bytes.h"

size_t scan_value(Str s, size_t from)
{
    return scan_value_scalar(s, from);
}
