/* parse.c - from tokens to the tree, for KDL 1 and 2 (kdl.dev, "Full Grammar").
 *
 * Recursive descent, one function for each rule of the grammar. A mistake is noted and the rest of
 * its node skipped, so that one run reports all of them. Depth and size are bounded. */
#include "kdl/parse.h"

#include "base/number.h"
#include "kdl/lex.h"
#include "kdl/number.h"
#include "kdl/quoted.h"

typedef struct Parser {
    Arena *arena;
    Diagnostics *diagnostics;
    Str text;
    int version;
    KdlAgain *again; /* NULL: everything is read */
    KdlToken token; /* the next one */
    size_t items;
    size_t depth;
    bool cut; /* by a comment or string that is never closed: it holds all the rest */
} Parser;

static Location location_of(size_t from, size_t to)
{
    Location at = {(uint32_t)from, (uint32_t)(to - from)};
    return at;
}

static void token_advance(Parser *p)
{
    p->token = kdl_token(p->text, p->token.to, p->version);
}

static bool next_is(const Parser *p, KdlTokenKind kind)
{
    return p->token.kind == kind;
}

static Err fail_at(Parser *p, Location at, const char *message, Str help)
{
    diagnostics_add(p->diagnostics, SEVERITY_ERROR, at, help, "%s", message);
    return ERR_SYNTAX;
}

static Err fail_fault(Parser *p, KdlFault fault, size_t from, size_t to)
{
    static const struct {
        const char *wrong;
        Str right;
    } table[] = {
#define X(name, wrong, right) {wrong, S_INIT(right)},
        KDL_FAULT_TABLE(X)
#undef X
    };
    return fail_at(p, location_of(from, to), table[fault].wrong, table[fault].right);
}

/* Fails at the next token: with its own fault if it is bad, else with the message. */
static Err fail_here(Parser *p, const char *message, Str help)
{
    if (next_is(p, KDL_TOKEN_BAD)) {
        return fail_fault(p, p->token.fault, p->token.from, p->token.to);
    }
    return fail_at(p, location_of(p->token.from, p->token.to), message, help);
}

/* node-space: white space and continued lines. Whether there was any goes to *ret_any. */
static Err skip_node_space(Parser *p, bool *ret_any)
{
    *ret_any = false;
    while (next_is(p, KDL_TOKEN_SPACE) || next_is(p, KDL_TOKEN_BACKSLASH)) {
        bool continues = next_is(p, KDL_TOKEN_BACKSLASH);
        *ret_any = true;
        token_advance(p);
        if (!continues) {
            continue;
        }
        if (next_is(p, KDL_TOKEN_SPACE)) {
            token_advance(p);
        }
        bool may_end = p->version == 2 || next_is(p, KDL_TOKEN_LINE_COMMENT);
        if (next_is(p, KDL_TOKEN_LINE_COMMENT)) {
            token_advance(p);
        }
        if (next_is(p, KDL_TOKEN_NEWLINE)) {
            token_advance(p);
        } else if (!(next_is(p, KDL_TOKEN_END) && may_end)) {
            return fail_here(p, "a line is continued here, but something follows the backslash",
                             S("nothing but a comment may stand between \\ and the end of a line"));
        }
    }
    return ERR_OK;
}

/* line-space: also newlines and line comments; version 1 continues no line between nodes. */
static Err skip_line_space(Parser *p)
{
    for (;;) {
        bool any = false;
        if (next_is(p, KDL_TOKEN_SPACE) || next_is(p, KDL_TOKEN_NEWLINE) ||
            next_is(p, KDL_TOKEN_LINE_COMMENT)) {
            token_advance(p);
        } else if (next_is(p, KDL_TOKEN_BACKSLASH) && p->version == 2) {
            TRY(skip_node_space(p, &any));
        } else {
            return ERR_OK;
        }
    }
}

static Err count_item(Parser *p)
{
    if (++p->items > KDL_ITEMS_MAX) {
        fail_here(p, "this document has too many nodes and values", STR_NONE);
        return ERR_LIMIT;
    }
    return ERR_OK;
}

static bool is_string_token(KdlTokenKind kind)
{
    return kind == KDL_TOKEN_STRING || kind == KDL_TOKEN_MULTILINE || kind == KDL_TOKEN_RAW ||
           kind == KDL_TOKEN_RAW_MULTILINE;
}

