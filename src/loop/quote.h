/* quote.h - foreign bytes on their way into a log line or a JSON text.
 *
 * What peers sent may hold anything. Here every byte outside of visible ASCII is escaped, so that a
 * line stays one line, a terminal stays a terminal, and JSON stays JSON. Pure. */
#ifndef LOOP_QUOTE_H
#define LOOP_QUOTE_H

#include "base/text.h"

/* "..." as a JSON string; a byte that is not visible ASCII or a blank becomes \u00XX. */
void quote_json(Text *t, Str s);
/* The same for what is UTF-8: each character becomes \uXXXX, and a byte of none \u00XX. */
void quote_json_text(Text *t, Str s);
void quote_logfmt_text(Text *t, Str s);
/* As it is when that is unambiguous, else as a JSON string; an empty value is "". */
void quote_logfmt(Text *t, Str s);
/* "..." as web servers write it: \" and \\, other bytes as \xXX. */
void quote_combined(Text *t, Str s);

typedef void (*Quote)(Text *t, Str s);

#define QUOTE_ROOM_MAX 2048u

/* Quotes `s`, truncated (with "..." appended) if its escaped form would exceed `room` bytes, which
 * is at most QUOTE_ROOM_MAX. */
void quote_within(Text *t, Quote quote, Str s, size_t room);

#endif
