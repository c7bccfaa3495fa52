/* table_builder.c - see table_builder.h. */
#include "proxy/table_builder.h"

#include <pthread.h>

#include "loop/gate.h"

#define TABLE_BLOCK_BYTES 4000u
#define STACK_BYTES (128u << 10)

typedef enum OrderState { ORDER_NONE, ORDER_GIVEN, ORDER_DONE } OrderState;

struct TableBuilder {
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool stopping;
    OrderState state;
    const EndpointSet *set;
    CostlyTable *made;
    Gate gate; /* opened once the thread runs */
    pthread_t thread;
};

/* --- tables ---------------------------------------------------------------------------------- */

void costly_table_drop(CostlyTable *t)
{
    if (t) {
        arena_reset(&t->arena);
        blocks_drop(&t->blocks);
        memory_drop(NULL, t, sizeof *t);
    }
}

void costly_table_release(CostlyTable *t)
{
    t->holders--;
    if (t->holders == 0) {
        costly_table_drop(t);
    }
}

CostlyTable *costly_table_new(const EndpointSet *set)
{
    CostlyTable *t = (CostlyTable *)memory_new(NULL, sizeof *t);
    if (!t) {
        return NULL;
    }
    blocks_init(&t->blocks, NULL, TABLE_BLOCK_BYTES, 0);
    arena_init(&t->arena, &t->blocks, TABLE_BYTES_MAX);
    t->set = set->number;
    t->table = set->balancer->build(set, &t->arena);
    if (!t->table) {
        costly_table_drop(t);
        return NULL;
    }
    return t;
}

/* --- the thread ------------------------------------------------------------------------------ */

/* Waits for a job; false: there will be none. */
static bool order_wait(TableBuilder *b)
{
    (void)pthread_mutex_lock(&b->lock);
    while (b->state != ORDER_GIVEN && !b->stopping) {
        (void)pthread_cond_wait(&b->change, &b->lock);
    }
    bool go_on = !b->stopping;
    (void)pthread_mutex_unlock(&b->lock);
    return go_on;
}

static void order_do(TableBuilder *b)
{
    CostlyTable *made = costly_table_new(b->set);
    (void)pthread_mutex_lock(&b->lock);
    b->made = made;
    b->state = ORDER_DONE;
    (void)pthread_mutex_unlock(&b->lock);
}

static void *builder_main(void *argument)
{
    TableBuilder *b = (TableBuilder *)argument;
    gate_arrive(&b->gate);
    while (order_wait(b)) {
        order_do(b);
    }
    return NULL;
}

static void builder_free(TableBuilder *b)
{
    costly_table_drop(b->made);
    gate_drop(&b->gate);
    (void)pthread_cond_destroy(&b->change);
    (void)pthread_mutex_destroy(&b->lock);
    memory_drop(NULL, b, sizeof *b);
}

Err table_builder_open(TableBuilder **ret)
{
    TableBuilder *b = (TableBuilder *)memory_new(NULL, sizeof *b);
    if (!b) {
        return ERR_MEMORY;
    }
    (void)pthread_mutex_init(&b->lock, NULL);
    (void)pthread_cond_init(&b->change, NULL);
    gate_init(&b->gate);
    pthread_attr_t small;
    (void)pthread_attr_init(&small);
    (void)pthread_attr_setstacksize(&small, STACK_BYTES);
    bool begun = pthread_create(&b->thread, &small, builder_main, b) == 0;
    (void)pthread_attr_destroy(&small);
    if (!begun) {
        builder_free(b);
        return ERR_SYSTEM;
    }
    gate_wait(&b->gate, 1);
    *ret = b;
    return ERR_OK;
}

void table_builder_close(TableBuilder *b)
{
    if (!b) {
        return;
    }
    (void)pthread_mutex_lock(&b->lock);
    b->stopping = true;
    (void)pthread_cond_signal(&b->change);
    (void)pthread_mutex_unlock(&b->lock);
    (void)pthread_join(b->thread, NULL);
    builder_free(b);
}

void table_builder_order(TableBuilder *b, const EndpointSet *set)
{
    (void)pthread_mutex_lock(&b->lock);
    CHECK(b->state == ORDER_NONE);
    b->set = set;
    b->state = ORDER_GIVEN;
    (void)pthread_cond_signal(&b->change);
    (void)pthread_mutex_unlock(&b->lock);
}

bool table_builder_take(TableBuilder *b, CostlyTable **ret)
{
    (void)pthread_mutex_lock(&b->lock);
    bool done = b->state == ORDER_DONE;
    if (done) {
        *ret = b->made;
        b->made = NULL;
        b->state = ORDER_NONE;
    }
    (void)pthread_mutex_unlock(&b->lock);
    return done;
}
