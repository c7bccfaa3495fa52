/* field.c - known names by a perfect hash, and lists of fields.
 *
 * field_id runs once for every field of every message, so it costs one table read and at most one
 * comparison. */
#include "http/bytes.h"
#include "http/parts.h"

/* The hash over length, first, middle and last byte. The factors were found by search so that no
 * two known names meet; if a new name collides, the compiler refuses the table (an initialiser is
 * overridden) and other factors have to be searched. Case does not matter: bit 0x20 is set. */
#define HASH_SLOTS 128u
#define NAME_HASH(len, first, middle, last)                                                        \
    (((size_t)(len) * 21u + ((size_t)(first) | 0x20u) * 9u + ((size_t)(middle) | 0x20u) * 13u +    \
      ((size_t)(last) | 0x20u) * 6u) % HASH_SLOTS)

#define ROW(name, len, first, middle, last)                                                        \
    [NAME_HASH(len, first, middle, last)] = FIELD_##name

static const uint8_t name_slots[HASH_SLOTS] = {
    ROW(HOST, 4, 'h', 's', 't'),
    ROW(CONNECTION, 10, 'c', 'c', 'n'),
    ROW(KEEP_ALIVE, 10, 'k', 'a', 'e'),
    ROW(PROXY_CONNECTION, 16, 'p', 'n', 'n'),
    ROW(PROXY_AUTHENTICATE, 18, 'p', 'h', 'e'),
    ROW(PROXY_AUTHORIZATION, 19, 'p', 'h', 'n'),
    ROW(TE, 2, 't', 'e', 'e'),
    ROW(TRAILER, 7, 't', 'i', 'r'),
    ROW(TRANSFER_ENCODING, 17, 't', '-', 'g'),
    ROW(UPGRADE, 7, 'u', 'r', 'e'),
    ROW(HTTP2_SETTINGS, 14, 'h', 'e', 's'),
    ROW(CONTENT_LENGTH, 14, 'c', '-', 'h'),
    ROW(CONTENT_TYPE, 12, 'c', 't', 'e'),
    ROW(CONTENT_ENCODING, 16, 'c', 'e', 'g'),
    ROW(CONTENT_RANGE, 13, 'c', 't', 'e'),
    ROW(EXPECT, 6, 'e', 'e', 't'),
    ROW(MAX_FORWARDS, 12, 'm', 'r', 's'),
    ROW(RANGE, 5, 'r', 'n', 'e'),
    ROW(IF_MATCH, 8, 'i', 'a', 'h'),
    ROW(IF_NONE_MATCH, 13, 'i', 'e', 'h'),
    ROW(IF_MODIFIED_SINCE, 17, 'i', 'i', 'e'),
    ROW(IF_UNMODIFIED_SINCE, 19, 'i', 'f', 'e'),
    ROW(IF_RANGE, 8, 'i', 'a', 'e'),
    ROW(DATE, 4, 'd', 't', 'e'),
    ROW(SERVER, 6, 's', 'v', 'r'),
    ROW(VIA, 3, 'v', 'i', 'a'),
    ROW(USER_AGENT, 10, 'u', 'a', 't'),
    ROW(REFERER, 7, 'r', 'e', 'r'),
    ROW(AUTHORIZATION, 13, 'a', 'i', 'n'),
    ROW(COOKIE, 6, 'c', 'k', 'e'),
    ROW(SET_COOKIE, 10, 's', 'o', 'e'),
    ROW(CACHE_CONTROL, 13, 'c', 'c', 'l'),
    ROW(FORWARDED, 9, 'f', 'a', 'd'),
    ROW(X_FORWARDED_FOR, 15, 'x', 'r', 'r'),
    ROW(X_FORWARDED_PROTO, 17, 'x', 'd', 'o'),
    ROW(X_FORWARDED_HOST, 16, 'x', 'd', 't'),
    ROW(X_REAL_IP, 9, 'x', 'a', 'p'),
    ROW(CLIENT_CERT, 11, 'c', 't', 't'),
    ROW(CLIENT_CERT_CHAIN, 17, 'c', 'e', 'n'),
    ROW(X_REQUEST_ID, 12, 'x', 'e', 'd'),
};

static const Str field_names[FIELD_ID_COUNT] = {
    S_INIT(""),
#define X(name, text, flags) S_INIT(text),
    FIELD_TABLE(X)
#undef X
};

static const uint8_t field_flag_bits[FIELD_ID_COUNT] = {
    0,
#define X(name, text, flags) flags,
    FIELD_TABLE(X)
#undef X
};

_Static_assert(FIELD_ID_COUNT <= 64, "FieldsSeen has one bit for each id");

