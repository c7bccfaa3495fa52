/* reply.h - reads the heads of an origin's response, in either version of HTTP. */
#ifndef TRANSPORT_REPLY_H
#define TRANSPORT_REPLY_H

#include "transport/link.h"

#define REPLY_HEAD_BYTES_MAX THREAD_READ_BYTES_SLOW
#define REPLY_FIELDS_MAX (THREAD_FIELDS_MAX / 4)
#define REPLY_INTERIM_MAX 16u /* 1xx heads before the final one */

extern const HeadLimits reply_limits;

/* Looks for one complete head at the front of `bytes`, received over HTTP/1, and copies it to the
 * arena. *ret_end: where it ends; 0: more bytes are needed. Uses the thread's field room. */
MUST_USE Fault reply_parse(Thread *t, Arena *arena, Str bytes, Method method, ResponseHead *ret,
                           size_t *ret_end);
/* The same for a head of a stream. It lies in head->arena, which becomes the caller's *ret_arena;
 * the previous contents of *ret_arena are freed. `h1`: the response is forwarded over HTTP/1, where
 * an empty body has a length. */
MUST_USE Fault reply_take(MuxHead *head, Method method, bool h1, ResponseHead *ret,
                          Arena *ret_arena);
/* Why a stream ended without a final head; `nothing`: no interim head arrived either. */
Fault reply_lost(const MuxStream *s, bool nothing);
/* Why a request could not be sent over the link. */
Fault reply_unsent(Link to, Err err);

#endif
