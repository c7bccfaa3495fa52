/* request_head_fuzz.c - request heads: measured the same at every split, judged no milder than the
 * strict rules, and the same again when what was read is printed. */
#include "http/uri.h"
#include "strict.h"

static const HeadLimits limits = {
    .head_bytes_max = FUZZ_BYTES_MAX, .fields_max = FUZZ_FIELDS_MAX, .target_bytes_max = 8192};

static HttpFault parse(Str head, Field *room, RequestHead *ret)
{
    return head_parse_request(head, &limits, (Fields){.room = FUZZ_FIELDS_MAX, .at = room}, ret);
}

static void same_when_printed(const RequestHead *r)
{
    static uint8_t bytes[2 * FUZZ_BYTES_MAX];
    Text t = text_in(span_of(bytes, sizeof bytes));
    text_add(&t, r->method_name);
    text_byte(&t, ' ');
    text_add(&t, r->target);
    text_add(&t, r->minor ? S(" HTTP/1.1\r\n") : S(" HTTP/1.0\r\n"));
    fields_print(&t, &r->fields);
    Field room[FUZZ_FIELDS_MAX];
    RequestHead again;
    MUST(!t.overflow);
    if (t.len > limits.head_bytes_max) {
        return; /* blanks that are not written in the original made room for the limit */
    }
    MUST(parse(text_str(&t), room, &again) == HTTP_FAULT_NONE);
    MUST(again.method == r->method && again.form == r->form && again.minor == r->minor);
    MUST(str_equal(again.host, r->host) && str_equal(again.scheme, r->scheme));
    MUST(str_equal(again.path, r->path) && str_equal(again.query, r->query));
    MUST(again.has_query == r->has_query && again.expects_continue == r->expects_continue);
    MUST(again.expects_other == r->expects_other);
    framing_must_equal(&again.framing, &r->framing);
    fields_must_equal(&again.fields, &r->fields);
}

static void judge(Str head)
{
    Field room[FUZZ_FIELDS_MAX];
    RequestHead r;
    if (parse(head, room, &r) != HTTP_FAULT_NONE) {
        return;
    }
    size_t end = 0;
    MUST(measured_at_any_split(head, &end) == ERR_OK && end == head.len);
    StrictHead strict = strict_head(head, true);
    MUST(strict.fields == r.fields.count);
    MUST(strict.hosts == 1 || (strict.hosts == 0 && r.minor == 0));
    StrCut method = str_cut(strict.first, ' ');
    StrCut target = str_cut(method.tail, ' ');
    MUST(strict_token(method.head) && str_equal(method.head, r.method_name));
    MUST(str_equal(target.head, r.target) && target.head.len > 0);
    MUST(str_equal(target.tail, r.minor ? S("HTTP/1.1") : S("HTTP/1.0")));
    MUST(r.framing.body != BODY_UNTIL_CLOSE);
    MUST((r.framing.body == BODY_LENGTH) == strict.length_positive);
    MUST((r.framing.body == BODY_CHUNKED) == (strict.codings == 1 && r.minor == 1));
    MUST(r.host.len == 0 ? r.minor == 0 : authority_valid(r.host));
    same_when_printed(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str bytes = str_of(data, size);
    if (size > FUZZ_BYTES_MAX) {
        return 0;
    }
    judge(bytes);
    bytes = str_drop(bytes, head_skip_empty(bytes));
    size_t end = 0;
    if (measured_at_any_split(bytes, &end) == ERR_OK) {
        Span copy = fuzz_copy(str_take(bytes, end));
        judge(span_str(copy));
        free(copy.at);
    }
    return 0;
}
