/* config_assemble_test.c - one configuration from many files and snippets, also over a base. */
#include <stdlib.h>

#include "../fuzz/again.h"
#include "config_shelf.h"

/* ---- files ---- */

TEST("assemble: included files are read in the order of their names, as if in place")
{
    static const char *const names[] = {"b", "a", "c", "z"};
    Shelf shelf = {0};
    ConfigFiles files;
    Loaded l;
    shelf_put(&shelf, S("sites/b.kdl"), S(ANSWER("b", "81")));
    shelf_put(&shelf, S("sites/a.kdl"), S("\xEF\xBB\xBF" ANSWER("a", "82") "// no newline"));
    shelf_put(&shelf, S("sites/.c.kdl"), S("mistake {"));
    shelf_put(&shelf, S("sites/c.bak"), S("mistake {"));
    shelf_put(&shelf, S("sites/c.kdl"), S("include \"more/x.kdl\""));
    shelf_put(&shelf, S("sites/more/x.kdl"), S(ANSWER("c", "83")));
    Str said = load_from(&l, &shelf, &files,
                         S(AROUND("include \"sites/b.kdl\"; include \"sites/[!b]*.kdl\"\n"
                                  "include \"none*\"; include \"sites/?.kdl\"\n")));
    EXPECT(str_search(said, S("already"), 0) < said.len); /* b is there twice */
    loaded_close(&l);
    shelf_remove(&shelf, S("sites/b.kdl"));
    shelf_put(&shelf, S("b.kdl"), S(ANSWER("b", "81")));
    EXPECT_STR(load_from(&l, &shelf, &files,
                         S(AROUND("include \"b.kdl\"; include \"none*\"\n include \"sites/?.kdl\"\n"
                                  "/- include \"missing\"\n" ANSWER("z", "90")))),
               S(""));
    for (size_t i = 0; l.settings && i < 4; i++) {
        EXPECT_STR(l.settings->services[i]->name, str_from_c(names[i]));
    }
    EXPECT(l.settings && l.settings->assembly->watched_count == 6);
    loaded_close(&l);
}

/* Texts with one mistake, and the lines that say so. */
TEST("assemble: mistakes are shown in the file where they are")
{
    static const struct {
        Str text;
        Str said; /* begins the message */
    } rows[] = {
        {S_INIT(AROUND("include \"port.kdl\"\n")),
         S_INIT("port.kdl:2:14: error: the port must be between 1 and 65535\n"
                "     2 |  listeners { \"127.0.0.1:x\" }; respond }\n")},
        {S_INIT(AROUND("include \"open.kdl\"\n" ANSWER("z", "90"))),
         S_INIT("open.kdl:1:3: error: this block is never closed\n")},
        {S_INIT(AROUND("include \"close.kdl\"\n" ANSWER("z", "90"))),
         S_INIT("close.kdl:2:1: error:")},
        {S_INIT(AROUND("include \"missing.kdl\"\n")),
         S_INIT("river.kdl:2:9: error: cannot include missing.kdl: ")},
        {S_INIT(AROUND("include \"none/*\"\n")),
         S_INIT("river.kdl:2:9: error: cannot look for files in none/: ")},
        {S_INIT(AROUND("include \"a*/b\"\n")),
         S_INIT("river.kdl:2:9: error: only the last part of the path may have `*` or `?`\n")},
        {S_INIT(AROUND("include\n")), S_INIT("river.kdl:2:1: error: `include` takes one path\n")},
        {S_INIT(AROUND("include \"x\" 5\n")), S_INIT("river.kdl:2:1: error: `include` takes one")},
        {S_INIT(AROUND("include \"own.kdl\"\n")),
         S_INIT("own.kdl:1:9: error: own.kdl includes itself\n")},
        {S_INIT(AROUND("include \"river.kdl\"\n")),
         S_INIT("river.kdl:2:9: error: river.kdl includes itself\n")},
        {S_INIT("define \"x\" { use \"x\" }\n" AROUND("use \"x\"\n")),
         S_INIT("river.kdl:1:18: error: the snippet `x` uses itself\n")},
        {S_INIT("define \"proxy\" { respond }\n" AROUND("use \"prxy\"\n")),
         S_INIT("river.kdl:3:5: error: there is no snippet `prxy`\n")},
        {S_INIT(AROUND("use \"x\"\n") "define \"x\" { a }\n"),
         S_INIT("river.kdl:2:5: error: there is no snippet `x`\n")},
        {S_INIT("define \"x\" { a }\ndefine \"x\" { b }\n" AROUND("")),
         S_INIT("river.kdl:2:8: error: the snippet `x` is defined already\n")},
        {S_INIT(AROUND("define \"x\" { a }\n")),
         S_INIT("river.kdl:2:1: error: snippets are defined at the top level\n")},
        {S_INIT("define x=1 { a }\n"),
         S_INIT("river.kdl:1:1: error: `define` takes a name and a block\n")},
        /* once, though it is used twice */
        {S_INIT("define \"x\" {\n bogus }\n" AROUND("a { listeners { \"127.0.0.1:80\" }; respond\n"
                                                  "use \"x\" }\nb { listeners { "
                                                  "\"127.0.0.1:81\" }; respond\nuse \"x\" }\n")),
         S_INIT("river.kdl:2:2: error: there is no `bogus` here\n")},
        {S_INIT(AROUND("include \"both.kdl\"; " ANSWER("a", "90"))),
         S_INIT("both.kdl:2:17: error: the service")},
    };
    Shelf shelf = {0};
    shelf_put(&shelf, S("port.kdl"), S("a {\n listeners { \"127.0.0.1:x\" }; respond }"));
    shelf_put(&shelf, S("open.kdl"), S("a {"));
    shelf_put(&shelf, S("close.kdl"), S(ANSWER("a", "80") "}"));
    shelf_put(&shelf, S("own.kdl"), S("include \"own.kdl\""));
    shelf_put(&shelf, S("both.kdl"), S(ANSWER("b", "80") ANSWER("c", "80")));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ConfigFiles files;
        Loaded l;
        Str said = load_from(&l, &shelf, &files, rows[i].text);
        EXPECT(l.err == ERR_SYNTAX);
        if (rows[i].said.len > 0 && !str_starts(said, str_take(rows[i].said, 16))) {
            EXPECT_STR(said, rows[i].said);
        }
        EXPECT_STR(str_take(said, rows[i].said.len), rows[i].said);
        EXPECT_U64(l.d->error_count, 1);
        loaded_close(&l);
    }
}

