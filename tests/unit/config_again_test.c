/* config_again_test.c - a configuration over the one before: what is taken over, when all is read
 * again, and that both say the same. */
#include "../fuzz/again.h"
#include "config_support.h"
#include "tls_support.h"

#define NOW_S INT64_C(1800000000) /* in 2027, when the fixtures are valid */

/* ---- a disk ---- */

#define DISK_FILES 8u

typedef struct DiskFile {
    const char *path;
    const char *fixture; /* the bytes; NULL: `text` holds */
    Str text;
    uint64_t mark; /* 0: it is not there */
    bool settled;
    unsigned reads;
} DiskFile;

typedef struct Disk {
    DiskFile files[DISK_FILES];
} Disk;

static DiskFile *disk_find(Disk *disk, Str path)
{
    for (size_t i = 0; i < DISK_FILES; i++) {
        if (disk->files[i].path && str_equal(path, str_from_c(disk->files[i].path))) {
            return &disk->files[i];
        }
    }
    return NULL;
}

static Err disk_read(void *context, Arena *a, FileSettings *ret)
{
    DiskFile *file = disk_find((Disk *)context, ret->path);
    if (!file || file->mark == 0) {
        return ERR_MISSING;
    }
    file->reads++;
    ret->mark = file->mark;
    ret->settled = file->settled;
    return arena_copy(a, file->fixture ? fixture(file->fixture) : file->text, &ret->bytes)
               ? ERR_OK
               : ERR_MEMORY;
}

static void disk_marks(void *context, const FileSettings *files, size_t count, uint64_t *ret)
{
    for (size_t i = 0; i < count; i++) {
        const DiskFile *file = disk_find((Disk *)context, files[i].path);
        ret[i] = file ? file->mark : 0;
    }
}

static Err disk_directory(void *context, Str path)
{
    (void)context;
    (void)path;
    return ERR_OK;
}

static ConfigFiles disk_files(Disk *disk)
{
    return (ConfigFiles){.context = disk,
                         .read = disk_read,
                         .marks = disk_marks,
                         .directory = disk_directory,
                         .now_s = NOW_S};
}

/* Loads `text` over `base`, and whole, and expects what both say to be the same. ERR_AGAIN: only
 * the latter was possible. */
static Err load_again(Loaded *over, Str text, const ConfigOptions *with)
{
    Loaded whole;
    ConfigOptions alone = {.files = with->files};
    load_with(over, text, with);
    if (over->err == ERR_OK) {
        load_with(&whole, text, &alone);
        EXPECT(whole.err == ERR_OK && whole.d->count == 0);
        const char *other = whole.settings && over->settings
                                ? again_difference(&whole.arena, whole.settings, over->settings)
                                : "nothing was loaded";
        EXPECT_STR(str_from_c(other ? other : ""), S(""));
        EXPECT_U64(over->d->count, 0);
        EXPECT(over->settings && over->settings->base == with->base);
        loaded_close(&whole);
    }
    return over->err;
}

/* How many services are those of the base themselves. */
static size_t count_taken(const Settings *s)
{
    size_t count = 0;
    for (size_t i = 0; s && s->base && i < s->service_count; i++) {
        for (size_t k = 0; k < s->base->service_count; k++) {
            count += s->services[i] == s->base->services[k] ? 1 : 0;
        }
    }
    return count;
}

/* ---- texts ---- */

#define A "a {\n  listeners { \"127.0.0.1:80\" }\n  connectors { \"127.0.0.1:81\" }\n}\n"
#define B "b {\n  listeners { \"127.0.0.1:82\" }\n  connectors { \"127.0.0.1:83\" }\n}\n"
#define C(name)                                                                                    \
    name " {\n  hosts \"" name ".example\"\n  listeners { \"127.0.0.1:84\" }\n  respond\n}\n"
/* A service with a route that says more than its service. */
#define ROUTED(host, retries, strip)                                                               \
    "r {\n  listeners { \"127.0.0.1:85\" }\n  host \"" host "\"\n  routes {\n"                     \
    "    route \"/a\" {\n      retries " retries "\n      connectors {\n"                          \
    "        strip-prefix \"" strip "\"\n        \"127.0.0.1:86\"\n      }\n    }\n"               \
    "    route \"/\" { respond }\n  }\n}\n"
