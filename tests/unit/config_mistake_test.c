/* config_mistake_test.c - every kind of mistake: where it is reported, and in which words. */
#include "config_support.h"

typedef struct Mistake {
    Str text;
    Str first; /* "LINE:COLUMN: MESSAGE" of the first one */
} Mistake;

/* One mistake each. */
static const Mistake mistakes[] = {
    /* the document */
    {S_INIT(""), S_INIT("1:1: the section `services` is missing")},
    {S_INIT("services { }"), S_INIT("1:1: `services` is empty")},
    {S_INIT("sevices { }; " MINIMAL), S_INIT("1:1: there is no `sevices` here")},
    {S_INIT("system { }; system { }; " MINIMAL), S_INIT("1:13: Duplicate section `system`")},
    {S_INIT(MINIMAL " services { }"),
     S_INIT("1:81: nothing may follow the children block of a node")},
    /* kinds of values */
    {S_INIT(SYSTEM("daemonize 1")),
     S_INIT("1:20: `daemonize` takes true or false, not an integer")},
    {S_INIT(SYSTEM("daemonize \"true\"")),
     S_INIT("1:20: `daemonize` takes true or false, not a string")},
    {S_INIT(SYSTEM("daemonize")), S_INIT("1:10: `daemonize` needs a value: true or false")},
    {S_INIT(SYSTEM("pid-file 5")),
     S_INIT("1:19: `pid-file` takes an absolute path, not an integer")},
    {S_INIT(SYSTEM("pid-file null")),
     S_INIT("1:19: `pid-file` takes an absolute path, not null")},
    {S_INIT(SYSTEM("max-connections 1.5")),
     S_INIT("1:26: `max-connections` takes an integer, not a number with a fraction or exponent")},
    {S_INIT(SYSTEM("max-connections -1")),
     S_INIT("1:26: `max-connections` must be between 0 and 10000000, not -1")},
    {S_INIT(SYSTEM("max-connections 99999999999999999999999")),
     S_INIT("1:26: `max-connections` must be between 0 and 10000000, not "
            "99999999999999999999999")},
    {S_INIT(SYSTEM("max-connections 1 2")),
     S_INIT("1:28: `max-connections` takes no further value")},
    {S_INIT(SYSTEM("max-connections 1 n=1")),
     S_INIT("1:28: `max-connections` takes no argument `n`")},
    {S_INIT(SYSTEM("max-connections 1 { }")), S_INIT("1:10: `max-connections` takes no block")},
    {S_INIT(SYSTEM("max-connections (u8)1")),
     S_INIT("1:26: type annotations have no meaning here")},
    {S_INIT("system 5; " MINIMAL), S_INIT("1:8: `system` takes no value")},
    /* the system */
    {S_INIT(SYSTEM("pid-file \"river.pid\"")), S_INIT("1:19: `pid-file` takes an absolute path")},
    {S_INIT(SYSTEM("daemonize true")), S_INIT("1:10: `daemonize` needs `pid-file`")},
    {S_INIT(SYSTEM("pid-file \"/a\"; control-socket \"/a\"")),
     S_INIT("1:25: `control-socket` is the same path as `pid-file`")},
    {S_INIT(SYSTEM("user 5")),
     S_INIT("1:15: `user` takes a string that is not empty, not an integer")},
    {S_INIT(SYSTEM("sandbox \"no\"")),
     S_INIT("1:18: `sandbox` takes true or false, not a string")},
    {S_INIT(SYSTEM("max-connections 1; max-connections 2")),
     S_INIT("1:29: Duplicate option `max-connections`")},
    {S_INIT(SYSTEM("log { access \"file\" }")),
     S_INIT("1:23: `access` takes \"off\", \"stdout\", \"stderr\" or an absolute path")},
    {S_INIT(SYSTEM("log { error \"stdout\" }")),
     S_INIT("1:22: `error` takes \"stderr\" or an absolute path")},
    {S_INIT(SYSTEM("log { error \"stderr\" level=\"wran\" }")),
     S_INIT("1:37: `level` has no value `wran`")},
    {S_INIT(SYSTEM("log { access \"off\" format=\"json\" format=\"json\" }")),
     S_INIT("1:29: `format` is given again after this")},
    /* addresses */
    {S_INIT(LISTENER("\"localhost:80\"")), S_INIT("1:28: this is a host name, not an address")},
    {S_INIT(LISTENER("\":8080\"")), S_INIT("1:28: a port alone is no address")},
    {S_INIT(LISTENER("\"*:80\"")), S_INIT("1:28: a port alone is no address")},
    {S_INIT(LISTENER("\"80\"")), S_INIT("1:28: a port alone is no address")},
    {S_INIT(LISTENER("\"@abstract\"")), S_INIT("1:28: River does not know abstract sockets")},
    {S_INIT(CONNECTOR("\"http://127.0.0.1:80\"")),
     S_INIT("1:59: an address has no scheme and no path")},
    {S_INIT(CONNECTOR("\"https://app.example/x\"")),
     S_INIT("1:59: an address has no scheme and no path")},
    {S_INIT(LISTENER("\"127.0.0.1\"")), S_INIT("1:28: the port is missing")},
    {S_INIT(LISTENER("\"127.0.0.1:\"")), S_INIT("1:28: the port is missing")},
    {S_INIT(LISTENER("\"127.0.0.1:0\"")),
     S_INIT("1:28: the port must be between 1 and 65535")},
    {S_INIT(LISTENER("\"127.0.0.1:65536\"")),
     S_INIT("1:28: the port must be between 1 and 65535")},
    {S_INIT(LISTENER("\"127.0.0.1:x\"")),
     S_INIT("1:28: the port must be between 1 and 65535")},
    {S_INIT(LISTENER("\"::1\"")), S_INIT("1:28: an IPv6 address needs brackets")},
    {S_INIT(LISTENER("\"::1:80\"")), S_INIT("1:28: an IPv6 address needs brackets")},
    {S_INIT(LISTENER("\"[::1]\"")), S_INIT("1:28: the port is missing")},
    {S_INIT(LISTENER("\"[1.2.3.4]:80\"")), S_INIT("1:28: this is not an address")},
    {S_INIT(LISTENER("\"[::1]x\"")), S_INIT("1:28: this is not an address")},
    {S_INIT(LISTENER("\"run/x.sock\"")),
     S_INIT("1:28: the path of a Unix socket must be absolute")},
    {S_INIT(LISTENER("\"/123456789/123456789/123456789/123456789/123456789/123456789/123456789/"
                     "123456789/123456789/123456789/12345678\"")),
     S_INIT("1:28: the path of a Unix socket has at most 107 bytes")},
    {S_INIT(LISTENER("\"\"")), S_INIT("1:28: this is not an address")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" mode=\"0660\"")),
     S_INIT("1:43: `mode` is for Unix sockets only")},
    {S_INIT(LISTENER("\"/x\" mode=\"9\"")),
     S_INIT("1:38: `mode` takes an octal mode like \"0660\"")},
    {S_INIT(LISTENER("\"127.0.0.1:80\"; \"127.0.0.1:80\"")),
     S_INIT("1:44: this service already listens there")},
    {S_INIT(LISTENER("")), S_INIT("1:16: `listeners` is empty")},
    {S_INIT("services { A { " CONNECT "} }"), S_INIT("1:12: `A` needs `listeners`")},
    {S_INIT("services { A { " LISTEN CONNECT "}; B { " LISTEN CONNECT "} }"),
     S_INIT("1:96: the service `A` already listens there")},
    {S_INIT("services { A { " LISTEN CONNECT "}; A { listeners { \"/x\" }; " CONNECT "} }"),
     S_INIT("1:80: there is already a service of this name")},
    /* connectors */
    {S_INIT("services { A { " LISTEN "} }"),
     S_INIT("1:12: nothing answers the requests of `A`")},
    {S_INIT(CONNECTOR("")), S_INIT("1:46: `connectors` needs at least one endpoint")},
    {S_INIT(CONNECTOR("load-balance { }")),
     S_INIT("1:46: `connectors` needs at least one endpoint")},
    {S_INIT(CONNECTOR("load-balence { }; \"127.0.0.1:81\"")),
     S_INIT("1:59: there is no `load-balence` here")},
    {S_INIT(CONNECTOR("\"127.0.0.1:81\" weight=0")),
     S_INIT("1:81: `weight` must be between 1 and 65535, not 0")},
    {S_INIT(CONNECTOR("\"127.0.0.1:81\" weight=65536")),
     S_INIT("1:81: `weight` must be between 1 and 65535, not 65536")},
    {S_INIT(CONNECTOR("\"127.0.0.1:81\" proto=\"http\"")),
     S_INIT("1:80: `proto` has no value `http`")},
    {S_INIT(BALANCE("selection \"Random\" key=\"UriPath\"")),
     S_INIT("1:93: `Random` uses no key")},
    {S_INIT(BALANCE("selection \"roundrobin\"")),
     S_INIT("1:84: `selection` has no value `roundrobin`")},
    {S_INIT(BALANCE("health-check \"UDP\"")),
     S_INIT("1:87: `health-check` has no value `UDP`")},
    {S_INIT(BALANCE("refresh-bounds min-seconds=9 max-seconds=5")),
     S_INIT("1:101: `min-seconds` is above `max-seconds`")},
    {S_INIT(SERVICE("respond")), S_INIT("1:77: `respond` cannot be combined with `connectors`")},
    /* other sections of a service */
    {S_INIT("services { A { " LISTEN "respond status=199 } }"),
     S_INIT("1:61: `status` must be between 200 and 599, not 199")},
    {S_INIT("services { A { " LISTEN "respond status=204 body=\"x\" } }"),
     S_INIT("1:65: an answer with status 204 has no body")},
    {S_INIT("services { A { " LISTEN "respond content-type=\"a\\nb\" } }"),
     S_INIT("1:67: `content-type` takes the value of a header field")},
    {S_INIT(SERVICE("host \"a b\"")),
     S_INIT("1:82: `host` takes a host name, maybe with a port")},
    {S_INIT(SERVICE("upgrade-protocols \"web socket\"")),
     S_INIT("1:95: `upgrade-protocols` takes the name of a protocol")},
    {S_INIT(SERVICE("retries 11")), S_INIT("1:85: `retries` must be between 0 and 10, not 11")},
    {S_INIT(SERVICE("request-id { header \"x id\" }")),
     S_INIT("1:97: this is not the name of a header field")},
    {S_INIT(SERVICE("path-control { upstream-request { filter kind=\"upsert-header\" "
                    "key=\"Host\" value=\"a\" } }")),
     S_INIT("1:143: `Host` is out of reach")},
    {S_INIT(SERVICE("request-id { header \"Content-Length\" }")),
     S_INIT("1:97: `Content-Length` is out of reach")},
    {S_INIT(SERVICE("client-ip { trusted-proxies \"10.0.0.1/8\" }")),
     S_INIT("1:105: `10.0.0.1/8` has bits set beyond its prefix")},
    {S_INIT(SERVICE("client-ip { trusted-proxies \"10.0.0.0/33\" }")),
     S_INIT("1:105: `10.0.0.0/33` has too long a prefix")},
    {S_INIT(SERVICE("client-ip { trusted-proxies \"10.0.0.0/8,\" }")),
     S_INIT("1:105: `` is neither an address nor a prefix")},
    {S_INIT(SERVICE("client-ip { trusted-proxies \"\" }")), S_INIT("1:105: this list is empty")},
    {S_INIT(SERVICE("overload { max-headers 257 }")),
     S_INIT("1:100: `max-headers` must be between 1 and 256, not 257")},
    {S_INIT(SERVICE("overload { max-header-bytes 131073 }")),
     S_INIT("1:105: `max-header-bytes` must be between 256 and 131072, not 131073")},
    {S_INIT(SERVICE("overload { max-target-bytes 65537 }")),
     S_INIT("1:105: `max-target-bytes` must be between 16 and 65536, not 65537")},
    {S_INIT(SERVICE("overload { }; overload { }")), S_INIT("1:91: Duplicate section `overload`")},
    /* patterns: the place is within the value where it is written as it is meant */
    {S_INIT(SERVICE("path-control { upstream-request { filter kind=\"remove-header-key-regex\" "
                    "pattern=\"a(b\" } }")),
     S_INIT("1:159: not a regular expression: unclosed group")},
    {S_INIT(SERVICE("path-control { response-filters { filter kind=\"remove-header-key-glob\" "
                    "pattern=\"012345678901234567890123456789"
                    "0123456789012345678901234567890123\" } "
                    "}")),
     S_INIT("1:156: this pattern is too long: it may hold 63 characters beside its stars")},
    {S_INIT(SERVICE("rate-limiting { rule kind=\"any-matching-uri\" pattern=r\"\\d)+\" "
                    "tokens-per-bucket=1 refill-qty=1 refill-rate-ms=1 }")),
     S_INIT("1:134: not a regular expression: unopened group")},
    {S_INIT(SERVICE("rate-limiting { rule kind=\"specific-uri\" pattern=\"\\u{e9}*)\" "
                    "max-buckets=1 tokens-per-bucket=1 refill-qty=1 refill-rate-ms=1 }")),
     S_INIT("1:126: not a regular expression: unopened group")},
    {S_INIT(SERVICE("rate-limiting { rule kind=\"any-matching-uri\" pattern=\"a{2\" "
                    "tokens-per-bucket=1 refill-qty=1 refill-rate-ms=1 }")),
     S_INIT("1:132: not a regular expression: unclosed counted repetition")},
    {S_INIT(SERVICE("rate-limiting { rule kind=\"any-matching-uri\" pattern=\"\" "
                    "tokens-per-bucket=1 refill-qty=1 refill-rate-ms=1 }")),
     S_INIT("1:130: `pattern` takes a regular expression")},
    /* the language itself */
    {S_INIT("services { A { listeners { \"127.0.0.1:80 } } }"),
     S_INIT("1:28: this string is never closed")},
};

