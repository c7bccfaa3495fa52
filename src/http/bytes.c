/* bytes.c - the byte classes, computed from their grammars by the compiler.
 *
 * A table of 256 numbers cannot be reviewed, a grammar can: so the rows below spell the grammars
 * and the macros spread them over all bytes. */
#include "http/bytes.h"

#define IN(c, from, to) ((c) >= (from) && (c) <= (to))
#define ALNUM(c) (IN(c, '0', '9') || IN(c, 'a', 'z') || IN(c, 'A', 'Z'))
#define OBS_TEXT(c) ((c) >= 0x80)
#define VCHAR(c) IN(c, 0x21, 0x7e)

/* RFC 9110 §5.6.2 */
#define TOKEN(c)                                                                                   \
    (ALNUM(c) || (c) == '!' || IN(c, '#', '\'') || (c) == '*' || (c) == '+' || (c) == '-' ||       \
     (c) == '.' || (c) == '^' || (c) == '_' || (c) == '`' || (c) == '|' || (c) == '~')
/* RFC 9110 §5.5 */
#define VALUE(c) (VCHAR(c) || OBS_TEXT(c) || (c) == ' ' || (c) == '\t')
#define TARGET(c) ((VCHAR(c) && (c) != '#') || OBS_TEXT(c))
/* RFC 3986 §2.3 and §2.2 */
#define UNRESERVED(c) (ALNUM(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~')
#define SUB_DELIM(c)                                                                               \
    ((c) == '!' || (c) == '$' || IN(c, '&', ',') || (c) == ';' || (c) == '=')
#define HOST(c) (UNRESERVED(c) || SUB_DELIM(c))
#define PLAIN(c)                                                                                   \
    (TARGET(c) && (c) != '/' && (c) != '%' && (c) != '.' && (c) != '?' && (c) != ';')
#define CONTROL(c) ((c) < 0x20 || (c) == 0x7f)

#define ROW_1(c)                                                                                   \
    (uint8_t)((TOKEN(c) ? BYTE_TOKEN : 0) | (VALUE(c) ? BYTE_VALUE : 0) |                          \
              (TARGET(c) ? BYTE_TARGET : 0) | (UNRESERVED(c) ? BYTE_UNRESERVED : 0) |              \
              (HOST(c) ? BYTE_HOST : 0) | (PLAIN(c) ? BYTE_PLAIN : 0) |                            \
              (CONTROL(c) ? BYTE_CONTROL : 0))
#define ROW_4(c) ROW_1(c), ROW_1((c) + 1), ROW_1((c) + 2), ROW_1((c) + 3)
#define ROW_16(c) ROW_4(c), ROW_4((c) + 4), ROW_4((c) + 8), ROW_4((c) + 12)
#define ROW_64(c) ROW_16(c), ROW_16((c) + 16), ROW_16((c) + 32), ROW_16((c) + 48)

const uint8_t byte_classes[256] = {ROW_64(0), ROW_64(64), ROW_64(128), ROW_64(192)};
