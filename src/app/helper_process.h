/* helper_process.h - a helper as a process: takes its start, enters its cage, answers questions
 * until the supervisor closes the channel or is gone. One thread, whose heart beats (heartbeat.h).
 */
#ifndef APP_HELPER_PROCESS_H
#define APP_HELPER_PROCESS_H

#include "app/child.h"
#include "app/record.h"
#include "cage/helper.h"

/* Where the values of RECORD_START stand; its descriptors: the error log (-1: none), then the
 * directories that may be read. */
enum {
    HELPER_HAS_USER,
    HELPER_USER,
    HELPER_HAS_GROUP,
    HELPER_GROUP,
    HELPER_SANDBOX,
    HELPER_MUST, /* HelperCagePlan.must */
    HELPER_START_VALUES
};

/* A question, with what came along; the descriptors are the answerer's. */
typedef struct HelperQuestion {
    const Record *record;
    size_t fd_count;
    const int *fds; /* as many */
} HelperQuestion;

typedef struct HelperWork {
    const HelperCage *cage;
    void (*begin)(const ChannelEnd *to); /* once, before the cage; NULL: nothing */
    /* The answer's id and kind are set. False: the question makes no sense, and the helper ends. */
    bool (*answer)(const HelperQuestion *question, Record *ret);
    int tick_ms; /* so often `tick` is called; -1: never */
    void (*tick)(const ChannelEnd *to);
} HelperWork;

/* For the rest of its life. */
_Noreturn void helper_process_run(const ChildStart *start, const HelperWork *work);

#endif
