/* fd_packet.h - descriptors that travel with a message over a Unix socket (SCM_RIGHTS). */
#ifndef APP_FD_PACKET_H
#define APP_FD_PACKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define FD_PACKET_MAX 64u /* descriptors in one message */

/* Control data of a message; a union because it must be aligned for its cmsghdr. */
typedef union FdRoom {
    struct cmsghdr head;
    uint8_t bytes[CMSG_SPACE(sizeof(int) * FD_PACKET_MAX) + CMSG_SPACE(sizeof(struct ucred))];
} FdRoom;

/* Sends `count` descriptors (1 to FD_PACKET_MAX) along; they stay the caller's. `room` is zero, and
 * must live until the packet is sent. */
void fd_packet_attach(struct msghdr *packet, FdRoom *room, const int *fds, size_t count);
/* Before recvmsg: room for `count` descriptors, and for the sender's credentials. */
void fd_packet_expect(struct msghdr *packet, FdRoom *room, size_t count);
/* Takes the descriptors that have come, at most `max`; closes the others. Returns how many. */
size_t fd_packet_take(struct msghdr *packet, int *fds, size_t max);

#endif
