/* response_head_fuzz.c - response heads: as request_head_fuzz.c, for a hostile origin. The first
 * byte chooses the method of the request. */
#include "strict.h"

static const HeadLimits limits = {
    .head_bytes_max = FUZZ_BYTES_MAX, .fields_max = FUZZ_FIELDS_MAX, .target_bytes_max = 8192};

static HttpFault parse(Str head, Method method, Field *room, ResponseHead *ret)
{
    return head_parse_response(head, &limits, method,
                               (Fields){.room = FUZZ_FIELDS_MAX, .at = room}, ret);
}

static void same_when_printed(const ResponseHead *r, Method method)
{
    static uint8_t bytes[2 * FUZZ_BYTES_MAX];
    Text t = text_in(span_of(bytes, sizeof bytes));
    text_add(&t, r->minor ? S("HTTP/1.1 ") : S("HTTP/1.0 "));
    text_u64(&t, r->status);
    text_byte(&t, ' ');
    text_add(&t, r->reason);
    text_add(&t, S("\r\n"));
    fields_print(&t, &r->fields);
    Field room[FUZZ_FIELDS_MAX];
    ResponseHead again;
    MUST(!t.overflow);
    if (t.len > limits.head_bytes_max) {
        return;
    }
    MUST(parse(text_str(&t), method, room, &again) == HTTP_FAULT_NONE);
    MUST(again.status == r->status && again.minor == r->minor);
    MUST(str_equal(again.reason, r->reason) && again.keep_alive_ms == r->keep_alive_ms);
    framing_must_equal(&again.framing, &r->framing);
    fields_must_equal(&again.fields, &r->fields);
}

static void judge(Str head, Method method)
{
    Field room[FUZZ_FIELDS_MAX];
    ResponseHead r;
    if (parse(head, method, room, &r) != HTTP_FAULT_NONE) {
        return;
    }
    size_t end = 0;
    MUST(measured_at_any_split(head, &end) == ERR_OK && end == head.len);
    bool bodiless = r.status < 200 || r.status == 204 || r.status == 304 || method == METHOD_HEAD ||
                    (method == METHOD_CONNECT && r.status < 300);
    StrictHead strict = strict_head(head, !bodiless);
    MUST(strict.fields == r.fields.count);
    MUST(str_starts(strict.first, r.minor ? S("HTTP/1.1 ") : S("HTTP/1.0 ")));
    MUST(r.status >= 100 && r.status <= 599);
    MUST(!bodiless || r.framing.body == BODY_NONE);
    MUST(bodiless || (r.framing.body == BODY_LENGTH) == strict.length_positive);
    MUST(bodiless || (r.framing.body == BODY_CHUNKED) == (strict.codings == 1));
    MUST(r.framing.body != BODY_UNTIL_CLOSE || !r.framing.keep_alive);
    same_when_printed(&r, method);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > FUZZ_BYTES_MAX) {
        return 0;
    }
    Str bytes = str_drop(str_of(data, size), 1);
    Method method = (Method)(data[0] % (METHOD_PATCH + 1));
    judge(bytes, method);
    size_t end = 0;
    if (measured_at_any_split(bytes, &end) == ERR_OK) {
        Span copy = fuzz_copy(str_take(bytes, end));
        judge(span_str(copy), method);
        free(copy.at);
    }
    return 0;
}
