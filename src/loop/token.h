/* token.h - what an event, a timer or a message says about its receiver: a kind and a handle.
 *
 * Tokens are 64-bit values, so that nothing outside a pool ever stores a pointer; a token whose
 * object is gone fails the generation check and is dropped. */
#ifndef LOOP_TOKEN_H
#define LOOP_TOKEN_H

#include "base/pool.h"

#define TOKEN_SLOT_BITS 28u

typedef uint64_t Token;

#define TOKEN_NONE UINT64_C(0) /* kinds begin at 1 */

static inline Token token_of(unsigned kind, Handle h)
{
    return (uint64_t)h.generation << 32 | (uint64_t)kind << TOKEN_SLOT_BITS |
           (h.slot & ((1u << TOKEN_SLOT_BITS) - 1));
}

static inline unsigned token_kind(Token t)
{
    return (unsigned)(t >> TOKEN_SLOT_BITS) & 15u;
}

static inline Handle token_handle(Token t)
{
    return (Handle){.slot = (uint32_t)t & ((1u << TOKEN_SLOT_BITS) - 1),
                    .generation = (uint32_t)(t >> 32)};
}

#endif
