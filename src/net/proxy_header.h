/* proxy_header.h - the PROXY protocol's header, versions 1 and 2 (leaf parser, proved).
 *
 * A balancer in front of River opens each connection with it to say who the client is
 * (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt; "PP" below). Pure: whether the peer
 * may say so is decided elsewhere. */
#ifndef NET_PROXY_HEADER_H
#define NET_PROXY_HEADER_H

#include "base/ip.h"

#define PROXY_HEADER_V1_BYTES_MAX 107u /* PP §2.1, with its CRLF */
/* Addresses take 216 bytes at most, and what balancers add is mostly below 1 KiB: a longer header
 * is refused before it is read. */
#define PROXY_HEADER_BYTES_MAX 4096u

typedef enum ProxySource {
    PROXY_SOURCE_PEER, /* the balancer itself (a health check), or one that it cannot tell */
    PROXY_SOURCE_IP,
    PROXY_SOURCE_UNIX
} ProxySource;

typedef struct ProxyHeader {
    size_t bytes; /* of the header: what follows is the client's */
    ProxySource source;
    IpAddress ip; /* of PROXY_SOURCE_IP */
    uint16_t port;
} ProxyHeader;

/* Reads the header that `s` starts with. ERR_INCOMPLETE: it is not whole yet (it can become one);
 * ERR_SYNTAX: it is not a header; ERR_LIMIT: a version 2 header above PROXY_HEADER_BYTES_MAX. */
/*@ requires readable: \valid_read(s.at + (0 .. s.len - 1));
    requires writable: \valid(ret);
    assigns *ret \from s.at[0 .. s.len - 1], *ret;
    assigns \result \from s.at[0 .. s.len - 1]; */
MUST_USE Err proxy_header_parse(Str s, ProxyHeader *ret);

/* CRC-32C (Castagnoli) of the bytes [from, to), going on from `crc` (start with 0). */
uint32_t proxy_crc32c(Str s, size_t from, size_t to, uint32_t crc);

#endif
