/* tls_hello.c - from the bytes of a ClientHello to the name in it. */
#include "net/tls_hello.h"

#include "base/text.h"

#define RECORD_HEAD_BYTES 5u
#define MESSAGE_HEAD_BYTES 4u
#define VERSION_AND_RANDOM_BYTES 34u
#define LABEL_BYTES_MAX 63u

enum { RECORD_HANDSHAKE = 22, CLIENT_HELLO = 1, EXTENSION_SERVER_NAME = 0, NAME_HOST = 0 };

/* What is left of a structure; it is empty once something did not fit. */
static uint32_t take_number(Str *rest, unsigned bytes)
{
    uint32_t number = 0;
    if (rest->len < bytes) {
        *rest = STR_NONE;
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++) {
        number = number << 8 | str_at(*rest, i);
    }
    *rest = str_drop(*rest, bytes);
    return number;
}

/* A vector with its length before it. */
static Str take_vector(Str *rest, unsigned length_bytes)
{
    uint32_t len = take_number(rest, length_bytes);
    if (len > rest->len) {
        *rest = STR_NONE;
        return STR_NONE;
    }
    Str vector = str_take(*rest, len);
    *rest = str_drop(*rest, len);
    return vector;
}

Str tls_hello_name(Str bytes)
{
    if (str_peek(bytes, 0) != RECORD_HANDSHAKE || bytes.len < RECORD_HEAD_BYTES) {
        return STR_NONE;
    }
    Str rest = str_drop(bytes, RECORD_HEAD_BYTES - 2);
    Str record = take_vector(&rest, 2);
    if (str_peek(record, 0) != CLIENT_HELLO) {
        return STR_NONE;
    }
    record = str_drop(record, 1);
    Str hello = take_vector(&record, MESSAGE_HEAD_BYTES - 1);
    hello = str_drop(hello, VERSION_AND_RANDOM_BYTES);
    (void)take_vector(&hello, 1); /* session id */
    (void)take_vector(&hello, 2); /* cipher suites */
    (void)take_vector(&hello, 1); /* compression */
    Str extensions = take_vector(&hello, 2);
    while (extensions.len > 0) {
        uint32_t type = take_number(&extensions, 2);
        Str data = take_vector(&extensions, 2);
        if (type == EXTENSION_SERVER_NAME && data.len > 0) {
            Str list = take_vector(&data, 2);
            return take_number(&list, 1) == NAME_HOST ? take_vector(&list, 2) : STR_NONE;
        }
    }
    return STR_NONE;
}

bool tls_hello_is_dns(Str name)
{
    size_t label = 0;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = str_at(name, i);
        uint8_t lower = byte_lower(c);
        bool plain = (lower >= 'a' && lower <= 'z') || byte_is_digit(c) || c == '-' || c == '_';
        if ((c == '.' && label == 0) || (c != '.' && !plain)) {
            return false;
        }
        label = c == '.' ? 0 : label + 1;
        if (label > LABEL_BYTES_MAX) {
            return false;
        }
    }
    return name.len > 0 && name.len < 254;
}
