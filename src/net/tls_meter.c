/* tls_meter.c - counting the records of a handshake. */
#include "net/tls_meter.h"

#include "base/number.h"

/* A record begins: `head` is its head (RFC 8446 §5.1). */
static bool record_begin(TlsMeter *m, Str head)
{
    size_t bytes = TLS_RECORD_HEAD_BYTES + ((size_t)str_at(head, 3) << 8 | str_at(head, 4));
    if (bytes > m->left) {
        m->too_long = true;
        return false;
    }
    m->left -= bytes;
    m->record_left = bytes;
    return true;
}

size_t tls_meter_measure(TlsMeter *m, Str raw)
{
    size_t at = size_min(m->record_left, raw.len);
    m->record_left -= at;
    while (!m->too_long && raw.len - at >= TLS_RECORD_HEAD_BYTES &&
           record_begin(m, str_drop(raw, at))) {
        size_t n = size_min(m->record_left, raw.len - at);
        m->record_left -= n;
        at += n;
    }
    return at;
}

void tls_meter_hold(TlsMeter *m, Str cut)
{
    m->head_len = span_copy(span_of(m->head, sizeof m->head), cut);
}

size_t tls_meter_go_on(TlsMeter *m, Str raw, Str *ret_head)
{
    Span room = span_drop(span_of(m->head, sizeof m->head), m->head_len);
    size_t taken = span_copy(room, str_take(raw, room.len));
    m->head_len += taken;
    if (m->head_len < sizeof m->head) {
        return taken;
    }
    Str head = str_of(m->head, sizeof m->head);
    m->head_len = 0;
    if (record_begin(m, head)) {
        m->record_left -= head.len;
        *ret_head = head;
    }
    return taken;
}
