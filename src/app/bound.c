/* bound.c - asks the system what a socket is and where it is bound. */
#include "app/bound.h"

#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>

#include "net/address.h"

static int option_of(int fd, int name)
{
    int value = -1;
    socklen_t bytes = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &bytes) == 0 ? value : -1;
}

bool bound_listens(int fd)
{
    int protocol = option_of(fd, SO_PROTOCOL);
    return option_of(fd, SO_TYPE) == SOCK_STREAM && option_of(fd, SO_ACCEPTCONN) == 1 &&
           (protocol == IPPROTO_TCP || option_of(fd, SO_DOMAIN) == AF_UNIX);
}

/* The bound address. */
static bool name_of(int fd, Address *ret)
{
    Address a = {0};
    socklen_t bytes = sizeof a.as;
    if (getsockname(fd, &a.as.any, &bytes) != 0 || bytes > sizeof a.as) {
        return false;
    }
    a.bytes = bytes;
    *ret = a;
    return true;
}

/* The path that it is bound to; empty: none. */
static Str path_of(const Address *a)
{
    size_t head = offsetof(struct sockaddr_un, sun_path);
    size_t len = a->bytes > head ? a->bytes - head : 0;
    return str_cut(str_of(a->as.local.sun_path, len), '\0').head;
}

bool bound_is_at(int fd, const SettingsAddress *wanted)
{
    Address bound;
    const Address *a = &bound;
    if (!name_of(fd, &bound)) {
        return false;
    }
    if (wanted->unix_path.len > 0) {
        return a->as.any.sa_family == AF_UNIX && str_equal(path_of(a), wanted->unix_path);
    }
    Address to = address_ip(wanted->ip, wanted->port);
    if (a->as.any.sa_family != to.as.any.sa_family) {
        return false;
    }
    if (to.as.any.sa_family == AF_INET) {
        return a->as.v4.sin_port == to.as.v4.sin_port &&
               a->as.v4.sin_addr.s_addr == to.as.v4.sin_addr.s_addr;
    }
    return a->as.v6.sin6_port == to.as.v6.sin6_port &&
           str_equal(str_of(&a->as.v6.sin6_addr, sizeof a->as.v6.sin6_addr),
                     str_of(&to.as.v6.sin6_addr, sizeof to.as.v6.sin6_addr));
}

void bound_print(Text *t, int fd)
{
    Address bound;
    if (!name_of(fd, &bound)) {
        text_add(t, S("no socket"));
        return;
    }
    if (bound.as.any.sa_family == AF_UNIX) {
        Str path = path_of(&bound);
        text_add(t, path.len > 0 ? path : S("a Unix socket without a path"));
        return;
    }
    if (bound.as.any.sa_family != AF_INET && bound.as.any.sa_family != AF_INET6) {
        text_add(t, S("of another family"));
        return;
    }
    struct sockaddr_storage storage = {0};
    span_copy(span_of(&storage, sizeof storage), str_of(&bound.as, sizeof bound.as));
    peer_print(t, address_peer(&storage));
}

bool bound_is_alive(int fd)
{
    struct pollfd look = {.fd = fd};
    /* A Unix listener that was shut down still reports that it listens. */
    bool shut = poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
    return !shut && bound_listens(fd);
}
