/* quote.c - the three ways of quoting. */
#include "loop/quote.h"

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* The bytes between quotes; whole runs of plain bytes go over at once. */
static void quote(Text *t, Str s, Str escape)
{
    text_byte(t, '"');
    size_t from = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        if (is_plain(c)) {
            continue;
        }
        text_add(t, str_slice(s, from, i));
        from = i + 1;
        if (c == '"' || c == '\\') {
            text_byte(t, '\\');
            text_byte(t, c);
        } else {
            text_add(t, escape);
            text_hex(t, c, 2);
        }
    }
    text_add(t, str_drop(s, from));
    text_byte(t, '"');
}

void quote_json(Text *t, Str s)
{
    quote(t, s, S("\\u00"));
}

void quote_combined(Text *t, Str s)
{
    quote(t, s, S("\\x"));
}

void quote_logfmt(Text *t, Str s)
{
    bool bare = s.len > 0;
    for (size_t i = 0; i < s.len && bare; i++) {
        uint8_t c = s.at[i];
        bare = is_plain(c) && c != ' ' && c != '=';
    }
    if (bare) {
        text_add(t, s);
    } else {
        quote_json(t, s);
    }
}
