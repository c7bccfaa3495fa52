/* head_edit.c - see head_edit.h. */
#include "transport/head_edit.h"

#include "base/number.h"

#define ROOM_MIN 32u

HeadEdit head_edit_new(Arena *arena)
{
    return (HeadEdit){.arena = arena};
}

static bool edit_grow(HeadEdit *e)
{
    size_t room = u64_max(ROOM_MIN, 2 * e->room);
    bool may = e->room < HEAD_EDIT_FIELDS_MAX;
    EditField *fields = may ? arena_array(e->arena, EditField, room) : NULL;
    if (!fields) {
        e->overflow = true;
        return false;
    }
    HeadEdit old = *e;
    e->room = room;
    e->fields = fields;
    for (size_t i = 0; i < old.count; i++) {
        e->fields[i] = old.fields[i];
    }
    return true;
}

void head_edit_add(HeadEdit *e, Str name, Str value)
{
    if (e->count < e->room || edit_grow(e)) {
        e->fields[e->count] = (EditField){.name = name, .value = value};
        e->count++;
    }
}

void head_edit_remove(HeadEdit *e, Str name)
{
    for (size_t i = 0; i < e->count; i++) {
        if (str_equal_nocase(e->fields[i].name, name)) {
            e->fields[i].removed = true;
        }
    }
}

void head_edit_set(HeadEdit *e, Str name, Str value)
{
    head_edit_remove(e, name);
    head_edit_add(e, name, value);
}
