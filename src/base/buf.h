/* buf.h - a queue of bytes that could not be written yet (or a head that is not whole yet).
 *
 * Fixed blocks from the owner thread's Blocks, under the worker's budget. An empty Buf holds no
 * memory, so an idle connection costs none. The zero value is an empty Buf. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/memory.h"

typedef struct Buf {
    Block *first;
    Block *last;
    size_t len;
} Buf;

#define BUF_PIECES_MAX 16

/* Appends a copy of `s`. ERR_MEMORY when the budget is spent; then nothing was appended. */
MUST_USE Err buf_add(Buf *b, Blocks *blocks, Str s);
/* Forgets the first `n` bytes (n <= len). */
void buf_skip(Buf *b, Blocks *blocks, size_t n);
void buf_clear(Buf *b, Blocks *blocks);
/* The first bytes as up to BUF_PIECES_MAX slices; returns how many. */
size_t buf_pieces(const Buf *b, Str *pieces, size_t pieces_max);
/* Copies the first bytes to `out` (as many as fit) and returns how many; the queue keeps them. */
size_t buf_peek(const Buf *b, Span out);
/* Moves everything in `from` past the end of `to`; both use the same Blocks. */
void buf_move(Buf *to, Buf *from);

#endif
