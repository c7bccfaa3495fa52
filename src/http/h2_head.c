/* h2_head.c - from the fields of an HTTP/2 head to the neutral head, by HTTP/1's rules and more.
 *
 * The session below looks at no field. This is where a request that means one thing to River could
 * mean another to the next hop (H2.CL, H2.TE, line ends in values: RFC 9113 §8.2.1, §8.3.1,
 * §10.3). */
#include "base/number.h"
#include "http/bytes.h"
#include "http/h2.h"
#include "http/parts.h"

/* RFC 9113 §8.2.2: what belongs to one HTTP/1 connection never occurs in an HTTP/2 head; TE may
 * only say "trailers". */
static bool is_connection_field(const Field *f)
{
    switch ((int)f->id) {
    case FIELD_CONNECTION:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_UPGRADE:
    case FIELD_HTTP2_SETTINGS:
        return true;
    case FIELD_TE:
        return !str_equal_nocase(f->value, S("trailers"));
    default:
        return false;
    }
}

/* A valid field name without upper-case letters. */
static bool name_is_lower(Str name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = str_at(name, i);
        if (byte_lower(c) != c) {
            return false;
        }
    }
    return field_name_valid(name);
}

bool h2_value_valid(Str value)
{
    bool blank = value.len > 0 &&
                 (byte_is_blank(str_at(value, 0)) || byte_is_blank(str_at(value, value.len - 1)));
    return !blank && field_value_valid(value);
}

HttpFault h2_field_judge(const Field *f)
{
    if (!name_is_lower(f->name)) {
        return HTTP_FAULT_FIELD_NAME;
    }
    if (!h2_value_valid(f->value)) {
        return HTTP_FAULT_FIELD_VALUE;
    }
    return is_connection_field(f) ? HTTP_FAULT_CONNECTION_FIELD : HTTP_FAULT_NONE;
}

static HttpFault fields_judge(const Fields *fields, FieldsSeen *seen)
{
    for (size_t i = 0; i < fields->count; i++) {
        const Field *f = &fields->at[i];
        HttpFault fault = h2_field_judge(f);
        if (fault != HTTP_FAULT_NONE) {
            return fault;
        }
        uint64_t bit = UINT64_C(1) << f->id;
        if (f->id != FIELD_OTHER) {
            seen->again |= seen->once & bit;
            seen->once |= bit;
        }
    }
    return HTTP_FAULT_NONE;
}

/* Content-Length is HTTP/1's; without it, a body ends with its stream. */
static HttpFault framing_judge(const Fields *fields, const FieldsSeen *seen, bool last,
                               Framing *ret)
{
    HttpFault fault = framing_read(fields, seen, 1, ret);
    if (fault != HTTP_FAULT_NONE) {
        return fault;
    }
    if (last) {
        ret->body = BODY_NONE;
    } else {
        ret->body = ret->has_length ? BODY_LENGTH : BODY_CHUNKED;
    }
    return HTTP_FAULT_NONE;
}

/* :authority and Host name the same place (RFC 9113 §8.3.1); one of them is there. */
static HttpFault authority_judge(const H2Pseudo *pseudo, const Fields *fields,
                                 const FieldsSeen *seen, Str *ret_host)
{
    bool has_host = fields_seen(seen, FIELD_HOST);
    if (!has_host && pseudo->authority.len == 0) {
        return HTTP_FAULT_HOST_MISSING;
    }
    if (pseudo->authority.len > 0 && !authority_valid(pseudo->authority)) {
        return HTTP_FAULT_HOST_INVALID;
    }
    if (!has_host) {
        *ret_host = authority_plain(pseudo->authority);
        return HTTP_FAULT_NONE;
    }
    UriParts target = {.scheme = pseudo->scheme, .authority = pseudo->authority};
    return host_read(fields, seen, 1, &target, ret_host);
}

/* The target as HTTP/1 writes it is judged as there: origin form, or "*" for OPTIONS. */
static HttpFault target_judge(const H2Pseudo *pseudo, const HeadLimits *limits, RequestHead *ret)
{
    if (pseudo->path.len > limits->target_bytes_max) {
        return HTTP_FAULT_TARGET_TOO_LONG;
    }
    UriParts parts = {.form = TARGET_ORIGIN};
    Method method = ret->method == METHOD_CONNECT ? METHOD_GET : ret->method;
    if (uri_split(pseudo->path, method, &parts) != ERR_OK ||
        (parts.form != TARGET_ORIGIN && parts.form != TARGET_ASTERISK)) {
        return HTTP_FAULT_TARGET;
    }
    ret->target = pseudo->path;
    ret->form = parts.form;
    ret->path = parts.path;
    ret->query = parts.query;
    ret->has_query = parts.has_query;
    return HTTP_FAULT_NONE;
}

