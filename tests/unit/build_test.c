/* build_test.c - snapshots, one after the other: what they share, what is built anew, and what goes
 * when nobody uses it any more. */
#include "build/build.h"
#include "config/diff.h"
#include "base/clock.h"
#include "config_support.h"
#include "tls_support.h"

#define PAIR "cert-path=\"a.pem\" key-path=\"a.key\""
#define LISTENERS_HERE 16u

static Err read_fixture(void *context, Arena *a, FileSettings *file)
{
    char name[64];
    (void)context;
    if (str_starts(file->path, S("/etc/"))) {
        return arena_copy(a, fixture("ca.pem"), &file->bytes) ? ERR_OK : ERR_MEMORY;
    }
    TRY(str_to_c(file->path, span_of(name, sizeof name)));
    file->bytes = fixture(name);
    return ERR_OK;
}

static const ConfigFiles fixtures = {.read = read_fixture, .now_s = INT64_C(1800000000)};

typedef struct Site {
    Worker *worker;
    Builder builder;
} Site;

static void site_open(Site *s)
{
    WorkerPlan plan = {.threads = 1, .connections_max = 10, .memory_bytes_max = 64u << 20};
    EXPECT(worker_build(&plan, &s->worker) == ERR_OK);
    EXPECT(builder_open(&s->builder, s->worker, NULL) == ERR_OK);
}

static void site_close(Site *s)
{
    builder_close(&s->builder);
    worker_free(s->worker);
}

/* Loads a text, builds from it, and lets go of the settings. `fresh`: listeners get descriptors
 * from 10 on; else those that are there stay. */
static Err site_build(Site *s, Str text, bool fresh)
{
    Loaded l;
    ConfigOptions options = {.files = &fixtures};
    load_with(&l, text, &options);
    EXPECT_STR(shown(&l), S(""));
    int fds[LISTENERS_HERE];
    int key_logs[LISTENERS_HERE];
    for (size_t i = 0; i < LISTENERS_HERE; i++) {
        fds[i] = fresh ? 10 + (int)i : -1;
        key_logs[i] = -1;
    }
    BuildInputs inputs = {.count = l.settings ? l.settings->listener_count : 0};
    inputs.fds = fds;
    inputs.key_logs = key_logs;
    Err err = l.settings ? builder_build(&s->builder, l.settings, &inputs) : ERR_SYNTAX;
    loaded_close(&l);
    return err;
}

static const Snapshot *newest(const Site *s)
{
    return &s->builder.newest->snapshot;
}

static const Endpoint *endpoint(const Site *s, size_t service, size_t i)
{
    const Cluster *c = newest(s)->services[service]->route.cluster;
    return c->newest->members[i].endpoint;
}

/* ---- one snapshot ---- */

TEST("build: equal TLS is shared, and what differs in it shares no pool")
{
    Site s;
    site_open(&s);
    EXPECT(site_build(&s,
                      S("services { A { listeners { \"127.0.0.1:443\" " PAIR
                        "; \"127.0.0.1:444\" " PAIR ";"
                        " \"127.0.0.1:445\" " PAIR
                        " offer-h2=false; \"127.0.0.1:80\" h2c=true }\n"
                        "connectors { \"127.0.0.1:81\" tls-sni=\"o\"; "
                        "\"127.0.0.1:82\" tls-sni=\"o\";"
                        " \"127.0.0.1:83\" tls-sni=\"p\"; \"127.0.0.1:84\" } }\n"
                        "B { listeners { \"127.0.0.1:90\" }\n"
                        "connectors { \"127.0.0.1:81\"; "
                        "\"127.0.0.1:82\" tls-sni=\"o\" proto=\"h1-only\";"
                        " \"127.0.0.1:83\" tls-sni=\"p\" } } }"),
                      true) == ERR_OK);
    const Listener *const *l = newest(&s)->listeners;
    EXPECT_U64(newest(&s)->listener_count, 5);
    EXPECT(l[0]->tls == l[1]->tls && l[0]->tls && l[0]->tls != l[2]->tls);
    EXPECT(!l[3]->tls && l[3]->h2c && !l[4]->h2c);
    const Endpoint *a[4];
    const Endpoint *b[3];
    for (size_t i = 0; i < 4; i++) {
        a[i] = endpoint(&s, 0, i);
        b[i % 3] = endpoint(&s, 1, i % 3);
    }
    EXPECT(a[0]->tls && a[0]->tls == a[1]->tls && a[2]->tls && a[2]->tls != a[0]->tls);
    EXPECT(!a[3]->tls);
    EXPECT(a[0]->protocol == ENDPOINT_H2_OR_H1 && b[1]->protocol == ENDPOINT_H1);
    EXPECT(b[0]->origin != a[0]->origin); /* the same address, without TLS */
    EXPECT(b[1]->origin != a[1]->origin && b[1]->tls != a[1]->tls);
    EXPECT(b[2]->origin == a[2]->origin && b[2]->tls == a[2]->tls);
    site_close(&s);
}

