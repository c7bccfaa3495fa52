/* filter_call.h - what a filter may read of an exchange, and do to it.
 *
 * A FilterCall is valid within the hook that was given it, the memory of call_arena and call_slot
 * until the exchange ends. What wakes a paused exchange keeps its token, not the call. */
#ifndef PROXY_FILTER_CALL_H
#define PROXY_FILTER_CALL_H

#include "http/head.h"
#include "loop/token.h"
#include "proxy/answer.h"
#include "proxy/file_cache.h"
#include "proxy/filter.h"
#include "proxy/limiter.h"

/* ---- the use ---- */

/* What `setup` made of what was written. */
const void *call_state(const FilterCall *call);
/* Memory of the use and the exchange, `slot_bytes` of the kind, all zero at first and the same in
 * every later call. NULL: there is no room. */
void *call_slot(FilterCall *call);

/* ---- the request ---- */

const RequestHead *call_request(const FilterCall *call);
/* The client's own address, as far as trusted proxies tell; family 0: unknown. */
const IpAddress *call_client_ip(const FilterCall *call);
/* "http" or "https": how the client came, as far as River and trusted proxies know. */
Str call_scheme(const FilterCall *call);
/* The origin's head, in STAGE_UPSTREAM_RESPONSE, and in STAGE_RESPONSE unless River answers by
 * itself; else NULL. */
const ResponseHead *call_response(const FilterCall *call);

/* ---- time, chance and memory ---- */

uint64_t call_now_ms(const FilterCall *call); /* of a clock that does not go back */
int64_t call_wall_s(const FilterCall *call);  /* since 1970 */
uint64_t call_random(const FilterCall *call);
Arena *call_arena(FilterCall *call);
/* Room for what is put together within one call. */
Span call_scratch(const FilterCall *call);

/* ---- waiting ---- */

/* Wakes the exchange (thread_again_token) on its thread. */
Token call_token(const FilterCall *call);
/* For what runs beside the exchange, such as requests of River's own (pool/fetch.h). */
Thread *call_thread(const FilterCall *call);

/* ---- the worker's ---- */

/* The limiter with that number (FilterSetup). */
Limiter *call_limiter(const FilterCall *call, uint32_t number);

/* ---- an answer (STAGE_REQUEST) ---- */

/* What VERDICT_ANSWER without `respond` sends. Its slices must live as long as the exchange. */
Answer *call_answer(FilterCall *call);
/* Looks a path up below a root (file_cache_find), to be the body of the answer; *ret stays as it is
 * until the exchange ends. ERR_AGAIN: pause; the exchange is woken, or fails with FAULT_FILE_SLOW.
 * Other errors as of file_cache_find. */
MUST_USE Err call_find_file(FilterCall *call, int root, Str path, const File **ret);

#endif
