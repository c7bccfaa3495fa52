/* pattern.h - patterns that a configuration writes: regular expressions, and globs with * and ?.
 *
 * Both take time linear in the text, whatever the pattern, so no client can make one slow. Both are
 * made once, while the configuration is read, and may then be used by all threads at once.
 *
 * A regular expression has the syntax of Rust's `regex` (the same as the original River's), in its
 * Unicode form; the text may be any bytes. What it may grow to is bounded. A glob is our own: `*`
 * matches any bytes, also none, `?` one byte, every other byte itself, and the whole text must
 * match. It must not know what is matched. */
#ifndef HTTP_PATTERN_H
#define HTTP_PATTERN_H

#include "base/str.h"

#define PATTERN_BYTES_MAX 4096u              /* of the expression as text */
#define PATTERN_PROGRAM_BYTES_MAX (4u << 20) /* of a compiled one, about */
#define PATTERN_CACHE_BYTES_MAX (1u << 20)   /* what matching may remember, for each thread */
#define PATTERN_SENTENCE_BYTES 160u
#define GLOB_ITEMS_MAX 63u /* of a glob, stars not counted */

/* A compiled regular expression. */
typedef struct Pattern Pattern;

enum {
    PATTERN_NOCASE = 1, /* case is ignored, as Unicode folds it */
    PATTERN_WHOLE = 2   /* the whole text must match; else a part of it is enough */
};

/* Why a text is no pattern: bytes [from, to) of it, and what is wrong, as a clause that begins in
 * lower case and has no full stop ("unclosed group"). */
typedef struct PatternMistake {
    size_t from;
    size_t to;
    size_t sentence_bytes;
    uint8_t sentence[PATTERN_SENTENCE_BYTES];
} PatternMistake;

static inline Str pattern_sentence(const PatternMistake *m)
{
    return str_of(m->sentence, m->sentence_bytes);
}

/* The expression `text` compiled with PATTERN_ flags; the caller drops it. NULL: it is not an
 * expression, and *ret_mistake says why. Never on the request path: it allocates, and takes its
 * time. */
Pattern *pattern_open(Str text, unsigned flags, PatternMistake *ret_mistake);
/* No-op on NULL. No one may be matching with it any more. */
void pattern_close(Pattern *p);

/* Whether `text` matches. For any thread at any time; it neither waits nor fails. */
bool pattern_matches(const Pattern *p, Str text);

/* Several expressions that are asked together: one pass over the text, however many they are. */
typedef struct PatternSet PatternSet;
#define PATTERN_SET_MAX 1024u                    /* expressions of a set */
#define PATTERN_SET_PROGRAM_BYTES_MAX (32u << 20) /* compiled, all together, about */

/* The set of expressions that have each been tried alone (pattern_open); at most PATTERN_SET_MAX.
 * NULL: together they become too large. */
PatternSet *pattern_set_open(const Str *texts, size_t count);
void pattern_set_close(PatternSet *s); /* No-op on NULL */

/* Whether any of them matches a part of `text`; then ret[i] says whether the i-th does. `count` is
 * the set's. For any thread at any time, as pattern_matches. */
bool pattern_set_matches(const PatternSet *s, Str text, bool *ret, size_t count);

/* A glob as a set of states: state i has matched the first i items. */
typedef struct Glob {
    uint64_t takes[256]; /* for each byte: bit i is set when item i matches it */
    uint64_t loops;      /* bit i is set when a star precedes item i, or follows the last */
    uint64_t last;       /* the bit of the state in which everything has matched */
} Glob;

/* ERR_LIMIT: more than GLOB_ITEMS_MAX items. `nocase` ignores the case of ASCII letters. */
/*@ requires readable: \valid_read(text.at + (0 .. text.len - 1));
    requires writable: \valid(ret);
    assigns *ret \from text.at[0 .. text.len - 1], nocase, *ret;
    assigns \result \from text.at[0 .. text.len - 1]; */
MUST_USE Err glob_make(Str text, bool nocase, Glob *ret);

/* Whether the whole `text` matches: one step for each byte, always. */
/*@ requires readable: \valid_read(text.at + (0 .. text.len - 1));
    requires valid: \valid_read(g);
    assigns \result \from text.at[0 .. text.len - 1], *g; */
bool glob_matches(const Glob *g, Str text);

#endif