#define IN(services) "services {\n" services "}\n"

#define WHOLE SIZE_MAX

typedef struct Edit {
    Str before;
    Str after;
    size_t taken; /* services of the base; WHOLE: all has to be read */
} Edit;

static const Edit edits[] = {
    {S_INIT(IN(A B)), S_INIT(IN(A B)), 2},
    {S_INIT(IN(A B)), S_INIT("// said before\n" IN(A "// and between\n\n" B) "// and behind"), 2},
    {S_INIT(IN(A B)),
     S_INIT(IN(A "b {\n  listeners { \"127.0.0.1:82\" }\n  connectors { \"127.0.0.1:93\" }\n}\n")),
     1},
    {S_INIT(IN(A B)), S_INIT(IN(A "b {\n  listeners { \"127.0.0.1:92\" }; respond\n}\n")), 1},
    {S_INIT(IN(A B)), S_INIT(IN(A "b {\n  // why\n  listeners { \"127.0.0.1:82\" }; respond\n}\n")),
     1},
    /* what a route says for itself, and has from its service */
    {S_INIT(IN(A ROUTED("h", "1", "/a"))), S_INIT(IN(A ROUTED("h", "1", "/a"))), 2},
    {S_INIT(IN(A ROUTED("h", "1", "/a"))), S_INIT(IN(A ROUTED("h", "2", "/a"))), 1},
    {S_INIT(IN(A ROUTED("h", "1", "/a"))), S_INIT(IN(A ROUTED("i", "1", "/a"))), 1},
    {S_INIT(IN(A ROUTED("h", "1", "/a"))), S_INIT(IN(A ROUTED("h", "1", "/"))), 1},
    /* one more, one less, in any place */
    {S_INIT(IN(A B)), S_INIT(IN(C("c") A B)), 2},
    {S_INIT(IN(A B)), S_INIT(IN(A C("c") B)), 2},
    {S_INIT(IN(A B)), S_INIT(IN(A B C("c"))), 2},
    {S_INIT(IN(A B C("c"))), S_INIT(IN(B C("c"))), 2},
    {S_INIT(IN(A B C("c"))), S_INIT(IN(A C("c"))), 2},
    {S_INIT(IN(A B C("c"))), S_INIT(IN(A B)), 2},
    {S_INIT(IN(A B C("c"))), S_INIT(IN("/-" A B C("c"))), 2},
    {S_INIT(IN(A B C("c"))), S_INIT(IN("/* " A " */ " B C("c"))), 2},
    {S_INIT(IN(A "/-" B)), S_INIT(IN(A B)), 1},
    {S_INIT(IN(A B C("c") C("d"))), S_INIT(IN(C("d") C("c") B A)), 1},
    {S_INIT(IN(A B C("c"))), S_INIT(IN(B A C("c"))), 2},
    /* the same, but for its name */
    {S_INIT(IN(A C("c"))), S_INIT(IN(A "\"c\" {\n  hosts \"c.example\"\n  listeners { "
                                       "\"127.0.0.1:84\" }\n  respond\n}\n")),
     1},
    /* what ends a line, and what does not */
    {S_INIT("services { a { " LISTEN "respond }\n}"),
     S_INIT("services { a { " LISTEN "respond } }"), 0},
    {S_INIT(IN(A) "\n"), S_INIT("services {\n" A "}"), 1},
    {S_INIT("services {\n" A "} // x"), S_INIT("services {\n" A "}; system { watch #true }"), 1},
    {S_INIT(IN(A)), S_INIT("system { threads-per-service 3 }\n" IN(A)), 1},
    {S_INIT("system { threads-per-service 3 }\n" IN(A)), S_INIT(IN(A)), 1},
    {S_INIT(IN(A)), S_INIT(IN("\t" A)), 1},
    {S_INIT(IN(A B)), S_INIT(IN("(t)" A B)), WHOLE},
    {S_INIT(IN("a { " LISTEN "respond } \\\n")),
     S_INIT(IN("a { " LISTEN "respond } \\\n" B)), WHOLE},
    {S_INIT(IN("a { " LISTEN "respond } // x\n")),
     S_INIT(IN("a { " LISTEN "respond } // x\n" B)), 0},
    /* other services' business: names, hosts, addresses */
    {S_INIT(IN(A B)), S_INIT(IN(A B "a {\n  listeners { \"127.0.0.1:88\" }; respond\n}\n")), WHOLE},
    {S_INIT(IN(A B)), S_INIT(IN(A "a {\n  listeners { \"127.0.0.1:82\" }; respond\n}\n")), WHOLE},
    {S_INIT(IN(A B)), S_INIT(IN(A "b {\n  listeners { \"127.0.0.1:80\" }; respond\n}\n")), WHOLE},
    {S_INIT(IN(C("c") C("d"))),
     S_INIT(IN(C("c") "d {\n hosts \"c.example\"; listeners { \"127.0.0.1:84\" }; respond }\n")),
     WHOLE},
    {S_INIT(IN(C("c") C("d"))),
     S_INIT(IN(C("c") "d {\n hosts \"e.example\"; listeners { \"127.0.0.1:84\" }; respond }\n")),
     1},
    {S_INIT(IN(C("c") C("d"))),
     S_INIT(IN(C("c") "d {\n  listeners { \"127.0.0.1:84\" }; respond }\n")), 1},
    {S_INIT(IN(C("c") C("d"))),
     S_INIT(IN(C("c") "d {\n hosts \"d.example\"; listeners { \"127.0.0.1:84\" h2c=true }; respond "
                      "}\n")),
     WHOLE},
    {S_INIT(IN(C("c") C("d"))), S_INIT(IN(C("c"))), 1},
    /* mistakes, and what is only said when all is read */
    {S_INIT(IN(A B)), S_INIT(IN(A "b {\n  listeners { \"127.0.0.1:82\" }; respondd\n}\n")), WHOLE},
    {S_INIT(IN(A B)), S_INIT(IN(A B) "}"), WHOLE},
    {S_INIT(IN(A B)), S_INIT("services {\n" A B), WHOLE},
    {S_INIT(IN(A B)), S_INIT("/-" IN(A B)), WHOLE},
    {S_INIT(IN(A B)), S_INIT(IN(A B) IN(C("c"))), WHOLE},
    {S_INIT(IN(A B)), S_INIT(IN("")), WHOLE},
    {S_INIT(IN(A B)), S_INIT(""), WHOLE},
    {S_INIT(IN(A B)), S_INIT("servicez {\n" A B "}\n"), WHOLE},
    /* versions */
    {S_INIT(IN(A B)), S_INIT("/- kdl-version 1\n" IN(A B)), WHOLE},
    {S_INIT("/- kdl-version 1\n" IN(A B)), S_INIT("/- kdl-version 1\n" IN(B)), 1},
    {S_INIT("/- kdl-version 2\n" IN(A B)), S_INIT("/- kdl-version 1\n" IN(A B)), WHOLE},
    {S_INIT("system { watch true }\n" IN(A B)), S_INIT("system { watch true }\n" IN(B)), 1},
    {S_INIT("system { watch true }\n" IN(A B)), S_INIT(IN(A B)), WHOLE},
    {S_INIT("system { watch true }\n" IN(A B)), S_INIT("system { watch #true }\n" IN(A B)), WHOLE},
    {S_INIT(IN(A B)), S_INIT("system { watch #true }\n" IN(A B)), 2},
    {S_INIT("system { watch #true }\n" IN(A B)), S_INIT("system { watch true }\n" IN(A B)), WHOLE},
    /* directories have numbers */
    {S_INIT(IN(A B)),
     S_INIT(IN(A "b {\n  listeners { \"127.0.0.1:82\" }; file-server { base-path \"/srv\" }\n}\n")),
     WHOLE},
    {S_INIT(IN(A "b {\n  listeners { \"127.0.0.1:82\" }; file-server { base-path \"/srv\" }\n}\n")),
     S_INIT(IN(A "b {\n  listeners { \"127.0.0.1:82\" }; file-server { base-path \"/s\" }\n}\n")),
     WHOLE},
    {S_INIT(IN(A "b {\n  listeners { \"127.0.0.1:82\" }; file-server { base-path \"/srv\" }\n}\n")),
     S_INIT(IN(C("c") A
               "b {\n  listeners { \"127.0.0.1:82\" }; file-server { base-path \"/srv\" }\n}\n")),
     2},
    {S_INIT(IN(A "b {\n  listeners { \"127.0.0.1:82\" }; file-server { base-path \"/srv\" }\n}\n")),
     S_INIT(IN(A)), WHOLE},
};

