/* listen.h - the sockets on which clients arrive: bound by the supervisor, kept for all workers.
 *
 * It knows addresses and files, nothing of HTTP; it never accepts. */
#ifndef APP_LISTEN_H
#define APP_LISTEN_H

#include <sys/types.h>

#include "app/activation.h"
#include "base/arena.h"
#include "base/text.h"
#include "config/settings.h"

typedef struct ListenSocket {
    int fd;        /* -1 once closed */
    Str name;      /* the address's canonical text */
    bool passed;   /* by the service manager, which keeps it when we end */
    Str unix_path; /* of a file that is ours to remove; empty: none */
    dev_t device;  /* of the Unix socket's file, so that only our own is removed */
    ino_t inode;
} ListenSocket;

typedef struct ListenSet {
    size_t room;
    ListenSocket *at COUNTED_BY(room);
    size_t count;
} ListenSet;

/* Binds every address of the settings, in their order; what was passed at the start is used instead
 * where it fits, and closed where it does not. "[::]:P" serves IPv4 too
 * unless an IPv4 listener of that port stands in the settings. A Unix socket's file that nobody
 * answers on is replaced. On failure everything is closed again and `why` names the address. */
MUST_USE Err listen_open(Arena *arena, const Settings *settings, Activation *passed, ListenSet *ret,
                         Text *why);

/* Closes this process's copies. The supervisor also removes the files of Unix sockets. */
void listen_close(ListenSet *set, bool remove_files);

/* A listening Unix socket at `path`, of this mode (0: as the umask says). ERR_EXISTS: a process
 * answers there, or the file is no socket; `why` says which. */
MUST_USE Err listen_unix(Str path, uint16_t mode, ListenSocket *ret, Text *why);

#endif
