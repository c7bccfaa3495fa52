/* quote.c - the three ways of quoting. */
#include "loop/quote.h"

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void add_escaped(Text *t, uint8_t c, Str escape)
{
    if (c == '"' || c == '\\') {
        text_byte(t, '\\');
        text_byte(t, c);
    } else {
        text_add(t, escape);
        text_hex(t, c, 2);
    }
}

/* How many bytes the character has that begins `s` (RFC 3629 §4), and which it is; 0: none that is
 * longer than a byte. */
static size_t character_bytes(Str s, uint32_t *ret)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t c = str_at(s, 0);
    size_t len = c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 0;
    if (len == 0 || len > s.len) {
        return 0;
    }
    uint32_t code = c & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((str_at(s, i) & 0xc0u) != 0x80) {
            return 0;
        }
        code = code << 6 | (str_at(s, i) & 0x3fu);
    }
    bool good = code >= least[len] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    *ret = code;
    return good ? len : 0;
}

static void add_character(Text *t, uint32_t code)
{
    text_add(t, S("\\u"));
    if (code >= 0x10000) { /* a pair (RFC 8259 §7) */
        text_hex(t, 0xd800 + ((code - 0x10000) >> 10), 4);
        text_add(t, S("\\u"));
        code = 0xdc00 + ((code - 0x10000) & 0x3ff);
    }
    text_hex(t, code, 4);
}

/* The bytes between quotes; whole runs of plain bytes go over at once. */
static void quote_bytes(Text *t, Str s, Str escape, bool characters)
{
    text_byte(t, '"');
    size_t from = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        uint32_t code = 0;
        if (is_plain(c)) {
            continue;
        }
        text_add(t, str_slice(s, from, i));
        size_t len = characters && c >= 0x80 ? character_bytes(str_drop(s, i), &code) : 0;
        if (len > 0) {
            add_character(t, code);
            i += len - 1;
        } else {
            add_escaped(t, c, escape);
        }
        from = i + 1;
    }
    text_add(t, str_drop(s, from));
    text_byte(t, '"');
}

void quote_json(Text *t, Str s)
{
    quote_bytes(t, s, S("\\u00"), false);
}

void quote_json_text(Text *t, Str s)
{
    quote_bytes(t, s, S("\\u00"), true);
}

void quote_combined(Text *t, Str s)
{
    quote_bytes(t, s, S("\\x"), false);
}

static bool is_bare(Str s)
{
    bool bare = s.len > 0;
    for (size_t i = 0; i < s.len && bare; i++) {
        uint8_t c = s.at[i];
        bare = is_plain(c) && c != ' ' && c != '=';
    }
    return bare;
}

void quote_logfmt(Text *t, Str s)
{
    if (is_bare(s)) {
        text_add(t, s);
    } else {
        quote_json(t, s);
    }
}

void quote_logfmt_text(Text *t, Str s)
{
    if (is_bare(s)) {
        text_add(t, s);
    } else {
        quote_json_text(t, s);
    }
}

/* The size of a byte in the longest of the escapes. */
static size_t escaped_bytes(uint8_t c)
{
    if (c < 0x20 || c >= 0x7f) {
        return sizeof "\\u0000" - 1;
    }
    return c == '"' || c == '\\' ? 2 : 1;
}

void quote_within(Text *t, Quote quote, Str s, size_t room)
{
    CHECK(room <= QUOTE_ROOM_MAX);
    size_t used = 0;
    size_t fits = 0;
    while (fits < s.len && used + escaped_bytes(s.at[fits]) <= room) {
        used += escaped_bytes(s.at[fits]);
        fits++;
    }
    while (fits < s.len && fits > 0 && (s.at[fits] & 0xc0u) == 0x80) {
        fits--; /* whole UTF-8 characters, if any */
    }
    if (fits == s.len) {
        quote(t, s);
        return;
    }
    uint8_t bytes[QUOTE_ROOM_MAX + 3];
    Text cut = text_in(span_of(bytes, sizeof bytes));
    text_add(&cut, str_take(s, fits));
    text_add(&cut, S("..."));
    quote(t, text_str(&cut));
}
