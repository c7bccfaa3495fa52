/* trust.h - which peers River trusts at the Unix sockets that it takes and gives orders over.
 *
 * Trusted are root and the user that this process runs as: both could take its place anyway. */
#ifndef APP_TRUST_H
#define APP_TRUST_H

#include "base/text.h"

/* Makes this socket refuse descriptors (Linux 6.16; the sender gets EPERM). We would have to close
 * an unrequested one, which may block for as long as the sender wants (SO_LINGER). Older kernels
 * cannot refuse; then the only protection is who may connect. */
void trust_no_descriptors(int fd);

/* Whether the peer process, as of its connect() or listen(), is trusted; else ERR_DENIED, and `why`
 * names its user. */
MUST_USE Err trust_check_peer(int fd, Text *why);
/* The connected process; 0: unknown. */
int trust_peer_process(int fd);

/* Whether only trusted users can put a file at `path`: each directory on the path must belong to
 * one of them and be writable by no one else, except for ancestors with the sticky bit (/tmp),
 * where others cannot replace our files. Else ERR_DENIED, and `why` names the directory;
 * ERR_MISSING if there is none. */
MUST_USE Err trust_check_directory(Str path, Text *why);

#endif
