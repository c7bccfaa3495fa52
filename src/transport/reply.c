/* reply.c - reads the heads of responses (see reply.h). */
#include "transport/reply.h"

const HeadLimits reply_limits = {.head_bytes_max = REPLY_HEAD_BYTES_MAX,
                                 .fields_max = REPLY_FIELDS_MAX,
                                 .target_bytes_max = 0};

Fault reply_parse(Thread *t, Arena *arena, Str bytes, Method method, ResponseHead *ret,
                  size_t *ret_end)
{
    size_t scanned = 0;
    size_t end = 0;
    *ret_end = 0;
    Err err = head_find_end(bytes, &scanned, &end);
    if (err == ERR_INCOMPLETE) {
        return bytes.len > REPLY_HEAD_BYTES_MAX ? FAULT_RESPONSE_HEAD_TOO_LARGE : FAULT_NONE;
    }
    if (err != ERR_OK) {
        return FAULT_RESPONSE_BARE_LF;
    }
    Str head;
    if (!arena_copy(arena, str_take(bytes, end), &head)) {
        return FAULT_MEMORY;
    }
    HttpFault fault = head_parse_response(head, &reply_limits, method, t->fields, ret);
    if (fault != HTTP_FAULT_NONE) {
        return fault_of_response(fault);
    }
    *ret_end = end;
    return fields_keep(arena, &ret->fields) ? FAULT_NONE : FAULT_MEMORY;
}

Fault reply_take(MuxHead *head, Method method, bool h1, ResponseHead *ret, Arena *ret_arena)
{
    HttpFault fault = head->fault;
    *ret = head->response;
    bool may_have_body = response_has_body(ret->status, method);
    if (!may_have_body || head->last) {
        ret->framing.body = BODY_NONE;
    }
    if (h1 && may_have_body && head->last) { /* otherwise the client would wait for its end */
        ret->framing.has_length = true;
        ret->framing.length = 0;
    }
    Arena arena = head->arena; /* it holds the head itself */
    arena_reset(ret_arena);
    *ret_arena = arena;
    return fault == HTTP_FAULT_NONE ? FAULT_NONE : fault_of_response(fault);
}

Fault reply_lost(const MuxStream *s, bool nothing)
{
    if (s->fault != HTTP_FAULT_NONE) {
        return fault_of_response(s->fault);
    }
    if (s->code == H2_REFUSED_STREAM) {
        return FAULT_ORIGIN_REFUSED; /* RFC 9113 §8.7: nothing was done */
    }
    if (s->code == MUX_REFUSED) {
        return FAULT_ORIGIN_TLS;
    }
    return s->code == MUX_LOST && nothing ? FAULT_ORIGIN_CLOSED : FAULT_ORIGIN_RESET;
}

Fault reply_unsent(Link to, Err err)
{
    if (err == ERR_MEMORY || err == ERR_LIMIT) {
        return FAULT_MEMORY;
    }
    /* A stream without an id: the origin has seen nothing of the request. */
    return to.stream && to.stream->id == 0 ? FAULT_ORIGIN_REFUSED : FAULT_ORIGIN_CLOSED;
}
