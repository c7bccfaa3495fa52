/* tls_end_test.c - TLS sessions: how they fail, how they end, what they hold. */
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include "test.h"
#include "tls_support.h"

static Str reason_of(const Tls *t)
{
    static uint8_t room[256];
    Text out = text_in(span_of(room, sizeof room));
    tls_reason_print(t, &out);
    return text_str(&out);
}

/* ---- what goes wrong ---- */

TEST("tls: plaintext on a TLS port is recognised by its first byte, which is no record's type")
{
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    TlsServer *server = server_of(&plan);
    for (unsigned first = 0; first < 256; first++) {
        Tls *t = NULL;
        uint8_t byte = (uint8_t)first;
        size_t taken = 0;
        EXPECT(tls_accept(server, NULL, &t) == ERR_OK);
        Err err = tls_feed(t, str_of(&byte, 1), &taken);
        bool record = first >= 20 && first <= 24;
        EXPECT(err == (record ? ERR_OK : ERR_SYNTAX));
        EXPECT(record || tls_reason(t) == TLS_REASON_PLAINTEXT);
        EXPECT(!tls_has_output(t));
        tls_free(t);
    }
    tls_server_unref(server);
}

TEST("tls: an origin that speaks plaintext is recognised too")
{
    Tls *t = NULL;
    size_t taken = 0;
    TlsClientPlan asks = client_plan(S("a.example"));
    TlsClient *client = client_of(&asks);
    EXPECT(tls_connect(client, NULL, &t) == ERR_OK);
    tls_client_unref(client);
    EXPECT(tls_feed(t, S("HTTP/1.1 400 Bad Request\r\n"), &taken) == ERR_SYNTAX);
    EXPECT(tls_reason(t) == TLS_REASON_PLAINTEXT);
    EXPECT_STR(reason_of(t), S("the first bytes are no TLS record"));
    tls_free(t);
}

TEST("tls: peers without a common version or suite are told apart")
{
    static const struct {
        Str versions;
        Str suites;
        TlsReason reason;
    } rows[] = {{S_INIT("1.2"), S_INIT(""), TLS_REASON_VERSION},
                {S_INIT("1.3"), S_INIT("TLS_AES_256_GCM_SHA384"), TLS_REASON_SUITE}};
    /* A client's hello for TLS 1.3 alone, with TLS_AES_128_GCM_SHA256 alone. */
    static const uint8_t hello[] = {
        22, 3, 1, 0, 76, 1, 0, 0, 72, 3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
        17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 0, 0, 2, 0x13, 0x01, 1, 0,
        0, 29, 0, 43, 0, 3, 2, 3, 4, 0, 10, 0, 4, 0, 2, 0, 29, 0, 13, 0, 4, 0, 2, 4, 3,
        0, 51, 0, 2, 0, 0};
    for (size_t i = 0; i < 2; i++) {
        Tls *t = NULL;
        size_t taken = 0;
        TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
        plan.versions = rows[i].versions;
        plan.suites = rows[i].suites;
        TlsServer *server = server_of(&plan);
        EXPECT(tls_accept(server, NULL, &t) == ERR_OK);
        tls_server_unref(server);
        EXPECT(tls_feed(t, str_of(hello, sizeof hello), &taken) == ERR_SYNTAX);
        EXPECT_U64(tls_reason(t), rows[i].reason);
        EXPECT(tls_has_output(t)); /* the alert */
        tls_free(t);
    }
}

TEST("tls: garbage behind a record's first byte fails and says so to the peer")
{
    static const Str rows[] = {S_INIT("\x16\x03\x01\x00\x04" "\xff\xff\xff\xff"),
                               S_INIT("\x16GET / HTTP/1.1\r\n\r\n"),
                               S_INIT("\x16\x03\x01\xff\xff" "aaaa"),
                               S_INIT("\x16\x03\x01\x00\x00")};
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    TlsServer *server = server_of(&plan);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Tls *t = NULL;
        size_t taken = 0;
        EXPECT(tls_accept(server, NULL, &t) == ERR_OK);
        EXPECT(tls_feed(t, rows[i], &taken) == ERR_SYNTAX);
        EXPECT(tls_state(t) == TLS_FAILED && tls_reason(t) == TLS_REASON_PROTOCOL);
        EXPECT(tls_feed(t, rows[i], &taken) == ERR_SYNTAX); /* and stays so */
        EXPECT(tls_write(t, &rows[i], 1) == ERR_CLOSED);
        tls_free(t);
    }
    tls_server_unref(server);
}

