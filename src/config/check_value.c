/* check_value.c - one value against its type: kind, range, words, and the form of its text. */
#include "config/check.h"

#include "base/number.h"
#include "config/nearest.h"
#include "config/value.h"
#include "http/field.h"
#include "http/pattern.h"
#include "http/uri.h"
#include "net/tls.h"

#define HELP_BYTES_MAX 512u

/* What a help line is put together in. */
typedef struct Help {
    uint8_t room[HELP_BYTES_MAX];
    Text text;
} Help;

static void help_begin(Help *h)
{
    h->text = text_in(span_of(h->room, sizeof h->room));
}

static Str kind_name(const KdlValue *value)
{
    static const Str names[] = {
        [KDL_STRING] = S_INIT("a string"), [KDL_INTEGER] = S_INIT("an integer"),
        [KDL_FLOAT] = S_INIT("a number with a fraction or exponent"),
        [KDL_BOOL] = S_INIT("true or false"), [KDL_NULL] = S_INIT("null")};
    return names[value->kind];
}

/* A value for a message: how it is written, if it may hold a secret. */
static Str shown_value(const Checker *c, Str text)
{
    return str_take(c->veil.len > 0 ? c->veil : text, 80);
}

Str value_as_text(const KdlValue *value)
{
    if (value->kind == KDL_BOOL) {
        return value->truth ? S("true") : S("false");
    }
    return value->text;
}

static void report_kind(Checker *c, const SchemaItem *item, Str subject, const KdlValue *value,
                        Where where)
{
    Str takes = schema_type_takes(item->type);
    Str help = STR_NONE;
    if (where.origin.len != 0) { /* an override: it has no quotes to speak of */
        Str text = shown_value(c, value_as_text(value));
        check_report(c, SEVERITY_ERROR, where, help, "`%.*s` takes %.*s, not `%.*s`",
                     STR_ARG(subject), STR_ARG(takes), STR_ARG(text));
        return;
    }
    if (value->kind == KDL_STRING) {
        help = S("write it without quotes");
    } else if (item->type != SCHEMA_BOOL && item->type != SCHEMA_INTEGER) {
        help = S("put it in quotes");
    }
    Str kind = kind_name(value);
    check_report(c, SEVERITY_ERROR, where, help, "`%.*s` takes %.*s, not %.*s", STR_ARG(subject),
                 STR_ARG(takes), STR_ARG(kind));
}

static void check_integer(Checker *c, const SchemaItem *item, Str subject, const KdlValue *value,
                          Where where)
{
    if (value->fits && value->number >= item->min && value->number <= item->max) {
        return;
    }
    check_report(c, SEVERITY_ERROR, where, STR_NONE,
                 "`%.*s` must be between %llu and %llu, not %.*s", STR_ARG(subject),
                 (unsigned long long)item->min, (unsigned long long)item->max,
                 STR_ARG(shown_value(c, value->text)));
}

static void offer_choices(Nearest *near, Text *list, Str choices)
{
    Str word;
    while (schema_next_choice(&choices, &word)) {
        nearest_offer(near, word);
        text_add(list, list->len != 0 ? S(", ") : STR_NONE);
        text_add(list, word);
    }
}

static void check_choice(Checker *c, const SchemaItem *item, Str subject, const KdlValue *value,
                         Where where)
{
    if (schema_has_choice(item->choices, value->text) ||
        schema_has_choice(item->later_choices, value->text)) {
        return;
    }
    Help list;
    Help help;
    help_begin(&list);
    help_begin(&help);
    Nearest near = nearest_to(value->text);
    offer_choices(&near, &list.text, item->choices);
    offer_choices(&near, &list.text, item->later_choices);
    if (near.found.len != 0) {
        text_format(&help.text, "did you mean `%.*s`?", STR_ARG(near.found));
    } else {
        text_format(&help.text, "one of: %.*s", STR_ARG(text_str(&list.text)));
    }
    check_report(c, SEVERITY_ERROR, where, text_str(&help.text), "`%.*s` has no value `%.*s`",
                 STR_ARG(subject), STR_ARG(shown_value(c, value->text)));
}

/* A name of which the TLS library says whether it is known. */
static void check_known(Checker *c, TlsList list, Str subject, Str text, Where where)
{
    Help names;
    Help help;
    Nearest near = nearest_to(text);
    Str row = tls_known(list);
    Str word;
    for (Str rest = row; schema_next_choice(&rest, &word);) {
        if (str_equal_nocase(word, text)) {
            return;
        }
    }
    help_begin(&names);
    help_begin(&help);
    offer_choices(&near, &names.text, row);
    if (near.found.len != 0) {
        text_format(&help.text, "did you mean `%.*s`? ", STR_ARG(near.found));
    }
    text_format(&help.text, "known: %.*s", STR_ARG(text_str(&names.text)));
    check_report(c, SEVERITY_ERROR, where, text_str(&help.text), "`%.*s` has no `%.*s`",
                 STR_ARG(subject), STR_ARG(shown_value(c, text)));
}

