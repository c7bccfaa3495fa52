/* toml.c - River 0.2's tables, one function for each, become the nodes that KDL has for them.
 *
 * Each table's list of keys says what it takes. Values are not judged here: the schema does
 * that, as for KDL. What River 0.2 could not do (HTTP/2) is switched off where it would be on. */
#include "config/toml.h"

#include "base/number.h"
#include "config/nearest.h"
#include "config/toml_tree.h"

#define SHOWN_BYTES_MAX 80 /* of a name in a message */
#define KNOWN_BYTES_MAX 256u

#define SHOWN(s) STR_ARG(str_take((s), SHOWN_BYTES_MAX))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct Translator {
    Arena *arena;
    Diagnostics *diagnostics;
    ConfigCompat compat;
    int version;
    Err err; /* the worst so far */
    KdlNode no_node; /* replaces one that there is no memory for */
    KdlNode *filled; /* the node that is being given entries, and where its next one goes */
    KdlEntry **end;
} Translator;

/* A key that a table takes, and of what kind its value is. */
typedef struct Key {
    Str name;
    bool required;
    bool of_any_kind; /* the table's function looks itself */
    TomlKind kind;
} Key;

static const Key root_keys[] = {
    {.name = S_INIT("system"), .kind = TOML_TABLE},
    {.name = S_INIT("basic-proxy"), .kind = TOML_ARRAY},
};
static const Key system_keys[] = {
    {.name = S_INIT("threads-per-service"), .kind = TOML_INTEGER},
};
static const Key proxy_keys[] = {
    {.name = S_INIT("name"), .required = true, .kind = TOML_STRING},
    {.name = S_INIT("listeners"), .kind = TOML_ARRAY},
    {.name = S_INIT("connector"), .required = true, .kind = TOML_TABLE},
    {.name = S_INIT("path-control"), .kind = TOML_TABLE},
};
static const Key listener_keys[] = {
    {.name = S_INIT("source"), .required = true, .kind = TOML_TABLE},
};
static const Key source_keys[] = {
    {.name = S_INIT("kind"), .required = true, .kind = TOML_STRING},
    {.name = S_INIT("value"), .required = true, .of_any_kind = true},
};
static const Key tcp_keys[] = {
    {.name = S_INIT("addr"), .required = true, .kind = TOML_STRING},
    {.name = S_INIT("tls"), .kind = TOML_TABLE},
};
static const Key tls_keys[] = {
    {.name = S_INIT("cert_path"), .required = true, .kind = TOML_STRING},
    {.name = S_INIT("key_path"), .required = true, .kind = TOML_STRING},
};
static const Key connector_keys[] = {
    {.name = S_INIT("proxy_addr"), .required = true, .kind = TOML_STRING},
    {.name = S_INIT("tls_sni"), .kind = TOML_STRING},
};
static const Key path_keys[] = {
    {.name = S_INIT("upstream-request-filters"), .kind = TOML_ARRAY},
    {.name = S_INIT("upstream-response-filters"), .kind = TOML_ARRAY},
};
#define KEYS_MAX 4u

/* ---- mistakes ---- */

static void PRINTF_LIKE(4, 5)
    fail(Translator *t, Location at, Str help, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    diagnostics_add_list(t->diagnostics, SEVERITY_ERROR, &at, STR_NONE, help, format, list);
    va_end(list);
    t->err = t->err == ERR_OK ? ERR_SYNTAX : t->err;
}

static Str kind_name(TomlKind kind)
{
    static const Str names[] = {
        [TOML_TABLE] = S_INIT("a table"),       [TOML_ARRAY] = S_INIT("an array"),
        [TOML_STRING] = S_INIT("a string"),     [TOML_INTEGER] = S_INIT("an integer"),
        [TOML_FLOAT] = S_INIT("a number"),      [TOML_BOOL] = S_INIT("true or false"),
        [TOML_DATE] = S_INIT("a date or time"),
    };
    return names[kind];
}

/* A key that River 0.2 did not know; it ignored it. */
static void report_unknown(Translator *t, const TomlItem *item, const Key *keys, size_t count)
{
    uint8_t room[KNOWN_BYTES_MAX];
    Text help = text_in(span_of(room, sizeof room));
    Nearest near = nearest_to(item->key);
    text_add(&help, S("known here: "));
    for (size_t i = 0; i < count; i++) {
        nearest_offer(&near, keys[i].name);
        text_add(&help, i > 0 ? S(", ") : STR_NONE);
        text_add(&help, keys[i].name);
    }
    if (near.found.len > 0) {
        help.len = 0;
        text_format(&help, "did you mean `%.*s`?", STR_ARG(near.found));
    }
    bool ignored = t->compat != COMPAT_NONE;
    diagnostics_add(t->diagnostics, ignored ? SEVERITY_WARNING : SEVERITY_ERROR, item->key_at,
                    text_str(&help), "there is no `%.*s` here", SHOWN(item->key));
}

