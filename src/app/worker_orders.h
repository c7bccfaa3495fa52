/* worker_orders.h - sends a worker its configuration over the channel: at the start and at
 * reloads. */
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
    int state; /* the previous worker's dump (proxy/dump.h); -1: none */
};

/* Sends all of it. The worker reads meanwhile; waits at most a second while it does not. Errors as
 * of channel_order. The caller keeps the descriptors. */
MUST_USE Err worker_send_start(const ChannelEnd *to, const WorkerSetup *setup);
/* The same for a new configuration: the sockets that the worker does not have yet, and the
 * settings. */
MUST_USE Err worker_send_configuration(const ChannelEnd *to, const Configuration *c);

#endif