/* In what bytes (of a word, or a single one) `sent` is not the known `lower`. Letters are the only
 * bytes of known names with bit 0x40; in them bit 0x20 is the case, and does not count. */
static inline uint64_t case_difference(uint64_t sent, uint64_t lower)
{
    uint64_t cases = (lower & UINT64_C(0x4040404040404040)) >> 1;
    return (sent ^ lower) & ~cases;
}

static inline uint64_t word_difference(Str name, Str lower, size_t i)
{
    return case_difference(str_word(name, i), str_word(lower, i));
}

#define X(name, text, flags)                                                                       \
    _Static_assert(sizeof(text) - 1 <= 3 * STR_WORD_BYTES, "name_is looks at three words");
FIELD_TABLE(X)
#undef X

/* Whether `name` is `lower` in any case; both have the same length. Without an early exit: a slot
 * that was hit nearly always matches. */
static inline bool name_is(Str name, Str lower)
{
    uint64_t differs = 0;
    if (name.len >= STR_WORD_BYTES) { /* words that may overlap */
        differs = word_difference(name, lower, 0);
        differs |= word_difference(name, lower, name.len - STR_WORD_BYTES);
        if (name.len > 2 * STR_WORD_BYTES) {
            differs |= word_difference(name, lower, STR_WORD_BYTES);
        }
        return differs == 0;
    }
    for (size_t i = 0; i < name.len; i++) {
        differs |= case_difference(str_at(name, i), str_at(lower, i));
    }
    return differs == 0;
}

FieldId field_id(Str name)
{
    /*@ split name.len; */ /* the proofs look at one length at a time, then at one known name */
    if (name.len == 0) {
        return FIELD_OTHER;
    }
    size_t slot = NAME_HASH(name.len, str_at(name, 0), str_at(name, name.len / 2),
                            str_at(name, name.len - 1));
    uint8_t id = name_slots[slot];
    /*@ split id; */
    if (name.len != field_names[id].len) {
        return FIELD_OTHER; /* so does every empty slot, whose name is empty */
    }
    return name_is(name, field_names[id]) ? (FieldId)id : FIELD_OTHER;
}

unsigned field_flags(FieldId id)
{
    return (size_t)id < FIELD_ID_COUNT ? field_flag_bits[id] : 0;
}

Str field_name(FieldId id)
{
    return (size_t)id < FIELD_ID_COUNT ? field_names[id] : STR_NONE;
}

bool field_name_valid(Str name)
{
    return name.len > 0 && scan_name(name, 0) == name.len;
}

bool field_value_valid(Str value)
{
    return scan_value(value, 0) == value.len;
}

bool fields_keep(Arena *a, Fields *fields)
{
    Field *kept = arena_array(a, Field, fields->count + 1);
    if (!kept) {
        return false;
    }
    for (size_t i = 0; i < fields->count; i++) {
        kept[i] = fields->at[i];
    }
    size_t count = fields->count;
    *fields = fields_in(kept, count);
    fields->count = count;
    return true;
}

const Field *fields_find(const Fields *fields, FieldId id)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->at[i].id == id && !fields->at[i].dropped) {
            return &fields->at[i];
        }
    }
    return NULL;
}

/* The end of the list member that starts at `from`: a comma outside of quotes, or the end. */
static size_t member_end(Str list, size_t from)
{
    bool quoted = false;
    for (size_t i = from; i < list.len; i++) {
        uint8_t c = str_at(list, i);
        if (c == '"') {
            quoted = !quoted;
        } else if (c == '\\' && quoted) {
            i++; /* quoted-pair (RFC 9110 §5.6.4): the next byte stands for itself */
        } else if (c == ',' && !quoted) {
            return i;
        }
    }
    return list.len;
}

bool list_bounds(Str list, size_t *at, size_t *ret_from, size_t *ret_to)
{
    size_t from = *at;
    while (from < list.len && (byte_is_blank(str_at(list, from)) || str_at(list, from) == ',')) {
        from++;
    }
    if (from >= list.len) {
        *at = list.len;
        return false;
    }
    size_t end = member_end(list, from);
    size_t to = end;
    while (to > from && byte_is_blank(str_at(list, to - 1))) {
        to--;
    }
    *at = end;
    *ret_from = from;
    *ret_to = to;
    return true;
}

bool list_next(Str *rest, Str *ret_member)
{
    size_t at = 0;
    size_t from = 0;
    size_t to = 0;
    bool found = list_bounds(*rest, &at, &from, &to);
    if (found) {
        *ret_member = str_slice(*rest, from, to);
    }
    *rest = str_drop(*rest, at);
    return found;
}