TEST("config: what is read over the configuration before says what a whole one says")
{
    Disk disk = {0};
    ConfigFiles files = disk_files(&disk);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        Loaded base;
        Loaded over;
        ConfigOptions options = {.files = &files};
        load_with(&base, edits[i].before, &options);
        EXPECT_STR(base.err == ERR_OK ? S("") : shown(&base), S(""));
        options.base = base.settings;
        Err err = options.base ? load_again(&over, edits[i].after, &options) : ERR_SYNTAX;
        size_t taken = err == ERR_OK ? count_taken(over.settings) : WHOLE;
        EXPECT(err == ERR_OK || err == ERR_AGAIN);
        if (taken != edits[i].taken) {
            EXPECT_U64(taken, edits[i].taken);
            EXPECT_STR(edits[i].after, S("services to be taken over"));
        }
        if (options.base) {
            loaded_close(&over);
        }
        loaded_close(&base);
    }
}

/* Many services, of which those from `from` to before `to` are others. */
static Str many(Text *t, unsigned from, unsigned to)
{
    text_add(t, S("services {\n"));
    for (unsigned i = 0; i < 100; i++) {
        text_format(t,
                    "s%u {\n listeners { \"127.0.0.1:%u\" }\n"
                    " connectors { \"127.0.0.1:%u\" }\n}\n",
                    i, 1000 + i, i >= from && i < to ? 81u : 80u);
    }
    text_add(t, S("}\n"));
    return text_str(t);
}

