/* fill_node.c - what several options need: nodes counted, their text, addresses, lower case. */
#include "config/fill.h"
#include "config/value.h"

size_t fill_count(const KdlNode *node)
{
    size_t count = 0;
    for (const KdlNode *n = node->children; n; n = n->next) {
        count++;
    }
    return count;
}

Err fill_address(Arena *a, Str text, SettingsAddress *ret)
{
    CHECK(value_address(text, ret) == ADDRESS_OK);
    return value_address_text(a, ret) ? ERR_OK : ERR_MEMORY;
}

Err fill_lower(Arena *a, Str from, Str *ret)
{
    Span room = {0};
    if (!arena_span(a, from.len, &room)) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < from.len; i++) {
        room.at[i] = byte_lower(str_at(from, i));
    }
    *ret = span_str(room);
    return ERR_OK;
}

#define MARK_BYTES_MAX 64u

/* Whether values of the text are those of files, which may change while the text does not. */
static bool has_file_values(const Filler *f, Str text)
{
    bool any = f->assembly && f->assembly->value_count > 0;
    return any && str_search(text, S("{file."), 0) < text.len;
}

Str fill_source(const Filler *f, const KdlNode *node)
{
    Location at = node ? node->whole : (Location){0};
    Str text = node && f->toml ? f->text : str_slice(f->text, at.from, at.from + at.len);
    Fingerprint values = {{0}};
    Span room;
    if (!has_file_values(f, text) || !arena_span(f->arena, text.len + MARK_BYTES_MAX, &room)) {
        return text;
    }
    for (size_t i = 0; i < f->assembly->value_count; i++) {
        fingerprint_add(&values, f->assembly->values[i].path);
        fingerprint_add(&values, f->assembly->values[i].text);
    }
    Text both = text_in(room);
    text_add(&both, text);
    text_format(&both, "\n// %016llx%016llx\n", (unsigned long long)values.words[0],
                (unsigned long long)values.words[1]);
    return text_str(&both);
}
