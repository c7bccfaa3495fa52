/* forwarded_for.h - the entries of X-Forwarded-For and its like, from the last to the first (leaf
 * parsers, proved).
 *
 * Each proxy appends the address of its own peer, so the list is read from its end, and only as far
 * as the proxies are trusted that wrote it. */
#ifndef HTTP_FORWARDED_FOR_H
#define HTTP_FORWARDED_FOR_H

#include "base/ip.h"

/* Reads one entry without blanks around it: an address, also with a port as Azure's gateways and
 * IIS write it ("192.0.2.1:4711", "[2001:db8::1]:4711"), or in brackets alone. ERR_SYNTAX for all
 * else ("unknown", names, obfuscated ones). */
/*@ requires readable: \valid_read(s.at + (0 .. s.len - 1));
    requires writable: \valid(ret);
    assigns *ret \from s.at[0 .. s.len - 1], *ret;
    assigns \result \from s.at[0 .. s.len - 1]; */
MUST_USE Err forwarded_address(Str s, IpAddress *ret);

/* The last entry of a field line before `*end` (start with the line's length): its bounds without
 * the blanks around it; it may be empty. *end becomes the place of its comma. false when nothing
 * is left. */
MUST_USE bool forwarded_last(Str line, size_t *end, size_t *ret_from, size_t *ret_to);

#endif