/* ---- one after the other ---- */

#define A_TEXT                                                                                     \
    "A { listeners { \"127.0.0.1:443\" " PAIR " }; connectors { \"127.0.0.1:81\" } }\n"
#define B_TEXT(rest)                                                                               \
    "B { listeners { \"127.0.0.1:90\" }; connectors { \"127.0.0.1:82\" }\n"                       \
    "rate-limiting { rule kind=\"source-ip\" max-buckets=10 tokens-per-bucket=5 refill-qty=1 "     \
    "refill-rate-ms=10 }\n" rest "}\n"

TEST("build: what has not changed is the same in the next snapshot, wherever it stands")
{
    Site s;
    site_open(&s);
    EXPECT(site_build(&s, S("services {\n" A_TEXT B_TEXT("") "}"), true) == ERR_OK);
    const Service *a = newest(&s)->services[0];
    const Service *b = newest(&s)->services[1];
    const TlsServer *tls = newest(&s)->listeners[0]->tls;
    uint32_t origin = endpoint(&s, 1, 0)->origin;
    EXPECT(site_build(&s, S("services { /* moved */ " B_TEXT("retries 0\n") A_TEXT "}"),
                      false) == ERR_OK);
    EXPECT(newest(&s)->services[1] == a && newest(&s)->services[0] != b);
    EXPECT(newest(&s)->services[0]->index == b->index && newest(&s)->services[0]->part != b->part);
    EXPECT(newest(&s)->listeners[0]->tls == tls); /* at its place, whatever its order */
    EXPECT(newest(&s)->listeners[0]->fd == 10 && newest(&s)->listeners[1]->fd == 11);
    EXPECT_U64(endpoint(&s, 0, 0)->origin, origin);
    EXPECT_U64(s.worker->limiter_names.count, 1);
    (void)builder_tidy(&s.builder); /* the old B goes; its pool, limiter and counters stay */
    EXPECT_U64(s.worker->limiter_names.count, 1);
    EXPECT_U64(s.worker->service_names.count, 2);
    EXPECT(s.builder.newest->next == NULL);
    EXPECT_U64(s.worker->part_names.count, 3); /* two services and the snapshot */
    site_close(&s);
}

#define NAMED(name, hosts, rest)                                                                   \
    name " { listeners { \"127.0.0.1:80\" }; hosts " hosts "; respond; " rest "}\n"

static const HostNames *names_of(const Site *s)
{
    return newest(s)->listeners[0]->service->hosts->names;
}

static Str name_served(const Site *s, Str host)
{
    const Service *found = hosts_find(newest(s)->listeners[0]->service->hosts, host);
    return found ? found->name : STR_NONE;
}

