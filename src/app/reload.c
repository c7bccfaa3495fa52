/* reload.c - switches from one configuration to the next without losing a connection.
 *
 *     file --load, check--> settings --open--> sockets, directories --> the worker --> commit
 *                 \-- mistakes      \-- cannot be bound    \-- cannot be built: the old one stays
 *
 * The serving worker adopts the next configuration in place. If it needs more than the worker may
 * have (another directory, other threads, another user), a fresh worker takes over on the same
 * sockets, and the old one finishes its open work. Until the commit everything of the old
 * configuration stays open; a worker that dies meanwhile is restarted with the old one. */
#include "app/store.h"

#include "base/clock.h"
#include "app/supervision.h"

#include <unistd.h>

#include "base/number.h"
#include "config/diff.h"

#define ANSWER_BYTES_MAX (32u << 20) /* includes the text of a file */
#define WORKER_ANSWER_MS 60000u /* for a worker to adopt a configuration, or to start */
#define DRAINING_MS 5000u         /* for a leaving worker to close its listeners */
#define LOOK_MS 10000u          /* interval of checks for changed certificates */
#define WATCH_MS 1000u          /* the same for all files, with `watch` */
#define MISTAKES_LOGGED_MAX 20u
#define NOTES_BYTES_MAX (64u << 20)
#define ANEW_MS 1000u /* between attempts to pass a worker the listeners that were bound anew */

/* ---- answers ---- */

/* Ends the answer to a client: the last line is its exit status (control.h). */
static void reload_conclude(Supervisor *s, ControlClient *client, int status, Str text)
{
    if (!client) {
        return;
    }
    control_answer(&s->control, client, text);
    control_answer(&s->control, client, status == 0 ? S("exit 0\n") : S("exit 1\n"));
    control_finish(client);
}

static ControlClient *waiting_client(Supervisor *s)
{
    ControlClient *client =
        s->reload.client != 0 ? control_find(&s->control, s->reload.client) : NULL;
    s->reload.client = 0;
    return client;
}

/* Whether a line of printed diagnostics begins one of that label. It may be about any file that is
 * included; lines of the file itself are indented. */
static bool says_first(Str line, Str label)
{
    return str_peek(line, 0) != ' ' && !str_starts(line, S("help: ")) &&
           str_search(line, label, 0) < line.len;
}

/* Logs the first line of each mistake. */
static void log_mistakes(const Source *source, Str shown)
{
    unsigned count = 0;
    while (shown.len > 0 && count < MISTAKES_LOGGED_MAX) {
        StrCut line = str_cut(shown, '\n');
        bool first = source->starting ? !str_starts(line.head, S("help: "))
                                      : says_first(line.head, S(": error: "));
        if (first) {
            LOG(ERROR, "mistake in the configuration", LOG_STR("what", line.head));
            count++;
        }
        shown = line.tail;
    }
}

/* Reports everywhere that nothing has changed, and why. */
static void reload_refuse(Supervisor *s, ControlClient *client, ReloadKind kind,
                          const ConfigurationReport *report, Str reason)
{
    uint8_t room[1200];
    Text t = text_in(span_of(room, sizeof room));
    log_mistakes(&s->source, report ? report->shown : STR_NONE);
    if (s->reload.elsewhere) {
        s->reload.elsewhere = false; /* the next look tries again */
        LOG(ERROR, "a static root stays as it was", LOG_STR("why", reason));
    } else if (kind == RELOAD_RENEW) {
        LOG(ERROR, "certificates not renewed", LOG_STR("why", reason));
    } else {
        LOG(ERROR, "configuration not reloaded", LOG_STR("why", reason));
    }
    text_format(&t, "%.*s\nnot reloaded; the old configuration stays\n", STR_ARG(reason));
    if (client && report) {
        control_answer(&s->control, client, report->shown);
    }
    reload_conclude(s, client, 1, text_str(&t));
}

/* ---- changed files ---- */

static bool is_looked_at(const Supervisor *s)
{
    const Settings *settings = s->current->settings;
    return settings->system.watch || settings->file_count > 0;
}

/* A number that changes with the certificate files or, with `watch`, with all files and the
 * configuration itself. `now`: their present state, else the state they were read in. */
