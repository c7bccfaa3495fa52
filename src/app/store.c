/* store.c - names of stored listeners, and the messages about them. */
#include "app/store.h"

#define NAME_BYTES 48u

/* At most 255 characters without colons, so the name is a hash of the address. */
static Str name_of(const ListenSocket *socket, Text *t)
{
    text_format(t, STORE_NAME_START "%016llx", (unsigned long long)str_fnv(socket->name, 0));
    return text_str(t);
}

bool store_add(const Notify *n, ListenSet *set)
{
    for (size_t i = 0; n->open && i < set->count; i++) {
        ListenSocket *socket = &set->at[i];
        uint8_t room[NAME_BYTES];
        Text name = text_in(span_of(room, sizeof room));
        if (socket->fd < 0 || socket->passed || socket->stored) {
            continue;
        }
        if (notify_store(n, name_of(socket, &name), socket->fd) == ERR_AGAIN) {
            return false;
        }
        socket->stored = true; /* or the manager is unreachable, and then it does not matter */
    }
    return true;
}

void store_remove(const Notify *n, const ListenSet *set, const ListenSet *stays)
{
    for (size_t i = 0; n->open && i < set->count; i++) {
        const ListenSocket *socket = &set->at[i];
        uint8_t room[NAME_BYTES];
        Text name = text_in(span_of(room, sizeof room));
        uint32_t there = 0;
        bool same = listen_find(stays, socket->name, &there) && stays->at[there].fd == socket->fd;
        if (socket->name.len > 0 && !socket->passed && !same) {
            notify_unstore(n, name_of(socket, &name));
        }
    }
}
