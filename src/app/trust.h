/* trust.h - whom River trusts at the Unix sockets over which it is told something, or tells itself.
 *
 * Trusted are root and the user that this process runs as: both could take its place anyway. */
#ifndef APP_TRUST_H
#define APP_TRUST_H

#include "base/text.h"

/* This socket accepts no descriptors any more (Linux 6.16; the sender gets EPERM). One that
 * was sent and not asked for would be closed by us, and that may wait as long as the sender wants
 * (SO_LINGER). Older kernels cannot refuse: then only who may connect protects. */
void trust_no_descriptors(int fd);

/* Whether the process at the other end, as it was when it connected or began to listen, is
 * trusted; else ERR_DENIED, and `why` names its user. */
MUST_USE Err trust_check_peer(int fd, Text *why);
/* The process that has connected; 0: not known. */
int trust_peer_process(int fd);

/* Whether none but trusted users can put a file at `path`: each directory on the way belongs to one
 * of them and none else may write to it, but for ancestors with the sticky bit (/tmp), where others
 * cannot replace what is ours. Else ERR_DENIED, and `why` names the directory; ERR_MISSING where
 * there is none. */
MUST_USE Err trust_check_directory(Str path, Text *why);

#endif
