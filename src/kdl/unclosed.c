/* unclosed.c - where the brace is missing that a text lacks at its end.
 *
 * By the grammar alone, a block that is not closed takes the braces of those around it, so the one
 * that is open at the end is the outermost. People indent: a line within a block that is not
 * further to the right than the line that opened it tells which block was meant to end before. */
#include "kdl/lex.h"
#include "kdl/parse.h"

typedef struct OpenBlock {
    size_t from; /* of its brace */
    size_t indent; /* of its line */
} OpenBlock;

typedef struct Scan {
    OpenBlock open[KDL_DEPTH_MAX];
    size_t depth;
    size_t indent;   /* of the line so far */
    bool line_begins; /* nothing but space yet */
    bool found;
    size_t suspect;  /* the brace of the block that lacks its end */
} Scan;

/* The first token of a line, which must be further to the right than the line of its block. */
static void look_at_line(Scan *s, bool closes)
{
    const OpenBlock *top = s->depth > 0 ? &s->open[s->depth - 1] : NULL;
    bool outside = top && (s->indent < top->indent || (s->indent == top->indent && !closes));
    if (outside && !s->found) {
        s->found = true;
        s->suspect = top->from;
    }
    s->line_begins = false;
}

static bool scan_token(Scan *s, const KdlToken *t)
{
    if (t->kind == KDL_TOKEN_NEWLINE || t->kind == KDL_TOKEN_LINE_COMMENT) {
        s->line_begins = s->line_begins || t->kind == KDL_TOKEN_NEWLINE;
        s->indent = t->kind == KDL_TOKEN_NEWLINE ? 0 : s->indent;
        return true;
    }
    if (t->kind == KDL_TOKEN_SPACE) {
        s->indent += s->line_begins ? t->to - t->from : 0;
        return true;
    }
    if (s->line_begins) {
        look_at_line(s, t->kind == KDL_TOKEN_CLOSE_BRACE);
    }
    if (t->kind == KDL_TOKEN_OPEN_BRACE) {
        if (s->depth == KDL_DEPTH_MAX) {
            return false;
        }
        s->open[s->depth++] = (OpenBlock){.from = t->from, .indent = s->indent};
    } else if (t->kind == KDL_TOKEN_CLOSE_BRACE) {
        if (s->depth == 0) {
            return false;
        }
        s->depth--;
    }
    return true;
}

Str kdl_find_unclosed(Str text, int version, Location *io)
{
    Scan s = {.line_begins = true};
    for (size_t at = kdl_bom_bytes(text); at < text.len;) {
        KdlToken t = kdl_token(text, at, version);
        if (t.kind == KDL_TOKEN_END || t.kind == KDL_TOKEN_BAD || !scan_token(&s, &t)) {
            break;
        }
        at = t.to;
    }
    if (!s.found) {
        return S("close it with }");
    }
    *io = (Location){.from = (uint32_t)s.suspect, .len = 1};
    return S("the lines after it begin further to the left: close it with } before them");
}
