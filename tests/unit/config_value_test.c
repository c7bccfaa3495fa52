/* config_value_test.c - values from outside, times and sizes, and what services inherit. */
#include "config_shelf.h"

TEST("variables: values come from the environment and from files")
{
    Shelf shelf = {0};
    ConfigFiles files;
    Loaded l;
    shelf_put(&shelf, S("body"), S("from a file\r\n"));
    EXPECT_STR(load_from(&l, &shelf, &files,
                         S("system { threads-per-service \"{env.THREADS:3}\"\n"
                           "watch \"{env.WATCH:true}\"; drain-timeout \"{env.DRAIN:7s}\" }\n"
                           "services { a { listeners { \"127.0.0.1:{env.PORT}\" }\n"
                           "hosts \"{env.HOST}\"\n"
                           "respond body=\"{{{file.body} {a.b} {} {env.EMPTY:-}{\" } }")),
               S(""));
    if (l.settings) {
        const ServiceSettings *a = l.settings->services[0];
        EXPECT_U64(l.settings->system.threads, 3);
        EXPECT_U64(l.settings->system.drain_timeout_ms, 7000);
        EXPECT(l.settings->system.watch);
        EXPECT_U64(a->listeners[0].address.port, 8099);
        EXPECT_STR(a->hosts[0].name, S("host.example"));
        EXPECT_STR(a->action.respond.body, S("{from a file {a.b} {} -{"));
        EXPECT_U64(l.settings->assembly->value_count, 1);
        EXPECT_U64(l.settings->assembly->watched_count, 1);
    }
    loaded_close(&l);
}