static bool scheme_known(Str scheme)
{
    return str_equal(scheme, S("http")) || str_equal(scheme, S("https"));
}

static HttpFault pseudo_judge(const H2Pseudo *pseudo, const HeadLimits *limits, RequestHead *ret)
{
    if (pseudo->status.len > 0) {
        return HTTP_FAULT_PSEUDO; /* RFC 9113 §8.3: that is of responses */
    }
    if (pseudo->method.len == 0) {
        return HTTP_FAULT_PSEUDO;
    }
    if (!field_name_valid(pseudo->method)) {
        return HTTP_FAULT_METHOD;
    }
    if (pseudo->method.len > METHOD_BYTES_MAX) {
        return HTTP_FAULT_METHOD_TOO_LONG;
    }
    ret->method_name = pseudo->method;
    ret->method = method_from(pseudo->method);
    ret->protocol = pseudo->protocol;
    bool connect = ret->method == METHOD_CONNECT;
    if (pseudo->protocol.len > 0 && (!connect || !field_name_valid(pseudo->protocol))) {
        return HTTP_FAULT_PSEUDO; /* RFC 8441 §4 */
    }
    if (connect && pseudo->protocol.len == 0) {
        ret->form = TARGET_AUTHORITY; /* RFC 9113 §8.5: no scheme, no path */
        ret->target = pseudo->authority;
        return pseudo->scheme.len || pseudo->path.len ? HTTP_FAULT_PSEUDO : HTTP_FAULT_NONE;
    }
    if (!scheme_known(pseudo->scheme) || pseudo->path.len == 0) {
        return HTTP_FAULT_PSEUDO;
    }
    ret->scheme = pseudo->scheme;
    return target_judge(pseudo, limits, ret);
}

HttpFault h2_request_head(const H2Pseudo *pseudo, const HeadLimits *limits, bool last,
                          const Fields *fields, RequestHead *ret)
{
    RequestHead request = {.major = 2, .minor = 1, .fields = *fields};
    FieldsSeen seen = {0};
    HttpFault fault = pseudo_judge(pseudo, limits, &request);
    if (fault == HTTP_FAULT_NONE) {
        fault = fields_judge(fields, &seen);
    }
    if (fault == HTTP_FAULT_NONE) {
        fault = framing_judge(fields, &seen, last, &request.framing);
    }
    if (fault == HTTP_FAULT_NONE) {
        fault = authority_judge(pseudo, fields, &seen, &request.host);
    }
    if (fault != HTTP_FAULT_NONE) {
        return fault;
    }
    if (last && request.framing.has_length && request.framing.length > 0) {
        return HTTP_FAULT_BODY_CUT;
    }
    if (fields_seen(&seen, FIELD_EXPECT)) {
        expect_read(fields, 1, &request.expects_continue, &request.expects_other);
    }
    *ret = request;
    return HTTP_FAULT_NONE;
}

HttpFault h2_response_head(const H2Pseudo *pseudo, bool last, const Fields *fields,
                           ResponseHead *ret)
{
    ResponseHead response = {.minor = 1, .fields = *fields};
    FieldsSeen seen = {0};
    uint64_t status = 0;
    if (pseudo->method.len > 0 || pseudo->scheme.len > 0 || pseudo->authority.len > 0 ||
        pseudo->path.len > 0 || pseudo->protocol.len > 0) {
        return HTTP_FAULT_PSEUDO;
    }
    if (pseudo->status.len != 3 || number_decimal(pseudo->status, 599, &status) != ERR_OK ||
        status < 100 || status == 101) { /* RFC 9113 §8.6: no 101 */
        return HTTP_FAULT_STATUS_LINE;
    }
    response.status = (uint16_t)status;
    response.reason = status_reason(response.status);
    HttpFault fault = fields_judge(fields, &seen);
    if (fault == HTTP_FAULT_NONE) {
        fault = framing_judge(fields, &seen, last, &response.framing);
    }
    if (fault != HTTP_FAULT_NONE) {
        return fault;
    }
    response.framing.keep_alive = true;
    *ret = response;
    return HTTP_FAULT_NONE;
}
