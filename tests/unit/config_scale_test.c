/* config_scale_test.c - large configurations: what one costs grows with what stands in it, and not
 * with its square.
 *
 * Eight times as much takes about eight times as long; each with each would take 64 times. The
 * bound lies far from both, the time is the processor's, and the best of a few tries counts. */
#include <time.h>

#include "config_support.h"
#include "tls_support.h"

#define FEW 4000u
#define MANY (8 * FEW)
#define TIMES_MAX 28 /* between 8 and 64 */
#define TRIES 3
#define SERVICE_BYTES_MAX 5000u /* of the arena, for a small service */
#define TEXT_ROOM (15u << 20)
#define PAIR(name) "cert-path=\"" name ".pem\" key-path=\"" name ".key\""

typedef struct Shape {
    const char *what;
    Str begin;
    void (*one)(Text *t, unsigned i);
    Str end;
} Shape;

static Err read_any(void *context, Arena *a, FileSettings *file)
{
    (void)context;
    (void)a;
    file->bytes = fixture(str_ends(file->path, S("key")) ? "a.key" : "a.pem");
    return ERR_OK;
}

static Err any_directory(void *context, Str path)
{
    (void)context;
    (void)path;
    return ERR_OK;
}

static void by_hosts(Text *t, unsigned i)
{
    text_format(t,
                "s%u { hosts \"h%u.example\" \"*.h%u.example\"; listeners { \"127.0.0.1:80\" }; "
                "connectors { \"127.0.%u.%u:81\" } }\n",
                i, i, i, i / 256, i % 256);
}

static void by_addresses(Text *t, unsigned i)
{
    text_format(t, "s%u { listeners { \"127.0.%u.%u:80\" }; respond }\n", i, i / 256, i % 256);
}

static void same_host(Text *t, unsigned i)
{
    text_format(t, "s%u { hosts \"one.example\"; listeners { \"127.0.%u.%u:80\" }; respond }\n", i,
                i / 256, i % 256);
}

static void own_files(Text *t, unsigned i)
{
    text_format(t, "s%u { listeners { \"127.0.%u.%u:80\" }; file-server { base-path \"/d%u\" } }\n",
                i, i / 256, i % 256, i);
}

static void own_certificates(Text *t, unsigned i)
{
    text_format(t,
                "s%u { hosts \"h%u.example\"; listeners { \"127.0.0.1:80\" cert-path=\"%u.pem\" "
                "key-path=\"%u.key\" }; respond }\n",
                i, i, i, i);
}

static void one_host(Text *t, unsigned i)
{
    text_format(t, " \"h%u.example\"", i);
}

static void one_connector(Text *t, unsigned i)
{
    text_format(t, "\"127.0.%u.%u:81\"\n", i / 256, i % 256);
}

static void one_route(Text *t, unsigned i)
{
    text_format(t, "route \"/p%u\" { respond }\n", i);
}

static const Shape shapes[] = {
    {"hosts of one address", S_INIT("services {\n"), by_hosts, S_INIT("}")},
    {"addresses", S_INIT("services {\n"), by_addresses, S_INIT("}")},
    {"one host at many addresses", S_INIT("services {\n"), same_host, S_INIT("}")},
    {"directories", S_INIT("services {\n"), own_files, S_INIT("}")},
    {"certificates of one address", S_INIT("services {\n"), own_certificates, S_INIT("}")},
    {"hosts of one service", S_INIT("services { s { listeners { \"/x\" }; respond; hosts"),
     one_host, S_INIT(" } }")},
    {"connectors of one service", S_INIT("services { s { listeners { \"/x\" }; connectors {\n"),
     one_connector, S_INIT("} } }")},
    {"routes of one service", S_INIT("services { s { listeners { \"/x\" }; routes {\n"), one_route,
     S_INIT("} } }")},
};

static Str text_of(const Shape *shape, unsigned count)
{
    static uint8_t room[TEXT_ROOM];
    Text t = text_in(span_of(room, sizeof room));
    text_add(&t, shape->begin);
    for (unsigned i = 0; i < count; i++) {
        shape->one(&t, i);
    }
    text_add(&t, shape->end);
    EXPECT(!t.overflow);
    return text_str(&t);
}

/* Processor time of one load, and what the arena holds afterwards. */
static double load_timed(Str text, CertificateCache *cache, size_t *ret_bytes)
{
    static const ConfigFiles files = {
        .read = read_any, .directory = any_directory, .now_s = INT64_C(1800000000)};
    ConfigOptions options = {.files = &files, .cache = cache};
    Loaded l;
    clock_t start = clock();
    load_with(&l, text, &options);
    double spent = (double)(clock() - start) / CLOCKS_PER_SEC;
    EXPECT(l.err == ERR_OK && l.d->count == 0);
    if (l.err != ERR_OK) {
        Str said = shown(&l);
        printf("%.*s\n", STR_ARG(str_take(said, 400)));
    }
    *ret_bytes = l.arena.used_bytes;
    loaded_close(&l);
    return spent;
}