static Str token_text(const Parser *p)
{
    return str_slice(p->text, p->token.from, p->token.to);
}

static Err parse_quoted(Parser *p, Str *ret)
{
    KdlFault fault = KDL_FAULT_NONE;
    size_t from = 0;
    size_t to = 0;
    Err err =
        kdl_string_value(p->arena, p->text, p->token, p->version, ret, &fault, &from, &to);
    if (err == ERR_SYNTAX) {
        return fail_fault(p, fault, from, to);
    }
    TRY(err);
    token_advance(p);
    return ERR_OK;
}

/* A word that must be an identifier. */
static Err parse_identifier(Parser *p, Str *ret)
{
    Str word = token_text(p);
    if (!kdl_is_identifier(word, p->version)) {
        return fail_here(p, kdl_looks_numeric(word) ? "a name cannot begin like a number"
                                                    : "this word cannot be a name",
                         S("put it in quotes"));
    }
    *ret = word;
    token_advance(p);
    return ERR_OK;
}

/* A name: of a node, a property or a type. */
static Err parse_name(Parser *p, const char *wrong, Str *ret)
{
    if (is_string_token(p->token.kind)) {
        return parse_quoted(p, ret);
    }
    if (next_is(p, KDL_TOKEN_WORD)) {
        return parse_identifier(p, ret);
    }
    return fail_here(p, wrong, STR_NONE);
}

/* An optional type annotation and, in version 2, the white space after it. */
static Err parse_type(Parser *p, bool *ret_has, Str *ret)
{
    bool any = false;
    *ret_has = next_is(p, KDL_TOKEN_OPEN_PAREN);
    if (!*ret_has) {
        return ERR_OK;
    }
    token_advance(p);
    if (p->version == 2) {
        TRY(skip_node_space(p, &any));
    }
    TRY(parse_name(p, "a type annotation needs a name", ret));
    if (p->version == 2) {
        TRY(skip_node_space(p, &any));
    }
    if (!next_is(p, KDL_TOKEN_CLOSE_PAREN)) {
        return fail_here(p, "this type annotation is not closed", S("close it with )"));
    }
    token_advance(p);
    return p->version == 2 ? skip_node_space(p, &any) : ERR_OK;
}

static Err parse_number(Parser *p, KdlValue *ret)
{
    bool is_float = false;
    Str word = token_text(p);
    Err err = kdl_number_canonical(p->arena, word, &ret->text, &is_float);
    if (err == ERR_SYNTAX) {
        KdlFault fault = word.len > KDL_NUMBER_BYTES_MAX ? KDL_FAULT_NUMBER_LONG : KDL_FAULT_NUMBER;
        return fail_fault(p, fault, p->token.from, p->token.to);
    }
    TRY(err);
    TRY(p->version == 1 ? kdl_number_based(p->arena, word, &ret->based) : ERR_OK);
    ret->kind = is_float ? KDL_FLOAT : KDL_INTEGER;
    ret->fits = number_decimal(ret->text, UINT64_MAX, &ret->number) == ERR_OK;
    token_advance(p);
    return ERR_OK;
}

/* Whether `word` (without version 2's '#') is a keyword; then *ret is its value. */
static bool keyword_value(Str word, int version, KdlValue *ret)
{
    if (str_equal(word, S("true")) || str_equal(word, S("false"))) {
        ret->kind = KDL_BOOL;
        ret->truth = str_equal(word, S("true"));
        return true;
    }
    if (str_equal(word, S("null"))) {
        ret->kind = KDL_NULL;
        return true;
    }
    ret->kind = KDL_FLOAT;
    return version == 2 && (str_equal(word, S("inf")) || str_equal(word, S("-inf")) ||
                            str_equal(word, S("nan")));
}

static Err parse_word_value(Parser *p, KdlValue *ret)
{
    Str word = token_text(p);
    if (kdl_looks_numeric(word)) {
        return parse_number(p, ret);
    }
    if (p->version == 2) {
        if (keyword_value(word, 2, ret)) {
            return fail_here(p, "keywords begin with '#' in KDL 2",
                             S("write #true, #false, #null, #inf, #-inf or #nan, or put the text "
                               "in quotes"));
        }
        ret->kind = KDL_STRING;
        return parse_identifier(p, &ret->text);
    }
    if (!keyword_value(word, 1, ret)) {
        return fail_here(p, "text needs quotes here", S("put it in quotes"));
    }
    ret->text = word;
    token_advance(p);
    return ERR_OK;
}

