/* h2_block.h - a header block of HTTP/2 while it is being received, field by field. */
#ifndef HTTP_H2_BLOCK_H
#define HTTP_H2_BLOCK_H

#include "http/h2.h"

/* A piece of Cookie after the first (RFC 9113 §8.2.3), in the block's arena. */
typedef struct CookieCrumb CookieCrumb;
struct CookieCrumb {
    CookieCrumb *next;
    Str value;
};

typedef struct H2Block {
    Arena arena;
    H2Pseudo pseudo;
    unsigned pseudo_seen; /* bits: which of them, also those that were not kept */
    bool regular;         /* a regular field has come: no pseudo-field may follow */
    Fields fields;
    bool has_cookie;
    size_t cookie_at; /* among the fields: the first crumb, or Cookie as a whole */
    CookieCrumb *crumbs; /* the last first */
    size_t crumb_bytes;
    size_t bytes; /* with overhead */
    HttpFault fault; /* beyond a limit, or a pseudo-field that no one knows: no more is kept */
} H2Block;

void h2_block_init(H2Block *b, Blocks *blocks, size_t bytes_max);
/* Ready for the next one; what lies in the arena is dropped. */
void h2_block_clear(H2Block *b);
/* Takes one more field; each counts with its overhead (RFC 9113 §6.5.2) before it is kept. A block
 * somewhat beyond the limit is counted on, so that its sender can be told (431); ERR_LIMIT: it is
 * far beyond. ERR_MEMORY: no room. */
MUST_USE Err h2_block_add(H2Block *b, const HeadLimits *limits, Str name, Str value);
/* The first field of that name, of those that have no number (field.h); NULL: there is none. */
const Field *h2_block_field(const H2Block *b, Str name);
/* Makes one field of a request's Cookie, which HTTP/2 may send in crumbs. ERR_MEMORY: no room. */
MUST_USE Err h2_block_join_cookie(H2Block *b);

#endif
