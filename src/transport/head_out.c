/* head_out.c - adds a field to an outgoing head in any of its three forms: an HTTP/1 line, an entry
 * of the HTTP/2 list, or an entry of the list that filters edit. */
#include "transport/head_out.h"

#define NUMBER_DIGITS_MAX 20u

/* Whether fields go to a list (for HTTP/2 or filters), not to HTTP/1 lines. */
static bool is_listed(const HeadOut *out)
{
    return out->h2 || out->edit;
}

static size_t listed_begin(HeadOut *out, Str name)
{
    Text *text = &out->text;
    if (out->edit) {
        out->edit_name = name;
        return text->len;
    }
    size_t name_at = text->len;
    for (size_t i = 0; i < name.len; i++) {
        text_byte(text, byte_lower(name.at[i]));
    }
    if (out->count < out->room) {
        out->fields[out->count].name = str_drop(text_str(text), name_at);
    }
    return text->len;
}

static void listed_end(HeadOut *out, size_t value_at)
{
    Str value = str_drop(text_str(&out->text), value_at);
    if (out->edit) {
        head_edit_add(out->edit, out->edit_name, value);
        return;
    }
    if (out->count < out->room) {
        out->fields[out->count].value = value;
    }
    out->count++; /* exceeding the room means: too many */
}

size_t head_begin(HeadOut *out, Str name)
{
    out->filled = true;
    if (is_listed(out)) {
        return listed_begin(out, name);
    }
    text_add(&out->text, name);
    text_add(&out->text, S(": "));
    return out->text.len;
}

void head_end(HeadOut *out, size_t value_at)
{
    if (is_listed(out)) {
        listed_end(out, value_at);
    } else {
        text_add(&out->text, S("\r\n"));
    }
}

void head_borrow(HeadOut *out, Str name, Str value)
{
    out->filled = true;
    if (out->count < out->room) {
        out->fields[out->count] = (H2Field){.name = name, .value = value};
    }
    out->count++;
}

static void field_line(HeadOut *out, Str name, Str value)
{
    out->filled = true;
    text_line(&out->text, name, value);
}

void head_field(HeadOut *out, Str name, Str value)
{
    if (!is_listed(out)) {
        field_line(out, name, value);
        return;
    }
    if (out->edit) {
        head_edit_add(out->edit, name, value);
        return;
    }
    size_t at = head_begin(out, name);
    if (out->count < out->room) {
        out->fields[out->count].value = value;
        out->count++;
        return;
    }
    text_add(&out->text, value);
    head_end(out, at);
}

void head_copy(HeadOut *out, Str name, Str value)
{
    if (!is_listed(out)) {
        field_line(out, name, value);
        return;
    }
    size_t at = head_begin(out, name);
    text_add(&out->text, value);
    head_end(out, at);
}

void head_number(HeadOut *out, Str name, uint64_t value)
{
    uint8_t room[NUMBER_DIGITS_MAX];
    Text digits = text_in(span_of(room, sizeof room));
    text_u64(&digits, value);
    head_copy(out, name, text_str(&digits));
}
