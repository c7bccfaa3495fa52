/* scan_plain.c - the scans over field names and values where no vectorised form exists. */
#include "http/bytes.h"

size_t scan_value(Str s, size_t from)
{
    return scan_value_scalar(s, from);
}

size_t scan_name(Str s, size_t from)
{
    return scan_name_scalar(s, from);
}
