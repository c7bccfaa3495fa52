/* apply.c - writes overrides into the document.
 *
 * The path of an override is "section/…/option" or "section/…/option/property"; the schema decides
 * which. Readers of the document need not know about overrides. */
#include "config/apply.h"

#include "base/number.h"

Str apply_origin(const ConfigOverrides *o, OverrideId id)
{
    const OverrideInfo *info = override_info(id);
    return o->of[id].from_command_line && info->flag.len != 0 ? info->flag : info->variable;
}

static KdlValue value_from(SchemaType type, Str text)
{
    KdlValue value = {.kind = KDL_STRING, .text = text};
    bool truth = str_equal(text, S("true"));
    if (type == SCHEMA_BOOL && (truth || str_equal(text, S("false")))) {
        value.kind = KDL_BOOL;
        value.truth = truth;
    } else if (type == SCHEMA_INTEGER) {
        Err err = number_decimal(text, UINT64_MAX, &value.number);
        value.kind = err == ERR_SYNTAX ? KDL_STRING : KDL_INTEGER;
        value.fits = err == ERR_OK;
    }
    return value;
}

/* The node of that name in the list, added to its end where it is missing; NULL without memory. */
static KdlNode *find_or_add(Arena *a, KdlNode **list, Str name)
{
    KdlNode **at = list;
    for (; *at; at = &(*at)->next) {
        if (str_equal((*at)->name, name)) {
            return *at;
        }
    }
    KdlNode *node = arena_new(a, KdlNode);
    if (node) {
        node->name = name;
        *at = node;
    }
    return node;
}

/* The first argument (`property` empty) or the property that counts, added where it is missing. */
static KdlEntry *find_or_add_entry(Arena *a, KdlNode *node, Str property)
{
    bool named = property.len != 0;
    KdlEntry **at = &node->entries;
    for (; *at; at = &(*at)->next) {
        KdlEntry *e = *at;
        if (e->is_property == named && !e->overridden && (!named || str_equal(e->name, property))) {
            return e;
        }
    }
    KdlEntry *entry = arena_new(a, KdlEntry);
    if (entry) {
        entry->is_property = named;
        entry->name = property;
        *at = entry;
    }
    return entry;
}

/* A property of `log/access` without its argument would be half an option. */
static Err complete_properties(Arena *a, const SchemaNode *schema, KdlNode *node)
{
    if (schema->argument_count == 0 || node_argument(node)) {
        return ERR_OK;
    }
    KdlEntry *entry = find_or_add_entry(a, node, STR_NONE);
    if (!entry) {
        return ERR_MEMORY;
    }
    entry->value = value_from(schema->arguments[0].type, schema->arguments[0].fallback);
    return ERR_OK;
}

static Err apply_one(Checker *c, Arena *a, const ConfigOverrides *o, OverrideId id,
                     KdlDocument *document)
{
    const SchemaNode *schema = &schema_root;
    Str rest = override_info(id)->path;
    Str property = STR_NONE;
    KdlNode **list = &document->nodes;
    KdlNode *node = NULL;
    while (rest.len != 0) {
        StrCut cut = str_cut(rest, '/');
        rest = cut.tail;
        if (schema->child_count == 0) {
            property = cut.head;
            break;
        }
        schema = schema_child(schema, cut.head);
        node = find_or_add(a, list, cut.head);
        if (!node) {
            return ERR_MEMORY;
        }
        list = &node->children;
    }
    const SchemaItem *item =
        property.len != 0 ? schema_property(schema, property) : &schema->arguments[0];
    CHECK(node != NULL && item != NULL);
    KdlValue value = value_from(item->type, o->of[id].text);
    Where where = {.origin = apply_origin(o, id)};
    size_t errors = c->diagnostics->error_count;
    c->option = property.len != 0 ? property : node->name;
    check_option(c, item, c->option, &value, where);
    if (c->diagnostics->error_count != errors) {
        return ERR_OK;
    }
    TRY(property.len != 0 ? complete_properties(a, schema, node) : ERR_OK);
    KdlEntry *entry = find_or_add_entry(a, node, property);
    if (!entry) {
        return ERR_MEMORY;
    }
    entry->value = value;
    return ERR_OK;
}

Err apply_overrides(Checker *c, Arena *a, const ConfigOverrides *o, KdlDocument *document)
{
    for (unsigned id = 0; id < OVERRIDE_COUNT; id++) {
        c->later = false;
        if (o->of[id].set) {
            TRY(apply_one(c, a, o, (OverrideId)id, document));
        }
    }
    return ERR_OK;
}
