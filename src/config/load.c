/* load.c - the way of a configuration: parsed, checked, overridden, checked again, filled in. */
#include "config/load.h"

#include "base/number.h"
#include "config/apply.h"
#include "config/assemble.h"
#include "config/describe.h"
#include "config/fill.h"
#include "config/inherit.h"
#include "config/relative.h"
#include "config/rules.h"
#include "config/toml.h"
#include "config/variable.h"

#define NEW_SERVICES_FEW 16u
#define PRINT_BYTES_MIN 4096u
#define ENVIRONMENT_BYTES_MIN 4096u
#define DESCRIBE_BYTES_MAX (256u << 10)

/* The outcome after all that could be found was found. */
static Err load_verdict(Diagnostics *d)
{
    diagnostics_sort(d);
    if (d->out_of_memory) {
        return ERR_MEMORY;
    }
    return d->error_count != 0 ? ERR_SYNTAX : ERR_OK;
}

static Err refuse_long(Diagnostics *d, Str text)
{
    if (text.len <= CONFIG_TEXT_BYTES_MAX) {
        return ERR_OK;
    }
    Location start = {0, 0};
    diagnostics_add(d, SEVERITY_ERROR, start, STR_NONE, "the file has more than %u bytes",
                    (unsigned)CONFIG_TEXT_BYTES_MAX);
    return ERR_LIMIT;
}

static Err parse_text(Arena *a, Str text, const ConfigOptions *options, int version, Diagnostics *d,
                      KdlDocument *ret)
{
    TRY(refuse_long(d, text));
    Err err = options->format == CONFIG_TOML
                  ? toml_parse(a, text, version == 2 ? 2 : 1, options->compat, d, ret)
                  : kdl_parse(a, text, version, d, ret);
    diagnostics_sort(d);
    return err;
}

static void warn_of_toml(Diagnostics *d, const KdlDocument *document)
{
    if (document->nodes) {
        diagnostics_add(d, SEVERITY_WARNING, document->nodes->name_at,
                        S("`river check --print-kdl` writes this file as KDL"),
                        "configurations in TOML are deprecated");
    }
}

/* The text as one, with what it includes; in *ret, which is in the arena. What renews certificates
 * alone has the text that its settings had. */
static Err assemble_text(Arena *a, Str file_name, Str *io_text, const ConfigOptions *options,
                         Diagnostics *d, Assembly **ret)
{
    Assembly *assembly = arena_new(a, Assembly);
    Err err = assembly ? ERR_OK : ERR_MEMORY;
    if (err == ERR_OK && options->renew && options->renew->assembly) {
        err = assembly_copy(a, options->renew->assembly, assembly);
        d->text = assembly->text;
        d->map = assembly->map.piece_count > 0 ? &assembly->map : NULL;
    } else if (err == ERR_OK) {
        const Assembly *before = options->base ? options->base->assembly : NULL;
        err = assemble(a, file_name, *io_text, options->files, before, d, assembly);
    }
    if (err == ERR_OK) {
        *io_text = assembly->text;
        *ret = assembly;
    }
    return err;
}

/* Adds a value's file that is not in the list yet. */
static void add_value(Values *v, const ValueFile *file, const Assembly *from)
{
    for (size_t i = 0; i < v->count; i++) {
        if (str_equal(v->list[i].path, file->path)) {
            return;
        }
    }
    for (size_t i = 0; i < from->watched_count && v->count < VARIABLE_FILES_MAX; i++) {
        if (str_equal(from->watched[i].path, file->path)) {
            v->list[v->count] = *file;
            v->marks[v->count++] = from->watched[i];
            return;
        }
    }
}

/* Completes the assembly by the files that are values, also in what was taken over. */
static Err add_values(Arena *a, Values *v, const Settings *base, Assembly *assembly)
{
    const Assembly *before = base ? base->assembly : NULL;
    for (size_t i = 0; before && i < before->value_count; i++) {
        add_value(v, &before->values[i], before);
    }
    size_t count = assembly->watched_count;
    WatchedPath *watched = arena_array(a, WatchedPath, count + v->count + 1);
    if (!watched) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        watched[i] = assembly->watched[i];
    }
    for (size_t i = 0; i < v->count; i++) {
        watched[count + i] = v->marks[i];
    }
    assembly->watched = watched;
    assembly->watched_count = count + v->count;
    assembly->value_count = v->count;
    assembly->values = v->list;
    return ERR_OK;
}

