/* key_checker.h - the supervisor's access to private keys, which it never sees: a helper that lives
 * while a configuration is read.
 *
 * The kernel copies files with keys to the secrets of the configuration's region (base/region.h).
 * The checker has descriptors of the secrets and of the region, and reads from them. It is asked
 * for a file's fingerprint and public part, and whether a certificate and a key can be used. A
 * checker that dies over a question is replaced once. */
#ifndef APP_KEY_CHECKER_H
#define APP_KEY_CHECKER_H

#include "app/process_manager.h"
#include "base/region.h"
#include "net/tls.h"

typedef struct KeyChecker {
    ProcessManager *manager;
    bool runs;
    KeptChild child;
    uint32_t last_id;
    int told[REGION_SLOTS][2]; /* descriptors that the checker has, by our numbers for them */
} KeyChecker;

/* What a question asks: values[0] of a RECORD_ASK. Listed below: the further values; then those of
 * the answer after the first, which is an Err. A place is four values: slot, whether it is in the
 * secrets, offset, length. */
typedef enum KeyQuestion {
    KEY_FILE,     /* slot, secret; one descriptor. Answer: nothing */
    KEY_IDENTIFY, /* a place. Answer: the fingerprint's two words, the length of the public part */
    KEY_PUBLIC,   /* an offset. Answer: bytes of the public part of the last identified file */
    KEY_PAIR      /* places of chain, key and OCSP response. Answer: the mistake's part, then as in
                   * TlsPairFacts; bytes: why */
} KeyQuestion;
#define KEY_PLACE_VALUES 4u
#define KEY_PAIR_VALUES 9u

/* The fingerprint of a secret and its public part, in the arena. */
MUST_USE Err key_checker_identify(KeyChecker *k, Str secret, Arena *a, Fingerprint *ret,
                                  Str *ret_public);
/* A TlsJudge whose context is the KeyChecker; the pair lies in open regions. */
Err key_checker_judge(void *checker, const TlsPair *pair, TlsPairFacts *ret,
                      TlsMistake *ret_mistake, Text *why);
/* Ends the helper if one runs; the next question starts another. */
void key_checker_end(KeyChecker *k);

#endif