static uint64_t mark_files(const Supervisor *s, bool now)
{
    const Settings *settings = s->current->settings;
    const Files *files = s->source.files;
    bool watch = settings->system.watch;
    uint64_t text = now && watch ? files_mark(files, s->source.path) : s->current->text_mark;
    uint64_t mark = watch ? str_fnv(str_of(&text, sizeof text), 0) : 0;
    const Assembly *assembly = settings->assembly;
    for (size_t i = 0; watch && assembly && i < assembly->watched_count; i++) {
        const WatchedPath *one = &assembly->watched[i];
        uint64_t its = now ? files_mark(files, one->path) : one->mark;
        mark = str_fnv(str_of(&its, sizeof its), mark);
    }
    for (size_t i = 0; i < settings->file_count; i++) {
        const FileSettings *file = &settings->files[i];
        if (file->named && (watch || file->of_listener)) {
            uint64_t one = now ? files_mark(files, file->path) : file->mark;
            mark = str_fnv(str_of(&one, sizeof one), mark);
        }
    }
    return mark;
}

static void look_again_at(Supervisor *s, uint64_t now_ms)
{
    bool watch = s->current->settings->system.watch;
    s->reload.look_at_ms = is_looked_at(s) ? now_ms + (watch ? WATCH_MS : LOOK_MS) : 0;
}

/* Logs what is new about certificates in use. */
static void take_notes(Supervisor *s, bool all)
{
    Arena scratch;
    files_look_at_clock(s->source.files);
    arena_init(&scratch, &s->blocks, NOTES_BYTES_MAX);
    notes_take(&s->notes, s->current->settings, s->source.cache, s->source.files->config.now_s, all,
               &scratch);
    arena_reset(&scratch);
}

void reload_first(Supervisor *s, uint64_t now_ms)
{
    s->reload.mark = s->reload.seen = mark_files(s, false);
    look_again_at(s, now_ms);
    take_notes(s, true);
}

static void look_for_changes(Supervisor *s, uint64_t now_ms)
{
    uint64_t mark = mark_files(s, true);
    bool steady = mark == s->reload.seen;
    s->reload.seen = mark;
    look_again_at(s, now_ms);
    take_notes(s, false);
    if (steady && mark != s->reload.mark) {
        s->reload.mark = mark; /* a rejected version is not tried again */
        ReloadKind kind = s->current->settings->system.watch ? RELOAD_FILE : RELOAD_RENEW;
        reload_begin(s, kind, NULL, false);
    }
}

/* ---- the end of a reload ---- */

/* Logs the listeners whose certificates or revocation lists have changed. */
static void log_renewed(Supervisor *s, const Settings *old, const Settings *fresh)
{
    Arena scratch;
    ConfigDiff diff;
    arena_init(&scratch, &s->blocks, NOTES_BYTES_MAX);
    Err err = config_diff(&scratch, old, fresh, &diff);
    for (size_t i = 0; err == ERR_OK && i < diff.renewed_count; i++) {
        const ListenerSettings *is = &fresh->listeners[diff.renewed[i]];
        LOG(INFO, "new certificates", LOG_STR("listener", is->address.text));
    }
    arena_reset(&scratch);
}

/* From now on every new connection is served by the configuration in force. */
static void tell_reloaded(Supervisor *s)
{
    s->reload.draining = 0;
    reload_conclude(s, waiting_client(s), 0, S("reloaded\n"));
}

/* The next configuration takes effect. */
static void reload_commit(Supervisor *s)
{
    Reload *r = &s->reload;
    Configuration *old = s->current;
    if (r->state == RELOAD_ASKED) {
        configuration_keep_roots(s->next, old);
    }
    store_remove(&s->notify, &old->listeners, &s->next->listeners);
    configuration_close(old, &s->next->listeners);
    if (s->previous && s->previous != s->next) {
        configuration_drop(s->previous);
    }
    s->current = s->next;
    s->previous = old;
    s->next = NULL;
    listen_settle(&s->current->listeners);
    if (r->state == RELOAD_COMING) {
        r->anew = false;
        logs_close(&s->logs);
        s->logs = r->logs;
        r->logs = LOGS_NONE;
    }
    r->state = RELOAD_NONE;
    r->count++;
    log_bind_direct(s->logs.fds[LOG_TO_ERROR], logs_level(&s->current->settings->system.log));
    /* After a rollback the files still hold the version that was rolled back. */
    r->mark = r->seen = mark_files(s, r->kind == RELOAD_ROLLBACK);
    look_again_at(s, clock_ms());
    supervisor_notify_serving(s);
    if (r->elsewhere) {
        r->elsewhere = false;
        LOG(INFO, "a fresh worker serves the static roots");
    } else if (r->kind == RELOAD_RENEW) {
        LOG(INFO, "certificates renewed");
    } else {
        LOG(INFO, "configuration reloaded",
            LOG_U64("services", s->current->settings->service_count),
            LOG_U64("listeners", s->current->settings->listener_count));
    }
    log_renewed(s, old->settings, s->current->settings);
    take_notes(s, true);
    if (r->draining == 0) {
        tell_reloaded(s);
    }
}

