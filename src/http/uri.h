/* uri.h - splitting and judging request targets (RFC 3986, RFC 9112 §3.2), and authorities. */
#ifndef HTTP_URI_H
#define HTTP_URI_H

#include "base/text.h"
#include "http/head.h"

typedef struct UriParts {
    TargetForm form;
    Str scheme;
    Str authority;
    Str path;
    Str query;
    bool has_query;
} UriParts;

/* Splits a request target for `method`. ERR_SYNTAX: '#', bytes outside of visible ASCII and
 * obs-text, a form that does not fit the method, user information in an absolute target, a scheme
 * other than http and https. */
/*@ requires readable: \valid_read(target.at + (0 .. target.len - 1));
    requires writable: \valid(ret);
    assigns *ret \from target, target.at[0 .. target.len - 1], method, *ret;
    assigns \result \from target.at[0 .. target.len - 1], method; */
MUST_USE Err uri_split(Str target, Method method, UriParts *ret);

/* Whether `s` is a valid Host value: reg-name, IPv4 or bracketed IPv6, then optionally ":" and a
 * port of 0..65535, which may be empty (RFC 9110 §7.2, RFC 3986 §3.2.3). No user information, no
 * empty host. */
/*@ requires readable: \valid_read(s.at + (0 .. s.len - 1));
    assigns \result \from s.at[0 .. s.len - 1];
    ensures truth: \result == 0 || \result == 1; */
bool authority_valid(Str s);

/* A valid authority as it goes on: without the ':' of an empty port (RFC 3986 §6.2.3). */
Str authority_plain(Str s);

/* Host without port, brackets kept out; port 0 if there is none. */
typedef struct Authority {
    Str host;
    uint16_t port;
} Authority;
MUST_USE Err authority_split(Str s, Authority *ret);

/* Whether two authorities name the same host and port (case ignored); without one they mean the
 * port of the scheme. */
bool authority_equal(Str a, Str b, Str scheme);

/* What is after a ';' in a segment of a path: servers of Java leave it out before they compare
 * a path with their rules, others do not. */
typedef enum MatrixRule { MATRIX_PASS, MATRIX_STRIP, MATRIX_REJECT } MatrixRule;

typedef struct UriRules { /* each switch governs its own rewrite (COMPATIBILITY, normalization) */
    bool dot_segments;
    bool duplicate_slashes;
    bool encoded_separators;
    bool control_characters;
    bool percent_encoding;
    MatrixRule matrix;
} UriRules;

/* Writes the normalised form of `path` to `out` (out->room must hold path.len). ERR_SYNTAX when a
 * rule rejects it: an encoded separator, a climb above the root, a control character, a malformed
 * escape, matrix parameters. Idempotent; never names another resource. RFC 3986 §6.2.2. */
MUST_USE Err uri_normalize(Str path, const UriRules *rules, Text *out);

/* The rule that refuses a path of a target that uri_normalize has refused; `room` as there. */
typedef enum UriRule {
    URI_DOT_SEGMENTS,
    URI_ENCODED_SEPARATORS,
    URI_CONTROL_CHARACTERS,
    URI_PERCENT_ENCODING,
    URI_MATRIX_PARAMETERS
} UriRule;
UriRule uri_refusing_rule(Str path, const UriRules *rules, Span room);

#endif