static Err parse_plain_value(Parser *p, KdlValue *ret)
{
    if (is_string_token(p->token.kind)) {
        ret->kind = KDL_STRING;
        return parse_quoted(p, &ret->text);
    }
    if (next_is(p, KDL_TOKEN_WORD)) {
        return parse_word_value(p, ret);
    }
    if (next_is(p, KDL_TOKEN_KEYWORD)) {
        ret->text = token_text(p);
        if (!keyword_value(str_drop(ret->text, 1), 2, ret)) {
            return fail_fault(p, KDL_FAULT_HASH, p->token.from, p->token.to);
        }
        token_advance(p);
        return ERR_OK;
    }
    return fail_here(p, "a value is missing here", STR_NONE);
}

static Err parse_value(Parser *p, KdlValue *ret)
{
    size_t from = p->token.from;
    TRY(parse_type(p, &ret->has_type, &ret->type));
    Location plain = location_of(p->token.from, p->token.to);
    TRY(parse_plain_value(p, ret));
    ret->location = location_of(from, (size_t)plain.from + plain.len);
    return ERR_OK;
}

/* Whether a '=' makes the string that ends at the parser's place a property's name. Moves past
 * the '=' and the space around it if so, else not at all. */
static Err parse_equals(Parser *p, bool *ret)
{
    bool any = false;
    KdlToken here = p->token;
    *ret = false;
    if (p->version == 2) {
        TRY(skip_node_space(p, &any));
    }
    if (!next_is(p, KDL_TOKEN_EQUALS)) {
        p->token = here;
        return ERR_OK;
    }
    *ret = true;
    token_advance(p);
    return p->version == 2 ? skip_node_space(p, &any) : ERR_OK;
}

static bool may_name_property(const Parser *p)
{
    if (is_string_token(p->token.kind)) {
        return true;
    }
    return next_is(p, KDL_TOKEN_WORD) && kdl_is_identifier(token_text(p), p->version);
}

/* An argument, or a property. */
static Err parse_entry(Parser *p, KdlEntry *ret)
{
    TRY(count_item(p));
    if (!may_name_property(p)) {
        return parse_value(p, &ret->value);
    }
    KdlToken first = p->token;
    Str name = STR_NONE;
    TRY(parse_name(p, "", &name));
    TRY(parse_equals(p, &ret->is_property));
    if (ret->is_property) {
        ret->name = name;
        ret->name_at = location_of(first.from, first.to);
        return parse_value(p, &ret->value);
    }
    if (first.kind == KDL_TOKEN_WORD && p->version == 1) {
        p->token = first;
        return fail_here(p, "text needs quotes here", S("put it in quotes"));
    }
    ret->value.kind = KDL_STRING;
    ret->value.text = name;
    ret->value.location = location_of(first.from, first.to);
    return ERR_OK;
}

/* A later property of the same name counts, the earlier ones do not. */
static Err mark_overridden(Parser *p, const KdlNode *node, const KdlEntry *newest)
{
    size_t properties = 0;
    for (KdlEntry *e = node->entries; e; e = e->next) {
        if (!e->is_property || e == newest) {
            continue;
        }
        e->overridden = e->overridden || str_equal(e->name, newest->name);
        if (++properties >= KDL_PROPERTIES_MAX) {
            return fail_at(p, newest->name_at, "this node has too many properties", STR_NONE);
        }
    }
    return ERR_OK;
}

static Err parse_nodes(Parser *p, bool inside, KdlNode **ret);

