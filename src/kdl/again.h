/* again.h - a text beside the one before: nodes that need not be read again (internal to the
 * room; see kdl_parse_again).
 *
 * Both texts are gone through side by side. Where a node begins, the next nodes of the text before
 * are compared with what is there; a node that has to be read is then looked for by its name,
 * to find out where the text before goes on. So a text in which little was added, changed or taken
 * away costs one comparison of its bytes. */
#ifndef KDL_AGAIN_H
#define KDL_AGAIN_H

#include "kdl/kdl.h"

typedef struct KdlAgain {
    const KdlDocument *before;
    Str within;          /* the top-level node whose children are compared */
    const KdlNode *next; /* the one that should come next; NULL: none */
    uint32_t place;      /* its place among its siblings */
    size_t patience;     /* how many names may still be looked at */
    bool not_two;        /* what version 2 could not read is in this text, too */
} KdlAgain;

/* A top-level node of that name begins. */
void kdl_again_enter(KdlAgain *s, Str name);
/* The node before whose text begins `rest`, or NULL; *ret_same as KdlNode.same. */
const KdlNode *kdl_again_match(KdlAgain *s, Str rest, uint32_t *ret_same);
/* A node of that name was read. */
void kdl_again_pass(KdlAgain *s, Str name);

#endif