TEST("variables: what is missing is a mistake at its place, and a secret is not shown")
{
    static const struct {
        Str value; /* of threads-per-service */
        Str said;
    } rows[] = {
        {S_INIT("{env.UNSET}"), S_INIT("the variable UNSET of the environment is not set")},
        {S_INIT("{env.EMPTY}"), S_INIT("the variable EMPTY of the environment is not set")},
        {S_INIT("{env.a-b}"), S_INIT("this is not the name of a variable of the environment")},
        {S_INIT("{env.PORT"), S_INIT("this reference has no closing }")},
        {S_INIT("{file.}"), S_INIT("the path of a file is missing")},
        {S_INIT("{file.none}"), S_INIT("cannot read none: ")},
        {S_INIT("{env.SECRET}"), S_INIT("`threads-per-service` takes a plain number")},
        {S_INIT("{env.PORT}00000"),
         S_INIT("`threads-per-service` must be between 1 and 1024, not {env.PORT}00000")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t room[300];
        Shelf shelf = {0};
        ConfigFiles files;
        Loaded l;
        Text t = text_in(span_of(room, sizeof room));
        text_format(&t, "system { threads-per-service \"%.*s\" }\n" AROUND(ANSWER("a", "80")),
                    STR_ARG(rows[i].value));
        Str said = load_from(&l, &shelf, &files, text_str(&t));
        EXPECT_U64(l.d->error_count, 1);
        EXPECT_STR(str_take(l.d->list[0].message, rows[i].said.len), rows[i].said);
        EXPECT_U64(l.d->list[0].location.from, 29);
        EXPECT(str_search(said, S("very-secret"), 0) == said.len);
        loaded_close(&l);
    }
}

TEST("variables: patterns and names keep their braces")
{
    Shelf shelf = {0};
    ConfigFiles files;
    Loaded l;
    EXPECT_STR(load_from(&l, &shelf, &files,
                         S("services { a { listeners { \"127.0.0.1:80\" }; routes {\n"
                           "route \"a{{2}\" match=\"regex\" { respond }\n } } }")),
               S(""));
    loaded_close(&l);
}

/* ---- times and sizes ---- */

TEST("units: times and sizes as people write them")
{
    static const struct {
        Str option;
        uint64_t drain_ms; /* 0: the message holds */
        Str said;
    } rows[] = {
        {S_INIT("drain-timeout \"500ms\""), 500, S_INIT("")},
        {S_INIT("drain-timeout \"60s\""), 60000, S_INIT("")},
        {S_INIT("drain-timeout \"1m30s\""), 90000, S_INIT("")},
        {S_INIT("drain-timeout-ms \"2m\""), 120000, S_INIT("")},
        {S_INIT("drain-timeout-ms 77"), 77, S_INIT("")},
        {S_INIT("drain-timeout 77"), 0, S_INIT("`drain-timeout` needs a unit")},
        {S_INIT("drain-timeout \"77\""), 0, S_INIT("`drain-timeout` needs a unit")},
        {S_INIT("drain-timeout \"7x\""), 0, S_INIT("`drain-timeout` has no such unit")},
        {S_INIT("drain-timeout \"7 s\""), 0, S_INIT("`drain-timeout` has no such unit")},
        {S_INIT("drain-timeout \"s\""), 0, S_INIT("`drain-timeout` has no such value")},
        {S_INIT("drain-timeout \"-7s\""), 0, S_INIT("`drain-timeout` has no such value")},
        {S_INIT("drain-timeout \"7MiB\""), 0, S_INIT("`drain-timeout` has no such unit")},
        {S_INIT("drain-timeout \"99999999999999999999s\""), 0,
         S_INIT("`drain-timeout` cannot be that large")},
        {S_INIT("drain-timeout \"1000d\""), 0, S_INIT("`drain-timeout` must be between")},
        {S_INIT("drain-timeout \"7s\"; drain-timeout-ms 7"), 0,
         S_INIT("Duplicate option `drain-timeout-ms`")},
        {S_INIT("buffer-memory \"1GB\"; drain-timeout \"9s\""), 9000, S_INIT("")},
        {S_INIT("max-connections \"60s\""), 0, S_INIT("`max-connections` takes a plain number")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t room[300];
        Loaded l;
        Text t = text_in(span_of(room, sizeof room));
        text_format(&t, "system { %.*s }\n" AROUND(ANSWER("a", "80")), STR_ARG(rows[i].option));
        load(&l, text_str(&t));
        Str said = l.d->count > 0 ? l.d->list[0].message : S("");
        EXPECT_STR(rows[i].said.len > 0 ? str_take(said, rows[i].said.len) : said, rows[i].said);
        EXPECT_U64(l.settings ? l.settings->system.drain_timeout_ms : 0, rows[i].drain_ms);
        loaded_close(&l);
    }
}

/* ---- TLS for all ---- */

TEST("tls: a section has the certificates of all listeners that ask for them")
{
    Shelf shelf = {0};
    ConfigFiles files;
    Loaded l;
    tls_shelf(&shelf);
    EXPECT_STR(load_from(&l, &shelf, &files,
                         S("tls { certificate cert-path=\"a.pem\" key-path=\"a.key\"\n"
                           "certificate cert-path=\"wild.pem\" key-path=\"wild.key\"\n"
                           "tls-versions \"1.3\"; session-lifetime \"1h\" }\nservices {\n"
                           "a { hosts \"a\"; listeners { \"" SHARED "\" tls=true }; respond }\n"
                           "b { hosts \"b\"; listeners { \"" SHARED "\" }; respond }\n"
                           "c { listeners { \"127.0.0.1:444\" tls=true { tls-versions \"1.2\" }\n"
                           "\"127.0.0.1:80\" }; respond }\n}")),
               S(""));
    if (l.settings) {
        const ListenerSettings *all = l.settings->listeners;
        EXPECT_U64(l.settings->listener_count, 3);
        EXPECT(all[0].service_count == 2 && all[0].tls.pair_count == 2);
        EXPECT_STR(all[0].tls.versions, S("1.3"));
        EXPECT_U64(all[0].tls.session_lifetime_s, 3600);
        EXPECT_STR(all[1].tls.versions, S("1.2"));
        EXPECT_U64(all[1].tls.pair_count, 2);
        EXPECT_U64(all[2].tls.pair_count, 0);
    }
    loaded_close(&l);
}

TEST("tls: a service without certificates shares those of the address, in any order")
{
    Shelf shelf = {0};
    ConfigFiles files;
    Loaded l;
    tls_shelf(&shelf);
    EXPECT_STR(load_from(&l, &shelf, &files,
                         S("services {\na { hosts \"a\"; listeners { \"" SHARED "\" }; respond }\n"
                           "b { hosts \"b\"; listeners { \"" SHARED "\" cert-path=\"a.pem\" "
                           "key-path=\"a.key\" offer-h2=false }; respond }\n"
                           "c { hosts \"c\"; listeners { \"" SHARED "\" tls=true }; respond }\n}")),
               S(""));
    EXPECT(l.settings && l.settings->listener_count == 1 &&
           l.settings->listeners[0].tls.pair_count == 1 &&
           !l.settings->listeners[0].tls.offer_h2 &&
           l.settings->listeners[0].service_count == 3);
    loaded_close(&l);
}

TEST("tls: one mistake in the section is one message, and a listener without certificates is one")
{
    static const struct {
        Str text;
        Str said;
    } rows[] = {
        {S_INIT("tls { certificate cert-path=\"a.pem\" key-path=\"wild.key\" }\nservices {\n"
                "a { hosts \"a\"; listeners { \"" SHARED "\" tls=true }; respond }\n"
                "b { hosts \"b\"; listeners { \"" SHARED "\" tls=true }; respond }\n"
                "c { listeners { \"127.0.0.1:444\" tls=true }; respond }\n}"),
         S_INIT("river.kdl:1:")},
        {S_INIT("services { a { listeners { \"" SHARED "\" tls=true }; respond } }"),
         S_INIT("river.kdl:1:28: error: this listener speaks TLS, but has no certificate\n")},
        {S_INIT("tls { tls-versions \"1.3\" }\n" AROUND(ANSWER("a", "80"))),
         S_INIT("river.kdl:1:1: error: `tls` needs `certificate`\n")},
        {S_INIT("services { a { listeners { \"" SHARED "\" tls=true h2c=true }; respond } }"),
         S_INIT("river.kdl:1:53: error: `h2c` is for listeners without TLS\n")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Shelf shelf = {0};
        ConfigFiles files;
        Loaded l;
        tls_shelf(&shelf);
        Str said = load_from(&l, &shelf, &files, rows[i].text);
        EXPECT_STR(str_take(said, rows[i].said.len), rows[i].said);
        EXPECT_U64(l.d->error_count, 1);
        loaded_close(&l);
    }
}

/* As files on a disk: the same text is the same file. */
static uint64_t shelf_identity(void *context, Str path)
{
    const ShelfFile *file = shelf_find((Shelf *)context, path);
    return file ? str_fnv(file->text, 0) : 0;
}

static Err shelf_directory(void *context, Str path)
{
    return shelf_find((Shelf *)context, path) ? ERR_OK : ERR_MISSING;
}

TEST("relative paths: they count from the configuration, and from the start with a warning")
{
    static const struct {
        Str name; /* of the configuration */
        Str there[3];
        Str path;
        Str found;
        Str said;
    } rows[] = {
        {S_INIT("river.kdl"), {S_INIT("www")}, S_INIT("www"), S_INIT("www"), S_INIT("")},
        {S_INIT("/etc/r.kdl"), {S_INIT("/etc/www")}, S_INIT("www"), S_INIT("/etc/www"), S_INIT("")},
        {S_INIT("a/r.kdl"), {S_INIT("a/www")}, S_INIT("www"), S_INIT("a/www"), S_INIT("")},
        {S_INIT("a/r.kdl"), {S_INIT("a/../w")}, S_INIT("../w"), S_INIT("a/../w"), S_INIT("")},
        {S_INIT("a/r.kdl"), {S_INIT("/www")}, S_INIT("/www"), S_INIT("/www"), S_INIT("")},
        {S_INIT("a/r.kdl"), {S_INIT("www")}, S_INIT("www"), S_INIT("www"),
         S_INIT("`www` is only where River was started; relative paths count from the "
                "configuration's directory")},
        {S_INIT("a/r.kdl"), {S_INIT("www"), S_INIT("a/www")}, S_INIT("www"), S_INIT("a/www"),
         S_INIT("`www` is in the configuration's directory, which counts, and another one is where "
                "River was started")},
        {S_INIT("./r.kdl"), {S_INIT("./"), S_INIT("."), S_INIT("www")}, S_INIT("www"),
         S_INIT("www"), S_INIT("")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t room[300];
        Shelf shelf = {0};
        Loaded l;
        Text t = text_in(span_of(room, sizeof room));
        for (size_t k = 0; k < 3 && rows[i].there[k].len > 0; k++) {
            bool dot = str_equal(rows[i].there[k], S(".")) || str_equal(rows[i].there[k], S("./"));
            shelf_put(&shelf, rows[i].there[k], dot ? S("start") : rows[i].there[k]);
        }
        ConfigFiles files = shelf_files(&shelf);
        files.identity = shelf_identity;
        files.directory = shelf_directory;
        ConfigOptions options = {.files = &files};
        text_format(&t, AROUND("a { listeners { \"127.0.0.1:80\" }; file-server { base-path "
                               "\"%.*s\" } }\n b { listeners { \"127.0.0.1:81\" }; file-server { "
                               "base-path \"%.*s\" } }\n"),
                    STR_ARG(rows[i].path), STR_ARG(rows[i].path));
        loaded_open(&l);
        l.err = config_load(&l.arena, rows[i].name, text_str(&t), &options, l.d, &l.settings);
        EXPECT(l.err == ERR_OK);
        EXPECT_U64(l.d->count, rows[i].said.len > 0 ? 1 : 0);
        EXPECT_STR(l.d->count > 0 ? l.d->list[0].message : S(""), rows[i].said);
        if (l.err == ERR_OK) {
            EXPECT_U64(l.settings->root_count, 1);
            EXPECT_STR(l.settings->roots[0], rows[i].found);
        }
        loaded_close(&l);
    }
}