/* "LINE:COLUMN: MESSAGE" */
static Str place_and_message(const Loaded *l, const Diagnostic *one)
{
    static uint8_t room[2048];
    Text t = text_in(span_of(room, sizeof room));
    Place place = place_of(l->d->text, one->location.from);
    text_format(&t, "%u:%u: %.*s", (unsigned)place.line, (unsigned)place.column,
                STR_ARG(one->message));
    return text_str(&t);
}

TEST("config: each kind of mistake has its place and its words")
{
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        Loaded l;
        load(&l, mistakes[i].text);
        EXPECT_U64(l.d->count, 1);
        if (l.d->count > 0) {
            bool warning = l.d->list[0].severity == SEVERITY_WARNING; /* legal KDL */
            EXPECT(l.err == (warning ? ERR_OK : ERR_SYNTAX));
            EXPECT_STR(place_and_message(&l, &l.d->list[0]), mistakes[i].first);
        }
        loaded_close(&l);
    }
}

/* What is valid but not built yet: exactly one error, at its line. */
static const Mistake later[] = {
    {S_INIT("acme { accept-terms-of-service true; store-dir \"/x\" }; " MINIMAL),
     S_INIT("1:1: `acme` is not supported yet")},
    {S_INIT(LISTENER("\"127.0.0.1:80\" acme-domains=\"a.example\"")),
     S_INIT("1:56: `acme-domains` is not supported yet")},
    {S_INIT(CONNECTOR("\"127.0.0.1:81\" priority=1")),
     S_INIT("1:83: `priority` is not supported yet")},
    {S_INIT(CONNECTOR("dns \"a.example\" port=1 tls=true weight=3")),
     S_INIT("1:59: `dns` is not supported yet")},
    {S_INIT(CONNECTOR("srv \"_http._tcp.a.example\" refresh-seconds=5")),
     S_INIT("1:59: `srv` is not supported yet")},
    {S_INIT(BALANCE("health-check \"TCP\" frequency-ms=1 tls-sni=\"a\"")),
     S_INIT("1:74: `TCP` is not supported yet")},
    {S_INIT(BALANCE("health-check \"HTTP\" host=\"a\" path=\"/h\" tls=true")),
     S_INIT("1:74: `HTTP` is not supported yet")},
};

