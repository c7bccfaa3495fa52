/* answers.c - the supervisor's answers on the control socket. */
#include <unistd.h>

#include "app/certificates.h"

#include "base/clock.h"
#include "app/channel.h"
#include "app/trust.h"
#include "app/upgrade.h"

#define STATUS_BYTES_MAX (64u << 20)
#define WORKER_BYTES_MAX (17u << 20) /* an intact worker sends at most 16 MiB */

/* ---- the status ---- */

/* Adds the lists of revoked certificates to an answer. */
static void answer_crls(Supervisor *s, ControlClient *client)
{
    Arena arena;
    const CrlStatus *list = NULL;
    size_t count = 0;
    Span room = {0};
    uint8_t least[64];
    int64_t now_s = s->source.files->config.now_s;
    arena_init(&arena, &s->blocks, STATUS_BYTES_MAX);
    if (certificates_crls(s->current->settings, s->source.cache, now_s, &arena, &list, &count) !=
            ERR_OK ||
        !arena_span(&arena, status_crls_bytes(list, count), &room)) {
        count = 0;
        list = NULL;
    }
    Text t = text_in(room.len > 0 ? room : span_of(least, sizeof least));
    status_print_crls(&t, list, count, now_s, client->ask == CONTROL_STATUS_JSON);
    control_answer(&s->control, client, text_str(&t));
    arena_reset(&arena);
}

/* Adds the certificates that connectors show to an answer. */
static void answer_own(Supervisor *s, ControlClient *client)
{
    Arena arena;
    const OwnCertificateStatus *list = NULL;
    size_t count = 0;
    Span room = {0};
    uint8_t least[64];
    arena_init(&arena, &s->blocks, STATUS_BYTES_MAX);
    if (certificates_own(s->current->settings, &arena, &list, &count) != ERR_OK ||
        !arena_span(&arena, status_own_bytes(list, count), &room)) {
        count = 0;
        list = NULL;
    }
    Text t = text_in(room.len > 0 ? room : span_of(least, sizeof least));
    status_print_own(&t, list, count, s->source.files->config.now_s,
                     client->ask == CONTROL_STATUS_JSON);
    control_answer(&s->control, client, text_str(&t));
    arena_reset(&arena);
}

/* Adds the certificates to an answer. */
static void answer_certificates(Supervisor *s, ControlClient *client)
{
    Arena arena;
    const CertificateStatus *list = NULL;
    size_t count = 0;
    Span room = {0};
    bool json = client->ask == CONTROL_STATUS_JSON;
    arena_init(&arena, &s->blocks, STATUS_BYTES_MAX);
    files_look_at_clock(s->source.files);
    if (certificates_list(s->current->settings, s->source.cache, s->source.files->config.now_s,
                          &arena, &list, &count) != ERR_OK ||
        !arena_span(&arena, status_certificates_bytes(list, count), &room)) {
        count = 0;
        list = NULL;
    }
    uint8_t least[64];
    Text t = text_in(room.len > 0 ? room : span_of(least, sizeof least));
    status_print_certificates(&t, list, count, s->source.files->config.now_s, json);
    control_answer(&s->control, client, text_str(&t));
    arena_reset(&arena);
    answer_own(s, client);
    answer_crls(s, client);
}

/* Ends an answer; in text form the certificates come last. */
static void finish_answer(Supervisor *s, ControlClient *client, Str text, Str json)
{
    bool is_json = client->ask == CONTROL_STATUS_JSON;
    control_answer(&s->control, client, is_json ? json : text);
    if (!is_json) {
        answer_certificates(s, client);
    }
    control_finish(client);
}

static bool asks_status(const ControlClient *client)
{
    return client->ask == CONTROL_STATUS_TEXT || client->ask == CONTROL_STATUS_JSON;
}

/* The worker's part is truncated: the client must not take it for a complete answer. */
static void cut_answer(Supervisor *s, ControlClient *client, Str why)
{
    control_answer(&s->control, client, S("\n"));
    control_answer(&s->control, client, why);
    control_answer(&s->control, client, S(CONTROL_CUT_LINE));
    control_finish(client);
}

/* Clients that wait for the dead worker's part of the status get the rest without it. */
void answers_without_worker(Supervisor *s)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        ControlClient *client = &s->control.clients[i];
        if (client->fd < 0 || !asks_status(client) || client->answered) {
            continue;
        }
        if (client->begun) {
            cut_answer(s, client, S("the worker died\n"));
        } else {
            finish_answer(s, client, S("the worker died\n"), S("null}\n"));
        }
    }
}

