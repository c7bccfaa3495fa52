/* calls.c - system calls and allocations that fail, each in turn, under random runs: many clients,
 * an origin that answers by the path, and peers that break off. `calls SEED` runs one again.
 *
 * A request's path says what its answer must be ("/7/5000": body 7 of 5,000 bytes), so every answer
 * that looks complete can be judged. Afterwards nothing may be left over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "network.h"
#include "transport/body.h"

#define CLIENTS 6
#define ORIGINS_MAX 64
#define TEXT_MAX (1u << 18)
#define STEPS 400
#define ROUNDS_MAX 200

typedef struct Side {
    int side; /* -1: none */
    size_t in_len;
    uint8_t in[TEXT_MAX];
    size_t out_len;
    size_t out_at;
    uint8_t out[TEXT_MAX];
} Side;

typedef struct Run {
    SimWorld world;
    Random random;
    bool hostile; /* peers may break off */
    bool closing; /* no more is asked: what was asked must be answered */
    uint64_t next_id;
    uint64_t answers;
    uint64_t expected[CLIENTS][16]; /* ids asked for, in order */
    uint64_t sizes[CLIENTS][16];
    size_t asked[CLIENTS];
    Side clients[CLIENTS];
    Side origins[ORIGINS_MAX];
    const char *failure;
} Run;

static uint64_t pick(Run *r, uint64_t n)
{
    return random_next(&r->random) % n;
}

static uint8_t body_byte(uint64_t id, uint64_t at)
{
    return (uint8_t)('a' + (id * 7 + at) % 26);
}

static void out_text(Side *s, const char *text)
{
    size_t n = strlen(text);
    memcpy(s->out + s->out_len, text, n);
    s->out_len += n;
}

static void out_body(Side *s, uint64_t id, uint64_t from, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        s->out[s->out_len++] = body_byte(id, from + i);
    }
}

/* --- clients --------------------------------------------------------------------------------- */

static void client_ask(Run *r, int k)
{
    Side *c = &r->clients[k];
    char head[200];
    uint64_t id = r->next_id++;
    uint64_t size = pick(r, 4) == 0 ? pick(r, 60000) : pick(r, 300);
    r->expected[k][r->asked[k]] = id;
    r->sizes[k][r->asked[k]] = size;
    r->asked[k]++;
    uint64_t sends = pick(r, 3) == 0 ? pick(r, 20000) : 0;
    bool chunked = pick(r, 2);
    snprintf(head, sizeof head, "%s /%llu/%llu HTTP/1.1\r\nHost: x\r\n", sends ? "PUT" : "GET",
             (unsigned long long)id, (unsigned long long)size);
    out_text(c, head);
    if (!sends) {
        out_text(c, "\r\n");
    } else if (chunked) {
        snprintf(head, sizeof head, "Transfer-Encoding: chunked\r\n\r\n%llx\r\n",
                 (unsigned long long)sends);
        out_text(c, head);
        out_body(c, id, 0, sends);
        out_text(c, "\r\n0\r\n\r\n");
    } else {
        snprintf(head, sizeof head, "Content-Length: %llu\r\n\r\n", (unsigned long long)sends);
        out_text(c, head);
        out_body(c, id, 0, sends);
    }
}

static void client_open(Run *r, int k)
{
    Side *c = &r->clients[k];
    *c = (Side){.side = sim_connect(&r->world.network)};
    r->asked[k] = 0;
    r->world.network.sockets[c->side].capacity = 1 + pick(r, 100000);
    size_t pipelined = 1 + pick(r, 4);
    for (size_t i = 0; i < pipelined; i++) {
        client_ask(r, k);
    }
}

/* Judges and takes off the front of `in` one complete answer; false when there is none yet. */
static bool client_judge(Run *r, int k)
{
    Side *c = &r->clients[k];
    static Field room[64];
    Fields fields = {.room = 64, .at = room};
    const HeadLimits limits = {.head_bytes_max = 65536, .fields_max = 60};
    ResponseHead head;
    size_t scanned = 0;
    size_t end = 0;
    Str bytes = str_of(c->in, c->in_len);
    if (head_find_end(bytes, &scanned, &end) != ERR_OK) {
        return false;
    }
    if (head_parse_response(str_take(bytes, end), &limits, METHOD_GET, fields, &head) !=
        HTTP_FAULT_NONE) {
        r->failure = "a client got a malformed head";
        return false;
    }
    if (head.framing.body == BODY_UNTIL_CLOSE) {
        r->failure = "a keep-alive client got an answer without a length";
        return false;
    }
    static uint8_t body[TEXT_MAX];
    size_t len = c->in_len - end;
    memcpy(body, c->in + end, len);
    Body state = body_of(&head.framing);
    BodyStep step = body_decode(&state, span_of(body, len));
    size_t data = step.data;
    if (step.fault != HTTP_FAULT_NONE) {
        r->failure = "a client got a malformed body";
    }
    if (!state.done) {
        return false;
    }
    if (head.status == 200) {
        uint64_t id = r->expected[k][0];
        bool good = r->asked[k] > 0 && data == r->sizes[k][0];
        for (size_t i = 0; good && i < data; i++) {
            good = body[i] == body_byte(id, i);
        }
        if (!good) {
            printf("  client %d: asked %zu, first %llu/%llu, got %zu: %.60s\n", k, r->asked[k],
                   (unsigned long long)id, (unsigned long long)r->sizes[k][0], data, body);
            r->failure = "a client got another answer than it asked for";
            return false;
        }
        r->answers++;
    } else if (!r->hostile && head.status != 103) {
        r->failure = "an answer that is not 200";
    }
    if (head.status >= 200 && r->asked[k] > 0) {
        r->asked[k]--;
        memmove(r->expected[k], r->expected[k] + 1, sizeof r->expected[k] - 8);
        memmove(r->sizes[k], r->sizes[k] + 1, sizeof r->sizes[k] - 8);
    }
    c->in_len -= end + step.consumed;
    memmove(c->in, c->in + end + step.consumed, c->in_len);
    return true;
}

