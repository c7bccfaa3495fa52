/* keyed_hash.h - a keyed hash, for tables whose keys strangers choose.
 *
 * Who does not know the key cannot find texts that fall together. It is SipHash (Aumasson and
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
/* 128 bits of it: so many that equal ones stand for equal texts, while nobody knows the key. */
typedef struct HashWide {
    uint64_t words[2];
} HashWide;
HashWide hash_str_wide(const HashSecret *key, Str s);
/* SipHash-2-4, for which the authors give test vectors; 64 bits and 128. */
uint64_t hash_str_strong(const HashSecret *key, Str s);
HashWide hash_str_strong_wide(const HashSecret *key, Str s);

#endif
