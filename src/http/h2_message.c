/* h2_message.c - the order and the length of what makes up a message of HTTP/2. */
#include "http/h2_message.h"

#include "base/number.h"
#include "http/parts.h"

H2Message h2_message_of_request(const H2Field *fields, size_t count)
{
    H2Message m = {.response = true};
    if (count > 0 && str_equal(fields[0].name, S(":method"))) {
        m.method = (uint8_t)method_from(fields[0].value);
    }
    return m;
}

static HttpFault message_broken(H2Message *m, HttpFault fault)
{
    m->broken = fault != HTTP_FAULT_NONE;
    return fault;
}

/* The final head has come: that much DATA may follow it. */
static HttpFault body_begin(H2Message *m, bool counted, uint64_t length, bool last)
{
    m->final = true;
    m->counted = counted;
    m->left = length;
    return last && counted && length > 0 ? HTTP_FAULT_BODY_CUT : HTTP_FAULT_NONE;
}

HttpFault h2_message_request(H2Message *m, H2Block *block, const HeadLimits *limits, bool last,
                             RequestHead *ret)
{
    HttpFault fault = block->fault;
    m->final = true;
    if (fault == HTTP_FAULT_NONE && h2_block_join_cookie(block) != ERR_OK) {
        fault = HTTP_FAULT_HEAD_TOO_LARGE;
    }
    if (fault == HTTP_FAULT_NONE) {
        fault = h2_request_head(&block->pseudo, limits, last, &block->fields, ret);
    }
    if (fault == HTTP_FAULT_NONE) {
        const Framing *framing = &ret->framing;
        bool connect = ret->method == METHOD_CONNECT && ret->protocol.len == 0;
        fault = body_begin(m, framing->has_length && !connect, framing->length, last);
    }
    return message_broken(m, fault);
}

/* RFC 9110 §8.6: no length in a 1xx or 204; a 204 that says "0" is forgiven, as many send it. */
static HttpFault length_judge(const ResponseHead *r)
{
    const Field *length =
        r->framing.has_length ? fields_find(&r->fields, FIELD_CONTENT_LENGTH) : NULL;
    bool forbidden = r->status < 200 || r->status == 204;
    if (!length || !forbidden || (r->status == 204 && str_equal(length->value, S("0")))) {
        return HTTP_FAULT_NONE;
    }
    return HTTP_FAULT_BODY_FORBIDDEN;
}

HttpFault h2_message_response(H2Message *m, const H2Block *block, bool last, ResponseHead *ret)
{
    HttpFault fault = block->fault;
    if (fault == HTTP_FAULT_NONE) {
        fault = h2_response_head(&block->pseudo, last, &block->fields, ret);
    }
    if (fault == HTTP_FAULT_NONE) {
        fault = length_judge(ret);
    }
    if (fault != HTTP_FAULT_NONE) {
        return message_broken(m, fault);
    }
    if (ret->status < 200) { /* it ends nothing */
        return message_broken(m, last ? HTTP_FAULT_BODY_CUT : HTTP_FAULT_NONE);
    }
    bool tunnel = m->method == METHOD_CONNECT;
    bool bodiless = ret->status == 204 || ret->status == 304 || m->method == METHOD_HEAD;
    bool counted = bodiless || (ret->framing.has_length && !tunnel);
    return message_broken(m, body_begin(m, counted, bodiless ? 0 : ret->framing.length, last));
}

static HttpFault trailer_judge(Field *f)
{
    f->dropped = (field_flags(f->id) & FIELD_NO_TRAILER) != 0;
    bool framing = f->id == FIELD_CONTENT_LENGTH || f->id == FIELD_HOST;
    bool fine = h2_field_judge(f) == HTTP_FAULT_NONE && !framing;
    return fine ? HTTP_FAULT_NONE : HTTP_FAULT_TRAILER;
}

HttpFault h2_message_trailers(H2Message *m, H2Block *block, bool last)
{
    HttpFault fault = block->fault;
    if (fault == HTTP_FAULT_NONE && (!last || block->pseudo_seen != 0)) {
        fault = HTTP_FAULT_TRAILER;
    }
    for (size_t i = 0; i < block->fields.count && fault == HTTP_FAULT_NONE; i++) {
        fault = trailer_judge(&block->fields.at[i]);
    }
    for (const CookieCrumb *c = block->crumbs; c && fault == HTTP_FAULT_NONE; c = c->next) {
        fault = h2_value_valid(c->value) ? HTTP_FAULT_NONE : HTTP_FAULT_TRAILER;
    }
    return fault == HTTP_FAULT_NONE ? h2_message_end(m) : message_broken(m, fault);
}

HttpFault h2_message_data(H2Message *m, uint64_t n)
{
    if (!m->final) {
        return message_broken(m, HTTP_FAULT_BODY_FORBIDDEN);
    }
    if (m->counted) {
        if (n > m->left) {
            return message_broken(m, HTTP_FAULT_EXTRA_BYTES);
        }
        m->left -= n;
    }
    return HTTP_FAULT_NONE;
}

HttpFault h2_message_end(H2Message *m)
{
    bool whole = m->final && (!m->counted || m->left == 0);
    return message_broken(m, whole ? HTTP_FAULT_NONE : HTTP_FAULT_BODY_CUT);
}

/* --- told to the owner ----------------------------------------------------------------------- */

HttpFault h2_tell_block(const H2Plan *plan, H2Block *block, H2Name name, H2Message *m, bool last)
{
    const H2Hooks *hooks = plan->hooks;
    HttpFault fault = HTTP_FAULT_NONE;
    if (m->final) {
        fault = h2_message_trailers(m, block, last);
        if (fault == HTTP_FAULT_NONE) {
            hooks->trailers(plan->user, name, &block->arena, &block->fields);
            hooks->end(plan->user, name);
        }
    } else if (plan->server) {
        RequestHead request = {.major = 2, .minor = 1};
        HttpFault wrong = h2_message_request(m, block, &plan->limits.head, last, &request);
        hooks->request(plan->user, name, &block->arena, &request, wrong, last);
    } else {
        ResponseHead response = {.status = 0};
        HttpFault wrong = h2_message_response(m, block, last, &response);
        hooks->response(plan->user, name, &block->arena, &response, wrong, last);
    }
    return fault;
}

HttpFault h2_tell_data(const H2Plan *plan, H2Name name, H2Message *m, Str bytes)
{
    HttpFault fault = h2_message_data(m, bytes.len);
    if (fault == HTTP_FAULT_NONE) {
        plan->hooks->data(plan->user, name, bytes);
    }
    return fault;
}

HttpFault h2_tell_end(const H2Plan *plan, H2Name name, H2Message *m)
{
    HttpFault fault = h2_message_end(m);
    if (fault == HTTP_FAULT_NONE) {
        plan->hooks->end(plan->user, name);
    }
    return fault;
}