TEST("build: which names are whose is kept while all have the hosts that they had")
{
    static const struct {
        Str text;
        bool same; /* as the one before */
        Str who;   /* has b.example */
    } rows[] = {
        {S_INIT(NAMED("A", "\"a.example\"", "") NAMED("B", "\"b.example\"", "")), false,
         S_INIT("B")},
        {S_INIT(NAMED("A", "\"a.example\"", "retries 0; ") NAMED("B", "\"b.example\"", "")),
         true, S_INIT("B")},
        {S_INIT(NAMED("X", "\"a.example\"", "") NAMED("B", "\"b.example\"", "")), true,
         S_INIT("B")},
        {S_INIT(NAMED("B", "\"b.example\"", "") NAMED("X", "\"a.example\"", "")), false,
         S_INIT("B")},
        {S_INIT(NAMED("B", "\"a.example\"", "") NAMED("X", "\"b.example\"", "")), false,
         S_INIT("X")},
        {S_INIT(NAMED("B", "\"a.example\"", "") NAMED("X", "\"*.b.example\"", "")), false,
         S_INIT("")},
        {S_INIT(NAMED("B", "\"a.example\"", "") NAMED("X", "\"b.example\"", "")), false,
         S_INIT("X")},
        {S_INIT(NAMED("B", "\"a.example\"", "") NAMED("X", "\"b.example\"", "")
                    NAMED("Y", "\"c.example\"", "")),
         false, S_INIT("X")},
        {S_INIT(NAMED("B", "\"a.example\"", "")), false, S_INIT("")},
    };
    const HostNames *last = NULL;
    Site s;
    site_open(&s);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t room[1000];
        Text t = text_in(span_of(room, sizeof room));
        text_format(&t, "services {\n%.*s}\n", STR_ARG(rows[i].text));
        EXPECT(site_build(&s, text_str(&t), i == 0) == ERR_OK);
        EXPECT((names_of(&s) == last) == rows[i].same);
        EXPECT_STR(name_served(&s, S("b.example")), rows[i].who);
        last = names_of(&s); /* the older snapshot is still there: no address is used twice */
    }
    site_close(&s);
}

TEST("build: what an exchange uses stays until it is over")
{
    Site s;
    site_open(&s);
    EXPECT(site_build(&s, S("services {\n" A_TEXT B_TEXT("") "}"), true) == ERR_OK);
    uint32_t part = newest(&s)->services[1]->part;
    counter_add(&s.worker->group.threads[0]->pins[part], 1);
    EXPECT(site_build(&s, S("services {\n" A_TEXT "}"), false) == ERR_OK);
    EXPECT(builder_tidy(&s.builder));
    EXPECT_U64(s.worker->service_names.count, 2);
    EXPECT(newest(&s)->listeners[1]->leaving); /* no thread has run: its client count is nought */
    counter_add(&s.worker->group.threads[0]->pins[part], UINT64_MAX);
    (void)builder_tidy(&s.builder);
    (void)builder_tidy(&s.builder);
    EXPECT_U64(s.worker->service_names.count, 1);
    EXPECT_U64(s.worker->limiter_names.count, 0);
    site_close(&s);
}

TEST("build: a listener that leaves keeps its place while it has clients")
{
    Site s;
    site_open(&s);
    EXPECT(site_build(&s, S("services {\n" A_TEXT B_TEXT("") "}"), true) == ERR_OK);
    counter_add(&s.worker->group.threads[0]->listener_clients[1], 1);
    EXPECT(site_build(&s, S("services {\n" A_TEXT "}"), false) == ERR_OK);
    EXPECT(builder_tidy(&s.builder));
    EXPECT(newest(&s)->listener_count == 2 && newest(&s)->listeners[1]->leaving);
    EXPECT(site_build(&s, S("services {\n" A_TEXT B_TEXT("") "}"), true) == ERR_OK);
    EXPECT_U64(newest(&s)->listener_count, 4); /* both were opened anew; the old A leaves, too */
    EXPECT(newest(&s)->listeners[1]->leaving && newest(&s)->listeners[0]->leaving);
    counter_add(&s.worker->group.threads[0]->listener_clients[1], UINT64_MAX);
    (void)builder_tidy(&s.builder);
    (void)builder_tidy(&s.builder);
    EXPECT(s.builder.newest->next == NULL);
    EXPECT(site_build(&s, S("services {\n" A_TEXT B_TEXT("") "}"), false) == ERR_OK);
    EXPECT(!newest(&s)->listeners[0] && !newest(&s)->listeners[1]);
    EXPECT(newest(&s)->listeners[2]->fd == 10 && newest(&s)->listeners[3]->fd == 11);
    site_close(&s);
}

