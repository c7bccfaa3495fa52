/* port_owner.h - which process listens at a TCP port, where that can be known, for the message that
 * an address is in use. */
#ifndef APP_PORT_OWNER_H
#define APP_PORT_OWNER_H

#include "base/text.h"

/* Adds " by NAME (process N)"; nothing if no process is found, because it is another user's or
 * in another namespace. Reads /proc. */
void port_owner_print(Text *out, uint16_t port);

#endif
