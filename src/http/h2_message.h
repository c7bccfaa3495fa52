/* h2_message.h - one message on an HTTP/2 stream (RFC 9113 §8.1): which head may come when, how
 * much DATA may follow it, and when it may end. Pure.
 *
 * The codec below keeps to frames and streams; every rule about messages is here, in h2_head.c and
 * in h2_block.c, so that a stream's fault costs that stream and no other. tests/fuzz holds them
 * against nghttp2's own (h2_message_fuzz.c). */
#ifndef HTTP_H2_MESSAGE_H
#define HTTP_H2_MESSAGE_H

#include "http/h2.h"
#include "http/h2_block.h"

/* A message that begins. For a response it is made from the request's fields. */
H2Message h2_message_of_request(const H2Field *fields, size_t count);

/* A whole header block has come; `last`: it ends the stream. With the first fault the message is
 * broken, and nothing more of it counts. */
HttpFault h2_message_request(H2Message *m, H2Block *block, const HeadLimits *limits, bool last,
                             RequestHead *ret);
HttpFault h2_message_response(H2Message *m, const H2Block *block, bool last, ResponseHead *ret);
/* Fields that mean something only in a head are marked dropped (RFC 9110 §6.5.1). */
HttpFault h2_message_trailers(H2Message *m, H2Block *block, bool last);
/* `n` bytes of DATA; the end of the stream. */
HttpFault h2_message_data(H2Message *m, uint64_t n);
HttpFault h2_message_end(H2Message *m);

/* The same, told to the owner's hooks. A fault after the head is returned, and the caller ends the
 * stream; one in the head is told with it. */
HttpFault h2_tell_block(const H2Plan *plan, H2Block *block, H2Name name, H2Message *m, bool last);
HttpFault h2_tell_data(const H2Plan *plan, H2Name name, H2Message *m, Str bytes);
HttpFault h2_tell_end(const H2Plan *plan, H2Name name, H2Message *m);

#endif
