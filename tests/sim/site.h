/* site.h - one listener, one service and one origin, put together by hand for tests of `proxy`. */
#ifndef TESTS_SIM_SITE_H
#define TESTS_SIM_SITE_H

#include "proxy/worker.h"

/* Its parts point to each other: it must not be moved. */
typedef struct Site {
    Endpoint endpoint;
    _Atomic uint32_t active;
    Str upgrades[1];
    Service service;
    Listener listener;
    const Service *services[1];
    const Listener *listeners[1];
    Snapshot snapshot;
} Site;

/* Proxies what arrives at `listener_fd` to the origin, with the defaults of the configuration. A
 * test may change the parts until a worker is made of the snapshot. */
void site_make(Site *s, int listener_fd, Address origin);

/* Makes a worker and gives it the site; with `start`, its threads run. */
Worker *site_work(Site *s, const WorkerPlan *plan, bool start);

#endif
