/* body.h - the body of one message as a stream of bytes, whatever its framing. Pure. */
#ifndef TRANSPORT_BODY_H
#define TRANSPORT_BODY_H

#include "http/chunk.h"

typedef struct Body {
    BodyKind kind;
    bool done;       /* all of it, with its trailers, has been read */
    bool in_trailer; /* the last chunk is over: a trailer section follows */
    uint64_t left;   /* of BODY_LENGTH */
    ChunkDecoder chunk;
    uint64_t bytes; /* of data so far */
} Body;

typedef struct BodyStep {
    size_t consumed;
    size_t data;  /* bytes of body, at the front of the span */
    Str trailers; /* when that ended a chunked body: its trailer section, in the span */
    HttpFault fault;
} BodyStep;

#define BODY_TRAILER_BYTES_MAX (16u << 10)

Body body_of(const Framing *framing);
/* Decodes in place, as far as the bytes go. What is not consumed (part of a trailer section, or
 * what follows the body) is the caller's to keep. */
BodyStep body_decode(Body *b, Span bytes);
/* The same for a body without framing of its own (an HTTP/2 stream): `bytes` more have come, and
 * `ended` says whether that was all. A length that was announced must be met. */
HttpFault body_count(Body *b, uint64_t bytes, bool ended);

#endif