/* Drops the next configuration; a rollback's stays the previous one. */
static void give_up_next(Supervisor *s)
{
    configuration_close(s->next, &s->current->listeners);
    if (s->next != s->previous) {
        configuration_drop(s->next);
    }
    s->next = NULL;
    s->reload.state = RELOAD_NONE;
    logs_close(&s->reload.logs);
}

static void reload_fail(Supervisor *s, Str reason)
{
    give_up_next(s);
    supervisor_notify_serving(s);
    reload_refuse(s, waiting_client(s), s->reload.kind, NULL, reason);
}

void reload_abandon(Supervisor *s)
{
    KeptChild *coming = manager_find(&s->manager, KEPT_COMING);
    if (s->reload.draining != 0) {
        tell_reloaded(s);
    }
    if (s->reload.state != RELOAD_NONE) {
        reload_fail(s, S("River ends"));
    }
    if (coming) {
        supervisor_order(coming, CHANNEL_STOP, 0);
        coming->role = KEPT_LEAVING;
    }
}

/* ---- handing it to a worker ---- */

void reload_on_dump(Supervisor *s, int fd)
{
    Reload *r = &s->reload;
    if (r->state != RELOAD_DUMPING) {
        return; /* the reload was abandoned meanwhile */
    }
    KeptChild *coming = NULL;
    WorkerSetup setup = supervisor_worker_setup(s, s->next);
    setup.logs = &r->logs;
    setup.state = fd;
    r->state = RELOAD_COMING;
    Err err = manager_start(&s->manager, &setup, KEPT_COMING, clock_ms(), &coming);
    if (err != ERR_OK) {
        reload_fail(s, str_from_c(err_sentence(err)));
    }
}

/* In place if possible, else by a fresh worker. */
static Err hand_to_worker(Supervisor *s, Text *why)
{
    Reload *r = &s->reload;
    KeptChild *serving = manager_find(&s->manager, KEPT_SERVING);
    uint64_t now = clock_ms();
    r->deadline_ms = now + WORKER_ANSWER_MS;
    bool fresh = r->anew || r->elsewhere;
    if (serving && serving->ready && !fresh && configuration_same_worker(s->current, s->next)) {
        r->state = RELOAD_ASKED;
        return worker_send_configuration(&serving->channel, s->next);
    }
    TRY(logs_open(&s->next->settings->system.log, &r->logs, why));
    LOG(INFO, "the next configuration needs a fresh worker");
    r->state = RELOAD_DUMPING;
    dumping_begin(s, DUMP_FOR_RELOAD);
    return ERR_OK;
}

void reload_on_message(Supervisor *s, KeptChild *from, const ChannelMessage *message)
{
    if (s->reload.state != RELOAD_ASKED || from->role != KEPT_SERVING) {
        return;
    }
    if (message->value == 1) {
        reload_commit(s);
        return;
    }
    uint8_t room[300];
    Text t = text_in(span_of(room, sizeof room));
    text_format(&t, "the worker cannot build it: %.*s", STR_ARG(str_take(message->bytes, 200)));
    reload_fail(s, text_str(&t));
}

void reload_on_deaf(Supervisor *s, const KeptChild *w)
{
    if (w->pid == s->reload.draining) {
        tell_reloaded(s);
    }
}

void reload_on_ready(Supervisor *s, KeptChild *w)
{
    KeptChild *serving = manager_find(&s->manager, KEPT_SERVING);
    if (serving) {
        supervisor_dismiss(s, serving, CHANNEL_HAND_OVER);
        s->reload.draining = serving->pid;
        s->reload.draining_until_ms = clock_ms() + DRAINING_MS;
    }
    w->role = KEPT_SERVING;
    reload_commit(s);
}

void reload_mend_listeners(Supervisor *s)
{
    if (listen_mend(&s->current->listeners, s->current->settings)) {
        s->reload.anew = true;
        s->reload.anew_at_ms = clock_ms() + ANEW_MS;
    }
}

