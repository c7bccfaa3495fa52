/* readings_fuzz.c - whatever a server makes of a path is one of its readings: the steps here are
 * written once more, apart from those of http/readings.c. The first byte is how many steps the
 * server takes, at most eight; the next ones say which, and which rules River applies. */
#include "http/readings.h"

#include <string.h>

#include "fuzz.h"

#define STEPS_MAX 8
#define PATH_MAX_BYTES 400

typedef struct Path {
    size_t len;
    char at[PATH_MAX_BYTES + 1];
} Path;

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int is_unreserved(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

/* 'a': all escapes, 'n': not slashes, 'u': unreserved characters */
static void decode(Path *p, char which)
{
    size_t to = 0;
    for (size_t i = 0; i < p->len; i++) {
        int value = i + 2 < p->len && p->at[i] == '%' && digit(p->at[i + 1]) >= 0 &&
                            digit(p->at[i + 2]) >= 0
                        ? digit(p->at[i + 1]) * 16 + digit(p->at[i + 2])
                        : -1;
        if (value >= 0 && (which == 'a' || (which == 'n' && value != '/') ||
                           (which == 'u' && is_unreserved(value)))) {
            p->at[to++] = (char)value;
            i += 2;
        } else {
            p->at[to++] = p->at[i];
        }
    }
    p->len = to;
}

static void merge(Path *p)
{
    size_t to = 0;
    for (size_t i = 0; i < p->len; i++) {
        if (p->at[i] != '/' || to == 0 || p->at[to - 1] != '/') {
            p->at[to++] = p->at[i];
        }
    }
    p->len = to;
}

/* The dots that are all of what is between `from` and `end`; 0: there is something else. */
static int dots_between(const Path *p, size_t from, size_t end, int encoded)
{
    int dots = 0;
    while (from < end) {
        if (p->at[from] == '.') {
            from++;
        } else if (encoded && from + 2 < end && p->at[from] == '%' && p->at[from + 1] == '2' &&
                   (p->at[from + 2] | 32) == 'e') {
            from += 3;
        } else {
            return 0;
        }
        dots++;
    }
    return dots;
}

/* One "/../" or "/./" after the other, from the left, as RFC 3986 §5.2.4 does it. */
static void resolve(Path *p, int encoded)
{
    Path in = *p;
    size_t i = 0;
    p->len = 0;
    while (i < in.len) {
        size_t end = i + 1;
        while (end < in.len && in.at[end] != '/') {
            end++;
        }
        int dots = dots_between(&in, i + 1, end, encoded);
        if (dots == 2) {
            while (p->len > 0 && p->at[--p->len] != '/') {
            }
        }
        if (dots == 0 || dots > 2) {
            memcpy(p->at + p->len, in.at + i, end - i);
            p->len += end - i;
        } else if (end == in.len) {
            p->at[p->len++] = '/';
        }
        i = end;
    }
}

static void strip(Path *p)
{
    size_t to = 0;
    int inside = 0;
    for (size_t i = 0; i < p->len; i++) {
        inside = p->at[i] == ';' || (inside && p->at[i] != '/');
        if (!inside) {
            p->at[to++] = p->at[i];
        }
    }
    p->len = to;
}

static void cut(Path *p)
{
    for (size_t i = 0; i < p->len; i++) {
        if (p->at[i] == '?' || p->at[i] == '#') {
            p->len = i;
        }
    }
}

static void serve(Path *p, unsigned step)
{
    switch (step % 8) {
    case 0:
        decode(p, 'a');
        break;
    case 1:
        decode(p, 'n');
        break;
    case 2:
        decode(p, 'u');
        break;
    case 3:
        resolve(p, 1);
        break;
    case 4:
        merge(p);
        break;
    case 5:
        resolve(p, 0);
        break;
    case 6:
        strip(p);
        break;
    default:
        cut(p);
        break;
    }
}

static void must_be_reading(const Readings *all, Str path)
{
    uint8_t room[3 * PATH_MAX_BYTES];
    Text spelled = text_in(span_of(room, sizeof room));
    readings_spell(path, &spelled);
    bool found = false;
    for (size_t i = 0; i < all->count; i++) {
        found = found || str_equal(all->list[i], text_str(&spelled));
    }
    MUST(found);
}

/* What River sends under any rules is one of them. */
static void must_send_reading(const Readings *all, Str path, unsigned bits)
{
    UriRules rules = {.dot_segments = bits & 1,
                      .duplicate_slashes = bits & 2,
                      .encoded_separators = bits & 4,
                      .control_characters = bits & 8,
                      .percent_encoding = bits & 16,
                      .matrix = bits & 32 ? MATRIX_STRIP : MATRIX_PASS};
    Span room = fuzz_copy(path);
    Text sent = text_in(room);
    if (uri_normalize(path, &rules, &sent) == ERR_OK) {
        must_be_reading(all, text_str(&sent));
    }
    free(room.at);
}

/* Nothing that a reading holds is read in a way of its own by some server. */
static void must_be_sane(Str reading)
{
    MUST(str_peek(reading, 0) == '/');
    for (size_t i = 0; i < reading.len; i++) {
        uint8_t c = str_at(reading, i);
        MUST(c > 0x20 && c != 0x7f && c != '?' && c != '#' && c != '\\');
        MUST(!str_stands(reading, i, S("%00")) && !str_stands(reading, i, S("%5C")) &&
             !str_stands(reading, i, S("%C0%AF")));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t scratch[1u << 20];
    if (size < STEPS_MAX + 3) {
        return 0;
    }
    Span given = fuzz_copy(str_take(str_drop(str_of(data, size), STEPS_MAX + 2), PATH_MAX_BYTES));
    Str path = span_str(given);
    UriParts parts;
    bool valid = str_peek(path, 0) == '/' && uri_split(path, METHOD_GET, &parts) == ERR_OK &&
                 !parts.has_query && parts.form == TARGET_ORIGIN;
    Readings all;
    if (valid && readings_is_one(path)) {
        MUST(readings_find(path, span_of(scratch, sizeof scratch), &all) == READINGS_FOUND);
        MUST(all.count == 1 && str_equal(all.list[0], path));
    }
    if (valid && readings_find(path, span_of(scratch, sizeof scratch), &all) == READINGS_FOUND) {
        Path server = {.len = path.len};
        span_copy(span_of(server.at, PATH_MAX_BYTES), path);
        for (size_t i = 0; i < data[0] % (STEPS_MAX + 1); i++) {
            serve(&server, data[1 + i]);
        }
        must_be_reading(&all, str_of(server.at, server.len));
        must_send_reading(&all, path, data[STEPS_MAX + 1]);
        for (size_t i = 0; i < all.count; i++) {
            must_be_sane(all.list[i]);
        }
    }
    free(given.at);
    return 0;
}
