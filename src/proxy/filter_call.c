/* filter_call.c - the functions that filters may call (see filter_call.h). */
#include "proxy/filter_call.h"

#include "loop/random.h"
#include "proxy/filter_run.h"
#include "proxy/worker.h"

const void *call_state(const FilterCall *call)
{
    return call->use->state;
}

void *call_slot(FilterCall *call)
{
    FilterRun *run = &call->exchange->filters;
    for (FilterSlot *slot = run->slots; slot; slot = slot->next) {
        if (slot->use == call->use) {
            return slot->bytes;
        }
    }
    size_t bytes = sizeof(FilterSlot) + call->use->kind->slot_bytes;
    FilterSlot *fresh = (FilterSlot *)arena_alloc(&call->exchange->arena, bytes);
    if (!fresh) {
        return NULL;
    }
    fresh->next = run->slots;
    fresh->use = call->use;
    run->slots = fresh;
    return fresh->bytes;
}

const RequestHead *call_request(const FilterCall *call)
{
    return &call->exchange->request.head;
}

const Readings *call_readings(const FilterCall *call)
{
    return call->exchange->request.readings;
}

const IpAddress *call_client_ip(const FilterCall *call)
{
    return &call->exchange->request.client_ip;
}

Str call_scheme(const FilterCall *call)
{
    return exchange_scheme(call->thread, call->exchange);
}

const ResponseHead *call_response(const FilterCall *call)
{
    const Exchange *x = call->exchange;
    return x->phase == PHASE_REPLY || x->phase == PHASE_RELAY ? &x->try.response : NULL;
}

uint64_t call_now_ms(const FilterCall *call)
{
    return call->thread->now_ms;
}

int64_t call_wall_s(const FilterCall *call)
{
    const Thread *t = call->thread;
    return (int64_t)((t->now_ns / 1000 + t->wall_offset_us) / 1000000);
}

uint64_t call_random(const FilterCall *call)
{
    return random_next(&call->thread->random);
}

Arena *call_arena(FilterCall *call)
{
    return &call->exchange->arena;
}

Span call_scratch(const FilterCall *call)
{
    return call->thread->output;
}

Token call_token(const FilterCall *call)
{
    return exchange_token(call->exchange);
}

Thread *call_thread(const FilterCall *call)
{
    return call->thread;
}

Limiter *call_limiter(const FilterCall *call, uint32_t number)
{
    return call->thread->worker->limiters[number];
}

Answer *call_answer(FilterCall *call)
{
    return &call->exchange->own.answer;
}

Err call_find_file(FilterCall *call, int root, Str path, const File **ret)
{
    Thread *t = call->thread;
    FileWait *file = &call->exchange->file;
    Err err = file_cache_find(t, root, path, call_token(call), &file->handle);
    if (err == ERR_AGAIN && !file->looking) {
        call->exchange->pace.up_ms = t->now_ms;
    }
    file->looking = err == ERR_AGAIN;
    *ret = err == ERR_OK ? file_cache_get(t, file->handle) : NULL;
    return err;
}
