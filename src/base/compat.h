/* compat.h - what differs between compilers and analysers, behind one name each.
 *
 * Clang enforces COUNTED_BY at run time (-fsanitize=bounds); gcc 12 and Frama-C read past it.
 * Nothing here may know about any other header of ours. */
#ifndef BASE_COMPAT_H
#define BASE_COMPAT_H

#if defined(__has_attribute) && !defined(__FRAMAC__)
#if __has_attribute(counted_by) && defined(__clang__)
#define COUNTED_BY(n) __attribute__((counted_by(n)))
#endif
#endif
#ifndef COUNTED_BY
#define COUNTED_BY(n)
#endif

#if defined(__FRAMAC__)
#define MUST_USE
#define PRINTF_LIKE(at, first)
#define LIKELY(x) (x)
#define UNLIKELY(x) (x)
#define NORETURN
#define COLD
#define NOINLINE
#define ALWAYS_INLINE static inline
#else
#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define NORETURN __attribute__((noreturn))
#define COLD __attribute__((cold, noinline))
/* For what runs seldom beside what runs always: whose large frame would be its caller's. */
#define NOINLINE __attribute__((noinline))
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#endif

/* A condition that is true about as often as not: worth arithmetic, and not a branch. */
#if defined(__clang__) && !defined(__FRAMAC__)
#define UNPREDICTABLE(x) __builtin_unpredictable(!!(x))
#elif defined(__FRAMAC__)
#define UNPREDICTABLE(x) (x)
#else
#define UNPREDICTABLE(x) __builtin_expect_with_probability(!!(x), 1, 0.5)
#endif

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#ifndef HAVE_ASAN
#define HAVE_ASAN 0
#endif

#endif