/* A children block; the next token is its '{'. */
static Err parse_children(Parser *p, KdlNode **ret)
{
    Location open = location_of(p->token.from, p->token.to);
    if (p->depth >= KDL_DEPTH_MAX) {
        diagnostics_add(p->diagnostics, SEVERITY_ERROR, open, STR_NONE,
                        "blocks are nested more than %u deep", KDL_DEPTH_MAX);
        return ERR_LIMIT;
    }
    token_advance(p);
    p->depth++;
    TRY(parse_nodes(p, true, ret));
    p->depth--;
    if (p->cut) {
        return ERR_SYNTAX; /* that was said */
    }
    if (!next_is(p, KDL_TOKEN_CLOSE_BRACE)) {
        Str help = kdl_find_unclosed(p->text, p->version, &open);
        return fail_at(p, open, "this block is never closed", help);
    }
    token_advance(p);
    return ERR_OK;
}

/* How far the parser has come in a node after its name. */
typedef struct NodeParts {
    KdlNode *node;
    KdlEntry **tail;
    bool blocks_only; /* a block was there, so no entry may follow */
    bool closed;      /* the node's own block was there */
} NodeParts;

static Err parse_block_part(Parser *p, NodeParts *parts, bool discard)
{
    if (parts->closed) {
        return fail_here(p, "a node has only one children block",
                         S("end the node before it with a new line or ;"));
    }
    KdlNode *discarded = NULL;
    parts->blocks_only = true;
    parts->closed = !discard || p->version == 1;
    if (discard) {
        return parse_children(p, &discarded);
    }
    parts->node->has_children = true;
    return parse_children(p, &parts->node->children);
}

static Err parse_entry_part(Parser *p, NodeParts *parts, bool spaced, bool discard)
{
    if (parts->blocks_only) {
        return fail_here(p, "nothing may follow the children block of a node",
                         S("begin a new node on a new line or after a ;"));
    }
    if (!spaced) {
        return fail_here(p, "white space is missing before this", STR_NONE);
    }
    KdlEntry *entry = arena_new(p->arena, KdlEntry);
    if (!entry) {
        return ERR_MEMORY;
    }
    TRY(parse_entry(p, entry));
    if (discard) {
        return ERR_OK;
    }
    *parts->tail = entry;
    parts->tail = &entry->next;
    return entry->is_property ? mark_overridden(p, parts->node, entry) : ERR_OK;
}

/* What a slashdash within a node takes out: an entry or a block. */
static Err parse_slashdashed(Parser *p, NodeParts *parts, bool spaced)
{
    bool any = false;
    token_advance(p);
    TRY(p->version == 2 ? skip_line_space(p) : skip_node_space(p, &any));
    if (next_is(p, KDL_TOKEN_OPEN_BRACE) && (parts->closed && p->version == 2)) {
        KdlNode *discarded = NULL;
        return parse_children(p, &discarded);
    }
    if (next_is(p, KDL_TOKEN_OPEN_BRACE)) {
        return parse_block_part(p, parts, true);
    }
    return parse_entry_part(p, parts, spaced, true);
}

/* Everything of a node after its name, with its terminator. */
static Err parse_node_rest(Parser *p, KdlNode *node)
{
    NodeParts parts = {.node = node, .tail = &node->entries};
    for (;;) {
        bool spaced = false;
        TRY(skip_node_space(p, &spaced));
        if (next_is(p, KDL_TOKEN_NEWLINE) || next_is(p, KDL_TOKEN_SEMICOLON) ||
            next_is(p, KDL_TOKEN_LINE_COMMENT)) {
            node->ends_line = next_is(p, KDL_TOKEN_NEWLINE);
            token_advance(p);
            return ERR_OK;
        }
        if (next_is(p, KDL_TOKEN_END) || next_is(p, KDL_TOKEN_CLOSE_BRACE)) {
            return ERR_OK;
        }
        if (next_is(p, KDL_TOKEN_OPEN_BRACE)) {
            TRY(parse_block_part(p, &parts, false));
        } else if (next_is(p, KDL_TOKEN_SLASHDASH)) {
            TRY(parse_slashdashed(p, &parts, spaced));
        } else {
            TRY(parse_entry_part(p, &parts, spaced, false));
        }
    }
}

