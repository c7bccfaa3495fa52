/* dumping.c - one question to the worker, and what comes then. */
#include "app/dumping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/supervision.h"

#define ANSWER_MS 10000u
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static void go_on(Supervisor *s, bool good)
{
    Dumping d = s->dumping;
    s->dumping = (Dumping){.fd = -1};
    if (!good) {
        LOG(WARN, "counters and rate limits begin anew: the worker could not tell them");
    }
    d.then(s, good ? d.fd : -1);
    (void)close(d.fd);
}

void dumping_begin(Supervisor *s, DumpThen *then)
{
    const KeptWorker *serving = keeper_find(&s->keeper, KEPT_SERVING);
    int fd = serving && serving->ready
                 ? memfd_create("river-state", MFD_CLOEXEC | MFD_ALLOW_SEALING)
                 : -1;
    if (fd < 0) {
        then(s, -1);
        return;
    }
    ChannelMessage question = {.kind = CHANNEL_DUMP, .fd_count = 1, .fds = {fd}};
    s->dumping =
        (Dumping){.fd = fd, .deadline_ms = supervisor_clock_ms() + ANSWER_MS, .then = then};
    if (channel_order_patiently(&serving->channel, &question) != ERR_OK) {
        go_on(s, false);
    }
}

/* What the worker has written is only taken once nobody can change it any more. */
void dumping_on_message(Supervisor *s, const KeptWorker *from, bool good)
{
    if (s->dumping.fd >= 0 && from->role == KEPT_SERVING) {
        go_on(s, good && fcntl(s->dumping.fd, F_ADD_SEALS, SEALS) == 0);
    }
}

void dumping_on_death(Supervisor *s, KeptRole role)
{
    if (s->dumping.fd >= 0 && role == KEPT_SERVING) {
        go_on(s, false);
    }
}

void dumping_keep_deadlines(Supervisor *s, uint64_t now_ms)
{
    if (s->dumping.fd >= 0 && now_ms >= s->dumping.deadline_ms) {
        go_on(s, false);
    }
}