TEST("config: what is not built yet ends in exactly one error at its line")
{
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        Loaded l;
        load(&l, later[i].text);
        EXPECT(l.err == ERR_SYNTAX);
        EXPECT_U64(l.d->count, 1);
        if (l.d->count > 0) {
            EXPECT_STR(place_and_message(&l, &l.d->list[0]), later[i].first);
        }
        loaded_close(&l);
    }
}

/* Mistakes deep within sections; what is not built yet is reported beside them. */
static const Mistake within[] = {
    {S_INIT("acme { accept-terms-of-service false; store-dir \"/x\" }; " MINIMAL),
     S_INIT("1:32: without the terms of service there are no certificates")},
    {S_INIT("acme { accept-terms-of-service true; store-dir \"x\" }; " MINIMAL),
     S_INIT("1:48: `store-dir` takes an absolute path")},
    {S_INIT("acme { accept-terms-of-service true; store-dir \"/x\"; domain \"*.a\" }; " MINIMAL),
     S_INIT("1:61: a wildcard certificate needs the dns-01 challenge")},
    {S_INIT("acme { accept-terms-of-service true; store-dir \"/x\"; challenge \"dns-01\"; "
            "domain \"*.a\" }; " MINIMAL),
     S_INIT("1:74: the dns-01 challenge needs a `hook`")},
    {S_INIT("acme { accept-terms-of-service true; store-dir \"/x\"; renew-before-expiry-days 3; "
            "renew-after-issue-days 4 }; " MINIMAL),
     S_INIT("1:82: `renew-after-issue-days` and `renew-before-expiry-days` exclude each other")},
    {S_INIT(CONNECTOR("dns \"a.example\"")), S_INIT("1:59: `dns` needs `port=`")},
    {S_INIT(CONNECTOR("srv \"a\" refresh=\"ttl\" refresh-seconds=3")),
     S_INIT("1:81: `refresh` and `refresh-seconds` exclude each other")},
    {S_INIT(CONNECTOR("srv \"a\" min-refresh-seconds=3 max-refresh-seconds=2")),
     S_INIT("1:87: `min-refresh-seconds` is above `max-refresh-seconds`")},
    {S_INIT(BALANCE("selection \"Ketama\"")), S_INIT("1:84: `Ketama` needs a key")},
    {S_INIT(BALANCE("health-check \"HTTP\"")), S_INIT("1:74: `HTTP` needs `host=`")},
    {S_INIT("services { A { " LISTEN "routes { route \"api\" { " CONNECT "} } } }"),
     S_INIT("1:61: the path of a route is absolute")},
    {S_INIT("services { A { " LISTEN "routes { route \"/\" { connectors { } } } } }"),
     S_INIT("1:67: `connectors` needs at least one endpoint")},
    {S_INIT(ROUTES("route \"/a\" { }")),
     S_INIT("1:55: this route has nothing to answer its requests")},
    {S_INIT(ROUTES("route \"/a\" { respond; redirect to=\"/\" }")),
     S_INIT("1:77: `redirect` cannot be combined with `respond`")},
    {S_INIT(ROUTES("route \"/a?b\" { respond }")),
     S_INIT("1:61: `route` takes the path of a URI, percent-encoded")},
    {S_INIT(ROUTES("route \"/\xc3\xa4\" { respond }")),
     S_INIT("1:61: `route` takes the path of a URI, percent-encoded")},
    {S_INIT(ROUTES("route \"/a/../b\" { respond }")),
     S_INIT("1:61: no request's path has this form once it is normalised")},
    {S_INIT(ROUTES("route \"/%7Ea\" { respond }")),
     S_INIT("1:61: no request's path has this form once it is normalised")},
    {S_INIT(ROUTES("route \"/a%2fb\" { respond }")),
     S_INIT("1:61: `normalization` refuses every request with such a path")},
    {S_INIT(ROUTES("route \"/a(\" match=\"regex\" { respond }")),
     S_INIT("1:64: not a regular expression: unclosed group")},
    {S_INIT(ROUTES("route \"/a\" match=\"glob\" { respond }")),
     S_INIT("1:72: `match` has no value `glob`")},
    {S_INIT(ROUTES("route \"/a\" methods=\"get\" { respond }")),
     S_INIT("1:74: methods are case-sensitive: no client sends `get`")},
    {S_INIT(ROUTES("route \"/a\" { respond }; route \"/a\" methods=\"GET\" { respond }")),
     S_INIT("1:85: a route before this one takes all of its requests")},
    {S_INIT(ROUTES("route \"/a\" methods=\"GET,PUT\" { respond }; "
                   "route \"/a\" methods=\"PUT\" { respond }")),
     S_INIT("1:103: a route before this one takes all of its requests")},
    {S_INIT(ROUTES("route \"/a\" { redirect }")),
     S_INIT("1:68: this redirects clients to where they came from")},
    {S_INIT(ROUTES("route \"/a\" { redirect query=false }")),
     S_INIT("1:68: this redirects clients to where they came from")},
    {S_INIT(ROUTES("route \"/a\" { redirect to=\"/\" scheme=\"https\" }")),
     S_INIT("1:84: `scheme` has no effect beside `to`")},
    {S_INIT(ROUTES("route \"/a\" { redirect path=\"/\" prefix=\"/\" }")),
     S_INIT("1:86: `path` and `prefix` exclude each other")},
    {S_INIT(ROUTES("route \"/a\" match=\"exact\" { redirect prefix=\"/\" }")),
     S_INIT("1:91: `prefix` is for a route that matches a prefix")},
    {S_INIT(ROUTES("route \"/a\" { redirect to=\"/a b\" }")),
     S_INIT("1:80: `to` takes a URI, percent-encoded")},
    {S_INIT(ROUTES("route \"/a\" { redirect host=\"a:80\" }")),
     S_INIT("1:82: `host` takes a host name or address, without a port")},
    {S_INIT(ROUTES("route \"/a\" { redirect to=\"/\" status=304 }")),
     S_INIT("1:91: this is not a redirect status")},
    {S_INIT("services { A { " LISTEN "redirect prefix=\"/\" } }"),
     S_INIT("1:55: `prefix` is for a route that matches a prefix")},
    {S_INIT(SERVICE("hosts \"a.example:80\"")),
     S_INIT("1:83: `hosts` takes a host name, or \"*.\" and a name for all names below it")},
    {S_INIT(SERVICE("hosts \"a.*.example\"")),
     S_INIT("1:83: `hosts` takes a host name, or \"*.\" and a name for all names below it")},
    {S_INIT(SERVICE("hosts \"*\"")),
     S_INIT("1:83: `hosts` takes a host name, or \"*.\" and a name for all names below it")},
    {S_INIT(SERVICE("hosts \"a.example\" \"A.example.\"")),
     S_INIT("1:95: this host is already listed")},
    {S_INIT(HOSTS("a.example", "b.example") " C { " LISTEN "respond }; D { " LISTEN "respond } }"),
     S_INIT("1:201: the service `C` already listens there")},
    {S_INIT(HOSTS("a.example", "A.EXAMPLE") "}"),
     S_INIT("1:116: the service `A` has this host at the same address")},
    {S_INIT(HOSTS("*.a.example", "*.a.example") "}"),
     S_INIT("1:118: the service `A` has this host at the same address")},
    {S_INIT("services { A { " LISTEN "file-server { } } }"),
     S_INIT("1:46: `file-server` needs `base-path`")},
    {S_INIT(SERVICE("path-control { request-filters { filter kind=\"max-size\" } }")),
     S_INIT("1:122: no `filter` of kind `max-size` is allowed here")},
    {S_INIT(SERVICE("path-control { request-filters { filter } }")),
     S_INIT("1:110: `filter` needs kind=\"…\"")},
    {S_INIT(SERVICE("path-control { upstream-request { filter kind=\"remove-header\" "
                    "key=\"Transfer-Encoding\" } }")),
     S_INIT("1:143: `Transfer-Encoding` is out of reach")},
    {S_INIT(SERVICE("path-control { request-body { filter kind=\"max-size\" max-bytes=1; "
                    "filter kind=\"max-size\" max-bytes=2 } }")),
     S_INIT("1:155: this stage already has a `max-size`")},
    {S_INIT(SERVICE("path-control { request-body { filter kind=\"max-size\" max-bytes=0 } }")),
     S_INIT("1:140: `max-bytes` must be between 1 and 1125899906842624, not 0")},
    {S_INIT(SERVICE("rate-limiting { rule kind=\"source-ip\" max-buckets=1 }")),
     S_INIT("1:93: `source-ip` needs `tokens-per-bucket=`")},
};

