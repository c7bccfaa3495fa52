/* inherit.c - copies nodes and properties of `tls` to listeners. */
#include "config/inherit.h"

static KdlNode *copy_node(Arena *a, const KdlNode *node)
{
    KdlNode *copy = arena_new(a, KdlNode);
    if (copy) {
        *copy = *node;
        copy->next = NULL;
    }
    return copy;
}

/* The properties of the first certificate become the listener's. */
static Err take_properties(Arena *a, const KdlNode *certificate, KdlNode *listener)
{
    for (const KdlEntry *e = certificate->entries; e; e = e->next) {
        KdlEntry *copy = arena_new(a, KdlEntry);
        if (!copy) {
            return ERR_MEMORY;
        }
        *copy = *e;
        copy->next = listener->entries;
        listener->entries = copy;
    }
    return ERR_OK;
}

/* Further certificates, and each option that the listener does not have itself. */
static Err complete_listener(Arena *a, const KdlNode *tls, KdlNode *listener)
{
    bool first = true;
    KdlNode *own = listener->children;
    for (const KdlNode *n = tls->children; n; n = n->next) {
        bool certificate = str_equal(n->name, S("certificate"));
        if (certificate && first) {
            TRY(take_properties(a, n, listener));
            first = false;
        } else if (certificate || !node_find(own, n->name)) {
            KdlNode *copy = copy_node(a, n);
            if (!copy) {
                return ERR_MEMORY;
            }
            copy->next = listener->children;
            listener->children = copy;
            listener->has_children = true;
        }
    }
    return ERR_OK;
}

static KdlNode *child_of(KdlNode *nodes, Str name)
{
    KdlNode *n = nodes;
    while (n && !str_equal(n->name, name)) {
        n = n->next;
    }
    return n;
}

Err inherit_tls(Arena *a, KdlDocument *document)
{
    const KdlNode *tls = node_find(document->nodes, S("tls"));
    KdlNode *services = child_of(document->nodes, S("services"));
    for (KdlNode *s = tls && services ? services->children : NULL; s; s = s->next) {
        KdlNode *listeners = s->same == 0 ? child_of(s->children, S("listeners")) : NULL;
        for (KdlNode *n = listeners ? listeners->children : NULL; n; n = n->next) {
            if (node_says(n, S("tls"), true) && !node_property(n, S("cert-path"))) {
                TRY(complete_listener(a, tls, n));
            }
        }
    }
    return ERR_OK;
}

bool inherit_same(const KdlDocument *before, const KdlDocument *now)
{
    return str_equal(kdl_text(before, node_find(before->nodes, S("tls"))),
                     kdl_text(now, node_find(now->nodes, S("tls"))));
}
