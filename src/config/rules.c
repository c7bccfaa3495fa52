/* rules.c - rules of the system, of `acme`, and between services. */
#include "config/rules.h"

#include "base/str_map.h"
#include "config/apply.h"
#include "config/value.h"

static Str text_argument(const KdlNode *nodes, Str name)
{
    return entry_text(node_argument(node_find(nodes, name)));
}

/* Where an option is written: in the file, or in the override that set it. */
static Where where_of(const ConfigOverrides *o, OverrideId id, const KdlNode *node)
{
    Where where = where_at(node->name_at);
    if (o && o->of[id].set) {
        where.origin = apply_origin(o, id);
    }
    return where;
}

static void check_system(Checker *c, const ConfigOverrides *o, const KdlNode *system)
{
    static const struct {
        OverrideId id;
        Str name;
    } paths[] = {{OVERRIDE_PID_FILE, S_INIT("pid-file")},
                 {OVERRIDE_UPGRADE_SOCKET, S_INIT("upgrade-socket")},
                 {OVERRIDE_CONTROL_SOCKET, S_INIT("control-socket")}};
    const KdlNode *options = system ? system->children : NULL;
    const KdlNode *daemonize = node_find(options, S("daemonize"));
    const KdlEntry *truth = node_argument(daemonize);
    if (truth && truth->value.kind == KDL_BOOL && truth->value.truth &&
        !node_find(options, S("pid-file"))) {
        check_report(c, SEVERITY_ERROR, where_of(o, OVERRIDE_DAEMONIZE, daemonize),
                     S("add `pid-file \"/run/river/river.pid\"` to `system`"),
                     "`daemonize` needs `pid-file`");
    }
    for (size_t i = 0; i < SCHEMA_COUNT(paths); i++) {
        Str path = text_argument(options, paths[i].name);
        for (size_t k = 0; k < i && path.len != 0; k++) {
            if (str_equal(path, text_argument(options, paths[k].name))) {
                const KdlNode *node = node_find(options, paths[i].name);
                check_report(c, SEVERITY_ERROR, where_of(o, paths[i].id, node), STR_NONE,
                             "`%.*s` is the same path as `%.*s`", STR_ARG(paths[i].name),
                             STR_ARG(paths[k].name));
            }
        }
    }
}

static void check_domain(Checker *c, const KdlNode *domain, bool dns_by_default)
{
    const KdlEntry *name = node_argument(domain);
    const KdlEntry *challenge = node_property(domain, S("challenge"));
    bool dns = challenge ? str_equal(entry_text(challenge), S("dns-01")) : dns_by_default;
    if (str_starts(entry_text(name), S("*.")) && !dns) {
        check_report(c, SEVERITY_ERROR, where_at(name->value.location),
                     S("add challenge=\"dns-01\" hook=\"/path/of/program\""),
                     "a wildcard certificate needs the dns-01 challenge");
    } else if (dns && !node_property(domain, S("hook"))) {
        check_report(c, SEVERITY_ERROR, where_at(domain->name_at),
                     S("add hook=\"/path/of/program\""), "the dns-01 challenge needs a `hook`");
    }
}

static void check_acme(Checker *c, const KdlNode *acme)
{
    const KdlNode *options = acme ? acme->children : NULL;
    const KdlNode *terms = node_find(options, S("accept-terms-of-service"));
    const KdlEntry *truth = node_argument(terms);
    if (truth && truth->value.kind == KDL_BOOL && !truth->value.truth) {
        check_report(c, SEVERITY_ERROR, where_at(truth->value.location), STR_NONE,
                     "without the terms of service there are no certificates");
    }
    const KdlNode *after = node_find(options, S("renew-after-issue-days"));
    if (after && node_find(options, S("renew-before-expiry-days"))) {
        check_report(c, SEVERITY_ERROR, where_at(after->name_at), S("remove one of them"),
                     "`renew-after-issue-days` and `renew-before-expiry-days` exclude each other");
    }
    bool dns = str_equal(text_argument(options, S("challenge")), S("dns-01"));
    for (const KdlNode *n = options; n; n = n->next) {
        if (str_equal(n->name, S("domain"))) {
            check_domain(c, n, dns);
        }
    }
}

