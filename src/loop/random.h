/* random.h - fast numbers that need not be secret (placement, request ids), seeded by the kernel.
 * The generator is xoshiro256** (Blackman and Vigna, 2018). */
#ifndef LOOP_RANDOM_H
#define LOOP_RANDOM_H

#include <stdint.h>

typedef struct Random {
    uint64_t state[4];
} Random;

/* Seeds from the kernel. */
void random_seed(Random *r);
/* Seeds reproducibly, for tests. */
void random_seed_from(Random *r, uint64_t seed);
uint64_t random_next(Random *r);

#endif
