/* crash.h - what a worker leaves behind when it dies: which process, on which request; and, while
 * it lives, that its threads make progress (heartbeat.h).
 *
 * The notes are shared pages that outlive the worker: the supervisor makes them before its birth,
 * and reads them afterwards. A thread writes the id of the request it is working on before each
 * step and clears it afterwards; that is a copy of a few words into its own cache line. A fatal
 * signal's handler adds the signal and the thread, and the system call if that was not allowed.
 * Nothing here depends on sane memory of the worker. */
#ifndef LOOP_CRASH_H
#define LOOP_CRASH_H

#include <stdatomic.h>

#include "base/str.h"
#include "loop/heartbeat.h"

#define CRASH_THREADS_MAX 1024u
#define CRASH_ID_BYTES_MAX 60u /* a longer request id is cut in the note */

typedef struct CrashNote {
    _Alignas(64) uint32_t len; /* 0: no request is being worked on */
    uint8_t id[CRASH_ID_BYTES_MAX];
} CrashNote;

typedef struct CrashNotes {
    _Atomic uint32_t signal; /* of the fatal signal; 0: none was caught */
    _Atomic uint32_t thread; /* that received it, plus 1; 0: not one of the threads below */
    _Atomic uint64_t call; /* a system call that was not allowed: crash_call; 0: none */
    /* One of each for each thread; they cost memory where they are used. */
    CrashNote notes[CRASH_THREADS_MAX];
    Heartbeat heartbeats[CRASH_THREADS_MAX];
} CrashNotes;

/* The notes of this process; NULL without notes (tests): setting them is a no-op. */
extern CrashNotes *crash_notes;

/* Supervisor: shared pages for one worker, and their end. *ret_fd is a memory file with them, for
 * the worker alone, and the caller's to close (NULL: none is wanted). */
MUST_USE Err crash_open(CrashNotes **ret, int *ret_fd);
void crash_close(CrashNotes *notes);
/* Worker, once: takes the pages of that file for its own (crash_notes), and closes it. */
MUST_USE Err crash_adopt(int fd);
/* Supervisor: the id that a thread works on, or worked on before a death, as a copy in `room`
 * (CRASH_ID_BYTES_MAX): the worker may write there at any time. False when `thread` has none. */
bool crash_read(const CrashNotes *notes, unsigned thread, Span room, Str *ret_id);

/* Supervisor, after a death: the system call that the worker was not allowed, and the architecture
 * (AUDIT_ARCH_...) whose number it is; false: it died of something else. */
bool crash_call(const CrashNotes *notes, uint32_t *ret_number, uint32_t *ret_architecture);

/* Worker, once: notes a fatal signal, then dies of it as usual. */
void crash_catch_signals(void);
/* Worker, at the start of each thread (0..threads-1): its number, and a stack for the handler. */
void crash_enter_thread(unsigned thread);
/* Worker: where that thread's heart beats; stays until the worker ends. Without notes it is a place
 * that is never read. */
Heartbeat *crash_heartbeat(unsigned thread);

/* The thread works on this request from now on. */
static inline void crash_note_set(unsigned thread, Str id)
{
    if (crash_notes && thread < CRASH_THREADS_MAX) {
        CrashNote *note = &crash_notes->notes[thread];
        Str cut = str_take(id, CRASH_ID_BYTES_MAX);
        (void)span_copy(span_of(note->id, CRASH_ID_BYTES_MAX), cut);
        note->len = (uint32_t)cut.len;
    }
}

/* The thread works on no request. */
static inline void crash_note_clear(unsigned thread)
{
    if (crash_notes && thread < CRASH_THREADS_MAX) {
        crash_notes->notes[thread].len = 0;
    }
}

#endif
