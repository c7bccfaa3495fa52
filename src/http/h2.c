/* h2.c - the one file that knows nghttp2: its callbacks become hooks, its limits are set here.
 *
 * nghttp2 keeps to the protocol (frames, HPACK, flow control, streams); whether a message keeps to
 * its rules is judged in h2_message.c. What its options do not bound is counted here: fields with
 * their overhead, and streams that we are made to reset. */
#include "http/h2.h"

#include <nghttp2/nghttp2.h>
#include <pthread.h>

#include "base/number.h"
#include "http/h2_block.h"
#include "http/h2_frames.h"
#include "http/h2_memory.h"
#include "http/h2_message.h"

#define FRAME_BYTES_MAX 16384u   /* of payload: River never allows more, and never sends more */
#define FRAME_HEAD_BYTES 9u
#define SETTINGS_MAX 32u
#define ACKS_MAX 256u         /* answers to PING and SETTINGS that may wait to be sent */
#define RESETS_BURST 200u     /* streams that a client may reset at once ... */
#define RESETS_A_SECOND 20u   /* ... and go on resetting (CVE-2023-44487) */
#define GLITCHES_BURST 1000u  /* frames that are wrong or pointless, as an empty DATA */
#define GLITCHES_A_SECOND 33u
#define RESETS_MADE_MAX 200u  /* more of them than streams in order end the session ... */
#define RESETS_MADE_SHARE 4u  /* ... when they are more than a quarter of all */

struct H2 {
    nghttp2_session *session;
    nghttp2_mem memory;
    H2Plan plan;
    H2Frames frames; /* that come in */
    H2Block head; /* that is being received; there is one at a time (RFC 9113 §4.3) */
    Text *out; /* of the h2_take that runs */
    bool out_full;
    bool greeted; /* the peer's SETTINGS have come */
    bool leaves; /* the peer's GOAWAY has come */
    bool accused; /* a GOAWAY with an error has been sent ... */
    bool dismissed; /* ... as the owner wanted it */
    bool failed; /* nghttp2 gave up, or the peer is a flood */
    bool spent; /* there was no memory for what must be said: the session cannot go on */
    int32_t leaves_last;
    uint32_t streams; /* of a client: started and not over */
    uint32_t expected; /* of a client: h2_expect_streams; 0: nothing */
    uint32_t resets_made;
    uint64_t streams_begun;
};

static H2 *h2_of(void *user)
{
    return (H2 *)user;
}

static H2Name name_of(H2 *h, int32_t id)
{
    return (H2Name)(uintptr_t)nghttp2_session_get_stream_user_data(h->session, id);
}

static void *name_pack(H2Name name)
{
    return (void *)(uintptr_t)name;
}

/* What a call that may not be lost has answered. */
static void must_hold(H2 *h, int code)
{
    h->spent |= code == NGHTTP2_ERR_NOMEM;
}

/* --- heads coming in ------------------------------------------------------------------------- */

/* The message that a frame of the stream continues; NULL: it is discarded. */
static H2Message *message_of(H2 *h, H2Name name)
{
    H2Message *m = name ? h->plan.hooks->message(h->plan.user, name) : NULL;
    return m && !m->broken ? m : NULL;
}

static int head_refuse(H2 *h, int32_t id, uint32_t code)
{
    h2_reset(h, id, code);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name_at,
                     size_t name_len, const uint8_t *value_at, size_t value_len, uint8_t flags,
                     void *user)
{
    (void)session, (void)flags;
    H2 *h = h2_of(user);
    Err err = h2_block_add(&h->head, &h->plan.limits.head, str_of(name_at, name_len),
                           str_of(value_at, value_len));
    if (err == ERR_OK) {
        return 0;
    }
    int32_t id = frame->hd.stream_id;
    H2Name name = name_of(h, id);
    H2Message *m = message_of(h, name);
    if (m) {
        m->broken = true;
        h->plan.hooks->broken(h->plan.user, name, HTTP_FAULT_HEAD_TOO_LARGE);
    }
    return head_refuse(h, id, err == ERR_LIMIT ? H2_ENHANCE_YOUR_CALM : H2_REFUSED_STREAM);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    H2 *h = h2_of(user);
    h2_block_clear(&h->head);
    if (!h->plan.server || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0;
    }
    int32_t id = frame->hd.stream_id;
    h->streams_begun++;
    H2Name name = h->plan.hooks->begin(h->plan.user, id);
    if (name == 0) {
        return head_refuse(h, id, H2_REFUSED_STREAM);
    }
    (void)nghttp2_session_set_stream_user_data(session, id, name_pack(name));
    return 0;
}

