/* redirect.c - puts a Location together (RFC 9110 §10.2.2, §15.4).
 *
 * Where neither scheme, host nor port change, it is a path: a proxy in front of River may have
 * changed those. What the client sent is written so that no reader takes it for something else: the
 * path begins with exactly one slash and holds no backslash, so it never names another host. */
#include "filter/redirect.h"

#include "http/bytes.h"
#include "http/uri.h"
#include "proxy/filter_call.h"

#define AUTHORITY_BYTES_MORE 24u /* scheme, "://", ":" and a port */

/* --- parts ----------------------------------------------------------------------------------- */

/* Bytes that have a meaning of their own to some readers of URIs, though none in the standard. */
static bool is_plain(uint8_t c)
{
    return byte_is(c, BYTE_TARGET) && c < 0x80 && str_find(S("\\\"<>^`{|}"), c, 0) == 9;
}

static void add_escaped(Text *out, Str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (is_plain(s.at[i])) {
            text_byte(out, s.at[i]);
        } else {
            static const Str digits = S_INIT("0123456789ABCDEF");
            text_byte(out, '%');
            text_byte(out, str_at(digits, s.at[i] >> 4));
            text_byte(out, str_at(digits, s.at[i] & 15));
        }
    }
}

/* The path after its first slash, without more slashes in front. */
static void add_path(Text *out, Str first, Str second)
{
    text_byte(out, '/');
    bool begun = false;
    const Str parts[] = {first, second};
    for (size_t i = 0; i < 2; i++) {
        size_t from = 0;
        while (!begun && str_peek(parts[i], from) == '/') {
            from++;
        }
        begun = begun || from < parts[i].len;
        add_escaped(out, str_drop(parts[i], from));
    }
}

static void add_target(Text *out, const Redirect *s, const RequestHead *r)
{
    switch (s->path_rule) {
    case REDIRECT_PATH_KEPT:
        add_path(out, r->path, STR_NONE);
        break;
    case REDIRECT_PATH_REPLACED:
        add_path(out, s->path, STR_NONE);
        break;
    case REDIRECT_PREFIX_REPLACED:
        add_path(out, s->path, str_drop(r->path, s->prefix_bytes));
        break;
    }
    if (s->query && r->has_query) {
        text_byte(out, '?');
        add_escaped(out, r->query);
    }
}

/* ERR_SYNTAX: the request names no host, and neither does the rule. */
static Err add_authority(Text *out, const Redirect *s, const FilterCall *call)
{
    Authority theirs = {0};
    if (authority_split(call_request(call)->host, &theirs) != ERR_OK && s->host.len == 0) {
        return ERR_SYNTAX;
    }
    bool brackets = s->host.len == 0 && str_find(theirs.host, ':', 0) < theirs.host.len;
    uint16_t port = s->port ? s->port : s->scheme.len ? 0 : theirs.port;
    text_add(out, s->scheme.len ? s->scheme : call_scheme(call));
    text_add(out, S("://"));
    text_add(out, brackets ? S("[") : STR_NONE);
    text_add(out, s->host.len ? s->host : theirs.host);
    text_add(out, brackets ? S("]") : STR_NONE);
    if (port) {
        text_byte(out, ':');
        text_u64(out, port);
    }
    return ERR_OK;
}

/* --- the handler ----------------------------------------------------------------------------- */

static size_t room_for(const Redirect *s, const RequestHead *r)
{
    return AUTHORITY_BYTES_MORE + s->host.len + r->host.len + s->path.len +
           3 * (r->path.len + r->query.len) + 2;
}

static Verdict redirect_request(FilterCall *call)
{
    const Redirect *s = (const Redirect *)call_state(call);
    const RequestHead *r = call_request(call);
    Answer *answer = call_answer(call);
    Span room;
    answer->status = s->status;
    if (s->to.len) {
        answer->location = s->to;
        return ANSWERED;
    }
    if (!arena_span(call_arena(call), room_for(s, r), &room)) {
        return REFUSE(FAULT_MEMORY);
    }
    Text to = text_in(room);
    bool moved = s->scheme.len || s->host.len || s->port;
    if (moved && add_authority(&to, s, call) != ERR_OK) {
        return REFUSE(fault_of_request(HTTP_FAULT_HOST_MISSING));
    }
    add_target(&to, s, r);
    if (to.overflow) {
        return REFUSE(FAULT_MEMORY);
    }
    answer->location = text_str(&to);
    return ANSWERED;
}

const FilterKind filter_redirect = {
    .schema = {.name = S_INIT("redirect")},
    .request = redirect_request,
};
