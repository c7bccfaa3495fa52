/* config_manual_test.c - whole files: the example, River's own, what River writes about itself; and
 * what happens when memory runs out. */
#include <string.h>

#include "config_support.h"
#include "transport/fault.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

TEST("config: River's own files give nothing but \"not supported yet\"")
{
    static const char *const folders[] = {"../river-files", "../shared/river-files"};
    static const char *const names[] = {
        "river-0.5-test-config.kdl", "river-0.8-test-config.kdl", "river-0.8-test-config-acme.kdl",
        "river-0.8-test-config-discovery.kdl", "river-0.8-test-config-path-control.kdl"};
    for (size_t i = 0; i < COUNT(folders) * COUNT(names); i++) {
        Loaded file;
        Loaded l;
        Str text = STR_NONE;
        char path[256];
        snprintf(path, sizeof path, "%s/%s", folders[i / COUNT(names)], names[i % COUNT(names)]);
        loaded_open(&file);
        if (source_file(&file.arena, path, &text)) {
            load(&l, text);
            EXPECT(l.d->count > 0 || i % COUNT(names) == 0); /* 0.5's is built whole */
            for (size_t k = 0; k < l.d->count; k++) {
                EXPECT(str_ends(l.d->list[k].message, S("` is not supported yet")));
            }
            loaded_close(&l);
        }
        loaded_close(&file);
    }
}

TEST("config: the quickstart example loads without a word")
{
    Loaded file;
    Loaded l;
    Str text = STR_NONE;
    loaded_open(&file);
    EXPECT(source_file(&file.arena, "examples/quickstart.kdl", &text));
    load(&l, text);
    EXPECT_STR(shown(&l), S(""));
    EXPECT(l.settings && l.settings->service_count == 3);
    loaded_close(&l);
    loaded_close(&file);
}

TEST("config: `river defaults` loads without a word, with the defaults")
{
    Loaded written;
    Loaded l;
    Str text = STR_NONE;
    loaded_open(&written);
    EXPECT(config_defaults(&written.arena, &text) == ERR_OK);
    load(&l, text);
    EXPECT_STR(shown(&l), S(""));
    if (l.settings) {
        const ServiceSettings *s = l.settings->services[0];
        EXPECT_U64(l.settings->service_count, 1);
        EXPECT_U64(l.settings->system.drain_timeout_ms, 300000);
        EXPECT_U64(s->action.cluster.connectors[0].connection_timeout_ms, 5000);
        EXPECT_U64(s->overload.head_bytes_max, 65536);
        EXPECT_U64(s->tries_max, 3);
    }
    loaded_close(&l);
    loaded_close(&written);
}

TEST("config: the manual's option reference is current (else: river defaults --markdown)")
{
    Loaded l;
    Str stored = STR_NONE;
    Str text = STR_NONE;
    loaded_open(&l);
    EXPECT(source_file(&l.arena, "docs/manual/reference.md", &stored));
    EXPECT(config_reference(&l.arena, &text) == ERR_OK);
    EXPECT(str_equal(stored, text));
    loaded_close(&l);
}

TEST("config: the manual's page on reason codes is current (else: river reasons --markdown)")
{
    Loaded l;
    Str stored = STR_NONE;
    Str text = STR_NONE;
    loaded_open(&l);
    EXPECT(source_file(&l.arena, "docs/manual/reasons.md", &stored));
    EXPECT(config_reasons_page(&l.arena, &text) == ERR_OK);
    EXPECT(str_equal(stored, text));
    loaded_close(&l);
}

/* Whether the text has the word between a backquote and the end of a name. */
static bool text_names(Str text, Str word)
{
    static const char ends[] = " =`";
    bool found = false;
    for (size_t i = 0; i + word.len < text.len && !found; i++) {
        found = i > 0 && memcmp(text.at + i, word.at, word.len) == 0 &&
                strchr("` ", text.at[i - 1]) && strchr(ends, text.at[i + word.len]);
    }
    return found;
}

static bool is_name(Str word)
{
    bool name = word.len > 0;
    for (size_t i = 0; i < word.len; i++) {
        name = name && ((word.at[i] >= 'a' && word.at[i] <= 'z') || word.at[i] == '-');
    }
    return name;
}

