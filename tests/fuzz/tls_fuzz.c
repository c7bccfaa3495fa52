/* tls_fuzz.c - a TLS server's session under hostile bytes: whatever a peer sends, in whatever
 * pieces, the state only moves forward, the answer stays small, and nothing is read as plaintext.
 *
 * The first two bytes of an input choose the size of the pieces and what is done: the rest goes to
 * a fresh server as it is, or a true client's handshake is changed on its way by it. */
#include "net/tls.h"

#include <string.h>

#include "fuzz.h"

#define ANSWER_BYTES_MAX 16384u /* certificates, tickets and alerts of our test chain */
#define FILE_BYTES_MAX 16384u

typedef struct Wire {
    size_t len;
    uint8_t bytes[4 * ANSWER_BYTES_MAX];
} Wire;

static Str file_read(const char *name)
{
    static uint8_t rooms[3][FILE_BYTES_MAX];
    static size_t used;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", TLS_FIXTURES, name);
    FILE *file = fopen(path, "rb");
    MUST(file != NULL && used < 3);
    size_t len = fread(rooms[used], 1, FILE_BYTES_MAX, file);
    fclose(file);
    return str_of(rooms[used++], len);
}

static TlsServer *server;
static TlsClient *client;

static void open_once(void)
{
    TlsMistake mistake;
    if (server) {
        return;
    }
    TlsPair pair = {.chain = file_read("a.pem"), .key = file_read("a.key")};
    TlsServerPlan plan = {.pair_count = 1,
                          .pairs = &pair,
                          .offer_h2 = true,
                          .offer_h1 = true,
                          .session_lifetime_s = 86400,
                          .key_log_fd = -1};
    plan.clients = TLS_CLIENTS_OPTIONAL;
    plan.client_roots = file_read("ca.pem");
    TlsClientPlan asks = {.name = S("a.example"),
                          .roots = plan.client_roots,
                          .verify = true,
                          .offer_h2 = true,
                          .key_log_fd = -1};
    MUST(tls_server_new(&plan, &server, &mistake, NULL) == ERR_OK);
    MUST(tls_client_new(&asks, &client, &mistake, NULL) == ERR_OK);
}

static Err to_wire(void *context, const Str *pieces, size_t count)
{
    Wire *wire = (Wire *)context;
    for (size_t i = 0; i < count; i++) {
        MUST(pieces[i].len <= sizeof wire->bytes - wire->len);
        memcpy(wire->bytes + wire->len, pieces[i].at, pieces[i].len);
        wire->len += pieces[i].len;
    }
    return ERR_OK;
}

/* Feeds all of it, and watches. Returns whether the session still goes on. */
static bool feed(Tls *t, Str raw, size_t piece)
{
    uint8_t room[4096];
    while (raw.len > 0) {
        TlsState before = tls_state(t);
        Str part = str_take(raw, piece);
        Span copy = fuzz_copy(part);
        size_t taken = 0;
        size_t n = 0;
        Err err = tls_feed(t, span_str(copy), &taken);
        free(copy.at);
        MUST(tls_state(t) >= before);
        MUST((err == ERR_OK) == (tls_state(t) != TLS_FAILED));
        MUST((tls_reason(t) != TLS_REASON_NONE) == (tls_state(t) == TLS_FAILED));
        if (err != ERR_OK) {
            MUST(tls_feed(t, part, &taken) == ERR_SYNTAX);
            return false;
        }
        bool read = false;
        while (tls_state(t) == TLS_OPEN && tls_read(t, span_of(room, sizeof room), &n) == ERR_OK) {
            MUST(n > 0 && n <= sizeof room);
            read = true;
        }
        MUST(taken <= part.len && (taken > 0 || read));
        raw = str_drop(raw, taken);
    }
    return true;
}

static void watch_answer(Tls *t)
{
    static Wire answer;
    answer.len = 0;
    MUST(tls_take(t, to_wire, &answer) == ERR_OK);
    MUST(answer.len <= ANSWER_BYTES_MAX && !tls_has_output(t));
    MUST(tls_reason(t) != TLS_REASON_PLAINTEXT || answer.len == 0);
}

static void alone(Str raw, size_t piece)
{
    Tls *t = NULL;
    MUST(tls_accept(server, NULL, &t) == ERR_OK);
    (void)feed(t, raw, piece);
    MUST(tls_state(t) != TLS_OPEN); /* nobody can guess what only a handshake tells */
    watch_answer(t);
    tls_free(t);
}

/* Each byte pair of the input changes one byte of what the client sends. */
static void changed(Str changes, size_t piece)
{
    static Wire wire;
    Tls *ends[2] = {NULL, NULL};
    MUST(tls_accept(server, NULL, &ends[0]) == ERR_OK);
    MUST(tls_connect(client, NULL, &ends[1]) == ERR_OK);
    for (unsigned turn = 0; turn < 8; turn++) {
        unsigned to = turn % 2;
        wire.len = 0;
        MUST(tls_take(ends[1 - to], to_wire, &wire) == ERR_OK);
        for (size_t i = 0; to == 0 && wire.len > 0 && i < 2 && changes.len >= 3; i++) {
            size_t at = (size_t)str_at(changes, 0) << 8 | str_at(changes, 1);
            wire.bytes[at % wire.len] ^= str_at(changes, 2);
            changes = str_drop(changes, 3);
        }
        if (!feed(ends[to], str_of(wire.bytes, wire.len), piece)) {
            break;
        }
    }
    if (tls_state(ends[0]) != TLS_FAILED) {
        (void)feed(ends[0], changes, piece);
    }
    watch_answer(ends[0]);
    tls_free(ends[0]);
    tls_free(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str input = str_of(data, size);
    open_once();
    if (size < 2) {
        return 0;
    }
    size_t piece = (size_t)str_at(input, 0) + 1;
    if (str_at(input, 1) % 2 == 0) {
        alone(str_drop(input, 2), piece);
    } else {
        changed(str_drop(input, 2), piece);
    }
    return 0;
}