TEST("config: where much is new all of it is read, to be what the next is read over")
{
    static uint8_t rooms[2][20000];
    static const struct {
        unsigned from;
        unsigned to;
        size_t taken;
    } rows[] = {{0, 25, 75}, {30, 55, 75}, {99, 100, 99}, {0, 26, WHOLE}, {0, 100, WHOLE}};
    Text first = text_in(span_of(rooms[0], sizeof rooms[0]));
    Loaded base;
    load(&base, many(&first, 0, 0));
    EXPECT(base.err == ERR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Text t = text_in(span_of(rooms[1], sizeof rooms[1]));
        Loaded over;
        ConfigOptions options = {.base = base.settings};
        Err err = load_again(&over, many(&t, rows[i].from, rows[i].to), &options);
        EXPECT_U64(err == ERR_OK ? count_taken(over.settings) : WHOLE, rows[i].taken);
        loaded_close(&over);
    }
    loaded_close(&base);
}

TEST("config: limiters of services that are taken over count in the budget")
{
    static const char format[] =
        "system { buffer-memory-bytes 4194304 }\nservices {\n"
        "a {\n listeners { \"127.0.0.1:80\" }; respond; rate-limiting { rule kind=\"source-ip\" "
        "max-buckets=40000 tokens-per-bucket=5 refill-qty=1 refill-rate-ms=10 }\n}\n"
        "b {\n listeners { \"127.0.0.1:81\" }; respond; rate-limiting { rule kind=\"source-ip\" "
        "max-buckets=%u tokens-per-bucket=5 refill-qty=1 refill-rate-ms=10 }\n}\n}\n";
    static uint8_t rooms[3][2000];
    Text t[3];
    static const unsigned buckets[] = {10, 20, 60000};
    Loaded base;
    for (size_t i = 0; i < 3; i++) {
        t[i] = text_in(span_of(rooms[i], sizeof rooms[i]));
        text_format(&t[i], format, buckets[i]);
    }
    load(&base, text_str(&t[0]));
    EXPECT_STR(shown(&base), S(""));
    ConfigOptions options = {.base = base.settings};
    for (size_t i = 1; i < 3 && base.settings; i++) {
        Loaded over;
        EXPECT(load_again(&over, text_str(&t[i]), &options) == (i == 1 ? ERR_OK : ERR_AGAIN));
        loaded_close(&over);
    }
    loaded_close(&base);
}

