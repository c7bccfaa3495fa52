/* harness.h - what the proofs share: a slice of unknown bytes that ends where its memory ends.
 *
 * A harness calls a leaf parser with every length from 0 to PROOF_LEN, each with all contents at
 * once (the analyser knows nothing about the bytes). A read behind the slice breaks the assertion
 * in str_at; a read or write behind the memory, an overflow, a shift or an uninitialised value is
 * an alarm of the analyser's own.
 *
 * The opening comment of a harness tells tests/proof/prove:
 *     sources: what is proved, below src/      bytes: the bound, and a quick run's (0: not in it)
 *     options: of the analyser                 proves: functions whose contract others may take */
#ifndef TESTS_PROOF_HARNESS_H
#define TESTS_PROOF_HARNESS_H

#include "__fc_builtin.h"
#include "base/str.h"

#ifndef PROOF_LEN
#define PROOF_LEN 64
#endif

static uint8_t proof_bytes[PROOF_LEN + 1];

/* `len` unknown bytes at the very end of the memory. */
static Span proof_span(size_t len)
{
    Frama_C_make_unknown((char *)proof_bytes, sizeof proof_bytes);
    return span_of(proof_bytes + (sizeof proof_bytes - len), len);
}

static Str proof_str(size_t len)
{
    return span_str(proof_span(len));
}

/* A number from `from` to `to`, any of them. */
static size_t proof_any(size_t from, size_t to)
{
    return (size_t)Frama_C_unsigned_long_interval(from, to);
}

static bool proof_bool(void)
{
    return Frama_C_interval(0, 1) != 0;
}

/* A proof about code that is never reached would be worthless: prove demands that the analyser
 * passes each of these marks, so each outcome of a parser gets one. */
#define PROOF_REACHED(outcome) Frama_C_show_each_reached_##outcome()

/* The self-test of the proofs plants a read behind the end. */
#if defined(PROOF_PLANT)
#define PROOF_PLANTED(s) ((void)str_at((s), (s).len))
#else
#define PROOF_PLANTED(s) ((void)(s))
#endif

/* What a harness proves, for slices of `len` bytes. */
void prove(size_t len);

#endif
