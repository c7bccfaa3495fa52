/* supervision.h - the supervisor's state, for the files that share it, and what is common to them.
 *
 * Each knows only those behind it: supervisor.c (the loop), supervisor_start.c and answers.c (the
 * control socket), upgrade.c, reload.c, dumping.c and supervisor_files.c, supervision.c. What goes
 * the other way is a result, which the loop takes to whom it is for. */
#ifndef APP_SUPERVISION_H
#define APP_SUPERVISION_H

#include "app/channel.h"
#include "app/configuration.h"
#include "app/control.h"
#include "app/dumping.h"
#include "app/helpers.h"
#include "app/process_manager.h"
#include "app/notes.h"
#include "app/notify.h"
#include "app/orphan.h"
#include "app/supervisor.h"
#include "app/worker_orders.h"
#include "app/watch.h"

typedef enum State { STATE_SERVING, STATE_DRAINING, STATE_STOPPING, STATE_OVER } State;

typedef enum ReloadKind {
    RELOAD_FILE,    /* the file is read again */
    RELOAD_RENEW,   /* the same text, certificates read again */
    RELOAD_ROLLBACK /* the configuration before */
} ReloadKind;

typedef enum ReloadState {
    RELOAD_NONE,
    RELOAD_DUMPING, /* the worker that serves tells what it knows, for a fresh one */
    RELOAD_ASKED, /* the worker builds it, or its threads take it up */
    RELOAD_COMING /* a fresh worker starts with it */
} ReloadState;

/* A reload that is under way, and when to look for another one. */
typedef struct Reload {
    ReloadState state;
    ReloadKind kind;
    uint32_t client; /* who waits for its end; 0: nobody */
    uint64_t deadline_ms;
    pid_t draining; /* the worker before, which may still take newcomers; 0: none */
    uint64_t draining_until_ms; /* so long the client waits for it */
    Logs logs;           /* of a fresh worker that starts */
    bool again;          /* asked for meanwhile (SIGHUP) */
    uint64_t look_at_ms; /* when it is looked whether files have changed */
    uint64_t mark;       /* of the files that hold now */
    uint64_t seen;       /* ... at the last look: twice the same, and writing is over */
    unsigned count;      /* of those that have succeeded */
    bool anew;           /* listeners were bound anew: a worker that has not got them must go */
    uint64_t anew_at_ms; /* ... when a reload for their sake alone begins */
} Reload;

/* What another River gives to this one at its start (upgrade.h). */
typedef struct Takeover {
    int fd; /* to the old one, until it has let go of everything; -1: none */
    pid_t go_between; /* to a worker without a supervisor (orphan.h); 0: an old River speaks */
    bool received; /* all that there is */
    ListenSet sockets;
    int state; /* a file with what its worker has counted and remembers; -1: none */
} Takeover;

/* This one gives everything to another. */
typedef struct Upgrade {
    int fd;    /* to the new one; -1: none */
    pid_t pid; /* of the new one, where it is our child; 0: none */
    uint32_t client;      /* who waits for the end; 0: nobody */
    unsigned tries_left;  /* to reach the one that waits */
    uint64_t deadline_ms; /* of the next step; 0: none */
} Upgrade;

#define STOP_GRACE_MS 3000u /* for a worker that was told to stop, before it is killed */
#define CONFIGURATIONS 3u /* the one that holds, the one before, and the next */

struct Supervisor {
    Source source;
    const Launch *launch;
    State state;
    int exit_status;
    Configuration configurations[CONFIGURATIONS];
    Configuration *current;
    Configuration *previous; /* closed; NULL: there is none */
    Configuration *next;     /* open, while a reload is under way */
    SystemSettings system;   /* what of it cannot change while River runs: paths, daemon */
    Reload reload;
    Notes notes; /* what was said of certificates */
    Takeover takeover;
    Upgrade upgrade;
    Dumping dumping;
    Logs logs;
    Control control;
    Str control_path;    /* where it is; empty: nowhere */
    ListenSocket orphan; /* for a worker that outlives us; fd -1: none */
    ProcessManager manager;
    Watch watch;
    Watch helper_watches[CHILD_KINDS];
    CageState cage_told; /* what the log says that workers have closed */
    Notify notify;
    uint64_t store_at_ms; /* when the service manager is given listeners again; 0: it has them */
    int signals;
    int pid_file;
    int daemon_pipe;
    uint64_t started_ms;
    Blocks blocks; /* of what is made for one answer */
    Arena *arena;  /* of what stays until the end */
    uint8_t room[CHANNEL_BYTES_MAX];
};

