/* control.h - the control socket, where `river status` and `river reload` ask a running River.
 *
 * A client sends one line ("status text", "reload wait"), gets one answer, and is done. The last
 * line of an answer about a reload is "exit 0" or "exit 1", for the client's exit status; a
 * truncated status ends with "exit 2". The socket's mode is 0600: only the user who runs River (and
 * root) may connect. The supervisor serves it in its loop and never waits for a client. */
#ifndef APP_CONTROL_H
#define APP_CONTROL_H

#include <poll.h>

#include "app/listen.h"
#include "base/buf.h"

#define CONTROL_CLIENTS_MAX 32u
#define CONTROL_IDLE_MS 100u /* a client without a request for so long may lose its slot */
#define CONTROL_LINE_BYTES_MAX 4200u /* room for a path */
#define CONTROL_CLIENT_MS 5000u    /* a slower client is dropped */
#define CONTROL_PATIENT_MS 120000u /* the same for one that waits for the end of a reload */

typedef enum ControlAsk {
    CONTROL_NOTHING,
    CONTROL_STATUS_TEXT,
    CONTROL_STATUS_JSON,
    CONTROL_RELOAD,
    CONTROL_RELOAD_WAIT,
    CONTROL_ROLLBACK,
    CONTROL_ROLLBACK_WAIT,
    CONTROL_UPGRADE /* the rest of `line` is the new binary's path */
} ControlAsk;

typedef struct ControlClient {
    int fd; /* -1: free */
    uint32_t id;
    uint64_t until_ms; /* dropped at this time */
    uint64_t since_ms;
    size_t worker_bytes; /* bytes that the worker has added to the answer */
    ControlAsk ask; /* the request it waits on */
    bool answered;  /* `out` is complete */
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

/* The default path of the socket: in /run/river for root, the user's runtime directory, or a
 * directory in /tmp owned by the user. Creates the directory if `make` is set. ERR_DENIED: the
 * directory is not ours. */
MUST_USE Err control_default_path(bool make, Text *ret);

/* Listens at `path`, which must outlive `c`. ERR_EXISTS: another River answers there. */
MUST_USE Err control_open(Control *c, Str path, Text *why);
void control_close(Control *c);
/* Accepts no more clients and frees the path; present clients still get their answers. */
void control_stop_listening(Control *c);
/* The rest of the client's line after the first word. */
Str control_argument(const ControlClient *client);
/* A control without a socket. */
void control_none(Control *c);

/* Adds the descriptors to poll to `fds` and returns how many. */
size_t control_poll(const Control *c, struct pollfd *fds, size_t room);
/* Time until the next deadline; -1: none. */
int control_wait_ms(const Control *c, uint64_t now_ms);
/* Accepts, reads and writes as poll reported. Returns a client that has just sent its request, or
 * NULL; call again until NULL. */
ControlClient *control_serve(Control *c, uint64_t now_ms);

/* The client that waits for answer `id`, or NULL if it has gone. */
ControlClient *control_find(Control *c, uint32_t id);
/* Appends to its answer. control_finish marks it complete; once all is sent the client is
 * closed. */
void control_answer(Control *c, ControlClient *client, Str bytes);
void control_finish(ControlClient *client);
/* Extends the client's deadline: its answer takes a while. */
void control_be_patient(ControlClient *client);

#define CONTROL_CUT 2 /* *ret_status of a truncated answer */
#define CONTROL_CUT_LINE "exit 2\n"

/* Client side: sends the request to the River at `path` and copies its answer to standard output,
 * except for a last line "exit N", which becomes *ret_status (0 without one). `whole`: a JSON
 * answer, of which nothing is printed if it is truncated. ERR_REFUSED: no River answers there. */
MUST_USE Err control_ask(Str path, Str request, bool whole, int *ret_status);
/* The same, but the answer goes to `room` unchanged; the rest is cut off. */
MUST_USE Err control_read(Str path, Str request, Span room, Str *ret);

#endif
