/* again.h - whether settings over a base say what a configuration that is read whole says; for the
 * fuzz target `config_again` and the unit tests. */
#ifndef TESTS_FUZZ_AGAIN_H
#define TESTS_FUZZ_AGAIN_H

#include "config/diff.h"
#include "config/settings.h"
#include "kdl/kdl.h"

static inline Str again_print(Arena *a, const Settings *s)
{
    Span room = {0};
    size_t bytes = 64u << 10;
    for (const KdlNode *n = s->document->nodes; n; n = n->next) {
        bytes += (size_t)n->whole.len * 8;
    }
    Text t = text_in(arena_span(a, bytes, &room) ? room : span_of(NULL, 0));
    return kdl_print(a, s->document, &t) == ERR_OK ? text_str(&t) : S("no memory");
}

static inline bool again_file_equal(const FileSettings *a, const FileSettings *b)
{
    return a && b && str_equal(a->path, b->path) && str_equal(a->bytes, b->bytes) &&
           fingerprint_equal(&a->identity, &b->identity);
}

static inline bool again_files_equal(const ListenerTls *a, const ListenerTls *b)
{
    bool equal = a->pair_count == b->pair_count && a->file_count == b->file_count;
    for (size_t i = 0; equal && i < a->file_count; i++) {
        equal = again_file_equal(&a->files[i], &b->files[i]);
    }
    return equal;
}

static inline const char *again_listener(const ListenerSettings *a, const ListenerSettings *b)
{
    bool services = a->service_count == b->service_count;
    for (size_t i = 0; services && i < a->service_count; i++) {
        services = a->services[i] == b->services[i];
    }
    return !str_equal(a->address.text, b->address.text) ? "a listener's address"
           : a->mode != b->mode || a->h2c != b->h2c     ? "a listener's options"
           : a->proxy_protocol != b->proxy_protocol     ? "who a listener trusts"
           : !services                                  ? "the services of a listener"
           : !again_files_equal(&a->tls, &b->tls)       ? "the files of a listener"
           : !fingerprint_equal(&a->tls.identity, &b->tls.identity) ? "what a listener's TLS is"
                                                                    : NULL;
}

/* The files that two services name, each by its place in its settings. */
static inline bool again_named_equal(const Settings *s, const ServiceSettings *a, const Settings *t,
                                     const ServiceSettings *b)
{
    bool equal = a->named_count == b->named_count;
    for (size_t i = 0; equal && i < a->named_count; i++) {
        equal = again_file_equal(&s->files[a->named[i]], &t->files[b->named[i]]);
    }
    return equal;
}

/* What a route, or a service for its routes, says of errors and limits. */
static inline bool again_own_equal(const ServiceSettings *a, const ServiceSettings *b)
{
    if (!a || !b) {
        return a == b;
    }
    bool equal = a->page_count == b->page_count && a->tries_max == b->tries_max &&
                 a->retry_buffer_bytes == b->retry_buffer_bytes &&
                 a->tunnel_idle_timeout_ms == b->tunnel_idle_timeout_ms &&
                 a->stream_idle_timeout_ms == b->stream_idle_timeout_ms &&
                 a->overload.read_timeout_ms == b->overload.read_timeout_ms &&
                 a->overload.write_timeout_ms == b->overload.write_timeout_ms &&
                 a->https_only == b->https_only && a->secure.port == b->secure.port &&
                 str_equal(a->host, b->host);
    for (size_t i = 0; equal && i < a->page_count; i++) {
        equal = a->pages[i].status == b->pages[i].status &&
                str_equal(a->pages[i].body, b->pages[i].body);
    }
    for (unsigned i = 0; equal && i < STAGE_COUNT; i++) {
        equal = a->chains[i].count == b->chains[i].count;
    }
    return equal;
}

static inline bool again_rewrite_equal(const ClusterSettings *a, const ClusterSettings *b)
{
    return a->rewrites == b->rewrites && a->rewrite.answers == b->rewrite.answers &&
           str_equal(a->rewrite.off, b->rewrite.off) && str_equal(a->rewrite.on, b->rewrite.on) &&
           str_equal(a->rewrite.path, b->rewrite.path);
}

static inline bool again_routes_equal(const ServiceSettings *a, const ServiceSettings *b)
{
    bool equal = a->route_count == b->route_count &&
                 again_rewrite_equal(&a->action.cluster, &b->action.cluster);
    for (size_t i = 0; equal && i < a->route_count; i++) {
        equal = again_own_equal(a->routes[i].own, b->routes[i].own) &&
                again_rewrite_equal(&a->routes[i].action.cluster, &b->routes[i].action.cluster);
    }
    return equal;
}

static inline const char *again_service(const Settings *s, const ServiceSettings *a,
                                        const Settings *t, const ServiceSettings *b)
{
    bool hosts = a->host_count == b->host_count;
    for (size_t i = 0; hosts && i < a->host_count; i++) {
        hosts = str_equal(a->hosts[i].name, b->hosts[i].name) &&
                a->hosts[i].below == b->hosts[i].below;
    }
    const char *listener = a->listener_count != b->listener_count ? "how many listeners" : NULL;
    for (size_t i = 0; !listener && i < a->listener_count; i++) {
        listener = str_equal(a->listeners[i].address.text, b->listeners[i].address.text) &&
                           again_files_equal(&a->listeners[i].tls, &b->listeners[i].tls)
                       ? NULL
                       : "a service's own listeners";
    }
    return !str_equal(a->name, b->name)                   ? "a service's name"
           : !str_equal(a->source, b->source)             ? "a service's text"
           : !fingerprint_equal(&a->identity, &b->identity) ? "what a service is"
           : !hosts                                       ? "a service's hosts"
           : !fingerprint_equal(&a->hosts_identity, &b->hosts_identity) ? "what its hosts are"
           : a->limiter_bytes != b->limiter_bytes         ? "what its limiters need"
           : a->serves_files != b->serves_files           ? "whether it serves files"
           : !again_own_equal(a, b)                       ? "what a service says of errors"
           : !again_routes_equal(a, b)                    ? "the routes"
           : a->action.kind != b->action.kind             ? "what a service does"
           : !again_named_equal(s, a, t, b)               ? "the files that a service names"
                                                          : listener;
}

/* What is not the same in both; NULL: nothing. */
static inline const char *again_difference(Arena *a, const Settings *whole, const Settings *over)
{
    ConfigDiff diff;
    const char *other = NULL;
    if (!str_equal(again_print(a, whole), again_print(a, over))) {
        return "the document";
    }
    if (whole->service_count != over->service_count ||
        whole->listener_count != over->listener_count || whole->root_count != over->root_count ||
        whole->serving_count != over->serving_count) {
        return "how many there are";
    }
    for (size_t i = 0; !other && i < whole->service_count; i++) {
        other = again_service(whole, whole->services[i], over, over->services[i]);
    }
    for (size_t i = 0; !other && i < whole->listener_count; i++) {
        other = again_listener(&whole->listeners[i], &over->listeners[i]);
    }
    for (size_t i = 0; !other && i < whole->root_count; i++) {
        other = str_equal(whole->roots[i], over->roots[i]) ? NULL : "a directory";
    }
    for (size_t i = 0; !other && i < whole->file_count; i++) {
        const FileSettings *file = &whole->files[i];
        other = again_file_equal(file, settings_file(over, file->path)) ? NULL : "a file";
    }
    if (!other && config_diff(a, whole, over, &diff) == ERR_OK && diff.lines.len > 0) {
        other = "what the comparison says";
    }
    return other ? other
           : str_equal(whole->system_source, over->system_source) ? NULL : "the text of `system`";
}

#endif
