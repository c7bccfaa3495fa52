/* worker_process.c - from the fork to the exit: closes what is not its own, starts the threads,
 * then obeys the channel. */
#include "app/worker_process.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "admin/status.h"
#include "app/breakin.h"
#include "app/cage.h"
#include "app/channel.h"
#include "app/daemon.h"
#include "app/exit.h"
#include "app/renew.h"
#include "base/number.h"
#include "config/build.h"
#include "loop/crash.h"

#define BLOCK_BYTES 16384u
#define SNAPSHOT_BYTES_MAX (256u << 20)
#define STATUS_BYTES_MAX (16u << 20)
#define STATUS_LINE_BYTES 1024u /* room for one service, upstream or fault */
#define STATUS_PART_BYTES 16384u
#define STATUS_SEND_MS 1000 /* a supervisor that does not read for so long gets no answer */
#define DONE_TICK_MS 20     /* how often a drain looks whether all is over */
#define LOG_STOP_MS 2000u
#define DESCRIPTORS_KEPT 256u /* for logs, listeners and the like */
#define CONNECTIONS_MIN 16u
#define FILES_MAX 1024u
#define FILES_MIN 16u

typedef struct WorkerProcess {
    const WorkerSetup *setup;
    int channel;
    Blocks blocks;
    Arena arena; /* of the snapshot */
    const Snapshot *snapshot;
    Log *log;
    Worker *worker;
    Cage cage;
    int supervisor;
    bool ending;
    uint64_t stop_at_ms; /* 0: the threads may go on */
    uint8_t room[CHANNEL_BYTES_MAX];
} WorkerProcess;

static uint64_t clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- the start ---- */

static bool is_kept(const WorkerProcess *p, int fd)
{
    bool kept = fd <= STDERR_FILENO || fd == p->channel;
    for (size_t i = 0; i < LOG_STREAMS; i++) {
        kept = kept || p->setup->logs->fds[i] == fd;
    }
    for (size_t i = 0; i < p->setup->listeners->count; i++) {
        kept = kept || p->setup->listeners->at[i].fd == fd;
    }
    for (size_t i = 0; i < p->setup->key_log_count; i++) {
        kept = kept || p->setup->key_logs[i] == fd;
    }
    for (size_t i = 0; i < p->setup->root_count; i++) {
        kept = kept || p->setup->roots[i] == fd;
    }
    return kept;
}

static int higher(int a, int b)
{
    return a > b ? a : b;
}

/* Closes the supervisor's other descriptors: control socket, pid file, signals. They are few and
 * low, because nothing else was opened before the fork. */
static void close_others(const WorkerProcess *p)
{
    int highest = p->channel;
    for (size_t i = 0; i < LOG_STREAMS; i++) {
        highest = higher(highest, p->setup->logs->fds[i]);
    }
    for (size_t i = 0; i < p->setup->listeners->count; i++) {
        highest = higher(highest, p->setup->listeners->at[i].fd);
    }
    for (size_t i = 0; i < p->setup->key_log_count; i++) {
        highest = higher(highest, p->setup->key_logs[i]);
    }
    for (size_t i = 0; i < p->setup->root_count; i++) {
        highest = higher(highest, p->setup->roots[i]);
    }
    for (int fd = STDERR_FILENO + 1; fd <= highest; fd++) {
        if (!is_kept(p, fd)) {
            (void)close(fd);
        }
    }
    (void)close_range((unsigned)highest + 1, ~0u, 0);
}

static uint64_t connections_max(const SystemSettings *system)
{
    if (system->connections_max != 0) {
        return system->connections_max;
    }
    struct rlimit limit = {.rlim_cur = 1024};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    uint64_t descriptors = u64_min(limit.rlim_cur, UINT32_MAX);
    uint64_t free = descriptors > DESCRIPTORS_KEPT ? descriptors - DESCRIPTORS_KEPT : 0;
    /* A client mostly needs an origin's connection too, but pooled ones are shared. */
    return u64_max(free * 3 / 4, CONNECTIONS_MIN);
}