void reload_on_death(Supervisor *s, const KeptChild *w)
{
    reload_on_deaf(s, w);
    if (s->reload.state == RELOAD_COMING && w->role == KEPT_COMING) {
        reload_fail(s, S("the fresh worker could not start"));
    } else if (s->reload.state == RELOAD_ASKED && w->role == KEPT_SERVING) {
        reload_fail(s, S("the worker died over it"));
    }
}

void reload_keep_deadlines(Supervisor *s, uint64_t now_ms)
{
    if (s->reload.draining != 0 && now_ms >= s->reload.draining_until_ms) {
        tell_reloaded(s);
    }
    if (s->reload.state == RELOAD_NONE && s->reload.again) {
        s->reload.again = false;
        reload_begin(s, RELOAD_FILE, NULL, false);
        return;
    }
    if (s->reload.state == RELOAD_NONE && s->reload.anew && now_ms >= s->reload.anew_at_ms) {
        s->reload.anew_at_ms = now_ms + ANEW_MS;
        reload_begin(s, RELOAD_RENEW, NULL, false);
        return;
    }
    if (s->reload.state == RELOAD_NONE) {
        if (s->reload.look_at_ms != 0 && now_ms >= s->reload.look_at_ms) {
            look_for_changes(s, now_ms);
        }
        return;
    }
    if (now_ms < s->reload.deadline_ms) {
        return;
    }
    KeptChild *slow =
        manager_find(&s->manager, s->reload.state == RELOAD_COMING ? KEPT_COMING : KEPT_SERVING);
    reload_fail(s, S("the worker has not answered in time"));
    if (slow) { /* it may have adopted the configuration in part: its state is unknown */
        slow->kill_at_ms = now_ms;
    }
}

uint64_t reload_due_ms(const Supervisor *s)
{
    const Reload *r = &s->reload;
    if (r->state != RELOAD_NONE) {
        return r->deadline_ms;
    }
    uint64_t due = r->again ? clock_ms() : r->look_at_ms;
    due = r->anew && (due == 0 || r->anew_at_ms < due) ? r->anew_at_ms : due;
    bool sooner = r->draining != 0 && (due == 0 || r->draining_until_ms < due);
    return sooner ? r->draining_until_ms : due;
}

/* ---- the beginning ---- */

static Configuration *free_configuration(Supervisor *s)
{
    for (size_t i = 0; i < CONFIGURATIONS; i++) {
        Configuration *c = &s->configurations[i];
        if (c != s->current && c != s->previous) {
            return c;
        }
    }
    return NULL;
}

/* Makes `next`, not opened yet. */
static Err load_next(Supervisor *s, ReloadKind kind, ConfigurationReport *report)
{
    if (kind == RELOAD_ROLLBACK) {
        s->next = s->previous;
        if (!s->next) {
            text_add(&report->why, S("there is no configuration before this one"));
        }
        return s->next ? ERR_OK : ERR_MISSING;
    }
    Configuration *c = free_configuration(s);
    CHECK(c != NULL);
    ConfigurationOrigin origin = {.before = s->current, .renew = kind == RELOAD_RENEW};
    TRY(configuration_load(c, &s->source, &origin, report));
    s->next = c;
    return ERR_OK;
}

static void report_failure(Supervisor *s, ControlClient *client, ReloadKind kind, Err err,
                           ConfigurationReport *report)
{
    uint8_t room[256];
    Text t = text_in(span_of(room, sizeof room));
    if (report->mistakes > 0) {
        text_format(&t, "%zu mistake%s in the configuration", report->mistakes,
                    report->mistakes == 1 ? "" : "s");
    } else if (report->why.len == 0) {
        text_add(&t, str_from_c(err_sentence(err)));
    }
    reload_refuse(s, client, kind, report, t.len > 0 ? text_str(&t) : text_str(&report->why));
}

/* Recognizes a line "FILE:LINE:COLUMN: LABEL: MESSAGE" about a certificate that was not renewed. */
static bool is_kept(const Source *source, Str line)
{
    if (source->starting) {
        return starting_says_kept(source->starting, line);
    }
    return says_first(line, S(": not renewed: "));
}

/* Logs what a renewal has left unchanged. Everything else about certificates is logged once the
 * worker has them (notes.h). */
static void log_kept(const Source *source, ReloadKind kind, Str shown)
{
    while (kind == RELOAD_RENEW && shown.len > 0) {
        StrCut line = str_cut(shown, '\n');
        if (is_kept(source, line.head)) {
            LOG(ERROR, "certificates not renewed", LOG_STR("why", line.head));
        }
        shown = line.tail;
    }
}