/* What people write instead of an address, and what River takes; NULL: nothing that is known. */
static const char *advise_address(Str text, Text *help)
{
    bool https = str_starts_nocase(text, S("https://"));
    uint64_t port = 0;
    if (https || str_starts_nocase(text, S("http://"))) {
        StrCut cut = str_cut(str_drop(text, https ? 8 : 7), '/');
        SettingsAddress address;
        bool whole = value_address(cut.head, &address) == ADDRESS_OK;
        text_add(help, S("write \""));
        text_add(help, whole ? cut.head : https ? S("IP:443") : S("IP:80"));
        text_add(help, https ? S("\" tls-sni=\"NAME\" in connectors: River speaks TLS to it")
                             : S("\""));
        return "an address has no scheme and no path";
    }
    Str digits = text;
    digits = str_starts(digits, S("*:")) ? str_drop(digits, 2) : digits;
    digits = str_starts(digits, S(":")) ? str_drop(digits, 1) : digits;
    if (number_decimal(digits, 65535, &port) == ERR_OK && port > 0) {
        text_format(help, "write \"[::]:%u\" to listen at all addresses of this machine, or "
                          "\"127.0.0.1:%u\" for this machine alone",
                    (unsigned)port, (unsigned)port);
        return "a port alone is no address";
    }
    if (str_starts_nocase(text, S("localhost:"))) {
        text_format(help, "write \"127.0.0.1:%.*s\" or \"[::1]:%.*s\"",
                    STR_ARG(str_take(str_drop(text, 10), 5)),
                    STR_ARG(str_take(str_drop(text, 10), 5)));
        return "this is a host name, not an address";
    }
    if (str_starts(text, S("@"))) {
        text_add(help, S("write the absolute path of a Unix socket, like \"/run/app.sock\""));
        return "River does not know abstract sockets";
    }
    return NULL;
}

static void check_address(Checker *c, Str text, Where where)
{
    static const struct {
        const char *wrong;
        Str right;
    } faults[] = {
        [ADDRESS_OK] = {"", S_INIT("")},
        [ADDRESS_NAME] = {"this is a host name, not an address",
                          S_INIT("write \"IP:PORT\" here, like \"127.0.0.1:8080\"; connectors look "
                                 "names up with `dns \"HOST\" port=N`")},
        [ADDRESS_NO_PORT] = {"the port is missing", S_INIT("write \"127.0.0.1:8080\" or "
                                                           "\"[::1]:8080\"")},
        [ADDRESS_PORT] = {"the port must be between 1 and 65535", S_INIT("")},
        [ADDRESS_BRACKETS] = {"an IPv6 address needs brackets", S_INIT("write \"[::1]:8080\"")},
        [ADDRESS_RELATIVE] = {"the path of a Unix socket must be absolute",
                              S_INIT("begin it with /")},
        [ADDRESS_LONG] = {"the path of a Unix socket has at most 107 bytes", S_INIT("")},
        [ADDRESS_SYNTAX] = {"this is not an address",
                            S_INIT("write \"IP:PORT\", \"[IPV6]:PORT\" or the absolute path of a "
                                   "Unix socket")},
    };
    SettingsAddress address;
    AddressFault fault = value_address(text, &address);
    Help help;
    help_begin(&help);
    const char *wrong = fault != ADDRESS_OK ? advise_address(text, &help.text) : NULL;
    if (wrong) {
        check_report(c, SEVERITY_ERROR, where, text_str(&help.text), "%s", wrong);
    } else if (fault != ADDRESS_OK) {
        check_report(c, SEVERITY_ERROR, where, faults[fault].right, "%s", faults[fault].wrong);
    }
}

static void check_cidrs(Checker *c, Str text, Where where)
{
    Str rest = text;
    Str member;
    size_t count = 0;
    for (; value_list_next(&rest, &member); count++) {
        IpPrefix prefix;
        Err err = ip_prefix_parse(member, &prefix);
        Help help;
        help_begin(&help);
        if (err == ERR_LIMIT && c->veil.len == 0) {
            text_add(&help.text, S("did you mean `"));
            ip_prefix_print(&help.text, &prefix);
            text_add(&help.text, S("`?"));
        }
        if (err != ERR_OK) {
            check_report(c, SEVERITY_ERROR, where, text_str(&help.text), "`%.*s` %s",
                         STR_ARG(shown_value(c, member)),
                         err == ERR_LIMIT   ? "has bits set beyond its prefix"
                         : err == ERR_RANGE ? "has too long a prefix"
                                            : "is neither an address nor a prefix");
        }
    }
    if (count == 0) {
        check_report(c, SEVERITY_ERROR, where, STR_NONE, "this list is empty");
    }
}

