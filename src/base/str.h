/* str.h - slices of bytes: the only way in which River looks at bytes.
 *
 * `Str` is borrowed and read-only, `Span` is borrowed and writable; both go by value and are never
 * NUL-terminated. Their pointer is COUNTED_BY the length, so `s.at[i]` out of range traps in a
 * release build. All operations are total: positions beyond the end are clamped.
 * The functions here are plain C11 loops, so that the proofs (tests/proof) can see through them. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/compat.h"
#include "base/err.h"

typedef struct Str {
    size_t len;
    const uint8_t *at COUNTED_BY(len);
} Str;

typedef struct Span {
    size_t len;
    uint8_t *at COUNTED_BY(len);
} Span;

typedef struct StrCut {
    Str head;   /* what is before the separator; everything when it was not found */
    Str tail;   /* what is after it */
    bool found;
} StrCut;

/* A Str of a string literal, without its NUL. */
#define S(literal) ((Str){.len = sizeof(literal) - 1, .at = (const uint8_t *)(literal)})
/* The same as a constant initialiser, for tables. */
#define S_INIT(literal) {.len = sizeof(literal) - 1, .at = (const uint8_t *)(literal)}
/* For printf's "%.*s". */
#define STR_ARG(s) (int)((s).len), (const char *)((s).at)

#define STR_NONE ((Str){.len = 0, .at = NULL})

/* A slice of `len` bytes at `at`; the bytes stay the caller's. */
static inline Str str_of(const void *at, size_t len)
{
    Str s = {.len = len, .at = (const uint8_t *)at};
    return s;
}

static inline Span span_of(void *at, size_t len)
{
    Span s = {.len = len, .at = (uint8_t *)at};
    return s;
}

static inline Str span_str(Span s)
{
    return str_of(s.at, s.len);
}

/* The byte at `i`. The caller has checked `i`; out of range is a bug and traps. */
static inline uint8_t str_at(Str s, size_t i)
{
#if defined(__FRAMAC__)
    /*@ assert in_bounds: i < s.len; */
#endif
    return s.at[i];
}

/* The byte at `i`, or -1 past the end. */
static inline int str_peek(Str s, size_t i)
{
    return i < s.len ? (int)str_at(s, i) : -1;
}

#define STR_WORD_BYTES sizeof(uint64_t)

/* The eight bytes from `i` on as one word, for comparisons (their order is the machine's). The
 * caller has checked the room; out of range is a bug and traps. */
static inline uint64_t str_word(Str s, size_t i)
{
    CHECK(i <= s.len && s.len - i >= STR_WORD_BYTES);
    uint64_t word = 0;
#if defined(__FRAMAC__)
    /*@ loop unroll 8; */
    for (size_t k = 0; k < STR_WORD_BYTES; k++) {
        word |= (uint64_t)str_at(s, i + k) << (8 * k);
    }
#else
    __builtin_memcpy(&word, s.at + i, sizeof word);
#endif
    return word;
}

/* The first `n` bytes (all of them when there are fewer). */
static inline Str str_take(Str s, size_t n)
{
    return str_of(s.at, n < s.len ? n : s.len);
}

/* Everything but the first `n` bytes. */
static inline Str str_drop(Str s, size_t n)
{
    size_t skip = n < s.len ? n : s.len;
    return str_of(s.at + skip, s.len - skip);
}

/* The bytes [from, to), clamped. */
static inline Str str_slice(Str s, size_t from, size_t to)
{
    Str head = str_take(s, to);
    return str_drop(head, from);
}

static inline Span span_take(Span s, size_t n)
{
    return span_of(s.at, n < s.len ? n : s.len);
}

static inline Span span_drop(Span s, size_t n)
{
    size_t skip = n < s.len ? n : s.len;
    return span_of(s.at + skip, s.len - skip);
}

/* Position of the first `byte` at or after `from`; s.len if there is none. */
static inline size_t str_find(Str s, uint8_t byte, size_t from)
{
#if defined(__FRAMAC__)
    for (size_t i = from; i < s.len; i++) {
        if (str_at(s, i) == byte) {
            return i;
        }
    }
    return s.len;
#else
    if (from >= s.len) {
        return s.len;
    }
    const uint8_t *hit =
        (const uint8_t *)__builtin_memchr(s.at + from, byte, s.len - from);
    return hit ? (size_t)(hit - s.at) : s.len;
#endif
}

