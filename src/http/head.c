/* head.c - heads of requests and responses: where they end, their first line, and the whole.
 *
 * The first line is read here, the fields in lines.c, what they mean in framing.c. Nothing is
 * repaired: a head that is returned without fault has one meaning for every reader. */
#include "http/bytes.h"
#include "http/parts.h"

#define VERSION_BYTES 8 /* "HTTP/1.1" */

Err head_find_end(Str bytes, size_t *scanned, size_t *ret_end)
{
    size_t from = *scanned;
    for (;;) {
        size_t lf = str_find(bytes, '\n', from);
        if (lf >= bytes.len) {
            *scanned = bytes.len;
            return ERR_INCOMPLETE;
        }
        if (lf == 0 || str_at(bytes, lf - 1) != '\r') {
            return ERR_SYNTAX;
        }
        /* The line is empty when its CR is first, or after the line end before it. */
        if (lf == 1 || str_at(bytes, lf - 2) == '\n') {
            *scanned = lf + 1;
            *ret_end = lf + 1;
            return ERR_OK;
        }
        from = lf + 1;
        *scanned = from;
    }
}

size_t head_skip_empty(Str bytes)
{
    return str_peek(bytes, 0) == '\r' && str_peek(bytes, 1) == '\n' ? 2 : 0;
}

/* Reads the version at `from` (RFC 9112 §2.3). HTTP/0.9 has none, HTTP/2 has no such line. */
static HttpFault version_read(Str head, size_t from, uint8_t *ret_minor)
{
    if (str_stands(head, from, S("HTTP/1.1"))) {
        *ret_minor = 1;
    } else if (str_stands(head, from, S("HTTP/1.0"))) {
        *ret_minor = 0;
    } else {
        size_t odd = scan_class(head, from, BYTE_TARGET);
        odd = odd < from + VERSION_BYTES ? odd : from + VERSION_BYTES;
        return byte_fault(head, odd, HTTP_FAULT_VERSION, HTTP_FAULT_VERSION);
    }
    return HTTP_FAULT_NONE;
}

/* Why the target at `from` cannot be one: the first byte that may not be in it decides. */
COLD static HttpFault target_fault(Str head, size_t from, HttpFault fallback)
{
    size_t i = scan_class(head, from, BYTE_TARGET);
    if (i == from && str_peek(head, i) == ' ') {
        return HTTP_FAULT_REQUEST_LINE; /* two spaces */
    }
    return byte_fault(head, i, HTTP_FAULT_REQUEST_LINE, fallback);
}

HttpFault request_line_read(Str head, size_t target_bytes_max, RequestHead *ret,
                            UriParts *ret_parts, size_t *ret_next)
{
    size_t method_end = scan_class(head, 0, BYTE_TOKEN);
    if (UNLIKELY(method_end == 0 || method_end >= head.len || str_at(head, method_end) != ' ')) {
        return byte_fault(head, method_end, HTTP_FAULT_REQUEST_LINE, HTTP_FAULT_METHOD);
    }
    if (UNLIKELY(method_end > METHOD_BYTES_MAX)) {
        return HTTP_FAULT_METHOD_TOO_LONG;
    }
    /*@ split method_end; */
    size_t target_at = method_end + 1;
    size_t target_end = str_find(head, ' ', target_at);
    Str target = str_slice(head, target_at, target_end);
    if (UNLIKELY(target.len > target_bytes_max)) {
        return target_fault(head, target_at, HTTP_FAULT_TARGET_TOO_LONG);
    }
    ret->method_name = str_take(head, method_end);
    ret->method = method_from(ret->method_name);
    ret->target = target;
    if (UNLIKELY(uri_split(target, ret->method, ret_parts) != ERR_OK)) {
        return target_fault(head, target_at, HTTP_FAULT_TARGET);
    }
    size_t version_at = target_end + 1;
    HttpFault fault = version_read(head, version_at, &ret->minor);
    if (UNLIKELY(fault != HTTP_FAULT_NONE)) {
        return fault;
    }
    size_t end = version_at + VERSION_BYTES;
    if (UNLIKELY(str_peek(head, end) != '\r' || str_peek(head, end + 1) != '\n')) {
        HttpFault other = str_peek(head, end) == ' ' ? HTTP_FAULT_REQUEST_LINE : HTTP_FAULT_VERSION;
        return byte_fault(head, end, HTTP_FAULT_REQUEST_LINE, other);
    }
    *ret_next = end + 2;
    return HTTP_FAULT_NONE;
}

HttpFault request_line_begin(Str bytes, size_t target_bytes_max)
{
    size_t line_end = str_find(bytes, '\n', 0);
    /*@ split line_end; */
    if (line_end < bytes.len) {
        RequestHead request;
        UriParts parts;
        size_t next = 0;
        return request_line_read(str_take(bytes, line_end + 1), target_bytes_max, &request, &parts,
                                 &next);
    }
    size_t method_end = scan_class(bytes, 0, BYTE_TOKEN);
    if (method_end > METHOD_BYTES_MAX) {
        return HTTP_FAULT_METHOD_TOO_LONG;
    }
    bool open = method_end == bytes.len || (bytes.len == 1 && str_at(bytes, 0) == '\r');
    if (open || (method_end > 0 && str_at(bytes, method_end) == ' ')) {
        return HTTP_FAULT_NONE;
    }
    return byte_fault(bytes, method_end, HTTP_FAULT_REQUEST_LINE, HTTP_FAULT_METHOD);
}

