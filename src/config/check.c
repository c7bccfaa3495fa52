/* check.c - nodes against the schema: unknown, repeated, missing and superfluous things.
 *
 * Everything is checked in one pass, in the order of the text; nothing stops at the first mistake.
 * What River 0.5 and 0.8 silently ignored is a warning when the caller asks for compatibility. */
#include "config/check.h"

#include "base/number.h"
#include "config/nearest.h"
#include "config/relative.h"
#include "config/unit.h"
#include "config/value.h"
#include "config/variable.h"

#define HELP_BYTES_MAX 512u
#define SUBJECT_BYTES_MAX 80 /* of a name in a message */

/* A name for "%.*s", cut. */
#define SHOWN(s) STR_ARG(str_take((s), SUBJECT_BYTES_MAX))

void check_report(Checker *c, Severity severity, Where where, Str help, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    if (where.origin.len != 0) {
        diagnostics_add_list(c->diagnostics, severity, NULL, where.origin, help, format, list);
    } else {
        diagnostics_add_list(c->diagnostics, severity, &where.location, STR_NONE, help, format,
                             list);
    }
    va_end(list);
}

/* For what River ignored. */
static Severity ignored_severity(const Checker *c)
{
    return c->compat == COMPAT_NONE ? SEVERITY_ERROR : SEVERITY_WARNING;
}

const KdlNode *node_find(const KdlNode *nodes, Str name)
{
    for (const KdlNode *n = nodes; n; n = n->next) {
        if (str_equal(n->name, name)) {
            return n;
        }
    }
    return NULL;
}

const KdlEntry *node_property(const KdlNode *node, Str name)
{
    for (const KdlEntry *e = node ? node->entries : NULL; e; e = e->next) {
        if (e->is_property && !e->overridden && str_equal(e->name, name)) {
            return e;
        }
    }
    return NULL;
}

bool node_says(const KdlNode *node, Str name, bool truth)
{
    const KdlEntry *e = node_property(node, name);
    return e && e->value.kind == KDL_BOOL && e->value.truth == truth;
}

static const KdlEntry *first_argument(const KdlEntry *from)
{
    const KdlEntry *e = from;
    while (e && e->is_property) {
        e = e->next;
    }
    return e;
}

const KdlEntry *node_argument(const KdlNode *node)
{
    return node ? first_argument(node->entries) : NULL;
}

const KdlEntry *argument_next(const KdlEntry *argument)
{
    return first_argument(argument->next);
}

size_t node_argument_count(const KdlNode *node)
{
    size_t count = 0;
    for (const KdlEntry *e = node_argument(node); e; e = argument_next(e)) {
        count++;
    }
    return count;
}

Str entry_text(const KdlEntry *entry)
{
    return entry && entry->value.kind == KDL_STRING ? entry->value.text : STR_NONE;
}

/* "did you mean", or else the list of what is known here. */
static Str suggest_known(const Nearest *near, const Text *list, Text *help)
{
    if (near->found.len != 0) {
        text_format(help, "did you mean `%.*s`?", STR_ARG(near->found));
    } else if (list->len != 0) {
        text_add(help, S("known here: "));
        text_add(help, text_str(list));
    }
    return text_str(help);
}

static void offer_name(Nearest *near, Text *list, Str known)
{
    nearest_offer(near, known);
    text_add(list, list->len != 0 ? S(", ") : STR_NONE);
    text_add(list, known);
}

static void report_unknown_node(Checker *c, Severity severity, const SchemaNode *parent,
                                const KdlNode *node)
{
    uint8_t list_room[HELP_BYTES_MAX];
    uint8_t help_room[2 * HELP_BYTES_MAX];
    Text list = text_in(span_of(list_room, sizeof list_room));
    Text help = text_in(span_of(help_room, sizeof help_room));
    Nearest near = nearest_to(node->name);
    for (size_t i = 0; i < parent->child_count; i++) {
        const SchemaNode *child = schema_at(parent, i);
        if (!(child->flags & SCHEMA_ANY_NAME)) {
            offer_name(&near, &list, child->name);
        }
    }
    check_report(c, severity, where_at(node->name_at), suggest_known(&near, &list, &help),
                 "there is no `%.*s` here", SHOWN(node->name));
}

