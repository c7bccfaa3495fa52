/* helpers.h - keeps one helper of each kind running that stays: starts it, hears it, watches its
 * heart, ends it when it has gone mad, and starts the next one by the rule for workers
 * (process_manager.h).
 *
 * A helper has gone mad when it sends what is no record, more than HELPER_RECORDS_MAX of them a
 * second, or is stuck. */
#ifndef APP_HELPERS_H
#define APP_HELPERS_H

#include <poll.h>

#include "app/process_manager.h"
#include "app/record.h"
#include "app/watch.h"

#define HELPER_RECORDS_MAX 1000u /* that one may send a second */

/* What helpers are started with. */
typedef struct HelperSetup {
    const AccountSettings *account;
    bool sandbox;
    int log; /* -1: none */
} HelperSetup;

/* Starts those that are missing, and ends those that are stuck or have not ended in time. `watches`
 * are CHILD_KINDS, of these helpers alone. */
void helpers_keep(ProcessManager *k, Watch *watches, const HelperSetup *setup, uint64_t now_ms);
/* When that has something to do next; 0: never. */
uint64_t helpers_due_ms(const ProcessManager *k, const Watch *watches);
/* What to wait for: at most two entries for each of CHILD_KINDS. */
size_t helpers_poll(const ProcessManager *k, struct pollfd *fds);
/* Takes what they have sent. */
void helpers_hear(ProcessManager *k, uint64_t now_ms);
/* Notices deaths, and plans the next ones. */
void helpers_reap(ProcessManager *k, uint64_t now_ms);
/* Ends all of them, and waits. */
void helpers_end(ProcessManager *k);

#endif
