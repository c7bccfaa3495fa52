/* site.c - one listener, one service and one origin, with the defaults of the configuration. */
#include "balance/policies.h"
#include "site.h"

void site_make(Site *s, int listener_fd, Address origin)
{
    *s = (Site){0};
    s->endpoint = (Endpoint){.address = origin,
                             .name = S("origin"),
                             .weight = 1,
                             .connect_timeout_ms = 5000,
                             .connect_wait_ms = 5000,
                             .read_timeout_ms = 60000,
                             .write_timeout_ms = 60000,
                             .idle_timeout_ms = 60000};
    s->upgrades[0] = S("websocket");
    s->service = (Service){
        .client_ip_name = S("x-forwarded-for"),
        .client_ip_field = FIELD_X_FORWARDED_FOR,
        .name = S("site"),
        .request_id_name = S("x-request-id"),
        .request_id_field = FIELD_X_REQUEST_ID,
        .request_id_accept = true,
        .upgrade_count = 1,
        .upgrades = s->upgrades,
        .active = &s->active,
        .limits = {.head = {.head_bytes_max = 65536, .fields_max = 100, .target_bytes_max = 16384},
                   .head_timeout_ms = 10000,
                   .keep_alive_ms = 75000,
                   .body_timeout_ms = 60000,
                   .send_timeout_ms = 60000,
                   .linger_ms = 2000,
                   .tunnel_idle_ms = 60000,
                   .stream_idle_ms = 3600000,
                   .receive_rate_min = 100,
                   .send_rate_min = 100,
                   .retry_buffer_bytes = 16384,
                   .tries_max = 3,
                   .overload_status = 503}};
    s->listener = (Listener){.fd = listener_fd, .name = S("site"), .service = &s->service};
    s->services[0] = &s->service;
    s->listeners[0] = &s->listener;
    s->snapshot = (Snapshot){.number = 1, .service_count = 1, .listener_count = 1};
    s->snapshot.services = s->services;
    s->snapshot.listeners = s->listeners;
}

Worker *site_work(Site *s, const WorkerPlan *plan, bool start)
{
    Worker *w = NULL;
    CHECK(worker_build(plan, &w) == ERR_OK);
    CHECK(worker_hold_service(w, s->service.name, &s->service.index) == ERR_OK);
    CHECK(worker_take_part(w, &s->service.part) == ERR_OK);
    uint32_t cluster = 0;
    ClusterPlan one = {.balancer = policy_find(S("RoundRobin")), .count = 1};
    one.endpoints = &s->endpoint;
    CHECK(cluster_hold(w, s->service.name, &cluster) == ERR_OK);
    CHECK(cluster_prepare(w, cluster, &one) == ERR_OK);
    clusters_commit(w);
    s->endpoint.origin = w->clusters.list[cluster].newest->only->origin;
    if (!s->service.route.respond && !s->service.route.handler.kind) {
        s->service.route.cluster = &w->clusters.list[cluster];
    }
    CHECK((start ? worker_start(w, &s->snapshot) : worker_begin(w, &s->snapshot)) == ERR_OK);
    return w;
}
