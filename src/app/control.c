/* control.c - the supervisor's side of the control socket. */
#include "app/control.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/trust.h"

#define CONTROL_MODE 0600
#define CONTROL_BLOCK_BYTES 16384u
#define CONTROL_TICK_MS 500 /* between two checks for slow clients */

void control_none(Control *c)
{
    *c = (Control){.socket = {.fd = -1}};
    blocks_init(&c->blocks, NULL, CONTROL_BLOCK_BYTES, 0);
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        c->clients[i].fd = -1;
    }
}

Err control_open(Control *c, Str path, Text *why)
{
    control_none(c);
    TRY(listen_unix(path, CONTROL_MODE, &c->socket, why));
    trust_no_descriptors(c->socket.fd); /* inherited by accepted sockets */
    return ERR_OK;
}

static void client_drop(Control *c, ControlClient *client)
{
    buf_clear(&client->out, &c->blocks);
    (void)close(client->fd);
    *client = (ControlClient){.fd = -1};
}

void control_stop_listening(Control *c)
{
    if (c->socket.fd >= 0) {
        ListenSet set = {.room = 1, .at = &c->socket, .count = 1}; /* system call */
        listen_close(&set, NULL, true);
    }
}

Str control_argument(const ControlClient *client)
{
    Str line = str_cut(str_of(client->line, client->line_len), '\n').head;
    return str_cut(line, ' ').tail;
}

void control_close(Control *c)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (c->clients[i].fd >= 0) {
            client_drop(c, &c->clients[i]);
        }
    }
    control_stop_listening(c);
    blocks_drop(&c->blocks);
}

static ControlClient *find_free(Control *c)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (c->clients[i].fd < 0) {
            return &c->clients[i];
        }
    }
    return NULL;
}

/* The oldest client without a request; NULL: all have one. */
static const ControlClient *find_idlest(const Control *c)
{
    const ControlClient *idlest = NULL;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        const ControlClient *client = &c->clients[i];
        bool idle = client->fd >= 0 && client->ask == CONTROL_NOTHING;
        if (idle && (!idlest || client->since_ms < idlest->since_ms)) {
            idlest = client;
        }
    }
    return idlest;
}

static bool is_full(const Control *c)
{
    bool full = true;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        full = full && c->clients[i].fd >= 0;
    }
    return full;
}

/* While all slots are taken, new connections are not polled for: the tick frees one. */
size_t control_poll(const Control *c, struct pollfd *fds, size_t room)
{
    size_t count = 0;
    if (c->socket.fd >= 0 && count < room && !is_full(c)) {
        fds[count++] = (struct pollfd){.fd = c->socket.fd, .events = POLLIN};
    }
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX && count < room; i++) {
        const ControlClient *client = &c->clients[i];
        if (client->fd >= 0) {
            short events = client->ask == CONTROL_NOTHING ? POLLIN : 0;
            events = client->out.len > 0 ? POLLOUT : events;
            fds[count++] = (struct pollfd){.fd = client->fd, .events = events};
        }
    }
    return count;
}

int control_wait_ms(const Control *c, uint64_t now_ms)
{
    bool any = false;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        any = any || c->clients[i].fd >= 0;
    }
    const ControlClient *idlest = is_full(c) ? find_idlest(c) : NULL;
    if (!idlest) {
        return any ? CONTROL_TICK_MS : -1;
    }
    uint64_t due_ms = idlest->since_ms + CONTROL_IDLE_MS;
    return due_ms > now_ms ? (int)(due_ms - now_ms) : 0;
}

/* A slot for a new client; NULL: none yet. */
static ControlClient *make_place(Control *c, uint64_t now_ms)
{
    ControlClient *place = find_free(c);
    const ControlClient *idlest = place ? NULL : find_idlest(c);
    if (!idlest || now_ms < idlest->since_ms + CONTROL_IDLE_MS) {
        return place;
    }
    place = &c->clients[idlest - c->clients];
    client_drop(c, place);
    return place;
}

static void accept_clients(Control *c, uint64_t now_ms)
{
    for (size_t i = 0; c->socket.fd >= 0 && i < CONTROL_CLIENTS_MAX; i++) {
        ControlClient *client = make_place(c, now_ms);
        int fd = client ? accept4(c->socket.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;
        if (fd < 0) {
            return;
        }
        *client = (ControlClient){.fd = fd,
                                  .id = ++c->last_id,
                                  .since_ms = now_ms,
                                  .until_ms = now_ms + CONTROL_CLIENT_MS};
    }
}

static ControlAsk ask_from(Str line)
{
    static const struct {
        Str line;
        ControlAsk ask;
    } asks[] = {{S_INIT("status text"), CONTROL_STATUS_TEXT},
                {S_INIT("status json"), CONTROL_STATUS_JSON},
                {S_INIT("reload"), CONTROL_RELOAD},
                {S_INIT("reload wait"), CONTROL_RELOAD_WAIT},
                {S_INIT("rollback"), CONTROL_ROLLBACK},
                {S_INIT("rollback wait"), CONTROL_ROLLBACK_WAIT}};
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        if (str_equal(line, asks[i].line)) {
            return asks[i].ask;
        }
    }
    return str_starts(line, S("upgrade /")) ? CONTROL_UPGRADE : CONTROL_NOTHING;
}

/* Reads the client's line. True when it has just become complete. */
static bool client_read(ControlClient *client, bool *ret_gone)
{
    Span room = span_drop(span_of(client->line, sizeof client->line), client->line_len);
    ssize_t n = recv(client->fd, room.at, room.len, 0); /* system call */
    if (n <= 0) {
        *ret_gone = n == 0 || errno != EAGAIN;
        return false;
    }
    client->line_len += (size_t)n;
    StrCut cut = str_cut(str_of(client->line, client->line_len), '\n');
    if (!cut.found) {
        *ret_gone = client->line_len == sizeof client->line;
        return false;
    }
    client->ask = ask_from(cut.head);
    *ret_gone = client->ask == CONTROL_NOTHING;
    return client->ask != CONTROL_NOTHING;
}

/* Sends `out`; true when the client is done or gone. */
static bool client_write(Control *c, ControlClient *client)
{
    Str piece;
    while (buf_pieces(&client->out, &piece, 1) == 1) {
        ssize_t n = send(client->fd, piece.at, piece.len, MSG_NOSIGNAL); /* system call */
        if (n < 0) {
            return errno != EAGAIN;
        }
        buf_skip(&client->out, &c->blocks, (size_t)n);
    }
    return client->answered;
}

ControlClient *control_serve(Control *c, uint64_t now_ms)
{
    accept_clients(c, now_ms);
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        ControlClient *client = &c->clients[i];
        if (client->fd < 0) {
            continue;
        }
        bool gone = now_ms >= client->until_ms;
        if (!gone && client->ask == CONTROL_NOTHING && client_read(client, &gone)) {
            return client;
        }
        if (gone || client_write(c, client)) {
            client_drop(c, client);
        }
    }
    return NULL;
}

ControlClient *control_find(Control *c, uint32_t id)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (c->clients[i].fd >= 0 && c->clients[i].id == id && !c->clients[i].answered) {
            return &c->clients[i];
        }
    }
    return NULL;
}

void control_answer(Control *c, ControlClient *client, Str bytes)
{
    if (buf_add(&client->out, &c->blocks, bytes) != ERR_OK) {
        client->answered = true; /* what is there is sent, truncated */
    }
}

void control_finish(ControlClient *client)
{
    client->answered = true;
}

void control_be_patient(ControlClient *client)
{
    client->until_ms += CONTROL_PATIENT_MS;
}
