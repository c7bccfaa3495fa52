/* mailbox.c - the queue between threads. */
#include "loop/mailbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"

Err mailbox_open(Mailbox *m)
{
    *m = (Mailbox){.wake_fd = -1};
    m->ring = (Message *)memory_reserve(sizeof(Message) * MAILBOX_ROOM);
    if (!m->ring) {
        return ERR_MEMORY;
    }
    m->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (m->wake_fd < 0) {
        memory_release(m->ring, sizeof(Message) * MAILBOX_ROOM);
        return err_from_errno(errno);
    }
    (void)pthread_mutex_init(&m->lock, NULL);
    return ERR_OK;
}

void mailbox_close(Mailbox *m)
{
    if (m->ring) {
        memory_release(m->ring, sizeof(Message) * MAILBOX_ROOM);
        (void)close(m->wake_fd);
        (void)pthread_mutex_destroy(&m->lock);
        *m = (Mailbox){.wake_fd = -1};
    }
}

Err mailbox_post(Mailbox *m, const Message *message)
{
    (void)pthread_mutex_lock(&m->lock);
    bool room = m->count < MAILBOX_ROOM;
    if (room) {
        m->ring[(m->head + m->count++) % MAILBOX_ROOM] = *message;
    }
    (void)pthread_mutex_unlock(&m->lock);
    if (!room) {
        return ERR_FULL;
    }
    if (!atomic_exchange(&m->woken, true)) {
        uint64_t one = 1;
        (void)!write(m->wake_fd, &one, sizeof one); /* fails only when it is woken already */
    }
    return ERR_OK;
}

void mailbox_awake(Mailbox *m)
{
    uint64_t count = 0;
    (void)!read(m->wake_fd, &count, sizeof count);
    atomic_store(&m->woken, false);
}

bool mailbox_take(Mailbox *m, Message *ret)
{
    (void)pthread_mutex_lock(&m->lock);
    bool any = m->count > 0;
    if (any) {
        *ret = m->ring[m->head];
        m->head = (m->head + 1) % MAILBOX_ROOM;
        m->count--;
    }
    (void)pthread_mutex_unlock(&m->lock);
    return any;
}
