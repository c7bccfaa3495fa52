/* listen.h - the listening sockets: bound by the supervisor, kept across workers.
 *
 * It knows addresses and files, nothing of HTTP, and never accepts. */
#ifndef APP_LISTEN_H
#define APP_LISTEN_H

#include <sys/types.h>

#include "base/str_map.h"
#include "base/text.h"
#include "config/settings.h"

typedef struct ListenSocket {
    int fd;        /* -1 once closed */
    bool shared;   /* the previous configuration has it too */
    Str name;      /* the address's canonical text */
    bool passed;   /* by the service manager (activation.h), which has it too */
    bool stored;   /* ours, with a copy in the service manager's store (store.h) */
    uint16_t mode; /* to be set on the file of a shared Unix socket; 0: leave it */
    Str unix_path; /* of a file that we must remove; empty: none */
    dev_t device;  /* of the Unix socket's file, so that only our own is removed */
    ino_t inode;
} ListenSocket;

typedef struct ListenSet {
    size_t room;
    ListenSocket *at COUNTED_BY(room);
    size_t count;
    StrMap names;
} ListenSet;

/* Binds every address of the settings, in order, except those that `before` (NULL: none) has a
 * socket for, which is shared, and those passed at the start. "[::]:P" also serves IPv4 unless the
 * settings have an IPv4 listener on that port. An address may overlap with one of `before` that
 * goes away. A stale Unix socket file is replaced. On failure `why` names the address, and *ret
 * holds what was opened so far. */
MUST_USE Err listen_open(Arena *arena, const Settings *settings, const ListenSet *before,
                         ListenSet *ret, Text *why);

/* Whether a set (NULL: empty) has an open socket of this name, and its index. */
bool listen_find(const ListenSet *set, Str name, uint32_t *ret);
/* Finds the file of a Unix socket that was bound elsewhere; it is ours to remove later. */
void listen_find_file(ListenSocket *socket);

/* Sets the modes of shared Unix sockets, once the set is in force. */
void listen_settle(const ListenSet *set);

/* A worker has copies of the sockets and can shut them down, which ends them for everybody. Makes
 * all of them listen again at the addresses of the settings that the set was made from: TCP listens
 * again on the same socket; the others are bound anew under the same descriptor number. Logs it.
 * True: some were bound anew, and workers started before still have the dead ones. */
bool listen_mend(ListenSet *set, const Settings *settings);

/* Refuses new connections at once, whoever has copies: shuts the sockets down, except those that
 * the service manager has too; there, connections wait for the next River. */
void listen_refuse(const ListenSet *set);

/* Closes this process's copies, except those that `stays` (NULL: none) has too. `remove_files`:
 * also removes the files of closed Unix sockets. */
void listen_close(ListenSet *set, const ListenSet *stays, bool remove_files);

/* A listening Unix socket at `path` with this mode (0: by the umask). ERR_EXISTS: a process answers
 * there, or the file is not a socket; `why` says which. */
MUST_USE Err listen_unix(Str path, uint16_t mode, ListenSocket *ret, Text *why);

#endif
