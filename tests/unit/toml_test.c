/* toml_test.c - configurations in River 0.2's format: the same settings as from KDL, the same
 * places for mistakes, and one word about their age. */
#include "config/toml_tree.h"
#include "config_support.h"

#define TCP(address) "{ source = { kind = \"Tcp\", value = { addr = \"" address "\" } } }"
#define LISTENERS "listeners = [" TCP("127.0.0.1:80") "]\n"
#define CONNECTOR_81 "connector = { proxy_addr = \"127.0.0.1:81\" }\n"
#define PROXY "[[basic-proxy]]\nname = \"A\"\n"
#define GOOD PROXY LISTENERS CONNECTOR_81
#define DEPRECATED "configurations in TOML are deprecated"

static void load_toml(Loaded *l, Str text, ConfigCompat compat)
{
    ConfigOptions options = {.compat = compat, .format = CONFIG_TOML};
    load_with(l, text, &options);
}

TEST("toml: a configuration gives the settings that its KDL gives, and one warning")
{
    Loaded l;
    load_toml(&l, S("[system]\nthreads-per-service = 0x3\n"
                    "[[basic-proxy]]\nname = \"A\"\n"
                    "[[basic-proxy.listeners]]\n[basic-proxy.listeners.source]\nkind = \"Tcp\"\n"
                    "[basic-proxy.listeners.source.value]\naddr = \"127.0.0.1:80\"\n"
                    "[[basic-proxy.listeners]]\n"
                    "source = { kind = \"Uds\", value = '/tmp/a.sock' }\n"
                    "[basic-proxy.connector]\nproxy_addr = \"[::1]:81\"\n"
                    "[[basic-proxy]]\nname = \"B \\u00e9\"\n"
                    "listeners = [" TCP("127.0.0.1:82") "]\n" CONNECTOR_81),
              COMPAT_NONE);
    EXPECT(l.err == ERR_OK && l.settings);
    EXPECT(l.d->count == 1 && l.d->list[0].severity == SEVERITY_WARNING);
    EXPECT_STR(l.d->list[0].message, S(DEPRECATED));
    if (l.settings && l.settings->service_count == 2) {
        const ServiceSettings *a = l.settings->services[0];
        const ServiceSettings *b = l.settings->services[1];
        EXPECT_U64(l.settings->system.threads, 3);
        EXPECT_U64(l.settings->listener_count, 3);
        EXPECT_STR(l.settings->listeners[0].address.text, S("127.0.0.1:80"));
        EXPECT_STR(l.settings->listeners[1].address.unix_path, S("/tmp/a.sock"));
        EXPECT_U64(a->action.cluster.connector_count, 1);
        EXPECT_STR(a->action.cluster.connectors[0].address.text, S("[::1]:81"));
        EXPECT_STR(b->name, S("B \xc3\xa9"));
    }
    loaded_close(&l);
}

TEST("toml: River's own file gives nothing but \"not supported yet\" and its age")
{
    Loaded file;
    Loaded l;
    Str text = STR_NONE;
    loaded_open(&file);
    if (source_file(&file.arena, "../shared/river-files/river-0.5-test-config.toml", &text) ||
        source_file(&file.arena, "../river-files/river-0.5-test-config.toml", &text)) {
        load_toml(&l, text, COMPAT_NONE);
        for (size_t i = 0; i < l.d->count; i++) {
            EXPECT(str_ends(l.d->list[i].message, S("` is not supported yet")) ||
                   str_equal(l.d->list[i].message, S(DEPRECATED)));
        }
        loaded_close(&l);
    }
    loaded_close(&file);
}

TEST("toml: it is printed as the KDL that means the same, in either version")
{
    static const Str text = S_INIT(
        PROXY "[[basic-proxy.listeners]]\nsource.kind = \"Tcp\"\n"
              "source.value = { addr = \"0.0.0.0:443\", "
              "tls = { cert_path = \"c\", key_path = \"k\" } }\n"
              "[basic-proxy.connector]\nproxy_addr = \"1.2.3.4:443\"\ntls_sni = \"n\"\n"
              "[basic-proxy.path-control]\nupstream-request-filters = [\n"
              "  { kind = \"upsert-header\", key = \"x\", value = \"y\" }, # a comment\n]\n");
    Loaded l;
    Str printed = STR_NONE;
    loaded_open(&l);
    EXPECT(config_print_kdl(&l.arena, S("a"), text, CONFIG_TOML, 0, l.d, &printed) == ERR_OK);
    EXPECT_STR(printed,
               S("services {\n    A {\n        listeners {\n"
                 "            \"0.0.0.0:443\" cert-path=\"c\" key-path=\"k\" offer-h2=false\n"
                 "        }\n        connectors {\n"
                 "            \"1.2.3.4:443\" proto=\"h1-only\" tls-sni=\"n\"\n        }\n"
                 "        path-control {\n            upstream-request {\n"
                 "                filter key=\"x\" kind=\"upsert-header\" value=\"y\"\n"
                 "            }\n        }\n    }\n}\n"));
    EXPECT_U64(l.d->count, 0);
    EXPECT(config_print_kdl(&l.arena, S("a"), text, CONFIG_TOML, 2, l.d, &printed) == ERR_OK);
    EXPECT(str_find(printed, '#', 0) < printed.len);
    EXPECT(config_print_kdl(&l.arena, S("a"), S("x = 1\n" GOOD), CONFIG_TOML, 0, l.d, &printed) ==
           ERR_SYNTAX);
    loaded_close(&l);
}