static void client_step(Run *r, int k)
{
    Side *c = &r->clients[k];
    SimNetwork *n = &r->world.network;
    if (c->side < 0) {
        if (!r->closing) {
            client_open(r, k);
        }
        return;
    }
    if (r->hostile && pick(r, 60) == 0) {
        sim_reset(n, c->side);
        c->side = -1;
        return;
    }
    size_t give = c->out_len - c->out_at;
    give = give ? 1 + (size_t)pick(r, give) : 0;
    sim_write(n, c->side, str_of(c->out + c->out_at, give));
    c->out_at += give;
    size_t room = sizeof c->in - c->in_len;
    c->in_len += sim_read(n, c->side, span_of(c->in + c->in_len, pick(r, 3) ? room : room / 64));
    while (!r->failure && client_judge(r, k)) {
    }
    if (sim_ended(n, c->side) || sim_was_reset(n, c->side)) {
        if (!r->hostile && r->asked[k] > 0) {
            r->failure = "a connection ended before all was answered";
        }
        sim_reset(n, c->side);
        c->side = -1;
    } else if (!r->closing && r->asked[k] == 0 && c->out_at == c->out_len) {
        c->out_len = c->out_at = 0;
        if (pick(r, 8) == 0) {
            sim_reset(n, c->side);
            c->side = -1;
        } else {
            client_ask(r, k);
        }
    }
}

/* --- the origin ------------------------------------------------------------------------------ */

