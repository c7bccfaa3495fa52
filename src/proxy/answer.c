/* answer.c - chooses River's own answers, and writes their heads. */
#include "proxy/answer.h"

#include "proxy/exchange.h"
#include "proxy/filter_run.h"
#include "proxy/forward.h"
#include "proxy/worker.h"

#define RETRY_AFTER_SECONDS 1u
#define ANSWER_FIELDS_BYTES_MAX 256u /* for generated values */

static bool is_overload(Fault f)
{
    return f == FAULT_OVERLOAD || f == FAULT_OVERLOAD_HEAD;
}

/* A short plain text: "502 Bad Gateway". */
static Str fault_text(Exchange *x, uint16_t status)
{
    Span room;
    if (!arena_span(&x->arena, 64, &room)) {
        return STR_NONE;
    }
    Text text = text_in(room);
    text_u64(&text, status);
    text_byte(&text, ' ');
    text_add(&text, status_reason(status));
    text_byte(&text, '\n');
    return text_str(&text);
}

uint16_t answer_status(const Exchange *x)
{
    if (x->own.refusal && x->own.refusal->status) {
        return x->own.refusal->status;
    }
    bool overload = !x->own.refusal && is_overload(x->fault);
    return overload ? x->service->limits.overload_status : fault_status(x->fault);
}

/* The configuration's page for a status, or NULL. */
static const Respond *page_of(const Service *s, uint16_t status)
{
    for (size_t i = 0; i < s->page_count; i++) {
        if (s->pages[i].status == status) {
            return &s->pages[i];
        }
    }
    return NULL;
}

/* The answer to a fault: the default, or that of the filter that refused. */
static Respond fault_respond(Exchange *x)
{
    Respond r = {0};
    if (x->own.refusal) {
        r = *x->own.refusal;
    } else if (is_overload(x->fault)) {
        r.body = x->service->limits.overload_body;
    }
    r.status = answer_status(x);
    const Respond *page = r.body.len == 0 ? page_of(x->service, r.status) : NULL;
    if (page) {
        r.body = page->body;
        r.content_type = page->content_type;
    }
    if (r.body.len == 0) {
        r.body = fault_text(x, r.status);
    }
    r.content_type = r.content_type.len ? r.content_type : S("text/plain");
    if (r.status == 503 && r.retry_after_s == 0) {
        r.retry_after_s = RETRY_AFTER_SECONDS;
    }
    return r;
}

/* Answers with a body of one piece in memory. Fields that a handler has set are kept, even if it
 * then failed (405 lists the allowed methods). */
static void answer_with(Exchange *x, const Respond *r)
{
    x->own.answer.piece = (AnswerPiece){.bytes = r->body};
    x->own.answer.status = r->status;
    x->own.answer.content_type = r->content_type;
    x->own.answer.retry_after_s = r->retry_after_s;
    x->own.answer.length = r->body.len;
    x->own.answer.piece_count = r->body.len > 0;
    x->own.answer.pieces = &x->own.answer.piece;
}

void answer_forget(Exchange *x)
{
    x->own.answer = (Answer){0};
    x->own.place = (AnswerPlace){0};
    x->own.decided = false;
}

static bool has_body(const Answer *a)
{
    return a->status != 204 && a->status != 304; /* RFC 9110 §8.6 */
}

/* All fields, except the length when they are collected for filters, which must not change it. */
static void add_answer_fields(Thread *t, const Exchange *x, HeadOut *out)
{
    const Answer *a = &x->own.answer;
    bool fault = x->fault != FAULT_NONE;
    head_field(out, S("Server"), S("river"));
    forward_date(t, out);
    if (has_body(a) && a->content_type.len) {
        head_field(out, S("Content-Type"), a->content_type);
    }
    if (has_body(a) && !out->edit) {
        head_number(out, S("Content-Length"), a->length);
    }
    for (size_t i = 0; i < a->field_count; i++) {
        head_field(out, a->fields[i].name, a->fields[i].value);
    }
    if (a->location.len) {
        head_field(out, S("Location"), a->location);
    }
    if (fault) {
        head_field(out, S("Cache-Control"), S("private, no-store"));
    }
    if (fault && a->status == 405 && a->field_count == 0) {
        head_field(out, S("Allow"), S("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"));
    }
    if (a->retry_after_s) {
        head_number(out, S("Retry-After"), a->retry_after_s);
    }
}

static void answer_decide(Exchange *x)
{
    if (x->fault != FAULT_NONE) {
        Respond r = fault_respond(x);
        answer_with(x, &r);
    } else if (x->own.respond) {
        answer_with(x, x->own.respond);
    }
    if (x->request.head.method == METHOD_HEAD || !has_body(&x->own.answer)) {
        x->own.answer.piece_count = 0;
    }
    x->own.decided = true;
}

/* The fields as a list. NULL: no room. */
static HeadEdit *answer_edit(Thread *t, Exchange *x)
{
    HeadEdit *edit = arena_new(&x->arena, HeadEdit);
    Span room;
    if (!edit || !arena_span(&x->arena, ANSWER_FIELDS_BYTES_MAX, &room)) {
        return NULL;
    }
    *edit = head_edit_new(&x->arena);
    HeadOut list = {.text = text_in(room), .edit = edit};
    add_answer_fields(t, x, &list);
    edit->overflow |= list.text.overflow;
    return edit;
}

Step answer_prepare(Thread *t, Exchange *x)
{
    HeadEdit **edit = &x->filters.edit;
    if (!x->own.decided) {
        answer_decide(x);
    }
    if (x->service->chains[STAGE_RESPONSE].count == 0) {
        return NEXT;
    }
    *edit = *edit ? *edit : answer_edit(t, x);
    return *edit ? filter_step(t, x, filter_head(t, x, STAGE_RESPONSE, *edit)) : NEXT;
}

/* If there is no room for the filters' edits, the fields are sent unedited. */
void answer_head(Thread *t, Exchange *x, HeadOut *out)
{
    const HeadEdit *edit = x->filters.edit;
    forward_status(out, x->own.answer.status, status_reason(x->own.answer.status));
    if (edit && !edit->overflow) {
        forward_edited(edit, out);
        if (has_body(&x->own.answer)) {
            head_number(out, S("Content-Length"), x->own.answer.length);
        }
    } else {
        add_answer_fields(t, x, out);
    }
    forward_client_connection(x, out);
}