/* Ends a stream where a rule was broken after the head. */
static void message_broken(H2 *h, int32_t id, H2Name name, HttpFault fault)
{
    if (fault != HTTP_FAULT_NONE) {
        h->plan.hooks->broken(h->plan.user, name, fault);
        h2_reset(h, id, H2_PROTOCOL_ERROR);
    }
}

/* RFC 9218 §5: how urgent the client says that its response is. */
static void priority_read(H2 *h, int32_t id)
{
    const Field *f = h2_block_field(&h->head, S("priority"));
    nghttp2_extpri priority = {.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY};
    const uint8_t *at = f ? f->value.at : NULL; /* foreign call */
    if (f && nghttp2_extpri_parse_priority(&priority, at, f->value.len) == 0) {
        (void)nghttp2_session_change_extpri_stream_priority(h->session, id, &priority, 0);
    }
}

static void head_over(H2 *h, int32_t id, H2Name name, H2Message *m, bool last)
{
    if (h->plan.server && !m->final) {
        priority_read(h, id);
    }
    message_broken(h, id, name, h2_tell_block(&h->plan, &h->head, name, m, last));
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)session;
    H2 *h = h2_of(user);
    int32_t id = frame->hd.stream_id;
    H2Name name = id ? name_of(h, id) : 0;
    H2Message *m = message_of(h, name);
    bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch ((int)frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (m) {
            head_over(h, id, name, m, last);
        }
        h2_block_clear(&h->head);
        return 0;
    case NGHTTP2_DATA:
        if (m && last) {
            message_broken(h, id, name, h2_tell_end(&h->plan, name, m));
        }
        return 0;
    case NGHTTP2_SETTINGS:
        h->greeted = true;
        return 0;
    case NGHTTP2_GOAWAY:
        h->leaves = true;
        h->leaves_last = frame->goaway.last_stream_id;
    }
    return 0;
}

/* --- bodies ---------------------------------------------------------------------------------- */

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *at,
                         size_t len, void *user)
{
    (void)session, (void)flags;
    H2 *h = h2_of(user);
    H2Name name = name_of(h, id);
    H2Message *m = message_of(h, name);
    HttpFault fault = m ? h2_tell_data(&h->plan, name, m, str_of(at, len)) : HTTP_FAULT_NONE;
    if (!m || fault != HTTP_FAULT_NONE) {
        h2_open_window(h, len);
        message_broken(h, id, name, fault);
    }
    return 0;
}

static nghttp2_ssize read_body(nghttp2_session *session, int32_t id, uint8_t *buffer,
                               size_t length, uint32_t *flags, nghttp2_data_source *source,
                               void *user)
{
    (void)session, (void)buffer, (void)source;
    H2 *h = h2_of(user);
    H2Name name = name_of(h, id);
    bool last = false;
    size_t waiting = name ? h->plan.hooks->waiting(h->plan.user, name, &last) : 0;
    size_t n = size_min(waiting, length);
    if (n == 0 && !last) {
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (last && n == waiting) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (h->plan.hooks->send_trailers(h->plan.user, name)) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        }
    }
    return (nghttp2_ssize)n;
}

