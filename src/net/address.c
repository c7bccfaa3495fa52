/* address.c - between our addresses and the system's. */
#include "net/address.h"

#include <arpa/inet.h>

Address address_ip(IpAddress ip, uint16_t port)
{
    Address a = {0};
    if (ip.family == 4) {
        a.bytes = sizeof a.as.v4;
        a.as.v4.sin_family = AF_INET;
        a.as.v4.sin_port = htons(port);
        span_copy(span_of(&a.as.v4.sin_addr, 4), str_of(ip.bytes, 4));
    } else {
        a.bytes = sizeof a.as.v6;
        a.as.v6.sin6_family = AF_INET6;
        a.as.v6.sin6_port = htons(port);
        span_copy(span_of(&a.as.v6.sin6_addr, 16), str_of(ip.bytes, 16));
    }
    return a;
}

Err address_unix(Str path, Address *ret)
{
    Address a = {.bytes = sizeof a.as.local};
    a.as.local.sun_family = AF_UNIX;
    TRY(str_to_c(path, span_of(a.as.local.sun_path, sizeof a.as.local.sun_path)));
    *ret = a;
    return ERR_OK;
}

static bool is_mapped(const struct in6_addr *a)
{
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return str_equal(str_of(a, 12), str_of(prefix, 12));
}

Peer address_peer(const struct sockaddr_storage *from)
{
    Peer p = {0};
    Address a = {0};
    if (from->ss_family == AF_INET) {
        span_copy(span_of(&a.as, sizeof a.as), str_of(from, sizeof a.as.v4));
        p.ip.family = 4;
        span_copy(span_of(p.ip.bytes, 16), str_of(&a.as.v4.sin_addr, 4));
        p.port = ntohs(a.as.v4.sin_port);
    } else if (from->ss_family == AF_INET6) {
        span_copy(span_of(&a.as, sizeof a.as), str_of(from, sizeof a.as.v6));
        Str bytes = str_of(&a.as.v6.sin6_addr, 16);
        bool mapped = is_mapped(&a.as.v6.sin6_addr);
        p.ip.family = mapped ? 4 : 6;
        span_copy(span_of(p.ip.bytes, 16), mapped ? str_drop(bytes, 12) : bytes);
        p.port = ntohs(a.as.v6.sin6_port);
    }
    return p;
}

void peer_print(Text *t, Peer p)
{
    if (p.ip.family == 0) {
        text_add(t, S("unix"));
        return;
    }
    if (p.ip.family == 6) {
        text_byte(t, '[');
    }
    ip_print(t, p.ip);
    text_add(t, p.ip.family == 6 ? S("]:") : S(":"));
    text_u64(t, p.port);
}
