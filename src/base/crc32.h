/* crc32.h - the CRC-32 of zip and Ethernet, for what others must be able to compute, too. Not
 * for keys that an attacker may choose to collide: those are keyed_hash.h's. */
#ifndef BASE_CRC32_H
#define BASE_CRC32_H

#include "base/str.h"

#define CRC32_START 0xffffffffu

/* Reflected, polynomial 0xEDB88320, piece by piece: begin with CRC32_START, end with crc32_end. */
uint32_t crc32_add(uint32_t crc, Str bytes);
static inline uint32_t crc32_end(uint32_t crc)
{
    return crc ^ 0xffffffffu;
}

#endif
