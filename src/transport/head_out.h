/* head_out.h - writing the fields of a head that leaves, whatever form its link wants.
 *
 * Which fields a head has is forward.c's and answer.c's business; how one is written is decided
 * here. What does not fit sets the text's overflow, or counts beyond the room. */
#ifndef TRANSPORT_HEAD_OUT_H
#define TRANSPORT_HEAD_OUT_H

#include "transport/link.h"

/* A field; the value stays where it is until the head is sent. */
void head_field(HeadOut *out, Str name, Str value);
/* The same for a value that lies in a room that goes: a list gets a copy. */
void head_copy(HeadOut *out, Str name, Str value);
void head_number(HeadOut *out, Str name, uint64_t value);
/* A field of HTTP/2 whose name stays where it is, too, and is in lower case. */
void head_borrow(HeadOut *out, Str name, Str value);
/* The name of the field whose value is written next, piece by piece, into out->text; then head_end.
 * HTTP/2 wants names in lower case (RFC 9113 §8.2). Returns where the value begins. */
size_t head_begin(HeadOut *out, Str name);
void head_end(HeadOut *out, size_t value_at);

#endif