TEST("build: a listener without a socket is refused, and nothing has changed")
{
    Site s;
    site_open(&s);
    EXPECT(site_build(&s, S("services {\n" A_TEXT "}"), true) == ERR_OK);
    const Snapshot *before = newest(&s);
    EXPECT(site_build(&s, S("services {\n" A_TEXT B_TEXT("") "}"), false) == ERR_MISSING);
    EXPECT(newest(&s) == before);
    EXPECT_U64(s.worker->part_names.count, 2);
    EXPECT_U64(s.worker->service_names.count, 1);
    site_close(&s);
}

TEST("build: a hundred reloads hold no more than one")
{
    Site s;
    site_open(&s);
    for (unsigned i = 0; i < 100; i++) {
        Str text = i % 2 ? S("services {\n" A_TEXT B_TEXT("retries 0\n") "}")
                         : S("services {\n" A_TEXT B_TEXT("retries 1\n") "}");
        EXPECT(site_build(&s, text, i == 0) == ERR_OK);
        (void)builder_tidy(&s.builder);
    }
    EXPECT_U64(newest(&s)->number, 100);
    EXPECT_U64(s.worker->part_names.count, 3);
    EXPECT(s.worker->part_names.touched <= 6);
    EXPECT(s.worker->origin_names.touched == 2 && s.worker->limiter_names.touched == 1);
    site_close(&s);
}

TEST("build: every allocation may fail, and nothing is left behind")
{
    for (long n = 0; n < 400; n++) {
        Site s;
        site_open(&s);
        EXPECT(site_build(&s, S("services {\n" A_TEXT "}"), true) == ERR_OK);
        Loaded l;
        ConfigOptions options = {.files = &fixtures};
        load_with(&l, S("services {\n" A_TEXT B_TEXT("hosts \"b.example\"\n") "}"), &options);
        int fds[2] = {-1, 20};
        int key_logs[2] = {-1, -1};
        BuildInputs inputs = {.count = 2};
        inputs.fds = fds;
        inputs.key_logs = key_logs;
        memory_fail_after(n);
        Err err = builder_build(&s.builder, l.settings, &inputs);
        memory_fail_after(-1);
        EXPECT_U64(s.worker->service_names.count, err == ERR_OK ? 2 : 1);
        EXPECT_U64(s.worker->part_names.count, err == ERR_OK ? 4 : 2);
        loaded_close(&l);
        site_close(&s);
        if (err == ERR_OK) {
            return;
        }
    }
    EXPECT(false); /* more allocations than anybody has thought of */
}

/* ---- the difference, for people ---- */

static Str diff_of(Arena *a, Str old, Str fresh)
{
    static Loaded before;
    static Loaded after;
    ConfigOptions options = {.files = &fixtures};
    ConfigDiff diff = {0};
    Str lines;
    load_with(&before, old, &options);
    load_with(&after, fresh, &options);
    EXPECT_STR(shown(&before), S(""));
    EXPECT_STR(shown(&after), S(""));
    EXPECT(config_diff(a, before.settings, after.settings, &diff) == ERR_OK);
    EXPECT(arena_copy(a, diff.lines, &lines));
    loaded_close(&before);
    loaded_close(&after);
    return lines;
}

TEST("diff: a section of thousands of nodes is named as a whole, soon")
{
    static uint8_t rooms[2][400000];
    Str texts[2];
    Blocks blocks;
    Arena a;
    blocks_init(&blocks, NULL, 16384, 0);
    arena_init(&a, &blocks, 64 << 20);
    for (unsigned i = 0; i < 2; i++) {
        Text t = text_in(span_of(rooms[i], sizeof rooms[i]));
        text_add(&t, S("services { A { listeners { \"127.0.0.1:80\" }; connectors {\n"));
        for (unsigned k = 0; k < 10000; k++) { /* three seconds, if each is looked up in all */
            text_format(&t, "\"10.0.%u.%u:%u\"\n", k / 250, k % 250, 81 + i * (k == 9999));
        }
        text_add(&t, S("} } }"));
        texts[i] = text_str(&t);
    }
    uint64_t start_ms = clock_ms();
    EXPECT_STR(diff_of(&a, texts[0], texts[1]), S("~ service A: connectors\n"));
    EXPECT(clock_ms() - start_ms < 2000);
    arena_reset(&a);
}

