/* scan_scalar.c - the plain form of the scans over field names and values: proved, and the measure
 * of the vectorised ones. */
#include "http/bytes.h"

size_t scan_value_scalar(Str s, size_t from)
{
    return scan_class(s, from, BYTE_VALUE);
}

size_t scan_name_scalar(Str s, size_t from)
{
    return scan_class(s, from, BYTE_TOKEN);
}
