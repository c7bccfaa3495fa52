/* proxy_header.c - reading the PROXY protocol's header from the first bytes of a connection.
 *
 * It is read again from its start when more bytes have come, so that no state can be wrong between
 * two pieces. What cannot become a header is refused with the first byte that shows it. */
#include "net/proxy_header.h"

#include "base/number.h"

#define V1_START S("PROXY ")
#define V2_START S("\r\n\r\n\0\r\nQUIT\n")
#define V2_FIXED_BYTES 16u /* signature, version and command, family, length */

enum { V2_LOCAL = 0, V2_PROXY = 1 };
enum { V2_UNSPEC = 0, V2_IP4 = 1, V2_IP6 = 2, V2_UNIX = 3 };
enum { V2_STREAM = 1, V2_DATAGRAM = 2 };

#define V2_IP4_BYTES 12u
#define V2_IP6_BYTES 36u
#define V2_UNIX_BYTES 216u

#define TLV_HEAD_BYTES 3u
#define TLV_CRC32C 0x03u
#define TLV_CRC32C_BYTES 4u

/* --- version 1: one line of text (PP §2.1) --------------------------------------------------- */

/* The port in the bytes [from, to): a decimal number below 65536, without leading zeros. */
static Err read_port(Str s, size_t from, size_t to, uint16_t *ret)
{
    uint64_t port = 0;
    if (to > from + 1 && str_peek(s, from) == '0') {
        return ERR_SYNTAX;
    }
    if (number_decimal_in(s, from, to, UINT16_MAX, &port) != ERR_OK) {
        return ERR_SYNTAX;
    }
    *ret = (uint16_t)port;
    return ERR_OK;
}

/* The first `byte` in [from, end), or `end`. */
static size_t find_within(Str s, uint8_t byte, size_t from, size_t end)
{
    for (size_t i = from; i < end && i < s.len; i++) {
        if (str_at(s, i) == byte) {
            return i;
        }
    }
    return end;
}

/* The address in the bytes [from, to), of the family that the line names: IPv6 text may be a mapped
 * IPv4 address. */
static Err read_ip(Str s, size_t from, size_t to, bool six, IpAddress *ret)
{
    Str word = s;
    if (from >= to || six != (find_within(s, ':', from, to) < to)) {
        return ERR_SYNTAX;
    }
    /*@ split from; */
    word = str_take(str_drop(s, from), to - from);
    return ip_parse(word, ret);
}

/* Two addresses and two ports, one space between each, in the bytes [from, end). */
static Err v1_addresses(Str s, size_t from, size_t end, bool six, ProxyHeader *ret)
{
    IpAddress to = {0};
    uint16_t to_port = 0;
    size_t ip_end = find_within(s, ' ', from, end);
    size_t to_end = find_within(s, ' ', ip_end + 1, end);
    size_t port_end = find_within(s, ' ', to_end + 1, end);
    TRY(read_ip(s, from, ip_end, six, &ret->ip));
    TRY(read_ip(s, ip_end + 1, to_end, six, &to));
    TRY(read_port(s, to_end + 1, port_end, &ret->port));
    TRY(read_port(s, port_end + 1, end, &to_port));
    ret->source = PROXY_SOURCE_IP;
    return ERR_OK;
}

/* How long the line is with its CRLF; 0: that is not there. */
static size_t v1_line_bytes(Str line)
{
    for (size_t i = V1_START.len; i + 1 < line.len; i++) {
        if (str_at(line, i) == '\r' && str_at(line, i + 1) == '\n') {
            return i + 2;
        }
    }
    return 0;
}

static Err v1_parse(Str s, ProxyHeader *ret)
{
    Str line = str_take(s, PROXY_HEADER_V1_BYTES_MAX);
    size_t bytes = v1_line_bytes(line);
    if (bytes < V1_START.len + 2) {
        return line.len < PROXY_HEADER_V1_BYTES_MAX ? ERR_INCOMPLETE : ERR_SYNTAX;
    }
    ProxyHeader header = {.bytes = bytes};
    size_t word = V1_START.len;
    size_t end = bytes - 2;
    if (str_stands(line, word, S("TCP4 "))) {
        TRY(v1_addresses(line, word + 5, end, false, &header));
    } else if (str_stands(line, word, S("TCP6 "))) {
        TRY(v1_addresses(line, word + 5, end, true, &header));
    } else if (!str_equal(str_slice(line, word, find_within(line, ' ', word, end)), S("UNKNOWN"))) {
        return ERR_SYNTAX;
    }
    *ret = header;
    return ERR_OK;
}

/* --- version 2: binary (PP §2.2) ------------------------------------------------------------- */

static unsigned word_at(Str s, size_t at)
{
    return (unsigned)str_at(s, at) << 8 | str_at(s, at + 1);
}

uint32_t proxy_crc32c(Str s, size_t from, size_t to, uint32_t crc)
{
    crc = ~crc;
    for (size_t i = from; i < to && i < s.len; i++) {
        crc ^= str_at(s, i);
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
        }
    }
    return ~crc;
}

