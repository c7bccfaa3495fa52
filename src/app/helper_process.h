/* helper_process.h - a helper's process: takes its start, enters its cage, and answers questions
 * until the supervisor closes the channel or is gone. It has one thread, with a heartbeat
 * (heartbeat.h). */
#ifndef APP_HELPER_PROCESS_H
#define APP_HELPER_PROCESS_H

#include "app/child.h"
#include "app/record.h"
#include "cage/helper.h"

/* Indices of the values in RECORD_START; its descriptors: the error log (-1: none), then the
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

/* A question and what came with it; answer() owns the descriptors. */
typedef struct HelperQuestion {
    const Record *record;
    size_t fd_count;
    const int *fds; /* `fd_count` of them */
} HelperQuestion;

typedef struct HelperWork {
    const HelperCage *cage;
    void (*begin)(const ChannelEnd *to); /* called once, before the cage; NULL: nothing */
    /* The answer's id and kind are already set. False: invalid question; the helper exits. */
    bool (*answer)(const HelperQuestion *question, Record *ret);
    int tick_ms; /* interval between calls of `tick`; -1: never */
    void (*tick)(const ChannelEnd *to);
} HelperWork;

/* Does not return. */
_Noreturn void helper_process_run(const ChildStart *start, const HelperWork *work);

#endif
