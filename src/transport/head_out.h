/* head_out.h - writes the fields of an outgoing head, in the form that its link needs.
 *
 * forward.c and answer.c choose the fields; this file decides how each is written. What does not
 * fit sets the text's overflow, or makes the count exceed the room. */
#ifndef TRANSPORT_HEAD_OUT_H
#define TRANSPORT_HEAD_OUT_H

#include "transport/link.h"

/* Writes a field; the value must stay valid until the head is sent. */
void head_field(HeadOut *out, Str name, Str value);
/* The same for a short-lived value: a list gets a copy. */
void head_copy(HeadOut *out, Str name, Str value);
void head_number(HeadOut *out, Str name, uint64_t value);
/* An HTTP/2 field whose name must stay valid, too, and is in lower case. */
void head_borrow(HeadOut *out, Str name, Str value);
/* Starts a field whose value is then written to out->text piece by piece; finish with head_end.
 * HTTP/2 requires lower-case names (RFC 9113 §8.2). Returns where the value begins. */
size_t head_begin(HeadOut *out, Str name);
void head_end(HeadOut *out, size_t value_at);

#endif
