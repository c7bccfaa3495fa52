/* river_certificate.h - what an X.509 certificate says, for status, logs and diagnostics
 * (deps/src/certificate.rs). Nothing here decides whether a certificate is trusted. */
#ifndef RIVER_CERTIFICATE_H
#define RIVER_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The caller's buffer for a text: `at` and `room` go in (room 0: not wanted), the rest comes out.
 * The text is UTF-8 without control characters ('?' stands for them), whole characters only, not
 * terminated by NUL. */
typedef struct river_text {
    char *at;
    size_t room;
    size_t bytes;
    bool truncated; /* there was more than fits */
} river_text;

typedef struct river_certificate {
    uint64_t not_before_s; /* seconds since 1970; earlier years count as 1970 */
    uint64_t not_after_s;
    river_text subject;   /* RFC 4514: "CN=example.org,O=Example\, Inc.,C=DE"; may be empty */
    river_text issuer;
    river_text serial;    /* hexadecimal, two lower-case digits a byte */
    river_text dns_names; /* of the subject alternative name; commas between, or none */
    river_text alt_names; /* all of it that is DNS, email, URI or IP, with the kind before each:
                           * "DNS:a.example,URI:spiffe://a/b"; ASCII, other bytes, commas and
                           * backslashes as "\2c" */
} river_certificate;

/* Describes a DER certificate, or the first one of a PEM text. False, and the times and texts are
 * unspecified, when it is not a certificate of RFC 5280's form. */
bool river_certificate_describe(const uint8_t *der, size_t der_bytes, river_certificate *io);
bool river_certificate_describe_pem(const uint8_t *pem, size_t pem_bytes, river_certificate *io);

/* The SHA-256 of a certificate, by which it is known: 32 bytes to `out`. */
void river_certificate_fingerprint(const uint8_t *der, size_t der_bytes, uint8_t *out);

#endif