static int send_body(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                     size_t length, nghttp2_data_source *source, void *user)
{
    (void)session, (void)source;
    H2 *h = h2_of(user);
    size_t left = h->out->room.len - h->out->len;
    if (left < FRAME_HEAD_BYTES + length + FRAME_BYTES_MAX + FRAME_HEAD_BYTES) {
        h->out_full = true;
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    text_add(h->out, str_of(head, FRAME_HEAD_BYTES));
    size_t before = h->out->len;
    h->plan.hooks->pull(h->plan.user, name_of(h, frame->hd.stream_id), length, h->out);
    CHECK(h->out->len == before + length);
    return 0;
}

/* --- streams --------------------------------------------------------------------------------- */

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    (void)session;
    H2 *h = h2_of(user);
    H2Name name = name_of(h, id);
    if (name) {
        h->streams -= !h->plan.server;
        h->plan.hooks->closed(h->plan.user, name, code);
    }
    return 0;
}

/* What the peer's mistakes make us reset costs as much as what it resets itself
 * (CVE-2025-8671). */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)session;
    H2 *h = h2_of(user);
    uint32_t code = frame->rst_stream.error_code;
    bool made = frame->hd.type == NGHTTP2_RST_STREAM && code != H2_NO_ERROR && code != H2_CANCEL &&
                code != H2_INTERNAL_ERROR && code != H2_REFUSED_STREAM;
    h->resets_made += made;
    h->accused |= frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != H2_NO_ERROR;
    if (h->resets_made > RESETS_MADE_MAX &&
        h->resets_made > h->streams_begun / RESETS_MADE_SHARE && h->plan.server && !h->failed) {
        h->failed = true;
        must_hold(h, nghttp2_session_terminate_session(h->session, H2_ENHANCE_YOUR_CALM));
    }
    return 0;
}

/* --- sessions -------------------------------------------------------------------------------- */

static nghttp2_session_callbacks *callbacks;
static nghttp2_option *options;

/* Both are made once and only read afterwards; NULL when there was no memory. */
static void shared_make(void)
{
    if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&options) != 0) {
        callbacks = NULL;
        return;
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_body);
    nghttp2_option_set_no_http_messaging(options, 1); /* h2_message.c, and the stream alone ends */
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_option_set_max_settings(options, SETTINGS_MAX);
    nghttp2_option_set_max_outbound_ack(options, ACKS_MAX);
    nghttp2_option_set_stream_reset_rate_limit(options, RESETS_BURST, RESETS_A_SECOND);
    nghttp2_option_set_glitch_rate_limit(options, GLITCHES_BURST, GLITCHES_A_SECOND);
}

static bool settings_send(H2 *h)
{
    const H2Limits *limits = &h->plan.limits;
    uint32_t list_max = (uint32_t)u64_min(limits->head.head_bytes_max, UINT32_MAX);
    bool server = h->plan.server;
    nghttp2_settings_entry all[] = {
        {server ? NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS : NGHTTP2_SETTINGS_ENABLE_PUSH,
         server ? limits->streams_max : 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, list_max},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1}, /* here begins what a server alone says */
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}};
    int failed = nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, all, server ? 5 : 3);
    return failed == 0 && nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                                                (int32_t)limits->window) == 0;
}

H2 *h2_new(const H2Plan *plan)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, shared_make);
    H2 *h = callbacks ? (H2 *)memory_new(plan->budget, sizeof *h) : NULL;
    if (!h) {
        return NULL;
    }
    h->plan = *plan;
    h->frames = h2_frames_of(plan->server);
    h->memory = (nghttp2_mem){.mem_user_data = plan->budget,
                              .malloc = h2_memory_take,
                              .free = h2_memory_give,
                              .calloc = h2_memory_take_array,
                              .realloc = h2_memory_resize};
    h2_block_init(&h->head, plan->blocks, 4 * plan->limits.head.head_bytes_max);
    int failed = plan->server ? nghttp2_session_server_new3(&h->session, callbacks, h, options,
                                                            &h->memory)
                              : nghttp2_session_client_new3(&h->session, callbacks, h, options,
                                                            &h->memory);
    if (failed != 0 || !settings_send(h)) {
        h2_drop(h);
        return NULL;
    }
    return h;
}

void h2_drop(H2 *h)
{
    if (h) {
        nghttp2_session_del(h->session);
        h2_block_clear(&h->head);
        memory_drop(h->plan.budget, h, sizeof *h);
    }
}

