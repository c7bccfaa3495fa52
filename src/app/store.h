/* store.h - River's own listeners in the service manager's descriptor store (FDSTORE=1 of
 * sd_notify(3)).
 *
 * When the supervisor dies, systemd ends its worker, too (KillMode=), starts River again, and
 * passes it what is in the store (activation.h): who connects meanwhile waits in the queue. */
#ifndef APP_STORE_H
#define APP_STORE_H

#include "app/listen.h"
#include "app/notify.h"

#define STORE_NAME_START "river-listener-" /* of a descriptor in the store */

/* Gives what is not there yet. False: the manager has no room for news, so call again. */
bool store_add(const Notify *n, ListenSet *set);
/* Takes out those that `stays` (NULL: nothing) does not have as well: they are about to be closed,
 * and the manager's copies would keep them listening. */
void store_remove(const Notify *n, const ListenSet *set, const ListenSet *stays);

#endif
