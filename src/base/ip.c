/* ip.c - addresses and prefixes, read and written.
 *
 * Text of addresses decides who is blocked and who is trusted, so exactly one reading of each text
 * is accepted: no octal, no short forms, no zones. It does not know sockets. */
#include "base/ip.h"

#include "base/number.h"

#define IP6_GROUPS 8u
#define MAPPED_BITS 96u /* of ::ffff:0:0/96, in front of the IPv4 address */

/* Reads one decimal part of one to three digits at *at; -1 if there is none. */
static int ip4_part(Str s, size_t *at)
{
    size_t from = *at;
    size_t digits = 0;
    int n = 0;
    /*@ loop unroll 4; */
    while (digits < 3 && byte_is_digit(str_peek(s, from + digits))) {
        n = n * 10 + (str_peek(s, from + digits) - '0');
        digits++;
    }
    /* "010" is 8 for some readers and 10 for others */
    if (digits == 0 || n > 255 || (digits > 1 && str_peek(s, from) == '0')) {
        return -1;
    }
    *at = from + digits;
    return n;
}

/* Reads "a.b.c.d", from `from` to the end, into bytes[to..to+3] of `ret`. */
static Err ip4_read(Str s, size_t from, size_t to, IpAddress *ret)
{
    size_t i = from;
    /*@ loop unroll 5; */
    for (size_t part = 0; part < 4; part++) {
        if (part > 0 && str_peek(s, i++) != '.') {
            return ERR_SYNTAX;
        }
        int n = ip4_part(s, &i);
        if (n < 0) {
            return ERR_SYNTAX;
        }
        ret->bytes[to + part] = (uint8_t)n;
    }
    return i == s.len ? ERR_OK : ERR_SYNTAX;
}

typedef struct Ip6Reader {
    IpAddress raw; /* groups as they come, two bytes each */
    size_t count;  /* groups so far */
    size_t gap;    /* groups that are before "::"; above IP6_GROUPS: no gap */
} Ip6Reader;

/* Reads the group at `from` (one to four hexadecimal digits, or an IPv4 address at the end);
 * *ret_end is after it. */
static Err ip6_group(Ip6Reader *r, Str s, size_t from, size_t *ret_end)
{
    unsigned value = 0;
    size_t i = from;
    while (i < s.len && i - from < 4 && byte_hex_value(str_at(s, i)) >= 0) {
        value = value * 16 + (unsigned)byte_hex_value(str_at(s, i));
        i++;
    }
    if (str_peek(s, i) == '.') {
        if (r->count + 2 > IP6_GROUPS) {
            return ERR_SYNTAX;
        }
        TRY(ip4_read(s, from, r->count * 2, &r->raw));
        r->count += 2;
        *ret_end = s.len;
        return ERR_OK;
    }
    if (i == from || r->count >= IP6_GROUPS) {
        return ERR_SYNTAX;
    }
    r->raw.bytes[r->count * 2] = (uint8_t)(value >> 8);
    r->raw.bytes[r->count * 2 + 1] = (uint8_t)value;
    r->count++;
    *ret_end = i;
    return ERR_OK;
}

/* Puts the groups after the gap to the end. */
static Err ip6_place(const Ip6Reader *r, IpAddress *ret)
{
    IpAddress address = {.family = 6};
    size_t count = r->count;
    size_t gap = r->gap;
    bool has_gap = gap <= IP6_GROUPS;
    if (has_gap ? count >= IP6_GROUPS || gap > count : count != IP6_GROUPS) {
        return ERR_SYNTAX;
    }
    size_t front = has_gap ? gap * 2 : sizeof address.bytes;
    size_t skip = sizeof address.bytes - count * 2;
    /*@ split skip; */
    /*@ split front; */
    /*@ loop unroll 17; */
    for (size_t i = 0; i < sizeof address.bytes; i++) {
        if (i < front) {
            address.bytes[i] = r->raw.bytes[i];
        } else if (i >= front + skip) {
            address.bytes[i] = r->raw.bytes[i - skip];
        }
    }
    *ret = address;
    return ERR_OK;
}

/* Reads IPv6 text without turning a mapped address into IPv4. */
static Err ip6_read(Str s, IpAddress *ret)
{
    Ip6Reader r = {.gap = IP6_GROUPS + 1};
    size_t i = 0;
    if (str_peek(s, 0) == ':' && str_peek(s, 1) == ':') {
        r.gap = 0;
        i = 2;
    }
    while (i < s.len) {
        TRY(ip6_group(&r, s, i, &i));
        if (i >= s.len) {
            break;
        }
        if (str_at(s, i) != ':' || i + 1 == s.len) {
            return ERR_SYNTAX;
        }
        i++;
        if (str_at(s, i) == ':') {
            if (r.gap <= IP6_GROUPS) {
                return ERR_SYNTAX; /* one gap only */
            }
            r.gap = r.count;
            i++;
        }
    }
    return ip6_place(&r, ret);
}

static bool ip6_is_mapped(const IpAddress *a)
{
    for (size_t i = 0; i < 10; i++) {
        if (a->bytes[i] != 0) {
            return false;
        }
    }
    return a->bytes[10] == 0xff && a->bytes[11] == 0xff;
}

IpAddress ip_unmapped(IpAddress a)
{
    if (a.family != 6 || !ip6_is_mapped(&a)) {
        return a;
    }
    IpAddress four = {.family = 4};
    for (size_t i = 0; i < 4; i++) {
        four.bytes[i] = a.bytes[12 + i];
    }
    return four;
}

