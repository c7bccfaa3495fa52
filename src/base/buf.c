/* buf.c - the byte queue. */
#include "base/buf.h"

static Span block_room(const Blocks *blocks, Block *block)
{
    return span_of(block->bytes + block->to, blocks->block_bytes - block->to);
}

static Str block_bytes(const Block *block)
{
    return str_of(block->bytes + block->from, block->to - block->from);
}

/* Takes as many blocks as `bytes` need; all of them or none. */
static Err buf_reserve(Blocks *blocks, size_t bytes, Block **ret_first)
{
    Block *first = NULL;
    for (size_t got = 0; got < bytes; got += blocks->block_bytes) {
        Block *block = blocks_take(blocks);
        if (!block) {
            while (first) {
                Block *next = first->next;
                blocks_give(blocks, first);
                first = next;
            }
            return ERR_MEMORY;
        }
        block->next = first;
        first = block;
    }
    *ret_first = first;
    return ERR_OK;
}

Err buf_add(Buf *b, Blocks *blocks, Str s)
{
    size_t room = b->last ? blocks->block_bytes - b->last->to : 0;
    Block *fresh = NULL;
    if (s.len > room) {
        TRY(buf_reserve(blocks, s.len - room, &fresh));
    }
    b->len += s.len;
    while (s.len) {
        if (!b->last || b->last->to == blocks->block_bytes) {
            Block *block = fresh;
            CHECK(block); /* buf_reserve counted them */
            fresh = block->next;
            block->next = NULL;
            if (b->last) {
                b->last->next = block;
            } else {
                b->first = block;
            }
            b->last = block;
        }
        Span into = block_room(blocks, b->last);
        Str part = str_take(s, into.len);
        b->last->to += (uint32_t)span_copy(into, part);
        s = str_drop(s, part.len);
    }
    return ERR_OK;
}

void buf_skip(Buf *b, Blocks *blocks, size_t n)
{
    CHECK(n <= b->len);
    b->len -= n;
    while (n > 0) {
        Block *block = b->first;
        CHECK(block); /* the blocks hold b->len bytes */
        size_t here = block->to - block->from;
        size_t gone = n < here ? n : here;
        block->from += (uint32_t)gone;
        n -= gone;
        if (block->from == block->to) {
            b->first = block->next;
            if (!b->first) {
                b->last = NULL;
            }
            blocks_give(blocks, block);
        }
    }
}

void buf_clear(Buf *b, Blocks *blocks)
{
    buf_skip(b, blocks, b->len);
}

size_t buf_pieces(const Buf *b, Str *pieces, size_t pieces_max)
{
    size_t count = 0;
    for (const Block *block = b->first; block && count < pieces_max; block = block->next) {
        pieces[count++] = block_bytes(block);
    }
    return count;
}

size_t buf_peek(const Buf *b, Span out)
{
    size_t copied = 0;
    for (const Block *block = b->first; block && copied < out.len; block = block->next) {
        Str part = str_take(block_bytes(block), out.len - copied);
        copied += span_copy(span_drop(out, copied), part);
    }
    return copied;
}

void buf_move(Buf *to, Buf *from)
{
    if (!from->first) {
        return;
    }
    if (to->last) {
        to->last->next = from->first;
    } else {
        to->first = from->first;
    }
    to->last = from->last;
    to->len += from->len;
    *from = (Buf){0};
}