static void check_field_name(Checker *c, const SchemaItem *item, Str text, Where where)
{
    if (!field_name_valid(text)) {
        check_report(c, SEVERITY_ERROR, where, S("letters, digits and - are safe"),
                     "this is not the name of a header field");
        return;
    }
    unsigned flags = field_flags(field_id(text));
    if (item->type == SCHEMA_FILTER_FIELD && (flags & (FIELD_HOP | FIELD_FRAMING)) != 0) {
        check_report(c, SEVERITY_ERROR, where,
                     S("such fields belong to one connection or to the framing; River writes them"),
                     "`%.*s` is out of reach", STR_ARG(text));
    }
    if (item->type == SCHEMA_FILTER_FIELD && field_id(text) == FIELD_HOST) { /* exactly one */
        check_report(c, SEVERITY_ERROR, where,
                     S("what origins see as Host is the service's `host`"),
                     "`%.*s` is out of reach", STR_ARG(text));
    }
}

/* Whether it is a method that River knows but for its case. */
static bool is_known_nocase(Str method)
{
    static const Str names[] = {
#define X(name, safe, idempotent) S_INIT(#name),
        METHOD_TABLE(X)
#undef X
    };
    for (size_t i = 0; i < SCHEMA_COUNT(names); i++) {
        if (str_equal_nocase(method, names[i])) {
            return true;
        }
    }
    return false;
}

static void check_methods(Checker *c, Str text, Where where)
{
    Str rest = text;
    Str member;
    size_t count = 0;
    for (; value_list_next(&rest, &member); count++) {
        if (!field_name_valid(member)) {
            check_report(c, SEVERITY_ERROR, where, S("write \"GET,POST\""),
                         "this is not a list of methods");
            return;
        }
        if (method_from(member) == METHOD_OTHER && is_known_nocase(member)) {
            check_report(c, SEVERITY_ERROR, where, S("write it in capitals"),
                         "methods are case-sensitive: no client sends `%.*s`",
                         STR_ARG(shown_value(c, member)));
        }
    }
    if (count == 0) {
        check_report(c, SEVERITY_ERROR, where, STR_NONE, "this list is empty");
    }
}

/* "word", or an absolute path. */
static void check_place(Checker *c, const SchemaItem *item, Str subject, Str text, Where where)
{
    bool access = item->type == SCHEMA_ACCESS_PLACE;
    bool word = str_equal(text, S("stderr")) ||
                (access && (str_equal(text, S("stdout")) || str_equal(text, S("off"))));
    if (!word && !value_is_absolute(text)) {
        Str takes = schema_type_takes(item->type);
        check_report(c, SEVERITY_ERROR, where, STR_NONE, "`%.*s` takes %.*s", STR_ARG(subject),
                     STR_ARG(takes));
    }
}

/* Types whose text has one form and needs no more than one sentence. */
static void check_form(Checker *c, const SchemaItem *item, Str subject, Str text, Where where)
{
    uint16_t mode = 0;
    bool good = true;
    Str help = STR_NONE;
    switch ((int)item->type) {
    case SCHEMA_NAME:
    case SCHEMA_FILE:
    case SCHEMA_CIDRS_FILE:
        good = text.len != 0 && str_find(text, 0, 0) == text.len;
        if (good && item->type != SCHEMA_NAME && c->path_count < CHECK_PATHS_MAX) {
            c->paths[c->path_count++] = (NamedPath){.path = text, .place = where.location};
        }
        break;
    case SCHEMA_PATH:
        good = value_is_absolute(text);
        help = S("begin it with /");
        break;
    case SCHEMA_FIELD_VALUE:
        good = field_value_valid(text);
        help = S("control characters and line ends are not allowed");
        break;
    case SCHEMA_AUTHORITY:
        good = authority_valid(text) && str_peek(text, text.len - 1) != ':';
        break;
    case SCHEMA_HOST:
        good = value_is_host(text);
        help = S("like \"www.example.com\" or \"[::1]\"");
        break;
    case SCHEMA_HOSTS_PATTERN:
        good = value_is_host(str_starts(text, S("*.")) ? str_drop(text, 2) : text) &&
               str_find(text, '*', 1) == text.len && !str_equal(text, S("*"));
        help = S("like \"www.example.com\" or \"*.example.com\"; a service without `hosts` takes "
                 "all others");
        break;
    case SCHEMA_URI:
        good = value_is_uri(text);
        break;
    case SCHEMA_URI_PATH:
        good = value_is_uri_path(text);
        help = S("without a query, and other bytes than visible ASCII as %XX");
        break;
    case SCHEMA_MODE:
        good = value_mode(text, &mode) == ERR_OK;
        break;
    case SCHEMA_TOKEN:
        good = field_name_valid(text);
        break;
    default:
        break;
    }
    if (!good) {
        Str takes = schema_type_takes(item->type);
        check_report(c, SEVERITY_ERROR, where, help, "`%.*s` takes %.*s", STR_ARG(subject),
                     STR_ARG(takes));
    }
}