static double best_of(const Shape *shape, unsigned count, CertificateCache *cache,
                      size_t *ret_bytes)
{
    Str text = text_of(shape, count);
    double best = 1e9;
    for (unsigned i = 0; i < TRIES; i++) {
        double spent = load_timed(text, cache, ret_bytes);
        best = spent < best ? spent : best;
    }
    return best;
}

TEST("config: what a large configuration costs grows with its size, not with the square of it")
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        CertificateCache *cache = NULL;
        size_t few_bytes = 0;
        size_t many_bytes = 0;
        EXPECT(certificate_cache_new(&cache) == ERR_OK);
        double few = best_of(&shapes[i], FEW, cache, &few_bytes);
        double many = best_of(&shapes[i], MANY, cache, &many_bytes);
        bool fits = many < few * TIMES_MAX && many_bytes < few_bytes * 9;
        EXPECT(fits);
        if (!fits || many_bytes / MANY > SERVICE_BYTES_MAX) {
            printf("  %s: %.1f ms and %zu KiB for %u, %.1f ms and %zu KiB for %u\n", shapes[i].what,
                   few * 1e3, few_bytes >> 10, FEW, many * 1e3, many_bytes >> 10, MANY);
        }
        EXPECT(many_bytes / MANY <= SERVICE_BYTES_MAX);
        certificate_cache_drop(cache);
    }
}

TEST("config: certificates of services that share an address stand together, each once, in order")
{
    static const Str paths[] = {S_INIT("0.pem"), S_INIT("1.pem"), S_INIT("2.pem")};
    static const ConfigFiles files = {.read = read_any, .now_s = INT64_C(1800000000)};
    ConfigOptions options = {.files = &files};
    Loaded l;
    load_with(&l,
              S("services {\n"
                "a { hosts \"a\"; listeners { \"127.0.0.1:1\" " PAIR("0") " }; respond }\n"
                "b { hosts \"b\"; listeners { \"127.0.0.1:1\" " PAIR("1") " { certificate "
                PAIR("0") " } }; respond }\n"
                "c { hosts \"c\"; listeners { \"127.0.0.1:1\" " PAIR("0") " { certificate "
                PAIR("2") " } }; respond }\n"
                "d { hosts \"d\"; listeners { \"127.0.0.1:2\" " PAIR("0") " }; respond }\n}"),
              &options);
    EXPECT(l.err == ERR_OK && l.settings && l.settings->listener_count == 2);
    if (l.settings) {
        const ListenerTls *tls = &l.settings->listeners[0].tls;
        EXPECT_U64(tls->pair_count, 3);
        EXPECT_U64(tls->file_count, 3 * TLS_FILES_OF_PAIR + TLS_FILES_OF_CLIENTS);
        for (size_t i = 0; i < 3 && tls->pair_count == 3; i++) {
            EXPECT_STR(tls->files[i * TLS_FILES_OF_PAIR + TLS_FILE_CHAIN].path, paths[i]);
        }
        EXPECT_U64(l.settings->listeners[1].tls.pair_count, 1);
        EXPECT(!fingerprint_equal(&tls->identity, &l.settings->listeners[1].tls.identity));
    }
    loaded_close(&l);
}

TEST("config: hosts and addresses that many services repeat are found where they stand")
{
    static uint8_t room[1u << 20];
    Text t = text_in(span_of(room, sizeof room));
    text_add(&t, S("services {\n"));
    for (unsigned i = 0; i < 1000; i++) {
        same_host(&t, i);
    }
    text_add(&t, S("x { hosts \"one.example\"; listeners { \"127.0.3.231:80\" }; respond }\n"
                   "y { hosts \"ONE.example\"; listeners { \"127.0.9.9:80\"; \"127.0.0.7:80\" }; "
                   "respond }\n"
                   "s7 { hosts \"two.example\" \"two.example.\"; listeners { \"/x\" }; "
                   "respond }\n}"));
    Loaded l;
    load(&l, text_str(&t));
    EXPECT_U64(l.d->error_count, 4);
    Str text = shown(&l);
    static const Str lines[] = {S_INIT("the service `s999` has this host at the same address"),
                                S_INIT("the service `s7` has this host at the same address"),
                                S_INIT("this host is already listed"),
                                S_INIT("there is already a service of this name")};
    for (size_t i = 0; i < 4; i++) {
        bool found = false;
        for (size_t at = 0; at < text.len && !found; at++) {
            found = str_stands(text, at, lines[i]);
        }
        EXPECT(found);
    }
    loaded_close(&l);
}