HttpFault status_line_read(Str head, ResponseHead *ret, size_t *ret_next)
{
    HttpFault fault = version_read(head, 0, &ret->minor);
    if (UNLIKELY(fault != HTTP_FAULT_NONE)) {
        return fault;
    }
    size_t i = VERSION_BYTES;
    if (UNLIKELY(str_peek(head, i) != ' ')) {
        return byte_fault(head, i, HTTP_FAULT_STATUS_LINE, HTTP_FAULT_STATUS_LINE);
    }
    unsigned status = 0;
    for (i = VERSION_BYTES + 1; i < VERSION_BYTES + 4; i++) {
        int c = str_peek(head, i);
        if (UNLIKELY(!byte_is_digit(c))) {
            return byte_fault(head, i, HTTP_FAULT_STATUS_LINE, HTTP_FAULT_STATUS_LINE);
        }
        status = status * 10 + (unsigned)(c - '0');
    }
    if (UNLIKELY(status < 100 || status > 599)) {
        return HTTP_FAULT_STATUS_LINE;
    }
    /* RFC 9112 §4 wants a space even before an empty reason. Some origins leave it out, and no
     * two readers can disagree about that. */
    size_t reason_at = i;
    if (str_peek(head, i) == ' ') {
        reason_at = i + 1;
    } else if (UNLIKELY(str_peek(head, i) != '\r')) {
        return byte_fault(head, i, HTTP_FAULT_STATUS_LINE, HTTP_FAULT_STATUS_LINE);
    }
    size_t end = scan_value(head, reason_at);
    if (UNLIKELY(str_peek(head, end) != '\r' || str_peek(head, end + 1) != '\n')) {
        return byte_fault(head, end, HTTP_FAULT_STATUS_LINE, HTTP_FAULT_STATUS_LINE);
    }
    ret->status = (uint16_t)status;
    ret->reason = str_slice(head, reason_at, end);
    *ret_next = end + 2;
    return HTTP_FAULT_NONE;
}

HttpFault head_parse_request(Str head, const HeadLimits *limits, Fields fields, RequestHead *ret)
{
    if (UNLIKELY(head.len > limits->head_bytes_max)) {
        return HTTP_FAULT_HEAD_TOO_LARGE;
    }
    RequestHead request = {.fields = fields};
    UriParts parts = {.form = TARGET_ORIGIN};
    FieldsSeen seen = {0};
    size_t next = 0;
    HttpFault fault = request_line_read(head, limits->target_bytes_max, &request, &parts, &next);
    if (UNLIKELY(fault != HTTP_FAULT_NONE)) {
        return fault;
    }
    fault = field_lines_read(head, next, limits->fields_max, &request.fields, &seen);
    if (UNLIKELY(fault != HTTP_FAULT_NONE)) {
        return fault;
    }
    fault = framing_read(&request.fields, &seen, request.minor, &request.framing);
    if (UNLIKELY(fault != HTTP_FAULT_NONE)) {
        return fault;
    }
    fault = host_read(&request.fields, &seen, request.minor, &parts, &request.host);
    if (UNLIKELY(fault != HTTP_FAULT_NONE)) {
        return fault;
    }
    if (fields_seen(&seen, FIELD_EXPECT)) {
        expect_read(&request.fields, request.minor, &request.expects_continue,
                    &request.expects_other);
    }
    request.major = 1;
    request.form = parts.form;
    request.scheme = parts.scheme;
    request.path = parts.path;
    request.query = parts.query;
    request.has_query = parts.has_query;
    *ret = request;
    return HTTP_FAULT_NONE;
}

bool response_has_body(unsigned status, Method method)
{
    if (status < 200 || status == 204 || status == 304 || method == METHOD_HEAD) {
        return false;
    }
    return method != METHOD_CONNECT || status >= 300;
}

HttpFault head_parse_response(Str head, const HeadLimits *limits, Method method, Fields fields,
                              ResponseHead *ret)
{
    if (UNLIKELY(head.len > limits->head_bytes_max)) {
        return HTTP_FAULT_HEAD_TOO_LARGE;
    }
    ResponseHead response = {.fields = fields};
    FieldsSeen seen = {0};
    size_t next = 0;
    HttpFault fault = status_line_read(head, &response, &next);
    if (UNLIKELY(fault != HTTP_FAULT_NONE)) {
        return fault;
    }
    fault = field_lines_read(head, next, limits->fields_max, &response.fields, &seen);
    if (UNLIKELY(fault != HTTP_FAULT_NONE)) {
        return fault;
    }
    Framing *framing = &response.framing;
    if (response_has_body(response.status, method)) {
        fault = framing_read(&response.fields, &seen, response.minor, framing);
    } else {
        fault = framing_read_bodiless(&response.fields, &seen, response.minor, framing);
    }
    if (UNLIKELY(fault != HTTP_FAULT_NONE)) {
        return fault;
    }
    if (framing->body == BODY_NONE && !framing->has_length &&
        response_has_body(response.status, method)) {
        framing->body = BODY_UNTIL_CLOSE; /* RFC 9112 §6.3, item 8 */
        framing->keep_alive = false;
    }
    if (fields_seen(&seen, FIELD_KEEP_ALIVE)) {
        response.keep_alive_ms = keep_alive_read(&response.fields);
    }
    *ret = response;
    return HTTP_FAULT_NONE;
}
