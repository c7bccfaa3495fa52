/* lex.h - the words of KDL: from bytes at a position to one token (a leaf, proved).
 *
 * Versions 1 and 2 of the language share this lexer; where they differ, `version` decides. A token
 * is a pair of positions: nothing is copied and nothing allocated. It must not know the tree. */
#ifndef KDL_LEX_H
#define KDL_LEX_H

#include "base/str.h"

/* name, what is wrong, what would be right */
#define KDL_FAULT_TABLE(X)                                                                         \
    X(NONE, "no fault", "")                                                                        \
    X(UTF8, "this is not valid UTF-8", "save the file as UTF-8")                                   \
    X(BANNED, "this invisible control character may not stand in KDL 2",                           \
      "remove it, or write it as an escape (\\u{…}) within a string")                              \
    X(COMMENT_OPEN, "this comment is never closed", "close it with */ (comments nest)")            \
    X(STRING_OPEN, "this string is never closed", "close it with the quotes that opened it")       \
    X(STRING_NEWLINE, "a line ends within this string",                                            \
      "close the string before the end of the line, or use \"\"\" … \"\"\"")                       \
    X(CHARACTER, "this character cannot stand here", "put the text in quotes")                     \
    X(HASH, "'#' must begin a keyword or a raw string",                                            \
      "keywords are #true, #false, #null, #inf, #-inf and #nan; a raw string is #\"…\"#")          \
    X(ESCAPE, "there is no such escape",                                                           \
      "escapes are \\n \\r \\t \\b \\f \\\" \\\\ and \\u{…}; double a backslash to write one")     \
    X(CODE_POINT, "this is not a Unicode scalar value",                                            \
      "\\u{…} takes 1 to 6 hexadecimal digits up to 10FFFF, without the surrogates D800 to DFFF")  \
    X(MULTILINE_START, "text behind the opening \"\"\" of a multi-line string",                    \
      "begin the text on the next line")                                                           \
    X(MULTILINE_END, "text before the closing \"\"\" of a multi-line string",                      \
      "put the closing quotes on a line of their own")                                             \
    X(MULTILINE_INDENT, "a line of this string is indented less than its closing quotes",          \
      "begin every line with exactly the white space that stands before the closing \"\"\"")       \
    X(NUMBER, "this is not a number",                                                              \
      "put it in quotes if it is text or has a unit, like \"60s\"")        \
    X(NUMBER_LONG, "this number has too many digits", "")

typedef enum KdlFault {
#define X(name, wrong, right) KDL_FAULT_##name,
    KDL_FAULT_TABLE(X)
#undef X
} KdlFault;

typedef enum KdlTokenKind {
    KDL_TOKEN_END,
    KDL_TOKEN_SPACE, /* white space or a comment between stars */
    KDL_TOKEN_NEWLINE,
    KDL_TOKEN_LINE_COMMENT, /* without the newline */
    KDL_TOKEN_BACKSLASH,
    KDL_TOKEN_SLASHDASH,
    KDL_TOKEN_OPEN_BRACE,
    KDL_TOKEN_CLOSE_BRACE,
    KDL_TOKEN_OPEN_PAREN,
    KDL_TOKEN_CLOSE_PAREN,
    KDL_TOKEN_EQUALS,
    KDL_TOKEN_SEMICOLON,
    KDL_TOKEN_WORD,          /* identifier, number or (version 1) keyword */
    KDL_TOKEN_KEYWORD,       /* version 2: #true and the like */
    KDL_TOKEN_STRING,        /* "…" */
    KDL_TOKEN_MULTILINE,     /* version 2: three quotes */
    KDL_TOKEN_RAW,           /* r"…" or #"…"# */
    KDL_TOKEN_RAW_MULTILINE, /* version 2: three quotes after # */
    KDL_TOKEN_BAD            /* `fault` says why */
} KdlTokenKind;

typedef struct KdlToken {
    KdlTokenKind kind;
    KdlFault fault;
    size_t from;
    size_t to;        /* past the last byte; above `from` except at the end */
    size_t body_from; /* of strings: what is between the quotes */
    size_t body_to;
} KdlToken;

/* The token at `at` (at most text.len). */
KdlToken kdl_token(Str text, size_t at, int version);

/* Whether it is a comment or string that is never closed. To look for mistakes within it would find
 * nonsense, and read up to the end for each beginning of another one. */
bool kdl_is_open_to_end(const KdlToken *t);

/* Position of the first byte that may not be anywhere in a document: bad UTF-8 or, in version 2,
 * a banned code point (a byte order mark at the start is none). text.len if there is none. */
size_t kdl_find_banned(Str text, int version, KdlFault *ret_fault);

/* The code point at `at` and its length in bytes; 0 at the end or when it is not valid UTF-8. */
/*@ requires readable: \valid_read(text.at + (0 .. text.len - 1));
    requires writable: \valid(ret);
    assigns *ret \from text.at[0 .. text.len - 1], text.len, at, *ret;
    assigns \result \from text.at[0 .. text.len - 1], text.len, at;
    ensures one_character: \result <= 4; */
size_t kdl_code_point(Str text, size_t at, uint32_t *ret);
/* Length in bytes of the newline at `at` (CR LF is one); 0 if there is none. */
/*@ requires readable: \valid_read(text.at + (0 .. text.len - 1));
    assigns \result \from text.at[0 .. text.len - 1], text.len, at, version;
    ensures one_character: \result <= 4; */
size_t kdl_newline(Str text, size_t at, int version);
/* Length in bytes of the white space character at `at`, newlines not counted; 0 for none. */
/*@ requires readable: \valid_read(text.at + (0 .. text.len - 1));
    assigns \result \from text.at[0 .. text.len - 1], text.len, at, version;
    ensures one_character: \result <= 4; */
size_t kdl_space(Str text, size_t at, int version);
/* Whether the code point is banned from KDL 2 documents. */
bool kdl_is_banned(uint32_t code_point);

/* Whether `text` can be written without quotes as a name (version 2: as any string). */
bool kdl_is_identifier(Str text, int version);

typedef struct KdlNumberShape {
    bool negative;
    bool is_float;
    unsigned base; /* 2, 8, 10 or 16 */
    size_t digits_from; /* after sign and prefix */
} KdlNumberShape;

/* Whether a word begins like a number: a digit, or a sign and a digit. */
bool kdl_looks_numeric(Str word);
/* Reads the form of a number; false if it is not one. */
MUST_USE bool kdl_number_shape(Str word, KdlNumberShape *ret);

#endif
