/* records.c - a client that sends TLS records without data keeps its thread for a bounded time: one
 * turn reads a part of what has come, and the next turns read the rest. */
#include <stdio.h>

#include "network.h"
#include "standin_tls.h"

#define RECORDS 30000u
#define TURN_BYTES_MAX (256u << 10) /* of ciphertext */

static TlsServer *server;

static void sealed(SimWorld *w)
{
    TlsMistake mistake;
    TlsPair pair = {.chain = S("a"), .key = S("b"), .print = {{1, 2}}};
    TlsServerPlan plan = {.pair_count = 1, .pairs = &pair, .offer_h2 = true, .offer_h1 = true,
                          .key_log_fd = -1};
    CHECK(tls_server_new(&plan, &server, &mistake, NULL) == ERR_OK);
    w->site.listener.tls = server;
}

typedef struct Sender {
    SimWorld world;
    Engine *engine;
    int side;
} Sender;

static Err write_out(void *context, const Str *pieces, size_t count)
{
    Sender *s = (Sender *)context;
    for (size_t i = 0; i < count; i++) {
        sim_write(&s->world.network, s->side, pieces[i]);
    }
    return ERR_OK;
}

static void say(Sender *s)
{
    CHECK(engine_take(s->engine, write_out, s) == ERR_OK);
}

static void shake_hands(Sender *s)
{
    static uint8_t room[65536];
    s->side = sim_connect(&s->world.network);
    for (unsigned i = 0; i < 4; i++) {
        size_t taken = 0;
        say(s);
        world_settle(&s->world);
        size_t n = sim_read(&s->world.network, s->side, span_of(room, sizeof room));
        CHECK(engine_feed(s->engine, NULL, str_of(room, n), &taken) == ENGINE_OK && taken == n);
    }
    CHECK(!engine_is_handshaking(s->engine));
}

/* Bytes that have come to River and were not read. */
static size_t unread(const Sender *s)
{
    int river = s->world.network.sockets[s->side].peer;
    return s->world.network.sockets[river].len;
}

/* Whether no turn reads more than it should, though all is read in the end. */
static bool bounded(bool h2)
{
    static Sender s;
    world_open(&s.world, 1, sealed);
    CHECK(engine_connect(standin_client(h2), &s.engine) == ERR_OK);
    shake_hands(&s);
    standin_barren(s.engine, RECORDS);
    say(&s);
    size_t most = 0;
    unsigned turns = 0;
    Thread *t = s.world.worker->group.threads[0];
    do { /* the first turn hears of the bytes; the next ones are for who has more to do */
        size_t left = unread(&s);
        thread_turn(t, 0);
        most = left - unread(&s) > most ? left - unread(&s) : most;
        turns++;
    } while (t->again_count > 0 && turns < 1000);
    bool good = unread(&s) == 0 && most <= TURN_BYTES_MAX && turns > 1;
    if (!good) {
        printf("  %s: %zu bytes in one turn, %u turns, %zu left\n", h2 ? "h2" : "h1", most, turns,
               unread(&s));
    }
    engine_free(s.engine);
    good = world_close(&s.world) == 0 && good;
    tls_server_unref(server);
    return good;
}

int main(void)
{
    unsigned passed = (unsigned)bounded(false) + (unsigned)bounded(true);
    printf("%u passed, %u failed\n", passed, 2 - passed);
    return passed != 2;
}
