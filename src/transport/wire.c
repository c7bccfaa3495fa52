/* wire.c - reads and writes one side, plain or through TLS. */
#include "transport/wire.h"

#include "base/number.h"
#include "loop/disk.h"
#include "loop/poller.h"
#include "loop/system.h"
#include "transport/thread.h"

#define RAW_BYTES_MIN 4096u
#define BARREN_BYTES_MAX (32u << 10) /* of ciphertext without data, per turn */
#define DRAINS_MAX 4u /* reads before a close */

void wire_ready(Wire *w, unsigned what)
{
    w->readable |= (what & READY_IN) != 0;
    w->writable |= (what & READY_OUT) != 0;
    w->ended |= (what & READY_END) != 0;
    w->broken |= (what & READY_BROKEN) != 0;
}

/* Reads from the socket, and updates the readiness accordingly. */
static Err raw_receive(Wire *w, Span room, size_t *ret_received)
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

/* Drops the first `n` bytes of the pieces, which were sent. */
static void pieces_skip(Str *pieces, size_t count, size_t n)
{
    for (size_t i = 0; i < count && n > 0; i++) {
        size_t gone = n < pieces[i].len ? n : pieces[i].len;
        pieces[i] = str_drop(pieces[i], gone);
        n -= gone;
    }
}

static Err raw_send(Wire *w, const WireRoom *r, const Str *pieces, size_t count)
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
        w->given += sent;
        w->writable = total == 0;
        w->short_write |= total > 0;
        w->looked = w->looked && sent == 0;
    }
    for (size_t i = 0; i < count && total > 0; i++) {
        TRY(buf_add(&w->out, r->blocks, left[i]));
    }
    return ERR_OK;
}

/* --- TLS ------------------------------------------------------------------------------------- */

typedef struct Sink {
    Wire *wire;
    const WireRoom *room;
} Sink;

static Err sink_send(void *context, const Str *pieces, size_t count)
{
    Sink *sink = (Sink *)context;
    return raw_send(sink->wire, sink->room, pieces, count);
}

/* Sends the ciphertext that the session has produced. */
static Err seal_send(Wire *w, const WireRoom *r)
{
    if (!tls_has_output(w->tls)) {
        return ERR_OK;
    }
    Sink sink = {.wire = w, .room = r};
    return tls_take(w->tls, sink_send, &sink);
}

/* Sends a failed session's alert, as far as possible. `readable` stays set: remaining input is
 * dropped while the client reads the alert, or a plain answer. */
static Err seal_failed(Wire *w, const WireRoom *r)
{
    (void)seal_send(w, r);
    w->broken = true;
    return ERR_RESET;
}

/* Decrypts `raw` as far as `room` allows. *ret_left: what the session cannot take before more of
 * its plaintext is read. */
static Err seal_open(Wire *w, Str raw, Span room, size_t *got, Str *ret_left)
{
    bool moved = true;
    while (raw.len > 0 && moved) {
        size_t taken = 0;
        size_t n = 0;
        TRY(tls_feed(w->tls, raw, &taken));
        raw = str_drop(raw, taken);
        Err err = *got < room.len ? tls_read(w->tls, span_drop(room, *got), &n) : ERR_AGAIN;
        *got += n;
        moved = taken > 0 || n > 0;
        raw = !moved && err == ERR_CLOSED ? STR_NONE : raw; /* data after the end is ignored */
    }
    *ret_left = raw;
    return ERR_OK;
}

/* Decrypts newly read ciphertext, and holds what does not fit. */
static Err seal_take(Wire *w, const WireRoom *r, Str raw, Span room, size_t *got)
{
    Str left = STR_NONE;
    if (seal_open(w, raw, room, got, &left) != ERR_OK) {
        return seal_failed(w, r);
    }
    Err err = buf_add(&w->held, r->blocks, left);
    w->broken |= err != ERR_OK;
    return err;
}

/* The same for held ciphertext. */
static Err seal_held(Wire *w, const WireRoom *r, Span room, size_t *got)
{
    bool moved = true;
    while (w->held.len > 0 && moved) {
        Str raw = str_take(span_str(r->raw), buf_peek(&w->held, r->raw));
        Str left = STR_NONE;
        if (seal_open(w, raw, room, got, &left) != ERR_OK) {
            return seal_failed(w, r);
        }
        moved = left.len < raw.len;
        buf_skip(&w->held, r->blocks, raw.len - left.len);
    }
    return ERR_OK;
}

