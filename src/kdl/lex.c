/* lex.c - KDL's tokens, versions 1 and 2 (kdl.dev, "Full Grammar").
 *
 * Plain loops over str_peek, so that the proof sees every access bounded. */
#include "kdl/lex.h"

#define BYTE_ORDER_MARK 0xFEFFu

/* ---- ASCII, of which nearly all texts are ---- */

enum {
    WORD_1 = 1, /* is in an identifier of version 1 */
    WORD_2 = 2,
    QUOTED = 4, /* within quotes it is nothing but itself */
    LINE = 8,   /* ends no line */
    PLAIN = 16, /* may be in a document of either version */
    SPACE = 32,
    IN_LINE = LINE | PLAIN,
    IN_QUOTES = IN_LINE | QUOTED,
    IN_WORD = IN_QUOTES | WORD_1 | WORD_2
};

static const uint8_t ascii[256] = {
    ['\t'] = IN_QUOTES | SPACE,
    ['\n'] = PLAIN,
    ['\r'] = PLAIN,
    [' '] = IN_QUOTES | SPACE,
    ['!'] = IN_WORD,
    ['"'] = IN_LINE,
    ['#'] = IN_QUOTES | WORD_1,
    ['$' ... '\''] = IN_WORD,
    ['(' ... ')'] = IN_QUOTES,
    ['*' ... '+'] = IN_WORD,
    [','] = IN_QUOTES | WORD_2,
    ['-' ... '.'] = IN_WORD,
    ['/'] = IN_QUOTES,
    ['0' ... ':'] = IN_WORD,
    [';'] = IN_QUOTES,
    ['<'] = IN_QUOTES | WORD_2,
    ['='] = IN_QUOTES,
    ['>'] = IN_QUOTES | WORD_2,
    ['?' ... 'Z'] = IN_WORD,
    ['['] = IN_QUOTES,
    ['\\'] = IN_LINE,
    [']'] = IN_QUOTES,
    ['^' ... 'z'] = IN_WORD,
    ['{'] = IN_QUOTES,
    ['|'] = IN_WORD,
    ['}'] = IN_QUOTES,
    ['~'] = IN_WORD,
    [0x7F] = LINE | WORD_1,
};

/* After the characters of a class that are at `at`. It is a matter of speed only: it may stop
 * before others that belong to it, but never goes too far. */
static size_t ascii_run(Str text, size_t at, unsigned class)
{
    while (at < text.len && (ascii[str_at(text, at)] & class) != 0) {
        at++;
    }
    return at;
}

/* ---- characters ---- */

static bool is_continuation(int byte)
{
    return byte >= 0x80 && byte <= 0xBF;
}

/* The lowest and highest second byte that a lead byte allows (Unicode, table 3-7). */
static bool second_byte_fits(int lead, int second)
{
    int low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    int high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    return second >= low && second <= high;
}

size_t kdl_code_point(Str text, size_t at, uint32_t *ret)
{
    int lead = str_peek(text, at);
    if (lead < 0) {
        return 0;
    }
    if (lead < 0x80) {
        *ret = (uint32_t)lead;
        return 1;
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return 0;
    }
    size_t len = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    int second = str_peek(text, at + 1);
    if (!second_byte_fits(lead, second)) {
        return 0;
    }
    uint32_t value = (uint32_t)lead & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        int byte = str_peek(text, at + i);
        if (!is_continuation(byte)) {
            return 0;
        }
        value = value << 6 | ((uint32_t)byte & 0x3Fu);
    }
    *ret = value;
    return len;
}

static bool is_newline(uint32_t c, int version)
{
    return c == '\n' || c == '\r' || c == 0x0C || c == 0x85 || c == 0x2028 || c == 0x2029 ||
           (c == 0x0B && version == 2);
}

static bool is_space(uint32_t c, int version)
{
    return c == ' ' || c == '\t' || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x202F || c == 0x205F || c == 0x3000 || (c == BYTE_ORDER_MARK && version == 1);
}

size_t kdl_newline(Str text, size_t at, int version)
{
    uint32_t c = 0;
    size_t len = kdl_code_point(text, at, &c);
    if (len == 0 || !is_newline(c, version)) {
        return 0;
    }
    return c == '\r' && str_peek(text, at + 1) == '\n' ? 2 : len;
}

size_t kdl_space(Str text, size_t at, int version)
{
    uint32_t c = 0;
    size_t len = kdl_code_point(text, at, &c);
    return len != 0 && is_space(c, version) ? len : 0;
}