/* Files that each thread may keep open: all of them together a sixteenth of what there is. */
static uint32_t files_max(unsigned threads)
{
    struct rlimit limit = {.rlim_cur = 1024};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    uint64_t share = u64_min(limit.rlim_cur, UINT32_MAX) / 16 / threads;
    return (uint32_t)u64_max(u64_min(share, FILES_MAX), FILES_MIN);
}

static AccessStyle access_style(AccessFormat format)
{
    switch (format) {
    case ACCESS_JSON:
        return ACCESS_STYLE_JSON;
    case ACCESS_LOGFMT:
        return ACCESS_STYLE_LOGFMT;
    case ACCESS_COMBINED:
        return ACCESS_STYLE_COMBINED;
    }
    return ACCESS_STYLE_JSON;
}

/* The rings; this thread logs through the one behind the data threads'. */
static Err start_log(WorkerProcess *p)
{
    const WorkerSetup *setup = p->setup;
    LogOptions options = {.producers = setup->threads + 1,
                          .fds = {setup->logs->fds[LOG_TO_ERROR], setup->logs->fds[LOG_TO_ACCESS]},
                          .level = logs_level(&setup->settings->system.log)};
    TRY(log_start(&options, NULL, &p->log));
    log_bind(p->log, setup->threads);
    return ERR_OK;
}

static BuildInputs build_inputs(const WorkerProcess *p, size_t count, const Material *material)
{
    CHECK(p->setup->key_log_count == count);
    BuildInputs inputs = {.count = count, .material = material};
    inputs.key_logs = p->setup->key_logs;
    inputs.root_count = p->setup->root_count;
    inputs.roots = p->setup->roots;
    return inputs;
}

static Err build_snapshot(WorkerProcess *p, const Snapshot **ret)
{
    const Settings *settings = p->setup->settings;
    const ListenSet *listeners = p->setup->listeners;
    size_t count = settings->listener_count;
    int *fds = arena_array(&p->arena, int, count);
    if (!fds) {
        return ERR_MEMORY;
    }
    CHECK(listeners->count == count);
    for (size_t i = 0; i < count; i++) {
        fds[i] = listeners->at[i].fd;
    }
    BuildInputs inputs = build_inputs(p, count, p->setup->material);
    inputs.fds = fds;
    return config_build(&p->arena, settings, &inputs, ret);
}

static Err close_cage(void *context)
{
    return cage_close((Cage *)context);
}

static Err start_threads(WorkerProcess *p)
{
    const SystemSettings *system = &p->setup->settings->system;
    const Snapshot *snapshot = NULL;
    TRY(build_snapshot(p, &snapshot));
    p->snapshot = snapshot;
    WorkerPlan plan = {
        .snapshot = snapshot,
        .threads = p->setup->threads,
        .pin = true,
        .connections_max = connections_max(system),
        .idle_upstreams_max = system->idle_upstreams_max,
        .files_max = p->setup->root_count ? files_max(p->setup->threads) : 0,
        .memory_bytes_max = config_memory_bytes(system),
        .log = p->log,
        .access_log = system->log.access != LOG_PLACE_OFF,
        .access_style = access_style(system->log.access_format),
        .before_serving = close_cage,
        .context = &p->cage,
    };
    return worker_start(&plan, &p->worker);
}

/* ---- the channel ---- */

/* Sends one message, waiting a little for a supervisor that is busy. */
static Err tell(const WorkerProcess *p, const ChannelMessage *message)
{
    Err err = channel_send(p->channel, message);
    if (err == ERR_AGAIN) {
        struct pollfd room = {.fd = p->channel, .events = POLLOUT};
        (void)poll(&room, 1, STATUS_SEND_MS);
        err = channel_send(p->channel, message);
    }
    return err;
}