/* Reads plaintext that the session already has. ERR_CLOSED: the peer has ended the session. */
static Err seal_rest(Wire *w, Span room, size_t *got)
{
    size_t n = 0;
    Err err = ERR_OK;
    while (*got < room.len && err == ERR_OK) {
        n = 0;
        err = tls_read(w->tls, span_drop(room, *got), &n);
        *got += n;
    }
    return err == ERR_CLOSED ? ERR_CLOSED : ERR_OK;
}

static Err sealed_receive(Wire *w, const WireRoom *r, Span room, size_t *ret_received)
{
    size_t got = 0;
    bool closed = seal_rest(w, room, &got) == ERR_CLOSED;
    Err err = ERR_OK;
    if (w->held.len > 0) {
        TRY(seal_held(w, r, room, &got));
        closed = closed || seal_rest(w, room, &got) == ERR_CLOSED;
    }
    /* Records may be nearly empty: reads that yield nothing are bounded, too. */
    size_t read = 0;
    size_t before = got;
    while (!closed && got < room.len && w->readable && w->held.len == 0 &&
           read - size_min(read, got - before) < BARREN_BYTES_MAX) {
        size_t n = 0;
        size_t want = size_min(r->raw.len, (size_t)u64_max(room.len - got, RAW_BYTES_MIN));
        err = raw_receive(w, span_take(r->raw, want), &n);
        if (err != ERR_OK) {
            break;
        }
        read += n;
        TRY(seal_take(w, r, str_take(span_str(r->raw), n), room, &got));
        closed = seal_rest(w, room, &got) == ERR_CLOSED;
    }
    TRY(seal_send(w, r));
    w->ended |= closed;
    w->cut |= err == ERR_CLOSED && !closed;
    if (got > 0) {
        /* The next call reports the end. */
        w->readable |= got == room.len || closed || err == ERR_CLOSED || w->held.len > 0;
        *ret_received = got;
        return ERR_OK;
    }
    if (read >= BARREN_BYTES_MAX && w->readable && !closed && err == ERR_OK) {
        thread_again_wire(r->thread, w);
        return ERR_AGAIN;
    }
    w->readable = false;
    return closed ? ERR_CLOSED : err == ERR_OK ? ERR_AGAIN : err;
}

Err wire_seal(Wire *w, const WireRoom *r, Tls *tls, Str early)
{
    size_t got = 0;
    w->tls = tls;
    return seal_take(w, r, early, (Span){0}, &got);
}

Err wire_handshake(Wire *w, const WireRoom *r)
{
    Err err = ERR_OK;
    while (tls_state(w->tls) == TLS_HANDSHAKING && err == ERR_OK) {
        if (!w->readable) {
            err = w->broken ? ERR_RESET : ERR_AGAIN;
            break;
        }
        size_t n = 0;
        size_t got = 0;
        err = raw_receive(w, span_take(r->raw, RAW_BYTES_MIN), &n);
        if (err == ERR_OK) {
            TRY(seal_take(w, r, str_take(span_str(r->raw), n), (Span){0}, &got));
        }
    }
    Err sent = seal_send(w, r);
    if (tls_state(w->tls) == TLS_OPEN && sent == ERR_OK) {
        w->readable = true; /* data may have arrived with the end of the handshake */
        return ERR_OK;
    }
    return sent == ERR_OK ? err : sent;
}

static Err sealed_send(Wire *w, const WireRoom *r, const Str *pieces, size_t count)
{
    Err err = tls_write(w->tls, pieces, count);
    if (err == ERR_OK) {
        err = seal_send(w, r);
    }
    w->broken |= err != ERR_OK && err != ERR_MEMORY;
    return err;
}

/* --- both ------------------------------------------------------------------------------------ */

Err wire_receive(Wire *w, const WireRoom *r, Span room, size_t *ret_received)
{
    return w->tls ? sealed_receive(w, r, room, ret_received) : raw_receive(w, room, ret_received);
}

Err wire_send(Wire *w, const WireRoom *r, const Str *pieces, size_t count)
{
    return w->tls ? sealed_send(w, r, pieces, count) : raw_send(w, r, pieces, count);
}

