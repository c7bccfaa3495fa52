/* rules_mistake.c - the ways to say that a rule is broken. */
#include "config/rules.h"

void rules_error(Checker *c, Location at, Str help, const char *message)
{
    check_report(c, SEVERITY_ERROR, where_at(at), help, "%s", message);
}

void rules_pair(Checker *c, const KdlNode *node, Str one, Str other)
{
    const KdlEntry *a = node_property(node, one);
    const KdlEntry *b = node_property(node, other);
    if ((a != NULL) != (b != NULL)) {
        Str there = a ? one : other;
        Str missing = a ? other : one;
        check_report(c, SEVERITY_ERROR, where_at(a ? a->name_at : b->name_at), STR_NONE,
                     "`%.*s` needs `%.*s` beside it", STR_ARG(there), STR_ARG(missing));
    }
}
