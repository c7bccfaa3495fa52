/* hash.h - two old hashes that others must be able to compute, too. Not for keys that an attacker
 * may choose to collide. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

#define CRC32_START 0xffffffffu
#define FNV1A_START UINT64_C(0xcbf29ce484222325)

/* The CRC-32 of zip and Ethernet (reflected polynomial 0xEDB88320), piece by piece: begin with
 * CRC32_START, end with crc32_end. */
uint32_t crc32_add(uint32_t crc, Str bytes);
static inline uint32_t crc32_end(uint32_t crc)
{
    return crc ^ 0xffffffffu;
}

/* 64-bit FNV-1a, piece by piece: begin with FNV1A_START. */
uint64_t fnv1a_add(uint64_t hash, Str bytes);

#endif