TEST("tls: a handshake message without end is refused before it fills the memory")
{
    Tls *t = NULL;
    size_t fed = 0;
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    TlsServer *server = server_of(&plan);
    static uint8_t record[5 + 16384] = {22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff};
    EXPECT(tls_accept(server, NULL, &t) == ERR_OK);
    Err err = ERR_OK;
    for (; err == ERR_OK && fed < (1u << 20); fed += sizeof record) {
        size_t taken = 0;
        err = tls_feed(t, str_of(record, sizeof record), &taken);
        record[5] = record[6] = 0;
        EXPECT(err != ERR_OK || taken == sizeof record);
    }
    EXPECT(err == ERR_SYNTAX && fed <= 8 * sizeof record);
    tls_free(t);
    tls_server_unref(server);
}

TEST("tls: a record that was changed on its way ends the session")
{
    Ends e;
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    TlsClientPlan asks = client_plan(S("a.example"));
    Str words = S("hello");
    size_t taken = 0;
    ends_between(&e, &plan, &asks);
    static const uint8_t record[32] = {23, 3, 3, 0, 27, 1, 2, 3};
    EXPECT(tls_feed(e.server, str_of(record, sizeof record), &taken) == ERR_SYNTAX);
    EXPECT(tls_reason(e.server) == TLS_REASON_PROTOCOL);
    EXPECT_STR(reason_of(e.server), S("cannot decrypt peer's message"));
    ends_run(&e, SIZE_MAX);
    EXPECT(tls_reason(e.client) == TLS_REASON_ALERT);
    EXPECT(tls_write(e.client, &words, 1) == ERR_CLOSED);
    ends_close(&e);
}

/* ---- bytes, and the end of them ---- */

TEST("tls: nothing is written before the handshake is over")
{
    Ends e;
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    TlsClientPlan asks = client_plan(S("a.example"));
    TlsServer *s = server_of(&plan);
    TlsClient *c = client_of(&asks);
    Str words = S("hello");
    ends_open(&e, s, c);
    EXPECT(tls_write(e.client, &words, 1) == ERR_AGAIN);
    EXPECT(tls_write(e.server, &words, 1) == ERR_AGAIN);
    EXPECT(ends_shake(&e, SIZE_MAX));
    EXPECT_U64(e.server_got->len, 0);
    ends_close(&e);
    tls_server_unref(s);
    tls_client_unref(c);
}

TEST("tls: pieces of all sizes arrive as they were, in as few records as they need")
{
    static uint8_t source[262144];
    for (size_t i = 0; i < sizeof source; i++) {
        source[i] = (uint8_t)(i * 7 + i / 251);
    }
    static const size_t sizes[][4] = {{262144, 0, 0, 0},   {1, 2, 3, 0},
                                      {100, 262044, 0, 0}, {16384, 16384, 16384, 1},
                                      {20000, 20000, 5, 9}, {16383, 1, 1, 0},
                                      {0, 0, 0, 0},        {40000, 0, 16384, 7}};
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    TlsClientPlan asks = client_plan(S("a.example"));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        Ends e;
        Str pieces[4];
        size_t total = 0;
        ends_between(&e, &plan, &asks);
        for (size_t k = 0; k < 4; k++) {
            pieces[k] = str_of(source + total, sizes[i][k]);
            total += sizes[i][k];
        }
        EXPECT(tls_write(e.server, pieces, 4) == ERR_OK);
        ends_run(&e, 10007);
        EXPECT_U64(e.client_got->len, total);
        EXPECT(str_equal(str_of(e.client_got->bytes, e.client_got->len), str_of(source, total)));
        ends_close(&e);
    }
}

typedef struct Count {
    size_t pieces;
    size_t bytes;
} Count;

static Err count_pieces(void *context, const Str *pieces, size_t count)
{
    Count *c = context;
    EXPECT(count >= 1 && count <= TLS_SINK_PIECES_MAX);
    for (size_t i = 0; i < count; i++) {
        c->pieces++;
        c->bytes += pieces[i].len;
    }
    return ERR_OK;
}

