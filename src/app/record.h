/* record.h - what the supervisor and a helper say to each other: records of one size, with counts
 * and bounds, and never a pointer.
 *
 * They travel over a channel (CHANNEL_RECORD). Descriptors go to the helper only. A helper may have
 * gone mad: the supervisor takes a record only if all of it is within its bounds, and what its
 * values mean is checked by who has asked for them. */
#ifndef APP_RECORD_H
#define APP_RECORD_H

#include "app/channel.h"

#define RECORD_VALUES_MAX 16u
#define RECORD_BYTES_MAX 2048u

typedef enum RecordKind {
    RECORD_NONE,
    RECORD_START, /* supervisor: what it begins with (helper_process.h) */
    RECORD_READY, /* helper: it is caged, and serves; values[0]: what is closed (CageState) */
    RECORD_ASK,   /* supervisor: a question; what the values mean is the kind's */
    RECORD_TELL,  /* helper: the answer, or news */
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

/* The text of a record, in place. */
static inline Str record_text(const Record *r)
{
    return str_of(r->bytes, r->len);
}

/* Supervisor: a record, with descriptors that stay the caller's. Errors as of
 * channel_order_patiently. */
MUST_USE Err record_order(const ChannelEnd *to, const Record *record, const int *fds, size_t count);
/* Helper: an answer. Errors as of channel_answer. */
MUST_USE Err record_answer(const ChannelEnd *to, const Record *record);

/* What has come. ERR_SYNTAX: it is no record, or one of its counts is beyond its bounds. */
MUST_USE Err record_read(const ChannelMessage *message, Record *ret);

#endif