/* One node, or a discarded one: then *ret is NULL. */
static Err parse_node(Parser *p, KdlNode **ret)
{
    bool any = false;
    bool discard = next_is(p, KDL_TOKEN_SLASHDASH);
    if (discard) {
        token_advance(p);
        TRY(p->version == 2 ? skip_line_space(p) : skip_node_space(p, &any));
    }
    TRY(count_item(p));
    KdlNode *node = arena_new(p->arena, KdlNode);
    if (!node) {
        return ERR_MEMORY;
    }
    TRY(parse_type(p, &node->has_type, &node->type));
    node->name_at = location_of(p->token.from, p->token.to);
    TRY(parse_name(p, "the name of a node is expected here", &node->name));
    if (p->again && p->depth == 0) {
        kdl_again_enter(p->again, discard ? STR_NONE : node->name);
    }
    TRY(parse_node_rest(p, node));
    node->whole = location_of(node->name_at.from, p->token.from);
    *ret = discard ? NULL : node;
    return ERR_OK;
}

/* The next node; one that is in the text before is not read again. */
static Err take_node(Parser *p, KdlNode **ret)
{
    bool may = p->again && p->depth == 1;
    const KdlNode *old = NULL;
    uint32_t same = 0;
    if (may) {
        old = kdl_again_match(p->again, str_drop(p->text, p->token.from), &same);
    }
    if (!old) {
        TRY(parse_node(p, ret));
        if (may && *ret) {
            kdl_again_pass(p->again, (*ret)->name);
        }
        return ERR_OK;
    }
    KdlNode *node = arena_new(p->arena, KdlNode);
    if (!node) {
        return ERR_MEMORY;
    }
    *node = *old;
    node->next = NULL;
    node->same = same;
    node->whole.from = (uint32_t)p->token.from;
    node->name_at.from = node->whole.from;
    p->token = kdl_token(p->text, p->token.from + node->whole.len, p->version);
    *ret = node;
    return ERR_OK;
}

/* After a mistake: to the end of its line or node, over whole blocks. */
static void skip_mistake(Parser *p)
{
    size_t depth = 0;
    for (;; token_advance(p)) {
        if (next_is(p, KDL_TOKEN_END)) {
            return;
        }
        if (kdl_is_open_to_end(&p->token)) {
            p->token = kdl_token(p->text, p->text.len, p->version);
            p->cut = true;
            return;
        }
        if (next_is(p, KDL_TOKEN_OPEN_BRACE)) {
            depth++;
        } else if (next_is(p, KDL_TOKEN_CLOSE_BRACE)) {
            if (depth == 0) {
                return;
            }
            depth--;
        } else if (depth == 0 &&
                   (next_is(p, KDL_TOKEN_NEWLINE) || next_is(p, KDL_TOKEN_SEMICOLON))) {
            return;
        }
    }
}

static Err parse_nodes(Parser *p, bool inside, KdlNode **ret)
{
    KdlNode **tail = ret;
    for (;;) {
        Err err = skip_line_space(p);
        if (err == ERR_OK && next_is(p, KDL_TOKEN_END)) {
            return ERR_OK;
        }
        if (err == ERR_OK && next_is(p, KDL_TOKEN_CLOSE_BRACE)) {
            if (inside) {
                return ERR_OK;
            }
            fail_here(p, "no block is open that this could close", S("remove it"));
            token_advance(p);
            continue;
        }
        if (err == ERR_OK) {
            err = take_node(p, tail);
            tail = *tail ? &(*tail)->next : tail;
        }
        if (err == ERR_SYNTAX) {
            skip_mistake(p);
            if (next_is(p, KDL_TOKEN_SEMICOLON)) {
                token_advance(p);
            }
            err = ERR_OK;
        }
        TRY(err);
    }
}

Err kdl_parse_as(Arena *a, Str text, int version, KdlAgain *again, Diagnostics *d,
                 KdlDocument *ret)
{
    Parser p = {
        .arena = a, .diagnostics = d, .text = text, .version = version, .again = again};
    KdlFault fault = KDL_FAULT_NONE;
    size_t banned = kdl_find_banned(text, version, &fault);
    if (fault != KDL_FAULT_NONE) {
        return fail_fault(&p, fault, banned, banned + 1);
    }
    KdlDocument document = {.version = version, .text = text};
    p.token = kdl_token(text, kdl_bom_bytes(text), version);
    size_t errors_before = d->error_count;
    TRY(parse_nodes(&p, false, &document.nodes));
    if (d->error_count != errors_before) {
        return ERR_SYNTAX;
    }
    document.items = p.items;
    *ret = document;
    return ERR_OK;
}
