/* tls_names.c - a table of names, looked into once for the name and once for the wildcard that
 * would cover it. */
#include "net/tls_names.h"

#include "base/number.h"
#include "base/text.h"

#define NAME_BYTES_MAX 256u /* a DNS name has at most 253 bytes (RFC 1035 §2.3.4) */

size_t tls_names_count(Str names)
{
    size_t count = names.len > 0 ? 1 : 0;
    for (size_t at = str_find(names, ',', 0); at < names.len; at = str_find(names, ',', at + 1)) {
        count++;
    }
    return count;
}

Err tls_names_open(Arena *a, size_t name_count, TlsNames *ret)
{
    TlsNamePair *pairs = arena_array(a, TlsNamePair, name_count + 1);
    if (!pairs) {
        return ERR_MEMORY;
    }
    *ret = (TlsNames){.room = name_count, .pairs = pairs};
    return str_map_open(a, name_count, &ret->texts);
}

/* As the table has it: without the root's dot at the end and the star of a wildcard. */
static Str key_of(Str name)
{
    Str text = str_starts(name, S("*.")) ? str_drop(name, 1) : name;
    return str_ends(text, S(".")) ? str_take(text, text.len - 1) : text;
}

/* Puts a pair after the others of its name, unless it is there or they are as many as anyone
 * looks at. */
static void append_pair(TlsNames *n, uint32_t first, uint32_t pair)
{
    uint32_t at = first;
    for (size_t i = 1; n->pairs[at].next != 0 && i < TLS_NAME_PAIRS_MAX - 1; i++) {
        at = n->pairs[at].next - 1;
    }
    if (n->pairs[at].next == 0 && n->pairs[at].pair != pair) {
        n->pairs[n->count++] = (TlsNamePair){.pair = pair};
        n->pairs[at].next = (uint32_t)n->count;
    }
}

void tls_names_add(TlsNames *n, Str names, size_t pair)
{
    while (names.len > 0) {
        StrCut cut = str_cut(names, ',');
        Str key = key_of(cut.head);
        uint32_t first = 0;
        names = cut.tail;
        if (key.len == 0) {
            continue;
        }
        if (str_map_find(&n->texts, 0, key, &first)) {
            append_pair(n, first, (uint32_t)pair);
            continue;
        }
        str_map_add(&n->texts, 0, key, (uint32_t)n->count);
        n->pairs[n->count++] = (TlsNamePair){.pair = (uint32_t)pair};
    }
}

static size_t find_key(const TlsNames *n, Str key, uint32_t *ret_pairs, size_t room)
{
    uint32_t at = 0;
    size_t found = 0;
    if (!str_map_find(&n->texts, 0, key, &at)) {
        return 0;
    }
    for (uint32_t next = at + 1; next != 0 && found < room; next = n->pairs[next - 1].next) {
        ret_pairs[found++] = n->pairs[next - 1].pair;
    }
    return found;
}

void tls_names_close(TlsNames *n, Str names)
{
    Str key = key_of(str_cut(names, ',').head);
    n->default_count = (uint32_t)find_key(n, key, n->defaults, TLS_NAME_PAIRS_MAX);
    if (n->default_count == 0) {
        n->defaults[0] = 0;
        n->default_count = 1;
    }
}

/* The name in lower case, as the table has it; empty when it is too long for one. */
static Str name_lowered(Str name, Text *room)
{
    for (size_t i = 0; i < name.len && !room->overflow; i++) {
        text_byte(room, byte_lower(str_at(name, i)));
    }
    return room->overflow ? STR_NONE : text_str(room);
}

size_t tls_names_find(const TlsNames *n, Str host, uint32_t *ret_pairs, size_t room)
{
    uint8_t lower[NAME_BYTES_MAX];
    Text t = text_in(span_of(lower, sizeof lower));
    Str text = name_lowered(str_ends(host, S(".")) ? str_take(host, host.len - 1) : host, &t);
    /* A leading dot is no name: it would find the wildcard itself. */
    size_t found = 0;
    if (text.len > 0 && str_at(text, 0) != '.') {
        found = find_key(n, text, ret_pairs, room);
        Str parent = str_drop(text, str_find(text, '.', 0));
        if (found == 0 && parent.len > 0) {
            found = find_key(n, parent, ret_pairs, room);
        }
    }
    if (found == 0) {
        for (size_t i = 0; i < n->default_count && i < room; i++) {
            ret_pairs[found++] = n->defaults[i];
        }
    }
    return found;
}

size_t tls_names_identity(const TlsNames *n, Str host)
{
    uint32_t pairs[TLS_NAME_PAIRS_MAX];
    size_t count = tls_names_find(n, host, pairs, TLS_NAME_PAIRS_MAX);
    size_t lowest = pairs[0];
    for (size_t i = 1; i < count; i++) {
        lowest = size_min(lowest, pairs[i]);
    }
    return lowest;
}