/* Prints the picture of the counters into `arena`. */
static Err print_status(const WorkerProcess *p, Arena *arena, bool json, Str *ret)
{
    const WorkerStatus *status = NULL;
    TRY(worker_status(p->worker, arena, &status));
    size_t lines = status->service_count + 2 * status->origin_count + status->fault_count + 16;
    Span room;
    if (!arena_span(arena, lines * STATUS_LINE_BYTES, &room)) {
        return ERR_MEMORY;
    }
    Text t = text_in(room);
    status_print_worker(&t, status, json);
    *ret = text_str(&t);
    return t.overflow ? ERR_LIMIT : ERR_OK;
}

/* Answers in parts that fit the channel. */
static void answer_status(WorkerProcess *p, const ChannelMessage *question)
{
    Arena arena;
    arena_init(&arena, &p->blocks, STATUS_BYTES_MAX);
    Str rest = STR_NONE;
    bool json = question->value != 0;
    if (print_status(p, &arena, json, &rest) != ERR_OK) {
        rest = json ? S("null") : S("the worker's status is too long\n");
    }
    Err err = ERR_OK;
    while (rest.len > 0 && err == ERR_OK) {
        ChannelMessage part = {.kind = CHANNEL_STATUS_PART,
                               .id = question->id,
                               .bytes = str_take(rest, STATUS_PART_BYTES)};
        err = tell(p, &part);
        rest = str_drop(rest, STATUS_PART_BYTES);
    }
    ChannelMessage end = {.kind = CHANNEL_STATUS_END, .id = question->id};
    (void)!tell(p, &end);
    arena_reset(&arena);
}

static void replace_logs(const WorkerProcess *p, const ChannelMessage *message)
{
    for (unsigned i = 0; i < LOG_STREAMS; i++) {
        if (message->fds[i] >= 0) {
            log_replace(p->log, (LogStream)i, message->fds[i]);
        }
    }
}

/* New certificates: all of them, or none. */
static void renew(WorkerProcess *p, const ChannelMessage *message)
{
    Arena scratch;
    Material fresh = {0};
    const Settings *settings = p->setup->settings;
    arena_init(&scratch, &p->blocks, SNAPSHOT_BYTES_MAX);
    Err err = renewal_unpack(message->fds[0], settings, &scratch, &fresh);
    if (err == ERR_OK) {
        BuildInputs inputs = build_inputs(p, fresh.count, &fresh);
        err = config_renew(p->snapshot, settings, &inputs, &scratch);
    }
    if (err == ERR_OK) {
        LOG(INFO, "certificates renewed");
    } else {
        LOG(ERROR, "certificates not renewed", LOG_STR("why", str_from_c(err_sentence(err))));
    }
    (void)close(message->fds[0]);
    arena_reset(&scratch);
}

/* The supervisor has closed its copies of the listeners; shutting ours down refuses newcomers at
 * once, while the threads still hold the descriptors in their pollers. */
static void refuse_newcomers(const WorkerProcess *p)
{
    for (size_t i = 0; i < p->setup->listeners->count; i++) {
        (void)shutdown(p->setup->listeners->at[i].fd, SHUT_RDWR);
    }
}

static void begin_drain(WorkerProcess *p, uint64_t limit_ms)
{
    if (!p->ending) {
        p->ending = true;
        p->stop_at_ms = clock_ms() + limit_ms;
        worker_drain(p->worker);
        refuse_newcomers(p);
    }
}

static void stop_threads(WorkerProcess *p)
{
    p->ending = true;
    p->stop_at_ms = 0;
    worker_stop(p->worker);
}

static void begin_stop(WorkerProcess *p)
{
    stop_threads(p);
    refuse_newcomers(p);
}

/* Nobody gives orders any more. The listeners are left alone: they are shared, and should a
 * supervisor be there all the same, its next worker needs them. */
static void on_channel_lost(WorkerProcess *p)
{
    if (!p->ending) {
        LOG(ERROR, "the supervisor is gone");
        stop_threads(p);
    }
}