TEST("config: where there is something to warn of it is said each time")
{
    Loaded base;
    Loaded over;
    Disk disk = {.files = {{.path = "/c", .fixture = "a.pem", .mark = 1, .settled = true},
                           {.path = "/k", .fixture = "a.key", .mark = 1, .settled = true}}};
    ConfigFiles files = disk_files(&disk);
    ConfigOptions options = {.files = &files};
    Str text = S("services {\n" A "b {\n listeners { \"127.0.0.1:443\" cert-path=\"/c\" "
                 "key-path=\"/k\" { key-log-path \"/l\" } }\n respond\n}\n}\n");
    load_with(&base, text, &options);
    EXPECT(base.err == ERR_OK && base.d->count == 1);
    options.base = base.settings;
    EXPECT(options.base && load_again(&over, text, &options) == ERR_AGAIN);
    loaded_close(&over);
    loaded_close(&base);
}

/* ---- files ---- */

#define SEALED                                                                                     \
    "services {\n"                                                                                 \
    "a {\n hosts \"a\"; listeners { \"127.0.0.1:443\" cert-path=\"/a.pem\" key-path=\"/a.key\" "   \
    "}\n connectors { \"127.0.0.1:81\" }\n}\n"                                                     \
    "b {\n hosts \"b\"; listeners { \"127.0.0.1:443\" cert-path=\"/b.pem\" key-path=\"/b.key\" "   \
    "}\n connectors { \"127.0.0.1:81\" }\n}\n"                                                     \
    "c {\n listeners { \"127.0.0.1:80\" }\n connectors { \"127.0.0.1:81\" }\n path-control { "     \
    "request-filters { filter kind=\"block-cidr-range\" addrs-file=\"/list\" } }\n}\n"             \
    "d {\n listeners { \"127.0.0.1:444\" cert-path=\"/a.pem\" key-path=\"/a.key\" }\n"             \
    " connectors { \"127.0.0.1:81\" }\n}\n}\n"

enum { A_PEM, A_KEY, B_PEM, B_KEY, LIST };

static Disk sealed_disk(void)
{
    return (Disk){
        .files = {[A_PEM] = {.path = "/a.pem", .fixture = "a.pem", .mark = 1, .settled = true},
                  [A_KEY] = {.path = "/a.key", .fixture = "a.key", .mark = 2, .settled = true},
                  [B_PEM] = {.path = "/b.pem", .fixture = "wild.pem", .mark = 3, .settled = true},
                  [B_KEY] = {.path = "/b.key", .fixture = "wild.key", .mark = 4, .settled = true},
                  [LIST] = {
                      .path = "/list", .text = S("10.0.0.0/8\n"), .mark = 5, .settled = true}}};
}

static void forget_reads(Disk *disk)
{
    for (size_t i = 0; i < DISK_FILES; i++) {
        disk->files[i].reads = 0;
    }
}

static unsigned count_reads(const Disk *disk)
{
    unsigned count = 0;
    for (size_t i = 0; i < DISK_FILES; i++) {
        count += disk->files[i].reads;
    }
    return count;
}

/* The base, and what is loaded over it, with the disk below. */
typedef struct Pair {
    Disk disk;
    ConfigFiles files;
    ConfigOptions options;
    Loaded base;
} Pair;

static void pair_open(Pair *p)
{
    p->disk = sealed_disk();
    p->files = disk_files(&p->disk);
    p->options = (ConfigOptions){.files = &p->files};
}