/* ---- in common (supervision.c) ---- */

/* What a worker is started with. */
WorkerSetup supervisor_worker_setup(const Supervisor *s, const Configuration *c);
/* An order for one worker. */
void supervisor_order(const KeptChild *w, ChannelKind kind, uint64_t value);
/* Ends a worker that shall finish what it has; it is killed when it does not in time. */
void supervisor_dismiss(Supervisor *s, KeptChild *w, ChannelKind kind);
bool supervisor_has_workers(const Supervisor *s);
/* Tells a worker that it is the one that serves, and where the next supervisor would knock. */
void supervisor_confirm(const Supervisor *s, const KeptChild *w);
/* Another River has everything: this one finishes what is open, and ends. */
void supervisor_retire(Supervisor *s);
/* Gives the service manager the listeners to keep; what it does not take now, again later. */
void supervisor_store_listeners(Supervisor *s);
/* Tells the service manager that all is well: after the start, and after each reload. */
void supervisor_notify_serving(Supervisor *s);

/* ---- what one River has at a time (supervisor_files.c) ---- */

/* Where the control socket is to be; stays empty, with a warning, where it can be nowhere. */
void supervisor_find_control(Supervisor *s, Arena *arena);
/* The control socket, and where an orphan is met. A River without it serves all the same, unless
 * the socket was asked for; then `why` tells a person what failed. */
MUST_USE Err supervisor_open_control(Supervisor *s, Arena *arena, Text *why);
/* The pid file, if there is to be one. */
MUST_USE Err supervisor_open_pid_file(Supervisor *s, Text *why);
/* Takes all of them, once the River before has let go of them. */
void supervisor_claim_files(Supervisor *s);
/* Closes the place where an orphan is met, and removes its file. */
void supervisor_close_orphan(Supervisor *s);

/* ---- the start (supervisor_start.c) ---- */

/* Makes ready what all children have in common, and the nursery; reads the configuration (both: an
 * exit status, and what was wrong); keeps what of `system` holds until the end; and opens
 * everything, to the birth of the first worker. */
int supervisor_begin(Supervisor *s, Files *files, Text *why);
int supervisor_load(Supervisor *s, Arena *arena, Text *why);
MUST_USE Err supervisor_keep_system(Supervisor *s, Arena *arena);
MUST_USE Err supervisor_prepare(Supervisor *s, Arena *arena, Text *why);

/* ---- the control socket (answers.c) ---- */

/* Serves the control socket; a worker's part of an answer; and what is answered when
 * the worker has died over a question. */
void answers_serve(Supervisor *s);
void answers_on_message(Supervisor *s, const ChannelMessage *message);
void answers_without_worker(Supervisor *s);

/* ---- other configurations (reload.c) ---- */

/* Begins a reload; `client` (NULL: nobody) gets the answer, at once or (`wait`) at its end. */
void reload_begin(Supervisor *s, ReloadKind kind, ControlClient *client, bool wait);
/* What the worker that serves has told is there (dumping.h): the fresh one begins with it. */
void reload_on_dump(Supervisor *s, int fd);
/* A worker says how it went. */
void reload_on_message(Supervisor *s, KeptChild *from, const ChannelMessage *message);
/* A worker that leaves takes nobody any more. */
void reload_on_deaf(Supervisor *s, const KeptChild *w);
/* A fresh worker is ready, or has died before; or one that leaves has died. */
void reload_on_ready(Supervisor *s, KeptChild *w);
void reload_on_death(Supervisor *s, const KeptChild *w);
/* Looks whether a worker has shut listeners, and mends them. */
void reload_mend_listeners(Supervisor *s);
/* Gives up what is under way: River ends. */
void reload_abandon(Supervisor *s);
/* Looks for files that have changed, and at the deadline of what is under way. */
void reload_keep_deadlines(Supervisor *s, uint64_t now_ms);
/* When that has something to do next; 0: never. */
uint64_t reload_due_ms(const Supervisor *s);
/* The first configuration holds: from now on it is looked for changes. */
void reload_first(Supervisor *s, uint64_t now_ms);

#endif
