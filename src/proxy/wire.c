/* wire.c - reading and writing one side. */
#include "proxy/wire.h"

#include "loop/poller.h"

void wire_ready(Wire *w, unsigned what)
{
    w->readable |= (what & READY_IN) != 0;
    w->writable |= (what & READY_OUT) != 0;
    w->ended |= (what & READY_END) != 0;
    w->broken |= (what & READY_BROKEN) != 0;
}

Err wire_receive(Wire *w, Span room, size_t *ret_received)
{
    size_t received = 0;
    Err err = stream_receive(&w->stream, room, &received);
    if (err != ERR_OK) {
        w->readable = false;
        w->ended |= err == ERR_CLOSED;
        w->broken |= err != ERR_CLOSED && err != ERR_AGAIN;
        return err;
    }
    if (received < room.len && !w->ended && !w->broken) {
        w->readable = false;
    }
    *ret_received = received;
    return ERR_OK;
}

/* Drops `n` sent bytes from the front of the pieces. */
static void pieces_skip(Str *pieces, size_t count, size_t n)
{
    for (size_t i = 0; i < count && n > 0; i++) {
        size_t gone = n < pieces[i].len ? n : pieces[i].len;
        pieces[i] = str_drop(pieces[i], gone);
        n -= gone;
    }
}

Err wire_send(Wire *w, Blocks *blocks, const Str *pieces, size_t count)
{
    CHECK(count <= STREAM_PIECES_MAX);
    Str left[STREAM_PIECES_MAX];
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        left[i] = pieces[i];
        total += pieces[i].len;
    }
    if (w->out.len == 0 && w->writable && total > 0) {
        size_t sent = 0;
        Err err = stream_send(&w->stream, left, count, &sent);
        if (err != ERR_OK && err != ERR_AGAIN) {
            w->broken = true;
            return err;
        }
        pieces_skip(left, count, sent);
        total -= sent;
        w->writable = total == 0;
        w->short_write |= total > 0;
    }
    for (size_t i = 0; i < count && total > 0; i++) {
        TRY(buf_add(&w->out, blocks, left[i]));
    }
    return ERR_OK;
}

Err wire_flush(Wire *w, Blocks *blocks, size_t *ret_sent)
{
    *ret_sent = 0;
    while (w->out.len > 0 && w->writable) {
        Str pieces[STREAM_PIECES_MAX];
        size_t count = buf_pieces(&w->out, pieces, STREAM_PIECES_MAX);
        size_t offered = 0;
        for (size_t i = 0; i < count; i++) {
            offered += pieces[i].len;
        }
        size_t sent = 0;
        Err err = stream_send(&w->stream, pieces, count, &sent);
        if (err != ERR_OK && err != ERR_AGAIN) {
            w->broken = true;
            return err;
        }
        buf_skip(&w->out, blocks, sent);
        *ret_sent += sent;
        w->writable = sent == offered;
    }
    return ERR_OK;
}

void wire_close(Wire *w, Blocks *blocks, bool abort)
{
    stream_close(&w->stream, abort);
    buf_clear(&w->out, blocks);
}
