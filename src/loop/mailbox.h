/* mailbox.h - how threads talk: a bounded queue of small messages, and a wake-up.
 *
 * Used off the request path only (placing accepted connections, handing upstream connections to
 * waiting requests, orders from the main thread). The lock is held for a copy. */
#ifndef LOOP_MAILBOX_H
#define LOOP_MAILBOX_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/err.h"
#include "loop/token.h"

#define MAILBOX_ROOM 4096u

typedef struct Message {
    uint32_t kind;
    int32_t fd;
    Handle handle;
    uint64_t words[7];
} Message;

typedef struct Mailbox {
    pthread_mutex_t lock;
    uint32_t head;
    uint32_t count;
    _Atomic bool woken;
    int wake_fd;
    Message *ring;
} Mailbox;

MUST_USE Err mailbox_open(Mailbox *m);
void mailbox_close(Mailbox *m);
/* From any thread. ERR_FULL when the receiver does not keep up; the message stays the caller's. */
MUST_USE Err mailbox_post(Mailbox *m, const Message *message);
/* The owner, when wake_fd is readable: takes the wake-up back, then messages until false. */
void mailbox_awake(Mailbox *m);
bool mailbox_take(Mailbox *m, Message *ret);

#endif
