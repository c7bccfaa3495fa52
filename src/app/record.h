/* record.h - messages between the supervisor and a helper: records of one size, with counts and
 * bounds, and no pointers.
 *
 * They travel over a channel (CHANNEL_RECORD). Only the helper receives descriptors. A helper may
 * be compromised: the supervisor accepts a record only if all its counts are within bounds, and
 * whoever asked validates the values. */
#ifndef APP_RECORD_H
#define APP_RECORD_H

#include "app/channel.h"

#define RECORD_VALUES_MAX 16u
#define RECORD_BYTES_MAX 2048u

typedef enum RecordKind {
    RECORD_NONE,
    RECORD_START, /* supervisor: what the helper starts with (helper_process.h) */
    RECORD_READY, /* helper: caged and serving; values[0]: what is closed (CageState) */
    RECORD_ASK,   /* supervisor: a question; the helper's kind defines the values */
    RECORD_TELL,  /* helper: an answer, or an event */
    RECORD_LAST = RECORD_TELL
} RecordKind;

typedef struct Record {
    uint32_t kind;
    uint32_t id; /* of the question, repeated in its answer */
    uint32_t value_count;
    uint32_t len;
    uint64_t values[RECORD_VALUES_MAX];
    uint8_t bytes[RECORD_BYTES_MAX];
} Record;

/* The record's bytes as a slice, not copied. */
static inline Str record_text(const Record *r)
{
    return str_of(r->bytes, r->len);
}

/* Supervisor: sends a record; the caller keeps the descriptors. Errors as of
 * channel_order_patiently. */
MUST_USE Err record_order(const ChannelEnd *to, const Record *record, const int *fds, size_t count);
/* Helper: sends an answer. Errors as of channel_answer. */
MUST_USE Err record_answer(const ChannelEnd *to, const Record *record);

/* Reads a record from a message. ERR_SYNTAX: not a record, or a count is out of bounds. */
MUST_USE Err record_read(const ChannelMessage *message, Record *ret);

#endif
