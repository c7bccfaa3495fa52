/* helper_process.c - the main loop of every helper. */
#include "app/helper_process.h"

#include <poll.h>
#include <unistd.h>

#include "app/exit.h"
#include "loop/crash.h"
#include "loop/log.h"

typedef struct HelperProcess {
    ChannelEnd channel;
    const HelperWork *work;
    Heartbeat *heart;
    uint8_t room[CHANNEL_BYTES_MAX];
} HelperProcess;

static _Noreturn void helper_end(Str why, Err err)
{
    LOG(ERROR, "a helper ends", LOG_STR("where", why),
        LOG_STR("why", str_from_c(err_sentence(err))));
    _exit(EXIT_FAILED);
}

/* Waits for the next order and ticks meanwhile; exits if the supervisor is gone. */
static void await_order(HelperProcess *p, ChannelMessage *ret, bool ticks)
{
    for (;;) {
        struct pollfd order = {.fd = p->channel.orders, .events = POLLIN};
        heartbeat_idle(p->heart);
        int found = poll(&order, 1, ticks ? p->work->tick_ms : -1);
        heartbeat_turn(p->heart);
        if (found == 0) {
            p->work->tick(&p->channel);
            continue;
        }
        Err err = channel_take_order(&p->channel, span_of(p->room, sizeof p->room), ret);
        if (err == ERR_OK) {
            return;
        }
        if (err != ERR_AGAIN) {
            _exit(err == ERR_CLOSED ? EXIT_OK : EXIT_FAILED);
        }
    }
}

static size_t count_fds(const ChannelMessage *message)
{
    size_t count = 0;
    while (count < message->fd_count && message->fds[count] >= 0) {
        count++;
    }
    return count;
}

static Err enter_cage(HelperProcess *p, const Record *start, const ChannelMessage *message,
                      CageState *ret)
{
    const uint64_t *values = start->values;
    AccountSettings account = {.user = values[HELPER_HAS_USER] ? S("user") : STR_NONE,
                               .group = values[HELPER_HAS_GROUP] ? S("group") : STR_NONE,
                               .user_id = (uint32_t)values[HELPER_USER],
                               .group_id = (uint32_t)values[HELPER_GROUP]};
    HelperCagePlan plan = {.cage = p->work->cage,
                           .account = &account,
                           .sandbox = values[HELPER_SANDBOX] != 0,
                           .must = values[HELPER_MUST] != 0};
    ChannelMessage rest = *message;
    rest.fds[0] = 0; /* the log, which may be missing */
    plan.root_count = count_fds(&rest) - 1;
    plan.roots = &message->fds[1];
    return helper_cage_enter(&plan, ret);
}

/* Runs up to READY. */
static Err begin_work(HelperProcess *p)
{
    ChannelMessage message;
    Record start;
    Record ready = {.kind = RECORD_READY, .value_count = 1};
    await_order(p, &message, false);
    TRY(record_read(&message, &start));
    if (start.kind != RECORD_START || start.value_count != HELPER_START_VALUES) {
        return ERR_SYNTAX;
    }
    log_bind_direct(message.fds[0], LOG_INFO);
    if (p->work->begin) {
        p->work->begin(&p->channel);
    }
    TRY(enter_cage(p, &start, &message, &ready.values[0]));
    return record_answer(&p->channel, &ready);
}

static void serve_one(HelperProcess *p)
{
    static Record question;
    static Record answer;
    ChannelMessage message;
    await_order(p, &message, p->work->tick_ms >= 0);
    Err err = record_read(&message, &question);
    if (err != ERR_OK || question.kind != RECORD_ASK) {
        helper_end(S("a question"), ERR_SYNTAX);
    }
    answer = (Record){.kind = RECORD_TELL, .id = question.id};
    HelperQuestion asked = {.record = &question, .fd_count = count_fds(&message)};
    asked.fds = message.fds;
    if (!p->work->answer(&asked, &answer)) {
        helper_end(S("a question"), ERR_UNSUPPORTED);
    }
    if (record_answer(&p->channel, &answer) != ERR_OK) {
        helper_end(S("an answer"), ERR_CLOSED);
    }
}

void helper_process_run(const ChildStart *start, const HelperWork *work)
{
    static HelperProcess process; /* too large for the stack */
    HelperProcess *p = &process;
    *p = (HelperProcess){.channel = start->channel, .work = work};
    crash_catch_signals();
    crash_enter_thread(0);
    p->heart = crash_heartbeat(0);
    Err err = begin_work(p);
    if (err != ERR_OK) {
        helper_end(S("the start"), err);
    }
    for (;;) {
        serve_one(p);
    }
}
