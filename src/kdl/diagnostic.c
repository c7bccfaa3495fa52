/* diagnostic.c - collecting mistakes, and showing each with its line underlined. */
#include "kdl/diagnostic.h"

#include "base/number.h"
#include "kdl/lex.h"

#define MESSAGE_BYTES_MAX 1024u
#define SHOWN_BYTES_MAX 160u /* of a source line */
#define SHOWN_BEFORE 80u     /* of those, before the span, when the line is cut */
#define FRAME_BYTES 256u     /* what is printed around message, help and line, at most */

void diagnostics_init(Diagnostics *d, Arena *arena, Str file_name, Str text)
{
    *d = (Diagnostics){.arena = arena, .file_name = file_name, .text = text};
}

/* Whether the place of one was said to be wrong in these words already. */
static bool is_repeated(const Diagnostics *d, const Diagnostic *one)
{
    SourcePlace place = diagnostics_place(d, one->location);
    for (size_t i = 0; one->placed && i < d->count; i++) {
        const Diagnostic *other = &d->list[i];
        SourcePlace there = diagnostics_place(d, other->location);
        if (other->placed && there.location.from == place.location.from &&
            str_equal(there.file.name, place.file.name) &&
            str_equal(other->message, one->message)) {
            return true;
        }
    }
    return false;
}

static void diagnostic_keep(Diagnostics *d, const Diagnostic *one)
{
    if (is_repeated(d, one)) {
        return;
    }
    d->error_count += one->severity == SEVERITY_ERROR ? 1 : 0;
    if (d->count < DIAGNOSTICS_MAX) {
        d->list[d->count++] = *one;
    } else {
        d->more++;
    }
}

static void PRINTF_LIKE(3, 0)
    add_formatted(Diagnostics *d, Diagnostic *one, const char *format, va_list list)
{
    if (d->count == DIAGNOSTICS_MAX) {
        diagnostic_keep(d, one); /* only counted */
        return;
    }
    uint8_t room[MESSAGE_BYTES_MAX];
    Text message = text_in(span_of(room, sizeof room));
    text_format_list(&message, format, list);
    if (message.overflow) {
        text_add(&message, S("the configuration is wrong here"));
    }
    if (!arena_copy(d->arena, text_str(&message), &one->message) ||
        !arena_copy(d->arena, one->help, &one->help)) {
        d->out_of_memory = true;
        one->message = S("no memory left to say what is wrong here");
        one->help = STR_NONE;
    }
    diagnostic_keep(d, one);
}

void diagnostics_add_list(Diagnostics *d, Severity severity, const Location *at, Str origin,
                          Str help, const char *format, va_list list)
{
    Diagnostic one = {.severity = severity, .placed = at != NULL, .origin = origin, .help = help};
    if (at) {
        one.location = *at;
    }
    add_formatted(d, &one, format, list);
}

void diagnostics_add(Diagnostics *d, Severity severity, Location at, Str help, const char *format,
                     ...)
{
    va_list list;
    va_start(list, format);
    diagnostics_add_list(d, severity, &at, STR_NONE, help, format, list);
    va_end(list);
}

void diagnostics_add_from(Diagnostics *d, Severity severity, Str origin, Str help,
                          const char *format, ...)
{
    va_list list;
    va_start(list, format);
    diagnostics_add_list(d, severity, NULL, origin, help, format, list);
    va_end(list);
}

bool diagnostics_said(const Diagnostics *d, Str message)
{
    for (size_t i = 0; i < d->count; i++) {
        if (str_equal(d->list[i].message, message)) {
            return true;
        }
    }
    return false;
}

void diagnostics_take(Diagnostics *d, const Diagnostics *from)
{
    for (size_t i = 0; i < from->count; i++) {
        diagnostic_keep(d, &from->list[i]);
    }
    d->more += from->more;
    d->error_count += from->more;
    d->out_of_memory = d->out_of_memory || from->out_of_memory;
}

static bool stands_before(const Diagnostic *a, const Diagnostic *b)
{
    if (a->placed != b->placed) {
        return !a->placed;
    }
    return a->placed && a->location.from < b->location.from;
}

void diagnostics_sort(Diagnostics *d)
{
    for (size_t i = 1; i < d->count; i++) {
        Diagnostic one = d->list[i];
        size_t to = i;
        for (; to > 0 && stands_before(&one, &d->list[to - 1]); to--) {
            d->list[to] = d->list[to - 1];
        }
        d->list[to] = one;
    }
}

static bool is_continuation(int byte)
{
    return byte >= 0 && (byte & 0xC0) == 0x80;
}

Place place_of(Str text, size_t at)
{
    Place place = {1, 1};
    for (size_t i = 0; i < at && i < text.len; i++) {
        if (str_at(text, i) == '\n') {
            place.line++;
            place.column = 1;
        } else if (!is_continuation(str_at(text, i))) {
            place.column++;
        }
    }
    return place;
}

/* Colours are SGR escapes; nothing without a terminal. */
static void paint_colour(Text *out, bool colour, const char *code)
{
    if (colour) {
        text_format(out, "\x1b[%sm", code);
    }
}

/* Whether a terminal shows the character in place: control characters (also those of eight bits)
 * move the cursor or give commands, others change the direction of what follows, or are
 * invisible. */