/* The socket holds the head back until the file's first bytes, so that they leave together. */
static Err send_head(Wire *w, const WireRoom *r, Str head)
{
    size_t sent = 0;
    Err err = stream_send_more(&w->stream, head, &sent);
    if (err != ERR_OK && err != ERR_AGAIN) {
        w->broken = true;
        return err;
    }
    w->writable = sent == head.len;
    w->given += sent;
    return sent < head.len ? buf_add(&w->out, r->blocks, str_drop(head, sent)) : ERR_OK;
}

Err wire_send_file(Wire *w, const WireRoom *r, Str head, const FileRange *range, size_t *ret_sent)
{
    CHECK(!w->tls && w->out.len == 0);
    *ret_sent = 0;
    if (head.len > 0) {
        TRY(send_head(w, r, head));
    }
    if (!w->writable) {
        return ERR_AGAIN;
    }
    Err err = file_send(w->stream.fd, range->file, range->from, range->len, ret_sent);
    w->given += *ret_sent;
    if (err == ERR_AGAIN) {
        w->writable = false; /* only EAGAIN shows this: a short count may be the file's end */
        w->short_write = true;
    } else if (err != ERR_OK && err != ERR_CLOSED) {
        w->broken = true;
    }
    return err;
}

Err wire_flush_queue(Wire *w, const WireRoom *r, size_t *ret_sent)
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
        buf_skip(&w->out, r->blocks, sent);
        *ret_sent += sent;
        w->given += sent;
        w->writable = sent == offered;
        w->looked = w->looked && sent == 0;
    }
    return ERR_OK;
}

uint64_t wire_watch(Wire *w, uint64_t now_ms, uint64_t timeout_ms, uint64_t *progress_ms,
                    size_t *ret_moved)
{
    uint64_t apart_ms = u64_max(timeout_ms / WIRE_LOOKS, 1);
    *ret_moved = 0;
    uint64_t look_ms = w->looked ? w->look_ms : *progress_ms + apart_ms;
    if (look_ms > now_ms) {
        return look_ms;
    }
    int answer = system_calls->unacked(w->stream.fd);
    uint32_t unacked = answer > 0 ? (uint32_t)answer : 0;
    if (w->looked && answer >= 0 && unacked < w->unacked) {
        *ret_moved = w->unacked - unacked;
        *progress_ms = now_ms;
    }
    w->looked = true;
    w->unacked = unacked;
    w->look_ms = now_ms + apart_ms;
    return w->look_ms;
}

uint64_t wire_acked(const Wire *w)
{
    int answer = system_calls->unacked(w->stream.fd);
    uint64_t unacked = answer > 0 ? (uint64_t)answer : 0;
    return w->given - u64_min(unacked, w->given); /* other threads may have given more meanwhile */
}

void wire_finish(Wire *w, const WireRoom *r)
{
    if (w->tls) {
        tls_finish(w->tls);
        (void)seal_send(w, r);
    }
    stream_finish(&w->stream);
}

void wire_unseal(Wire *w)
{
    tls_free(w->tls);
    w->tls = NULL;
}

/* Reads and drops pending input: closing a socket with unread input sends a reset, which may
 * destroy our last bytes before the peer has read them. */
static void drain_input(Wire *w, const WireRoom *r)
{
    size_t n = 0;
    for (unsigned i = 0; i < DRAINS_MAX && w->readable; i++) {
        if (raw_receive(w, r->raw, &n) != ERR_OK) {
            return;
        }
    }
}

void wire_why(const Wire *w, Text *out)
{
    size_t before = out->len;
    tls_reason_print(w->tls, out);
    if (out->len == before) {
        text_add(out, w->ended && !w->broken ? S("the peer closed the connection")
                                             : S("the peer reset the connection"));
    }
}

void wire_close(Wire *w, const WireRoom *r, bool abort)
{
    bool told = w->tls && tls_reason(w->tls) != TLS_REASON_NONE; /* by an alert: it must arrive */
    abort = abort && !told;
    if (!abort && (!w->broken || told)) {
        if (w->tls && tls_state(w->tls) == TLS_OPEN && w->out.len == 0) {
            tls_finish(w->tls);
            (void)seal_send(w, r);
        }
        drain_input(w, r);
    }
    wire_unseal(w);
    stream_close(&w->stream, abort);
    buf_clear(&w->out, r->blocks);
    buf_clear(&w->held, r->blocks);
}