typedef struct Mistake {
    Str text;
    Str first; /* "LINE:COLUMN: MESSAGE" of the first error */
} Mistake;

static const Mistake mistakes[] = {
    {S_INIT(""), S_INIT("1:1: there is no [[basic-proxy]]")},
    {S_INIT("a = 1\na = 2\n"), S_INIT("2:1: duplicate key")},
    {S_INIT("a = \"\xff\"\n"), S_INIT("1:6: not UTF-8")},
    {S_INIT("sytem = {}\n" GOOD), S_INIT("1:1: there is no `sytem` here")},
    {S_INIT("system = 1\n" GOOD), S_INIT("1:10: `system` takes a table")},
    {S_INIT("system.threads-per-service = \"8\"\n" GOOD),
     S_INIT("1:30: `threads-per-service` takes an integer")},
    {S_INIT("system.threads-per-service = 8.5\n" GOOD),
     S_INIT("1:30: `threads-per-service` takes an integer")},
    {S_INIT("system.threads-per-service = -1\n" GOOD),
     S_INIT("1:30: `threads-per-service` must be between 1 and 1024, not -1")},
    {S_INIT("basic-proxy = 5\n"), S_INIT("1:15: `basic-proxy` takes an array")},
    {S_INIT("basic-proxy = [5]\n"), S_INIT("1:16: `basic-proxy` takes a table")},
    {S_INIT("basic-proxy = []\n"), S_INIT("1:1: `services` is empty")},
    {S_INIT("[[basic-proxy]]\n" LISTENERS CONNECTOR_81), S_INIT("1:1: `basic-proxy` needs `name`")},
    {S_INIT(PROXY LISTENERS), S_INIT("1:1: `basic-proxy` needs `connector`")},
    {S_INIT(PROXY CONNECTOR_81), S_INIT("2:8: `A` needs `listeners`")},
    {S_INIT(GOOD GOOD), S_INIT("6:8: there is already a service of this name")},
    {S_INIT(PROXY CONNECTOR_81 "listeners = [{}]\n"), S_INIT("4:14: `listeners` needs `source`")},
    {S_INIT(PROXY CONNECTOR_81 "listeners = [{ source.kind = \"Udp\", source.value = 1 }]\n"),
     S_INIT("4:30: there is no listener of kind `Udp`")},
    {S_INIT(PROXY CONNECTOR_81 "listeners = [{ source = { kind = \"Uds\", value = {} } }]\n"),
     S_INIT("4:49: `value` takes a string")},
    {S_INIT(PROXY CONNECTOR_81
            "listeners = [{ source = { kind = \"Tcp\", value = { addr = \"1.2.3.4\" } } }]\n"),
     S_INIT("4:58: the port is missing")},
    {S_INIT(PROXY LISTENERS "connector = { proxy_adr = \"1.2.3.4:5\" }\n"),
     S_INIT("4:13: `connector` needs `proxy_addr`")},
    {S_INIT(GOOD "path-control = { upstream-request-filters = [{ kind = 1 }] }\n"),
     S_INIT("5:55: `kind` takes a string")},
};

TEST("toml: mistakes are reported at their places")
{
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        Loaded l;
        load_toml(&l, mistakes[i].text, COMPAT_NONE);
        EXPECT(l.err == ERR_SYNTAX && l.d->error_count > 0);
        const Diagnostic *first = NULL;
        for (size_t k = 0; k < l.d->count && !first; k++) {
            first = l.d->list[k].severity == SEVERITY_ERROR ? &l.d->list[k] : NULL;
        }
        uint8_t room[256];
        Text got = text_in(span_of(room, sizeof room));
        if (first) {
            Place place = place_of(mistakes[i].text, first->location.from);
            text_format(&got, "%u:%u: %.*s", place.line, place.column, STR_ARG(first->message));
        }
        EXPECT_STR(text_str(&got), mistakes[i].first);
        loaded_close(&l);
    }
}

TEST("toml: a key that River ignored is a warning with --compat")
{
    Loaded l;
    load_toml(&l, S(GOOD "retries = 3\n"), COMPAT_0_5);
    EXPECT(l.err == ERR_OK);
    EXPECT_U64(l.d->count, 2);
    loaded_close(&l);
    load_toml(&l, S(GOOD "nam = 3\n"), COMPAT_NONE);
    EXPECT(l.err == ERR_SYNTAX);
    EXPECT_STR(l.d->list[1].help, S("did you mean `name`?"));
    loaded_close(&l);
}

TEST("toml: depth and length are bounded")
{
    static uint8_t room[TOML_TEXT_BYTES_MAX + 1];
    Loaded l;
    Text text = text_in(span_of(room, sizeof room));
    text_add(&text, S(GOOD "x = "));
    for (size_t i = 0; i < 40; i++) {
        text_add(&text, S("["));
    }
    for (size_t i = 0; i < 40; i++) {
        text_add(&text, S("]"));
    }
    load_toml(&l, text_str(&text), COMPAT_NONE);
    EXPECT(l.err == ERR_SYNTAX && l.d->count == 1);
    EXPECT_STR(l.d->list[0].message, S("tables and arrays are nested too deeply here"));
    loaded_close(&l);

    span_fill(span_of(room, sizeof room), '\n');
    load_toml(&l, str_of(room, sizeof room), COMPAT_NONE);
    EXPECT(l.err == ERR_LIMIT && l.d->count == 1);
    loaded_close(&l);
}
