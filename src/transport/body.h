/* body.h - decodes the body of one message as a stream of bytes, whatever its framing. Pure. */
#ifndef TRANSPORT_BODY_H
#define TRANSPORT_BODY_H

#include "http/chunk.h"

typedef struct Body {
    BodyKind kind;
    bool done;       /* all of it, including trailers, has been read */
    bool in_trailer; /* after the last chunk: a trailer section follows */
    uint64_t left;   /* of BODY_LENGTH */
    ChunkDecoder chunk;
    uint64_t bytes; /* decoded so far */
} Body;

typedef struct BodyStep {
    size_t consumed;
    size_t data;  /* body bytes, at the front of the span */
    Str trailers; /* at the end of a chunked body: its trailer section, in the span */
    HttpFault fault;
} BodyStep;

#define BODY_TRAILER_BYTES_MAX (16u << 10)

Body body_of(const Framing *framing);
/* Decodes in place as many bytes as possible. The caller keeps what is not consumed (part of a
 * trailer section, or what follows the body). */
BodyStep body_decode(Body *b, Span bytes);
/* The same for a body without framing of its own (an HTTP/2 stream): `bytes` more have arrived, and
 * `ended` tells whether that was all. The body must match an announced length. */
HttpFault body_count(Body *b, uint64_t bytes, bool ended);

#endif
