/* answer.h - an answer of River's own: a head, and a body made of pieces in memory and ranges of
 * one file. The same code (answer_body.c) sends `respond`, error pages and files. */
#ifndef PROXY_ANSWER_H
#define PROXY_ANSWER_H

#include "base/str.h"
#include "transport/fault.h"

/* `bytes`, or if empty the bytes [from, to) of the exchange's file. */
typedef struct AnswerPiece {
    Str bytes;
    uint64_t from;
    uint64_t to;
} AnswerPiece;

typedef struct AnswerField {
    Str name;
    Str value;
} AnswerField;

/* All slices live at least as long as the exchange. */
typedef struct Answer {
    uint16_t status; /* 0: not decided yet */
    Str content_type; /* empty: none */
    Str location;    /* of a redirect; empty: none */
    uint32_t retry_after_s; /* 0: no Retry-After */
    uint64_t length; /* Content-Length of the body, even if no body is sent (HEAD) */
    size_t field_count;
    const AnswerField *fields COUNTED_BY(field_count);
    size_t piece_count;
    const AnswerPiece *pieces COUNTED_BY(piece_count);
    AnswerPiece piece; /* room for a body of one piece */
} Answer;

/* The position reached in the body. */
typedef struct AnswerPlace {
    size_t piece;
    uint64_t offset; /* in the piece */
} AnswerPlace;

static inline uint64_t answer_piece_bytes(const AnswerPiece *p)
{
    return p->bytes.len > 0 ? p->bytes.len : p->to - p->from;
}

#endif
