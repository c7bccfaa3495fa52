/* answer_body.c - ANSWER: sends River's own answers.
 *
 * The body is a list of pieces (answer.h). As much as fits is put into one buffer after the head,
 * so that a small answer takes one call. A large range of a file goes from the page cache to a
 * plain HTTP/1 connection without a copy. What is not in memory is read by the disk's threads. */
#include "proxy/answer.h"

#include "base/number.h"
#include "loop/system.h"
#include "proxy/exchange.h"
#include "proxy/file_cache.h"
#include "proxy/relay.h"
#include "proxy/worker.h"

/* Body bytes per turn: more costs more (docs/PERFORMANCE.md), and delays other connections. */
#define STEP_BYTES_MAX (192u << 10)
#define UNCOPIED_BYTES_MIN (64u << 10) /* a smaller rest of a file is read and sent */

/* --- the body -------------------------------------------------------------------------------- */

static bool body_over(const Exchange *x)
{
    return x->own.place.piece >= x->own.answer.piece_count;
}

static void place_move(Exchange *x, uint64_t bytes)
{
    AnswerPlace *place = &x->own.place;
    place->offset += bytes;
    if (place->offset >= answer_piece_bytes(&x->own.answer.pieces[place->piece])) {
        *place = (AnswerPlace){.piece = place->piece + 1};
    }
}

/* Bytes in memory of the current piece, from the current position. */
static Str place_bytes(const Thread *t, const Exchange *x)
{
    const AnswerPiece *p = &x->own.answer.pieces[x->own.place.piece];
    if (p->bytes.len > 0) {
        return str_drop(p->bytes, (size_t)x->own.place.offset);
    }
    const File *f = file_cache_get(t, x->file.handle);
    if (f && f->content.len > 0) {
        Str range = str_slice(span_str(f->content), (size_t)p->from, (size_t)p->to);
        return str_drop(range, (size_t)x->own.place.offset);
    }
    return STR_NONE;
}

/* Takes bytes that the disk's threads have read. */
static Err take_loaded(Thread *t, Exchange *x, Span room, size_t *ret_read)
{
    if (x->file.loaded.err != ERR_OK) {
        return x->file.loaded.err;
    }
    Str rest = str_drop(span_str(x->file.loaded.bytes), x->file.loaded_at);
    *ret_read = span_copy(room, str_take(rest, room.len));
    x->file.loaded_at += *ret_read;
    if (*ret_read == rest.len) {
        disk_bytes_drop(&t->group->budget, &x->file.loaded);
    }
    return *ret_read > 0 ? ERR_OK : ERR_AGAIN;
}

/* Reads the next bytes of the file. ERR_AGAIN: the disk's threads will wake the exchange. */
static Err place_read(Thread *t, Exchange *x, Span room, size_t *ret_read)
{
    const AnswerPiece *p = &x->own.answer.pieces[x->own.place.piece];
    uint64_t offset = p->from + x->own.place.offset;
    Span wanted = span_take(room, (size_t)u64_min(p->to - offset, room.len));
    File *f = file_cache_get(t, x->file.handle);
    CHECK(f != NULL); /* it is pinned */
    if (x->file.loading) {
        return ERR_AGAIN;
    }
    if (x->file.loaded.room > 0 || x->file.loaded.err != ERR_OK) {
        return take_loaded(t, x, wanted, ret_read);
    }
    Err err = file_cache_read(f, offset, wanted, ret_read);
    if (err == ERR_AGAIN) {
        TRY(file_cache_load(t, f, offset, (size_t)u64_min(p->to - offset, room.len), x->self));
        x->file.loading = true;
        x->file.loaded_at = 0;
        x->pace.up_ms = t->now_ms;
    }
    return err;
}

/* The next bytes: a last piece in place, or else as many pieces as fit into the thread's input.
 * ERR_AGAIN: none yet. */
static Err body_next(Thread *t, Exchange *x, size_t room_bytes, Str *ret)
{
    Span room = span_take(t->input, room_bytes);
    size_t filled = 0;
    while (!body_over(x) && filled < room.len) {
        Span rest = span_drop(room, filled);
        Str bytes = str_take(place_bytes(t, x), rest.len);
        bool last = x->own.place.piece + 1 == x->own.answer.piece_count;
        if (bytes.len > 0 && filled == 0 && last) {
            place_move(x, bytes.len);
            *ret = bytes;
            return ERR_OK;
        }
        size_t n = span_copy(rest, bytes);
        Err err = n > 0 ? ERR_OK : place_read(t, x, rest, &n);
        if (err == ERR_AGAIN && filled > 0) {
            break;
        }
        if (err != ERR_OK) {
            return err;
        }
        place_move(x, n);
        filled += n;
    }
    *ret = str_take(span_str(room), filled);
    return ERR_OK;
}

static Fault file_fault(Err err)
{
    switch ((int)err) {
    case ERR_CLOSED:
        return FAULT_FILE_CHANGED;
    case ERR_FULL:
        return FAULT_FILE_BUSY;
    case ERR_MEMORY:
        return FAULT_MEMORY;
    default:
        return FAULT_FILE_ERROR;
    }
}

static void count_sent(Thread *t, Exchange *x, size_t bytes, size_t body)
{
    x->meter.bytes_out += bytes;
    x->meter.body_bytes_out += body;
    x->pace.out_ms = t->now_ms;
}

