/* readings.c - the readings of a path: each step is applied to a list until nothing is new. */
#include "http/readings.h"

#include "http/bytes.h"

typedef struct Finder {
    Span room; /* what is free of it */
    size_t count;
    size_t bytes; /* of those that steps have added */
    Str list[READINGS_MAX];
} Finder;

/* The value of the escape at `i`; -1 where there is none. */
static int escape_at(Str s, size_t i)
{
    int high = byte_hex_value(str_peek(s, i + 1));
    int low = byte_hex_value(str_peek(s, i + 2));
    return str_peek(s, i) != '%' || high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* --- the steps: each writes what it makes of a path; false: it climbs above the root --------- */

typedef bool Step(Str path, Text *out);

typedef bool Wanted(uint8_t c);

static bool is_any(uint8_t c)
{
    (void)c;
    return true;
}

static bool is_no_slash(uint8_t c)
{
    return c != '/';
}

static bool is_unreserved(uint8_t c)
{
    return byte_is(c, BYTE_UNRESERVED);
}

static bool decode_escapes(Str path, Text *out, Wanted *wanted)
{
    for (size_t i = 0; i < path.len;) {
        int value = escape_at(path, i);
        bool decoded = value >= 0 && wanted((uint8_t)value);
        text_byte(out, decoded ? (uint8_t)value : str_at(path, i));
        i += decoded ? 3 : 1;
    }
    return true;
}

static bool decode_all(Str path, Text *out)
{
    return decode_escapes(path, out, is_any);
}

static bool decode_names(Str path, Text *out)
{
    return decode_escapes(path, out, is_no_slash);
}

static bool decode_unreserved(Str path, Text *out)
{
    return decode_escapes(path, out, is_unreserved);
}

static bool merge_slashes(Str path, Text *out)
{
    for (size_t i = 0; i < path.len; i++) {
        if (str_at(path, i) != '/' || str_peek(path, i + 1) != '/') {
            text_byte(out, str_at(path, i));
        }
    }
    return true;
}

static bool leave_out_parameters(Str path, Text *out)
{
    for (size_t i = 0; i < path.len; i++) {
        if (str_at(path, i) == ';') {
            i = str_find(path, '/', i);
        }
        if (i < path.len) {
            text_byte(out, str_at(path, i));
        }
    }
    return true;
}

static bool end_early(Str path, Text *out)
{
    size_t query = str_find(path, '?', 0);
    size_t fragment = str_find(path, '#', 0);
    text_add(out, str_take(path, query < fragment ? query : fragment));
    return true;
}

static size_t last_slash(const Text *out)
{
    Str written = text_str(out);
    size_t i = written.len - 1;
    while (i > 0 && str_at(written, i) != '/') {
        i--;
    }
    return i;
}

/* How many dots a segment is: 1 or 2; 0 if it is something else. */
static unsigned dots_of(Str segment, bool encoded_too)
{
    unsigned dots = 0;
    for (size_t i = 0; i < segment.len; dots++) {
        bool encoded = encoded_too && escape_at(segment, i) == '.';
        if (dots == 2 || (!encoded && str_at(segment, i) != '.')) {
            return 0;
        }
        i += encoded ? 3 : 1;
    }
    return dots;
}

static bool resolve_segments(Str path, Text *out, bool encoded_too)
{
    size_t end = 0;
    for (size_t i = 0; i < path.len; i = end) { /* at a slash */
        end = str_find(path, '/', i + 1);
        unsigned dots = dots_of(str_slice(path, i + 1, end), encoded_too);
        if (dots == 2 && out->len == 0) {
            return false;
        }
        if (dots == 2) {
            out->len = last_slash(out);
        }
        if (dots == 0) {
            text_add(out, str_slice(path, i, end));
        } else if (end == path.len) {
            text_byte(out, '/');
        }
    }
    return true;
}

static bool resolve_dots(Str path, Text *out)
{
    return resolve_segments(path, out, false);
}

static bool resolve_encoded_dots(Str path, Text *out)
{
    return resolve_segments(path, out, true);
}

/* --- what no reading may hold ----------------------------------------------------------------- */

static bool byte_continues(Str s, size_t i, int low, int high)
{
    int c = str_peek(s, i);
    return c >= low && c <= high;
}

/* The start of a sequence that encodes a character in more bytes than it needs (RFC 3629 §3). */
static bool is_overlong(Str s, size_t i)
{
    switch (str_at(s, i)) {
    case 0xC0:
    case 0xC1:
        return byte_continues(s, i + 1, 0x80, 0xBF);
    case 0xE0:
        return byte_continues(s, i + 1, 0x80, 0x9F) && byte_continues(s, i + 2, 0x80, 0xBF);
    case 0xF0:
        return byte_continues(s, i + 1, 0x80, 0x8F) && byte_continues(s, i + 2, 0x80, 0xBF);
    default:
        return false;
    }
}

/* "%u002f": an escape to some servers of Microsoft's. */
static bool is_wide_escape(Str s, size_t i)
{
    return str_at(s, i) == '%' && byte_lower((uint8_t)str_peek(s, i + 1)) == 'u' &&
           byte_hex_value(str_peek(s, i + 2)) >= 0 && byte_hex_value(str_peek(s, i + 3)) >= 0;
}

static bool is_sane(Str s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = str_at(s, i);
        if (byte_is(c, BYTE_CONTROL) || c == '\\' || is_overlong(s, i) || is_wide_escape(s, i)) {
            return false;
        }
    }
    return true;
}