/* Whether the checksum, whose four bytes are at `at`, is that of the header with zeros in its
 * place (PP §2.2.4). */
static bool crc_matches(Str header, size_t at)
{
    static const uint8_t zeros[TLV_CRC32C_BYTES];
    uint32_t crc = proxy_crc32c(header, 0, at, 0);
    crc = proxy_crc32c(str_of(zeros, sizeof zeros), 0, sizeof zeros, crc);
    crc = proxy_crc32c(header, at + TLV_CRC32C_BYTES, header.len, crc);
    return crc == ((uint32_t)word_at(header, at) << 16 | word_at(header, at + 2));
}

/* What follows the addresses: each piece has a type and a length. All are skipped but a checksum,
 * which must be right, and there once. */
static Err v2_pieces(Str header, size_t from)
{
    size_t at = from;
    size_t crc_at = 0;
    while (at < header.len) {
        if (at + TLV_HEAD_BYTES > header.len) {
            return ERR_SYNTAX;
        }
        size_t bytes = word_at(header, at + 1);
        bool is_crc = str_at(header, at) == TLV_CRC32C;
        at += TLV_HEAD_BYTES;
        if (is_crc) {
            if (bytes != TLV_CRC32C_BYTES || crc_at > 0 || at + TLV_CRC32C_BYTES > header.len) {
                return ERR_SYNTAX;
            }
            crc_at = at;
        }
        at += bytes;
    }
    if (at > header.len) { /* the last piece says that it is longer than the header */
        return ERR_SYNTAX;
    }
    return crc_at == 0 || crc_matches(header, crc_at) ? ERR_OK : ERR_SYNTAX;
}

static Err v2_read_ip(Str header, bool six, ProxyHeader *ret)
{
    IpAddress ip = {.family = six ? 6 : 4};
    size_t bytes = six ? 16 : 4;
    if (header.len < V2_FIXED_BYTES + 2 * bytes + 2) {
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < bytes; i++) {
        ip.bytes[i] = str_at(header, V2_FIXED_BYTES + i);
    }
    ret->source = PROXY_SOURCE_IP;
    ret->ip = ip_unmapped(ip);
    ret->port = (uint16_t)word_at(header, V2_FIXED_BYTES + 2 * bytes); /* after both addresses */
    return ERR_OK;
}

/* Bytes of both addresses and ports. */
static size_t v2_address_bytes(unsigned family)
{
    return family == V2_IP4 ? V2_IP4_BYTES : family == V2_IP6 ? V2_IP6_BYTES : V2_UNIX_BYTES;
}

/* The whole header of a PROXY command. A combination that is valid and means nothing here
 * (datagrams) counts as unspecified, as PP §2.2 asks. */
static Err v2_proxy(Str header, ProxyHeader *ret)
{
    unsigned family = str_at(header, 13) >> 4;
    unsigned transport = str_at(header, 13) & 15;
    if (family == V2_UNSPEC && transport == 0) {
        return ERR_OK; /* whatever follows is ignored (PP §2.2) */
    }
    if (family == V2_UNSPEC || family > V2_UNIX ||
        (transport != V2_STREAM && transport != V2_DATAGRAM)) {
        return ERR_SYNTAX;
    }
    size_t pieces = V2_FIXED_BYTES + v2_address_bytes(family);
    if (header.len < pieces) {
        return ERR_SYNTAX;
    }
    TRY(v2_pieces(header, pieces));
    if (transport == V2_DATAGRAM) {
        return ERR_OK;
    }
    if (family == V2_UNIX) {
        ret->source = PROXY_SOURCE_UNIX;
        return ERR_OK;
    }
    return family == V2_IP6 ? v2_read_ip(header, true, ret) : v2_read_ip(header, false, ret);
}

static Err v2_parse(Str s, ProxyHeader *ret)
{
    if (s.len > 12) {
        unsigned command = str_at(s, 12) & 15;
        if (str_at(s, 12) >> 4 != 2 || (command != V2_LOCAL && command != V2_PROXY)) {
            return ERR_SYNTAX;
        }
    }
    if (s.len < V2_FIXED_BYTES) {
        return ERR_INCOMPLETE;
    }
    ProxyHeader header = {.bytes = V2_FIXED_BYTES + word_at(s, 14)};
    if (header.bytes > PROXY_HEADER_BYTES_MAX) {
        return ERR_LIMIT;
    }
    if (s.len < header.bytes) {
        return ERR_INCOMPLETE;
    }
    /*@ split header.bytes; */
    if ((str_at(s, 12) & 15) == V2_PROXY) { /* all that LOCAL carries is ignored (PP §2.2) */
        TRY(v2_proxy(str_take(s, header.bytes), &header));
    }
    *ret = header;
    return ERR_OK;
}

Err proxy_header_parse(Str s, ProxyHeader *ret)
{
    if (str_starts(s, V1_START)) {
        return v1_parse(s, ret);
    }
    if (str_starts(s, V2_START)) {
        return v2_parse(s, ret);
    }
    return str_starts(V1_START, s) || str_starts(V2_START, s) ? ERR_INCOMPLETE : ERR_SYNTAX;
}
