/* starting_test.c - the starting configuration: addresses as people type them, and whose fault a
 * mistake is. */
#include "app/starting.h"
#include "test.h"

/* The text for these arguments; empty if they cannot be understood. */
static Str write_text(const Starting *s, Text *out, StartingText *ret)
{
    uint8_t room[512];
    Text why = text_in(span_of(room, sizeof room));
    out->len = 0;
    bool good = starting_check(s, &why) == ERR_OK && starting_write(s, out, ret) == ERR_OK;
    return good ? ret->text : STR_NONE;
}

static bool has_line(Str text, Str line)
{
    while (text.len > 0) {
        StrCut cut = str_cut(text, '\n');
        size_t blanks = 0;
        while (blanks < cut.head.len && str_at(cut.head, blanks) == ' ') {
            blanks++;
        }
        if (str_equal(str_drop(cut.head, blanks), line)) {
            return true;
        }
        text = cut.tail;
    }
    return false;
}

TEST("starting: where an application listens")
{
    static const struct {
        const char *typed;
        const char *line; /* NULL: it is refused */
    } rows[] = {
        {"3000", "\"127.0.0.1:3000\""},
        {":3000", "\"127.0.0.1:3000\""},
        {"*:3000", "\"127.0.0.1:3000\""},
        {"0.0.0.0:3000", "\"127.0.0.1:3000\""},
        {"[::]:3000", "\"[::1]:3000\""},
        {"localhost:3000", "\"127.0.0.1:3000\""},
        {"LOCALHOST:3000", "\"127.0.0.1:3000\""},
        {"[2001:db8::1]:3000", "\"[2001:db8::1]:3000\""},
        {"http://192.0.2.1", "\"192.0.2.1:80\""},
        {"HTTP://192.0.2.1:81/", "\"192.0.2.1:81\""},
        {"http://localhost", "\"127.0.0.1:80\""},
        {"https://192.0.2.1", "\"192.0.2.1:443\" tls-sni=\"192.0.2.1\""},
        {"https://[2001:db8::1]:8443", "\"[2001:db8::1]:8443\" tls-sni=\"2001:db8::1\""},
        {"https://localhost:8443/", "\"127.0.0.1:8443\" tls-sni=\"localhost\""},
        {"/run/app.sock", "\"/run/app.sock\""},
        {"unix:/run/app.sock", "\"/run/app.sock\""},
        {"unix:///run/app.sock", "\"/run/app.sock\""},
        {"unix:run/app.sock", NULL},
        {"@app", NULL},
        {"0", NULL},
        {"65536", NULL},
        {"99999999999999999999999", NULL},
        {"127.0.0.1", NULL},
        {"127.0.0.1:", NULL},
        {"localhost", NULL},
        {"app:3000", NULL},
        {"::1", NULL},
        {"::1:3000", NULL},
        {"[::1", NULL},
        {"[::1]", NULL},
        {"[::1]3000", NULL},
        {"[fe80::1%eth0]:3000", NULL},
        {"http://", NULL},
        {"http:///", NULL},
        {"http://192.0.2.1/app", NULL},
        {"http://192.0.2.1?x", NULL},
        {"ws://192.0.2.1", NULL},
        {"://192.0.2.1", NULL},
        {"user@192.0.2.1:80", NULL},
        {" 3000", NULL},
    };
    static uint8_t room[STARTING_BYTES_MAX];
    Text out = text_in(span_of(room, sizeof room));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        StartingText made;
        Starting s = {.origin = str_from_c(rows[i].typed), .listen = S("127.0.0.1:1")};
        Str text = write_text(&s, &out, &made);
        if (!rows[i].line) {
            EXPECT_STR(text, STR_NONE);
        } else if (!has_line(text, str_from_c(rows[i].line))) {
            EXPECT_STR(text, str_from_c(rows[i].line));
        }
    }
}

