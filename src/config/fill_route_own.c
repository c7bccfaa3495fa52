/* fill_route_own.c - what a route says in place of its service, and error pages.
 *
 * One rule for all of it: the route begins with a copy of the service's settings. A value that it
 * writes takes the place of the service's; its filters, limits of rate and error pages come on top.
 */
#include "config/fill.h"

#include "http/media_type.h"

#define ERROR_PAGE_BYTES_MAX (1u << 20)

static Err fill_page(Filler *f, const KdlNode *node, RespondSettings *ret)
{
    const KdlEntry *status = node_argument(node);
    const KdlEntry *path = argument_next(status);
    FileSettings file = {0};
    bool good = true;
    f->renewing = true; /* it is watched as certificates are */
    Err err = fill_file_named(f, path, &file, &good);
    f->renewing = false;
    TRY(err);
    if (file.bytes.len > ERROR_PAGE_BYTES_MAX) {
        check_report(f->checker, f->renew ? SEVERITY_KEPT : SEVERITY_ERROR,
                     where_at(path->value.location), STR_NONE,
                     "an error page has at most %u bytes", ERROR_PAGE_BYTES_MAX);
        good = false;
    }
    if (f->renew && !good) { /* what it held before is served on */
        file.path = path->value.text;
        TRY(fill_file_restore(f, &file));
    }
    *ret = (RespondSettings){.status = (uint16_t)status->value.number,
                             .content_type = media_type_of(path->value.text),
                             .body = file.bytes};
    return ERR_OK;
}

/* Whether a page before this one has the same status. */
static bool is_hidden(const RespondSettings *pages, size_t count)
{
    bool hidden = false;
    for (size_t i = 0; i < count; i++) {
        hidden = hidden || pages[i].status == pages[count].status;
    }
    return hidden;
}

Err fill_error_pages(Filler *f, const KdlNode *place, ServiceSettings *ret)
{
    size_t room = fill_count(place) + ret->page_count;
    RespondSettings *pages = NULL;
    size_t count = 0;
    for (const KdlNode *n = place->children; n; n = n->next) {
        if (!str_equal(n->name, S("error-page"))) {
            continue;
        }
        pages = pages ? pages : arena_array(f->arena, RespondSettings, room);
        if (!pages) {
            return ERR_MEMORY;
        }
        TRY(fill_page(f, n, &pages[count]));
        if (is_hidden(pages, count)) {
            check_report(f->checker, SEVERITY_ERROR, where_at(node_argument(n)->value.location),
                         S("remove one of them"), "this status has a page already");
        }
        count++;
    }
    for (size_t i = 0; pages && i < ret->page_count; i++) {
        pages[count++] = ret->pages[i];
    }
    if (pages) {
        ret->page_count = count;
        ret->pages = pages;
    }
    return ERR_OK;
}

/* A number that the section writes; else the old one. */
static uint64_t own_number(Section s, Str name, uint64_t otherwise)
{
    Section option = section_child(s, name);
    return option.node ? option_number(section_value(option)) : otherwise;
}

static void own_overload(Section s, OverloadSettings *o)
{
    if (s.node) {
        o->read_timeout_ms = own_number(s, S("read-timeout-ms"), o->read_timeout_ms);
        o->write_timeout_ms = own_number(s, S("write-timeout-ms"), o->write_timeout_ms);
        o->drain_timeout_ms = own_number(s, S("drain-timeout-ms"), o->drain_timeout_ms);
        o->min_send_rate_bytes =
            own_number(s, S("min-send-rate-bytes"), o->min_send_rate_bytes);
        o->min_receive_rate_bytes =
            own_number(s, S("min-receive-rate-bytes"), o->min_receive_rate_bytes);
    }
}

static bool says_something(const KdlNode *route)
{
    static const Str names[] = {S_INIT("error-page"), S_INIT("host"), S_INIT("overload"),
                                S_INIT("path-control"), S_INIT("rate-limiting"),
                                S_INIT("retries"), S_INIT("retry-buffer-bytes"),
                                S_INIT("stream-idle-timeout-ms"),
                                S_INIT("tunnel-idle-timeout-ms")};
    bool any = false;
    for (size_t i = 0; i < SCHEMA_COUNT(names); i++) {
        any = any || node_find(route->children, names[i]) != NULL;
    }
    return any;
}

Err fill_route_own(Filler *f, Section route, const ServiceSettings *service,
                   const ServiceSettings **ret)
{
    *ret = NULL;
    if (!says_something(route.node)) {
        return ERR_OK;
    }
    ServiceSettings *own = arena_new(f->arena, ServiceSettings);
    if (!own) {
        return ERR_MEMORY;
    }
    *own = *service;
    if (section_child(route, S("host")).node) {
        own->host = section_text(route, S("host"));
    }
    own->tries_max = (uint32_t)own_number(route, S("retries"), own->tries_max - 1) + 1;
    own->retry_buffer_bytes = own_number(route, S("retry-buffer-bytes"), own->retry_buffer_bytes);
    own->tunnel_idle_timeout_ms =
        own_number(route, S("tunnel-idle-timeout-ms"), own->tunnel_idle_timeout_ms);
    own->stream_idle_timeout_ms =
        own_number(route, S("stream-idle-timeout-ms"), own->stream_idle_timeout_ms);
    own_overload(section_child(route, S("overload")), &own->overload);
    TRY(fill_error_pages(f, route.node, own));
    TRY(fill_filters(f, route, own));
    *ret = own;
    return ERR_OK;
}