static void report_unknown_property(Checker *c, const SchemaNode *schema, const SchemaNode *variant,
                                    const KdlNode *node, const KdlEntry *entry)
{
    uint8_t list_room[HELP_BYTES_MAX];
    uint8_t help_room[2 * HELP_BYTES_MAX];
    Text list = text_in(span_of(list_room, sizeof list_room));
    Text help = text_in(span_of(help_room, sizeof help_room));
    Nearest near = nearest_to(entry->name);
    const SchemaNode *from[] = {schema, variant};
    for (size_t s = 0; s < 2; s++) {
        for (size_t i = 0; from[s] && i < from[s]->property_count; i++) {
            offer_name(&near, &list, from[s]->properties[i].name);
        }
    }
    Str kind = variant ? variant->name : node->name;
    check_report(c, ignored_severity(c), where_at(entry->name_at),
                 suggest_known(&near, &list, &help),
                 "`%.*s` takes no argument `%.*s`", SHOWN(kind), SHOWN(entry->name));
}

static void check_type(Checker *c, bool has_type, Location at)
{
    if (has_type) {
        check_report(c, SEVERITY_WARNING, where_at(at), S("remove it"),
                     "type annotations have no meaning here");
    }
}

/* The argument schema for position `n`; the last one may repeat. */
static const SchemaItem *argument_schema(const SchemaNode *schema, size_t n)
{
    if (n < schema->argument_count) {
        return &schema->arguments[n];
    }
    if (schema->argument_count == 0) {
        return NULL;
    }
    const SchemaItem *last = &schema->arguments[schema->argument_count - 1];
    return last->flags & SCHEMA_REPEATED ? last : NULL;
}

/* ---- values in their final form ---- */

/* A text instead of a number: with a unit, or what a variable holds. */
static void take_number(Checker *c, Str subject, KdlValue *value,
                        Where where, bool *io_good)
{
    uint64_t number = 0;
    Unit unit = unit_of(c->option);
    bool bare = number_decimal(value->text, UINT64_MAX, &number) == ERR_OK;
    if (bare && c->veil.len == 0 && unit == UNIT_NONE) {
        return; /* a number in quotes */
    }
    UnitFault fault = bare && c->veil.len > 0 ? UNIT_OK
                      : unit == UNIT_NONE     ? UNIT_UNKNOWN
                                              : unit_parse(value->text, unit, &number);
    if (fault == UNIT_OK) {
        value->kind = KDL_INTEGER;
        value->fits = true;
        value->number = number;
        return;
    }
    static const char *const faults[] = {
        [UNIT_SYNTAX] = "has no such value", [UNIT_MISSING] = "needs a unit",
        [UNIT_UNKNOWN] = "has no such unit",
        [UNIT_FRACTION] = "takes whole units only", [UNIT_LARGE] = "cannot be that large"};
    Str help = unit == UNIT_NONE ? S("write a number without quotes: it has no unit")
                                 : unit_takes(unit);
    const char *wrong = unit == UNIT_NONE ? "takes a plain number" : faults[fault];
    *io_good = false;
    check_report(c, SEVERITY_ERROR, where, help, "`%.*s` %s", STR_ARG(subject), wrong);
}

/* A short name takes a unit, so that a reader knows what the number means. */
static void check_short(Checker *c, Str subject, Str full, const KdlValue *value, Where where)
{
    if (value->kind == KDL_INTEGER && value->fits && value->number > 0 &&
        !str_equal(subject, full)) {
        uint8_t room[HELP_BYTES_MAX];
        Text help = text_in(span_of(room, sizeof room));
        text_add(&help, S("write `"));
        text_format(&help, "%.*s \"", STR_ARG(subject));
        unit_print(&help, value->number, unit_of(full));
        text_format(&help, "\"` (or `%.*s`)", STR_ARG(full));
        check_report(c, SEVERITY_ERROR, where, text_str(&help), "`%.*s` needs a unit",
                     STR_ARG(subject));
    }
}

void check_option(Checker *c, const SchemaItem *item, Str subject, KdlValue *value, Where where)
{
    Str written = value->text;
    bool changed = false;
    bool good = variable_expand(c, item, value, where, &changed);
    c->veil = changed ? written : STR_NONE;
    if (good && value->kind == KDL_STRING &&
        (item->type == SCHEMA_FILE || item->type == SCHEMA_CIDRS_FILE)) {
        good = relative_resolve(c, &value->text, where);
    }
    if (good && value->kind == KDL_STRING && item->type == SCHEMA_INTEGER) {
        take_number(c, subject, value, where, &good);
    }
    if (good && changed && item->type == SCHEMA_BOOL &&
        (str_equal(value->text, S("true")) || str_equal(value->text, S("false")))) {
        value->kind = KDL_BOOL;
        value->truth = str_equal(value->text, S("true"));
    }
    if (good) {
        check_value(c, item, subject, value, where);
    }
    c->veil = STR_NONE;
}

/* ---- nodes ---- */

