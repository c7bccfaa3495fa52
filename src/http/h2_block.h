/* h2_block.h - a header block of HTTP/2 while it is being received, field by field. */
#ifndef HTTP_H2_BLOCK_H
#define HTTP_H2_BLOCK_H

#include "http/h2.h"

typedef struct H2Block {
    Arena arena;
    H2Pseudo pseudo;
    Fields fields;
    size_t bytes; /* with overhead */
    HttpFault fault; /* beyond a limit, or a pseudo-field that nobody knows: no more is kept */
} H2Block;

void h2_block_init(H2Block *b, Blocks *blocks, size_t bytes_max);
/* Ready for the next one; what lies in the arena is dropped. */
void h2_block_clear(H2Block *b);
/* Takes one more field; each counts with its overhead (RFC 9113 §6.5.2) before it is kept. A block
 * somewhat beyond the limit is counted on, so that its sender can be told (431); ERR_LIMIT: it is
 * far beyond. ERR_MEMORY: no room. */
MUST_USE Err h2_block_add(H2Block *b, const HeadLimits *limits, Str name, Str value);

#endif
