/* address.h - where to listen and whom to call: IP addresses with ports, and Unix paths. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/ip.h"

typedef struct Address {
    socklen_t bytes; /* 0: no address */
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } as;
} Address;

/* The peer of an accepted connection. */
typedef struct Peer {
    IpAddress ip; /* family 0: a Unix peer */
    uint16_t port;
} Peer;

Address address_ip(IpAddress ip, uint16_t port);
/* ERR_LIMIT when the path is longer than the system allows. */
MUST_USE Err address_unix(Str path, Address *ret);
/* What accept returned. IPv4-mapped addresses become IPv4. */
Peer address_peer(const struct sockaddr_storage *from);
/* "1.2.3.4:80", "[::1]:80", or "unix". */
void peer_print(Text *t, Peer p);

#define PEER_TEXT_MAX (IP_TEXT_MAX + 8)

#endif
