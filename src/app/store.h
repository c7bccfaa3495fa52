/* store.h - keeps River's listeners in the service manager's descriptor store (FDSTORE=1 of
 * sd_notify(3)).
 *
 * When the supervisor dies, systemd ends its worker too (KillMode=), restarts River, and passes it
 * the stored descriptors (activation.h): meanwhile, new connections wait in the queue. */
#ifndef APP_STORE_H
#define APP_STORE_H

#include "app/listen.h"
#include "app/notify.h"

#define STORE_NAME_START "river-listener-" /* prefix of a descriptor's name in the store */

/* Stores the listeners that are not stored yet. False: the manager has no room now; call again. */
bool store_add(const Notify *n, ListenSet *set);
/* Removes those that `stays` (NULL: empty) does not have: they are about to be closed, and the
 * manager's copies would keep them listening. */
void store_remove(const Notify *n, const ListenSet *set, const ListenSet *stays);

#endif
