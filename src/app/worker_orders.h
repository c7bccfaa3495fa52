/* worker_orders.h - what a worker goes by, from the supervisor to the channel: at its start, and at
 * a reload. */
#ifndef APP_WORKER_ORDERS_H
#define APP_WORKER_ORDERS_H

#include "app/channel.h"
#include "app/configuration.h"
#include "app/logs.h"
#include "app/process_manager.h"

/* What a worker starts with. */
struct WorkerSetup {
    const Configuration *configuration; /* open */
    const Logs *logs;
    unsigned threads;
    int state; /* what the worker before has written (proxy/dump.h); -1: nothing */
};

/* Sends all of it. The worker reads while this sends, so it waits for at most a second where the
 * worker does not go on; errors as of channel_order. The descriptors stay the caller's. */
MUST_USE Err worker_send_start(const ChannelEnd *to, const WorkerSetup *setup);
/* The same for a configuration that a worker is to go on by: its sockets that the worker does not
 * have yet, and its settings. */
MUST_USE Err worker_send_configuration(const ChannelEnd *to, const Configuration *c);

#endif
