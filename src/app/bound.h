/* bound.h - what a bound socket is: whether clients can be accepted from it, and where. */
#ifndef APP_BOUND_H
#define APP_BOUND_H

#include "base/text.h"
#include "config/settings.h"

/* Whether it is a listening stream socket that speaks what we speak. */
bool bound_listens(int fd);
/* The same, and it was not shut down. */
bool bound_is_alive(int fd);
/* Whether it is bound to this address. */
bool bound_is_at(int fd, const SettingsAddress *wanted);
/* "192.0.2.1:80", a path, or what can be said of it. */
void bound_print(Text *t, int fd);

#endif
