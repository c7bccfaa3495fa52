/* h2_block.c - fields of a header block, counted and kept. */
#include "http/h2_block.h"

#define FIELD_OVERHEAD_BYTES 32u
#define PSEUDO_UNKNOWN (1u << 31)
#define COOKIE_SEPARATOR_BYTES 2u
#define FIELDS_FIRST 24u /* room at first; it doubles */

void h2_block_init(H2Block *b, Blocks *blocks, size_t bytes_max)
{
    *b = (H2Block){0};
    arena_init(&b->arena, blocks, bytes_max);
}

void h2_block_clear(H2Block *b)
{
    arena_reset(&b->arena);
    Arena arena = b->arena;
    *b = (H2Block){.arena = arena};
}

static bool is_pseudo(Str name)
{
    return str_peek(name, 0) == ':';
}

/* Where a pseudo-field is kept, and its bit; NULL: it is unknown. */
static Str *pseudo_slot(H2Pseudo *p, Str name, unsigned *ret_bit)
{
    const struct {
        Str name;
        Str *slot;
    } slots[] = {
        {S(":method"), &p->method}, {S(":scheme"), &p->scheme},
        {S(":path"), &p->path},     {S(":authority"), &p->authority},
        {S(":status"), &p->status}, {S(":protocol"), &p->protocol},
    };
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
        if (str_equal(slots[i].name, name)) {
            *ret_bit = 1u << i;
            return slots[i].slot;
        }
    }
    return NULL;
}

/* Room for one more field: the list moves to twice the room when it is full. */
static bool fields_grow(H2Block *b)
{
    if (b->fields.count < b->fields.room) {
        return true;
    }
    size_t room = b->fields.room ? 2 * b->fields.room : FIELDS_FIRST;
    Field *at = arena_array(&b->arena, Field, room);
    if (!at) {
        return false;
    }
    Fields grown = fields_in(at, room);
    for (size_t i = 0; i < b->fields.count; i++) {
        grown.at[i] = b->fields.at[i];
    }
    grown.count = b->fields.count;
    b->fields = grown;
    return true;
}

static bool pseudo_keep(H2Block *b, Str name, Str value)
{
    unsigned bit = PSEUDO_UNKNOWN;
    Str *slot = pseudo_slot(&b->pseudo, name, &bit);
    bool again = (b->pseudo_seen & bit) != 0;
    b->pseudo_seen |= bit;
    if (!slot || again || b->regular || value.len == 0) { /* RFC 9113 §8.3 */
        b->fault = HTTP_FAULT_PSEUDO;
        return true;
    }
    return arena_copy(&b->arena, value, slot);
}

static bool crumb_keep(H2Block *b, Str value)
{
    CookieCrumb *crumb = arena_new(&b->arena, CookieCrumb);
    if (!crumb || !arena_copy(&b->arena, value, &crumb->value)) {
        return false;
    }
    /* Joined, blanks between two of them would not be seen. */
    bool whole = b->crumbs || h2_value_valid(b->fields.at[b->cookie_at].value);
    if (!whole || !h2_value_valid(value)) {
        b->fault = HTTP_FAULT_FIELD_VALUE;
    }
    crumb->next = b->crumbs;
    b->crumbs = crumb;
    b->crumb_bytes += COOKIE_SEPARATOR_BYTES + value.len;
    return true;
}

Err h2_block_join_cookie(H2Block *b)
{
    Span room;
    if (!b->crumbs) {
        return ERR_OK;
    }
    Str first = b->fields.at[b->cookie_at].value;
    if (!arena_span(&b->arena, first.len + b->crumb_bytes, &room)) {
        return ERR_MEMORY;
    }
    size_t end = room.len;
    for (const CookieCrumb *crumb = b->crumbs; crumb; crumb = crumb->next) {
        end -= crumb->value.len;
        span_copy(span_drop(room, end), crumb->value);
        end -= COOKIE_SEPARATOR_BYTES;
        span_copy(span_drop(room, end), S("; "));
    }
    span_copy(room, first);
    b->fields.at[b->cookie_at].value = span_str(room);
    return ERR_OK;
}

static bool field_keep(H2Block *b, Str name, Str value)
{
    Field field = {.id = field_id(name)};
    if (!fields_grow(b) || !arena_copy(&b->arena, value, &field.value)) {
        return false;
    }
    if (field.id != FIELD_OTHER && str_equal(name, field_name(field.id))) {
        field.name = field_name(field.id);
    } else if (!arena_copy(&b->arena, name, &field.name)) {
        return false;
    }
    if (field.id == FIELD_COOKIE) {
        b->has_cookie = true;
        b->cookie_at = b->fields.count;
    }
    b->fields.at[b->fields.count++] = field;
    return true;
}

Err h2_block_add(H2Block *b, const HeadLimits *limits, Str name, Str value)
{
    b->bytes += name.len + value.len + FIELD_OVERHEAD_BYTES;
    if (b->bytes > 2 * limits->head_bytes_max) {
        return ERR_LIMIT;
    }
    bool pseudo = is_pseudo(name);
    bool crumb = b->has_cookie && str_equal(name, S("cookie"));
    b->regular |= !pseudo;
    if (b->bytes > limits->head_bytes_max) {
        b->fault = HTTP_FAULT_HEAD_TOO_LARGE;
    } else if (b->fields.count >= limits->fields_max && !pseudo && !crumb) {
        b->fault = HTTP_FAULT_TOO_MANY_FIELDS;
    }
    if (b->fault != HTTP_FAULT_NONE) {
        return ERR_OK;
    }
    bool kept = pseudo  ? pseudo_keep(b, name, value)
                : crumb ? crumb_keep(b, value)
                        : field_keep(b, name, value);
    return kept ? ERR_OK : ERR_MEMORY;
}

const Field *h2_block_field(const H2Block *b, Str name)
{
    for (size_t i = 0; i < b->fields.count; i++) {
        const Field *f = &b->fields.at[i];
        if (f->id == FIELD_OTHER && str_equal(f->name, name)) {
            return f;
        }
    }
    return NULL;
}