static void pair_load(Pair *p)
{
    load_with(&p->base, S(SEALED), &p->options);
    EXPECT_STR(p->base.err == ERR_OK ? S("") : shown(&p->base), S(""));
    p->options.base = p->base.settings;
    forget_reads(&p->disk);
}

/* Loads the same text over the base; `reads` files may be read for it. */
static void pair_over(Pair *p, size_t taken, unsigned reads)
{
    Loaded over;
    load_with(&over, S(SEALED), &p->options);
    EXPECT(over.err == ERR_OK);
    EXPECT_U64(count_taken(over.settings), taken);
    EXPECT_U64(count_reads(&p->disk), reads);
    loaded_close(&over);
    EXPECT(load_again(&over, S(SEALED), &p->options) == ERR_OK);
    loaded_close(&over);
    forget_reads(&p->disk);
}

TEST("config: files that have not changed are not read again")
{
    Pair p;
    pair_open(&p);
    pair_load(&p);
    pair_over(&p, 4, 0);
    p.disk.files[A_PEM].mark = 100; /* touched */
    pair_over(&p, 2, 1);
    p.disk.files[LIST].mark = 101;
    p.disk.files[LIST].text = S("10.0.0.0/9\n");
    pair_over(&p, 1, 2);
    p.disk.files[A_PEM].mark = 102;
    p.disk.files[A_KEY].mark = 103;
    p.disk.files[A_PEM].fixture = "client.pem";
    p.disk.files[A_KEY].fixture = "client.key";
    pair_over(&p, 1, 3);
    loaded_close(&p.base);
}

TEST("config: a file that may have been written just when it was read is read again")
{
    Pair p;
    pair_open(&p);
    p.disk.files[LIST].settled = false;
    pair_load(&p);
    pair_over(&p, 3, 1);
    p.disk.files[LIST].text = S("10.0.0.0/9\n"); /* within the same tick: the same mark */
    pair_over(&p, 3, 1);
    p.disk.files[LIST].settled = true;
    pair_over(&p, 3, 1);
    loaded_close(&p.base);
}

TEST("config: what was found out over the base lately is not found out again")
{
    Pair p;
    Loaded first;
    Loaded second;
    pair_open(&p);
    p.disk.files[LIST].settled = false;
    pair_load(&p);
    p.disk.files[LIST].settled = true;
    p.disk.files[A_PEM].mark = 100;
    load_with(&first, S(SEALED), &p.options);
    EXPECT_U64(count_reads(&p.disk), 2);
    p.options.latest = first.settings;
    forget_reads(&p.disk);
    pair_over(&p, 4, 0);
    /* A file that had changed, and is not named, is no file of the base when it is named again. */
    p.disk.files[LIST].text = S("10.0.0.0/9\n");
    p.disk.files[LIST].mark = 101;
    load_with(&second, S(IN(A)), &p.options);
    EXPECT(second.err == ERR_AGAIN || second.err == ERR_OK);
    loaded_close(&second);
    static const Str without = S_INIT(
        "services {\n"
        "a {\n hosts \"a\"; listeners { \"127.0.0.1:443\" cert-path=\"/a.pem\" "
        "key-path=\"/a.key\" }\n connectors { \"127.0.0.1:81\" }\n}\n}\n");
    EXPECT(load_again(&second, without, &p.options) == ERR_OK);
    p.options.latest = second.settings;
    forget_reads(&p.disk);
    pair_over(&p, 3, 1);
    loaded_close(&second);
    loaded_close(&first);
    loaded_close(&p.base);
}

TEST("config: a file that has gone, or does not check any more, is looked at when all is read")
{
    Pair p;
    Loaded over;
    pair_open(&p);
    pair_load(&p);
    p.disk.files[LIST].mark = 0;
    load_with(&over, S(SEALED), &p.options);
    EXPECT(over.err == ERR_AGAIN);
    loaded_close(&over);
    p.disk.files[LIST].mark = 100;
    p.disk.files[LIST].text = S("no address\n");
    load_with(&over, S(SEALED), &p.options);
    EXPECT(over.err == ERR_AGAIN);
    loaded_close(&over);
    loaded_close(&p.base);
}