/* Two services of one name; names are compared as they are. */
static void check_names(Checker *c, Arena *a, const KdlNode *services)
{
    StrMap names;
    size_t count = 0;
    for (const KdlNode *n = services; n; n = n->next) {
        count++;
    }
    if (str_map_open(a, count, &names) != ERR_OK) {
        c->diagnostics->out_of_memory = true;
        return;
    }
    for (const KdlNode *n = services; n; n = n->next) {
        uint32_t first = 0;
        uint8_t room[512];
        Text help = text_in(span_of(room, sizeof room));
        if (str_map_find(&names, 0, n->name, &first)) {
            text_add(&help, S("give it another name; "));
            check_print_first(c, (Location){first, 0}, &help);
            check_report(c, SEVERITY_ERROR, where_at(n->name_at), text_str(&help),
                         "there is already a service of this name");
        } else {
            str_map_add(&names, 0, n->name, n->name_at.from);
        }
    }
}

static bool is_bounded(Checker *c, const KdlNode *at, size_t count, size_t most, const char *what)
{
    if (count <= most) {
        return true;
    }
    check_report(c, SEVERITY_ERROR, where_at(at->name_at), STR_NONE,
                 "there are more than %zu %s", most, what);
    return false;
}

static size_t count_below(const KdlNode *service, Str section)
{
    size_t count = 0;
    const KdlNode *node = node_find(service->children, section);
    for (const KdlNode *n = node ? node->children : NULL; n; n = n->next) {
        count++;
    }
    return count;
}

/* Everything of which there may be many is within its bound. */
static bool check_counts(Checker *c, const KdlNode *section)
{
    size_t services = 0;
    size_t listeners = 0;
    size_t connectors = 0;
    size_t routes = 0;
    size_t hosts = 0;
    for (const KdlNode *n = section->children; n; n = n->next) {
        size_t here = count_below(n, S("listeners"));
        services++;
        listeners += here;
        hosts += here * node_argument_count(node_find(n->children, S("hosts")));
        connectors += count_below(n, S("connectors"));
        const KdlNode *list = node_find(n->children, S("routes"));
        for (const KdlNode *route = list ? list->children : NULL; route; route = route->next) {
            routes++;
            connectors += count_below(route, S("connectors"));
        }
    }
    return is_bounded(c, section, services, SERVICES_MAX, "services") &&
           is_bounded(c, section, listeners, LISTENERS_MAX, "listeners") &&
           is_bounded(c, section, hosts, HOST_PLACES_MAX, "hosts, each once for each address") &&
           is_bounded(c, section, routes, ROUTES_MAX, "routes") &&
           is_bounded(c, section, connectors, CONNECTORS_MAX, "connectors");
}

static bool section_same(const KdlDocument *before, const KdlNode *was, const KdlDocument *now,
                         const KdlNode *is, Str name)
{
    const KdlNode *one = node_find(was->children, name);
    const KdlNode *other = node_find(is->children, name);
    return str_equal(kdl_text(before, one), kdl_text(now, other));
}

bool rules_joint_same(const KdlDocument *before, const KdlDocument *now)
{
    const KdlNode *old = node_find(before->nodes, S("services"));
    const KdlNode *fresh = node_find(now->nodes, S("services"));
    const KdlNode *was = old ? old->children : NULL;
    const KdlNode *is = fresh ? fresh->children : NULL;
    for (uint32_t place = 1; was && is; was = was->next, is = is->next, place++) {
        bool same = is->same == place || (is->same == 0 && str_equal(was->name, is->name) &&
                                          section_same(before, was, now, is, S("listeners")) &&
                                          section_same(before, was, now, is, S("hosts")));
        if (!same) {
            return false;
        }
    }
    return !was && !is;
}

static void check_services(Checker *c, Arena *a, const KdlNode *section)
{
    if (!c->joint_same) {
        check_names(c, a, section->children);
        rules_listeners(c, a, section->children);
    }
    for (const KdlNode *service = section->children; service; service = service->next) {
        if (service->same == 0) {
            rules_service(c, service);
        }
    }
}

void rules_check(Checker *c, Arena *a, const ConfigOverrides *overrides,
                 const KdlDocument *document)
{
    const KdlNode *system = node_find(document->nodes, S("system"));
    const KdlNode *threads = system ? node_find(system->children, S("threads-per-service")) : NULL;
    const KdlEntry *count = node_argument(threads);
    c->threads = count && count->value.fits ? count->value.number : 0;
    check_system(c, overrides, system);
    check_acme(c, node_find(document->nodes, S("acme")));
    const KdlNode *services = node_find(document->nodes, S("services"));
    if (services && check_counts(c, services)) {
        check_services(c, a, services);
    }
}