TEST("starting: where River listens")
{
    static const struct {
        const char *typed;
        const char *line;  /* NULL: it is refused */
        const char *line4; /* without IPv6; NULL: the same */
    } rows[] = {
        {"8080", "\"[::]:8080\"", "\"0.0.0.0:8080\""},
        {":8080", "\"[::]:8080\"", "\"0.0.0.0:8080\""},
        {"*:8080", "\"[::]:8080\"", "\"0.0.0.0:8080\""},
        {"[::]:443", "\"[::]:443\"", NULL},
        {"0.0.0.0:443", "\"0.0.0.0:443\"", NULL},
        {"localhost:443", "\"127.0.0.1:443\"", NULL},
        {"192.0.2.1:443", "\"192.0.2.1:443\"", NULL},
        {"[::1]:443", "\"[::1]:443\"", NULL},
        {"/run/site.sock", "\"/run/site.sock\"", NULL},
        {"https://:443", NULL, NULL},
        {"site.example:443", NULL, NULL},
        {"192.0.2.1", NULL, NULL},
    };
    static uint8_t room[STARTING_BYTES_MAX];
    Text out = text_in(span_of(room, sizeof room));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
            StartingText made;
            Starting s = {.directory = S("."), .listen = str_from_c(rows[i].typed),
                          .ipv6 = ipv6 == 1};
            Str text = write_text(&s, &out, &made);
            const char *line = ipv6 == 0 && rows[i].line4 ? rows[i].line4 : rows[i].line;
            if (!line) {
                EXPECT_STR(text, STR_NONE);
            } else if (!has_line(text, str_from_c(line))) {
                EXPECT_STR(text, str_from_c(line));
            }
        }
    }
}

TEST("starting: each piece of the text is what its argument says")
{
    static uint8_t room[STARTING_BYTES_MAX];
    Text out = text_in(span_of(room, sizeof room));
    StartingText made;
    Starting s = {.origin = S("https://192.0.2.1"), .origin_name = S("b.example"),
                  .origin_ca = S("ca \"1\".pem"), .directory = S("./a\\b"),
                  .certificate = S("c.pem"), .key = S("k.pem"), .user = S("www-data")};
    Str text = write_text(&s, &out, &made);
    EXPECT(text.len > 0);
    static const struct {
        Str flag;
        Str written;
    } wanted[] = {
        {S_INIT("--user"), S_INIT("\"www-data\"")},
        {S_INIT("--listen"), S_INIT("\"0.0.0.0:8443\"")},
        {S_INIT("--cert"), S_INIT(" cert-path=\"c.pem\"")},
        {S_INIT("--key"), S_INIT(" key-path=\"k.pem\"")},
        {S_INIT(""), S_INIT("\"192.0.2.1:443\"")},
        {S_INIT("--origin-name"), S_INIT(" tls-sni=\"b.example\"")},
        {S_INIT("--origin-ca"), S_INIT(" ca-path=\"ca \\\"1\\\".pem\"")},
        {S_INIT(""), S_INIT("base-path \"./a\\\\b\"")},
    };
    EXPECT_U64(made.count, sizeof wanted / sizeof wanted[0]);
    for (size_t i = 0; i < made.count && i < sizeof wanted / sizeof wanted[0]; i++) {
        EXPECT_STR(made.pieces[i].flag, wanted[i].flag);
        EXPECT_STR(str_slice(text, made.pieces[i].from, made.pieces[i].to), wanted[i].written);
    }
    EXPECT(starting_says_kept(&made, S("--key k.pem: not renewed: it is not the key")));
    EXPECT(!starting_says_kept(&made, S("--key k.pem: error: it is not the key")));
    EXPECT(!starting_says_kept(&made, S("--key other.pem: not renewed: x")));
}

TEST("starting: what does not fit is refused")
{
    uint8_t room[64];
    Text out = text_in(span_of(room, sizeof room));
    StartingText made;
    Starting s = {.origin = S("3000")};
    EXPECT(starting_write(&s, &out, &made) == ERR_LIMIT);
}
