/* dumping.c - one request to the worker, and its answer. */
#include "app/dumping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "app/supervision.h"

#define ANSWER_MS 10000u
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static void drop_file(Dumping *d)
{
    if (d->fd >= 0) {
        (void)close(d->fd);
        d->fd = -1;
    }
}

static void dumping_end(Dumping *d)
{
    d->state = DUMP_OVER;
    d->deadline_ms = clock_ms();
}

static void give_up(Dumping *d)
{
    LOG(WARN, "counters and rate limits begin anew: the worker could not tell them");
    drop_file(d);
    dumping_end(d);
}

void dumping_begin(Supervisor *s, DumpPurpose purpose)
{
    Dumping *d = &s->dumping;
    const KeptChild *serving = manager_find(&s->manager, KEPT_SERVING);
    drop_file(d);
    *d = (Dumping){.state = DUMP_ASKED,
                   .purpose = purpose,
                   .fd = serving && serving->ready
                             ? memfd_create("river-state", MFD_CLOEXEC | MFD_ALLOW_SEALING)
                             : -1,
                   .deadline_ms = clock_ms() + ANSWER_MS};
    if (d->fd < 0) {
        dumping_end(d);
        return;
    }
    ChannelMessage question = {.kind = CHANNEL_DUMP, .fd_count = 1, .fds = {d->fd}};
    if (channel_order_patiently(&serving->channel, &question) != ERR_OK) {
        give_up(d);
    }
}

bool dumping_take(Supervisor *s, Dump *ret)
{
    Dumping *d = &s->dumping;
    if (d->state != DUMP_OVER) {
        return false;
    }
    *ret = (Dump){.purpose = d->purpose, .fd = d->fd};
    *d = (Dumping){.fd = -1};
    return true;
}

/* The file is sealed before it is used, so that nobody can change it any more. */
void dumping_on_message(Supervisor *s, const KeptChild *from, bool good)
{
    Dumping *d = &s->dumping;
    if (d->state != DUMP_ASKED || from->role != KEPT_SERVING) {
        return;
    }
    if (good && fcntl(d->fd, F_ADD_SEALS, SEALS) == 0) {
        dumping_end(d);
    } else {
        give_up(d);
    }
}

void dumping_on_death(Supervisor *s, KeptRole role)
{
    if (s->dumping.state == DUMP_ASKED && role == KEPT_SERVING) {
        give_up(&s->dumping);
    }
}

void dumping_keep_deadlines(Supervisor *s, uint64_t now_ms)
{
    if (s->dumping.state == DUMP_ASKED && now_ms >= s->dumping.deadline_ms) {
        give_up(&s->dumping);
    }
}