/* Splits at the first `byte`. */
static inline StrCut str_cut(Str s, uint8_t byte)
{
    size_t i = str_find(s, byte, 0);
    StrCut cut = {.head = str_take(s, i), .tail = str_drop(s, i + 1), .found = i < s.len};
    return cut;
}

static inline uint8_t byte_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* A space or a tab: white space within a line. */
static inline bool byte_is_blank(int c)
{
    return c == ' ' || c == '\t';
}

static inline bool byte_is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* The value of a hexadecimal digit, or -1. */
static inline int byte_hex_value(int c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

static inline bool str_equal(Str a, Str b)
{
    if (a.len != b.len) {
        return false;
    }
#if defined(__FRAMAC__)
    for (size_t i = 0; i < a.len; i++) {
        if (str_at(a, i) != str_at(b, i)) {
            return false;
        }
    }
    return true;
#else
    return a.len == 0 || __builtin_memcmp(a.at, b.at, a.len) == 0;
#endif
}

/* Whether `text` is at `at`; never when it would go beyond the end. */
static inline bool str_stands(Str s, size_t at, Str text)
{
    if (at > s.len || text.len > s.len - at) {
        return false;
    }
#if defined(__FRAMAC__)
    for (size_t i = 0; i < text.len; i++) {
        if (str_at(s, at + i) != str_at(text, i)) {
            return false;
        }
    }
    return true;
#else
    return text.len == 0 || __builtin_memcmp(s.at + at, text.at, text.len) == 0;
#endif
}

/* ASCII case is ignored, other bytes must be the same. */
static inline bool str_equal_nocase(Str a, Str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (byte_lower(str_at(a, i)) != byte_lower(str_at(b, i))) {
            return false;
        }
    }
    return true;
}

/* Whether the bytes in [from, to) are `text`, ASCII case ignored. */
static inline bool str_stands_nocase(Str s, size_t from, size_t to, Str text)
{
    if (from > s.len || text.len > s.len - from || to < from || to - from != text.len) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (byte_lower(str_at(s, from + i)) != byte_lower(str_at(text, i))) {
            return false;
        }
    }
    return true;
}

static inline bool str_starts(Str s, Str prefix)
{
    return s.len >= prefix.len && str_equal(str_take(s, prefix.len), prefix);
}

static inline bool str_starts_nocase(Str s, Str prefix)
{
    return s.len >= prefix.len && str_equal_nocase(str_take(s, prefix.len), prefix);
}

static inline bool str_ends(Str s, Str suffix)
{
    return s.len >= suffix.len && str_equal(str_drop(s, s.len - suffix.len), suffix);
}

/* Without optional white space (SP and HTAB, RFC 9110 §5.6.3) on both sides. */
static inline Str str_trim(Str s)
{
    size_t from = 0;
    size_t to = s.len;
    while (from < to && (str_at(s, from) == ' ' || str_at(s, from) == '\t')) {
        from++;
    }
    /*@ split from; */
    while (to > from && (str_at(s, to - 1) == ' ' || str_at(s, to - 1) == '\t')) {
        to--;
    }
    return str_slice(s, from, to);
}

/* Position of the first `part` (not empty) at or after `from`; s.len if there is none. */
size_t str_search(Str s, Str part, size_t from);
/* Byte order, a prefix first: below, equal to or above 0. */
int str_compare(Str a, Str b);

/* The slice of a NUL-terminated string of the system's; NULL gives an empty slice. */
Str str_from_c(const char *text);

/* Copies `s` as a NUL-terminated string into `out`, for a system call. ERR_LIMIT when it does not
 * fit or holds a NUL; then nothing is written. */
MUST_USE Err str_to_c(Str s, Span out);

/* Copies all of `from` to the start of `to` and returns how many bytes that were. The caller has
 * made sure of the room: too little is a bug and traps. The slices may overlap. */
size_t span_copy(Span to, Str from);

/* Sets all bytes to `value`. */
void span_fill(Span s, uint8_t value);

/* The rebased slice: `part` lies in `from`; the same place in the copy `to` (same length). */
Str str_rebase(Str part, Str from, Str to);

/* 64-bit FNV-1a of the bytes, going on from `hash` (start with FNV_START). */
#define FNV_START UINT64_C(0xcbf29ce484222325)
uint64_t str_fnv(Str s, uint64_t hash);

#endif
