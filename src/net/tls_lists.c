/* tls_lists.c - looks names up; case does not count. */
#include "net/tls_lists.h"

void tls_known_add(TlsKnown *known, uint16_t id, Str name)
{
    Text row = {.room = span_of(known->row, sizeof known->row), .len = known->row_len};
    size_t separator = known->count > 0 ? 1 : 0;
    if (known->count == TLS_KNOWN_MAX || name.len + separator > row.room.len - row.len) {
        return;
    }
    text_add(&row, separator ? S("|") : STR_NONE);
    known->ids[known->count] = id;
    known->from[known->count] = row.len;
    text_add(&row, name);
    known->row_len = row.len;
    known->count++;
}

Str tls_known_row(const TlsKnown *known)
{
    return str_of(known->row, known->row_len);
}

static Str name_at(const TlsKnown *known, size_t i)
{
    return str_cut(str_drop(tls_known_row(known), known->from[i]), '|').head;
}

Str tls_known_name(const TlsKnown *known, uint16_t id)
{
    for (size_t i = 0; i < known->count; i++) {
        if (known->ids[i] == id) {
            return name_at(known, i);
        }
    }
    return STR_NONE;
}

static bool find_id(const TlsKnown *known, Str name, uint16_t *ret)
{
    for (size_t i = 0; i < known->count; i++) {
        if (str_equal_nocase(name_at(known, i), name)) {
            *ret = known->ids[i];
            return true;
        }
    }
    return false;
}

static bool list_holds(const uint16_t *ids, size_t count, uint16_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

Err tls_known_ids(const TlsKnown *known, Str list, uint16_t *ret_ids, size_t *ret_count)
{
    size_t count = 0;
    for (; list.len == 0 && count < known->count; count++) {
        ret_ids[count] = known->ids[count];
    }
    while (list.len > 0) {
        StrCut cut = str_cut(list, ',');
        uint16_t id = 0;
        if (!find_id(known, str_trim(cut.head), &id) || list_holds(ret_ids, count, id)) {
            *ret_count = count;
            return ERR_SYNTAX;
        }
        ret_ids[count++] = id; /* at most one of each that is known, so there is room */
        list = cut.tail;
    }
    *ret_count = count;
    return ERR_OK;
}
