/* date.h - HTTP dates (RFC 9110 §5.6.7). */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include "base/text.h"

#define DATE_BYTES 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Writes seconds since 1970 as an IMF-fixdate. */
void date_print(Text *t, int64_t seconds);

/* Reads an IMF-fixdate, RFC 850 or asctime date (all three, as RFC 9110 demands); two-digit years
 * are judged against `now`. ERR_SYNTAX otherwise. */
MUST_USE Err date_parse(Str s, int64_t now, int64_t *ret);

#endif