/* Sends the next bytes, after the head if that is not sent yet. */
static Step send_next(Thread *t, Exchange *x, HeadOut *head, size_t *sent)
{
    Link client = link_client(t, x);
    Str data = STR_NONE;
    Err err = body_over(x) ? ERR_OK : body_next(t, x, link_room(t, client), &data);
    if (err == ERR_AGAIN) {
        return WAIT;
    }
    if (err != ERR_OK) {
        return FAIL(file_fault(err));
    }
    size_t bytes = 0;
    if (link_send(t, client, head, data, false, body_over(x), NULL, &bytes) != ERR_OK) {
        return FAIL(FAULT_CLIENT_GONE);
    }
    x->own.begun = true;
    x->reply.status = x->own.answer.status;
    x->own.whole = body_over(x);
    count_sent(t, x, bytes, data.len);
    *sent += data.len;
    return NEXT;
}

/* How many bytes of a file can go to the client without a copy, and without waiting for a disk. */
static size_t uncopied_bytes(const Thread *t, const Exchange *x, Link client)
{
    const File *f = file_cache_get(t, x->file.handle);
    if (!client.wire || client.wire->tls || !f || f->fd < 0 || x->file.loading ||
        x->file.loaded.room > 0 || body_over(x) ||
        x->own.answer.pieces[x->own.place.piece].bytes.len > 0) {
        return 0;
    }
    const AnswerPiece *p = &x->own.answer.pieces[x->own.place.piece];
    uint64_t from = p->from + x->own.place.offset;
    size_t len = (size_t)u64_min(p->to - from, STEP_BYTES_MAX);
    return len >= UNCOPIED_BYTES_MIN && file_is_ready(f->fd, from, len) ? len : 0;
}

static Step send_uncopied(Thread *t, Exchange *x, HeadOut *head, size_t len, size_t *sent)
{
    Link client = link_client(t, x);
    const File *f = file_cache_get(t, x->file.handle);
    const AnswerPiece *p = &x->own.answer.pieces[x->own.place.piece];
    FileRange range = {.file = f->fd, .from = p->from + x->own.place.offset, .len = len};
    Str bytes = text_str(&head->text);
    size_t n = 0;
    if (head->text.overflow) {
        return FAIL(FAULT_CLIENT_GONE);
    }
    Err err = wire_send_file(client.wire, &t->wires, bytes, &range, &n);
    if (err != ERR_OK && err != ERR_AGAIN) {
        return FAIL(err == ERR_CLOSED ? FAULT_FILE_CHANGED : FAULT_CLIENT_GONE);
    }
    if (n > 0) {
        place_move(x, n);
    }
    x->own.begun = true;
    x->reply.status = x->own.answer.status;
    x->own.whole = body_over(x);
    x->pace.send.bytes += n;
    count_sent(t, x, bytes.len + n, n);
    *sent += n;
    return err == ERR_OK ? NEXT : WAIT;
}

/* --- the phase ------------------------------------------------------------------------------- */

bool answer_blocked(const Thread *t, const Exchange *x)
{
    Link client = link_client(t, x);
    bool full = client.wire && !client.wire->writable && !x->own.whole;
    return x->own.begun && (full || link_blocked(client));
}

/* Whether the client may send something other than a request after this answer: it asked for
 * another protocol, or whether its body is wanted. */
static bool client_may_stray(const Exchange *x)
{
    const RequestHead *r = &x->request.head;
    bool refused = x->fault != FAULT_NONE;
    bool body = r->framing.body != BODY_NONE && (r->expects_continue || r->expects_other);
    return r->method == METHOD_CONNECT || x->request.upgrade.len > 0 || body ||
           (refused && r->framing.upgrade);
}

/* Sends the head, with as much of the body as fits. */
static Step answer_begin(Thread *t, Exchange *x, size_t *sent)
{
    Link client = link_client(t, x);
    relay_discard_request(t, x);
    if (!x->request.parsed || !x->request.body.done || client_may_stray(x) ||
        exchange_must_leave(t, x)) {
        x->keep_client = false;
    }
    Step prepared = answer_prepare(t, x);
    if (prepared.kind != STEP_NEXT) {
        return prepared;
    }
    HeadOut head = link_head(t, client);
    answer_head(t, x, &head);
    if (t->worker->plan.access_log) {
        x->meter.own_byte_us = system_calls->now_ns() / 1000 - x->meter.start_us;
    }
    size_t len = client.wire && client.wire->writable ? uncopied_bytes(t, x, client) : 0;
    return len > 0 ? send_uncopied(t, x, &head, len, sent) : send_next(t, x, &head, sent);
}

/* The answer is over only when the client has taken all of it; on a stream, once it is queued,
 * since a stream sends its last bytes by itself. */
Step phase_answer(Thread *t, Exchange *x)
{
    Link client = link_client(t, x);
    size_t sent = 0;
    if (x->file.loading) {
        return WAIT;
    }
    if (!x->own.begun) {
        Step step = answer_begin(t, x, &sent);
        if (step.kind != STEP_NEXT) {
            return step;
        }
    }
    while (!x->own.whole) {
        if (answer_blocked(t, x)) {
            return WAIT;
        }
        if (sent >= STEP_BYTES_MAX) {
            exchange_again(t, x);
            return WAIT;
        }
        HeadOut none = link_head(t, client);
        size_t len = uncopied_bytes(t, x, client);
        Step step = len > 0 ? send_uncopied(t, x, &none, len, &sent)
                            : send_next(t, x, &none, &sent);
        if (step.kind != STEP_NEXT) {
            return step;
        }
    }
    return client.stream || !link_blocked(client) ? NEXT : WAIT;
}
