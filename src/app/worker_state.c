/* worker_state.c - writes dumps to files and reads them back. */
#include "app/worker_state.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "app/read_fd.h"
#include "loop/log.h"
#include "proxy/dump.h"

static Err write_all(void *context, Str bytes)
{
    int fd = *(const int *)context;
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.at, bytes.len); /* system call */
        if (n < 0 && errno != EINTR) {
            return err_from_errno(errno);
        }
        bytes = str_drop(bytes, n > 0 ? (size_t)n : 0);
    }
    return ERR_OK;
}

Err worker_state_save(Worker *w, int fd)
{
    DumpSink sink = {.context = &fd, .write = write_all};
    Err err = worker_dump(w, clock_ms(), &sink);
    (void)lseek(fd, 0, SEEK_SET);
    (void)close(fd);
    return err;
}

void worker_state_restore(Worker *w, const Snapshot *first, int fd)
{
    struct stat about;
    if (fd < 0 || fstat(fd, &about) != 0) {
        return;
    }
    Span room = memory_reserve_span((size_t)about.st_size);
    Str dump = STR_NONE;
    Err err = room.len > 0 ? read_fd(fd, room, &dump) : ERR_MEMORY;
    if (err == ERR_OK) {
        err = worker_restore(w, first, dump, clock_ms());
    }
    if (err != ERR_OK) {
        LOG(WARN, "counters, rate limits and TLS sessions begin anew",
            LOG_STR("why", err == ERR_UNSUPPORTED ? S("another version has written them")
                                                  : str_from_c(err_sentence(err))));
    }
    memory_wipe_span(room); /* it contains ticket keys */
    memory_release_span(room);
    (void)close(fd);
}