/* From a document without mistakes of its own to settings. */
static Err take_document(Arena *a, Str text, const KdlDocument *document, Checker *c,
                         const ConfigOptions *options, Assembly *assembly, const Settings **ret)
{
    const Settings *settings = NULL;
    if (c->diagnostics->error_count > 0) {
        check_paths(c);
    }
    TRY(load_verdict(c->diagnostics));
    if (assembly) {
        TRY(add_values(a, c->values, options->base, assembly));
    }
    TRY(fill_settings(a, text, document, c, options, assembly, &settings));
    TRY(load_verdict(c->diagnostics));
    *ret = settings;
    return ERR_OK;
}

/* Whether so much is new that it makes a better base for what comes than the one it has. */
static bool is_much_new(const KdlDocument *document)
{
    size_t count = 0;
    size_t fresh = 0;
    const KdlNode *services = node_find(document->nodes, S("services"));
    for (const KdlNode *n = services ? services->children : NULL; n; n = n->next) {
        count++;
        fresh += n->same == 0 ? 1 : 0;
    }
    return fresh > NEW_SERVICES_FEW && fresh > count / 4;
}

/* Over a base there are no messages: if there is something to report, the whole text is read
 * again. */
static Err load_over(Arena *a, Str text, const ConfigOptions *options, Checker *c,
                     KdlDocument *document, Assembly *assembly, const Settings **ret)
{
    const ConfigOverrides *overrides = options->overrides;
    const KdlDocument *before = options->base->document;
    bool expired = options->files && options->files->now_s > options->base->valid_until;
    bool can = options->format == CONFIG_KDL && options->base->silent && !expired;
    const Assembly *base = options->base->assembly;
    if (!can || text.len > CONFIG_TEXT_BYTES_MAX ||
        (base && !variable_same(options->files, a, base))) {
        return ERR_AGAIN;
    }
    TRY(kdl_parse_again(a, text, before, S("services"), c->diagnostics, document));
    if (is_much_new(document)) {
        return ERR_AGAIN;
    }
    if (!inherit_same(before, document)) {
        return ERR_AGAIN;
    }
    c->joint_same = rules_joint_same(before, document);
    check_document(c, document);
    TRY(inherit_tls(a, document));
    TRY(apply_overrides(c, a, overrides, document));
    rules_check(c, a, overrides, document);
    Err err = take_document(a, text, document, c, options, assembly, ret);
    return err == ERR_OK && c->diagnostics->count == 0 ? ERR_OK : ERR_AGAIN;
}

static Err load_whole(Arena *a, Str text, const ConfigOptions *options, Checker *c,
                      KdlDocument *document, Assembly *assembly, const Settings **ret)
{
    TRY(parse_text(a, text, options, 0, c->diagnostics, document));
    if (options->format == CONFIG_TOML) {
        warn_of_toml(c->diagnostics, document);
    }
    check_document(c, document);
    TRY(inherit_tls(a, document));
    TRY(apply_overrides(c, a, options->overrides, document));
    rules_check(c, a, options->overrides, document);
    return take_document(a, text, document, c, options, assembly, ret);
}

Err config_load(Arena *a, Str file_name, Str text, const ConfigOptions *options, Diagnostics *d,
                const Settings **ret)
{
    static const ConfigOverrides none;
    ConfigOptions o = options ? *options : (ConfigOptions){0};
    o.overrides = o.overrides ? o.overrides : &none;
    KdlDocument *document = arena_new(a, KdlDocument);
    Values *values = arena_new(a, Values);
    Assembly *assembly = NULL;
    Checker c = {.diagnostics = d, .compat = o.compat, .files = o.files, .values = values};
    diagnostics_init(d, a, file_name, text);
    if (!document || !values) {
        return ERR_MEMORY;
    }
    values->arena = a;
    c.directory = relative_directory(o.files, file_name);
    c.before = o.renew;
    if (o.format == CONFIG_KDL) {
        Err err = assemble_text(a, file_name, &text, &o, d, &assembly);
        if (err != ERR_OK) {
            diagnostics_sort(d);
            return err;
        }
    }
    return o.base ? load_over(a, text, &o, &c, document, assembly, ret)
                  : load_whole(a, text, &o, &c, document, assembly, ret);
}

