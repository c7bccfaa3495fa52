/* schema_system.c - `system` and `acme`: what concerns the whole process. */
#include "config/schema.h"

static const SchemaItem access_properties[] = {
    ITEM_CHOICE("format", "json|logfmt|combined", "", "json", "how a line is written"),
};

static const SchemaItem error_properties[] = {
    ITEM_CHOICE("level", "error|warn|info|debug", "", "info", "the least important level kept"),
};

static const SchemaNode log_children[] = {
    {.name = S_INIT("access"),
     .sentence = S_INIT("one line for each request: off, stdout, stderr or a file (reopened on "
                        "SIGUSR1)"),
     .argument_count = 1,
     .arguments = (const SchemaItem[]){{.name = S_INIT("PLACE"),
                                        .type = SCHEMA_ACCESS_PLACE,
                                        .fallback = S_INIT("off")}},
     .property_count = SCHEMA_COUNT(access_properties),
     .properties = access_properties},
    {.name = S_INIT("error"),
     .sentence = S_INIT("what River says about itself: stderr or a file (reopened on SIGUSR1)"),
     .argument_count = 1,
     .arguments = (const SchemaItem[]){{.name = S_INIT("PLACE"),
                                        .type = SCHEMA_ERROR_PLACE,
                                        .fallback = S_INIT("stderr")}},
     .property_count = SCHEMA_COUNT(error_properties),
     .properties = error_properties},
};

static const SchemaNode system_children[] = {
    OPTION("threads-per-service", 0,
           "threads that serve all services; the default is one for each CPU",
           ITEM_OPTIONAL_NUMBER("N", 1, 1024, "8", "")),
    OPTION_BOOL("daemonize", "false", "run in the background; needs `pid-file`"),
    OPTION_TEXT("pid-file", PATH, "/run/river/river.pid", "where the supervisor's process id goes"),
    OPTION_TEXT("upgrade-socket", PATH, "/run/river/upgrade.sock",
                "over which a new River takes the listeners from a running one"),
    OPTION_TEXT("control-socket", PATH, "/run/river/control.sock",
                "which `river status` and `river reload` ask"),
    OPTION("user", 0, "the user that the worker runs as: a name or a number, in quotes",
           ITEM_VALUE("\"NAME\"", NAME, 0, "river", "")),
    OPTION("group", 0, "the group that the worker runs as; the default is the user's own",
           ITEM_VALUE("\"NAME\"", NAME, 0, "river", "")),
    OPTION_BOOL("sandbox", "true",
                "cage the worker: seccomp, Landlock, no capabilities, limits"),
    OPTION_BOOL("watch", "false",
                "reload by itself when this file, or one that it names, has changed"),
    OPTION_NUMBER("drain-timeout-ms", 0, SCHEMA_MS_MAX, "300000",
                  "how long open requests may go on after SIGTERM"),
    OPTION_NUMBER("max-connections", 0, SCHEMA_COUNT_MAX, "0",
                  "concurrent client connections; 0: as many as file descriptors allow"),
    OPTION_NUMBER("max-idle-upstream-connections", 0, SCHEMA_COUNT_MAX, "65536",
                  "idle connections to origins, all together"),
    OPTION_NUMBER("buffer-memory-bytes", 0, SCHEMA_BYTES_MAX, "0",
                  "the worker's memory budget; 0: a quarter of the machine's memory"),
    SECTION("log", 0, "where River writes what it does", log_children),
};

const SchemaNode schema_system =
    SECTION("system", 0, "the process as a whole", system_children);

static const SchemaItem domain_properties[] = {
    ITEM_CHOICE("challenge", "http-01|dns-01", "", "", "how control of this domain is proved"),
    ITEM_VALUE("hook", PATH, 0, "/usr/local/bin/dns-hook",
               "the program that sets and clears the TXT record (dns-01)"),
};

static const SchemaNode acme_children[] = {
    OPTION("provider", 0, "letsencrypt, letsencrypt-staging or an https:// directory URL",
           {.name = S_INIT("\"NAME\""), .type = SCHEMA_NAME, .fallback = S_INIT("letsencrypt")}),
    OPTION("accept-terms-of-service", SCHEMA_REQUIRED, "must be true: River does not agree for you",
           ITEM_VALUE("BOOL", BOOL, 0, "true", "")),
    OPTION("contact", SCHEMA_REPEATED, "a contact URI of the account",
           ITEM_VALUE("\"URI\"", NAME, 0, "mailto:ops@example.com", "")),
    OPTION("store-dir", SCHEMA_REQUIRED, "where the account's key and the certificates are kept",
           ITEM_VALUE("\"DIR\"", PATH, 0, "/var/lib/river/acme", "")),
    OPTION_NUMBER("renew-before-expiry-days", 1, 3650, "30",
                  "renew when fewer days than this remain"),
    OPTION("renew-after-issue-days", 0, "renew so many days after the issue instead",
           ITEM_OPTIONAL_NUMBER("N", 1, 3650, "60", "")),
    OPTION("challenge", 0, "how control of a domain is proved",
           ITEM_CHOICE("WORD", "http-01|dns-01", "", "http-01", "")),
    OPTION("challenge-listener", 0, "a listener for answering HTTP-01 challenges only",
           ITEM_VALUE("\"ADDRESS\"", ADDRESS, 0, "0.0.0.0:80", "")),
    OPTION_NUMBER("dns-propagation-seconds", 0, 86400, "60",
                  "how long to wait after a DNS-01 hook"),
    {.name = S_INIT("domain"),
     .flags = SCHEMA_REPEATED,
     .sentence = S_INIT("settings of one domain"),
     .argument_count = 1,
     .arguments = (const SchemaItem[]){ITEM_VALUE("\"NAME\"", NAME, 0, "*.example.com", "")},
     .property_count = SCHEMA_COUNT(domain_properties),
     .properties = domain_properties},
};

const SchemaNode schema_acme =
    SECTION("acme", SCHEMA_LATER, "certificates that River obtains and renews by itself",
            acme_children);
