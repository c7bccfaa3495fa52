/* filter_call.h - what a filter may read of an exchange, and do to it.
 *
 * A FilterCall is valid only within the hook that received it; memory of call_arena and call_slot
 * is valid until the exchange ends. To wake a paused exchange, keep its token, not the call. */
#ifndef PROXY_FILTER_CALL_H
#define PROXY_FILTER_CALL_H

#include "http/head.h"
#include "http/readings.h"
#include "loop/token.h"
#include "proxy/answer.h"
#include "proxy/file_cache.h"
#include "proxy/filter.h"
#include "proxy/limiter.h"

/* ---- the use ---- */

/* The state that `setup` returned. */
const void *call_state(const FilterCall *call);
/* Memory of this use and exchange, `slot_bytes` of the kind, initially zero and the same in every
 * later call. NULL: no room. */
void *call_slot(FilterCall *call);

/* ---- the request ---- */

const RequestHead *call_request(const FilterCall *call);
/* All that the origin may take the request's path for; NULL: only what call_request has. A filter
 * that compares paths refuses with FAULT_PATH_AMBIGUOUS where its verdict depends on which. */
const Readings *call_readings(const FilterCall *call);
/* The client's address: the peer's, or as named by trusted proxies; family 0: unknown. */
const IpAddress *call_client_ip(const FilterCall *call);
/* "http" or "https": the client's scheme, as far as River and trusted proxies know. */
Str call_scheme(const FilterCall *call);
/* The origin's head in STAGE_UPSTREAM_RESPONSE, and in STAGE_RESPONSE unless the answer is River's
 * own; else NULL. */
const ResponseHead *call_response(const FilterCall *call);

/* ---- time, chance and memory ---- */

uint64_t call_now_ms(const FilterCall *call); /* monotonic */
int64_t call_wall_s(const FilterCall *call);  /* since 1970 */
uint64_t call_random(const FilterCall *call);
Arena *call_arena(FilterCall *call);
/* Scratch memory, valid within one call. */
Span call_scratch(const FilterCall *call);

/* ---- waiting ---- */

/* The token that wakes the exchange on its thread (thread_again_token). */
Token call_token(const FilterCall *call);
/* For work beside the exchange, such as requests of River's own (pool/fetch.h). */
Thread *call_thread(const FilterCall *call);

/* ---- state of the worker ---- */

/* The limiter with that number (FilterSetup). */
Limiter *call_limiter(const FilterCall *call, uint32_t number);

/* ---- an answer (STAGE_REQUEST) ---- */

/* The answer sent by VERDICT_ANSWER without `respond`. Its slices must outlive the exchange. */
Answer *call_answer(FilterCall *call);
/* Looks up a path below a root (file_cache_find), to be the body of the answer; *ret stays
 * unchanged until the exchange ends. ERR_AGAIN: pause; the exchange is woken, or fails with
 * FAULT_FILE_SLOW. Other errors as of file_cache_find. */
MUST_USE Err call_find_file(FilterCall *call, int root, Str path, const File **ret);

#endif