TEST("config: each reason code has a remedy, which names no option that does not exist")
{
    Loaded l;
    Str options = STR_NONE;
    Str page = STR_NONE;
    Str reason = STR_NONE;
    size_t names = 0;
    loaded_open(&l);
    EXPECT(config_reference(&l.arena, &options) == ERR_OK);
    EXPECT(config_reasons_page(&l.arena, &page) == ERR_OK);
    for (unsigned f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
        const FaultRow *row = fault_row((Fault)f);
        bool none = f == FAULT_REQUEST_NONE || f == FAULT_RESPONSE_NONE;
        Loaded one;
        loaded_open(&one);
        EXPECT(config_reasons(&one.arena, row->code, &reason) == (none ? ERR_MISSING : ERR_OK));
        loaded_close(&one);
        EXPECT(none || (row->remedy.len > 10 && !str_ends(row->remedy, S("."))));
        EXPECT(none || text_names(page, row->code));
        for (Str rest = str_cut(row->remedy, '`').tail; rest.len > 0;) {
            StrCut cut = str_cut(rest, '`');
            Str word = str_cut(cut.head, '=').head;
            bool known = !is_name(word) || str_equal(word, S("why")) ||
                         text_names(options, word) || text_names(page, word);
            test_expect_str(known ? S("") : word, S(""), "names an option", __FILE__, __LINE__);
            names += is_name(word);
            rest = str_cut(cut.tail, '`').tail;
        }
    }
    EXPECT(names > 40);
    EXPECT(config_reasons(&l.arena, S("nonsense"), &reason) == ERR_MISSING);
    loaded_close(&l);
}

TEST("config: `river env` lists every variable with its value")
{
    Loaded l;
    Str text = STR_NONE;
    ConfigOverrides o = {0};
    override_from_environment(&o, OVERRIDE_THREADS, S("4"));
    override_from_command_line(&o, OVERRIDE_PID_FILE, S("/p"));
    loaded_open(&l);
    EXPECT(config_environment(&l.arena, &o, &text) == ERR_OK);
    EXPECT(str_starts(text, S("RIVER_THREADS_PER_SERVICE=4\n"
                              "    threads that serve all services "
                              "(system/threads-per-service, --threads-per-service)\n"
                              "RIVER_DAEMONIZE\n")));
    size_t lines = 0;
    for (StrCut cut = str_cut(text, '\n'); cut.found; cut = str_cut(cut.tail, '\n')) {
        lines++;
        if (str_starts(cut.head, S("RIVER_PIDFILE"))) {
            EXPECT_STR(cut.head, S("RIVER_PIDFILE=/p  (from the command line)"));
        }
    }
    EXPECT_U64(lines, 2 * OVERRIDE_COUNT);
    loaded_close(&l);
}

TEST("config: a document is printed in canonical form, in the version it was read in")
{
    Loaded l;
    Str text = STR_NONE;
    loaded_open(&l);
    EXPECT(config_print_kdl(&l.arena, S("a"), S("a   0x10 b=true a=r\"x\";c { d }"), CONFIG_KDL,
                            0, l.d, &text) == ERR_OK);
    EXPECT_STR(text, S("a 0x10 a=\"x\" b=true\nc {\n    d\n}\n"));
    EXPECT(config_print_kdl(&l.arena, S("a"), S("a #true \"b\""), CONFIG_KDL, 0, l.d, &text) ==
           ERR_OK);
    EXPECT_STR(text, S("a #true b\n"));
    EXPECT(config_print_kdl(&l.arena, S("a"), S("a true"), CONFIG_KDL, 2, l.d, &text) ==
           ERR_SYNTAX);
    EXPECT_U64(l.d->error_count, 1);
    loaded_close(&l);
}

TEST("config: a text that is too long is refused before it is read")
{
    static uint8_t room[CONFIG_TEXT_BYTES_MAX + 1];
    Loaded l;
    load(&l, str_of(room, sizeof room));
    EXPECT(l.err == ERR_LIMIT);
    EXPECT_U64(l.d->count, 1);
    EXPECT_STR(l.d->list[0].message, S("the file has more than 16777216 bytes"));
    loaded_close(&l);
}

/* Loads with the n-th allocation failing, until one load needs no more of them. */
static void expect_survival(Str text, Err outcome)
{
    bool done = false;
    for (long n = 0; n < 1000 && !done; n++) {
        Loaded l;
        ConfigOverrides o = {0};
        ConfigOptions options = {.overrides = &o};
        override_from_environment(&o, OVERRIDE_ACCESS_FORMAT, S("logfmt"));
        override_from_environment(&o, OVERRIDE_PID_FILE, S("/p"));
        loaded_open(&l);
        memory_fail_after(n);
        l.err = config_load(&l.arena, S("a"), text, &options, l.d, &l.settings);
        memory_fail_after(-1);
        EXPECT(l.err == ERR_MEMORY || l.err == outcome);
        EXPECT((l.err == ERR_OK) == (l.settings != NULL));
        done = l.err == outcome && !l.d->out_of_memory;
        loaded_close(&l);
    }
    EXPECT(done);
}

TEST("config: whichever allocation fails, loading says so and loses nothing")
{
    Loaded file;
    Str text = STR_NONE;
    loaded_open(&file);
    EXPECT(source_file(&file.arena, "examples/quickstart.kdl", &text));
    expect_survival(text, ERR_OK);
    expect_survival(S("oddity 1; odder 2\n" MINIMAL), ERR_SYNTAX);
    loaded_close(&file);
}
