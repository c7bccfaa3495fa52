/* gate.c - one lock, one condition, two facts. Used only at starts, where speed does not matter. */
#include "loop/gate.h"

void gate_init(Gate *g)
{
    (void)pthread_mutex_init(&g->lock, NULL);
    (void)pthread_cond_init(&g->change, NULL);
    g->arrived = 0;
    g->open = false;
    g->cancelled = false;
}

void gate_drop(Gate *g)
{
    (void)pthread_cond_destroy(&g->change);
    (void)pthread_mutex_destroy(&g->lock);
}

void gate_arrive(Gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    g->arrived++;
    (void)pthread_cond_broadcast(&g->change);
    (void)pthread_mutex_unlock(&g->lock);
}

bool gate_pass(Gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    while (!g->open) {
        (void)pthread_cond_wait(&g->change, &g->lock);
    }
    bool go_on = !g->cancelled;
    (void)pthread_mutex_unlock(&g->lock);
    return go_on;
}

void gate_wait(Gate *g, unsigned count)
{
    (void)pthread_mutex_lock(&g->lock);
    while (g->arrived < count) {
        (void)pthread_cond_wait(&g->change, &g->lock);
    }
    (void)pthread_mutex_unlock(&g->lock);
}

void gate_open(Gate *g, bool go_on)
{
    (void)pthread_mutex_lock(&g->lock);
    g->open = true;
    g->cancelled = !go_on;
    (void)pthread_cond_broadcast(&g->change);
    (void)pthread_mutex_unlock(&g->lock);
}
