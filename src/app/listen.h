/* listen.h - the sockets on which clients arrive: bound by the supervisor, kept for all workers.
 *
 * It knows addresses and files, nothing of HTTP; it never accepts. */
#ifndef APP_LISTEN_H
#define APP_LISTEN_H

#include <sys/types.h>

#include "base/str_map.h"
#include "base/text.h"
#include "config/settings.h"

typedef struct ListenSocket {
    int fd;        /* -1 once closed */
    bool shared;   /* the configuration before has it, too */
    Str name;      /* the address's canonical text */
    bool passed;   /* by the service manager (activation.h), which has it, too */
    bool stored;   /* ours, and the service manager keeps a copy of it (store.h) */
    uint16_t mode; /* of a Unix socket's file that is shared: to be set; 0: as it is */
    Str unix_path; /* of a file that is ours to remove; empty: none */
    dev_t device;  /* of the Unix socket's file, so that only our own is removed */
    ino_t inode;
} ListenSocket;

typedef struct ListenSet {
    size_t room;
    ListenSocket *at COUNTED_BY(room);
    size_t count;
    StrMap names;
} ListenSet;

/* Binds every address of the settings, in their order, but for those that `before` (NULL: none) has
 * a socket for: that is shared; and those that were passed at the start. "[::]:P" serves IPv4 too
 * unless an IPv4 listener of that port stands in the settings. An address may overlap with one of
 * `before` that goes. A Unix socket's file that nobody
 * answers on is replaced. On failure `why` names the address, and *ret has what was opened so far.
 * */
MUST_USE Err listen_open(Arena *arena, const Settings *settings, const ListenSet *before,
                         ListenSet *ret, Text *why);

/* Whether a set (NULL: an empty one) has a socket of this name open, and at which place. */
bool listen_find(const ListenSet *set, Str name, uint32_t *ret);
/* Of a Unix socket that comes from elsewhere: its file, which is ours to remove some day. */
void listen_find_file(ListenSocket *socket);

/* Sets the modes of the Unix sockets that are shared, once the set holds. */
void listen_settle(const ListenSet *set);

/* A worker has copies, and can shut a socket, which ends it for all. Sees to it that all
 * listen at the addresses of the settings, of which the set is: TCP listens again on the same
 * socket; what cannot is bound anew, under the same number. Says so in the log. True: some were
 * bound anew, and a worker that was started before has the dead ones. */
bool listen_mend(ListenSet *set, const Settings *settings);

/* Refuses newcomers at once, whoever has copies: shuts the sockets, but for those that the service
 * manager has, too: there newcomers wait for the next River. */
void listen_refuse(const ListenSet *set);

/* Closes this process's copies, but for those that `stays` (NULL: none) has, too. With
 * `remove_files` the files of Unix sockets that are closed go as well. */
void listen_close(ListenSet *set, const ListenSet *stays, bool remove_files);

/* A listening Unix socket at `path`, of this mode (0: as the umask says). ERR_EXISTS: a process
 * answers there, or the file is no socket; `why` says which. */
MUST_USE Err listen_unix(Str path, uint16_t mode, ListenSocket *ret, Text *why);

#endif
