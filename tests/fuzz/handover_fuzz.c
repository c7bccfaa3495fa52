/* handover_fuzz.c - messages between two supervisors: what is taken begins with the version's own
 * words, and its lines are the rest, byte for byte. */
#include "app/handover.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Span copy = fuzz_copy(str_of(data, size));
    Str text = span_str(copy);
    HandoverKind kind = HANDOVER_UNKNOWN;
    Str lines = STR_NONE;
    Err err = handover_parse(text, &kind, &lines);
    MUST(err == ERR_OK || err == ERR_SYNTAX || err == ERR_UNSUPPORTED);
    if (err == ERR_OK) {
        StrCut cut = str_cut(text, '\n');
        MUST(cut.found && str_starts(cut.head, S("river-hand-over 1 ")));
        MUST(kind <= HANDOVER_RELEASED && str_equal(lines, cut.tail));
    } else {
        MUST(kind == HANDOVER_UNKNOWN && lines.len == 0);
    }
    free(copy.at);
    return 0;
}