static bool is_shown(uint32_t c)
{
    bool control = (c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7F && c <= 0x9F);
    bool turns = c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
                 (c >= 0x2066 && c <= 0x2069);
    bool hidden = c == 0x00AD || (c >= 0x200B && c <= 0x200D) || c == 0x2028 || c == 0x2029 ||
                  (c >= 0x2060 && c <= 0x2064) || c == 0xFEFF || (c >= 0xE0000 && c <= 0xE007F);
    return !control && !turns && !hidden;
}

/* What may come out of the file, with a '?' for each character that must not reach a terminal. */
static void add_clean(Text *out, Str text)
{
    for (size_t at = 0; at < text.len;) {
        uint32_t c = 0;
        size_t len = kdl_code_point(text, at, &c);
        if (len > 0 && is_shown(c)) {
            text_add(out, str_slice(text, at, at + len));
        } else {
            text_byte(out, '?');
        }
        at += len > 0 ? len : 1;
    }
}

/* The part of the source line that is shown: [from, to), cut between code points. */
typedef struct Window {
    size_t from;
    size_t to;
    bool cut_left;
    bool cut_right;
} Window;

static Window window_around(Str text, size_t at)
{
    Window w = {.from = size_min(at, text.len)};
    while (w.from > 0 && str_at(text, w.from - 1) != '\n') {
        w.from--;
    }
    w.to = str_find(text, '\n', w.from);
    if (w.to > w.from && str_at(text, w.to - 1) == '\r') {
        w.to--;
    }
    if (w.to - w.from > SHOWN_BYTES_MAX) {
        if (at - w.from > SHOWN_BEFORE) {
            w.from = at - SHOWN_BEFORE;
            w.cut_left = true;
        }
        if (w.to - w.from > SHOWN_BYTES_MAX) {
            w.to = w.from + SHOWN_BYTES_MAX;
            w.cut_right = true;
        }
        while (is_continuation(str_peek(text, w.from)) && w.from < w.to) {
            w.from++;
        }
        while (is_continuation(str_peek(text, w.to)) && w.to > w.from) {
            w.to--;
        }
    }
    return w;
}

static void print_line(Text *out, Str text, Window w)
{
    text_add(out, w.cut_left ? S("...") : STR_NONE);
    add_clean(out, str_slice(text, w.from, w.to));
    text_add(out, w.cut_right ? S("...") : STR_NONE);
}

/* Spaces up to the span (tabs stay tabs), then a ^ for each of its code points on this line. */
static void print_marks(Text *out, Str text, Window w, Location at)
{
    text_add(out, w.cut_left ? S("   ") : STR_NONE);
    for (size_t i = w.from; i < at.from && i < w.to; i++) {
        if (!is_continuation(str_at(text, i))) {
            text_byte(out, str_at(text, i) == '\t' ? '\t' : ' ');
        }
    }
    text_byte(out, '^');
    for (size_t i = (size_t)at.from + 1; i < (size_t)at.from + at.len && i < w.to; i++) {
        if (!is_continuation(str_at(text, i))) {
            text_byte(out, '^');
        }
    }
}

static void print_source(Text *out, const SourcePlace *source, Severity severity, uint32_t line,
                         bool colour)
{
    Str text = source->file.text;
    Window w = window_around(text, source->location.from);
    const char *tint = severity == SEVERITY_ERROR ? "1;31" : "1;33";
    text_format(out, "%6u | ", (unsigned)line);
    print_line(out, text, w);
    text_add(out, S("\n       | "));
    paint_colour(out, colour, tint);
    print_marks(out, text, w, source->location);
    paint_colour(out, colour, "0");
    text_byte(out, '\n');
}

static void print_one(const Diagnostics *d, const Diagnostic *one, Text *out, bool colour)
{
    Place place = {0, 0};
    SourcePlace source = diagnostics_place(d, one->location);
    paint_colour(out, colour, "1");
    if (one->placed) {
        place = place_of(source.file.text, source.location.from);
        add_clean(out, source.file.name);
        text_format(out, ":%u:%u: ", (unsigned)place.line, (unsigned)place.column);
    } else {
        add_clean(out, one->origin);
        text_add(out, S(": "));
    }
    static const Str labels[] = {[SEVERITY_ERROR] = S_INIT("error: "),
                                 [SEVERITY_WARNING] = S_INIT("warning: "),
                                 [SEVERITY_KEPT] = S_INIT("not renewed: ")};
    paint_colour(out, colour, one->severity == SEVERITY_ERROR ? "1;31" : "1;33");
    text_add(out, labels[one->severity]);
    paint_colour(out, colour, "0;1");
    add_clean(out, one->message);
    paint_colour(out, colour, "0");
    text_byte(out, '\n');
    if (one->placed) {
        print_source(out, &source, one->severity, place.line, colour);
    }
    if (one->help.len != 0) {
        paint_colour(out, colour, "1;36");
        text_add(out, S("help: "));
        paint_colour(out, colour, "0");
        add_clean(out, one->help);
        text_byte(out, '\n');
    }
}

void diagnostics_print(const Diagnostics *d, Text *out, bool colour)
{
    for (size_t i = 0; i < d->count; i++) {
        print_one(d, &d->list[i], out, colour);
    }
    if (d->more != 0) {
        text_format(out, "and %zu more\n", d->more);
    }
}

size_t diagnostics_print_bytes(const Diagnostics *d)
{
    size_t bytes = FRAME_BYTES;
    for (size_t i = 0; i < d->count; i++) {
        const Diagnostic *one = &d->list[i];
        bytes += diagnostics_place(d, one->location).file.name.len + one->origin.len +
                 one->message.len + one->help.len + FRAME_BYTES + 2 * SHOWN_BYTES_MAX;
    }
    return bytes;
}
