/* link.c - sends and receives heads and bodies in the link's version of HTTP. */
#include "transport/link.h"

#include "base/number.h"

#define COPY_BYTES_MAX 4096u /* body pieces up to this size are copied after the head */

size_t link_room(const Thread *t, Link to)
{
    if (thread_is_tight(t)) {
        return THREAD_READ_BYTES_MIN;
    }
    if (to.stream) {
        return mux_send_room(to.stream);
    }
    return to.wire->short_write ? THREAD_READ_BYTES_SLOW : THREAD_INPUT_BYTES;
}

Err link_flush(Thread *t, Link l, size_t *ret_sent)
{
    if (l.wire) {
        return wire_flush(l.wire, &t->wires, ret_sent);
    }
    *ret_sent = mux_moved(l.stream);
    return link_broken(l) ? ERR_RESET : ERR_OK;
}

static Err wire_fill(Thread *t, Link l, size_t room, size_t *ret_old, size_t *ret_total)
{
    Wire *w = l.wire;
    size_t old = buf_peek(l.in, t->input);
    size_t fresh = 0;
    if (w->readable && old < t->input.len) {
        Err err =
            wire_receive(w, &t->wires, span_take(span_drop(t->input, old), room), &fresh);
        if (err != ERR_OK && err != ERR_AGAIN && old == 0) {
            return err;
        }
    }
    *ret_old = old;
    *ret_total = old + fresh;
    return old + fresh > 0 ? ERR_OK : w->ended ? ERR_CLOSED : w->broken ? ERR_RESET : ERR_AGAIN;
}

Err link_fill(Thread *t, Link l, size_t room, size_t *ret_old, size_t *ret_total)
{
    if (l.wire) {
        return wire_fill(t, l, room, ret_old, ret_total);
    }
    /* All of it arrived before, but to the pump it is "fresh". */
    *ret_old = 0;
    *ret_total = buf_peek(l.in, span_take(t->input, room));
    if (*ret_total > 0) {
        return ERR_OK;
    }
    if (l.stream->in_ended) {
        return ERR_CLOSED;
    }
    return l.stream->closed ? ERR_RESET : ERR_AGAIN;
}

Err link_keep(Thread *t, Link l, size_t total, size_t consumed)
{
    if (l.wire) {
        buf_clear(l.in, &t->buf_blocks);
        return buf_add(l.in, &t->buf_blocks, str_slice(span_str(t->input), consumed, total));
    }
    mux_consume(t, l.stream, consumed);
    return ERR_OK;
}

/* --- incoming bodies ------------------------------------------------------------------------- */

static void wire_decode(Thread *t, Body *body, Span bytes, LinkBody *ret)
{
    BodyStep step = body_decode(body, bytes);
    ret->consumed = step.consumed;
    ret->data = str_take(span_str(bytes), step.data);
    ret->fault = step.fault;
    if (step.fault == HTTP_FAULT_NONE && step.trailers.len > 2) {
        ret->fault = trailer_parse(step.trailers, t->fields, &ret->trailers);
        body->done &= ret->fault == HTTP_FAULT_NONE; /* incomplete: the other side must see that */
    }
}

void link_decode_body(Thread *t, Link l, Body *body, size_t total, LinkBody *ret)
{
    Span bytes = span_take(t->input, total);
    ret->total = total;
    if (l.wire) {
        wire_decode(t, body, bytes, ret);
        return;
    }
    const MuxStream *s = l.stream;
    bool ended = s->in_ended && total == s->in.len;
    ret->fault = body_count(body, total, ended);
    ret->consumed = total;
    ret->data = span_str(bytes);
    if (body->done) {
        ret->trailers = s->trailers_in;
    }
}

Err link_read_body(Thread *t, Link l, Body *body, size_t room, LinkBody *ret)
{
    *ret = (LinkBody){0};
    Err err = link_fill(t, l, room, &ret->old, &ret->total);
    bool end = err == ERR_CLOSED && l.stream && !body->done; /* the end carries information, too */
    if (err != ERR_OK && !end) {
        return err;
    }
    link_decode_body(t, l, body, ret->total, ret);
    return ERR_OK;
}

/* --- outgoing heads and bodies --------------------------------------------------------------- */