TEST("assemble: files and snippets within each other are bounded, in depth and in size")
{
    static uint8_t room[20 * 64];
    static char names[20][16];
    Shelf shelf = {0};
    ConfigFiles files;
    Loaded l;
    Text t = text_in(span_of(room, sizeof room));
    for (unsigned i = 0; i < 20; i++) {
        size_t from = t.len;
        snprintf(names[i], sizeof names[i], "f%u", i);
        text_format(&t, "include \"f%u\"\n", i + 1);
        shelf_put(&shelf, str_from_c(names[i]), str_slice(text_str(&t), from, t.len));
    }
    Str said = load_from(&l, &shelf, &files, S("include \"f0\""));
    EXPECT(str_starts(said, S("f15:1:1: error: more than 16 files and snippets are within each "
                              "other\n")));
    loaded_close(&l);
    /* ten snippets, each of ten of the one before, would be ten thousand million nodes */
    said = load_from(&l, &shelf, &files,
                     S("define \"a\" { aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; }\n"
                       "define \"b\" { use \"a\"; use \"a\"; use \"a\"; use \"a\"; use \"a\"; }\n"
                       "define \"c\" { use \"b\"; use \"b\"; use \"b\"; use \"b\"; use \"b\"; }\n"
                       "define \"d\" { use \"c\"; use \"c\"; use \"c\"; use \"c\"; use \"c\"; }\n"
                       "define \"e\" { use \"d\"; use \"d\"; use \"d\"; use \"d\"; use \"d\"; }\n"
                       "define \"f\" { use \"e\"; use \"e\"; use \"e\"; use \"e\"; use \"e\"; }\n"
                       "define \"g\" { use \"f\"; use \"f\"; use \"f\"; use \"f\"; use \"f\"; }\n"
                       "define \"h\" { use \"g\"; use \"g\"; use \"g\"; use \"g\"; use \"g\"; }\n"
                       "define \"i\" { use \"h\"; use \"h\"; use \"h\"; use \"h\"; use \"h\"; }\n"
                       "use \"i\"\n"));
    EXPECT(str_search(said, S("with all that is included, this is more than"), 0) < said.len);
    EXPECT(l.err == ERR_SYNTAX);
    loaded_close(&l);
}

/* ---- over a base ---- */

#define SITES 6u

/* A configuration that changes at random. */
typedef struct Model {
    Shelf shelf;
    uint8_t rooms[SITES + 2][SHELF_TEXT_BYTES];
    uint64_t state;
    unsigned sites[SITES]; /* what each service says */
    bool there[SITES];
    unsigned snippet;
    unsigned value;
    unsigned tls;
    unsigned comment;
} Model;

static unsigned chance(Model *m, unsigned below)
{
    m->state = m->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(m->state >> 33) % below;
}

static void print_site(Text *t, unsigned site, unsigned says)
{
    static const char *const more[] = {
        " respond body=\"plain %u\"\n}\n", " use \"common\"\n respond body=\"%u\"\n}\n",
        " respond body=\"{file.value} {env.HOST} %u\"\n}\n",
        " hosts \"h%u\"; respond\n}\n"};
    unsigned kind = says % 4;
    text_format(t, "s%u {\n", site);
    if (kind == 3) {
        text_add(t, S(" listeners { \"" SHARED "\" tls=true }\n"));
    } else {
        text_format(t, " listeners { \"127.0.0.1:%u\" }\n", 1000 + site);
    }
    Str rest = str_from_c(more[kind]);
    StrCut cut = str_cut(rest, '%');
    text_add(t, cut.head);
    text_u64(t, kind == 3 ? site : says);
    text_add(t, str_drop(cut.tail, 1));
}

