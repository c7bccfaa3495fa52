/* notify.h - tells the service manager River's state: systemd's notification protocol,
 * sd_notify(3), one datagram of "NAME=VALUE" lines per message.
 *
 * Only the supervisor sends. It never waits: a message that the manager has no room for is kept and
 * sent again by notify_keep (only the newest, which replaces earlier ones). Without NOTIFY_SOCKET
 * in the environment every function is a no-op. */
#ifndef APP_NOTIFY_H
#define APP_NOTIFY_H

#include "base/text.h"
#include "net/address.h"

#define NOTIFY_BYTES_MAX 512u
#define NOTIFY_AGAIN_MS 100u /* before an undelivered message is sent again */

/* Taken from the environment by main, which also unsets them; empty: not set. */
typedef struct NotifyVariables {
    Str socket;        /* NOTIFY_SOCKET: an absolute path, or "@name" */
    Str watchdog_usec; /* WATCHDOG_USEC */
    Str watchdog_pid;  /* WATCHDOG_PID: the process that is watched */
} NotifyVariables;

typedef struct Notify {
    Address to;
    bool open;
    int fd;
    uint64_t every_ms; /* interval of keep-alives; 0: none are expected */
    uint64_t due_ms;   /* of the next keep-alive */
    uint64_t again_ms; /* when the kept message is sent again */
    size_t kept_len;   /* 0: everything was sent */
    uint8_t kept[NOTIFY_BYTES_MAX];
} Notify;

/* Must run in the process that was started, before it goes to the background. Warns about malformed
 * variables and goes on without notification. */
void notify_open(Notify *n, const NotifyVariables *v, uint64_t now_ms);
void notify_close(Notify *n);

/* River serves (again, after a reload) with so many services and listeners, by the process
 * `worker`. The caller becomes the service's main process, even after it has gone to the
 * background. */
void notify_ready(Notify *n, size_t services, size_t listeners, uint64_t worker, uint64_t now_ms);
/* A reload begins; notify_ready ends it, whether or not it succeeded. */
void notify_reloading(Notify *n, uint64_t now_ms);
/* Shutdown begins. */
void notify_stopping(Notify *n, Str status, uint64_t now_ms);
/* The service's main process is another one from now on. */
void notify_successor(Notify *n, Str pid, uint64_t now_ms);
/* In a child that becomes another River: restores the variables for it. */
void notify_bequeath(const NotifyVariables *v);
/* Puts a descriptor into the manager's store under that name; notify_unstore removes all of that
 * name. ERR_AGAIN: the manager has no room for messages now. */
MUST_USE Err notify_store(const Notify *n, Str name, int fd);
void notify_unstore(const Notify *n, Str name);
/* A status line for people. */
void notify_status(Notify *n, Str status, uint64_t now_ms);

/* Sends what is due: kept messages, and a keep-alive if all is `well`. A withheld keep-alive is
 * sent as soon as all is well again, unless the manager's watchdog has fired by then. */
void notify_keep(Notify *n, bool well, uint64_t now_ms);
/* When notify_keep must run; 0: no need. */
uint64_t notify_due_ms(const Notify *n);

#endif
