/* normalize.c - one spelling for each path (RFC 3986 §6.2.2), so that a rule that matches a path
 * here means the same resource at the origin.
 *
 * One pass that copies, decodes and removes segments at once. Only unreserved bytes are ever
 * decoded, once; what would need a guess is refused. The order is: duplicate slashes collapse
 * first, then dot segments act on what is left ("/a//../b" is "/b", as a file system sees it). */
#include "http/bytes.h"
#include "http/uri.h"

typedef struct PathWriter {
    Text *out;
    size_t root;     /* after the first slash: nothing may climb above it */
    size_t segment;  /* where the current segment starts in out */
    unsigned dots;   /* dots of the current segment, encoded ones too, at most 3 */
    bool other;      /* it holds something else */
} PathWriter;

static void segment_start(PathWriter *w)
{
    w->segment = w->out->len;
    w->dots = 0;
    w->other = false;
}

/* Position after the slash before the one before `segment`; `root` at the least. */
static size_t segment_before(const PathWriter *w)
{
    const Span room = w->out->room;
    size_t i = w->segment;
    if (i <= w->root || i > room.len) {
        return w->root;
    }
    i--; /* the slash in front of the current segment */
    while (i > w->root && room.at[i - 1] != '/') {
        i--;
    }
    return i;
}

/* Ends the current segment; *ret_slash says whether the slash that ended it is to be written. */
static Err segment_end(PathWriter *w, const UriRules *rules, bool *ret_slash)
{
    bool dotted = rules->dot_segments && !w->other;
    *ret_slash = true;
    if (dotted && w->dots == 1) {
        w->out->len = w->segment;
        *ret_slash = false;
    } else if (dotted && w->dots == 2) {
        if (w->segment <= w->root) {
            return ERR_SYNTAX; /* above the root */
        }
        w->out->len = segment_before(w);
        *ret_slash = false;
    } else if (rules->duplicate_slashes && w->dots == 0 && !w->other) {
        *ret_slash = false;
    }
    return ERR_OK;
}

static void segment_byte(PathWriter *w, uint8_t c)
{
    if (c == '.') {
        w->dots += w->dots < 3;
    } else {
        w->other = true;
    }
}

static uint8_t hex_upper(unsigned digit)
{
    return (uint8_t)(digit < 10 ? '0' + digit : 'A' + (digit - 10));
}

/* Handles the '%' at `i`; *ret_used is how many bytes of the path that took. */
static Err escape_write(PathWriter *w, const UriRules *rules, Str path, size_t i, size_t *ret_used)
{
    int high = byte_hex_value(str_peek(path, i + 1));
    int low = byte_hex_value(str_peek(path, i + 2));
    if (high < 0 || low < 0) {
        if (rules->percent_encoding) {
            return ERR_SYNTAX;
        }
        segment_byte(w, '%');
        text_byte(w->out, '%');
        *ret_used = 1;
        return ERR_OK;
    }
    uint8_t value = (uint8_t)(high * 16 + low);
    /*@ split i; */
    if (rules->control_characters && byte_is(value, BYTE_CONTROL)) {
        return ERR_SYNTAX;
    }
    if (rules->encoded_separators && (value == '/' || value == '\\')) {
        return ERR_SYNTAX;
    }
    segment_byte(w, value);
    *ret_used = 3;
    if (!rules->percent_encoding) {
        text_add(w->out, str_slice(path, i, i + 3));
    } else if (byte_is(value, BYTE_UNRESERVED)) {
        text_byte(w->out, value);
    } else {
        text_byte(w->out, '%');
        text_byte(w->out, hex_upper((unsigned)high));
        text_byte(w->out, hex_upper((unsigned)low));
    }
    return ERR_OK;
}