Err config_compat_parse(Str text, ConfigCompat *ret)
{
    static const struct {
        Str text;
        ConfigCompat compat;
    } versions[] = {{S_INIT("0.5"), COMPAT_0_5}, {S_INIT("0.8"), COMPAT_0_8}};
    for (size_t i = 0; i < SCHEMA_COUNT(versions); i++) {
        if (str_equal(text, versions[i].text)) {
            *ret = versions[i].compat;
            return ERR_OK;
        }
    }
    return ERR_SYNTAX;
}

/* The canonical form may be longer than the text (indentation, escapes): room is doubled until it
 * suffices or the arena is full. */
Err config_print_kdl(Arena *a, Str file_name, Str text, ConfigFormat format, int version,
                     Diagnostics *d, Str *ret)
{
    ConfigOptions options = {.format = format};
    KdlDocument document = {0};
    diagnostics_init(d, a, file_name, text);
    TRY(parse_text(a, text, &options, version, d, &document));
    TRY(load_verdict(d));
    for (size_t bytes = text.len + PRINT_BYTES_MIN;; bytes *= 2) {
        Span room = {0};
        if (!arena_span(a, bytes, &room)) {
            return ERR_MEMORY;
        }
        Text out = text_in(room);
        TRY(kdl_print(a, &document, &out));
        if (!out.overflow) {
            *ret = text_str(&out);
            return ERR_OK;
        }
    }
}

static Err describe_to(Arena *a, void (*write)(Text *out), Str *ret)
{
    Span room = {0};
    if (!arena_span(a, DESCRIBE_BYTES_MAX, &room)) {
        return ERR_MEMORY;
    }
    Text out = text_in(room);
    write(&out);
    CHECK(!out.overflow);
    *ret = text_str(&out);
    return ERR_OK;
}

Err config_defaults(Arena *a, Str *ret)
{
    return describe_to(a, describe_defaults, ret);
}

Err config_defaults_of(Arena *a, Str section, Str *ret)
{
    Span room = {0};
    if (!arena_span(a, DESCRIBE_BYTES_MAX, &room)) {
        return ERR_MEMORY;
    }
    Text out = text_in(room);
    bool found = describe_defaults_of(&out, section);
    CHECK(!out.overflow);
    *ret = text_str(&out);
    return found ? ERR_OK : ERR_MISSING;
}

Err config_reference(Arena *a, Str *ret)
{
    return describe_to(a, describe_reference, ret);
}

Err config_reasons(Arena *a, Str code, Str *ret)
{
    Span room = {0};
    if (!arena_span(a, DESCRIBE_BYTES_MAX, &room)) {
        return ERR_MEMORY;
    }
    Text out = text_in(room);
    bool found = describe_reasons(&out, code);
    CHECK(!out.overflow);
    *ret = text_str(&out);
    return found ? ERR_OK : ERR_MISSING;
}

Err config_reasons_page(Arena *a, Str *ret)
{
    return describe_to(a, describe_reasons_page, ret);
}

Err config_environment(Arena *a, const ConfigOverrides *o, Str *ret)
{
    size_t bytes = ENVIRONMENT_BYTES_MIN;
    for (unsigned id = 0; id < OVERRIDE_COUNT; id++) {
        bytes += o->of[id].text.len;
    }
    Span room = {0};
    if (!arena_span(a, bytes, &room)) {
        return ERR_MEMORY;
    }
    Text out = text_in(room);
    override_print(o, &out);
    CHECK(!out.overflow);
    *ret = text_str(&out);
    return ERR_OK;
}

Err config_show_diagnostics(Arena *a, const Diagnostics *d, bool colour, Str *ret)
{
    Span room = {0};
    if (!arena_span(a, diagnostics_print_bytes(d), &room)) {
        return ERR_MEMORY;
    }
    Text out = text_in(room);
    diagnostics_print(d, &out, colour);
    *ret = text_str(&out);
    return ERR_OK;
}
