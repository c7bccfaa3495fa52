/* random.c - xoshiro256**. */
#include "loop/random.h"

#include <sys/random.h>

static uint64_t rotate_left(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

void random_seed_from(Random *r, uint64_t seed)
{
    for (unsigned i = 0; i < 4; i++) { /* splitmix64 fills the state from one word */
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = seed;
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        r->state[i] = z ^ z >> 31;
    }
}

void random_seed(Random *r)
{
    random_seed_from(r, 1);
    (void)!getrandom(r->state, sizeof r->state, 0);
    r->state[0] |= 1; /* never all zero */
}

uint64_t random_next(Random *r)
{
    uint64_t *s = r->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}
