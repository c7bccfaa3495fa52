/* wire_filters.c - see wire_filters.h. */
#include "wire_filters.h"

#include "proxy/filter_call.h"

#define PAUSES 3u /* turns that each use waits */

int wire_filter_slots;
static unsigned peer_passes; /* of the request */

/* How often a use has paused its exchange; one more than that, so that 0 is a fresh slot. */
static Verdict pause_request(FilterCall *call)
{
    unsigned *calls = (unsigned *)call_slot(call);
    CHECK(calls != NULL);
    wire_filter_slots += *calls == 0;
    if (++*calls > PAUSES + 1) {
        CHECK(*calls <= 2 * PAUSES); /* a stage that is over runs again only for another try */
        return PASS;
    }
    if (*calls == PAUSES + 1) {
        return PASS;
    }
    thread_again_token(call_thread(call), call_token(call));
    return PAUSE;
}

/* Tells how many tries were made, too. */
static Verdict pause_head(FilterCall *call, HeadEdit *edit)
{
    static const Str counts[] = {S_INIT("0"), S_INIT("1"), S_INIT("2")};
    Verdict v = pause_request(call);
    if (v.kind == VERDICT_PASS) {
        head_edit_add(edit, S("X-Stage"), *(const Str *)call_state(call));
    }
    if (v.kind == VERDICT_PASS && call_response(call)) {
        CHECK(peer_passes < 3);
        head_edit_set(edit, S("X-Tries"), counts[peer_passes]);
    }
    return v;
}

static Verdict pause_peer(FilterCall *call)
{
    Verdict v = pause_request(call);
    peer_passes += v.kind == VERDICT_PASS;
    return v;
}

static void slot_finish(FilterCall *call, const FilterOutcome *outcome)
{
    CHECK(*(const unsigned *)call_slot(call) > 0);
    CHECK(outcome->status != 0 || outcome->fault != FAULT_NONE);
    wire_filter_slots--;
    peer_passes = 0;
}

static Verdict stuck_request(FilterCall *call)
{
    (void)call;
    return PAUSE;
}

static Verdict refuse_head(FilterCall *call, HeadEdit *edit)
{
    (void)call;
    (void)edit;
    static const Respond words = {.status = 451, .body = S_INIT("not this\n")};
    return REFUSE_WITH(FAULT_ADDRESS_BLOCKED, &words);
}

static Verdict answer_head_stage(FilterCall *call, HeadEdit *edit)
{
    (void)call;
    (void)edit;
    return ANSWERED;
}

static const FilterKind pause_kind = {.request = pause_request,
                                      .head = pause_head,
                                      .finish = slot_finish,
                                      .slot_bytes = sizeof(unsigned)};
static const FilterKind peer_kind = {
    .request = pause_peer, .finish = slot_finish, .slot_bytes = sizeof(unsigned)};
static const FilterKind stuck_kind = {.request = stuck_request};
static const FilterKind refuse_kind = {.head = refuse_head};
static const FilterKind answer_kind = {.head = answer_head_stage};

static const Str names[STAGE_COUNT] = {[STAGE_UPSTREAM_REQUEST] = S_INIT("upstream-request"),
                                       [STAGE_UPSTREAM_RESPONSE] = S_INIT("upstream-response"),
                                       [STAGE_RESPONSE] = S_INIT("response")};

void change_pausing(SimWorld *w)
{
    static FilterUse uses[STAGE_REQUEST_BODY];
    for (unsigned stage = 0; stage < STAGE_REQUEST_BODY; stage++) {
        const FilterKind *kind = stage == STAGE_PEER ? &peer_kind : &pause_kind;
        uses[stage] = (FilterUse){.kind = kind, .state = &names[stage]};
        w->site.service.chains[stage] = (FilterChain){.count = 1, .uses = &uses[stage]};
    }
}

void change_stuck(SimWorld *w)
{
    static const FilterUse use = {.kind = &stuck_kind};
    w->site.service.chains[STAGE_PEER] = (FilterChain){.count = 1, .uses = &use};
}

void change_refusing(SimWorld *w)
{
    static const FilterUse uses[] = {{.kind = &refuse_kind},
                                     {.kind = &pause_kind, .state = &names[STAGE_RESPONSE]}};
    w->site.service.chains[STAGE_RESPONSE] = (FilterChain){.count = 2, .uses = uses};
}

void change_bad_verdict(SimWorld *w)
{
    static const FilterUse use = {.kind = &answer_kind};
    check_soft_traps = false;
    w->site.service.chains[STAGE_UPSTREAM_RESPONSE] = (FilterChain){.count = 1, .uses = &use};
}