/* Writes what is at `i`, up to the next byte that needs thought. */
/*@ requires inside: i < path.len;
    requires readable: \valid_read(path.at + (0 .. path.len - 1));
    requires room_is_kept: w->out->len <= w->out->room.len && w->segment <= w->out->room.len;
    requires writable: \valid(ret_used);
    assigns *ret_used \from path.at[0 .. path.len - 1], i, *rules;
    assigns w->segment \from w->segment, w->out->len, path.at[0 .. path.len - 1], i;
    assigns w->dots \from w->dots, path.at[0 .. path.len - 1], i;
    assigns w->other \from w->other, path.at[0 .. path.len - 1], i;
    assigns w->out->len \from w->out->len, w->segment, w->root, path.at[0 .. path.len - 1], i;
    assigns w->out->overflow \from w->out->overflow, w->out->len, path.at[0 .. path.len - 1], i;
    assigns w->out->room.at[0 .. w->out->room.len - 1] \from path.at[0 .. path.len - 1], i;
    assigns \result \from w->segment, w->root, path.at[0 .. path.len - 1], i, *rules;
    ensures room_is_kept: w->out->len <= w->out->room.len && w->segment <= w->out->room.len;
    ensures truth: (w->other == 0 || w->other == 1) &&
                   (w->out->overflow == 0 || w->out->overflow == 1); */
static Err path_step(PathWriter *w, const UriRules *rules, Str path, size_t i, size_t *ret_used)
{
    uint8_t c = str_at(path, i);
    *ret_used = 1;
    /*@ split i; */
    if (c == '/') {
        bool slash = true;
        TRY(segment_end(w, rules, &slash));
        if (slash) {
            text_byte(w->out, '/');
        }
        segment_start(w);
        return ERR_OK;
    }
    if (c == '%') {
        return escape_write(w, rules, path, i, ret_used);
    }
    if (c == '.') {
        segment_byte(w, c);
        text_byte(w->out, c);
        return ERR_OK;
    }
    if (c == '?' || c == '#') {
        return ERR_SYNTAX; /* not of a path: written out it would end one */
    }
    if (byte_is(c, BYTE_CONTROL) && rules->control_characters) {
        return ERR_SYNTAX;
    }
    if (c == ';' && rules->matrix != MATRIX_PASS) {
        *ret_used = str_find(path, '/', i) - i;
        return rules->matrix == MATRIX_STRIP ? ERR_OK : ERR_SYNTAX;
    }
    size_t end = scan_class(path, i + 1, BYTE_PLAIN);
    w->other = true;
    text_add(w->out, str_slice(path, i, end));
    *ret_used = end - i;
    return ERR_OK;
}

Err uri_normalize(Str path, const UriRules *rules, Text *out)
{
    if (str_equal(path, S("*"))) {
        text_add(out, path);
        return out->overflow ? ERR_LIMIT : ERR_OK;
    }
    if (str_peek(path, 0) != '/') {
        return ERR_SYNTAX;
    }
    text_byte(out, '/');
    PathWriter w = {.out = out, .root = out->len};
    segment_start(&w);
    size_t i = 1;
    while (i < path.len) {
        size_t used = 1;
        TRY(path_step(&w, rules, path, i, &used));
        i += used;
    }
    bool slash = false;
    TRY(segment_end(&w, rules, &slash));
    return out->overflow ? ERR_LIMIT : ERR_OK;
}

static bool rule_refuses(Str path, UriRules rules, Span room)
{
    Text out = text_in(room);
    return uri_normalize(path, &rules, &out) != ERR_OK;
}

/* Each rule refuses by itself, but for dot segments: what they climb depends on the others. */
UriRule uri_refusing_rule(Str path, const UriRules *rules, Span room)
{
    MatrixRule strip = rules->matrix == MATRIX_STRIP ? MATRIX_STRIP : MATRIX_PASS;
    if (rules->matrix == MATRIX_REJECT &&
        rule_refuses(path, (UriRules){.matrix = MATRIX_REJECT}, room)) {
        return URI_MATRIX_PARAMETERS;
    }
    if (rules->percent_encoding &&
        rule_refuses(path, (UriRules){.percent_encoding = true, .matrix = strip}, room)) {
        return URI_PERCENT_ENCODING;
    }
    if (rules->control_characters &&
        rule_refuses(path, (UriRules){.control_characters = true, .matrix = strip}, room)) {
        return URI_CONTROL_CHARACTERS;
    }
    if (rules->encoded_separators &&
        rule_refuses(path, (UriRules){.encoded_separators = true, .matrix = strip}, room)) {
        return URI_ENCODED_SEPARATORS;
    }
    return URI_DOT_SEGMENTS;
}
