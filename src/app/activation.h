/* activation.h - listeners bound by the service manager: systemd socket activation,
 * sd_listen_fds(3). They arrive as open descriptors starting at 3.
 *
 * A passed socket that matches a configured listener replaces one that River would bind itself, so
 * a privileged port needs no privileges and connections wait in its queue while River restarts. The
 * socket's address decides the match; its name is only for messages. A socket that matches no
 * listener is closed with a warning.
 *
 * The manager also passes listeners stored by an earlier River (store.h); River owns those. */
#ifndef APP_ACTIVATION_H
#define APP_ACTIVATION_H

#include "app/notify.h"
#include "base/text.h"
#include "config/settings.h"

#define ACTIVATION_SOCKETS_MAX 1024u
#define ACTIVATION_FIRST 3 /* the first descriptor */

/* Taken from the environment by main, which also unsets them; empty: not set. */
typedef struct ActivationVariables {
    Str pid;   /* LISTEN_PID: the process that the sockets are for */
    Str fds;   /* LISTEN_FDS: number of sockets */
    Str names; /* LISTEN_FDNAMES: colon-separated names */
} ActivationVariables;

/* Takes the passed descriptors and marks them close-on-exec. *ret_count: how many, starting at
 * ACTIVATION_FIRST. Must run in the process that was started, before it opens anything; the strings
 * in `v` must live as long as River. ERR_SYNTAX, ERR_RANGE: the variables are malformed (`why` says
 * how) and nothing was taken. */
MUST_USE Err activation_take(const ActivationVariables *v, size_t *ret_count, Text *why);

/* Finds the passed socket that listens at this address and makes it non-blocking. False: there is
 * none. The caller owns a socket with *ret_stored set. Any other is never closed: a later
 * configuration may have the listener again, and the service manager's copy keeps the address. */
MUST_USE bool activation_find(const SettingsAddress *address, int *ret_fd, bool *ret_stored);

/* Adopts a socket that was passed to the previous River and came by hand-over. */
void activation_adopt(int fd);

/* Closes and logs passed sockets that are still unclaimed; stored listeners leave the store. */
void activation_close_rest(const Notify *n);

/* Whether this descriptor was passed, whoever bound it. */
bool activation_has(int fd);

/* Whether this is a passed socket, also under another number or in a worker. The service manager
 * has a copy, so it must not be shut down: that would end it for everybody. */
bool activation_owns(int fd);

#endif
