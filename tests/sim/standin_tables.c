/* standin_tables.c - River's own builder of costly tables (proxy/table_builder.c) without its
 * thread, which the simulation's clock plays: a table takes a while. */
#include <pthread.h>

static int standin_create(pthread_t *ret, const pthread_attr_t *how, void *(*runs)(void *),
                          void *what);
static int standin_join(pthread_t thread, void **ret);
static int standin_signal(pthread_cond_t *what);

#define pthread_create standin_create
#define pthread_join standin_join
#define pthread_cond_signal standin_signal
#include "proxy/table_builder.c"
#undef pthread_create
#undef pthread_join
#undef pthread_cond_signal

#include "trial.h"

#define TABLE_NS_MOST (150 * LAN_MS) /* there are four clusters */

static TableBuilder *the_builder;

static int standin_create(pthread_t *ret, const pthread_attr_t *how, void *(*runs)(void *),
                          void *what)
{
    (void)how;
    (void)runs;
    *ret = pthread_self();
    the_builder = (TableBuilder *)what;
    gate_arrive(&the_builder->gate);
    return 0;
}

static int standin_join(pthread_t thread, void **ret)
{
    (void)thread;
    (void)ret;
    the_builder = NULL;
    return 0;
}

static int standin_signal(pthread_cond_t *what)
{
    (void)what;
    if (!the_builder->stopping) {
        lan_timer(lan_now_ns() + trial_pick(TABLE_NS_MOST), TIMER_TABLE, 0);
    }
    return 0;
}

void tables_go_on(void)
{
    if (the_builder && the_builder->state == ORDER_GIVEN) {
        order_do(the_builder);
    }
}