/* Whether the item is of that kind; else it says so. `what` names the item. */
static bool is_kind(Translator *t, const TomlItem *item, TomlKind kind, Str what)
{
    if (item->kind != kind) {
        fail(t, item->place, STR_NONE, "`%.*s` takes %.*s", SHOWN(what), STR_ARG(kind_name(kind)));
    }
    return item->kind == kind;
}

static const TomlItem *find_item(const TomlItem *table, Str key)
{
    for (const TomlItem *item = table->items; item; item = item->next) {
        if (str_equal(item->key, key)) {
            return item;
        }
    }
    return NULL;
}

/* Finds the table's keys: ret[i] is keys[i]'s item, or NULL. False when the table cannot be used:
 * something required is missing, or of the wrong kind. */
static bool take_keys(Translator *t, const TomlItem *table, Str what, const Key *keys, size_t count,
                      const TomlItem *ret[KEYS_MAX])
{
    bool usable = true;
    for (size_t i = 0; i < count; i++) {
        ret[i] = find_item(table, keys[i].name);
        if (ret[i]) {
            usable &= keys[i].of_any_kind || is_kind(t, ret[i], keys[i].kind, keys[i].name);
        } else if (keys[i].required) {
            fail(t, table->place, STR_NONE, "`%.*s` needs `%.*s`", SHOWN(what),
                 STR_ARG(keys[i].name));
            usable = false;
        }
    }
    for (const TomlItem *item = table->items; item; item = item->next) {
        bool known = false;
        for (size_t i = 0; i < count && !known; i++) {
            known = str_equal(item->key, keys[i].name);
        }
        if (!known) {
            report_unknown(t, item, keys, count);
        }
    }
    return usable;
}

#define TAKE(t, table, what, keys, ret) take_keys((t), (table), S(what), (keys), COUNT(keys), (ret))

/* ---- nodes ---- */

/* Where the next node goes: **end, after the ones before it. */
typedef struct Nodes {
    KdlNode **end;
} Nodes;

/* A node; where there is no memory for it, one that is in no tree. */
static KdlNode *add_node(Translator *t, Nodes *to, Str name, Location at)
{
    KdlNode *node = arena_new(t->arena, KdlNode);
    if (!node) {
        t->err = ERR_MEMORY;
        t->no_node = (KdlNode){0};
        return &t->no_node;
    }
    node->name = name;
    node->name_at = at;
    *to->end = node;
    to->end = &node->next;
    return node;
}

/* The same with a block, in which its children go. */
static Nodes add_section(Translator *t, Nodes *to, Str name, Location at)
{
    KdlNode *node = add_node(t, to, name, at);
    node->has_children = true;
    Nodes inside = {.end = &node->children};
    return inside;
}

/* Entries come one after the other: `t` remembers the end of the node that got the last one. */
static void add_entry(Translator *t, KdlNode *node, KdlEntry given)
{
    KdlEntry *entry = arena_new(t->arena, KdlEntry);
    if (!entry) {
        t->err = ERR_MEMORY;
        return;
    }
    *entry = given;
    if (t->filled != node) {
        t->filled = node;
        t->end = &node->entries;
    }
    *t->end = entry;
    t->end = &entry->next;
}

/* The value of a string or integer. */
static KdlValue value_of(const TomlItem *item)
{
    KdlValue value = {.kind = KDL_STRING, .location = item->place, .text = item->text};
    if (item->kind == TOML_INTEGER) {
        value.kind = KDL_INTEGER;
        value.fits = number_decimal(item->text, UINT64_MAX, &value.number) == ERR_OK;
    }
    return value;
}

static void add_property(Translator *t, KdlNode *node, Str name, const TomlItem *item)
{
    KdlEntry entry = {.is_property = true, .name = name, .name_at = item->key_at,
                      .value = value_of(item)};
    add_entry(t, node, entry);
}

/* What River 0.2 did without being told; it is reported at its cause. */
static void add_implied(Translator *t, KdlNode *node, Str name, KdlValue value, Location at)
{
    value.location = at;
    KdlEntry entry = {.is_property = true, .name = name, .name_at = at, .value = value};
    add_entry(t, node, entry);
}

/* ---- tables ---- */

static void read_system(Translator *t, const TomlItem *table, Nodes *to)
{
    const TomlItem *of[KEYS_MAX];
    Nodes inside = add_section(t, to, table->key, table->key_at);
    if (TAKE(t, table, "system", system_keys, of) && of[0]) {
        KdlEntry entry = {.value = value_of(of[0])};
        add_entry(t, add_node(t, &inside, of[0]->key, of[0]->key_at), entry);
    }
}

static void read_tls(Translator *t, const TomlItem *table, KdlNode *listener)
{
    const TomlItem *of[KEYS_MAX];
    if (TAKE(t, table, "tls", tls_keys, of)) {
        KdlValue off = {.kind = KDL_BOOL, .text = t->version == 2 ? S("#false") : S("false")};
        add_property(t, listener, S("cert-path"), of[0]);
        add_property(t, listener, S("key-path"), of[1]);
        add_implied(t, listener, S("offer-h2"), off, table->key_at);
    }
}

