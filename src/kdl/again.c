/* again.c - which nodes of a text are in the one before, byte for byte.
 *
 * Reading a node begins in the same state wherever it stands (after a terminator, outside of
 * strings and comments), and nothing after its line matters: so the same bytes, from its
 * name to the end of its last line, are the same node. */
#include "kdl/again.h"

#include "kdl/parse.h"

#define AHEAD_MAX 4u         /* nodes that may have been taken out in one place without a search */
#define PATIENCE_MAX 200000u /* names that are looked at in all, when nodes are searched for */

void kdl_again_enter(KdlAgain *s, Str name)
{
    s->next = NULL;
    s->place = 0;
    for (const KdlNode *n = s->before->nodes; n && str_equal(name, s->within); n = n->next) {
        if (str_equal(n->name, name)) {
            s->next = n->children;
            return;
        }
    }
}

Str kdl_text(const KdlDocument *document, const KdlNode *node)
{
    Location at = node ? node->whole : (Location){0, 0};
    return str_slice(document->text, at.from, at.from + at.len);
}

static bool location_holds(Location whole, Location at)
{
    return at.from >= whole.from && at.from - whole.from < whole.len;
}

const KdlNode *kdl_again_match(KdlAgain *s, Str rest, uint32_t *ret_same)
{
    const KdlNode *n = s->next;
    for (uint32_t i = 0; n && i < AHEAD_MAX; i++, n = n->next) {
        Str text = kdl_text(s->before, n);
        /* A type is before its text, and "\\" makes the end of a line mean nothing. */
        bool whole = !n->has_type && n->ends_line && str_ends(text, S("\n"));
        if (whole && str_starts(rest, text)) {
            s->place += i + 1;
            s->next = n->next;
            s->not_two = s->not_two || location_holds(n->whole, s->before->not_two);
            *ret_same = s->place;
            return n;
        }
    }
    return NULL;
}

void kdl_again_pass(KdlAgain *s, Str name)
{
    uint32_t place = s->place;
    for (const KdlNode *n = s->next; n && s->patience > 0; n = n->next) {
        place++;
        s->patience--;
        if (str_equal(n->name, name)) {
            s->place = place;
            s->next = n->next;
            return;
        }
    }
}

/* Whether both texts are the same up to after what version 2 could not read. */
static bool begins_alike(Str text, const KdlDocument *before)
{
    size_t end = (size_t)before->not_two.from + before->not_two.len + 1;
    return str_starts(text, str_take(before->text, end));
}

Err kdl_parse_again(Arena *a, Str text, const KdlDocument *before, Str within, Diagnostics *d,
                    KdlDocument *ret)
{
    int marked = kdl_marked_version(text);
    if (text.len > KDL_TEXT_BYTES_MAX || marked != kdl_marked_version(before->text)) {
        return ERR_AGAIN;
    }
    KdlAgain again = {.before = before,
                      .within = within,
                      .patience = PATIENCE_MAX,
                      .not_two = marked != 0 || begins_alike(text, before)};
    Err err = kdl_parse_as(a, text, before->version, &again, d, ret);
    if (err == ERR_OK) {
        ret->not_two = before->not_two;
    }
    bool whole = err == ERR_OK && (before->version == 2 || again.not_two) &&
                 before->items + ret->items <= KDL_ITEMS_MAX;
    return whole || err == ERR_MEMORY ? err : ERR_AGAIN;
}
