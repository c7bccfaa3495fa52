/* worker_orders.c - sends sockets, directories, logs and settings as messages. */
#include "app/worker_orders.h"

/* Sends the sockets that the worker does not have yet (`all`: every one), as many as fit per
 * message. */
static Err send_sockets(const ChannelEnd *to, const ListenSet *set, bool all)
{
    uint32_t places[CHANNEL_FDS_MAX];
    ChannelMessage message = {.kind = CHANNEL_LISTENERS, .value = 1};
    /* Discards what an earlier attempt has left. */
    TRY(channel_order_patiently(to, &message));
    message.value = 0;
    for (uint32_t i = 0; i <= set->count; i++) {
        if (message.fd_count == CHANNEL_FDS_MAX || (i == set->count && message.fd_count > 0)) {
            message.bytes = str_of(places, message.fd_count * sizeof places[0]);
            TRY(channel_order_patiently(to, &message));
            message.fd_count = 0;
        }
        if (i < set->count && (all || !set->at[i].shared)) {
            places[message.fd_count] = i | (set->at[i].passed ? CHANNEL_PASSED : 0);
            message.fds[message.fd_count] = set->at[i].fd;
            message.fd_count++;
        }
    }
    return ERR_OK;
}

/* Adds a descriptor to a message that is sent once it is full. */
static Err send_fd(const ChannelEnd *to, ChannelMessage *message, int fd)
{
    message->fds[message->fd_count++] = fd;
    if (message->fd_count < CHANNEL_FDS_MAX) {
        return ERR_OK;
    }
    TRY(channel_order_patiently(to, message));
    message->fd_count = 0;
    return ERR_OK;
}

static Err send_roots(const ChannelEnd *to, const Configuration *c)
{
    ChannelMessage message = {.kind = CHANNEL_ROOTS, .value = c->root_count};
    for (size_t i = 0; i < c->root_count; i++) {
        message.value += c->roots[i].holder >= 0 ? 1 : 0;
    }
    for (size_t i = 0; i < c->root_count; i++) {
        TRY(send_fd(to, &message, c->roots[i].fd));
    }
    for (size_t i = 0; i < c->root_count; i++) {
        TRY(c->roots[i].holder >= 0 ? send_fd(to, &message, c->roots[i].holder) : ERR_OK);
    }
    return message.fd_count > 0 ? channel_order_patiently(to, &message) : ERR_OK;
}

static Err send_key_logs(const ChannelEnd *to, const KeyLogs *logs)
{
    for (size_t i = 0; i < logs->count; i++) {
        ChannelMessage message = {.kind = CHANNEL_KEY_LOG,
                                  .value = logs->count,
                                  .bytes = logs->files[i].path,
                                  .fd_count = 1,
                                  .fds = {logs->files[i].fd}};
        TRY(channel_order_patiently(to, &message));
    }
    return ERR_OK;
}

static Err send_settings(const ChannelEnd *to, const Configuration *c)
{
    const Region *own = &c->own->region;
    const Region *base = c->base ? &c->base->region : NULL;
    ChannelMessage message = {.kind = CHANNEL_CONFIGURATION,
                              .id = own->slot | (base ? base->slot << CHANNEL_BASE_SHIFT : 0),
                              .value = (uint64_t)(uintptr_t)c->settings,
                              .fd_count = 4,
                              .fds = {own->fd, base ? base->fd : -1, own->secrets,
                                      base ? base->secrets : -1}};
    return channel_order_patiently(to, &message);
}

Err worker_send_start(const ChannelEnd *to, const WorkerSetup *setup)
{
    const Configuration *c = setup->configuration;
    ChannelMessage start = {
        .kind = CHANNEL_START,
        .value = setup->threads,
        .fd_count = 3,
        .fds = {setup->logs->fds[LOG_TO_ERROR], setup->logs->fds[LOG_TO_ACCESS], setup->state}};
    TRY(channel_order_patiently(to, &start));
    TRY(send_roots(to, c));
    TRY(send_key_logs(to, &c->key_logs));
    TRY(send_sockets(to, &c->listeners, true));
    return send_settings(to, c);
}

Err worker_send_configuration(const ChannelEnd *to, const Configuration *c)
{
    TRY(send_sockets(to, &c->listeners, false));
    return send_settings(to, c);
}
