/* value.c - addresses, modes and lists as they are written in a configuration. */
#include "config/value.h"

#include "base/number.h"
#include "http/uri.h"

#define PORT_MAX 65535u
#define ADDRESS_TEXT_MAX (IP_TEXT_MAX + 8u)

bool value_is_absolute(Str path)
{
    return str_peek(path, 0) == '/' && str_find(path, 0, 0) == path.len;
}

static AddressFault read_port(Str text, SettingsAddress *ret)
{
    uint64_t port = 0;
    if (text.len == 0) {
        return ADDRESS_NO_PORT;
    }
    if (number_decimal(text, PORT_MAX, &port) != ERR_OK || port == 0) {
        return ADDRESS_PORT;
    }
    ret->port = (uint16_t)port;
    return ADDRESS_OK;
}

static AddressFault read_v6(Str text, SettingsAddress *ret)
{
    StrCut cut = str_cut(str_drop(text, 1), ']');
    if (!cut.found || ip_parse(cut.head, &ret->ip) != ERR_OK ||
        str_find(cut.head, ':', 0) == cut.head.len) {
        return ADDRESS_SYNTAX;
    }
    if (str_peek(cut.tail, 0) != ':') {
        return cut.tail.len == 0 ? ADDRESS_NO_PORT : ADDRESS_SYNTAX;
    }
    return read_port(str_drop(cut.tail, 1), ret);
}

/* What someone meant who wrote neither an address nor an absolute path. */
static AddressFault judge_address(Str text)
{
    IpAddress ip;
    StrCut cut = str_cut(text, ':');
    if (ip_parse(text, &ip) == ERR_OK) {
        return cut.found ? ADDRESS_BRACKETS : ADDRESS_NO_PORT;
    }
    if (cut.found && str_find(cut.tail, ':', 0) < cut.tail.len) {
        return ADDRESS_BRACKETS;
    }
    if (str_find(text, '/', 0) < text.len) {
        return ADDRESS_RELATIVE;
    }
    return text.len != 0 ? ADDRESS_NAME : ADDRESS_SYNTAX;
}

AddressFault value_address(Str text, SettingsAddress *ret)
{
    SettingsAddress address = {.unix_path = STR_NONE};
    AddressFault fault = ADDRESS_OK;
    StrCut cut = str_cut(text, ':');
    if (str_peek(text, 0) == '/') {
        if (text.len > UNIX_PATH_BYTES_MAX) {
            return ADDRESS_LONG;
        }
        fault = value_is_absolute(text) ? ADDRESS_OK : ADDRESS_SYNTAX;
        address.unix_path = text;
    } else if (str_peek(text, 0) == '[') {
        fault = read_v6(text, &address);
    } else if (cut.found && ip_parse(cut.head, &address.ip) == ERR_OK) {
        fault = read_port(cut.tail, &address);
    } else {
        fault = judge_address(text);
    }
    if (fault == ADDRESS_OK) {
        *ret = address;
    }
    return fault;
}

bool value_address_text(Arena *a, SettingsAddress *address)
{
    if (address->unix_path.len != 0) {
        address->text = address->unix_path;
        return true;
    }
    uint8_t room[ADDRESS_TEXT_MAX];
    Text t = text_in(span_of(room, sizeof room));
    bool brackets = address->ip.family == 6;
    text_add(&t, brackets ? S("[") : STR_NONE);
    ip_print(&t, address->ip);
    text_add(&t, brackets ? S("]:") : S(":"));
    text_u64(&t, address->port);
    CHECK(!t.overflow);
    return arena_copy(a, text_str(&t), &address->text);
}

bool value_address_equal(const SettingsAddress *a, const SettingsAddress *b)
{
    return a->port == b->port && ip_equal(a->ip, b->ip) && str_equal(a->unix_path, b->unix_path);
}

Err value_mode(Str text, uint16_t *ret)
{
    unsigned mode = 0;
    if (text.len < 3 || text.len > 4 || (text.len == 4 && str_at(text, 0) != '0')) {
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t digit = str_at(text, i);
        if (digit < '0' || digit > '7') {
            return ERR_SYNTAX;
        }
        mode = mode << 3 | (unsigned)(digit - '0');
    }
    *ret = (uint16_t)mode;
    return ERR_OK;
}

bool value_list_next(Str *rest, Str *ret_member)
{
    if (rest->len == 0) {
        return false;
    }
    StrCut cut = str_cut(*rest, ',');
    *ret_member = str_trim(cut.head);
    *rest = cut.tail;
    if (cut.found && cut.tail.len == 0) {
        *rest = S(" "); /* "a," ends with an empty member */
    }
    return true;
}

bool value_is_host(Str text)
{
    Authority a;
    bool brackets = str_peek(text, 0) == '[';
    return authority_split(text, &a) == ERR_OK && a.host.len + (brackets ? 2 : 0) == text.len;
}

Str value_host_name(Str text, bool *ret_below)
{
    Authority a = {0};
    *ret_below = str_starts(text, S("*."));
    text = *ret_below ? str_drop(text, 2) : text;
    Str name = authority_split(text, &a) == ERR_OK ? a.host : text;
    bool dot = name.len > 1 && str_at(name, name.len - 1) == '.';
    return dot ? str_take(name, name.len - 1) : name;
}

bool value_is_uri(Str text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (c <= ' ' || c >= 0x7f || str_find(S("\\\"<>^`{|}"), c, 0) < 9) {
            return false;
        }
    }
    return text.len > 0;
}

bool value_is_uri_path(Str text)
{
    UriParts parts;
    return value_is_uri(text) && uri_split(text, METHOD_GET, &parts) == ERR_OK &&
           parts.form == TARGET_ORIGIN && !parts.has_query;
}
