/* keyed_hash.h - a keyed hash, for tables whose keys strangers choose.
 *
 * Without the key, no one can find texts that collide. It is SipHash (Aumasson and
 * Bernstein, 2012) in its form with one and three rounds, the one for hash tables. */
#ifndef BASE_KEYED_HASH_H
#define BASE_KEYED_HASH_H

#include "base/str.h"

typedef struct HashSecret {
    uint64_t words[2];
} HashSecret;

/* A key of the kernel's random numbers. */
void hash_secret_make(HashSecret *ret);

/* SipHash-1-3 of `s`. */
uint64_t hash_str(const HashSecret *key, Str s);
/* The same of the sixteen bytes of two little-endian words. */
uint64_t hash_pair(const HashSecret *key, uint64_t first, uint64_t second);
/* 128 bits that say whether two sequences of texts are the same. No one chooses the texts to fall
 * together here, so the key is a constant. Begins as zero. */
typedef struct Fingerprint {
    uint64_t words[2];
} Fingerprint;

void fingerprint_add(Fingerprint *f, Str s);
void fingerprint_add_number(Fingerprint *f, uint64_t n);
void fingerprint_join(Fingerprint *f, const Fingerprint *other);
bool fingerprint_equal(const Fingerprint *a, const Fingerprint *b);

/* SipHash-1-3 of 128 bits: under a secret key, equal values mean equal texts. */
Fingerprint hash_str_wide(const HashSecret *key, Str s);
/* SipHash-2-4, for which the authors give test vectors; 64 bits and 128. */
uint64_t hash_str_strong(const HashSecret *key, Str s);
Fingerprint hash_str_strong_wide(const HashSecret *key, Str s);

#endif
