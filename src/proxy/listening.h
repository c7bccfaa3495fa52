/* listening.h - a thread's listeners: accepts clients, and switches to a new snapshot. */
#ifndef PROXY_LISTENING_H
#define PROXY_LISTENING_H

#include "transport/thread.h"

/* Starts or stops watching the listeners. */
MUST_USE Err listening_set(Thread *t, bool on);
/* The pause in accepting is over: starts watching again, if there is room. */
void listening_again(Thread *t);
/* Clients wait at a listener. */
void listening_on_ready(Thread *t, uint32_t listener);
/* No descriptor, or no room for a client, is left: closes a connection that has been idle for long.
 * False: this has made no room yet. */
bool listening_make_room(Thread *t);
/* Reserves a descriptor, so that newcomers can be refused when none is left. */
void listening_keep_spare(Thread *t);
/* Takes over a client that another thread has accepted for this one. */
void listening_receive(Thread *t, const Message *m);

/* Switches to the worker's newest snapshot: watches new listeners, stops watching those that leave,
 * and drains their clients. Only between two turns: all that a turn has looked up in the old
 * snapshot becomes invalid, except what exchanges have pinned. */
void listening_adopt(Thread *t);

#endif
