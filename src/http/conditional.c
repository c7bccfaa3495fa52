/* conditional.c - entity tags compared, dates compared, and which of them comes first. */
#include "http/conditional.h"

#include "http/date.h"

/* etagc = %x21 / %x23-7E / obs-text (RFC 9110 §8.8.3). */
static bool is_tag_byte(int c)
{
    return c == 0x21 || (c >= 0x23 && c <= 0x7e) || c >= 0x80;
}

/* The position after the opaque-tag that starts at `from`; `from` where none does. */
static size_t tag_end(Str s, size_t from)
{
    if (str_peek(s, from) != '"') {
        return from;
    }
    size_t i = from + 1;
    while (i < s.len && is_tag_byte(str_peek(s, i))) {
        i++;
    }
    return str_peek(s, i) == '"' ? i + 1 : from;
}

static size_t skip_blanks(Str s, size_t i)
{
    while (i < s.len && (str_at(s, i) == ' ' || str_at(s, i) == '\t')) {
        i++;
    }
    return i;
}

bool etag_list_holds(Str list, Str etag, bool weak)
{
    size_t i = 0;
    while (i < list.len) {
        i = skip_blanks(list, i);
        if (str_peek(list, i) == ',') { /* an empty member (RFC 9110 §5.6.1) */
            i++;
            continue;
        }
        bool is_weak = str_stands(list, i, S("W/"));
        size_t from = is_weak ? i + 2 : i;
        size_t end = tag_end(list, from);
        if (end <= from) {
            return false;
        }
        i = skip_blanks(list, end);
        if (i < list.len && str_at(list, i) != ',') {
            return false;
        }
        if ((weak || !is_weak) && end - from == etag.len && str_stands(list, from, etag)) {
            return true;
        }
    }
    return false;
}

/* All lines of a field form one list (RFC 9110 §5.3). `*` names any representation. */
static bool tags_hold(const Fields *fields, FieldId id, Str etag, bool weak)
{
    for (size_t i = 0; i < fields->count; i++) {
        const Field *f = &fields->at[i];
        if (f->id == id && !f->dropped &&
            (str_equal(f->value, S("*")) || etag_list_holds(f->value, etag, weak))) {
            return true;
        }
    }
    return false;
}

static size_t count_lines(const Fields *fields, FieldId id)
{
    size_t count = 0;
    for (size_t i = 0; i < fields->count; i++) {
        count += fields->at[i].id == id && !fields->at[i].dropped;
    }
    return count;
}

/* A date that counts: exactly one line, and a valid HTTP-date. */
static bool date_of(const Fields *fields, FieldId id, int64_t now, int64_t *ret)
{
    const Field *f = fields_find(fields, id);
    return f && count_lines(fields, id) == 1 && date_parse(f->value, now, ret) == ERR_OK;
}

Condition conditional_judge(const Fields *fields, Method method, const Validators *v, int64_t now)
{
    int64_t date = 0;
    bool reads = method == METHOD_GET || method == METHOD_HEAD;
    if (fields_find(fields, FIELD_IF_MATCH)) { /* §13.2.2 step 1 */
        if (!tags_hold(fields, FIELD_IF_MATCH, v->etag, false)) {
            return CONDITION_FAILED;
        }
    } else if (date_of(fields, FIELD_IF_UNMODIFIED_SINCE, now, &date) && v->modified > date) {
        return CONDITION_FAILED; /* step 2 */
    }
    if (fields_find(fields, FIELD_IF_NONE_MATCH)) { /* step 3 */
        if (tags_hold(fields, FIELD_IF_NONE_MATCH, v->etag, true)) {
            return reads ? CONDITION_NOT_MODIFIED : CONDITION_FAILED;
        }
    } else if (reads && date_of(fields, FIELD_IF_MODIFIED_SINCE, now, &date) &&
               v->modified <= date) {
        return CONDITION_NOT_MODIFIED; /* step 4 */
    }
    return CONDITION_HOLDS;
}

bool conditional_range(const Fields *fields, const Validators *v, int64_t now)
{
    const Field *f = fields_find(fields, FIELD_IF_RANGE);
    int64_t date = 0;
    if (!f) {
        return true;
    }
    if (count_lines(fields, FIELD_IF_RANGE) > 1) {
        return false;
    }
    if (str_peek(f->value, 0) == '"') {
        return str_equal(f->value, v->etag);
    }
    return date_parse(f->value, now, &date) == ERR_OK && date == v->modified && date < now;
}