TEST("config: sections are checked in full, also those that are not built yet")
{
    for (size_t i = 0; i < sizeof within / sizeof within[0]; i++) {
        Loaded l;
        load(&l, within[i].text);
        EXPECT(l.err == ERR_SYNTAX);
        bool found = false;
        for (size_t k = 0; k < l.d->count; k++) {
            found = found || str_equal(place_and_message(&l, &l.d->list[k]), within[i].first);
        }
        EXPECT(found);
        if (!found) {
            printf("    in %.*s\n%.*s", STR_ARG(within[i].text), STR_ARG(shown(&l)));
        }
        loaded_close(&l);
    }
}

TEST("config: all mistakes are shown in one run, in the order of the text, each underlined")
{
    Loaded l;
    load(&l, S("system {\n"
               "\tthreds-per-service 8\n"
               "    log { error \"stderr\" level=\"inof\" }\n"
               "}\n"
               "services {\n"
               "    Überraschung {\n"
               "        listeners { \"localhost:80\" }\n"
               "        connectors { \"127.0.0.1:81\" wieght=2 }\n"
               "        overload { }\n"
               "        overload { }\n"
               "    }\n"
               "}\n"));
    EXPECT(l.err == ERR_SYNTAX);
    EXPECT_U64(l.d->error_count, 5);
    EXPECT_STR(
        shown(&l),
        S("river.kdl:2:2: error: there is no `threds-per-service` here\n"
          "     2 | \tthreds-per-service 8\n"
          "       | \t^^^^^^^^^^^^^^^^^^\n"
          "help: did you mean `threads-per-service`?\n"
          "river.kdl:3:32: error: `level` has no value `inof`\n"
          "     3 |     log { error \"stderr\" level=\"inof\" }\n"
          "       |                                ^^^^^^\n"
          "help: did you mean `info`?\n"
          "river.kdl:7:21: error: this is a host name, not an address\n"
          "     7 |         listeners { \"localhost:80\" }\n"
          "       |                     ^^^^^^^^^^^^^^\n"
          "help: write \"127.0.0.1:80\" or \"[::1]:80\"\n"
          "river.kdl:8:37: error: `127.0.0.1:81` takes no argument `wieght`\n"
          "     8 |         connectors { \"127.0.0.1:81\" wieght=2 }\n"
          "       |                                     ^^^^^^\n"
          "help: did you mean `weight`?\n"
          "river.kdl:10:9: error: Duplicate section `overload`\n"
          "    10 |         overload { }\n"
          "       |         ^^^^^^^^\n"
          "help: the first one is in line 9\n"));
    loaded_close(&l);
}

