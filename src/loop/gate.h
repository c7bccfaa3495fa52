/* gate.h - where threads wait until all is ready for them.
 *
 * A thread arrives when it has done what only its beginning needs; the starter waits for all to
 * arrive, closes what must be closed after them, and opens the gate. */
#ifndef LOOP_GATE_H
#define LOOP_GATE_H

#include <pthread.h>
#include <stdbool.h>

typedef struct Gate {
    pthread_mutex_t lock;
    pthread_cond_t change;
    unsigned arrived;
    bool open;
    bool cancelled;
} Gate;

void gate_init(Gate *g);
void gate_drop(Gate *g);

/* A thread: says that it has arrived. */
void gate_arrive(Gate *g);
/* A thread: waits until the gate opens. False: there is nothing to go on for. */
bool gate_pass(Gate *g);

/* Waits until `count` threads have arrived. */
void gate_wait(Gate *g, unsigned count);
/* Lets them go on, or end. */
void gate_open(Gate *g, bool go_on);

#endif
