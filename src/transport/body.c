/* body.c - decodes framed bytes to body bytes. */
#include "transport/body.h"

#include "base/number.h"

Body body_of(const Framing *framing)
{
    return (Body){.kind = framing->body,
                  .left = framing->length,
                  .done = framing->body == BODY_NONE};
}

/* The trailer section: all of it or nothing (RFC 9112 §7.1.2). */
static void decode_trailers(Body *b, Span bytes, BodyStep *step)
{
    Str rest = str_drop(span_str(bytes), step->consumed);
    size_t scanned = 0;
    size_t end = 0;
    Err err = trailer_find_end(str_take(rest, BODY_TRAILER_BYTES_MAX), &scanned, &end);
    if (err == ERR_INCOMPLETE && rest.len < BODY_TRAILER_BYTES_MAX) {
        return;
    }
    if (err != ERR_OK) {
        step->fault = HTTP_FAULT_TRAILER;
        return;
    }
    step->trailers = str_take(rest, end);
    step->consumed += end;
    b->done = true;
}

static BodyStep decode_chunked(Body *b, Span bytes)
{
    BodyStep step = {.fault = HTTP_FAULT_NONE};
    if (!b->in_trailer) {
        ChunkStep chunk = chunk_decode(&b->chunk, bytes);
        step.consumed = chunk.consumed;
        step.data = chunk.data;
        step.fault = chunk.fault;
        b->bytes += chunk.data;
        b->in_trailer = chunk.last;
    }
    if (b->in_trailer && step.fault == HTTP_FAULT_NONE) {
        decode_trailers(b, bytes, &step);
    }
    return step;
}

BodyStep body_decode(Body *b, Span bytes)
{
    BodyStep step = {.fault = HTTP_FAULT_NONE};
    if (b->done) {
        return step;
    }
    if (b->kind == BODY_CHUNKED) {
        return decode_chunked(b, bytes);
    }
    step.data = bytes.len;
    if (b->kind == BODY_LENGTH) {
        step.data = (size_t)u64_min(b->left, bytes.len);
        b->left -= step.data;
        b->done = b->left == 0;
    }
    step.consumed = step.data;
    b->bytes += step.data;
    return step;
}

HttpFault body_count(Body *b, uint64_t bytes, bool ended)
{
    if (b->done) {
        return bytes > 0 ? HTTP_FAULT_EXTRA_BYTES : HTTP_FAULT_NONE;
    }
    if (b->kind == BODY_LENGTH) {
        if (bytes > b->left) {
            return HTTP_FAULT_EXTRA_BYTES;
        }
        b->left -= bytes;
        if (ended && b->left > 0) {
            return HTTP_FAULT_BODY_CUT;
        }
    }
    b->bytes += bytes;
    b->done = ended;
    return HTTP_FAULT_NONE;
}