TEST("config: more than a hundred mistakes are counted, and a long line is cut")
{
    static uint8_t room[40000];
    Text t = text_in(span_of(room, sizeof room));
    text_add(&t, S("system { "));
    for (unsigned i = 0; i < 1000; i++) {
        text_add(&t, S("oddity 1; "));
    }
    text_add(&t, S("}; " MINIMAL));
    Loaded l;
    load(&l, text_str(&t));
    EXPECT_U64(l.d->error_count, 1000);
    EXPECT_U64(l.d->count, DIAGNOSTICS_MAX);
    Str text = shown(&l);
    EXPECT(str_ends(text, S("and 900 more\n")));
    EXPECT(text.len < 60000);
    loaded_close(&l);
}

TEST("config: too many services, listeners or connectors are refused, not compared")
{
    static uint8_t room[3000000];
    static const struct {
        Str start;
        Str each;
        unsigned count;
        Str message;
    } cases[] = {
        {S_INIT("services { "), S_INIT("A { respond; listeners { \"/x\" } }; "), 65537,
         S_INIT("1:1: there are more than 65536 services")},
        {S_INIT("services { A { listeners { "), S_INIT("\"/x\";"), 65537,
         S_INIT("1:1: there are more than 65536 listeners")},
        {S_INIT("services { A { connectors { "), S_INIT("\"/x\";"), 65537,
         S_INIT("1:1: there are more than 65536 connectors")},
        {S_INIT("services { A { routes { route \"/\" { connectors { "), S_INIT("\"/x\";"), 65537,
         S_INIT("1:1: there are more than 65536 connectors")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Text t = text_in(span_of(room, sizeof room));
        text_add(&t, cases[i].start);
        for (unsigned k = 0; k < cases[i].count; k++) {
            text_add(&t, cases[i].each);
        }
        text_add(&t, i == 0 ? S(" }") : i == 3 ? S("} } } } }") : S("} } }"));
        EXPECT(!t.overflow);
        Loaded l;
        load(&l, text_str(&t));
        bool found = false;
        for (size_t k = 0; k < l.d->count; k++) {
            found = found || str_equal(place_and_message(&l, &l.d->list[k]), cases[i].message);
        }
        EXPECT(found);
        loaded_close(&l);
    }
}
