/* config_address_test.c - options about addresses: filters by CIDR with lists in files, `client-ip`
 * and the PROXY protocol. */
#include "config_support.h"

#define WITH(listener, rest)                                                                    \
    "services { A { listeners { " listener " }; respond body=\"x\"; " rest " } }"
#define FILTERS(rest)                                                                              \
    WITH("\"127.0.0.1:80\"", "path-control { request-filters { " rest " } }")

static const struct {
    Str path;
    Str bytes;
} fixtures[] = {
    {S_INIT("good.txt"), S_INIT("# offices\r\n10.0.0.0/8\r\n\r\n2001:db8::/32 # more\n192.0.2.1")},
    {S_INIT("empty.txt"), S_INIT("# nobody yet\n")},
    {S_INIT("bits.txt"), S_INIT("10.0.0.0/8\n\n10.0.0.1/8\n")},
    {S_INIT("bad.txt"), S_INIT("10.0.0.0/8\nnonsense\n10.0.0.0/33\n::1/0\n")},
};

static Err read_fixture(void *context, Arena *a, FileSettings *file)
{
    (void)context;
    for (size_t i = 0; i < SCHEMA_COUNT(fixtures); i++) {
        if (str_equal(file->path, fixtures[i].path)) {
            return arena_copy(a, fixtures[i].bytes, &file->bytes) ? ERR_OK : ERR_MEMORY;
        }
    }
    return ERR_MISSING;
}

static void load_files(Loaded *l, Str text)
{
    static const ConfigFiles files = {.read = read_fixture};
    ConfigOptions options = {.files = &files};
    load_with(l, text, &options);
}

TEST("config: lists of addresses, inline and in files")
{
    static const struct {
        Str text;
        Str first; /* the first diagnostic; empty: none */
    } rows[] = {
        {S_INIT(FILTERS("filter kind=\"block-cidr-range\" addrs=\"10.0.0.0/8, ::1\"")), S_INIT("")},
        {S_INIT(FILTERS("filter kind=\"allow-cidr-range\" addrs-file=\"good.txt\" status=404 "
                        "body=\"no\" block-connections=true")),
         S_INIT("")},
        {S_INIT(FILTERS("filter kind=\"block-cidr-range\" addrs=\"::1\" addrs-file=\"empty.txt\"")),
         S_INIT("")},
        {S_INIT(FILTERS("filter kind=\"block-cidr-range\"")),
         S_INIT("this filter needs `addrs=` or `addrs-file=`")},
        {S_INIT(FILTERS("filter kind=\"block-cidr-range\" addrs-file=\"none.txt\"")),
         S_INIT("cannot read none.txt: there is no such thing")},
        {S_INIT(FILTERS("filter kind=\"block-cidr-range\" addrs-file=\"bits.txt\"")),
         S_INIT("bits.txt:3: `10.0.0.1/8` has bits set beyond its prefix; "
                "did you mean `10.0.0.0/8`?")},
        {S_INIT(FILTERS("filter kind=\"block-cidr-range\" addrs-file=\"bad.txt\"")),
         S_INIT("bad.txt:2: `nonsense` is neither an address nor a prefix "
                "(and 2 more such lines)")},
        {S_INIT(FILTERS("filter kind=\"block-cidr-range\" addrs=\"10.0.0.1/8\"")),
         S_INIT("`10.0.0.1/8` has bits set beyond its prefix")},
        {S_INIT(FILTERS("filter kind=\"block-cidr-range\" addrs=\"::1\" status=200")),
         S_INIT("`status` must be between 400 and 599, not 200")},
        {S_INIT(WITH("\"127.0.0.1:80\" proxy-protocol=true", "")),
         S_INIT("`proxy-protocol` needs `trusted-proxies`, or no peer may connect")},
        {S_INIT(WITH("\"127.0.0.1:80\" proxy-protocol=true",
                        "client-ip { trusted-proxies \"10.0.0.0/8\" }")),
         S_INIT("")},
        {S_INIT(WITH("\"/run/river.sock\" proxy-protocol=true", "")), S_INIT("")},
        {S_INIT(WITH("\"127.0.0.1:80\"", "client-ip { header \"Forwarded\" }")),
         S_INIT("`forwarded` is not a list of addresses")},
        {S_INIT(WITH("\"127.0.0.1:80\"", "client-ip { header \"a b\" }")),
         S_INIT("this is not the name of a header field")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Loaded l;
        load_files(&l, rows[i].text);
        EXPECT_U64(l.d->count, rows[i].first.len > 0);
        EXPECT_STR(l.d->count > 0 ? l.d->list[0].message : STR_NONE, rows[i].first);
        EXPECT((l.err == ERR_OK) == (rows[i].first.len == 0));
        loaded_close(&l);
    }
}

TEST("config: what `client-ip` and `proxy-protocol` become")
{
    Loaded l;
    load(&l, S(WITH("\"127.0.0.1:80\"; \"127.0.0.1:81\" proxy-protocol=true",
                       "client-ip { trusted-proxies \"10.0.0.0/8, ::1\"; header \"X-Real\" }")));
    EXPECT(l.err == ERR_OK);
    if (l.err == ERR_OK) {
        const ServiceSettings *s = l.settings->services[0];
        EXPECT_U64(s->trusted_count, 2);
        EXPECT_STR(s->client_ip_header, S("x-real"));
        EXPECT(!l.settings->listeners[0].proxy_protocol && l.settings->listeners[1].proxy_protocol);
    }
    loaded_close(&l);
}
