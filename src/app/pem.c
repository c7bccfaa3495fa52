/* pem.c - walks over the lines of a PEM file. */
#include "app/pem.h"

#include "base/text.h"

#define BEGIN S("-----BEGIN ")
#define END S("-----END ")
#define SECRET S("PRIVATE KEY-----")

static bool has_words(Str s, Str words)
{
    for (size_t at = str_find(s, str_at(words, 0), 0); at < s.len;
         at = str_find(s, str_at(words, 0), at + 1)) {
        if (str_starts(str_drop(s, at), words)) {
            return true;
        }
    }
    return false;
}

bool pem_has_key(Str text)
{
    return has_words(text, SECRET);
}

Str pem_public(Str text, Span room)
{
    Text out = text_in(room);
    bool keeps = false;
    while (text.len > 0) {
        StrCut line = str_cut(text, '\n');
        keeps = str_starts(line.head, BEGIN) ? !has_words(line.head, SECRET) : keeps;
        if (keeps) {
            text_add(&out, line.head);
            text_add(&out, line.found ? S("\n") : S(""));
        }
        keeps = keeps && !str_starts(line.head, END);
        text = line.tail;
    }
    return text_str(&out);
}
