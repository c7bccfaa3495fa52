/* starting.h - the starting configuration: what `river proxy` and `river files` run without a file,
 * and `river init` writes.
 *
 * There is one text for all of them, made of what the command line says. It is read like any other
 * configuration; mistakes in it are reported about the arguments that they come from. */
#ifndef APP_STARTING_H
#define APP_STARTING_H

#include "base/text.h"
#include "kdl/diagnostic.h"

#define STARTING_BYTES_MAX 65536u
#define STARTING_PIECES_MAX 16u

/* What the command line says; empty where it says nothing. */
typedef struct Starting {
    Str origin;      /* "3000", "localhost:3000", "https://192.0.2.1", "/run/app.sock" and so on */
    Str origin_flag; /* "--proxy" where a flag names it */
    Str origin_name; /* the name in the origin's certificate */
    Str origin_ca;   /* the file of its authority */
    Str directory;   /* of a file server */
    Str directory_flag; /* "--static" where a flag names it */
    Str listen;         /* ":8080", "8080", "*:8080", "[::1]:8080" and so on */
    Str certificate;
    Str key;
    Str user;
    bool ipv6; /* "every address" includes those of IPv6 */
    bool origin_ipv6; /* on this machine the origin listens at [::1] only */
} Starting;

/* A part of the text, and the argument that it comes from. */
typedef struct StartingPiece {
    size_t from;
    size_t to;
    Str flag; /* empty: an argument without one */
    Str value;
} StartingPiece;

typedef struct StartingText {
    Str text;
    size_t count;
    StartingPiece pieces[STARTING_PIECES_MAX];
} StartingText;

/* Whether the arguments can be understood. ERR_SYNTAX: `why` says which cannot, and what would be
 * right. */
MUST_USE Err starting_check(const Starting *s, Text *why);
/* Sets what the machine says about checked arguments: `ipv6` and `origin_ipv6`. */
void starting_look(Starting *s);
/* Writes the configuration that checked arguments mean. Everything in *ret points into `out` and
 * the arguments. ERR_LIMIT: it is longer than STARTING_BYTES_MAX or `out`. */
MUST_USE Err starting_write(const Starting *s, Text *out, StartingText *ret);
/* One line for people: where it listens, and what it does there. */
void starting_greet(const Starting *s, Text *out);

/* Replaces places in the text by the arguments that they come from. */
void starting_name_mistakes(const StartingText *s, Diagnostics *d);
/* Whether the line, of such diagnostics, is about a certificate that was not renewed. */
bool starting_says_kept(const StartingText *s, Str line);

/* `river init`: writes the text to a file (relative to the working directory). ERR_EXISTS: there is
 * one, and `force` is not set. */
MUST_USE Err starting_save(Str text, Str path, bool force);

#endif
