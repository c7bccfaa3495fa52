/* bound.h - inspects bound sockets: whether they accept clients, and at which address. */
#ifndef APP_BOUND_H
#define APP_BOUND_H

#include "base/text.h"
#include "config/settings.h"

/* Whether it is a listening stream socket of a supported protocol. */
bool bound_listens(int fd);
/* The same, and the socket has not been shut down. */
bool bound_is_alive(int fd);
/* Whether it is bound to this address. */
bool bound_is_at(int fd, const SettingsAddress *wanted);
/* "192.0.2.1:80", a path, or whatever is known of the address. */
void bound_print(Text *t, int fd);

#endif