/* What is wrong with the path as it was written. */
static ReadingsVerdict judge_written(Str path)
{
    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = str_at(path, i);
        int value = c == '%' ? escape_at(path, i) : c;
        if (value < 0) {
            return READINGS_ESCAPE;
        }
        if (value == '\\') {
            return READINGS_SEPARATOR;
        }
        if (byte_is((uint8_t)value, BYTE_CONTROL)) {
            return READINGS_CONTROL;
        }
    }
    return path.len > READINGS_PATH_MAX ? READINGS_ENDLESS : READINGS_FOUND;
}

/* --- the list --------------------------------------------------------------------------------- */

static bool list_has(const Finder *f, Str one)
{
    for (size_t i = 0; i < f->count; i++) {
        if (str_equal(f->list[i], one)) {
            return true;
        }
    }
    return false;
}

/* Keeps what was written at the start of the free room, if it is new. False: there is no place. */
static bool list_keep(Finder *f, const Text *written)
{
    Str one = text_str(written);
    if (written->overflow) {
        return false;
    }
    if (list_has(f, one)) {
        return true;
    }
    if (f->count == READINGS_MAX) {
        return false;
    }
    f->list[f->count++] = one;
    f->room = span_drop(f->room, one.len);
    return true;
}

static bool apply_step(Finder *f, Step *step, Str path)
{
    Text out = text_in(f->room);
    size_t count = f->count;
    if (!step(path, &out) || !list_keep(f, &out)) {
        return false;
    }
    if (f->count == count) {
        return true;
    }
    f->bytes += out.len;
    return f->bytes <= READINGS_BYTES_MAX && is_sane(f->list[count]);
}

/* Each with the two bytes of which it changes one: a path without them is left as it is. */
static const struct StepRow {
    Step *step;
    uint8_t one;
    uint8_t other;
} steps[] = {
    {decode_all, '%', '%'},           {decode_names, '%', '%'}, {decode_unreserved, '%', '%'},
    {resolve_encoded_dots, '%', '%'}, {resolve_dots, '.', '.'}, {merge_slashes, '/', '/'},
    {leave_out_parameters, ';', ';'}, {end_early, '?', '#'},
};

static bool may_change(const struct StepRow *row, Str path)
{
    return str_find(path, row->one, 0) < path.len ||
           (row->other != row->one && str_find(path, row->other, 0) < path.len);
}

/* Applies every step to every reading, the new ones too. */
static bool find_all(Finder *f)
{
    for (size_t i = 0; i < f->count; i++) {
        for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
            if (may_change(&steps[k], f->list[i]) && !apply_step(f, steps[k].step, f->list[i])) {
                return false;
            }
        }
    }
    return true;
}

static uint8_t hex_upper(unsigned digit)
{
    return (uint8_t)(digit < 10 ? '0' + digit : 'A' + (digit - 10));
}

static void escape_write(Text *out, uint8_t c)
{
    text_byte(out, '%');
    text_byte(out, hex_upper(c >> 4));
    text_byte(out, hex_upper(c & 15u));
}

/* pchar and '/' (RFC 3986 §3.3); BYTE_HOST is unreserved and sub-delims. */
static bool is_of_path(uint8_t c)
{
    return byte_is(c, BYTE_HOST) || c == ':' || c == '@' || c == '/';
}

static void spell_path(Str path, Text *out, bool all)
{
    for (size_t i = 0; i < path.len;) {
        uint8_t c = str_at(path, i);
        int value = escape_at(path, i);
        if (value >= 0) {
            escape_write(out, (uint8_t)value);
        } else if (!all || is_of_path(c)) {
            text_byte(out, c);
        } else {
            escape_write(out, c);
        }
        i += value >= 0 ? 3 : 1;
    }
}

void readings_spell(Str path, Text *out)
{
    spell_path(path, out, true);
}

/* The path as it was written, then each reading, spelled. */
static bool spell_all(Finder *f, Finder *spelled)
{
    *spelled = (Finder){.room = f->room};
    Text written = text_in(spelled->room);
    spell_path(f->list[0], &written, false);
    bool whole = list_keep(spelled, &written);
    for (size_t i = 0; whole && i < f->count; i++) {
        Text one = text_in(spelled->room);
        spell_path(f->list[i], &one, true);
        whole = list_keep(spelled, &one);
    }
    return whole;
}

static bool comes_before(Str a, Str b)
{
    return a.len != b.len ? a.len < b.len : str_compare(a, b) < 0;
}

ReadingsVerdict readings_find(Str path, Span scratch, Readings *ret)
{
    ReadingsVerdict verdict = judge_written(path);
    Finder found = {.room = scratch, .count = 1, .list = {path}};
    Finder spelled;
    if (verdict != READINGS_FOUND) {
        return verdict;
    }
    if (!is_sane(path) || !find_all(&found) || !spell_all(&found, &spelled)) {
        return READINGS_ENDLESS;
    }
    *ret = (Readings){.count = spelled.count};
    for (size_t i = 0; i < spelled.count; i++) {
        ret->list[i] = spelled.list[i];
        ret->shortest = comes_before(ret->list[i], ret->list[ret->shortest]) ? i : ret->shortest;
    }
    return READINGS_FOUND;
}

bool readings_is_one(Str path)
{
    bool slash = false;
    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = str_at(path, i);
        if (!is_of_path(c) || c == ';' || (slash && (c == '/' || c == '.'))) {
            return false;
        }
        slash = c == '/';
    }
    return true;
}
