/* max_size.c - `max-size`: how long a body may be. A length that is announced is judged before the
 * head goes on; a body without one when it has become too long. */
#include "filter/filters.h"

enum { MAX_BYTES, STATUS, BODY };

typedef struct MaxSize {
    uint64_t bytes;
    Fault fault;
    Respond refusal;
} MaxSize;

static const SchemaItem properties[] = {
    [MAX_BYTES] = ITEM_NEEDED_NUMBER("max-bytes", 1, SCHEMA_BYTES_MAX, "1048576",
                                     "a longer body is refused"),
    [STATUS] = ITEM_OPTIONAL_NUMBER(
        "status", 400, 599, "413",
        "the status of a refusal; 413 for a request and 502 for a response by default"),
    [BODY] = ITEM_VALUE("body", TEXT, 0, "", "the body of a refusal"),
};

static const void *size_setup(const FilterSetup *setup, Arena *arena, FilterMistake *ret_mistake)
{
    (void)ret_mistake; /* numbers were checked as such */
    MaxSize *s = arena_new(arena, MaxSize);
    if (s) {
        bool request = setup->stage == STAGE_REQUEST_BODY;
        *s = (MaxSize){.bytes = setup->values[MAX_BYTES].number,
                       .fault = request ? FAULT_REQUEST_TOO_LARGE : FAULT_RESPONSE_TOO_LARGE,
                       .refusal = {.body = setup->values[BODY].text}};
        if (setup->values[STATUS].set) {
            s->refusal.status = (uint16_t)setup->values[STATUS].number;
        }
    }
    return s;
}

static Verdict size_body(FilterCall *call, uint64_t bytes, Str data)
{
    (void)data;
    const MaxSize *s = (const MaxSize *)call_state(call);
    return bytes <= s->bytes ? PASS : REFUSE_WITH(s->fault, &s->refusal);
}

const FilterKind filter_max_size = {
    .schema = {.name = S_INIT("max-size"),
               .sentence = S_INIT("refuses bodies above a size; once in a stage"),
               .property_count = SCHEMA_COUNT(properties),
               .properties = properties},
    .setup = size_setup,
    .body = size_body,
};
