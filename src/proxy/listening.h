/* listening.h - a thread's listeners: accepting clients, and the change to another snapshot. */
#ifndef PROXY_LISTENING_H
#define PROXY_LISTENING_H

#include "transport/thread.h"

/* Begins or ends to look for clients. */
MUST_USE Err listening_set(Thread *t, bool on);
/* A rest is over: on, if there is room. */
void listening_again(Thread *t);
/* Somebody waits at a listener. */
void listening_on_ready(Thread *t, uint32_t listener);
/* No descriptor is left, or no place for a client: closes a connection that has been idle for long.
 * False: that has made no room yet. */
bool listening_make_room(Thread *t);
/* Keeps a descriptor back, so that newcomers can be refused when there is no other. */
void listening_keep_spare(Thread *t);
/* A client that another thread has accepted for this one. */
void listening_receive(Thread *t, const Message *m);

/* Takes up the worker's newest snapshot: new listeners are watched, those that leave are not, and
 * their clients are told to end. Between two turns only: whatever a turn has looked up in the old
 * snapshot is forgotten, but for what exchanges have pinned. */
void listening_adopt(Thread *t);

#endif
