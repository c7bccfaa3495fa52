/* fd_packet.c - see fd_packet.h. */
#include "app/fd_packet.h"

#include <unistd.h>

#include "base/number.h"
#include "base/str.h"

void fd_packet_attach(struct msghdr *packet, FdRoom *room, const int *fds, size_t count)
{
    size_t bytes = sizeof(int) * count;
    CHECK(count > 0 && count <= FD_PACKET_MAX);
    packet->msg_control = room->bytes;
    packet->msg_controllen = CMSG_SPACE(bytes);
    struct cmsghdr *control = CMSG_FIRSTHDR(packet);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(bytes);
    (void)span_copy(span_of(CMSG_DATA(control), bytes), str_of(fds, bytes));
}

void fd_packet_expect(struct msghdr *packet, FdRoom *room, size_t count)
{
    CHECK(count <= FD_PACKET_MAX);
    packet->msg_control = room->bytes;
    packet->msg_controllen = CMSG_SPACE(sizeof(int) * count) + CMSG_SPACE(sizeof(struct ucred));
}

size_t fd_packet_take(struct msghdr *packet, int *fds, size_t max)
{
    size_t taken = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(packet); c; c = CMSG_NXTHDR(packet, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        Str rest = str_of(CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
        for (int fd = -1; rest.len >= sizeof fd; rest = str_drop(rest, sizeof fd)) {
            (void)span_copy(span_of(&fd, sizeof fd), str_take(rest, sizeof fd));
            if (taken < max) {
                fds[taken++] = fd;
            } else {
                (void)close(fd);
            }
        }
    }
    return taken;
}
