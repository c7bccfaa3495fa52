/* chunk.h - the chunked coding (RFC 9112 §7.1): a decoder that works in place, and the encoder.
 *
 * The decoder drops extensions, refuses every deviation from the grammar, and keeps its state in a
 * few words, so that bytes may come split anywhere. */
#ifndef HTTP_CHUNK_H
#define HTTP_CHUNK_H

#include "base/text.h"
#include "http/head.h"

#define CHUNK_LINE_BYTES_MAX 256 /* size and extensions of one chunk */
#define CHUNK_HEAD_BYTES_MAX 18  /* what chunk_head writes at most: 16 digits, CRLF */

typedef struct ChunkDecoder {
    uint8_t state;
    bool padded; /* blanks between a size and its line's end are forgiven */
    uint64_t left;      /* bytes of data still to come in this chunk */
    uint32_t line_bytes; /* of the size line so far */
    uint64_t overhead_bytes; /* framing bytes in all, for a bound on wasteful peers */
} ChunkDecoder;

typedef struct ChunkStep {
    size_t consumed; /* bytes of the input that were used up */
    size_t data;     /* bytes of body, moved to the front of the span */
    bool last;       /* the last chunk's size line has been read: the trailer section follows */
    HttpFault fault;
} ChunkStep;

/* Decodes as much of `bytes` as it can. Body data is moved together at the start of the span
 * (never after where it was read), so that one write can send it. Stops after the size line of
 * the last chunk ("0" CRLF): the trailer section, with its final CRLF, is the caller's to read
 * (trailer_find_end, trailer_parse). The zero value is a fresh decoder, as is one with `padded`. */
ChunkStep chunk_decode(ChunkDecoder *d, Span bytes);

/* Writes the size line of a chunk of `len` > 0 bytes. The caller adds data and CRLF. */
void chunk_head(Text *t, uint64_t len);

/* The end of a trailer section, which may be just CRLF; as head_find_end. */
MUST_USE Err trailer_find_end(Str bytes, size_t *scanned, size_t *ret_end);

/* Reads a trailer section into `fields`. Fields that may not be in a trailer are marked
 * dropped. */
HttpFault trailer_parse(Str section, Fields fields, Fields *ret);

#endif