TEST("diff: services, listeners and sections by their names")
{
    Blocks blocks;
    Arena a;
    blocks_init(&blocks, NULL, 16384, 0);
    arena_init(&a, &blocks, 4 << 20);
    EXPECT_STR(diff_of(&a, S("services { " A_TEXT " }"), S("services {" A_TEXT "}")), S(""));
    EXPECT_STR(diff_of(&a, S("services {\n" A_TEXT B_TEXT("") "}"), S("services {\n" A_TEXT "}")),
               S("- service B\n- listener 127.0.0.1:90\n"));
    EXPECT_STR(diff_of(&a, S("services {\n" A_TEXT "}"), S("services {\n" A_TEXT B_TEXT("") "}")),
               S("+ service B\n+ listener 127.0.0.1:90\n"));
    EXPECT_STR(diff_of(&a, S("services {\n" B_TEXT("") "}"),
                       S("services {\n" B_TEXT("retries 0\nhost \"x\"\n") "}")),
               S("~ service B: +retries, +host\n"));
    EXPECT_STR(diff_of(&a, S("services {\n" A_TEXT "}"),
                       S("system { threads-per-service 1 }\nservices {\n"
                         "A { listeners { \"127.0.0.1:443\" " PAIR
                         " offer-h2=false }; connectors { \"127.0.0.1:81\" } }\n }")),
               S("~ system\n~ service A: +listeners/127.0.0.1:443 offer-h2\n"
                 "~ listener 127.0.0.1:443: options\n"));
    arena_reset(&a);
    blocks_drop(&blocks);
}

/* ---- endpoints that come and go ---- */

TEST("build: a service that is built anew goes on with the endpoints and states that it had")
{
    Site s;
    site_open(&s);
    EXPECT(site_build(&s, S("services { A { listeners { \"127.0.0.1:80\" }\n"
                            "connectors { \"127.0.0.1:81\"; \"127.0.0.1:82\" } } }"),
                      true) == ERR_OK);
    Cluster *c = newest(&s)->services[0]->route.cluster;
    const Endpoint *first = endpoint(&s, 0, 0);
    EndpointChange drains = {
        .kind = ENDPOINT_TURN, .name = S("127.0.0.1:81"), .state = ENDPOINT_DRAINING};
    EXPECT(cluster_change(s.worker, c->number, &drains, 1, 0) == ERR_OK);
    EXPECT(site_build(&s, S("services { A { retries 0; listeners { \"127.0.0.1:80\" }\n"
                            "connectors { \"127.0.0.1:81\"; \"127.0.0.1:83\" } } }"),
                      false) == ERR_OK);
    EXPECT(newest(&s)->services[0]->route.cluster == c); /* of the old part, too */
    EXPECT(endpoint(&s, 0, 0) == first && c->newest->members[0].state == ENDPOINT_DRAINING);
    EXPECT_STR(c->newest->only->name, S("127.0.0.1:83"));
    (void)builder_tidy(&s.builder);
    EXPECT_U64(s.worker->clusters.names.count, 1);
    EXPECT_U64(s.worker->clusters.endpoints.used, 2);
    EXPECT_U64(s.worker->clusters.sets_live, 1);
    site_close(&s);
}

TEST("build: routes of one path have clusters of their own, which go with their service")
{
    Site s;
    site_open(&s);
    EXPECT(site_build(&s, S("services { A { listeners { \"127.0.0.1:80\" }\n"
                            "routes { route \"/a\" methods=\"GET\" {\n"
                            "connectors { \"127.0.0.1:81\" } }\n"
                            "route \"/a\" { connectors { \"127.0.0.1:82\" } } } } }"),
                      true) == ERR_OK);
    EXPECT_U64(s.worker->clusters.names.count, 2);
    EXPECT(site_build(&s, S("services { B { listeners { \"127.0.0.1:80\" }\n"
                            "connectors { \"127.0.0.1:81\" } } }"),
                      false) == ERR_OK);
    (void)builder_tidy(&s.builder);
    (void)builder_tidy(&s.builder);
    EXPECT_U64(s.worker->clusters.names.count, 1);
    EXPECT_U64(s.worker->clusters.endpoints.used, 1);
    site_close(&s);
}
