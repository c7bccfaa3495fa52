/* ip.h - IP addresses and prefixes as values (leaf parsers, proved).
 *
 * An IPv4-mapped IPv6 address (::ffff:a.b.c.d) is the IPv4 address: it is stored and printed so. */
#ifndef BASE_IP_H
#define BASE_IP_H

#include "base/text.h"

typedef struct IpAddress {
    uint8_t family; /* 4, 6, or 0 for none (a Unix peer) */
    uint8_t bytes[16]; /* IPv4 uses the first four */
} IpAddress;

typedef struct IpPrefix {
    IpAddress address;
    uint8_t bits; /* 0..32 or 0..128 */
} IpPrefix;

/* Reads "a.b.c.d" (four decimal parts, no leading zeros) or IPv6 text (RFC 4291 §2.2, no zone,
 * no brackets). ERR_SYNTAX otherwise. */
/*@ requires readable: \valid_read(s.at + (0 .. s.len - 1));
    requires writable: \valid(ret);
    assigns *ret \from s.at[0 .. s.len - 1];
    assigns \result \from s.at[0 .. s.len - 1]; */
MUST_USE Err ip_parse(Str s, IpAddress *ret);

/* Reads "address" or "address/bits". ERR_SYNTAX for other text, ERR_RANGE when bits are too many,
 * ERR_LIMIT when bits after the prefix are set ("10.0.0.1/8"); *ret then holds the prefix cut to
 * its bits, so that a message can name it. */
/*@ requires readable: \valid_read(s.at + (0 .. s.len - 1));
    requires writable: \valid(ret);
    assigns *ret \from s.at[0 .. s.len - 1], *ret;
    assigns \result \from s.at[0 .. s.len - 1]; */
MUST_USE Err ip_prefix_parse(Str s, IpPrefix *ret);

/* The IPv4 address of a mapped one; others unchanged. */
IpAddress ip_unmapped(IpAddress a);

bool ip_equal(IpAddress a, IpAddress b);
bool ip_prefix_holds(const IpPrefix *p, IpAddress a);

/* Canonical text (RFC 5952): lower case, longest run of zeros compressed. */
void ip_print(Text *t, IpAddress a);
void ip_prefix_print(Text *t, const IpPrefix *p);

#define IP_TEXT_MAX 46

#endif
