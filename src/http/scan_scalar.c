/* scan_scalar.c - the plain form of the scan over field values: proved, and the measure of the
 * vectorised one. */
#include "http/bytes.h"

size_t scan_value_scalar(Str s, size_t from)
{
    return scan_class(s, from, BYTE_VALUE);
}