static Err refuse_pieces(void *context, const Str *pieces, size_t count)
{
    (void)context;
    (void)pieces;
    (void)count;
    return ERR_RESET;
}

TEST("tls: small pieces share a record, and a sink that fails breaks the session")
{
    Ends e;
    Count count = {0};
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    TlsClientPlan asks = client_plan(S("a.example"));
    Str pieces[3] = {S_INIT("head"), S_INIT("body"), S_INIT("end")};
    ends_between(&e, &plan, &asks);
    EXPECT(tls_write(e.server, pieces, 3) == ERR_OK);
    EXPECT(tls_take(e.server, count_pieces, &count) == ERR_OK);
    EXPECT_U64(count.pieces, 1);
    EXPECT_U64(count.bytes, 5 + 11 + 1 + 16); /* header, text, its type, tag */
    EXPECT(tls_write(e.client, pieces, 3) == ERR_OK);
    EXPECT(tls_take(e.client, refuse_pieces, NULL) == ERR_RESET);
    EXPECT(tls_state(e.client) == TLS_FAILED);
    ends_close(&e);
}

TEST("tls: a slow reader holds the peer's bytes back, not in memory")
{
    Ends e;
    static uint8_t source[262144];
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    TlsClientPlan asks = client_plan(S("a.example"));
    Str all = str_of(source, sizeof source);
    ends_between(&e, &plan, &asks);
    Queue *way = e.to_client;
    size_t taken = 0;
    /* Nobody reads: the client stops taking after a record or two. */
    EXPECT(tls_write(e.server, &all, 1) == ERR_OK);
    EXPECT(tls_take(e.server, queue_sink, way) == ERR_OK);
    EXPECT(tls_feed(e.client, str_of(way->bytes, way->len), &taken) == ERR_OK);
    EXPECT(taken < 65536 && taken > 16384);
    size_t again = 0;
    EXPECT(tls_feed(e.client, str_of(way->bytes + taken, way->len - taken), &again) == ERR_OK);
    EXPECT_U64(again, 0);
    ends_close(&e);
}

TEST("tls: close_notify ends one direction, and a connection that just ends is told apart")
{
    Ends e;
    Str words = S("bye");
    size_t n = 0;
    uint8_t room[16];
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    TlsClientPlan asks = client_plan(S("a.example"));
    ends_between(&e, &plan, &asks);
    EXPECT(tls_read(e.server, span_of(room, sizeof room), &n) == ERR_AGAIN);
    EXPECT(tls_write(e.client, &words, 1) == ERR_OK);
    tls_finish(e.client);
    ends_run(&e, 3);
    EXPECT_STR(str_of(e.server_got->bytes, e.server_got->len), words);
    EXPECT(e.server_closed && !e.client_closed);
    EXPECT(tls_read(e.server, span_of(room, sizeof room), &n) == ERR_CLOSED);
    EXPECT(tls_feed(e.server, S("ignored"), &n) == ERR_OK && n == 7);
    EXPECT(tls_write(e.server, &words, 1) == ERR_OK); /* the other direction is open */
    tls_finish(e.server);
    ends_run(&e, SIZE_MAX);
    EXPECT_STR(str_of(e.client_got->bytes, e.client_got->len), words);
    EXPECT(e.client_closed);
    ends_close(&e);
}

/* ---- the budget ---- */

TEST("tls: sessions count in the budget, less when they are open, and nothing stays")
{
    Budget budget = {.max_bytes = 100000};
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    TlsServer *server = server_of(&plan);
    Tls *all[64];
    size_t count = 0;
    while (count < 64 && tls_accept(server, &budget, &all[count]) == ERR_OK) {
        count++;
    }
    EXPECT(count >= 2 && count < 64);
    for (size_t i = 0; i < count; i++) {
        tls_free(all[i]);
    }
    EXPECT_U64(budget.used_bytes, 0);
    TlsClientPlan asks = client_plan(S("a.example"));
    TlsClient *client = client_of(&asks);
    Ends e;
    ends_open(&e, server, client);
    tls_free(e.server);
    EXPECT(tls_accept(server, &budget, &e.server) == ERR_OK);
    size_t before = budget.used_bytes;
    EXPECT(ends_shake(&e, SIZE_MAX));
    EXPECT(budget.used_bytes < before && budget.used_bytes > 0);
    ends_close(&e);
    EXPECT_U64(budget.used_bytes, 0);
    tls_client_unref(client);
    tls_server_unref(server);
}

