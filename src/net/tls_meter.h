/* tls_meter.h - how much a peer may send in a TLS handshake, counted by whole records, so that one
 * that has too much can be refused where a record would begin (internal to the room). Pure. */
#ifndef NET_TLS_METER_H
#define NET_TLS_METER_H

#include "base/str.h"

#define TLS_RECORD_HEAD_BYTES 5u

typedef struct TlsMeter {
    size_t left;        /* bytes of records that may still begin */
    size_t record_left; /* of the record that has begun */
    bool too_long;      /* one wanted to begin that may not */
    size_t head_len;    /* of the next one's head, when that is not whole */
    uint8_t head[TLS_RECORD_HEAD_BYTES];
} TlsMeter;

/* How much of `raw` belongs to records that may begin; what is left of it is refused (too_long), or
 * the cut head of a record, which tls_meter_hold keeps. */
size_t tls_meter_measure(TlsMeter *m, Str raw);
void tls_meter_hold(TlsMeter *m, Str cut);
/* Goes on with a head that is held. Returns how much of `raw` that took; *ret_head: the head, once
 * it is whole and its record may begin. */
size_t tls_meter_go_on(TlsMeter *m, Str raw, Str *ret_head);

#endif