static void origin_answer(Run *r, Side *o, Str path)
{
    char head[300];
    uint64_t id = 0;
    uint64_t size = 0;
    StrCut cut = str_cut(str_drop(path, 1), '/');
    CHECK(number_decimal(cut.head, UINT64_MAX, &id) == ERR_OK);
    CHECK(number_decimal(cut.tail, UINT64_MAX, &size) == ERR_OK);
    if (pick(r, 5) == 0) {
        out_text(o, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
    }
    if (pick(r, 2)) {
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
                 (unsigned long long)size);
        out_text(o, head);
        out_body(o, id, 0, size);
        return;
    }
    out_text(o, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (uint64_t at = 0; at < size;) {
        uint64_t n = 1 + pick(r, size - at);
        snprintf(head, sizeof head, "%llx\r\n", (unsigned long long)n);
        out_text(o, head);
        out_body(o, id, at, n);
        out_text(o, "\r\n");
        at += n;
    }
    out_text(o, pick(r, 2) ? "0\r\n\r\n" : "0\r\nX-Sum: 1\r\n\r\n");
}

/* Takes one whole request off the front of what came, and queues its answer. */
static void origin_serve(Run *r, Side *o)
{
    static Field room[64];
    Fields fields = {.room = 64, .at = room};
    const HeadLimits limits = {65536, 60, 16384};
    RequestHead head;
    size_t scanned = 0;
    size_t end = 0;
    Str bytes = str_of(o->in, o->in_len);
    if (head_find_end(bytes, &scanned, &end) != ERR_OK) {
        return;
    }
    if (head_parse_request(str_take(bytes, end), &limits, fields, &head) != HTTP_FAULT_NONE) {
        r->failure = "the origin got a malformed head";
        return;
    }
    Body body = body_of(&head.framing);
    static uint8_t copy[TEXT_MAX];
    size_t len = o->in_len - end;
    memcpy(copy, o->in + end, len);
    BodyStep step = body_decode(&body, span_of(copy, len));
    if (step.fault != HTTP_FAULT_NONE) {
        r->failure = "the origin got a malformed body";
        return;
    }
    if (!body.done) {
        return;
    }
    o->out_len = o->out_at = 0;
    origin_answer(r, o, head.path);
    o->in_len -= end + step.consumed;
    memmove(o->in, o->in + end + step.consumed, o->in_len);
}

static void origin_step(Run *r, Side *o)
{
    SimNetwork *n = &r->world.network;
    if (o->side < 0) {
        int side = sim_accept_origin(n);
        if (side >= 0) {
            *o = (Side){.side = side};
            n->sockets[side].capacity = 1 + pick(r, 100000);
        }
        return;
    }
    if (sim_ended(n, o->side) || sim_was_reset(n, o->side) || (r->hostile && pick(r, 80) == 0)) {
        sim_reset(n, o->side);
        o->side = -1;
        return;
    }
    o->in_len += sim_read(n, o->side, span_of(o->in + o->in_len, sizeof o->in - o->in_len));
    if (o->out_at == o->out_len) {
        origin_serve(r, o);
    }
    size_t give = o->out_len - o->out_at;
    give = give ? 1 + (size_t)pick(r, give) : 0;
    sim_write(n, o->side, str_of(o->out + o->out_at, give));
    o->out_at += give;
}

/* --- runs ------------------------------------------------------------------------------------ */

static Run run;

static void run_open(uint64_t seed, bool hostile)
{
    memset(&run, 0, sizeof run);
    random_seed_from(&run.random, seed);
    run.hostile = hostile;
    world_open(&run.world, seed, NULL);
    for (int k = 0; k < CLIENTS; k++) {
        run.clients[k].side = -1;
    }
    for (int k = 0; k < ORIGINS_MAX; k++) {
        run.origins[k].side = -1;
    }
}

static void run_steps(unsigned steps)
{
    for (unsigned step = 0; step < steps && !run.failure; step++) {
        client_step(&run, (int)pick(&run, CLIENTS));
        for (int k = 0; k < 4; k++) {
            origin_step(&run, &run.origins[pick(&run, 24)]);
        }
        if (pick(&run, 10) == 0) {
            world_wait(&run.world, pick(&run, 40));
        }
        world_settle(&run.world);
    }
}

/* Lets peers that behave finish: whatever was asked must be answered. */
static void run_to_the_end(void)
{
    run.closing = true;
    size_t left = 1;
    for (unsigned round = 0; round < ROUNDS_MAX && left > 0 && !run.failure; round++) {
        run_steps(STEPS);
        left = 0;
        for (int k = 0; k < CLIENTS; k++) {
            left += run.clients[k].side >= 0 ? run.asked[k] : 0;
        }
    }
    if (left > 0 && !run.failure) {
        run.failure = "a request was never answered";
    }
}

static bool run_close(const char *what, uint64_t number)
{
    size_t left = world_close(&run.world);
    if (!run.failure && left) {
        run.failure = "something is left over";
    }
    if (run.failure) {
        printf("  %s %llu: %s\n", what, (unsigned long long)number, run.failure);
    }
    return !run.failure;
}

/* A run of random steps. Even seeds: peers that behave, so all must be answered. */
static bool run_seed(uint64_t seed)
{
    run_open(seed, seed % 2);
    run.world.network.io_max = seed % 3 ? 1 + (unsigned)pick(&run, 5000) : 0;
    run.world.network.fail_one_in = seed % 4 == 3 ? 200 : 0;
    run_steps(STEPS);
    if (!run.hostile && !run.failure) {
        run_to_the_end();
    }
    if (!run.hostile && !run.failure && run.answers == 0) {
        run.failure = "nothing was answered";
    }
    return run_close("seed", seed);
}

/* The n-th system call fails, for every n, until a run has no n-th call. */
static bool run_failing_calls(unsigned *ret_passed)
{
    for (long n = 0;; n++) {
        run_open(12345, true);
        run.world.network.fail_call = n;
        run_steps(60);
        bool reached = run.world.network.fail_call < 0;
        if (!run_close("failing call", (uint64_t)n)) {
            return false;
        }
        ++*ret_passed;
        if (!reached) {
            return true;
        }
    }
}

/* The n-th allocation fails, and all after it. */
static bool run_failing_memory(unsigned *ret_passed)
{
    for (long n = 0; n < 40; n++) {
        run_open(54321, true);
        memory_fail_after(n + 1000000); /* the test's own sockets are allocated, too */
        for (unsigned i = 0; i < 60 && !run.failure; i++) {
            run_steps(1);
            Thread *t = run.world.worker->group.threads[0];
            t->worker->group.budget.max_bytes = 1 + (size_t)n * 16384;
        }
        memory_fail_after(-1);
        if (!run_close("memory of blocks", (uint64_t)n)) {
            return false;
        }
        ++*ret_passed;
    }
    return true;
}

int main(int argc, char **argv)
{
    unsigned passed = 0;
    unsigned failed = 0;
    if (argc > 1) {
        uint64_t first = strtoull(argv[1], NULL, 10);
        uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
        for (uint64_t seed = first; seed < first + count; seed++) {
            bool good = run_seed(seed);
            passed += good;
            failed += !good;
        }
    } else {
        for (uint64_t seed = 0; seed < 300; seed++) {
            bool good = run_seed(seed);
            passed += good;
            failed += !good;
        }
        failed += !run_failing_calls(&passed);
        failed += !run_failing_memory(&passed);
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
