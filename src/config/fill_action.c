/* fill_action.c - what answers a request: endpoints, `respond`, `redirect`, files. */
#include "config/fill.h"
#include "config/value.h"

#define CONNECTORS_FEW 16u /* up to so many, comparing with each is cheapest */
#define KETAMA_WEIGHT_MAX 10000u /* 160 points of eight bytes for each, twice while it is built */

/* ---- endpoints ---- */

static ConnectorSettings read_connector(Section one)
{
    return (ConnectorSettings){
        .weight = (uint32_t)option_number(section_property(one, S("weight"))),
        .connection_timeout_ms = option_number(section_property(one, S("connection-timeout-ms"))),
        .total_connection_timeout_ms =
            option_number(section_property(one, S("total-connection-timeout-ms"))),
        .read_timeout_ms = option_number(section_property(one, S("read-timeout-ms"))),
        .write_timeout_ms = option_number(section_property(one, S("write-timeout-ms"))),
        .idle_timeout_ms = option_number(section_property(one, S("idle-timeout-ms"))),
        .connections_max = option_number(section_property(one, S("max-connections"))),
    };
}

ConnectorSettings fill_usual_connector(void)
{
    size_t any = schema_index(&schema_connectors, STR_NONE);
    return read_connector((Section){.schema = schema_at(&schema_connectors, any)});
}

static Err fill_connector(Filler *f, Section one, ConnectorSettings *ret)
{
    *ret = one.node->entries ? read_connector(one) : f->usual.connector;
    TRY(fill_address(f->arena, one.node->name, &ret->address));
    return fill_connector_tls(f, one, ret);
}

/* Whether an endpoint of that address is there already: as in River, the first one counts. Of many,
 * `known` holds the texts. */
static bool is_repeated(const ConnectorSettings *list, size_t count, const StrMap *known)
{
    uint32_t any = 0;
    if (count >= CONNECTORS_FEW) {
        return str_map_find(known, 0, list[count].address.text, &any);
    }
    for (size_t i = 0; i < count; i++) {
        if (value_address_equal(&list[i].address, &list[count].address)) {
            return true;
        }
    }
    return false;
}

/* The endpoints, each address once. */
static Err fill_connectors(Filler *f, Section connectors, ConnectorSettings *list,
                           size_t *ret_count)
{
    size_t count = 0;
    StrMap known = {0};
    bool many = fill_count(connectors.node) > CONNECTORS_FEW;
    for (const KdlNode *n = connectors.node->children; n; n = n->next) {
        Section one = {.schema = schema_child(connectors.schema, n->name), .node = n};
        if (!(one.schema->flags & SCHEMA_ANY_NAME)) {
            continue;
        }
        TRY(fill_connector(f, one, &list[count]));
        if (is_repeated(list, count, &known)) {
            continue;
        }
        if (many) {
            TRY(str_map_put(f->arena, &known, 0, list[count].address.text, 0));
        }
        count++;
    }
    *ret_count = count;
    return ERR_OK;
}

/* Ketama's ring grows with the weights. */
static void check_weights(Filler *f, Section place, Str selection, const ConnectorSettings *list,
                          size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += list[i].weight;
    }
    if (str_equal(selection, S("Ketama")) && total > KETAMA_WEIGHT_MAX) {
        check_report(f->checker, SEVERITY_ERROR, where_at(place.node->name_at),
                     S("divide all weights by a common number"),
                     "with `Ketama` the weights may be %u together, not %llu", KETAMA_WEIGHT_MAX,
                     (unsigned long long)total);
    }
}

static HashKey fill_hash_key(Option key)
{
    if (!key.entry) {
        return HASH_KEY_NONE;
    }
    return str_equal(option_text(key), S("UriPath")) ? HASH_KEY_PATH : HASH_KEY_SOURCE_AND_PATH;
}

/* A prefix is put before what is left of the path, which begins with a slash or is empty. */
static Str without_slash(Str prefix)
{
    while (prefix.len > 0 && str_at(prefix, prefix.len - 1) == '/') {
        prefix = str_take(prefix, prefix.len - 1);
    }
    return prefix;
}

/* `matched` is the prefix that the route has matched; empty: none. */
static void fill_rewrite(Section connectors, Str matched, ClusterSettings *ret)
{
    Str strip = section_text(connectors, S("strip-prefix"));
    Str prefix = section_text(connectors, S("prefix"));
    ret->rewrite = (Rewrite){
        .off = without_slash(strip.len ? strip : prefix.len ? matched : STR_NONE),
        .on = without_slash(prefix),
        .path = section_text(connectors, S("path")),
        .answers = section_bool(connectors, S("map-answers")),
    };
    ret->rewrites = strip.len || prefix.len || ret->rewrite.path.len;
}

static Err fill_cluster(Filler *f, Section connectors, Str matched, ClusterSettings *ret)
{
    Section balance = section_child(connectors, S("load-balance"));
    size_t room = fill_count(connectors.node);
    ConnectorSettings *list = arena_array(f->arena, ConnectorSettings, room);
    if (!list) {
        return ERR_MEMORY;
    }
    Str selection = section_text(balance, S("selection"));
    size_t count = 0;
    TRY(fill_connectors(f, connectors, list, &count));
    check_weights(f, section_child(balance, S("selection")), selection, list, count);
    ret->connector_count = count;
    ret->connectors = list;
    ret->selection = selection;
    fill_rewrite(connectors, matched, ret);
    Section chosen = section_child(balance, S("selection"));
    ret->hash_key = fill_hash_key(section_property(chosen, S("key")));
    return ERR_OK;
}

/* ---- answers of River's own ---- */

static RespondSettings fill_respond(Section s)
{
    return (RespondSettings){
        .status = (uint16_t)option_number(section_property(s, S("status"))),
        .content_type = option_text(section_property(s, S("content-type"))),
        .body = option_text(section_property(s, S("body"))),
    };
}

static Redirect fill_redirect(Section s, Str route_path)
{
    Str path = option_text(section_property(s, S("path")));
    Str prefix = option_text(section_property(s, S("prefix")));
    return (Redirect){
        .status = (uint16_t)option_number(section_property(s, S("status"))),
        .to = option_text(section_property(s, S("to"))),
        .scheme = option_text(section_property(s, S("scheme"))),
        .host = option_text(section_property(s, S("host"))),
        .port = (uint16_t)option_number(section_property(s, S("port"))),
        .path_rule = path.len     ? REDIRECT_PATH_REPLACED
                     : prefix.len ? REDIRECT_PREFIX_REPLACED
                                  : REDIRECT_PATH_KEPT,
        .path = path.len ? path : without_slash(prefix),
        .prefix_bytes = without_slash(route_path).len,
        .query = option_bool(section_property(s, S("query"))),
    };
}

Err fill_action(Filler *f, Section place, Str route_path, bool is_prefix, ActionSettings *ret)
{
    Section connectors = section_child(place, S("connectors"));
    Section redirect = section_child(place, S("redirect"));
    Section files = section_child(place, S("file-server"));
    if (connectors.node) {
        ret->kind = ACTION_PROXY;
        return fill_cluster(f, connectors, is_prefix ? route_path : STR_NONE, &ret->cluster);
    }
    if (files.node) {
        ret->kind = ACTION_FILES;
        return fill_file_server(f, files, &ret->files);
    }
    ret->kind = redirect.node ? ACTION_REDIRECT : ACTION_RESPOND;
    if (redirect.node) {
        ret->redirect = fill_redirect(redirect, route_path);
    } else {
        ret->respond = fill_respond(section_child(place, S("respond")));
    }
    return ERR_OK;
}
