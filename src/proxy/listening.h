/* listening.h - a thread's listeners: accepting clients, and the change to another snapshot. */
#ifndef PROXY_LISTENING_H
#define PROXY_LISTENING_H

#include "proxy/thread.h"

/* Begins or ends to look for clients. */
MUST_USE Err listening_set(Thread *t, bool on);
/* A rest is over: on, if there is room. */
void listening_again(Thread *t);
/* Somebody waits at a listener. */
void listening_on_ready(Thread *t, uint32_t listener);
/* A client that another thread has accepted for this one. */
void listening_receive(Thread *t, const Message *m);

/* Takes up the worker's newest snapshot: new listeners are watched, those that leave are not, and
 * their clients are told to end. Between two turns only: whatever a turn has looked up in the old
 * snapshot is forgotten, but for what exchanges have pinned. */
void listening_adopt(Thread *t);

#endif