/* Opens what it names, and passes it to a worker. */
static Err start_next(Supervisor *s, ConfigurationReport *report)
{
    Err err = configuration_open(s->next, s->source.files, &s->current->listeners, &report->why);
    if (err != ERR_OK) {
        if (s->next != s->previous) {
            configuration_drop(s->next);
        }
        s->next = NULL;
        return err;
    }
    err = hand_to_worker(s, &report->why);
    if (err != ERR_OK) {
        if (report->why.len == 0) {
            text_format(&report->why, "the worker cannot be told: %s", err_sentence(err));
        }
        give_up_next(s);
    }
    return err;
}

/* Nothing has changed, so nobody is told. */
static void drop_next(Supervisor *s)
{
    if (s->next != s->previous) {
        configuration_drop(s->next);
    }
    s->next = NULL;
}

static void tell_unchanged(Supervisor *s, ReloadKind kind, ControlClient *client)
{
    if (s->source.starting && kind == RELOAD_FILE) {
        LOG(WARN, "nothing to reload: River was started without a file; its certificates have not "
                  "changed");
        reload_conclude(s, client, 0, S("nothing has changed: this River was started without a "
                                        "file, so only its certificates can\n"));
        return;
    }
    if (kind != RELOAD_RENEW) {
        LOG(INFO, "configuration read again: nothing new");
    }
    reload_conclude(s, client, 0, S("nothing has changed\n"));
}

static Err reload_load(Supervisor *s, ReloadKind kind, ControlClient *client, bool wait,
                       ConfigurationReport *report)
{
    ConfigDiff diff;
    TRY(load_next(s, kind, report));
    log_kept(&s->source, kind, report->shown);
    Err err = config_diff(report->arena, s->current->settings, s->next->settings, &diff);
    if (err != ERR_OK || (diff.lines.len == 0 && !s->reload.anew && !s->reload.elsewhere)) {
        drop_next(s);
        if (err == ERR_OK) {
            tell_unchanged(s, kind, client);
        }
        return err;
    }
    TRY(start_next(s, report));
    if (client) {
        control_answer(&s->control, client, report->shown);
        control_answer(&s->control, client, diff.lines);
    }
    if (wait && client) {
        s->reload.client = client->id;
        control_be_patient(client);
    } else {
        reload_conclude(s, client, 0, S("checked; the worker takes it up\n"));
    }
    return ERR_OK;
}

void reload_begin(Supervisor *s, ReloadKind kind, ControlClient *client, bool wait)
{
    if (s->state != STATE_SERVING) {
        reload_refuse(s, client, kind, NULL, S("River ends"));
        return;
    }
    if (s->upgrade.fd >= 0 || s->takeover.fd >= 0) {
        reload_refuse(s, client, kind, NULL, S("an upgrade is under way; try again"));
        return;
    }
    if (s->reload.state != RELOAD_NONE) {
        s->reload.again = s->reload.again || !client;
        if (client) {
            reload_refuse(s, client, kind, NULL, S("another reload is under way; try again"));
        }
        return;
    }
    if (s->reload.draining != 0) {
        tell_reloaded(s); /* there is room for one waiting client */
    }
    Arena arena;
    uint8_t room[1024];
    arena_init(&arena, &s->blocks, ANSWER_BYTES_MAX);
    ConfigurationReport report = {.arena = &arena, .why = text_in(span_of(room, sizeof room))};
    s->reload.kind = kind;
    reload_mend_listeners(s);
    notify_reloading(&s->notify, clock_ms());
    Err err = reload_load(s, kind, client, wait, &report);
    if (err != ERR_OK) {
        report_failure(s, client, kind, err, &report);
    }
    /* The mistake may concern a single listener's files, so still renew certificates. A user on the
     * command line is told, and can retry at once. */
    bool renew = err != ERR_OK && kind == RELOAD_FILE && !client;
    if (s->reload.state == RELOAD_NONE && !renew) {
        supervisor_notify_serving(s);
    }
    arena_reset(&arena);
    if (renew) {
        reload_begin(s, RELOAD_RENEW, NULL, false);
    }
}

void reload_for_roots(Supervisor *s)
{
    if (s->reload.state == RELOAD_NONE) {
        s->reload.elsewhere = true;
        reload_begin(s, RELOAD_RENEW, NULL, false);
    }
}
