/* tls_support.c - the queues between two sessions, and how bytes move through them. */
#include "tls_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

#define FIXTURES_MAX 128
#define FIXTURE_BYTES_MAX 16384

Str fixture(const char *name)
{
    static struct {
        char name[64];
        size_t len;
        uint8_t bytes[FIXTURE_BYTES_MAX];
    } files[FIXTURES_MAX];
    static size_t count;
    for (size_t i = 0; i < count; i++) {
        if (str_equal(str_from_c(files[i].name), str_from_c(name))) {
            return str_of(files[i].bytes, files[i].len);
        }
    }
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", TLS_FIXTURES, name);
    FILE *file = fopen(path, "rb");
    EXPECT(file != NULL && count < FIXTURES_MAX);
    if (!file || count == FIXTURES_MAX) {
        return STR_NONE;
    }
    snprintf(files[count].name, sizeof files[count].name, "%s", name);
    files[count].len = fread(files[count].bytes, 1, FIXTURE_BYTES_MAX, file);
    fclose(file);
    count++;
    return str_of(files[count - 1].bytes, files[count - 1].len);
}

bool fixture_exists(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", TLS_FIXTURES, name);
    return access(path, R_OK) == 0;
}

TlsPair fixture_pair(const char *name)
{
    char chain[64];
    char key[64];
    snprintf(chain, sizeof chain, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    return (TlsPair){.chain = fixture(chain), .key = fixture(key)};
}

TlsServerPlan server_plan(const char *one, const char *two, const char *three, const char *four)
{
    static TlsPair pairs[4];
    const char *names[] = {one, two, three, four};
    size_t count = 0;
    for (; count < 4 && names[count]; count++) {
        pairs[count] = fixture_pair(names[count]);
    }
    return (TlsServerPlan){.pair_count = count,
                           .pairs = pairs,
                           .offer_h2 = true,
                           .offer_h1 = true,
                           .session_lifetime_s = 86400,
                           .key_log_fd = -1};
}

TlsClientPlan client_plan(Str name)
{
    return (TlsClientPlan){.name = name,
                           .roots = fixture("ca.pem"),
                           .verify = true,
                           .offer_h2 = true,
                           .offer_h1 = true,
                           .key_log_fd = -1};
}

static void say(const char *what, TlsMistake mistake, const Text *why)
{
    printf("  %s: part %u of %zu: %.*s\n", what, (unsigned)mistake.part, mistake.index,
           STR_ARG(text_str(why)));
}

TlsServer *server_of(const TlsServerPlan *plan)
{
    uint8_t room[256];
    Text why = text_in(span_of(room, sizeof room));
    TlsMistake mistake = {0};
    TlsServer *server = NULL;
    Err err = tls_server_new(plan, &server, &mistake, &why);
    EXPECT(err == ERR_OK);
    if (err != ERR_OK) {
        say("server", mistake, &why);
    }
    return server;
}

TlsClient *client_of(const TlsClientPlan *plan)
{
    uint8_t room[256];
    Text why = text_in(span_of(room, sizeof room));
    TlsMistake mistake = {0};
    TlsClient *client = NULL;
    Err err = tls_client_new(plan, &client, &mistake, &why);
    EXPECT(err == ERR_OK);
    if (err != ERR_OK) {
        say("client", mistake, &why);
    }
    return client;
}

void ends_open(Ends *e, TlsServer *s, TlsClient *c)
{
    *e = (Ends){0};
    EXPECT(tls_accept(s, NULL, &e->server) == ERR_OK);
    EXPECT(tls_connect(c, NULL, &e->client) == ERR_OK);
    Queue **all[] = {&e->to_server, &e->to_client, &e->server_got, &e->client_got};
    for (size_t i = 0; i < 4; i++) {
        *all[i] = calloc(1, sizeof(Queue));
    }
}

void ends_close(Ends *e)
{
    tls_free(e->server);
    tls_free(e->client);
    free(e->to_server);
    free(e->to_client);
    free(e->server_got);
    free(e->client_got);
}

Err queue_sink(void *context, const Str *pieces, size_t count)
{
    Queue *q = context;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].len > QUEUE_BYTES_MAX - q->len) {
            return ERR_FULL;
        }
        q->len += span_copy(span_of(q->bytes + q->len, QUEUE_BYTES_MAX - q->len), pieces[i]);
    }
    return ERR_OK;
}

static bool read_all(Tls *t, Queue *got, bool *ret_closed)
{
    bool some = false;
    Err err = ERR_OK;
    while (got->len < QUEUE_BYTES_MAX && err == ERR_OK) {
        size_t n = 0;
        err = tls_read(t, span_of(got->bytes + got->len, QUEUE_BYTES_MAX - got->len), &n);
        if (err == ERR_OK) {
            got->len += n;
            some = true;
        }
    }
    *ret_closed = *ret_closed || err == ERR_CLOSED;
    return some;
}

/* One direction; whether something moved. */
static bool move(Tls *from, Tls *to, Queue *way, Queue *got, size_t split, bool *ret_closed)
{
    bool moved = tls_has_output(from);
    EXPECT(tls_take(from, queue_sink, way) == ERR_OK);
    EXPECT(!tls_has_output(from));
    size_t at = 0;
    while (at < way->len && tls_state(to) != TLS_FAILED) {
        size_t taken = 0;
        Str part = str_take(str_of(way->bytes + at, way->len - at), split);
        Err err = tls_feed(to, part, &taken);
        if (err != ERR_OK) {
            EXPECT(err == ERR_SYNTAX && tls_state(to) == TLS_FAILED);
            break;
        }
        bool read = tls_state(to) == TLS_OPEN && read_all(to, got, ret_closed);
        EXPECT(taken > 0 || read);
        at += taken;
    }
    way->len = 0;
    return moved;
}

void ends_run(Ends *e, size_t split)
{
    bool moved = true;
    while (moved) {
        moved = move(e->client, e->server, e->to_server, e->server_got, split, &e->server_closed);
        moved = move(e->server, e->client, e->to_client, e->client_got, split,
                     &e->client_closed) || moved;
    }
}

bool ends_shake(Ends *e, size_t split)
{
    ends_run(e, split);
    return tls_state(e->server) == TLS_OPEN && tls_state(e->client) == TLS_OPEN;
}

void ends_between(Ends *e, const TlsServerPlan *server, const TlsClientPlan *client)
{
    TlsServer *s = server_of(server);
    TlsClient *c = client_of(client);
    ends_open(e, s, c);
    tls_server_unref(s);
    tls_client_unref(c);
    ends_run(e, SIZE_MAX);
}
