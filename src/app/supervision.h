/* supervision.h - the supervisor's state, and the functions shared by its files.
 *
 * Each file calls only those after it in this order: supervisor.c (the loop), supervisor_start.c
 * and answers.c (the control socket), upgrade.c, supervisor_roots.c, reload.c, dumping.c and
 * supervisor_files.c, supervision.c. Data flows back as results, which the loop passes on. */
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
    RELOAD_FILE,    /* read the file again */
    RELOAD_RENEW,   /* the same text, with certificates read again */
    RELOAD_ROLLBACK /* the previous configuration */
} ReloadKind;

typedef enum ReloadState {
    RELOAD_NONE,
    RELOAD_DUMPING, /* the serving worker writes its dump for a fresh one */
    RELOAD_ASKED, /* the worker builds it, or its threads take it up */
    RELOAD_COMING /* a fresh worker starts with it */
} ReloadState;

/* The reload under way, and when to look for changes. */
typedef struct Reload {
    ReloadState state;
    ReloadKind kind;
    uint32_t client; /* waits for the end; 0: none */
    uint64_t deadline_ms;
    pid_t draining; /* the previous worker, which may still accept clients; 0: none */
    uint64_t draining_until_ms; /* the client waits for it until then */
    Logs logs;           /* of a fresh worker that is starting */
    bool again;          /* another reload was requested meanwhile (SIGHUP) */
    uint64_t look_at_ms; /* when to check next whether files have changed */
    uint64_t mark;       /* of the files in force */
    uint64_t seen;       /* mark at the last check: if it is equal twice, writing has finished */
    unsigned count;      /* successful reloads */
    bool anew;           /* listeners were bound anew: a worker without them must be replaced */
    uint64_t anew_at_ms; /* when a reload begins for that reason alone */
    bool elsewhere;      /* the one under way is for a static root outside of the worker's cage */
} Reload;

/* When to look at the paths of static roots (supervisor_roots.c). */
typedef struct RootWatch {
    uint64_t look_at_ms;
    uint64_t fresh_at_ms; /* not before that does a fresh worker start for them */
} RootWatch;

/* What another River passes to this one at its start (upgrade.h). */
typedef struct Takeover {
    int fd; /* connection to the old one, until it has released everything; -1: none */
    pid_t go_between; /* to a worker without a supervisor (orphan.h); 0: the peer is an old River */
    bool received; /* everything has arrived */
    ListenSet sockets;
    int state; /* a file with its worker's dump; -1: none */
} Takeover;

/* This River hands over to another. */
typedef struct Upgrade {
    int fd;    /* connection to the new one; -1: none */
    pid_t pid; /* of the new one, if it is our child; 0: none */
    uint32_t client;      /* waits for the end; 0: none */
    unsigned tries_left;  /* left to reach the waiting one */
    uint64_t deadline_ms; /* of the next step; 0: none */
} Upgrade;

#define STOP_GRACE_MS 3000u /* for a worker to stop before it is killed */
#define CONFIGURATIONS 3u /* current, previous and next */

struct Supervisor {
    Source source;
    const Launch *launch;
    State state;
    int exit_status;
    Configuration configurations[CONFIGURATIONS];
    Configuration *current;
    Configuration *previous; /* closed; NULL: none */
    Configuration *next;     /* open, while a reload is under way */
    SystemSettings system;   /* the part that cannot change while River runs: paths, daemon */
    Reload reload;
    RootWatch roots;
    Notes notes; /* what was logged about certificates */
    Takeover takeover;
    Upgrade upgrade;
    Dumping dumping;
    Logs logs;
    Control control;
    Str control_path;    /* of the control socket; empty: none */
    ListenSocket orphan; /* for a worker that outlives us; fd -1: none */
    ProcessManager manager;
    Watch watch;
    Watch helper_watches[CHILD_KINDS];
    CageState cage_told; /* what the log says that workers have closed */
    Notify notify;
    uint64_t store_at_ms; /* when to store listeners again; 0: all are stored */
    uint64_t claim_at_ms; /* when to claim files again that another River held; 0: all are ours */
    bool claim_told;      /* the log says that one is missing */
    int signals;
    int pid_file;
    int daemon_pipe;
    uint64_t started_ms;
    Blocks blocks; /* for single answers */
    Arena *arena;  /* for what stays until the end */
    uint8_t room[CHANNEL_BYTES_MAX];
};

/* ---- shared (supervision.c) ---- */