/* ---- key logs ---- */

TEST("tls: secrets are logged where it was asked for, one line each")
{
    Ends e;
    int ends[2];
    EXPECT(pipe2(ends, O_NONBLOCK) == 0);
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    TlsClientPlan asks = client_plan(S("a.example"));
    plan.key_log_fd = ends[1];
    ends_between(&e, &plan, &asks);
    ends_close(&e);
    uint8_t room[4096];
    ssize_t n = read(ends[0], room, sizeof room);
    Str text = str_of(room, n > 0 ? (size_t)n : 0);
    size_t lines = 0;
    for (StrCut cut = str_cut(text, '\n'); cut.found; cut = str_cut(cut.tail, '\n')) {
        StrCut label = str_cut(cut.head, ' ');
        StrCut random = str_cut(label.tail, ' ');
        EXPECT(random.head.len == 64 && random.tail.len >= 64);
        lines++;
    }
    EXPECT_U64(lines, 5);
    EXPECT(str_starts(text, S("CLIENT_HANDSHAKE_TRAFFIC_SECRET ")));
    close(ends[0]);
    close(ends[1]);
}

/* ---- memory ---- */

typedef struct Held {
    size_t heap;    /* what the allocator gave for it */
    size_t counted; /* what the budget says */
} Held;

enum { HELD_COUNT = 64 };

static Held held_since(size_t heap, const Budget *budget)
{
    return (Held){.heap = (mallinfo2().uordblks - heap) / HELD_COUNT,
                  .counted = budget->used_bytes / HELD_COUNT};
}

/* Sessions of a server that got `bytes` bytes of an endless message, or (0) shook hands. */
static Held hold(Str version, size_t bytes)
{
    static Ends all[HELD_COUNT];
    static uint8_t record[16384] = {22, 3, 1, 0x3f, 0xfb, 1, 0, 0xff, 0xff};
    Budget budget = {0};
    TlsServerPlan plan = server_plan("a", NULL, NULL, NULL);
    TlsClientPlan asks = client_plan(S("a.example"));
    plan.versions = version;
    TlsServer *server = server_of(&plan);
    TlsClient *client = client_of(&asks);
    for (size_t i = 0; i < HELD_COUNT; i++) {
        ends_open(&all[i], server, client);
        tls_free(all[i].server);
    }
    size_t heap = mallinfo2().uordblks;
    for (size_t i = 0; i < HELD_COUNT; i++) {
        size_t taken = 0;
        EXPECT(tls_accept(server, &budget, &all[i].server) == ERR_OK);
        if (bytes > 0) {
            EXPECT(tls_feed(all[i].server, str_of(record, bytes), &taken) == ERR_OK);
        }
    }
    for (size_t i = 0; bytes == 0 && i < HELD_COUNT; i++) {
        EXPECT(ends_shake(&all[i], SIZE_MAX));
    }
    /* The clients have grown too: only the servers' end tells what they hold. */
    size_t with = mallinfo2().uordblks;
    Held held = held_since(heap, &budget);
    for (size_t i = 0; i < HELD_COUNT; i++) {
        tls_free(all[i].server);
        all[i].server = NULL;
    }
    held.heap = (with - mallinfo2().uordblks) / HELD_COUNT;
    for (size_t i = 0; i < HELD_COUNT; i++) {
        ends_close(&all[i]);
    }
    tls_server_unref(server);
    tls_client_unref(client);
    EXPECT_U64(budget.used_bytes, 0);
    return held;
}

TEST("tls: what rustls holds for a session is within what the budget counts")
{
    const struct {
        Str version;
        size_t bytes;
    } rows[] = {{S("1.3"), 0}, {S("1.2"), 0}, {S("1.3"), 5}, {S("1.3"), 9000}, {S("1.3"), 16383}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Held held = hold(rows[i].version, rows[i].bytes);
        EXPECT(HAVE_ASAN || held.heap <= held.counted);
        /* Nor does it count much too much. */
        EXPECT(HAVE_ASAN || rows[i].bytes % 16384 < 16383 || held.heap * 4 > held.counted * 3);
    }
}
