/* record.c - converts records to channel messages and back. */
#include "app/record.h"

_Static_assert(sizeof(Record) <= CHANNEL_ANSWER_BYTES_MAX, "a record is one message");

Err record_order(const ChannelEnd *to, const Record *record, const int *fds, size_t count)
{
    ChannelMessage message = {.kind = CHANNEL_RECORD, .bytes = str_of(record, sizeof *record)};
    CHECK(count <= CHANNEL_FDS_MAX);
    for (size_t i = 0; i < count; i++) {
        message.fds[message.fd_count++] = fds[i];
    }
    return channel_order_patiently(to, &message);
}

Err record_answer(const ChannelEnd *to, const Record *record)
{
    ChannelMessage message = {.kind = CHANNEL_RECORD, .bytes = str_of(record, sizeof *record)};
    return channel_answer(to, &message);
}

Err record_read(const ChannelMessage *message, Record *ret)
{
    if (message->kind != CHANNEL_RECORD || message->bytes.len != sizeof *ret) {
        return ERR_SYNTAX;
    }
    (void)span_copy(span_of(ret, sizeof *ret), message->bytes);
    bool good = ret->kind > RECORD_NONE && ret->kind <= RECORD_LAST &&
                ret->value_count <= RECORD_VALUES_MAX && ret->len <= RECORD_BYTES_MAX;
    return good ? ERR_OK : ERR_SYNTAX;
}
