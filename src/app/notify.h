/* notify.h - tells the service manager how River is: systemd's notification protocol, sd_notify(3),
 * which is one datagram of "NAME=VALUE" lines for each piece of news.
 *
 * The supervisor alone speaks. It never waits: news that the manager has no room for now is kept,
 * and told again by notify_keep (only the newest, which replaces what came before). Without
 * NOTIFY_SOCKET in the environment every function does nothing. */
#ifndef APP_NOTIFY_H
#define APP_NOTIFY_H

#include "base/text.h"
#include "net/address.h"

#define NOTIFY_BYTES_MAX 512u
#define NOTIFY_AGAIN_MS 100u /* until news that found no room is told again */

/* What main found in the environment, and removed from it; empty: not set. */
typedef struct NotifyVariables {
    Str socket;        /* NOTIFY_SOCKET: an absolute path, or "@name" */
    Str watchdog_usec; /* WATCHDOG_USEC */
    Str watchdog_pid;  /* WATCHDOG_PID: whose watchdog it is */
} NotifyVariables;

typedef struct Notify {
    Address to;
    bool open;
    int fd;
    uint64_t every_ms; /* a sign of life is due so often; 0: nobody waits for one */
    uint64_t due_ms;   /* ... the next one */
    uint64_t again_ms; /* when the kept news is told again */
    size_t kept_len;   /* 0: all news was told */
    uint8_t kept[NOTIFY_BYTES_MAX];
} Notify;

/* Must run in the process that was started, before it goes to the background. With variables that
 * make no sense River goes on without, and warns. */
void notify_open(Notify *n, const NotifyVariables *v, uint64_t now_ms);
void notify_close(Notify *n);

/* River serves (or serves again after a reload), so many services at so many listeners by the
 * process `worker`. The process that speaks is the service's main process from now on, also when
 * it has gone to the background. */
void notify_ready(Notify *n, size_t services, size_t listeners, uint64_t worker, uint64_t now_ms);
/* A reload begins; notify_ready ends it, whether it succeeded or not. */
void notify_reloading(Notify *n, uint64_t now_ms);
/* The end begins. */
void notify_stopping(Notify *n, Str status, uint64_t now_ms);
/* Another process is the service's main process from now on. */
void notify_successor(Notify *n, Str pid, uint64_t now_ms);
/* In a child that becomes another River: it shall hear of the service manager, too. */
void notify_bequeath(const NotifyVariables *v);
/* Gives a descriptor into the manager's store under that name; takes all of that name out of it.
 * ERR_AGAIN: the manager has no room for news now. */
MUST_USE Err notify_store(const Notify *n, Str name, int fd);
void notify_unstore(const Notify *n, Str name);
/* A line for people. */
void notify_status(Notify *n, Str status, uint64_t now_ms);

/* Tells what is due: kept news, and a sign of life if all is `well`. One that is not given is
 * given as soon as all is well again, if the manager has not lost its patience before. */
void notify_keep(Notify *n, bool well, uint64_t now_ms);
/* When notify_keep must run; 0: no need. */
uint64_t notify_due_ms(const Notify *n);

#endif