static Err err_of(int code)
{
    if (code == 0 || code == NGHTTP2_ERR_NOMEM) {
        return code == 0 ? ERR_OK : ERR_MEMORY;
    }
    return code == NGHTTP2_ERR_INVALID_STREAM_ID || code == NGHTTP2_ERR_STREAM_CLOSED ||
                   code == NGHTTP2_ERR_INVALID_STREAM_STATE
               ? ERR_CLOSED
               : ERR_SYNTAX;
}

Err h2_feed(H2 *h, Str bytes)
{
    uint32_t code = H2_NO_ERROR;
    size_t good = h2_frames_follow(&h->frames, bytes, &code);
    nghttp2_ssize taken = nghttp2_session_mem_recv2(h->session, bytes.at /* foreign call */, good);
    if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
        code = H2_PROTOCOL_ERROR; /* RFC 9113 §3.4: the peer is told so */
    } else if (taken < 0) {
        h->failed = true;
        return err_of((int)taken);
    }
    if (code != H2_NO_ERROR) {
        h->failed = true;
        must_hold(h, nghttp2_session_terminate_session(h->session, code));
    }
    return h->failed ? ERR_SYNTAX : ERR_OK;
}

Err h2_take(H2 *h, Text *out, bool *ret_more)
{
    h->out = out;
    h->out_full = false;
    *ret_more = false;
    if (h->spent) {
        h->failed = true;
        return ERR_MEMORY;
    }
    while (out->room.len - out->len >= H2_TAKE_BYTES_MIN) {
        const uint8_t *at = NULL;
        nghttp2_ssize n = nghttp2_session_mem_send2(h->session, &at);
        if (n < 0) {
            h->failed = true;
            return err_of((int)n);
        }
        if (n == 0) {
            *ret_more = h->out_full;
            return ERR_OK;
        }
        text_add(out, str_of(at, (size_t)n));
    }
    *ret_more = h2_has_output(h);
    return ERR_OK;
}

bool h2_has_output(const H2 *h)
{
    return nghttp2_session_want_write(h->session) != 0;
}

bool h2_is_broken(const H2 *h)
{
    return (h->failed || h->accused) && !h->dismissed;
}

bool h2_is_over(const H2 *h)
{
    return !nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session);
}

/* --- messages going out ---------------------------------------------------------------------- */

#define SEND_FIELDS_MAX 512u

/* The fields as nghttp2 wants them, which copies them at once. */
static size_t nv_list(nghttp2_nv *list, const H2Field *fields, size_t count)
{
    size_t n = size_min(count, SEND_FIELDS_MAX);
    for (size_t i = 0; i < n; i++) {
        bool secret = str_equal(fields[i].name, S("authorization"));
        uint8_t flags = secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
        Str name = fields[i].name;
        Str value = fields[i].value;
        list[i] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.at, /* foreign call */
                               .namelen = name.len,
                               .value = (uint8_t *)(uintptr_t)value.at, /* foreign call */
                               .valuelen = value.len,
                               .flags = flags};
    }
    return n;
}

static const nghttp2_data_provider2 body_provider = {.read_callback = read_body};

Err h2_interim(H2 *h, int32_t id, const H2Field *fields, size_t count)
{
    nghttp2_nv list[SEND_FIELDS_MAX];
    size_t n = nv_list(list, fields, count);
    return err_of(
        nghttp2_submit_headers(h->session, NGHTTP2_FLAG_NONE, id, NULL, list, n, NULL));
}

Err h2_respond(H2 *h, int32_t id, const H2Field *fields, size_t count, bool body)
{
    nghttp2_nv list[SEND_FIELDS_MAX];
    size_t n = nv_list(list, fields, count);
    const nghttp2_data_provider2 *provider = body ? &body_provider : NULL;
    return err_of(nghttp2_submit_response2(h->session, id, list, n, provider));
}