static void read_tcp(Translator *t, const TomlItem *table, Nodes *to)
{
    const TomlItem *of[KEYS_MAX];
    if (is_kind(t, table, TOML_TABLE, S("value")) && TAKE(t, table, "value", tcp_keys, of)) {
        KdlNode *listener = add_node(t, to, of[0]->text, of[0]->place);
        if (of[1]) {
            read_tls(t, of[1], listener);
        }
    }
}

static void read_listener(Translator *t, const TomlItem *item, Nodes *to)
{
    const TomlItem *of[KEYS_MAX];
    if (!is_kind(t, item, TOML_TABLE, S("listeners")) ||
        !TAKE(t, item, "listeners", listener_keys, of) ||
        !TAKE(t, of[0], "source", source_keys, of)) {
        return;
    }
    const TomlItem *kind = of[0];
    const TomlItem *value = of[1];
    if (str_equal(kind->text, S("Tcp"))) {
        read_tcp(t, value, to);
    } else if (!str_equal(kind->text, S("Uds"))) {
        fail(t, kind->place, S("\"Tcp\" or \"Uds\""), "there is no listener of kind `%.*s`",
             SHOWN(kind->text));
    } else if (is_kind(t, value, TOML_STRING, S("value"))) {
        (void)add_node(t, to, value->text, value->place);
    }
}

static void read_connector(Translator *t, const TomlItem *table, Nodes *to)
{
    const TomlItem *of[KEYS_MAX];
    Nodes inside = add_section(t, to, S("connectors"), table->key_at);
    if (TAKE(t, table, "connector", connector_keys, of)) {
        KdlNode *node = add_node(t, &inside, of[0]->text, of[0]->place);
        if (of[1]) {
            KdlValue old = {.kind = KDL_STRING, .text = S("h1-only")};
            add_property(t, node, S("tls-sni"), of[1]);
            add_implied(t, node, S("proto"), old, of[1]->key_at);
        }
    }
}

static void read_filters(Translator *t, const TomlItem *array, Str stage, Nodes *to)
{
    Nodes inside = add_section(t, to, stage, array->key_at);
    for (const TomlItem *item = array->items; item; item = item->next) {
        if (!is_kind(t, item, TOML_TABLE, array->key)) {
            continue;
        }
        KdlNode *filter = add_node(t, &inside, S("filter"), item->place);
        for (const TomlItem *pair = item->items; pair; pair = pair->next) {
            if (is_kind(t, pair, TOML_STRING, pair->key)) {
                add_property(t, filter, pair->key, pair);
            }
        }
    }
}

static void read_path_control(Translator *t, const TomlItem *table, Nodes *to)
{
    static const Str stages[] = {S_INIT("upstream-request"), S_INIT("upstream-response")};
    const TomlItem *of[KEYS_MAX];
    Nodes inside = add_section(t, to, table->key, table->key_at);
    if (TAKE(t, table, "path-control", path_keys, of)) {
        for (size_t i = 0; i < COUNT(stages); i++) {
            if (of[i]) {
                read_filters(t, of[i], stages[i], &inside);
            }
        }
    }
}

static void read_proxy(Translator *t, const TomlItem *item, Nodes *to)
{
    const TomlItem *of[KEYS_MAX];
    if (!is_kind(t, item, TOML_TABLE, S("basic-proxy")) ||
        !TAKE(t, item, "basic-proxy", proxy_keys, of)) {
        return;
    }
    Nodes service = add_section(t, to, of[0]->text, of[0]->place);
    if (of[1]) {
        Nodes listeners = add_section(t, &service, of[1]->key, of[1]->key_at);
        for (const TomlItem *each = of[1]->items; each; each = each->next) {
            read_listener(t, each, &listeners);
        }
    }
    read_connector(t, of[2], &service);
    if (of[3]) {
        read_path_control(t, of[3], &service);
    }
}

Err toml_parse(Arena *a, Str text, int version, ConfigCompat compat, Diagnostics *d,
               KdlDocument *ret)
{
    Translator t = {.arena = a, .diagnostics = d, .compat = compat, .version = version};
    const TomlItem *root = NULL;
    const TomlItem *of[KEYS_MAX];
    TRY(toml_read(a, text, d, &root));
    *ret = (KdlDocument){.version = version};
    Nodes top = {.end = &ret->nodes};
    if (TAKE(&t, root, "", root_keys, of)) {
        if (of[0]) {
            read_system(&t, of[0], &top);
        }
        if (!of[1]) {
            fail(&t, root->place, S("each service is a table of its own"),
                 "there is no [[basic-proxy]]");
            return t.err;
        }
        Nodes services = add_section(&t, &top, S("services"), of[1]->key_at);
        for (const TomlItem *item = of[1]->items; item; item = item->next) {
            read_proxy(&t, item, &services);
        }
    }
    return t.err;
}