/*@ requires readable: \valid_read(s.at + (0 .. s.len - 1));
    requires writable: \valid(ret);
    assigns *ret \from s.at[0 .. s.len - 1], *ret;
    assigns \result \from s.at[0 .. s.len - 1]; */
static Err ip_read(Str s, IpAddress *ret)
{
    if (str_find(s, ':', 0) < s.len) {
        return ip6_read(s, ret);
    }
    IpAddress four = {.family = 4};
    TRY(ip4_read(s, 0, 0, &four));
    *ret = four;
    return ERR_OK;
}

Err ip_parse(Str s, IpAddress *ret)
{
    IpAddress address = {0};
    TRY(ip_read(s, &address));
    *ret = ip_unmapped(address);
    return ERR_OK;
}

/* The mask of byte `i` under a prefix of `bits`. */
static unsigned prefix_mask(unsigned bits, size_t i)
{
    size_t before = i * 8;
    if (bits <= before) {
        return 0;
    }
    size_t here = bits - before;
    return here >= 8 ? 0xffu : 0xffu & ~(0xffu >> here);
}

Err ip_prefix_parse(Str s, IpPrefix *ret)
{
    size_t slash = str_find(s, '/', 0);
    IpAddress address = {0};
    /*@ split slash; */
    TRY(ip_read(str_take(s, slash), &address));
    uint64_t bits_max = address.family == 4 ? 32 : 128;
    uint64_t bits = bits_max;
    if (slash < s.len) {
        Str digits = str_drop(s, slash + 1);
        if (digits.len > 1 && str_at(digits, 0) == '0') {
            return ERR_SYNTAX;
        }
        TRY(number_decimal(digits, bits_max, &bits));
    }
    Err err = ERR_OK;
    for (size_t i = 0; i < sizeof address.bytes; i++) {
        unsigned kept = address.bytes[i] & prefix_mask((unsigned)bits, i);
        if (kept != address.bytes[i]) {
            err = ERR_LIMIT;
        }
        address.bytes[i] = (uint8_t)kept;
    }
    /* A prefix of mapped addresses is one of IPv4; a shorter one stays what it is. */
    if (address.family == 6 && bits >= MAPPED_BITS && ip6_is_mapped(&address)) {
        address = ip_unmapped(address);
        bits -= MAPPED_BITS;
    }
    *ret = (IpPrefix){.address = address, .bits = (uint8_t)bits};
    return err;
}

bool ip_equal(IpAddress a, IpAddress b)
{
    bool same = a.family == b.family;
    for (size_t i = 0; i < sizeof a.bytes; i++) {
        same = same && a.bytes[i] == b.bytes[i];
    }
    return same;
}

bool ip_prefix_holds(const IpPrefix *p, IpAddress a)
{
    if (p->address.family == 0 || p->address.family != a.family) {
        return false;
    }
    for (size_t i = 0; i < sizeof a.bytes; i++) {
        if (((p->address.bytes[i] ^ a.bytes[i]) & prefix_mask(p->bits, i)) != 0) {
            return false;
        }
    }
    return true;
}

static unsigned ip6_group_of(const IpAddress *a, size_t group)
{
    return (unsigned)a->bytes[group * 2] << 8 | a->bytes[group * 2 + 1];
}

/* RFC 5952 §4.2: the longest run of at least two zero groups, the first of equal ones. */
static void ip6_longest_run(const IpAddress *a, size_t *ret_from, size_t *ret_count)
{
    size_t best_from = IP6_GROUPS;
    size_t best = 1;
    size_t run = 0;
    for (size_t i = 0; i < IP6_GROUPS; i++) {
        run = ip6_group_of(a, i) == 0 ? run + 1 : 0;
        if (run > best) {
            best = run;
            best_from = i + 1 - run;
        }
    }
    *ret_from = best_from;
    *ret_count = best_from < IP6_GROUPS ? best : 0;
}

static void ip6_print(Text *t, const IpAddress *a)
{
    size_t from = 0;
    size_t count = 0;
    ip6_longest_run(a, &from, &count);
    for (size_t i = 0; i < IP6_GROUPS; i++) {
        if (i >= from && i < from + count) {
            if (i == from) {
                text_add(t, S("::"));
            }
            continue;
        }
        if (i > 0 && i != from + count) {
            text_byte(t, ':');
        }
        text_hex(t, ip6_group_of(a, i), 1);
    }
}

/* Into a room of its own first: it goes into each forwarded request, and one check of the
 * room is enough for all four numbers. */
static void ip4_print(Text *t, const IpAddress *a)
{
    uint8_t room[sizeof "255.255.255.255" - 1];
    size_t len = 0;
    /*@ loop unroll 4; */
    for (size_t i = 0; i < 4; i++) {
        uint8_t n = a->bytes[i];
        if (i > 0) {
            room[len++] = '.';
        }
        if (n >= 100) {
            room[len++] = (uint8_t)('0' + n / 100);
        }
        if (n >= 10) {
            room[len++] = (uint8_t)('0' + n / 10 % 10);
        }
        room[len++] = (uint8_t)('0' + n % 10);
    }
    text_add(t, str_of(room, len));
}

void ip_print(Text *t, IpAddress a)
{
    if (a.family == 4) {
        ip4_print(t, &a);
    } else if (a.family == 6) {
        ip6_print(t, &a);
    }
}

void ip_prefix_print(Text *t, const IpPrefix *p)
{
    ip_print(t, p->address);
    text_byte(t, '/');
    text_u64(t, p->bits);
}