void answers_on_message(Supervisor *s, const ChannelMessage *message)
{
    ControlClient *client = control_find(&s->control, message->id);
    if (!client || !asks_status(client)) {
        return;
    }
    client->begun = true;
    client->worker_bytes += message->bytes.len;
    if (client->worker_bytes > WORKER_BYTES_MAX) {
        LOG(ERROR, "the worker's status is longer than it can be: cut");
        cut_answer(s, client, S("the worker's status is too long\n"));
    } else if (message->kind == CHANNEL_STATUS_PART) {
        control_answer(&s->control, client, message->bytes);
    } else if (message->kind == CHANNEL_STATUS_END) {
        finish_answer(s, client, S(""), S("}\n"));
    }
}

static ProcessStatus process_status(Supervisor *s)
{
    uint64_t now = clock_ms();
    const KeptChild *serving = manager_find(&s->manager, KEPT_SERVING);
    return (ProcessStatus){
        .version = S(RIVER_VERSION),
        .state = s->state == STATE_SERVING ? S("serving") : S("draining"),
        .supervisor_pid = (uint64_t)getpid(),
        .worker_pid = serving ? (uint64_t)serving->pid : 0,
        .up_ms = now - s->started_ms,
        .worker_up_ms = serving ? now - serving->started_ms : 0,
        .restarts = s->manager.restarts.count,
        .reloads = s->reload.count,
    };
}

/* Answers with what the supervisor knows; the worker adds its part later. */
static void answer_status(Supervisor *s, ControlClient *client)
{
    bool json = client->ask == CONTROL_STATUS_JSON;
    ProcessStatus status = process_status(s);
    uint8_t room[1024];
    uint8_t cage_room[256];
    Text t = text_in(span_of(room, sizeof room));
    const KeptChild *serving = manager_find(&s->manager, KEPT_SERVING);
    status.cage = serving && serving->ready
                      ? cage_text(span_of(cage_room, sizeof cage_room), serving->cage)
                      : STR_NONE;
    status_print_process(&t, &status, json);
    control_answer(&s->control, client, text_str(&t));
    if (json) {
        answer_certificates(s, client);
        control_answer(&s->control, client, S("\"worker\":"));
    }
    ChannelMessage question = {.kind = CHANNEL_STATUS, .id = client->id, .value = json};
    if (serving && serving->ready && channel_order(&serving->channel, &question) == ERR_OK) {
        return;
    }
    finish_answer(s, client, S("no worker serves now\n"), S("null}\n"));
}

/* A worker with our user id could connect too: no kernel before 7.1 prevents it. */
static bool is_worker(const Supervisor *s, int process)
{
    for (size_t i = 0; i < MANAGER_WORKERS_MAX; i++) {
        const KeptChild *w = &s->manager.workers[i];
        if (w->role != KEPT_NONE && w->pid == process) {
            return true;
        }
    }
    return false;
}

static void obey_client(Supervisor *s, ControlClient *client)
{
    int process = trust_peer_process(client->fd);
    if (is_worker(s, process)) {
        LOG(ERROR, "a worker asks at the control socket: it has gone mad, and gets no answer",
            LOG_U64("pid", (uint64_t)process));
        control_finish(client);
        return;
    }
    switch (client->ask) {
    case CONTROL_STATUS_TEXT:
    case CONTROL_STATUS_JSON:
        answer_status(s, client);
        return;
    case CONTROL_RELOAD:
    case CONTROL_RELOAD_WAIT:
        reload_begin(s, RELOAD_FILE, client, client->ask == CONTROL_RELOAD_WAIT);
        return;
    case CONTROL_ROLLBACK:
    case CONTROL_ROLLBACK_WAIT:
        reload_begin(s, RELOAD_ROLLBACK, client, client->ask == CONTROL_ROLLBACK_WAIT);
        return;
    case CONTROL_UPGRADE:
        upgrade_begin(s, control_argument(client), client);
        return;
    case CONTROL_NOTHING:
        return;
    }
}

void answers_serve(Supervisor *s)
{
    ControlClient *client;
    while ((client = control_serve(&s->control, clock_ms())) != NULL) {
        obey_client(s, client);
    }
}