bool kdl_is_banned(uint32_t c)
{
    return c <= 0x08 || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x200E || c == 0x200F ||
           (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == BYTE_ORDER_MARK;
}

size_t kdl_find_banned(Str text, int version, KdlFault *ret_fault)
{
    size_t at = ascii_run(text, 0, PLAIN);
    while (at < text.len) {
        uint32_t c = 0;
        size_t len = kdl_code_point(text, at, &c);
        if (len == 0) {
            *ret_fault = KDL_FAULT_UTF8;
            return at;
        }
        if (version == 2 && kdl_is_banned(c) && !(at == 0 && c == BYTE_ORDER_MARK)) {
            *ret_fault = KDL_FAULT_BANNED;
            return at;
        }
        at = ascii_run(text, at + len, PLAIN);
    }
    *ret_fault = KDL_FAULT_NONE;
    return text.len;
}

/* ASCII that no identifier holds; version 1 also keeps out < > and the comma, but allows '#'. */
static bool is_punctuation(uint32_t c, int version)
{
    switch (c) {
    case '\\':
    case '/':
    case '(':
    case ')':
    case '{':
    case '}':
    case '[':
    case ']':
    case ';':
    case '=':
    case '"':
        return true;
    case '<':
    case '>':
    case ',':
        return version == 1;
    case '#':
        return version == 2;
    default:
        return false;
    }
}

/* Length of the identifier character at `at`, or 0. */
/*@ requires readable: \valid_read(text.at + (0 .. text.len - 1));
    assigns \result \from text.at[0 .. text.len - 1], text.len, at, version;
    ensures one_character: \result <= 4; */
static size_t identifier_char(Str text, size_t at, int version)
{
    uint32_t c = 0;
    size_t len = kdl_code_point(text, at, &c);
    if (len == 0 || c <= 0x20 || is_punctuation(c, version) || is_space(c, version) ||
        is_newline(c, version) || (version == 2 && kdl_is_banned(c))) {
        return 0;
    }
    return len;
}

static size_t word_end(Str text, size_t at, int version)
{
    unsigned class = version == 1 ? WORD_1 : WORD_2;
    size_t len = 0;
    do {
        at = ascii_run(text, at + len, class);
        len = identifier_char(text, at, version);
    } while (len != 0);
    return at;
}

static KdlToken token_of(KdlTokenKind kind, size_t from, size_t to)
{
    KdlToken t = {kind, KDL_FAULT_NONE, from, to, from, to};
    return t;
}

static KdlToken token_bad(KdlFault fault, size_t from, size_t to)
{
    KdlToken t = {KDL_TOKEN_BAD, fault, from, to, from, to};
    return t;
}

/* White space and block comments, which nest; all of a run is one token. */
static KdlToken lex_space(Str text, size_t from, int version)
{
    size_t at = ascii_run(text, from, SPACE);
    while (at < text.len) {
        size_t len = kdl_space(text, at, version);
        if (len != 0) {
            at += len;
            continue;
        }
        if (str_peek(text, at) != '/' || str_peek(text, at + 1) != '*') {
            break;
        }
        size_t open = at;
        size_t depth = 0;
        do {
            int a = str_peek(text, at);
            int b = str_peek(text, at + 1);
            if (a < 0) {
                return token_bad(KDL_FAULT_COMMENT_OPEN, open, open + 2);
            }
            bool opens = a == '/' && b == '*';
            bool closes = a == '*' && b == '/';
            depth = opens ? depth + 1 : closes ? depth - 1 : depth;
            at += opens || closes ? 2 : 1;
        } while (depth != 0);
    }
    return token_of(KDL_TOKEN_SPACE, from, at);
}

static KdlToken lex_line_comment(Str text, size_t from, int version)
{
    size_t at = ascii_run(text, from + 2, LINE);
    while (at < text.len && kdl_newline(text, at, version) == 0) {
        at = ascii_run(text, at + 1, LINE);
    }
    return token_of(KDL_TOKEN_LINE_COMMENT, from, at);
}

/* How many times `byte` is at `at` in a row. */
static size_t count_byte(Str text, size_t at, uint8_t byte)
{
    size_t n = 0;
    while (str_peek(text, at + n) == (int)byte) {
        n++;
    }
    return n;
}

/* Whether `byte` is at `at` so many times. The cost is what is there, not all of a run. */
static bool has_bytes(Str text, size_t at, uint8_t byte, size_t count)
{
    size_t n = 0;
    while (n < count && str_peek(text, at + n) == (int)byte) {
        n++;
    }
    return n == count;
}

/* What a backslash within quotes takes with it: one byte or, in version 2, all white space. */
static size_t escape_end(Str text, size_t backslash, int version)
{
    size_t at = backslash + 1;
    if (version == 2) {
        size_t start = at;
        size_t len = 0;
        do {
            at += len;
            len = kdl_space(text, at, version);
            len = len != 0 ? len : kdl_newline(text, at, version);
        } while (len != 0);
        if (at != start) {
            return at;
        }
    }
    return at < text.len ? at + 1 : at;
}

/* A string whose opening quotes (`quotes` of them, 1 or 3) end at `body`; `hashes` below 0 means
 * that backslashes escape, else it is raw and so many '#' follow the closing quotes. */
static KdlToken lex_quoted(Str text, size_t from, size_t body, size_t quotes, bool raw,
                           size_t hashes, int version)
{
    bool one_line = version == 2 && quotes == 1;
    size_t at = ascii_run(text, body, QUOTED);
    while (at < text.len) {
        int byte = str_peek(text, at);
        if (byte == '"' && has_bytes(text, at, '"', quotes) &&
            has_bytes(text, at + quotes, '#', hashes)) {
            KdlTokenKind kind = raw ? quotes == 3 ? KDL_TOKEN_RAW_MULTILINE : KDL_TOKEN_RAW
                                    : quotes == 3 ? KDL_TOKEN_MULTILINE : KDL_TOKEN_STRING;
            KdlToken t = {kind, KDL_FAULT_NONE, from, at + quotes + hashes, body, at};
            return t;
        }
        if (byte == '\\' && !raw) {
            at = escape_end(text, at, version);
        } else if (one_line && kdl_newline(text, at, version) != 0) {
            return token_bad(KDL_FAULT_STRING_NEWLINE, from, at);
        } else {
            at = ascii_run(text, at + 1, QUOTED);
        }
    }
    return token_bad(KDL_FAULT_STRING_OPEN, from, body);
}

/* Three quotes open a multi-line string; two are an empty string. */
static size_t opening_quotes(Str text, size_t at, int version)
{
    return version == 2 && has_bytes(text, at, '"', 3) ? 3 : 1;
}

static KdlToken lex_hash(Str text, size_t from)
{
    size_t hashes = count_byte(text, from, '#');
    size_t quote = from + hashes;
    if (str_peek(text, quote) == '"') {
        size_t quotes = opening_quotes(text, quote, 2);
        return lex_quoted(text, from, quote + quotes, quotes, true, hashes, 2);
    }
    size_t to = word_end(text, quote, 2);
    if (hashes != 1 || to == quote) {
        return token_bad(KDL_FAULT_HASH, from, to);
    }
    return token_of(KDL_TOKEN_KEYWORD, from, to);
}

/* Version 1's raw strings begin like a word. */
static bool starts_raw_1(Str text, size_t at)
{
    if (str_peek(text, at) != 'r') {
        return false;
    }
    size_t hashes = count_byte(text, at + 1, '#');
    return str_peek(text, at + 1 + hashes) == '"';
}

static KdlToken lex_word(Str text, size_t from, int version)
{
    if (version == 1 && starts_raw_1(text, from)) {
        size_t hashes = count_byte(text, from + 1, '#');
        return lex_quoted(text, from, from + 2 + hashes, 1, true, hashes, 1);
    }
    size_t to = word_end(text, from, version);
    if (to != from) {
        return token_of(KDL_TOKEN_WORD, from, to);
    }
    uint32_t c = 0;
    size_t len = kdl_code_point(text, from, &c);
    return token_bad(len ? KDL_FAULT_CHARACTER : KDL_FAULT_UTF8, from, from + (len ? len : 1));
}

static KdlToken lex_slash(Str text, size_t from, int version)
{
    switch (str_peek(text, from + 1)) {
    case '/':
        return lex_line_comment(text, from, version);
    case '*':
        return lex_space(text, from, version);
    case '-':
        return token_of(KDL_TOKEN_SLASHDASH, from, from + 2);
    default:
        return token_bad(KDL_FAULT_CHARACTER, from, from + 1);
    }
}

bool kdl_is_open_to_end(const KdlToken *t)
{
    return t->kind == KDL_TOKEN_BAD &&
           (t->fault == KDL_FAULT_COMMENT_OPEN || t->fault == KDL_FAULT_STRING_OPEN);
}

KdlToken kdl_token(Str text, size_t at, int version)
{
    int byte = str_peek(text, at);
    switch (byte) {
    case -1:
        return token_of(KDL_TOKEN_END, at, at);
    case '{':
        return token_of(KDL_TOKEN_OPEN_BRACE, at, at + 1);
    case '}':
        return token_of(KDL_TOKEN_CLOSE_BRACE, at, at + 1);
    case '(':
        return token_of(KDL_TOKEN_OPEN_PAREN, at, at + 1);
    case ')':
        return token_of(KDL_TOKEN_CLOSE_PAREN, at, at + 1);
    case '=':
        return token_of(KDL_TOKEN_EQUALS, at, at + 1);
    case ';':
        return token_of(KDL_TOKEN_SEMICOLON, at, at + 1);
    case '\\':
        return token_of(KDL_TOKEN_BACKSLASH, at, at + 1);
    case '/':
        return lex_slash(text, at, version);
    case ' ':
        return lex_space(text, at, version);
    case '\n':
        return token_of(KDL_TOKEN_NEWLINE, at, at + 1);
    case '"': {
        size_t quotes = opening_quotes(text, at, version);
        return lex_quoted(text, at, at + quotes, quotes, false, 0, version);
    }
    default:
        break;
    }
    if (byte == '#' && version == 2) {
        return lex_hash(text, at);
    }
    if ((ascii[(uint8_t)byte] & (WORD_1 | WORD_2)) != 0) {
        return lex_word(text, at, version);
    }
    size_t newline = kdl_newline(text, at, version);
    if (newline != 0) {
        return token_of(KDL_TOKEN_NEWLINE, at, at + newline);
    }
    if (kdl_space(text, at, version) != 0) {
        return lex_space(text, at, version);
    }
    return lex_word(text, at, version);
}

static bool is_keyword(Str word, int version)
{
    if (str_equal(word, S("true")) || str_equal(word, S("false")) || str_equal(word, S("null"))) {
        return true;
    }
    return version == 2 && (str_equal(word, S("inf")) || str_equal(word, S("-inf")) ||
                            str_equal(word, S("nan")));
}

bool kdl_looks_numeric(Str word)
{
    int first = str_peek(word, 0);
    size_t digit = first == '+' || first == '-' ? 1 : 0;
    return byte_is_digit(str_peek(word, digit));
}

bool kdl_is_identifier(Str text, int version)
{
    if (text.len == 0 || word_end(text, 0, version) != text.len || kdl_looks_numeric(text) ||
        is_keyword(text, version)) {
        return false;
    }
    if (version == 1) {
        return !starts_raw_1(text, 0);
    }
    int first = str_peek(text, 0);
    size_t dot = first == '+' || first == '-' ? 1 : 0;
    return str_peek(text, dot) != '.' || !byte_is_digit(str_peek(text, dot + 1));
}

static bool is_digit_of(int byte, unsigned base)
{
    int value = byte_hex_value(byte);
    return value >= 0 && value < (int)base;
}

/* Digits and '_' from `at`, beginning with a digit; returns where they end, or `at` for none. */
static size_t digits_end(Str word, size_t at, unsigned base)
{
    if (!is_digit_of(str_peek(word, at), base)) {
        return at;
    }
    while (is_digit_of(str_peek(word, at), base) || str_peek(word, at) == '_') {
        at++;
    }
    return at;
}

static unsigned base_of_prefix(Str word, size_t at)
{
    if (str_peek(word, at) != '0') {
        return 10;
    }
    switch (str_peek(word, at + 1)) {
    case 'x':
        return 16;
    case 'o':
        return 8;
    case 'b':
        return 2;
    default:
        return 10;
    }
}

bool kdl_number_shape(Str word, KdlNumberShape *ret)
{
    int first = str_peek(word, 0);
    size_t at = first == '+' || first == '-' ? 1 : 0;
    unsigned base = base_of_prefix(word, at);
    at += base == 10 ? 0 : 2;
    size_t end = digits_end(word, at, base);
    if (end == at) {
        return false;
    }
    KdlNumberShape shape = {first == '-', false, base, at};
    if (base == 10 && str_peek(word, end) == '.') {
        size_t fraction = end + 1;
        end = digits_end(word, fraction, 10);
        shape.is_float = true;
        if (end == fraction) {
            return false;
        }
    }
    if (base == 10 && (str_peek(word, end) == 'e' || str_peek(word, end) == 'E')) {
        int sign = str_peek(word, end + 1);
        size_t exponent = end + (sign == '+' || sign == '-' ? 2 : 1);
        end = digits_end(word, exponent, 10);
        shape.is_float = true;
        if (end == exponent) {
            return false;
        }
    }
    if (end != word.len) {
        return false;
    }
    *ret = shape;
    return true;
}
