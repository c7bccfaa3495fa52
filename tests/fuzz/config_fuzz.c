/* config_fuzz.c - whole configurations: loading ends in settings that hold their promises, or in
 * mistakes that can be shown. The first byte chooses overrides and compatibility. */
#include "config/load.h"

#include "fuzz.h"

static void check_address(const SettingsAddress *a)
{
    MUST(a->text.len > 0);
    MUST((a->unix_path.len > 0) != (a->port > 0));
    MUST(a->unix_path.len == 0 || str_peek(a->unix_path, 0) == '/');
}

static void check_action(const ActionSettings *a)
{
    const Redirect *r = &a->redirect;
    switch (a->kind) {
    case ACTION_PROXY:
        MUST(a->cluster.connector_count > 0);
        for (size_t i = 0; i < a->cluster.connector_count; i++) {
            check_address(&a->cluster.connectors[i].address);
            MUST(a->cluster.connectors[i].weight > 0);
        }
        break;
    case ACTION_RESPOND:
        MUST(a->respond.status >= 200 && a->respond.status <= 599);
        break;
    case ACTION_REDIRECT:
        MUST(r->status >= 301 && r->status <= 308);
        MUST(r->to.len || r->scheme.len || r->host.len || r->port || r->path_rule);
        break;
    case ACTION_FILES:
        MUST(a->files.base_path.len > 0);
        break;
    }
}

static void check_service(const ServiceSettings *s)
{
    MUST(s->source.len > 0 && s->tries_max > 0);
    for (size_t i = 0; i < s->host_count; i++) {
        MUST(s->hosts[i].name.len > 0);
    }
    if (s->route_count == 0) {
        check_action(&s->action);
    }
    for (size_t i = 0; i < s->route_count; i++) {
        const RouteSettings *route = &s->routes[i];
        MUST(route->match == ROUTE_REGEX || str_peek(route->path, 0) == '/');
        MUST(route->methods.any || route->methods.known || route->methods.other_count > 0);
        check_action(&route->action);
    }
    for (size_t i = 0; i < s->trusted_count; i++) {
        MUST(s->trusted[i].bits <= 128);
    }
    MUST(s->overload.status >= 400 && s->overload.head_bytes_max > 0);
    MUST(s->request_id.header.len > 0);
}

static void check_settings(const Settings *s)
{
    MUST(s->service_count > 0 && s->listener_count > 0);
    for (size_t i = 0; i < s->listener_count; i++) {
        const ListenerSettings *l = &s->listeners[i];
        check_address(&l->address);
        MUST(l->service_count > 0);
        for (size_t k = 0; k < l->service_count; k++) {
            MUST(l->services[k] < s->service_count);
            MUST(k == 0 || l->services[k] > l->services[k - 1]);
        }
    }
    MUST(!s->system.daemonize || s->system.pid_file.len > 0);
    MUST(s->system.log.error == LOG_PLACE_STDERR || s->system.log.error == LOG_PLACE_FILE);
    MUST(s->system.log.access != LOG_PLACE_FILE || s->system.log.access_path.len > 0);
    for (size_t i = 0; i < s->service_count; i++) {
        check_service(s->services[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    Span copy = fuzz_copy(str_drop(str_of(data, size), 1));
    Budget budget = {.max_bytes = 0};
    Blocks blocks;
    Arena arena;
    ConfigOverrides overrides = {0};
    const Settings *settings = NULL;
    Str shown;
    blocks_init(&blocks, &budget, 65536, 4);
    arena_init(&arena, &blocks, CONFIG_ARENA_BYTES_MAX);
    Diagnostics *d = arena_new(&arena, Diagnostics);
    MUST(d != NULL);
    OverrideId id = (OverrideId)(data[0] % OVERRIDE_COUNT);
    if (data[0] & 0x80) {
        override_from_environment(&overrides, id, str_cut(span_str(copy), '\n').head);
    }
    ConfigOptions options = {.overrides = &overrides,
                             .compat = data[0] & 0x40 ? COMPAT_0_8 : COMPAT_NONE};
    Err err = config_load(&arena, S("fuzz.kdl"), span_str(copy), &options, d, &settings);
    MUST(err == ERR_OK || err == ERR_SYNTAX || err == ERR_LIMIT);
    MUST((err == ERR_OK) == (d->error_count == 0));
    MUST(config_show_diagnostics(&arena, d, true, &shown) == ERR_OK);
    if (err == ERR_OK) {
        check_settings(settings);
    }
    arena_reset(&arena);
    blocks_drop(&blocks);
    free(copy.at);
    return 0;
}
