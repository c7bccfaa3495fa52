/* value.h - values of options, from text to what they mean (leaves, without diagnostics). */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "base/arena.h"
#include "config/settings.h"

#define UNIX_PATH_BYTES_MAX 107u /* sockaddr_un, without the NUL */

typedef enum AddressFault {
    ADDRESS_OK,
    ADDRESS_NAME,     /* a host name where an address should be */
    ADDRESS_NO_PORT,
    ADDRESS_PORT,     /* not 1..65535 */
    ADDRESS_BRACKETS, /* IPv6 without its brackets */
    ADDRESS_RELATIVE, /* a path that is not absolute */
    ADDRESS_LONG,     /* a path that is too long for a socket */
    ADDRESS_SYNTAX
} AddressFault;

/* "IP:PORT", "[IPV6]:PORT" or an absolute path. *ret gets all but its canonical `text`. */
AddressFault value_address(Str text, SettingsAddress *ret);
/* Fills in `text`; false when the arena is full. */
MUST_USE bool value_address_text(Arena *a, SettingsAddress *address);
bool value_address_equal(const SettingsAddress *a, const SettingsAddress *b);

/* "0660": three or four octal digits. ERR_SYNTAX otherwise. */
MUST_USE Err value_mode(Str text, uint16_t *ret);

/* Cuts the next member off a comma-separated list, blanks trimmed; false at the end. Empty members
 * are returned as they are (a mistake). The list "" has none. */
bool value_list_next(Str *rest, Str *ret_member);

/* Whether it is a host without a port: a name, IPv4, or IPv6 in brackets. */
bool value_is_host(Str text);
/* The name in "NAME", "NAME." or "*.NAME", without brackets; *ret_below: the last. */
Str value_host_name(Str text, bool *ret_below);
/* Whether it is fit for a Location: visible ASCII, nothing that a URI must escape. */
bool value_is_uri(Str text);
/* The same, and an absolute path without query. */
bool value_is_uri_path(Str text);

/* Whether `path` begins with a slash and holds no NUL. */
bool value_is_absolute(Str path);

#endif
