/* describe_reasons.c - `river reasons` and the manual's page on reason codes, from the fault
 * tables. */
#include "config/describe.h"
#include "transport/fault.h"

typedef struct Group {
    Blame blame;
    Str title;
    Str sentence;
} Group;

static const Group groups[] = {
    {BLAME_CLIENT, S_INIT("Caused by clients"),
     S_INIT("At level `info`; `client-gone` and `tunnel-idle` at `debug`.")},
    {BLAME_ORIGIN, S_INIT("Caused by origins"), S_INIT("At level `warn`.")},
    {BLAME_RIVER, S_INIT("Caused by River's limits, or by River"), S_INIT("At level `warn`.")},
    {BLAME_NONE, S_INIT("Caused by no one"), S_INIT("At level `info`.")},
};

static bool is_http(Fault f)
{
    return f >= FAULT_REQUEST_NONE;
}

/* "nothing is wrong" has no code. */
static bool is_fault(Fault f)
{
    return f != FAULT_NONE && f != FAULT_REQUEST_NONE && f != FAULT_RESPONSE_NONE;
}

static void add_status(Text *out, uint16_t status)
{
    if (status == 0) {
        text_add(out, S("none"));
    } else {
        text_u64(out, status);
    }
}

/* The first letter as a capital, unless it begins a word that is written in lower case. */
static void add_sentence(Text *out, Str sentence)
{
    uint8_t first = sentence.len != 0 ? str_at(sentence, 0) : '`';
    bool lower = first >= 'a' && first <= 'z';
    if (lower) {
        text_byte(out, (uint8_t)(first - 'a' + 'A'));
    }
    text_add(out, lower ? str_drop(sentence, 1) : sentence);
    text_byte(out, '.');
}

static void add_row(Text *out, Fault f)
{
    const FaultRow *row = fault_row(f);
    text_add(out, S("| `"));
    text_add(out, row->code);
    text_add(out, S("` | "));
    add_status(out, fault_status(f));
    text_add(out, S(" | "));
    add_sentence(out, row->sentence);
    text_add(out, S(" | "));
    add_sentence(out, row->remedy);
    text_add(out, S(" |\n"));
}

static const Str table_head =
    S_INIT("\n\n| reason | status | means | what to do |\n|---|---|---|---|\n");

static void add_group(Text *out, const Group *group)
{
    text_add(out, S("\n## "));
    text_add(out, group->title);
    text_add(out, S("\n\n"));
    text_add(out, group->sentence);
    text_add(out, table_head);
    for (unsigned f = 0; f < FAULT_COUNT; f++) {
        if (is_fault((Fault)f) && !is_http((Fault)f) &&
            fault_row((Fault)f)->blame == group->blame) {
            add_row(out, (Fault)f);
        }
    }
}

/* The rules of HTTP of one side. */
static void add_http(Text *out, Fault first, Fault after, Str title, Str sentence)
{
    text_add(out, title);
    text_add(out, sentence);
    text_add(out, table_head);
    for (unsigned f = (unsigned)first + 1; f < (unsigned)after; f++) {
        add_row(out, (Fault)f);
    }
}

void describe_reasons_page(Text *out)
{
    text_add(out, S(
        "# Reason codes\n\n"
        "Whenever River refuses a request, or one fails, a code says why: `reason` in the error "
        "log, `reason` and\n`retried` in the access log, and the table of faults in `river "
        "status`. This page is written by `river reasons\n--markdown`; `river reasons CODE` prints "
        "one of them:\n\n"
        "```sh\nriver reasons no-route\n```\n\n"
        "The status is what the client gets unless the configuration says otherwise; *none* means "
        "that no answer is\npossible, or that it had begun. How the lines look is described in "
        "[Logs](logs.md#refusals).\n"));
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        add_group(out, &groups[i]);
    }
    add_http(out, FAULT_REQUEST_NONE, FAULT_RESPONSE_NONE,
             S("\n## Rules of HTTP that a client broke\n\n"),
             S("What to do is addressed to the sender of the request."));
    add_http(out, FAULT_RESPONSE_NONE, FAULT_COUNT,
             S("\n## Rules of HTTP that an origin broke\n\n"),
             S("What to do is addressed to the sender of the response."));
}

static void add_reason(Text *out, Fault f)
{
    const FaultRow *row = fault_row(f);
    text_add(out, row->code);
    text_add(out, S(" (status: "));
    add_status(out, fault_status(f));
    text_add(out, S(")\n    "));
    add_sentence(out, row->sentence);
    text_add(out, S("\n    "));
    add_sentence(out, row->remedy);
    text_byte(out, '\n');
}

bool describe_reasons(Text *out, Str code)
{
    bool any = false;
    for (unsigned f = 0; f < FAULT_COUNT; f++) {
        bool meant = code.len == 0 || str_equal(code, fault_row((Fault)f)->code);
        if (is_fault((Fault)f) && meant) {
            add_reason(out, (Fault)f);
            any = true;
        }
    }
    return any;
}
