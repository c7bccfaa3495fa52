/* exchange_state.c - what any phase may do with its exchange: set its service and endpoint, end its
 * connection to an origin, queue it for another go. Nothing here runs it. */
#include "proxy/exchange.h"

#include "pool/origin.h"
#include "proxy/worker.h"

void exchange_set_service(Thread *t, Exchange *x, const Service *s)
{
    counter_add(&t->pins[s->part], 1);
    if (x->service) {
        exchange_unpin_service(t, x);
    }
    x->service = s;
}

/* Must follow all use of the service: its owner reads this counter before freeing it. */
void exchange_unpin_service(Thread *t, const Exchange *x)
{
    Counter *pins = &t->pins[x->service->part];
    atomic_store_explicit(pins, counter_read(pins) - 1, memory_order_release);
}

void exchange_set_endpoint(Thread *t, Exchange *x, const Endpoint *e)
{
    endpoint_pin(t, e);
    exchange_unpin_endpoint(t, x);
    x->try.endpoint = e;
}

void exchange_unpin_endpoint(Thread *t, const Exchange *x)
{
    if (x->try.endpoint) {
        endpoint_unpin(t, x->try.endpoint);
    }
}

void exchange_make_id(Thread *t, Exchange *x)
{
    Text id = text_in(span_of(x->id_made, sizeof x->id_made));
    text_hex_word(&id, random_next(&t->random));
    text_hex_word(&id, random_next(&t->random));
    x->id = text_str(&id);
}

void exchange_again(Thread *t, Exchange *x)
{
    MuxStream *s = mux_stream_get(t, x->client_stream);
    if (s) {
        mux_stream_again(t, s);
        return;
    }
    Client *c = client_get(t, x->client);
    if (c) {
        thread_again_wire(t, &c->wire);
    }
}

void exchange_loaded(Thread *t, Handle h, DiskBytes *bytes)
{
    Exchange *x = exchange_get(t, h);
    if (!x) {
        disk_bytes_drop(&t->group->budget, bytes);
        return;
    }
    x->file.loading = false;
    x->file.loaded = *bytes;
    exchange_again(t, x);
}

bool exchange_must_leave(const Thread *t, const Exchange *x)
{
    const Client *c = client_get(t, x->client);
    return t->draining || !c || c->leaving;
}

Str exchange_scheme(const Thread *t, const Exchange *x)
{
    const Field *theirs =
        x->request.trusted ? fields_find(&x->request.head.fields, FIELD_X_FORWARDED_PROTO) : NULL;
    if (theirs && str_equal_nocase(theirs->value, S("https"))) {
        return S("https");
    }
    return !theirs && client_get(t, x->client)->wire.tls ? S("https") : S("http");
}

/* --- the origin's side ----------------------------------------------------------------------- */

void exchange_doubt_upstream(Thread *t, const Exchange *x)
{
    if (x->try.lease) {
        lease_doubt(t, x->try.lease, x->pace.up_ms);
    }
}

void exchange_end_upstream(Thread *t, Exchange *x, bool abort)
{
    Lease *l = x->try.lease;
    x->try.lease = NULL;
    if (l) {
        lease_end(t, l, abort);
    }
}

void exchange_release_upstream(Thread *t, Exchange *x)
{
    Lease *l = x->try.lease;
    const LeaseEnd how = {.complete = x->try.response_body.done && x->try.request_sent,
                          .keep_alive = !x->tunnel.open && x->try.response.framing.keep_alive &&
                                        x->try.response_body.kind != BODY_UNTIL_CLOSE,
                          .keep_alive_ms = x->try.response.keep_alive_ms};
    x->try.lease = NULL;
    lease_release(t, l, &how);
}
