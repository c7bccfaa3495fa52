/* control.h - the control socket: where `river status` and `river reload` ask a running River.
 *
 * A client sends one line ("status text", "reload wait"), gets an answer, and that is all. The last
 * line of an answer about a reload is "exit 0" or "exit 1", for the client's exit status; that of a
 * status which breaks off is "exit 2".
 * The socket's mode is 0600: only the user who runs River (and root) may ask. The supervisor serves
 * it within its loop, without ever waiting for a client. */
#ifndef APP_CONTROL_H
#define APP_CONTROL_H

#include <poll.h>

#include "app/listen.h"
#include "base/buf.h"

#define CONTROL_CLIENTS_MAX 32u
#define CONTROL_IDLE_MS 100u /* one that has asked nothing so long gives its place to another one */
#define CONTROL_LINE_BYTES_MAX 4200u /* a path may stand in it */
#define CONTROL_CLIENT_MS 5000u    /* a client that is slower is dropped */
#define CONTROL_PATIENT_MS 120000u /* ... one that waits for the end of a reload */

typedef enum ControlAsk {
    CONTROL_NOTHING,
    CONTROL_STATUS_TEXT,
    CONTROL_STATUS_JSON,
    CONTROL_RELOAD,
    CONTROL_RELOAD_WAIT,
    CONTROL_ROLLBACK,
    CONTROL_ROLLBACK_WAIT,
    CONTROL_UPGRADE /* what follows the word in `line` is the new binary's path */
} ControlAsk;

typedef struct ControlClient {
    int fd; /* -1: free */
    uint32_t id;
    uint64_t until_ms; /* then it is dropped */
    uint64_t since_ms;
    size_t worker_bytes; /* that the worker has added to the answer */
    ControlAsk ask; /* what it waits for */
    bool answered;  /* everything stands in `out` */
    bool begun;     /* the worker has begun to answer */
    size_t line_len;
    uint8_t line[CONTROL_LINE_BYTES_MAX];
    Buf out;
} ControlClient;

typedef struct Control {
    ListenSocket socket; /* fd -1: no control socket */
    Blocks blocks;
    uint32_t last_id;
    ControlClient clients[CONTROL_CLIENTS_MAX];
} Control;

/* Where the socket is when nothing is configured: /run/river for root, the user's run-time
 * directory, or a directory in /tmp that belongs to the user alone. Makes the directory when `make`
 * is set. ERR_DENIED: the directory is not ours. */
MUST_USE Err control_default_path(bool make, Text *ret);

/* Listens at `path`, which must live as long. ERR_EXISTS: another River answers there. */
MUST_USE Err control_open(Control *c, Str path, Text *why);
void control_close(Control *c);
/* Takes no more clients, and frees the path; those that are there get their answers. */
void control_stop_listening(Control *c);
/* What a client has asked for behind the first word. */
Str control_argument(const ControlClient *client);
/* A control that listens nowhere. */
void control_none(Control *c);

/* Adds what must be polled to `fds` and returns how many entries that were. */
size_t control_poll(const Control *c, struct pollfd *fds, size_t room);
/* How long may be waited for them; -1: for ever. */
int control_wait_ms(const Control *c, uint64_t now_ms);
/* Accepts, reads and writes as poll found. Returns a client that has just asked for something, or
 * NULL; call again until NULL. */
ControlClient *control_serve(Control *c, uint64_t now_ms);

/* The client that waits for the answer `id`, or NULL when it has gone. */
ControlClient *control_find(Control *c, uint32_t id);
/* Adds to its answer; then, at the end, control_finish lets it go once all is sent. */
void control_answer(Control *c, ControlClient *client, Str bytes);
void control_finish(ControlClient *client);
/* Its answer will take a while. */
void control_be_patient(ControlClient *client);

#define CONTROL_CUT 2 /* as *ret_status: the answer has broken off */
#define CONTROL_CUT_LINE "exit 2\n"

/* The client's side: asks the River at `path` and passes what it answers to standard output, but
 * for a last line "exit N", which is *ret_status (0 without one). `whole`: an answer of JSON, of
 * which nothing is passed on if it breaks off. ERR_REFUSED: no River answers there. */
MUST_USE Err control_ask(Str path, Str request, bool whole, int *ret_status);
/* The same, but the answer goes to `room` as it is; what does not fit is left out. */
MUST_USE Err control_read(Str path, Str request, Span room, Str *ret);

#endif
