/* head_edit.h - the end-to-end fields of a head as a list that header filters edit.
 *
 * Framing and hop-by-hop fields are not in it: forward.c writes them afterwards, out of reach of
 * any filter. Names are compared case-insensitively. */
#ifndef TRANSPORT_HEAD_EDIT_H
#define TRANSPORT_HEAD_EDIT_H

#include "base/arena.h"
#include "http/field.h"

#define HEAD_EDIT_FIELDS_MAX 1024u

typedef struct EditField {
    Str name; /* not empty; in the sender's case */
    Str value;
    bool removed;
} EditField;

typedef struct HeadEdit {
    Arena *arena;   /* for growth; added slices must live as long */
    bool overflow;  /* a field did not fit: the head is refused as too large */
    size_t count;
    size_t room;
    EditField *fields COUNTED_BY(room);
} HeadEdit;

/* An empty list. */
HeadEdit head_edit_new(Arena *arena);
/* Appends a field. */
void head_edit_add(HeadEdit *e, Str name, Str value);
/* Removes all fields of that name. */
void head_edit_remove(HeadEdit *e, Str name);
/* Replaces all fields of that name by one. */
void head_edit_set(HeadEdit *e, Str name, Str value);

#endif
