/* chunked_fuzz.c - chunked bodies and their trailers: the same at every split, the same as a simple
 * second decoder reads them, and the same again when encoded anew. */
#include "http/chunk.h"
#include "http/parts.h"
#include "strict.h"

#define INPUT_MAX 1024

typedef struct Decoded {
    uint8_t body[INPUT_MAX];
    size_t len;
    size_t consumed;
    bool last;
    HttpFault fault;
    ChunkDecoder decoder;
} Decoded;

static void decode_piece(Decoded *d, Str piece)
{
    if (d->last || d->fault != HTTP_FAULT_NONE) {
        return;
    }
    Span copy = fuzz_copy(piece);
    ChunkStep step = chunk_decode(&d->decoder, copy);
    MUST(step.consumed <= piece.len && step.data <= step.consumed);
    MUST(step.fault != HTTP_FAULT_NONE || step.last || step.consumed == piece.len);
    span_copy(span_drop(span_of(d->body, sizeof d->body), d->len),
              str_take(span_str(copy), step.data));
    d->len += step.data;
    d->consumed += step.consumed;
    d->last = step.last;
    d->fault = step.fault;
    free(copy.at);
}

static void must_equal(const Decoded *a, const Decoded *b)
{
    MUST(str_equal(str_of(a->body, a->len), str_of(b->body, b->len)));
    MUST(a->consumed == b->consumed && a->last == b->last && a->fault == b->fault);
    MUST(a->decoder.left == b->decoder.left && a->decoder.state == b->decoder.state);
    MUST(a->decoder.overhead_bytes == b->decoder.overhead_bytes);
}

static void same_at_every_split(Str wire, const Decoded *whole)
{
    Decoded slowly = {0};
    for (size_t i = 0; i < wire.len; i++) {
        decode_piece(&slowly, str_slice(wire, i, i + 1));
    }
    must_equal(&slowly, whole);
    size_t step = wire.len / 64 + 1;
    for (size_t split = 1; split < wire.len; split += step) {
        Decoded halves = {0};
        decode_piece(&halves, str_take(wire, split));
        decode_piece(&halves, str_drop(wire, split));
        must_equal(&halves, whole);
    }
}

/* Reads what was accepted, line by line; extensions are skipped up to the line's end. */
static void second_opinion(Str wire, const Decoded *whole)
{
    Str rest = str_take(wire, whole->consumed);
    Str body = str_of(whole->body, whole->len);
    for (;;) {
        StrCut line = str_cut(rest, '\n');
        size_t digits = 0;
        uint64_t size = 0;
        MUST(line.found && strict_bytes(str_take(rest, line.head.len + 1)));
        while (byte_hex_value(str_peek(line.head, digits)) >= 0) {
            size = size * 16 + (uint64_t)byte_hex_value(str_peek(line.head, digits));
            digits++;
        }
        MUST(digits > 0);
        rest = line.tail;
        if (size == 0) {
            break;
        }
        MUST(size < rest.len && size <= body.len);
        MUST(str_equal(str_take(rest, (size_t)size), str_take(body, (size_t)size)));
        rest = str_drop(rest, (size_t)size);
        body = str_drop(body, (size_t)size);
        MUST(str_starts(rest, S("\r\n")));
        rest = str_drop(rest, 2);
    }
    MUST(rest.len == 0 && body.len == 0);
}

static void same_when_encoded(Str body)
{
    uint8_t bytes[INPUT_MAX + 64];
    Text t = text_in(span_of(bytes, sizeof bytes));
    if (body.len) {
        chunk_head(&t, body.len);
        text_add(&t, body);
        text_add(&t, S("\r\n"));
    }
    text_add(&t, S("0\r\n"));
    Decoded again = {0};
    decode_piece(&again, str_take(text_str(&t), INPUT_MAX));
    MUST(t.len > INPUT_MAX || (again.last && str_equal(str_of(again.body, again.len), body)));
}

static void trailer(Str bytes)
{
    size_t end = 0;
    if (measured_at_any_split(bytes, &end) != ERR_OK) {
        return;
    }
    Field room[FUZZ_FIELDS_MAX];
    Fields fields = {.room = FUZZ_FIELDS_MAX, .at = room};
    Span section = fuzz_copy(str_take(bytes, end));
    if (trailer_parse(span_str(section), fields, &fields) == HTTP_FAULT_NONE) {
        uint8_t printed[4 * INPUT_MAX];
        Text t = text_in(span_of(printed, sizeof printed));
        fields_print(&t, &fields);
        Field room_again[FUZZ_FIELDS_MAX];
        Fields again = {.room = FUZZ_FIELDS_MAX, .at = room_again};
        MUST(strict_bytes(span_str(section)) && !t.overflow);
        MUST(trailer_parse(text_str(&t), again, &again) == HTTP_FAULT_NONE);
        fields_must_equal(&again, &fields);
        for (size_t i = 0; i < fields.count; i++) {
            MUST(fields.at[i].dropped == ((field_flags(fields.at[i].id) & FIELD_NO_TRAILER) != 0));
        }
    }
    free(section.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str wire = str_take(str_of(data, size), INPUT_MAX);
    Decoded whole = {0};
    decode_piece(&whole, wire);
    same_at_every_split(wire, &whole);
    if (whole.last) {
        second_opinion(wire, &whole);
        same_when_encoded(str_of(whole.body, whole.len));
        trailer(str_drop(wire, whole.consumed));
    }
    return 0;
}