static void check_arguments(Checker *c, const SchemaNode *schema, Str subject, KdlNode *node)
{
    size_t n = 0;
    for (KdlEntry *e = node->entries; e; e = e->next) {
        if (e->is_property) {
            continue;
        }
        const SchemaItem *item = argument_schema(schema, n++);
        check_type(c, e->value.has_type, e->value.location);
        if (item) {
            check_short(c, subject, node->name, &e->value, where_at(e->value.location));
            c->option = node->name;
            check_option(c, item, subject, &e->value, where_at(e->value.location));
        } else {
            check_report(c, ignored_severity(c), where_at(e->value.location), STR_NONE,
                         "`%.*s` takes %s", SHOWN(node->name),
                         schema->argument_count != 0   ? "no further value"
                         : schema->property_count != 0 ? "only named values (name=value)"
                                                       : "no value");
        }
    }
    if (n < schema->argument_count && !(schema->arguments[n].flags & SCHEMA_OPTIONAL)) {
        Str takes = schema_type_takes(schema->arguments[n].type);
        check_report(c, SEVERITY_ERROR, where_at(node->name_at), STR_NONE,
                     "`%.*s` needs a value: %.*s", SHOWN(node->name), STR_ARG(takes));
    }
}

static void check_missing_properties(Checker *c, const SchemaNode *schema, const KdlNode *node,
                                     Str subject)
{
    for (size_t i = 0; i < schema->property_count; i++) {
        const SchemaItem *item = &schema->properties[i];
        if ((item->flags & SCHEMA_REQUIRED) && !node_property(node, item->name)) {
            check_report(c, SEVERITY_ERROR, where_at(node->name_at), STR_NONE,
                         "`%.*s` needs `%.*s=`", SHOWN(subject), STR_ARG(item->name));
        }
    }
}

/* The property's schema, also by its short name; then *io_name becomes the full one. */
static const SchemaItem *find_property(const SchemaNode *schema, const SchemaNode *variant,
                                       Str *io_name)
{
    const SchemaNode *from[] = {schema, variant};
    for (size_t s = 0; s < 2 && from[s]; s++) {
        const SchemaItem *item = schema_property(from[s], *io_name);
        for (size_t i = 0; !item && i < from[s]->property_count; i++) {
            const SchemaItem *one = &from[s]->properties[i];
            if (one->type == SCHEMA_INTEGER && str_equal(unit_short_name(one->name), *io_name)) {
                *io_name = one->name;
                item = one;
            }
        }
        if (item) {
            return item;
        }
    }
    return NULL;
}

/* Gives properties their full names. Of two that are the same then, the last one counts. */
static void name_properties(const SchemaNode *schema, const SchemaNode *variant, KdlNode *node)
{
    for (KdlEntry *e = node->entries; e; e = e->next) {
        Str full = e->name;
        bool renamed = e->is_property && find_property(schema, variant, &full) &&
                       !str_equal(full, e->name);
        if (!renamed) {
            continue;
        }
        e->name = full;
        for (KdlEntry *other = node->entries; other; other = other->next) {
            bool twice = other != e && other->is_property && str_equal(other->name, full);
            KdlEntry *first = other->name_at.from < e->name_at.from ? other : e;
            first->overridden = first->overridden || twice;
        }
    }
}

static void check_properties(Checker *c, const SchemaNode *schema, const SchemaNode *variant,
                             KdlNode *node)
{
    name_properties(schema, variant, node);
    for (KdlEntry *e = node->entries; e; e = e->next) {
        bool is_key = schema->variant_key.len != 0 && str_equal(e->name, schema->variant_key);
        if (!e->is_property || is_key) {
            continue;
        }
        if (e->overridden) {
            check_report(c, SEVERITY_WARNING, where_at(e->name_at),
                         S("only the last one counts"), "`%.*s` is given again after this",
                         SHOWN(e->name));
            continue;
        }
        const SchemaItem *item = find_property(schema, variant, &e->name);
        check_type(c, e->value.has_type, e->value.location);
        if (item) {
            Str subject = e->name_at.len < e->name.len ? unit_short_name(e->name) : e->name;
            check_short(c, subject, e->name, &e->value, where_at(e->value.location));
            c->option = e->name;
            check_option(c, item, subject, &e->value, where_at(e->value.location));
        } else {
            report_unknown_property(c, schema, variant, node, e);
        }
    }
    check_missing_properties(c, schema, node, node->name);
    if (variant) {
        check_missing_properties(c, variant, node, variant->name);
    }
}

