/* own_certificates.c - walks over the connectors of all services. */
#include "app/own_certificates.h"

#include "base/str_map.h"

/* The list so far; `room` 0: only count. */
typedef struct Walk {
    size_t found;
    size_t room;
    OwnCertificate *list COUNTED_BY(room);
    size_t count;
    StrMap chains; /* per service, by path */
} Walk;

static void walk_connector(Walk *w, const Settings *settings, uint32_t service,
                           const ConnectorSettings *c)
{
    uint32_t place = (uint32_t)w->count;
    w->found++;
    if (w->room == 0) {
        return;
    }
    if (!str_map_find(&w->chains, service, c->tls.chain.path, &place)) {
        str_map_add(&w->chains, service, c->tls.chain.path, place);
        w->list[w->count++] =
            (OwnCertificate){.service = settings->services[service]->name, .first = c};
    }
    w->list[place].connectors++;
}

static void walk_action(Walk *w, const Settings *settings, uint32_t service,
                        const ActionSettings *action)
{
    const ClusterSettings *cluster = &action->cluster;
    for (size_t i = 0; action->kind == ACTION_PROXY && i < cluster->connector_count; i++) {
        if (cluster->connectors[i].tls.chain.path.len > 0) {
            walk_connector(w, settings, service, &cluster->connectors[i]);
        }
    }
}

static void walk_settings(Walk *w, const Settings *settings)
{
    for (uint32_t i = 0; i < settings->service_count; i++) {
        const ServiceSettings *service = settings->services[i];
        if (service->route_count == 0) {
            walk_action(w, settings, i, &service->action);
        }
        for (size_t k = 0; k < service->route_count; k++) {
            walk_action(w, settings, i, &service->routes[k].action);
        }
    }
}

Err own_certificates(const Settings *settings, Arena *a, const OwnCertificate **ret,
                     size_t *ret_count)
{
    Walk count = {0};
    walk_settings(&count, settings);
    *ret = NULL;
    *ret_count = 0;
    if (count.found == 0) {
        return ERR_OK;
    }
    Walk w = {.room = count.found};
    w.list = arena_array(a, OwnCertificate, w.room);
    if (!w.list) {
        return ERR_MEMORY;
    }
    TRY(str_map_open(a, w.room, &w.chains));
    walk_settings(&w, settings);
    *ret = w.list;
    *ret_count = w.count;
    return ERR_OK;
}
