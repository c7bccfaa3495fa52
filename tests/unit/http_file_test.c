/* http_file_test.c - request paths to file paths and back, and media types. */
#include "http/file_path.h"
#include "http/media_type.h"

#include "http_support.h"

typedef struct PathRow {
    Str path;
    Str want;   /* the decoded path */
    Str again;  /* spelt for a Location */
    const char *about; /* d: a directory, h: hidden, 2: doubled slashes, x: impossible */
} PathRow;

static bool about_holds(const FilePath *p, const char *about)
{
    FilePathVerdict verdict = strchr(about, 'x')   ? FILE_PATH_IMPOSSIBLE
                              : strchr(about, '2') ? FILE_PATH_DOUBLED
                                                   : FILE_PATH_PLAIN;
    return p->verdict == verdict &&
           (verdict == FILE_PATH_IMPOSSIBLE || (p->directory == (strchr(about, 'd') != NULL) &&
                                                p->hidden == (strchr(about, 'h') != NULL)));
}

TEST("a path is decoded once, and what would lead elsewhere is refused")
{
    static const PathRow rows[] = {
        {S_INIT("/"), S_INIT(""), S_INIT(""), "d"},
        {S_INIT("/a"), S_INIT("a"), S_INIT("a"), ""},
        {S_INIT("/a/"), S_INIT("a"), S_INIT("a"), "d"},
        {S_INIT("/a/b.html"), S_INIT("a/b.html"), S_INIT("a/b.html"), ""},
        {S_INIT("//a"), S_INIT("a"), S_INIT("a"), "2"},
        {S_INIT("//"), S_INIT(""), S_INIT(""), "2d"},
        {S_INIT("/a//b"), S_INIT("a/b"), S_INIT("a/b"), "2"},
        {S_INIT("/a///"), S_INIT("a"), S_INIT("a"), "2d"},
        {S_INIT("//evil.example/"), S_INIT("evil.example"), S_INIT("evil.example"), "2d"},
        {S_INIT("/%61%2Eb"), S_INIT("a.b"), S_INIT("a.b"), ""},
        {S_INIT("/a%20b"), S_INIT("a b"), S_INIT("a%20b"), ""},
        {S_INIT("/%C3%A4"), S_INIT("\xc3\xa4"), S_INIT("%C3%A4"), ""},
        {S_INIT("/\xc3\xa4"), S_INIT("\xc3\xa4"), S_INIT("%C3%A4"), ""},
        {S_INIT("/a%3fb"), S_INIT("a?b"), S_INIT("a%3Fb"), ""},
        {S_INIT("/a%25b"), S_INIT("a%b"), S_INIT("a%25b"), ""},
        {S_INIT("/%252e%252e/x"), S_INIT("%2e%2e/x"), S_INIT("%252e%252e/x"), ""},
        {S_INIT("/a%0d%0ab"), S_INIT("a\r\nb"), S_INIT("a%0D%0Ab"), ""},
        {S_INIT("/it's(1)+@:;=,$!*&"), S_INIT("it's(1)+@:;=,$!*&"), S_INIT("it's(1)+@:;=,$!*&"),
         ""},
        {S_INIT("/.git/config"), S_INIT(".git/config"), S_INIT(".git/config"), "h"},
        {S_INIT("/a/%2ehidden"), S_INIT("a/.hidden"), S_INIT("a/.hidden"), "h"},
        {S_INIT("/..."), S_INIT("..."), S_INIT("..."), "h"},
        {S_INIT("/..a"), S_INIT("..a"), S_INIT("..a"), "h"},
        {S_INIT("/a.."), S_INIT("a.."), S_INIT("a.."), ""},
        {S_INIT("/.."), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("/../a"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("/a/../b"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("/a/."), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("/./a"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("/%2e%2e/a"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("/.%2E/a"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("/a%2fb"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("/a%2Fb"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("/..%2f..%2fetc/passwd"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("/..\\a"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("/..%5ca"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("/a%00.html"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("/a%"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("/a%2"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("/a%zz"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("/a%u002f"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("a"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT("*"), S_INIT(""), S_INIT(""), "x"},
        {S_INIT(""), S_INIT(""), S_INIT(""), "x"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Span copy = exact_copy(rows[i].path);
        Span room = exact_copy(rows[i].path); /* as long as the path, and not more */
        Text out = text_in(room);
        FilePath found = file_path_decode(span_str(copy), &out);
        EXPECT(about_holds(&found, rows[i].about));
        EXPECT(!out.overflow);
        if (found.verdict != FILE_PATH_IMPOSSIBLE) {
            uint8_t bytes[128];
            Text again = text_in(span_of(bytes, sizeof bytes));
            EXPECT_STR(text_str(&out), rows[i].want);
            file_path_encode(text_str(&out), &again);
            EXPECT_STR(text_str(&again), rows[i].again);
        }
        free(copy.at);
        free(room.at);
    }
}

TEST("media types follow the extension, whatever its case")
{
    static const struct {
        Str path;
        Str want;
    } rows[] = {
        {S_INIT("index.html"), S_INIT("text/html; charset=utf-8")},
        {S_INIT("a/b/INDEX.HTML"), S_INIT("text/html; charset=utf-8")},
        {S_INIT("style.css"), S_INIT("text/css; charset=utf-8")},
        {S_INIT("app.mjs"), S_INIT("text/javascript; charset=utf-8")},
        {S_INIT("data.json"), S_INIT("application/json")},
        {S_INIT("logo.svg"), S_INIT("image/svg+xml")},
        {S_INIT("archive.tar.gz"), S_INIT("application/gzip")},
        {S_INIT("page.webmanifest"), S_INIT("application/manifest+json")},
        {S_INIT("first.3g2"), S_INIT("video/3gpp2")},
        {S_INIT("last.zst"), S_INIT("application/zstd")},
        {S_INIT("shell.php"), S_INIT("text/plain; charset=utf-8")},
        {S_INIT("README"), S_INIT("application/octet-stream")},
        {S_INIT(".html"), S_INIT("application/octet-stream")},
        {S_INIT("a.b/html"), S_INIT("application/octet-stream")},
        {S_INIT("a/.css"), S_INIT("application/octet-stream")},
        {S_INIT("a."), S_INIT("application/octet-stream")},
        {S_INIT("a.unknown"), S_INIT("application/octet-stream")},
        {S_INIT("a.htmlhtmlhtmlhtml"), S_INIT("application/octet-stream")},
        {S_INIT(""), S_INIT("application/octet-stream")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Span copy = exact_copy(rows[i].path);
        EXPECT_STR(media_type_of(span_str(copy)), rows[i].want);
        free(copy.at);
    }
}