static void obey(WorkerProcess *p, const ChannelMessage *message)
{
    switch (message->kind) {
    case CHANNEL_DRAIN:
        begin_drain(p, message->value);
        return;
    case CHANNEL_STOP:
        begin_stop(p);
        return;
    case CHANNEL_LOGS:
        replace_logs(p, message);
        return;
    case CHANNEL_STATUS:
        answer_status(p, message);
        return;
    case CHANNEL_RENEW:
        renew(p, message);
        return;
    case CHANNEL_NONE:
    case CHANNEL_READY:
    case CHANNEL_STATUS_PART:
    case CHANNEL_STATUS_END:
        return;
    }
}

static void take_orders(WorkerProcess *p)
{
    ChannelMessage message;
    Err err;
    while ((err = channel_receive(p->channel, span_of(p->room, sizeof p->room), true,
                                  &message)) == ERR_OK) {
        obey(p, &message);
    }
    if (err != ERR_AGAIN && err != ERR_SYNTAX) {
        on_channel_lost(p);
    }
}

static void serve(WorkerProcess *p)
{
    while (!worker_is_done(p->worker)) {
        struct pollfd ready = {.fd = p->channel, .events = POLLIN};
        int n = poll(&ready, 1, p->ending ? DONE_TICK_MS : -1);
        if (n > 0 && (ready.revents & POLLIN)) {
            take_orders(p);
        } else if (n > 0 && !p->ending) {
            on_channel_lost(p);
        } else if (n > 0) {
            (void)poll(NULL, 0, DONE_TICK_MS); /* nobody speaks any more: only the threads count */
        }
        if (p->stop_at_ms != 0 && clock_ms() >= p->stop_at_ms) {
            LOG(WARN, "drain deadline passed: open requests are cut");
            begin_stop(p);
        }
    }
}

/* ---- life ---- */

/* The supervisor's death kills its worker. A change of user forgets that, so it is asked for again
 * behind it. */
static void die_with_supervisor(const WorkerProcess *p)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != p->supervisor) {
        _exit(EXIT_FAILED); /* it died before we could ask to be told */
    }
}

static Err enter_cage(WorkerProcess *p)
{
    const WorkerSetup *setup = p->setup;
    CagePlan plan = {.account = &setup->settings->system.account,
                     .sandbox = setup->settings->system.sandbox,
                     .root_count = setup->root_count,
                     .settings = setup->settings,
                     .memory_bytes = config_memory_bytes(&setup->settings->system)};
    plan.roots = setup->roots;
    TRY(cage_enter(&p->cage, &plan));
    die_with_supervisor(p);
    return ERR_OK;
}

/* Everything up to serving. The order is the cage's (app/cage.h): what must be opened, then the
 * first step, then all threads, then the second. */
static Err start(WorkerProcess *p)
{
    blocks_init(&p->blocks, NULL, BLOCK_BYTES, 0);
    arena_init(&p->arena, &p->blocks, SNAPSHOT_BYTES_MAX);
    crash_catch_signals();
    breakin_arm();
    if (p->setup->settings->system.daemonize) {
        daemon_let_go();
    }
    TRY(enter_cage(p));
    crash_enter_thread(p->setup->threads);
    TRY(start_log(p));
    TRY(start_threads(p));
    ChannelMessage ready = {.kind = CHANNEL_READY, .value = p->cage.state};
    return channel_send(p->channel, &ready);
}

void worker_process_run(const WorkerSetup *setup, int channel, int supervisor)
{
    static WorkerProcess process; /* large, and there is only one */
    WorkerProcess *p = &process;
    *p = (WorkerProcess){.setup = setup, .channel = channel, .supervisor = supervisor};
    die_with_supervisor(p);
    close_others(p);
    Err err = start(p);
    if (err != ERR_OK) {
        LOG(ERROR, "worker cannot start", LOG_STR("why", str_from_c(err_sentence(err))));
        log_stop(p->log, LOG_STOP_MS);
        _exit(EXIT_FAILED);
    }
    serve(p);
    worker_join(p->worker);
    log_stop(p->log, LOG_STOP_MS);
    config_drop(p->snapshot);
    arena_reset(&p->arena);
    exit(EXIT_OK);
}
