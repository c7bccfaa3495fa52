/* turn.h - how a worker thread goes round, and ends. */
#ifndef PROXY_TURN_H
#define PROXY_TURN_H

#include "transport/thread.h"

/* One turn: waits at most `timeout_ms` (-1: as long as deadlines allow) and handles what came. */
void thread_turn(Thread *t, int timeout_ms);
/* Runs until it is told to stop and everything on it is gone. */
void thread_run(Thread *t);
/* Cuts everything that lives on the thread, now. */
void thread_stop_now(Thread *t);

#endif
