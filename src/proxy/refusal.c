/* refusal.c - which level, which words and which fields a refusal has. */
#include "proxy/refusal.h"

#include "proxy/exchange.h"

/* Maximum escaped lengths: all of them fit SUMMARY_EXAMPLE_BYTES. */
#define NAME_ROOM 64u
#define TARGET_ROOM 200u
#define WHY_ROOM 200u
#define METHOD_ROOM 32u

/* Ends that are part of everyday life are for those who search: they cost no one an answer. */
static bool is_everyday(Fault fault)
{
    return fault == FAULT_CLIENT_GONE || fault == FAULT_TUNNEL_IDLE;
}

static LogLevel level_of(Fault fault)
{
    Blame blame = fault_row(fault)->blame;
    bool ours = blame == BLAME_ORIGIN || blame == BLAME_RIVER;
    return ours ? LOG_WARN : is_everyday(fault) ? LOG_DEBUG : LOG_INFO;
}

/* The first line of a head that could not be understood. */
static Str first_line(const Exchange *x)
{
    bool understood = x->request.head.method_name.len > 0;
    return understood ? STR_NONE : str_cut(x->request.bytes, '\r').head;
}

static Str message_of(LogLevel level, RefusalEnd end)
{
    return end == REFUSAL_RETRIED ? S("a try failed, another one follows")
           : level == LOG_WARN    ? S("request failed")
                                  : S("request refused");
}

COLD void refusal_of_request(Thread *t, const Exchange *x, RefusalEnd end)
{
    const RequestHead *r = &x->request.head;
    LogLevel level = level_of(x->fault);
    uint8_t room[PEER_TEXT_MAX];
    Text client = text_in(span_of(room, sizeof room));
    peer_print(&client, (Peer){.ip = x->request.client_ip, .port = x->request.client_port});
    const LogField fields[] = {
        LOG_U64("status", end == REFUSAL_ANSWERED ? answer_status(x) : 0),
        LOG_CUT("service", x->service->name, NAME_ROOM),
        LOG_STR("client", text_str(&client)),
        LOG_CUT("method", r->method_name, METHOD_ROOM),
        LOG_CUT("host", r->host, NAME_ROOM),
        LOG_CUT("target", r->target, TARGET_ROOM),
        LOG_CUT("line", first_line(x), TARGET_ROOM),
        LOG_CUT("upstream", x->try.endpoint ? x->try.endpoint->name : STR_NONE, NAME_ROOM),
        LOG_U64("tries", x->tries),
        LOG_CUT("request_id", x->id, NAME_ROOM),
    };
    const Note note = {.kind = end == REFUSAL_RETRIED ? SUMMARY_TRY : SUMMARY_REQUEST,
                       .fault = x->fault,
                       .times = 1,
                       .level = level,
                       .message = message_of(level, end)};
    summary_note(t, &note, fields, sizeof fields / sizeof fields[0]);
}

COLD void refusal_of_connection(Thread *t, Peer peer, Fault fault, Str message, Str why,
                                uint64_t requests)
{
    uint8_t room[PEER_TEXT_MAX];
    Text client = text_in(span_of(room, sizeof room));
    peer_print(&client, peer);
    const LogField fields[] = {LOG_STR("client", text_str(&client)),
                               LOG_CUT("why", why, WHY_ROOM)};
    const Note note = {.kind = SUMMARY_CONNECTION,
                       .fault = fault,
                       .times = requests ? requests : 1,
                       .level = LOG_INFO,
                       .message = message};
    summary_note(t, &note, fields, sizeof fields / sizeof fields[0]);
}