TEST("config: when the first certificate has expired all is read, to warn of it")
{
    Pair p;
    Loaded over;
    pair_open(&p);
    pair_load(&p);
    EXPECT(p.base.settings && p.base.settings->valid_until > NOW_S);
    EXPECT(load_again(&over, S(SEALED), &p.options) == ERR_OK);
    EXPECT(over.settings && over.settings->valid_until == p.base.settings->valid_until);
    loaded_close(&over);
    p.files.now_s = p.base.settings ? p.base.settings->valid_until + 1 : 0;
    EXPECT(load_again(&over, S(SEALED), &p.options) == ERR_AGAIN);
    loaded_close(&over);
    loaded_close(&p.base);
}

TEST("config: files that nobody names any more are known, but not looked after")
{
    static const Str without = S_INIT("services {\n"
                                      "d {\n listeners { \"127.0.0.1:444\" cert-path=\"/a.pem\" "
                                      "key-path=\"/a.key\" }\n"
                                      " connectors { \"127.0.0.1:81\" }\n}\n}\n");
    Pair p;
    Loaded over;
    pair_open(&p);
    pair_load(&p);
    EXPECT(load_again(&over, without, &p.options) == ERR_OK);
    for (size_t i = 0; over.settings && i < over.settings->file_count; i++) {
        const FileSettings *file = &over.settings->files[i];
        EXPECT(file->named == str_starts(file->path, S("/a.")));
    }
    loaded_close(&over);
    loaded_close(&p.base);
}

TEST("config: certificates are renewed over a base, and other files hold what they held")
{
    Pair p;
    Loaded over;
    pair_open(&p);
    pair_load(&p);
    p.disk.files[LIST].mark = 100;
    p.disk.files[LIST].text = S("10.0.0.0/9\n");
    p.disk.files[A_PEM] = (DiskFile){.path = "/a.pem", .fixture = "client.pem", .mark = 101};
    p.disk.files[A_KEY] = (DiskFile){.path = "/a.key", .fixture = "client.key", .mark = 102};
    p.options.renew = p.base.settings;
    load_with(&over, S(SEALED), &p.options);
    EXPECT(over.err == ERR_OK);
    const Settings *s = over.settings;
    const Settings *was = p.base.settings;
    const FileSettings *list = s ? settings_file(s, S("/list")) : NULL;
    EXPECT(list && str_equal(list->bytes, S("10.0.0.0/8\n")));
    EXPECT(s && fingerprint_equal(&s->services[2]->identity, &was->services[2]->identity));
    EXPECT(s && !fingerprint_equal(&s->listeners[0].tls.identity, &was->listeners[0].tls.identity));
    EXPECT(s && str_equal(s->listeners[0].tls.files[0].bytes, fixture("client.pem")));
    EXPECT(s && str_equal(s->listeners[2].tls.files[0].bytes, fixture("client.pem")));
    loaded_close(&over);
    /* Where they had changed since the base, they hold what they held lately, not what is there. */
    p.options.renew = NULL;
    load_with(&over, S(SEALED), &p.options);
    p.disk.files[LIST].text = S("10.0.0.0/8\n");
    p.disk.files[LIST].mark = 5;
    p.options.renew = p.options.latest = over.settings;
    Loaded later;
    load_with(&later, S(SEALED), &p.options);
    list = later.settings ? settings_file(later.settings, S("/list")) : NULL;
    EXPECT(list && str_equal(list->bytes, S("10.0.0.0/9\n")));
    loaded_close(&later);
    loaded_close(&over);
    p.options.renew = p.base.settings;
    p.options.latest = NULL;
    p.disk.files[A_KEY].fixture = "wild.key"; /* not of that certificate: all is read, to say so */
    load_with(&over, S(SEALED), &p.options);
    EXPECT(over.err == ERR_AGAIN);
    loaded_close(&over);
    loaded_close(&p.base);
}
