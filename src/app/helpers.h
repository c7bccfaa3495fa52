/* helpers.h - keeps one helper of each kind that stays running: starts it, reads its messages,
 * watches its heartbeat, ends it if it misbehaves, and restarts it by the rule for workers
 * (process_manager.h).
 *
 * A helper misbehaves if it sends something that is not a record, sends more than
 * HELPER_RECORDS_MAX records a second, or is stuck. */
#ifndef APP_HELPERS_H
#define APP_HELPERS_H

#include <poll.h>

#include "app/process_manager.h"
#include "app/record.h"
#include "app/watch.h"

#define HELPER_RECORDS_MAX 1000u /* per second and helper */

/* What helpers are started with. */
typedef struct HelperSetup {
    const AccountSettings *account;
    bool sandbox;
    int log; /* -1: none */
} HelperSetup;

/* Starts missing helpers, and kills those that are stuck or did not end in time. `watches` has
 * CHILD_KINDS entries, used for these helpers only. */
void helpers_keep(ProcessManager *k, Watch *watches, const HelperSetup *setup, uint64_t now_ms);
/* When helpers_keep must run next; 0: never. */
uint64_t helpers_due_ms(const ProcessManager *k, const Watch *watches);
/* Adds what to poll: at most two entries for each of CHILD_KINDS. */
size_t helpers_poll(const ProcessManager *k, struct pollfd *fds);
/* Handles what they have sent. */
void helpers_hear(ProcessManager *k, uint64_t now_ms);
/* Reaps dead helpers and plans their restarts. */
void helpers_reap(ProcessManager *k, uint64_t now_ms);
/* Ends all of them and waits. */
void helpers_end(ProcessManager *k);

#endif