static void report_unknown_variant(Checker *c, const SchemaNode *schema, const KdlNode *node,
                                   const KdlValue *value)
{
    uint8_t list_room[HELP_BYTES_MAX];
    uint8_t help_room[2 * HELP_BYTES_MAX];
    Text list = text_in(span_of(list_room, sizeof list_room));
    Text help = text_in(span_of(help_room, sizeof help_room));
    Nearest near = nearest_to(value->text);
    for (size_t i = 0; i < schema->variant_count; i++) {
        offer_name(&near, &list, schema_variant_at(schema, i)->name);
    }
    check_report(c, SEVERITY_ERROR, where_at(value->location), suggest_known(&near, &list, &help),
                 "no `%.*s` of kind `%.*s` is allowed here", SHOWN(node->name),
                 SHOWN(value->text));
}

/* The variant that the node's key names. *ret_ok is false when there should be one and is not. */
static const SchemaNode *find_variant(Checker *c, const SchemaNode *schema, const KdlNode *node,
                                      bool *ret_ok)
{
    bool by_property = schema->variant_key.len != 0;
    *ret_ok = true;
    if (schema->variant_count == 0 && !by_property) {
        return NULL;
    }
    const KdlEntry *key =
        by_property ? node_property(node, schema->variant_key) : node_argument(node);
    if (key && key->value.kind == KDL_STRING) {
        const SchemaNode *variant = schema_variant(schema, key->value.text);
        *ret_ok = variant != NULL;
        if (!variant && by_property) {
            report_unknown_variant(c, schema, node, &key->value);
        }
        return variant;
    }
    *ret_ok = false;
    if (by_property) {
        Location at = key ? key->value.location : node->name_at;
        check_report(c, SEVERITY_ERROR, where_at(at), STR_NONE, "`%.*s` needs %.*s=\"…\"",
                     SHOWN(node->name), STR_ARG(schema->variant_key));
    }
    return NULL;
}

static void say_later(Checker *c, const SchemaNode *schema, Str name, Location at)
{
    if (!c->later && (schema->flags & SCHEMA_LATER)) {
        check_report(c, SEVERITY_ERROR, where_at(at), STR_NONE, "`%.*s` is not supported yet",
                     SHOWN(name));
        c->later = true;
    }
}

void check_paths(Checker *c)
{
    for (size_t i = 0; c->files && c->files->exists && i < c->path_count; i++) {
        const NamedPath *one = &c->paths[i];
        Err err = c->files->exists(c->files->context, one->path);
        uint8_t room[HELP_BYTES_MAX];
        Text message = text_in(span_of(room, sizeof room));
        text_format(&message, "cannot read %.*s: %s", SHOWN(one->path), err_sentence(err));
        if (err != ERR_OK && !diagnostics_said(c->diagnostics, text_str(&message))) {
            check_report(c, SEVERITY_ERROR, where_at(one->place), STR_NONE, "%.*s",
                         STR_ARG(text_str(&message)));
        }
    }
}

static void check_nodes(Checker *c, const SchemaNode *parent, KdlNode *nodes,
                        const KdlNode *owner);

static void check_node(Checker *c, const SchemaNode *schema, Str subject, KdlNode *node)
{
    bool later_before = c->later;
    bool known = true;
    say_later(c, schema, node->name, node->name_at);
    check_type(c, node->has_type, node->name_at);
    if (schema->flags & SCHEMA_ANY_NAME) {
        SchemaItem name = {.name = schema->name, .type = schema->name_type};
        KdlValue value = {.kind = KDL_STRING, .text = node->name};
        check_option(c, &name, schema->name, &value, where_at(node->name_at));
        node->name = value.text;
    }
    const SchemaNode *variant = find_variant(c, schema, node, &known);
    if (variant) {
        say_later(c, variant, variant->name, node->name_at);
    }
    check_arguments(c, schema, subject, node);
    if (known) {
        check_properties(c, schema, variant, node);
    }
    if (schema->child_count != 0) {
        check_nodes(c, schema, node->children, node);
    } else if (node->has_children) {
        check_report(c, ignored_severity(c), where_at(node->name_at), STR_NONE,
                     "`%.*s` takes no block", SHOWN(node->name));
    }
    c->later = later_before;
}

void check_print_first(const Checker *c, Location first, Text *help)
{
    if (c->diagnostics->count < DIAGNOSTICS_MAX) { /* finding a line takes a walk */
        SourcePlace source = diagnostics_place(c->diagnostics, first);
        Place place = place_of(source.file.text, source.location.from);
        text_format(help, "the first one is in line %u", (unsigned)place.line);
        if (c->diagnostics->map) {
            text_format(help, " of %.*s", STR_ARG(source.file.name));
        }
    }
}