HeadOut link_head(Thread *t, Link l)
{
    return (HeadOut){.text = text_in(t->output),
                     .h2 = l.stream != NULL,
                     .room = THREAD_OUT_FIELDS_MAX,
                     .fields = t->out_fields};
}

/* Adds chunked framing around the data, and the head before it. */
static Err wire_send_framed(Thread *t, Wire *to, Text *head, Str data, bool chunked, bool last,
                            const Fields *trailers)
{
    bool chunk = chunked && data.len > 0;
    if (chunk) {
        chunk_head(head, data.len);
    }
    bool copied = data.len <= COPY_BYTES_MAX;
    if (copied) {
        text_add(head, data);
    }
    size_t tail = head->len;
    if (chunk) {
        text_add(head, S("\r\n"));
    }
    if (chunked && last) {
        text_add(head, S("0\r\n"));
        for (size_t i = 0; trailers && i < trailers->count; i++) {
            if (!trailers->at[i].dropped) {
                text_add(head, trailers->at[i].name);
                text_add(head, S(": "));
                text_add(head, trailers->at[i].value);
                text_add(head, S("\r\n"));
            }
        }
        text_add(head, S("\r\n"));
    }
    if (head->overflow) {
        return ERR_LIMIT;
    }
    Str written = text_str(head);
    if (copied) {
        return written.len ? wire_send(to, &t->wires, &written, 1) : ERR_OK;
    }
    Str pieces[3] = {str_take(written, tail), data, str_drop(written, tail)};
    size_t first = pieces[0].len == 0;
    size_t count = 3 - first - (pieces[2].len == 0);
    return wire_send(to, &t->wires, pieces + first, count);
}

/* Sends the head as HTTP/2; `body`: a body or trailers follow. */
static Err h2_send_head(Thread *t, MuxStream *s, const HeadOut *head, bool body)
{
    Mux *m = s->mux;
    if (!m || s->closed) {
        return ERR_CLOSED;
    }
    if (head->text.overflow || head->count > head->room) {
        return ERR_LIMIT;
    }
    mux_flush_later(t, m);
    if (m->server) {
        return h2_respond(m->h2, s->id, head->fields, head->count, body);
    }
    H2Name name = (H2Name)s->self.generation << 32 | s->self.slot;
    Err err = h2_request(m->h2, name, head->fields, head->count, body, &s->id);
    m->opening -= err == ERR_OK;
    return err;
}

static Err h2_send(Thread *t, MuxStream *s, HeadOut *head, Str data, bool last,
                       const Fields *trailers)
{
    /* An empty body is still a body to gRPC, so END_STREAM is forwarded as it came. */
    bool more = data.len > 0 || !last || head->body || (trailers && trailers->count > 0);
    if (head->filled) {
        TRY(h2_send_head(t, s, head, more));
        if (!more) {
            s->out_ended = true;
            s->out_done = true;
            return ERR_OK;
        }
    }
    return data.len > 0 || last ? mux_send(t, s, data, last, trailers) : ERR_OK;
}

static size_t head_bytes(const HeadOut *head)
{
    if (!head->h2) {
        return head->text.len;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < head->count && i < head->room; i++) {
        bytes += head->fields[i].name.len + head->fields[i].value.len;
    }
    return bytes;
}

Err link_send(Thread *t, Link l, HeadOut *head, Str data, bool chunked, bool last,
              const Fields *trailers, size_t *ret_bytes)
{
    Err err;
    if (l.stream) {
        err = h2_send(t, l.stream, head, data, last, trailers);
        *ret_bytes = head_bytes(head) + data.len;
    } else {
        err = wire_send_framed(t, l.wire, &head->text, data, chunked, last, trailers);
        *ret_bytes = head->text.len + (data.len > COPY_BYTES_MAX ? data.len : 0);
    }
    head->filled = false;
    head->count = 0;
    head->text.len = 0;
    return err;
}

Err link_send_interim(Thread *t, Link l, HeadOut *head)
{
    if (head->text.overflow) {
        return ERR_LIMIT;
    }
    if (l.wire) {
        Str bytes = text_str(&head->text);
        return wire_send(l.wire, &t->wires, &bytes, 1);
    }
    Mux *m = l.stream->mux;
    if (!m || l.stream->closed) {
        return ERR_CLOSED;
    }
    mux_flush_later(t, m);
    return h2_interim(m->h2, l.stream->id, head->fields, head->count);
}
