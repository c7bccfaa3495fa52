/* heartbeat.h - how a thread shows that it goes on: one word that it writes at each turn of its
 * loop, in memory that the supervisor reads too (it is part of the notes of crash.h).
 *
 * The lowest bit says that the thread is within a turn; it is clear while the thread waits for
 * something to do, and before its first turn and after its last. The rest counts turns. So the same
 * word at two looks, with that bit set, is one turn that has not ended; what that means is not
 * decided here. A beat is a plain store: no system call, no lock, and an idle thread is not woken
 * for it. */
#ifndef LOOP_HEARTBEAT_H
#define LOOP_HEARTBEAT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define HEARTBEAT_IN_TURN UINT64_C(1)
#define HEARTBEAT_TURN UINT64_C(2)

typedef struct Heartbeat {
    _Alignas(64) _Atomic uint64_t beat; /* written by its thread alone */
    _Atomic uint32_t thread_id; /* the system's number of the thread; 0: there is none */
} Heartbeat;

/* The thread has nothing to do: it is going to wait, or ends. Twice is as good as once. */
static inline void heartbeat_idle(Heartbeat *h)
{
    uint64_t beat = atomic_load_explicit(&h->beat, memory_order_relaxed);
    atomic_store_explicit(&h->beat, beat & ~HEARTBEAT_IN_TURN, memory_order_relaxed);
}

/* Another turn begins. */
static inline void heartbeat_turn(Heartbeat *h)
{
    uint64_t beat = atomic_load_explicit(&h->beat, memory_order_relaxed);
    atomic_store_explicit(&h->beat, (beat | HEARTBEAT_IN_TURN) + HEARTBEAT_TURN,
                          memory_order_relaxed);
}

/* Supervisor: the word as it is now. */
static inline uint64_t heartbeat_read(const Heartbeat *h)
{
    return atomic_load_explicit(&h->beat, memory_order_relaxed);
}

#endif
