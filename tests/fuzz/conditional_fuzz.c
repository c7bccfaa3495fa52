/* conditional_fuzz.c - preconditions: the first byte chooses which field each line is, lines are
 * separated by LF. What holds strongly holds weakly; a GET never fails where only reading is asked
 * for; If-Match and If-None-Match of the same list never both pass on. */
#include "http/conditional.h"

#include "fuzz.h"

#define LINES_MAX 6u

static const FieldId ids[] = {FIELD_IF_MATCH, FIELD_IF_NONE_MATCH, FIELD_IF_MODIFIED_SINCE,
                              FIELD_IF_UNMODIFIED_SINCE, FIELD_IF_RANGE, FIELD_OTHER};

static void must_agree(Str list, const Validators *v)
{
    bool strong = etag_list_holds(list, v->etag, false);
    bool weak = etag_list_holds(list, v->etag, true);
    MUST(!strong || weak);
    Field field = {.value = list, .id = FIELD_IF_NONE_MATCH};
    Fields fields = {.room = 1, .at = &field, .count = 1};
    bool star = str_equal(list, S("*"));
    MUST((conditional_judge(&fields, METHOD_GET, v, 0) == CONDITION_NOT_MODIFIED) ==
         (weak || star));
    field.id = FIELD_IF_MATCH;
    MUST((conditional_judge(&fields, METHOD_GET, v, 0) == CONDITION_FAILED) == !(strong || star));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    const Validators v = {.etag = S("\"1-a\""), .modified = 784111777};
    Span copy = fuzz_copy(str_drop(str_take(str_of(data, size), 2048), 1));
    Field room[LINES_MAX];
    Fields fields = fields_in(room, LINES_MAX);
    unsigned choice = data[0];
    Str rest = span_str(copy);
    for (bool more = true; more && fields.count < LINES_MAX;) {
        StrCut cut = str_cut(rest, '\n');
        must_agree(cut.head, &v);
        room[fields.count++] = (Field){.value = cut.head, .id = ids[choice % 6]};
        choice = choice * 5 + 1;
        rest = cut.tail;
        more = cut.found;
    }
    Condition get = conditional_judge(&fields, METHOD_GET, &v, INT64_C(1767225600));
    Condition put = conditional_judge(&fields, METHOD_PUT, &v, INT64_C(1767225600));
    MUST(put != CONDITION_NOT_MODIFIED);
    MUST(get != CONDITION_FAILED || put == CONDITION_FAILED);
    (void)conditional_range(&fields, &v, INT64_C(1767225600));
    free(copy.at);
    return 0;
}