static void report_duplicate(Checker *c, const SchemaNode *schema, const KdlNode *first,
                             const KdlNode *node)
{
    uint8_t room[HELP_BYTES_MAX];
    Text help = text_in(span_of(room, sizeof room));
    check_print_first(c, first->name_at, &help);
    bool section = schema->child_count != 0;
    check_report(c, SEVERITY_ERROR, where_at(node->name_at), text_str(&help),
                 section ? "Duplicate section `%.*s`" : "Duplicate option `%.*s`",
                 SHOWN(node->name));
}

/* `first` holds the first node of each child of the schema. */
static void check_missing_nodes(Checker *c, const SchemaNode *parent, const KdlNode *const *first,
                                const KdlNode *owner)
{
    for (size_t i = 0; i < parent->child_count; i++) {
        const SchemaNode *child = schema_at(parent, i);
        bool any = (child->flags & SCHEMA_ANY_NAME) != 0;
        if (!(child->flags & SCHEMA_REQUIRED) || first[i]) {
            continue;
        }
        Location none = {0, 0};
        Where where = where_at(owner ? owner->name_at : none);
        if (!owner) {
            check_report(c, SEVERITY_ERROR, where, STR_NONE, "the section `%.*s` is missing",
                         STR_ARG(child->name));
        } else if (any) {
            check_report(c, SEVERITY_ERROR, where, child->sentence, "`%.*s` is empty",
                         SHOWN(owner->name));
        } else {
            check_report(c, SEVERITY_ERROR, where, child->sentence, "`%.*s` needs `%.*s`",
                         SHOWN(owner->name), STR_ARG(child->name));
        }
    }
}

/* A mistyped option among addresses: `load-balence` is no endpoint. */
static bool looks_like_sibling(const SchemaNode *parent, const SchemaNode *schema, Str name)
{
    SettingsAddress address;
    if (!(schema->flags & SCHEMA_ANY_NAME) || schema->name_type != SCHEMA_ADDRESS ||
        value_address(name, &address) == ADDRESS_OK) {
        return false;
    }
    Nearest near = nearest_to(name);
    for (size_t i = 0; i < parent->child_count; i++) {
        const SchemaNode *child = schema_at(parent, i);
        if (!(child->flags & SCHEMA_ANY_NAME)) {
            nearest_offer(&near, child->name);
        }
    }
    return near.found.len != 0;
}

/* Whether it is an option with a number whose unit is part of its name. */
static bool has_unit(const SchemaNode *schema)
{
    return unit_of(schema->name) != UNIT_NONE && schema->argument_count == 1 &&
           schema->arguments[0].type == SCHEMA_INTEGER;
}

/* The place of the child that a node is: by its name, its short name, or because any name is. A
 * short name becomes the full one. */
static size_t find_child(const SchemaNode *parent, KdlNode *node)
{
    size_t found = schema_index(parent, node->name);
    if (found < parent->child_count && !(schema_at(parent, found)->flags & SCHEMA_ANY_NAME)) {
        return found;
    }
    for (size_t i = 0; i < parent->child_count; i++) {
        const SchemaNode *child = schema_at(parent, i);
        if (has_unit(child) && str_equal(unit_short_name(child->name), node->name)) {
            node->name = child->name;
            return i;
        }
    }
    return found;
}

/* The children of `owner` (NULL: the document's nodes). */
static void check_nodes(Checker *c, const SchemaNode *parent, KdlNode *nodes,
                        const KdlNode *owner)
{
    const KdlNode *first[SCHEMA_CHILDREN_MAX] = {0};
    CHECK(parent->child_count <= SCHEMA_CHILDREN_MAX);
    for (KdlNode *node = nodes; node; node = node->next) {
        Str subject = node->name;
        size_t i = find_child(parent, node);
        const SchemaNode *schema = i < parent->child_count ? schema_at(parent, i) : NULL;
        if (!schema) {
            report_unknown_node(c, ignored_severity(c), parent, node);
            continue;
        }
        if (looks_like_sibling(parent, schema, node->name)) {
            report_unknown_node(c, SEVERITY_ERROR, parent, node); /* River took it for an address */
            continue;
        }
        if (first[i] && !(schema->flags & SCHEMA_REPEATED)) {
            report_duplicate(c, schema, first[i], node);
        }
        first[i] = first[i] ? first[i] : node;
        if (node->same == 0) { /* else there is no mistake in it */
            check_node(c, schema, subject, node);
        }
    }
    check_missing_nodes(c, parent, first, owner);
}

void check_document(Checker *c, KdlDocument *document)
{
    check_nodes(c, &schema_root, document->nodes, NULL);
}