Err h2_request(H2 *h, H2Name name, const H2Field *fields, size_t count, bool body,
               int32_t *ret_id)
{
    if (h2_room(h) == 0) {
        return ERR_FULL;
    }
    H2Message *m = h->plan.hooks->message(h->plan.user, name);
    if (m) {
        *m = h2_message_of_request(fields, count);
    }
    nghttp2_nv list[SEND_FIELDS_MAX];
    size_t n = nv_list(list, fields, count);
    int32_t id = nghttp2_submit_request2(h->session, NULL, list, n, body ? &body_provider : NULL,
                                         name_pack(name));
    if (id < 0) {
        return id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE ? ERR_FULL : err_of(id);
    }
    h->streams++;
    *ret_id = id;
    return ERR_OK;
}

bool h2_withdraw(H2 *h, int32_t id)
{
    if (name_of(h, id) != 0) { /* nghttp2 knows a stream as soon as its head is on the way */
        return false;
    }
    (void)nghttp2_session_set_stream_user_data(h->session, id, NULL);
    h2_reset(h, id, H2_CANCEL);
    h->streams--;
    return true;
}

Err h2_trailers(H2 *h, int32_t id, const H2Field *fields, size_t count)
{
    nghttp2_nv list[SEND_FIELDS_MAX];
    size_t n = nv_list(list, fields, count);
    return err_of(nghttp2_submit_trailer(h->session, id, list, n));
}

void h2_resume(H2 *h, int32_t id)
{
    must_hold(h, nghttp2_session_resume_data(h->session, id));
}

void h2_open_stream(H2 *h, int32_t id, size_t n)
{
    must_hold(h, nghttp2_session_consume_stream(h->session, id, n));
}

void h2_open_window(H2 *h, size_t n)
{
    must_hold(h, nghttp2_session_consume_connection(h->session, n));
}

bool h2_has_window(const H2 *h, int32_t id)
{
    return nghttp2_session_get_stream_remote_window_size(h->session, id) > 0 &&
           nghttp2_session_get_remote_window_size(h->session) > 0;
}

void h2_reset(H2 *h, int32_t id, uint32_t code)
{
    must_hold(h, nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, id, code));
}

bool h2_is_shut(const H2 *h)
{
    return nghttp2_session_get_remote_window_size(h->session) <= 0;
}

/* --- signs of life ---------------------------------------------------------------------------- */

void h2_ping(H2 *h)
{
    must_hold(h, nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL));
}

bool h2_is_greeted(const H2 *h)
{
    return h->greeted;
}

bool h2_is_partial(const H2 *h, uint64_t *ret_whole)
{
    *ret_whole = h->frames.whole;
    return h2_frames_partial(&h->frames);
}

/* --- ends ------------------------------------------------------------------------------------ */

void h2_goaway(H2 *h, bool final)
{
    if (h->plan.server && !final) {
        must_hold(h, nghttp2_submit_shutdown_notice(h->session));
        return;
    }
    int32_t last = nghttp2_session_get_last_proc_stream_id(h->session);
    must_hold(h, nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, last, H2_NO_ERROR, NULL, 0));
}

void h2_end(H2 *h, uint32_t code)
{
    h->failed = true;
    h->dismissed = true;
    must_hold(h, nghttp2_session_terminate_session(h->session, code));
}

bool h2_peer_leaves(const H2 *h, int32_t *ret_last)
{
    *ret_last = h->leaves_last;
    return h->leaves;
}

uint32_t h2_streams_max(const H2 *h)
{
    uint32_t max = nghttp2_session_get_remote_settings(h->session,
                                                       NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return (uint32_t)u64_min(max, h->plan.limits.streams_max);
}

void h2_expect_streams(H2 *h, uint32_t streams_max)
{
    h->expected = streams_max;
}

uint32_t h2_room(const H2 *h)
{
    bool expects = !h->greeted && h->expected > 0;
    uint32_t max = (uint32_t)u64_min(h2_streams_max(h), expects ? h->expected : UINT32_MAX);
    return h->leaves || h->failed || h->streams >= max ? 0 : max - h->streams;
}

bool h2_takes_connect(const H2 *h)
{
    uint32_t takes = nghttp2_session_get_remote_settings(h->session,
                                                         NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL);
    return takes == 1 || !h->greeted;
}
