/* head_edit.h - the end-to-end fields of a head as a list that header filters edit.
 *
 * Framing and hop-by-hop fields are not in it: they are written by forward.c afterwards, and out of
 * every filter's reach. Names are compared without case. */
#ifndef TRANSPORT_HEAD_EDIT_H
#define TRANSPORT_HEAD_EDIT_H

#include "base/arena.h"
#include "http/field.h"

#define HEAD_EDIT_FIELDS_MAX 1024u

typedef struct EditField {
    Str name; /* not empty; its case is the sender's */
    Str value;
    bool removed;
} EditField;

typedef struct HeadEdit {
    Arena *arena;   /* where it grows; what is added must live as long */
    bool overflow;  /* a field found no room: the head is refused as too large */
    size_t count;
    size_t room;
    EditField *fields COUNTED_BY(room);
} HeadEdit;

/* An empty list. */
HeadEdit head_edit_new(Arena *arena);
/* Adds a field behind all others. */
void head_edit_add(HeadEdit *e, Str name, Str value);
/* Removes every field of that name. */
void head_edit_remove(HeadEdit *e, Str name);
/* Removes every field of that name, and adds one. */
void head_edit_set(HeadEdit *e, Str name, Str value);

#endif