/* What a worker is started with. */
WorkerSetup supervisor_worker_setup(const Supervisor *s, const Configuration *c);
/* Sends an order to one worker. */
void supervisor_order(const KeptChild *w, ChannelKind kind, uint64_t value);
/* Tells a worker to finish and end; it is killed if it misses the deadline. */
void supervisor_dismiss(Supervisor *s, KeptChild *w, ChannelKind kind);
bool supervisor_has_workers(const Supervisor *s);
/* Tells a worker that it is the serving one, and where the next supervisor will connect. */
void supervisor_confirm(const Supervisor *s, const KeptChild *w);
/* Another River has taken over: finish open work, and end. */
void supervisor_retire(Supervisor *s);
/* Stores the listeners at the service manager; what it does not accept now is retried later. */
void supervisor_store_listeners(Supervisor *s);
/* Tells the service manager that River is ready: after the start, and after each reload. */
void supervisor_notify_serving(Supervisor *s);

/* ---- files that only one River may have at a time (supervisor_files.c) ---- */

/* Determines the control socket's path; empty, with a warning, if there is none. */
void supervisor_find_control(Supervisor *s, Arena *arena);
/* Opens the control socket and the orphan's socket. River runs without it, unless the settings ask
 * for it; then it is an error and `why` says what failed. */
MUST_USE Err supervisor_open_control(Supervisor *s, Arena *arena, Text *why);
/* The pid file, if configured. */
MUST_USE Err supervisor_open_pid_file(Supervisor *s, Arena *arena, Text *why);
/* Takes all of them once the previous River has released them; what it still holds is tried again
 * at claim_at_ms. */
void supervisor_claim_files(Supervisor *s);
/* Closes the orphan's socket and removes its file. */
void supervisor_close_orphan(Supervisor *s);

/* ---- the start (supervisor_start.c) ---- */

/* In this order: prepare what all children share, and start the nursery; read the configuration
 * (both return an exit status, with the error in `why`); keep the parts of `system` that hold until
 * the end; open everything and start the first worker. */
int supervisor_begin(Supervisor *s, Files *files, Text *why);
int supervisor_load(Supervisor *s, Arena *arena, Text *why);
MUST_USE Err supervisor_keep_system(Supervisor *s, Arena *arena);
MUST_USE Err supervisor_prepare(Supervisor *s, Arena *arena, Text *why);

/* ---- the control socket (answers.c) ---- */

/* Serves the control socket; handles a worker's part of an answer; and answers when the worker has
 * died meanwhile. */
void answers_serve(Supervisor *s);
void answers_on_message(Supervisor *s, const ChannelMessage *message);
void answers_without_worker(Supervisor *s);

/* ---- reloads (reload.c) ---- */

/* Begins a reload; `client` (NULL: none) gets the answer at once or, with `wait`, at the end. */
void reload_begin(Supervisor *s, ReloadKind kind, ControlClient *client, bool wait);
/* The serving worker's dump is there (dumping.h): the fresh worker starts with it. */
void reload_on_dump(Supervisor *s, int fd);
/* A worker reports the outcome. */
void reload_on_message(Supervisor *s, KeptChild *from, const ChannelMessage *message);
/* A leaving worker accepts no more clients. */
void reload_on_deaf(Supervisor *s, const KeptChild *w);
/* A fresh worker is ready, or has died before; or a leaving one has died. */
void reload_on_ready(Supervisor *s, KeptChild *w);
void reload_on_death(Supervisor *s, const KeptChild *w);
/* Checks whether a worker has shut down listeners, and mends them. */
void reload_mend_listeners(Supervisor *s);
/* Abandons the reload under way: River ends. */
void reload_abandon(Supervisor *s);
/* Checks files for changes, and the deadline of the reload under way. */
void reload_keep_deadlines(Supervisor *s, uint64_t now_ms);
/* Starts a fresh worker by the configuration in force, because a static root is elsewhere. */
void reload_for_roots(Supervisor *s);
/* When reload_keep_deadlines must run next; 0: never. */
uint64_t reload_due_ms(const Supervisor *s);
/* The first configuration is in force: start checking for changes. */
void reload_first(Supervisor *s, uint64_t now_ms);

/* ---- static roots (supervisor_roots.c) ---- */

/* Looks whether their paths lead elsewhere, if that is due, and has the new directories served. */
void roots_keep(Supervisor *s, uint64_t now_ms);
/* When roots_keep must run next; 0: never. */
uint64_t roots_due_ms(const Supervisor *s);

#endif
