/* activation.h - listeners that the service manager has bound: systemd's socket activation,
 * sd_listen_fds(3). They are passed as open descriptors from 3 on.
 *
 * What fits a listener of the configuration is used in place of a socket of River's own, so that a
 * privileged port needs no privileges, and newcomers wait in its queue while River restarts. The
 * socket's own address decides; its name is for messages. What fits none is closed, with a
 * warning.
 *
 * The manager also passes what an earlier River has stored (store.h); that is River's own. */
#ifndef APP_ACTIVATION_H
#define APP_ACTIVATION_H

#include "app/notify.h"
#include "base/text.h"
#include "config/settings.h"

#define ACTIVATION_SOCKETS_MAX 1024u
#define ACTIVATION_FIRST 3 /* the first descriptor */

/* What main found in the environment, and removed from it; empty: not set. */
typedef struct ActivationVariables {
    Str pid;   /* LISTEN_PID: for whom the sockets are */
    Str fds;   /* LISTEN_FDS: how many */
    Str names; /* LISTEN_FDNAMES: separated by colons */
} ActivationVariables;

/* Takes what was passed: from now on it is closed on exec. *ret_count: so many descriptors, from
 * ACTIVATION_FIRST on. Must run in the process that was started before that opens anything; what
 * `v` holds must live as long as River. ERR_SYNTAX, ERR_RANGE: `why` says what is wrong with the
 * variables; then nothing was taken. */
MUST_USE Err activation_take(const ActivationVariables *v, size_t *ret_count, Text *why);

/* The passed socket that listens at this address; non-blocking from now on. False: there is none.
 * One that was *ret_stored is the caller's now. Any other is never closed: a configuration without
 * the listener may be followed by one that has it again, and the service manager's own copy keeps
 * the address. */
MUST_USE bool activation_find(const SettingsAddress *address, int *ret_fd, bool *ret_stored);

/* A socket that was passed to the River before this one, which has handed it over. */
void activation_adopt(int fd);

/* Closes what is still unclaimed, and logs it; stored listeners leave the store. */
void activation_close_rest(const Notify *n);

/* Whether it was passed, no matter who bound it. */
bool activation_has(int fd);

/* Whether it is a passed socket, also under another number or in a worker. The service manager has
 * it, too, so it must not be shut down: that ends it for everybody. */
bool activation_owns(int fd);

#endif
