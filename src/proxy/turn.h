/* turn.h - a worker thread's loop, and its end. */
#ifndef PROXY_TURN_H
#define PROXY_TURN_H

#include "transport/thread.h"

/* One turn: waits at most `timeout_ms` (-1: until the next deadline) and handles events. */
void thread_turn(Thread *t, int timeout_ms);
/* Runs until told to stop and all its objects are gone. */
void thread_run(Thread *t);
/* Cuts everything that lives on the thread, now. */
void thread_stop_now(Thread *t);

#endif
