/* variable.c - replaces references in values by what the environment and files say. */
#include "config/variable.h"

#include "base/number.h"
#include "config/relative.h"
#include "kdl/lex.h"

#define ENV S("{env.")
#define FILE_OPEN S("{file.")

/* What is being put together. */
typedef struct Expansion {
    Checker *checker;
    Where where;
    Str whole; /* as it is written */
    Text out;
} Expansion;

static bool refuse_value(const Expansion *e, Str help, const char *format, ...) PRINTF_LIKE(3, 4);

static bool refuse_value(const Expansion *e, Str help, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    bool placed = e->where.origin.len == 0;
    diagnostics_add_list(e->checker->diagnostics, SEVERITY_ERROR,
                         placed ? &e->where.location : NULL, e->where.origin, help, format, list);
    va_end(list);
    return false;
}

static bool put_part(Expansion *e, Str text)
{
    if (e->out.len + text.len > VARIABLE_VALUE_BYTES_MAX) {
        return refuse_value(e, STR_NONE, "with what is put in, this value has more than %u bytes",
                      VARIABLE_VALUE_BYTES_MAX);
    }
    text_add(&e->out, text);
    return true;
}

/* Values are text, wherever they come from. */
static bool put_outside(Expansion *e, Str what, Str text)
{
    KdlFault fault = KDL_FAULT_NONE;
    if (kdl_find_banned(text, 2, &fault) < text.len) {
        return refuse_value(e, S("write UTF-8 without control characters"),
                            "what %.*s holds is not text", STR_ARG(what));
    }
    return put_part(e, text);
}

/* ---- the environment ---- */

static bool is_variable_name(Str name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = str_at(name, i);
        if (c != '_' && !byte_is_digit(c) && !(byte_lower(c) >= 'a' && byte_lower(c) <= 'z')) {
            return false;
        }
    }
    return name.len > 0 && !byte_is_digit(str_at(name, 0));
}

static bool put_variable(Expansion *e, Str inside)
{
    StrCut cut = str_cut(inside, ':');
    const ConfigFiles *files = e->checker->files;
    Str value = STR_NONE;
    if (!is_variable_name(cut.head)) {
        return refuse_value(e, S("write {env.NAME} or {env.NAME:default}; {{ is a brace"),
                      "this is not the name of a variable of the environment");
    }
    bool set = files && files->environment &&
               files->environment(files->context, cut.head, &value) && value.len > 0;
    if (!set && !cut.found) {
        return refuse_value(e, S("set it where River is started, or write {env.NAME:default}"),
                      "the variable %.*s of the environment is not set", STR_ARG(cut.head));
    }
    return set ? put_outside(e, cut.head, value) : put_part(e, cut.tail);
}

/* ---- files ---- */

static Str without_newline(Str text)
{
    text = str_ends(text, S("\n")) ? str_take(text, text.len - 1) : text;
    return str_ends(text, S("\r")) ? str_take(text, text.len - 1) : text;
}

static const ValueFile *find_file(const Values *v, Str path)
{
    for (size_t i = 0; i < v->count; i++) {
        if (str_equal(v->list[i].path, path)) {
            return &v->list[i];
        }
    }
    return NULL;
}

static bool put_file(Expansion *e, Str path)
{
    Checker *c = e->checker;
    Values *v = c->values;
    if (path.len == 0 || str_find(path, 0, 0) < path.len) {
        return refuse_value(e, S("write {file.PATH}; {{ is a brace"),
                            "the path of a file is missing");
    }
    if (!relative_resolve(c, &path, e->where)) {
        return false;
    }
    WatchedPath one = {.path = path};
    const ValueFile *known = find_file(v, path);
    if (known) {
        return put_outside(e, path, known->text);
    }
    Err err = v->count == VARIABLE_FILES_MAX        ? ERR_LIMIT
              : !c->files || !c->files->read_text ? ERR_MISSING
                                                  : c->files->read_text(c->files->context, v->arena,
                                                                        path,
                                                                        VARIABLE_FILE_BYTES_MAX,
                                                                        &one);
    if (err != ERR_OK) {
        return refuse_value(e, err == ERR_DENIED ? CONFIG_TEXT_DENIED : STR_NONE,
                            "cannot read %.*s: %s", STR_ARG(path), err_sentence(err));
    }
    Str text = without_newline(one.text);
    v->list[v->count] = (ValueFile){.path = path, .text = text};
    v->marks[v->count++] = (WatchedPath){.path = path, .mark = one.mark};
    return put_outside(e, path, text);
}

/* ---- values ---- */

/* Puts in what is at `at`, a brace, and gives where to go on; 0: a mistake was noted. */
static size_t expand_at(Expansion *e, size_t at)
{
    Str rest = str_drop(e->whole, at);
    bool env = str_starts(rest, ENV);
    if (str_starts(rest, S("{{"))) {
        return put_part(e, S("{")) ? at + 2 : 0;
    }
    if (!env && !str_starts(rest, FILE_OPEN)) {
        return put_part(e, S("{")) ? at + 1 : 0;
    }
    size_t end = str_find(rest, '}', 0);
    if (end == rest.len) {
        (void)refuse_value(e, S("{{ is a brace"), "this reference has no closing }");
        return 0;
    }
    size_t from = env ? ENV.len : FILE_OPEN.len;
    Str inside = str_slice(rest, from, end);
    bool good = env ? put_variable(e, inside) : put_file(e, inside);
    return good ? at + end + 1 : 0;
}

bool variable_expand(Checker *c, const SchemaItem *item, KdlValue *value, Where where,
                     bool *ret_changed)
{
    *ret_changed = false;
    if (value->kind != KDL_STRING || !schema_type_varies(item->type) ||
        str_find(value->text, '{', 0) == value->text.len || !c->values) {
        return true;
    }
    Expansion e = {.checker = c, .where = where, .whole = value->text};
    if (c->values->room.len == 0 &&
        !arena_span(c->values->arena, VARIABLE_VALUE_BYTES_MAX, &c->values->room)) {
        c->diagnostics->out_of_memory = true;
        return false;
    }
    e.out = text_in(c->values->room);
    size_t at = 0;
    while (at < e.whole.len) {
        size_t next = str_find(e.whole, '{', at);
        if (!put_part(&e, str_slice(e.whole, at, next))) {
            return false;
        }
        at = next == e.whole.len ? next : expand_at(&e, next);
        if (at == 0) {
            return false;
        }
    }
    *ret_changed = !str_equal(text_str(&e.out), value->text);
    if (*ret_changed && !arena_copy(c->values->arena, text_str(&e.out), &value->text)) {
        c->diagnostics->out_of_memory = true;
        return false;
    }
    return true;
}

bool variable_same(const ConfigFiles *files, Arena *a, const Assembly *before)
{
    for (size_t i = 0; i < before->value_count; i++) {
        const ValueFile *was = &before->values[i];
        WatchedPath now = {.path = was->path};
        if (!files || !files->read_text ||
            files->read_text(files->context, a, was->path, VARIABLE_FILE_BYTES_MAX, &now) !=
                ERR_OK ||
            !str_equal(without_newline(now.text), was->text)) {
            return false;
        }
    }
    return true;
}
