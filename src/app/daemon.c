/* daemon.c - the double fork, after which no terminal can be acquired, and a pipe that reports
 * readiness. */
#include "app/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/exit.h"

/* The first process: waits for one byte, or end of file. */
static _Noreturn void wait_for_daemon(int pipe_end)
{
    char byte = 0;
    ssize_t n;
    do {
        n = read(pipe_end, &byte, 1);
    } while (n < 0 && errno == EINTR);
    _exit(n == 1 ? EXIT_OK : EXIT_FAILED);
}

Err daemon_start(int *ret_ready)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return err_from_errno(errno);
    }
    pid_t child = fork();
    if (child < 0) {
        return err_from_errno(errno);
    }
    if (child > 0) {
        (void)close(ends[1]);
        wait_for_daemon(ends[0]);
    }
    (void)close(ends[0]);
    (void)setsid();
    child = fork();
    if (child != 0) {
        _exit(child < 0 ? EXIT_FAILED : EXIT_OK);
    }
    (void)!chdir("/");
    *ret_ready = ends[1];
    return ERR_OK;
}

void daemon_let_go(void)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing >= 0) {
        (void)dup2(nothing, STDIN_FILENO);
        (void)dup2(nothing, STDOUT_FILENO);
        (void)dup2(nothing, STDERR_FILENO);
        (void)close(nothing);
    }
}

void daemon_ready(int ready)
{
    if (ready < 0) {
        return;
    }
    daemon_let_go();
    (void)!write(ready, "+", 1);
    (void)close(ready);
}
