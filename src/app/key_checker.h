/* key_checker.h - the supervisor's way to private keys, which it never sees: a helper that lives
 * while a configuration is read.
 *
 * Files with keys are copied by the kernel to the secrets of the configuration's region
 * (base/region.h). The checker has the descriptors of these and of the region, and reads from them.
 * It is asked for the fingerprint of a file and what in it is public, and whether a certificate and
 * a key can be used. A checker that dies over a question is replaced once. */
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
    int told[REGION_SLOTS][2]; /* descriptors that it has, under the numbers that they have here */
} KeyChecker;

/* What questions are about: values[0] of a RECORD_ASK; then the values that follow, and those of
 * the answer, whose first is an Err. A place is four values: slot, whether it is among the secrets,
 * offset, length. */
typedef enum KeyQuestion {
    KEY_FILE,     /* slot, secret; one descriptor. Nothing */
    KEY_IDENTIFY, /* a place. The fingerprint's two words, and how long the public part is */
    KEY_PUBLIC,   /* from where on. Bytes of the public part of the file that was identified last */
    KEY_PAIR      /* places of chain, key and OCSP response. The mistake's part, then as in
                   * TlsPairFacts; bytes: why */
} KeyQuestion;
#define KEY_PLACE_VALUES 4u
#define KEY_PAIR_VALUES 9u

/* The fingerprint of a secret, and what in it is public, in the arena. */
MUST_USE Err key_checker_identify(KeyChecker *k, Str secret, Arena *a, Fingerprint *ret,
                                  Str *ret_public);
/* A TlsJudge, whose context is the KeyChecker; the pair lies in open regions. */
Err key_checker_judge(void *checker, const TlsPair *pair, TlsPairFacts *ret,
                      TlsMistake *ret_mistake, Text *why);
/* Ends the helper, if one runs; the next question starts another one. */
void key_checker_end(KeyChecker *k);

#endif