/* Puts the model's files on the shelf, of which those that are the same keep their marks; gives the
 * main one. */
static Str model_write(Model *m)
{
    static const char *const names[SITES] = {"site0.kdl", "site1.kdl", "site2.kdl",
                                             "site3.kdl", "site4.kdl", "site5.kdl"};
    Text t = text_in(span_of(m->rooms[SITES], SHELF_TEXT_BYTES));
    for (unsigned i = 0; i < SITES; i++) {
        uint8_t room[SHELF_TEXT_BYTES];
        Text site = text_in(span_of(room, sizeof room));
        Str name = str_from_c(names[i]);
        const ShelfFile *was = shelf_find(&m->shelf, name);
        print_site(&site, i, m->sites[i]);
        if (!m->there[i]) {
            shelf_remove(&m->shelf, name);
        } else if (!was || !str_equal(was->text, text_str(&site))) {
            (void)span_copy(span_of(m->rooms[i], site.len), text_str(&site));
            shelf_put(&m->shelf, name, str_of(m->rooms[i], site.len));
        }
    }
    text_format(&t, "value %u\n", m->value);
    Str value = str_drop(text_str(&t), 0);
    const ShelfFile *was = shelf_find(&m->shelf, S("value"));
    if (!was || !str_equal(was->text, value)) {
        (void)span_copy(span_of(m->rooms[SITES + 1], value.len), value);
        shelf_put(&m->shelf, S("value"), str_of(m->rooms[SITES + 1], value.len));
    }
    t = text_in(span_of(m->rooms[SITES], SHELF_TEXT_BYTES));
    text_format(&t, "// %u\ntls { certificate cert-path=\"a.pem\" key-path=\"a.key\"; %s }\n",
                m->comment, m->tls % 2 == 0 ? "" : "tls-versions \"1.3\"");
    text_format(&t, "define \"common\" {\n overload { head-timeout \"%us\" }\n}\n",
                1 + m->snippet % 9);
    text_add(&t, S("services {\n"));
    print_site(&t, 90, m->comment);
    text_add(&t, S("include \"site*.kdl\"\n"));
    print_site(&t, 91, m->snippet);
    text_add(&t, S("}\n"));
    return text_str(&t);
}

static void model_change(Model *m)
{
    unsigned site = chance(m, SITES);
    switch (chance(m, 8)) {
    case 0:
        m->there[site] = !m->there[site];
        return;
    case 1:
        m->snippet = chance(m, 40);
        return;
    case 2:
        m->value = chance(m, 3);
        return;
    case 3:
        m->tls = chance(m, 2);
        return;
    case 4:
        m->comment = chance(m, 9);
        return;
    default:
        m->sites[site] = chance(m, 12);
        return;
    }
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EDITS 1000u
#endif
#endif
#ifndef EDITS
#define EDITS 10000u
#endif

/* With ASSEMBLE_EDITS=N in the environment: so many. */
TEST("assemble: after random changes a reload says what a cold start says")
{
    static Model m;
    const char *more = getenv("ASSEMBLE_EDITS");
    unsigned edits = more ? (unsigned)strtoul(more, NULL, 10) : EDITS;
    unsigned over_count = 0;
    unsigned taken = 0;
    Loaded base;
    bool based = false;
    ConfigFiles files = shelf_files(&m.shelf);
    m = (Model){.state = 7};
    tls_shelf(&m.shelf);
    for (unsigned i = 0; i < edits; i++) {
        Loaded over;
        Loaded whole;
        model_change(&m);
        Str text = model_write(&m);
        ConfigOptions alone = {.files = &files};
        load_with(&whole, text, &alone);
        EXPECT_STR(whole.err == ERR_OK && whole.d->count == 0 ? S("") : shown(&whole), S(""));
        if (based) {
            ConfigOptions options = {.files = &files, .base = base.settings};
            load_with(&over, text, &options);
            EXPECT(over.err == ERR_OK || over.err == ERR_AGAIN);
            const char *other = over.err != ERR_OK
                                    ? NULL
                                    : again_difference(&whole.arena, whole.settings, over.settings);
            EXPECT_STR(str_from_c(other ? other : ""), S(""));
            over_count += over.err == ERR_OK ? 1 : 0;
            for (size_t k = 0; over.settings && k < over.settings->service_count; k++) {
                for (size_t b = 0; b < base.settings->service_count; b++) {
                    taken += over.settings->services[k] == base.settings->services[b] ? 1 : 0;
                }
            }
            loaded_close(&over);
        }
        if (whole.err == ERR_OK && (!based || chance(&m, 4) == 0)) {
            if (based) {
                loaded_close(&base);
            }
            loaded_close(&whole);
            load_with(&base, text, &alone); /* a Loaded does not move */
            based = true;
        } else {
            loaded_close(&whole);
        }
    }
    EXPECT(over_count > edits / 3 && taken > edits);
    if (based) {
        loaded_close(&base);
    }
}
