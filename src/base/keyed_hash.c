/* keyed_hash.c - SipHash. */
#include "base/keyed_hash.h"

#include <endian.h>
#include <sys/random.h>

typedef struct Sip {
    uint64_t v[4];
} Sip;

ALWAYS_INLINE uint64_t rotated(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

ALWAYS_INLINE void sip_rounds(Sip *s, unsigned rounds)
{
    uint64_t *v = s->v;
    for (unsigned i = 0; i < rounds; i++) {
        v[0] += v[1];
        v[1] = rotated(v[1], 13) ^ v[0];
        v[0] = rotated(v[0], 32);
        v[2] += v[3];
        v[3] = rotated(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotated(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotated(v[1], 17) ^ v[2];
        v[2] = rotated(v[2], 32);
    }
}

ALWAYS_INLINE Sip sip_start(const HashSecret *key)
{
    uint64_t k0 = key->words[0];
    uint64_t k1 = key->words[1];
    return (Sip){{k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
                  k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)}};
}

ALWAYS_INLINE void sip_word(Sip *s, uint64_t word, unsigned rounds)
{
    s->v[3] ^= word;
    sip_rounds(s, rounds);
    s->v[0] ^= word;
}

/* `last` holds the bytes after the last whole word, and the length in its highest byte. */
ALWAYS_INLINE uint64_t sip_end(Sip *s, uint64_t last, unsigned rounds, unsigned end_rounds)
{
    sip_word(s, last, rounds);
    s->v[2] ^= 0xff;
    sip_rounds(s, end_rounds);
    return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

/* Takes all whole words in, and returns the last one. */
ALWAYS_INLINE uint64_t sip_take(Sip *sip, Str s, unsigned rounds)
{
    size_t whole = s.len - s.len % STR_WORD_BYTES;
    for (size_t i = 0; i < whole; i += STR_WORD_BYTES) {
        sip_word(sip, le64toh(str_word(s, i)), rounds);
    }
    uint64_t last = (uint64_t)s.len << 56;
    for (size_t i = whole; i < s.len; i++) {
        last |= (uint64_t)str_at(s, i) << (i % STR_WORD_BYTES * 8);
    }
    return last;
}

ALWAYS_INLINE uint64_t sip_str(const HashSecret *key, Str s, unsigned rounds, unsigned end_rounds)
{
    Sip sip = sip_start(key);
    uint64_t last = sip_take(&sip, s, rounds);
    return sip_end(&sip, last, rounds, end_rounds);
}

void hash_secret_make(HashSecret *ret)
{
    /* The kernel gives so few bytes whole or not at all; without them nothing is safe. */
    CHECK(getrandom(ret->words, sizeof ret->words, 0) == (ssize_t)sizeof ret->words);
}

uint64_t hash_str(const HashSecret *key, Str s)
{
    return sip_str(key, s, 1, 3);
}

uint64_t hash_pair(const HashSecret *key, uint64_t first, uint64_t second)
{
    Sip sip = sip_start(key);
    sip_word(&sip, first, 1);
    sip_word(&sip, second, 1);
    return sip_end(&sip, UINT64_C(16) << 56, 1, 3);
}

/* The authors' form with twice the output: two more constants keep it apart from the short one. */
ALWAYS_INLINE Fingerprint sip_wide(const HashSecret *key, Str s, unsigned rounds,
                                   unsigned end_rounds)
{
    Sip sip = sip_start(key);
    sip.v[1] ^= 0xee;
    uint64_t last = sip_take(&sip, s, rounds);
    sip_word(&sip, last, rounds);
    sip.v[2] ^= 0xee;
    sip_rounds(&sip, end_rounds);
    Fingerprint wide = {.words = {sip.v[0] ^ sip.v[1] ^ sip.v[2] ^ sip.v[3]}};
    sip.v[1] ^= 0xdd;
    sip_rounds(&sip, end_rounds);
    wide.words[1] = sip.v[0] ^ sip.v[1] ^ sip.v[2] ^ sip.v[3];
    return wide;
}

Fingerprint hash_str_wide(const HashSecret *key, Str s)
{
    return sip_wide(key, s, 1, 3);
}

Fingerprint hash_str_strong_wide(const HashSecret *key, Str s)
{
    return sip_wide(key, s, 2, 4);
}

uint64_t hash_str_strong(const HashSecret *key, Str s)
{
    return sip_str(key, s, 2, 4);
}

/* Each text is hashed under a key that all before it have made. */
void fingerprint_add(Fingerprint *f, Str s)
{
    static const HashSecret begin = {{UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)}};
    HashSecret key = {{begin.words[0] ^ f->words[0], begin.words[1] ^ f->words[1]}};
    *f = hash_str_wide(&key, s);
}

void fingerprint_add_number(Fingerprint *f, uint64_t n)
{
    fingerprint_add(f, str_of(&n, sizeof n));
}

void fingerprint_join(Fingerprint *f, const Fingerprint *other)
{
    fingerprint_add(f, str_of(other->words, sizeof other->words));
}

bool fingerprint_equal(const Fingerprint *a, const Fingerprint *b)
{
    return a->words[0] == b->words[0] && a->words[1] == b->words[1];
}