static KdlKind kind_of_type(SchemaType type)
{
    return type == SCHEMA_BOOL ? KDL_BOOL : type == SCHEMA_INTEGER ? KDL_INTEGER : KDL_STRING;
}

static bool is_later(const SchemaItem *item, const KdlValue *value)
{
    Str text = value_as_text(value);
    if (item->flags & SCHEMA_LATER) {
        return item->later_except.len == 0 || !str_equal_nocase(text, item->later_except);
    }
    return item->type == SCHEMA_CHOICE && schema_has_choice(item->later_choices, text);
}

static void report_later(Checker *c, const SchemaItem *item, Str subject, const KdlValue *value,
                         Where where)
{
    if (c->later || !is_later(item, value)) {
        return;
    }
    Str what = item->type == SCHEMA_CHOICE ? value->text : subject;
    check_report(c, SEVERITY_ERROR, where, STR_NONE, "`%.*s` is not supported yet", STR_ARG(what));
    c->later = true;
}

/* The place is within the value where that is written as it is meant: between its two quotes, maybe
 * after the r of a raw string. Else it is the whole value. */
static void check_pattern(Checker *c, const SchemaItem *item, Str subject, Str text, Where where)
{
    PatternMistake m;
    if (text.len == 0) {
        check_report(c, SEVERITY_ERROR, where, STR_NONE, "`%.*s` takes %.*s", STR_ARG(subject),
                     STR_ARG(schema_type_takes(item->type)));
        return;
    }
    Pattern *pattern = pattern_open(text, 0, &m);
    if (!pattern) {
        Location at = where.location;
        if (at.len == text.len + 2 || at.len == text.len + 3) {
            at.from += at.len - 1 - (uint32_t)(text.len - m.from);
            at.len = m.to > m.from ? (uint32_t)(m.to - m.from) : 1;
            where.location = at;
        }
        Str sentence = pattern_sentence(&m);
        check_report(c, SEVERITY_ERROR, where, STR_NONE, "not a regular expression: %.*s",
                     STR_ARG(sentence));
    }
    pattern_close(pattern);
}

void check_value(Checker *c, const SchemaItem *item, Str subject, const KdlValue *value,
                 Where where)
{
    if (value->kind != kind_of_type(item->type)) {
        report_kind(c, item, subject, value, where);
        return;
    }
    Str text = value->text;
    switch (item->type) {
    case SCHEMA_BOOL:
        break;
    case SCHEMA_INTEGER:
        check_integer(c, item, subject, value, where);
        break;
    case SCHEMA_CHOICE:
        check_choice(c, item, subject, value, where);
        break;
    case SCHEMA_ADDRESS:
        check_address(c, text, where);
        break;
    case SCHEMA_CIDRS:
        check_cidrs(c, text, where);
        break;
    case SCHEMA_FIELD_NAME:
    case SCHEMA_FILTER_FIELD:
        check_field_name(c, item, text, where);
        break;
    case SCHEMA_PATTERN:
        check_pattern(c, item, subject, text, where);
        break;
    case SCHEMA_METHODS:
        check_methods(c, text, where);
        break;
    case SCHEMA_ACCESS_PLACE:
    case SCHEMA_ERROR_PLACE:
        check_place(c, item, subject, text, where);
        break;
    case SCHEMA_TLS_VERSION:
        check_known(c, TLS_LIST_VERSIONS, subject, text, where);
        break;
    case SCHEMA_TLS_SUITE:
        check_known(c, TLS_LIST_SUITES, subject, text, where);
        break;
    case SCHEMA_TLS_GROUP:
        check_known(c, TLS_LIST_GROUPS, subject, text, where);
        break;
    case SCHEMA_TEXT:
    case SCHEMA_NAME:
    case SCHEMA_PATH:
    case SCHEMA_FILE:
    case SCHEMA_CIDRS_FILE:
    case SCHEMA_FIELD_VALUE:
    case SCHEMA_AUTHORITY:
    case SCHEMA_HOST:
    case SCHEMA_HOSTS_PATTERN:
    case SCHEMA_URI:
    case SCHEMA_URI_PATH:
    case SCHEMA_MODE:
    case SCHEMA_TOKEN:
        check_form(c, item, subject, text, where);
        break;
    }
    report_later(c, item, subject, value, where);
}
