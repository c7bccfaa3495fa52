/* mux_stream.c - the streams of an HTTP/2 connection: their records, the session's hooks, and what
 * exchanges do with them. */
#include "transport/mux_stream.h"

#include "base/number.h"

#define TRAILERS_BYTES_MAX (64u << 10)

/* --- names ----------------------------------------------------------------------------------- */

static H2Name name_of(Handle h)
{
    return (H2Name)h.generation << 32 | h.slot;
}

static MuxStream *stream_named(const Mux *m, H2Name name)
{
    Handle h = {.slot = (uint32_t)name, .generation = (uint32_t)(name >> 32)};
    return mux_stream_get(m->thread, h);
}

/* --- the list of streams --------------------------------------------------------------------- */

static MuxStream *stream_new(Mux *m, int32_t id)
{
    Thread *t = m->thread;
    Handle h;
    MuxStream *s = (MuxStream *)pool_take(&t->streams, &h);
    if (!s) {
        return NULL;
    }
    s->self = h;
    s->mux = m;
    s->id = id;
    arena_init(&s->trailers_in_arena, &t->arena_blocks, TRAILERS_BYTES_MAX);
    arena_init(&s->trailers_out_arena, &t->arena_blocks, TRAILERS_BYTES_MAX);
    handle_list_prepend(&m->streams, &t->streams, offsetof(MuxStream, links), h, &s->links);
    m->count++;
    s->moved_seen = m->moved;
    return s;
}

/* Only bytes held beyond the bound keep it closed: one slow reader does not stop the rest. */
bool mux_window_open(Mux *m)
{
    bool filled = m->held > MUX_HELD_FILLED && thread_is_filled(m->thread);
    uint64_t over = m->held - u64_min(m->held, m->held_max);
    uint64_t owed = filled ? m->held - MUX_HELD_FILLED : over;
    if (m->owed > owed) {
        h2_open_window(m->h2, (size_t)(m->owed - owed));
        m->owed = owed;
        mux_flush_later(m->thread, m);
    }
    if (LIKELY(m->owed <= over)) {
        return false;
    }
    thread_starves(m->thread);
    return true;
}

/* `n` bytes of a stream's `in` were passed on or discarded. */
static void held_drop(Mux *m, size_t n)
{
    CHECK(n <= m->held);
    m->held -= n;
    (void)mux_window_open(m);
}

void mux_stream_free(Thread *t, Mux *m, MuxStream *s)
{
    if (m && m->h2) {
        held_drop(m, s->in.len);
        m->queued -= s->out.len;
    }
    if (m) {
        handle_list_remove(&m->streams, &t->streams, offsetof(MuxStream, links), &s->links);
        m->opening -= !m->server && s->id == 0;
        m->left -= s->left;
        m->count--;
        m->idle_ms = s->left && m->count > 0 ? m->idle_ms : t->now_ms;
    }
    for (MuxHead *head = mux_head_take(s); head; head = mux_head_take(s)) {
        mux_head_drop(head);
    }
    buf_clear(&s->in, &t->buf_blocks);
    buf_clear(&s->out, &t->buf_blocks);
    arena_reset(&s->trailers_in_arena);
    arena_reset(&s->trailers_out_arena);
    timer_drop(&t->wheel, &s->timer);
    pool_give(&t->streams, s->self);
}

void mux_stream_again(Thread *t, MuxStream *s)
{
    if (!s->again) {
        s->again = true;
        thread_again_token(t, token_of(TOKEN_STREAM, s->self));
    }
}

Token mux_stream_on_again(Thread *t, Handle h, MuxStream **ret_fresh)
{
    MuxStream *s = mux_stream_get(t, h);
    *ret_fresh = NULL;
    if (!s) {
        return TOKEN_NONE;
    }
    s->again = false;
    if (s->user == TOKEN_NONE && !s->started && s->heads) {
        *ret_fresh = s;
    }
    return s->user;
}

/* --- queued heads ---------------------------------------------------------------------------- */

/* Moves the arena and the head into a record of their own; false: no room. */
static bool head_keep(MuxStream *s, Arena *arena, const MuxHead *what)
{
    MuxHead *head = s->head_count < MUX_HEADS_MAX ? arena_new(arena, MuxHead) : NULL;
    if (!head) {
        return false;
    }
    *head = *what;
    head->next = NULL;
    head->arena = *arena;
    arena_init(arena, head->arena.blocks, head->arena.max_bytes);
    MuxHead **end = &s->heads;
    while (*end) {
        end = &(*end)->next;
    }
    *end = head;
    s->head_count++;
    return true;
}

MuxHead *mux_head_take(MuxStream *s)
{
    MuxHead *head = s->heads;
    if (head) {
        s->heads = head->next;
        s->head_count--;
    }
    return head;
}

void mux_head_drop(MuxHead *head)
{
    Arena arena = head->arena; /* it holds the head itself */
    arena_reset(&arena);
}

/* No room for what has arrived: the stream is reset, and further input is discarded, since it would
 * leave a gap. */
static void stream_overflows(Mux *m, MuxStream *s)
{
    s->message.broken = true;
    h2_reset(m->h2, s->id, H2_ENHANCE_YOUR_CALM);
}

/* --- hooks called by the session ------------------------------------------------------------- */

static Mux *mux_from(void *user)
{
    return (Mux *)user;
}

static H2Name hook_begin(void *user, int32_t id)
{
    Mux *m = mux_from(user);
    MuxStream *s = m->leaving ? NULL : stream_new(m, id);
    return s ? name_of(s->self) : 0;
}

static void head_arrived(Mux *m, H2Name name, Arena *arena, const MuxHead *head)
{
    MuxStream *s = stream_named(m, name);
    if (!s) {
        return;
    }
    m->spoken = true;
    s->in_ended |= head->last;
    if (!head_keep(s, arena, head)) {
        stream_overflows(m, s);
    }
    mux_stream_again(m->thread, s);
}

static void hook_request(void *user, H2Name name, Arena *arena, const RequestHead *request,
                         HttpFault fault, bool last)
{
    MuxHead head = {.request = *request, .fault = fault, .last = last};
    head_arrived(mux_from(user), name, arena, &head);
}

static void hook_response(void *user, H2Name name, Arena *arena, const ResponseHead *response,
                          HttpFault fault, bool last)
{
    MuxHead head = {.response = *response, .fault = fault, .last = last};
    head_arrived(mux_from(user), name, arena, &head);
}

static void hook_data(void *user, H2Name name, Str bytes)
{
    Mux *m = mux_from(user);
    MuxStream *s = stream_named(m, name);
    bool wanted = s && (!s->started || s->user != TOKEN_NONE);
    m->spoken = true;
    m->spoke_ms = m->thread->now_ms;
    m->owed += bytes.len;
    if (!wanted && s) { /* its exchange is over: discard */
        h2_open_stream(m->h2, s->id, bytes.len);
    } else if (wanted && buf_add(&s->in, &m->thread->buf_blocks, bytes) == ERR_OK) {
        m->held += bytes.len;
        mux_stream_again(m->thread, s);
    } else if (wanted) {
        stream_overflows(m, s);
    }
    (void)mux_window_open(m);
}

static void hook_end(void *user, H2Name name)
{
    Mux *m = mux_from(user);
    MuxStream *s = stream_named(m, name);
    if (s) {
        s->in_ended = true;
        mux_stream_again(m->thread, s);
    }
}

static void hook_trailers(void *user, H2Name name, Arena *arena, const Fields *fields)
{
    MuxStream *s = stream_named(mux_from(user), name);
    if (s && s->trailers_in.count == 0) {
        s->trailers_in_arena = *arena;
        s->trailers_in = *fields;
        arena_init(arena, s->trailers_in_arena.blocks, s->trailers_in_arena.max_bytes);
    }
}

static H2Message *hook_message(void *user, H2Name name)
{
    MuxStream *s = stream_named(mux_from(user), name);
    return s ? &s->message : NULL;
}

static void hook_broken(void *user, H2Name name, HttpFault fault)
{
    Mux *m = mux_from(user);
    MuxStream *s = stream_named(m, name);
    if (!s) {
        return;
    }
    s->fault = fault;
    if (m->server && !s->started && !s->heads) {
        m->unread++; /* counted here: it gets no access record */
        m->unread_fault = fault_of_request(fault);
        counter_add(&m->thread->faults[m->unread_fault], 1);
    } else {
        mux_stream_again(m->thread, s);
    }
}

static void hook_closed(void *user, H2Name name, uint32_t code)
{
    Mux *m = mux_from(user);
    MuxStream *s = stream_named(m, name);
    if (!s) {
        return;
    }
    s->closed = true;
    s->code = code;
    if (s->user == TOKEN_NONE) {
        mux_stream_free(m->thread, m, s);
    } else {
        mux_stream_again(m->thread, s);
    }
}

static size_t hook_waiting(void *user, H2Name name, bool *ret_last)
{
    MuxStream *s = stream_named(mux_from(user), name);
    *ret_last = s ? s->out_ended : true;
    return s ? s->out.len + s->direct.len : 0;
}

static void hook_pull(void *user, H2Name name, size_t n, Text *out)
{
    Mux *m = mux_from(user);
    MuxStream *s = stream_named(m, name);
    if (!s) {
        return;
    }
    size_t queued = size_min(n, s->out.len);
    Span room = span_take(span_drop(out->room, out->len), queued);
    out->len += buf_peek(&s->out, room);
    buf_skip(&s->out, &m->thread->buf_blocks, queued);
    m->queued -= queued;
    text_add(out, str_take(s->direct, n - queued));
    s->direct = str_drop(s->direct, n - queued);
    s->moved_out += n;
    s->pulled = true;
    if (s->out.len == 0 && s->direct.len == 0 && s->user != TOKEN_NONE) {
        mux_stream_again(m->thread, s); /* the user may give more */
    }
}

static bool hook_send_trailers(void *user, H2Name name)
{
    Mux *m = mux_from(user);
    MuxStream *s = stream_named(m, name);
    if (!s) {
        return false;
    }
    s->out_done = true;
    return s->trailers_out_count > 0 &&
           h2_trailers(m->h2, s->id, s->trailers_out, s->trailers_out_count) == ERR_OK;
}

const H2Hooks mux_stream_hooks = {
    .begin = hook_begin,
    .request = hook_request,
    .response = hook_response,
    .data = hook_data,
    .end = hook_end,
    .trailers = hook_trailers,
    .broken = hook_broken,
    .message = hook_message,
    .closed = hook_closed,
    .waiting = hook_waiting,
    .pull = hook_pull,
    .send_trailers = hook_send_trailers,
};

/* --- streams --------------------------------------------------------------------------------- */

uint32_t mux_room(const Mux *m)
{
    uint32_t room = m->leaving || m->failed ? 0 : h2_room(m->h2);
    return room > m->opening ? room - m->opening : 0;
}

MuxStream *mux_stream_open(Mux *m, Token user)
{
    MuxStream *s = stream_new(m, 0);
    if (s) {
        s->user = user;
        s->started = true;
        m->opening++;
    }
    return s;
}

void mux_consume(Thread *t, MuxStream *s, size_t n)
{
    buf_skip(&s->in, &t->buf_blocks, n);
    Mux *m = s->mux;
    if (m && n > 0) {
        held_drop(m, n);
        if (!s->closed) {
            h2_open_stream(m->h2, s->id, n);
        }
        mux_flush_later(t, m);
    }
}

uint64_t mux_look(const Thread *t, MuxStream *s, uint64_t timeout_ms, uint64_t *progress_ms,
                   size_t *ret_moved)
{
    const Mux *m = s->mux;
    *ret_moved = 0;
    if (!m || s->closed) {
        return UINT64_MAX;
    }
    const Wire *w = m->wire;
    if (w->out.len > 0 && h2_has_window(m->h2, s->id)) {
        return UINT64_MAX; /* mux_moved counts it */
    }
    uint64_t apart_ms = u64_max(timeout_ms / WIRE_LOOKS, 1);
    if (s->pulled) {
        s->pulled = false;
        s->end = wire_end(w);
        s->look_ms = s->looked ? u64_min(s->look_ms, t->now_ms + apart_ms) : s->look_ms;
    }
    if (s->look_ms == 0) {
        s->look_ms = t->now_ms + apart_ms; /* regardless of what moves until then */
    }
    if (s->look_ms > t->now_ms) {
        return s->look_ms;
    }
    uint64_t acked = u64_min(wire_acked(w), s->end);
    if (s->looked && acked > s->acked) {
        *ret_moved = (size_t)(acked - s->acked);
        *progress_ms = t->now_ms;
    }
    s->looked = true;
    s->acked = acked;
    s->look_ms = acked < s->end ? t->now_ms + apart_ms : UINT64_MAX;
    return s->look_ms;
}

/* Gives both directions this long to finish, for as long as data moves. */
static void stream_linger(Thread *t, MuxStream *s)
{
    Token token = token_of(TOKEN_STREAM, s->self);
    uint64_t due_ms = t->now_ms + s->linger_ms;
    CHECK(timer_set(&t->wheel, &s->timer, due_ms, token) == ERR_OK);
}

void mux_stream_leave(Thread *t, MuxStream *s, uint32_t code, uint64_t linger_ms,
                      uint64_t rate_min)
{
    Mux *m = s->mux;
    mux_consume(t, s, s->in.len);
    s->user = TOKEN_NONE;
    s->started = true;
    bool unsent = m && !s->closed && !m->server && s->id != 0 && h2_withdraw(m->h2, s->id);
    if (m) {
        mux_flush_later(t, m); /* even without a stream: the connection may end with its last one */
    }
    if (!m || s->closed || s->id == 0 || unsent) {
        mux_stream_free(t, m, s);
        return;
    }
    s->left = true;
    m->left++;
    m->idle_ms = t->now_ms;
    if (code != H2_NO_ERROR || !s->out_ended) {
        h2_reset(m->h2, s->id, code == H2_NO_ERROR ? H2_CANCEL : code);
        return;
    }
    s->linger_ms = linger_ms;
    s->linger_bytes = linger_ms * rate_min / 1000;
    stream_linger(t, s);
}

/* The lingering time is over. */
static void linger_over(Thread *t, Mux *m, MuxStream *s)
{
    uint64_t progress_ms = 0;
    s->look_ms = s->looked ? s->look_ms : t->now_ms; /* the first look is now */
    size_t acked = 0;
    size_t moved = mux_moved(s);
    bool first = !s->looked;
    uint64_t look_ms = mux_look(t, s, s->linger_ms, &progress_ms, &acked);
    moved += acked;
    bool enough = moved > 0 && moved >= s->linger_bytes;
    if (enough || (first && look_ms != UINT64_MAX)) {
        stream_linger(t, s); /* it is progressing; or earlier bytes may be on their way */
        return;
    }
    h2_reset(m->h2, s->id, s->out_done ? H2_NO_ERROR : H2_CANCEL);
    mux_flush_later(t, m);
}

Token mux_stream_on_timer(Thread *t, Handle h)
{
    MuxStream *s = mux_stream_get(t, h);
    if (s && s->user == TOKEN_NONE && s->mux && !s->closed) {
        linger_over(t, s->mux, s);
    }
    return s ? s->user : TOKEN_NONE;
}

/* Keeps a copy of the trailer section until the body ends. */
static bool trailers_keep(MuxStream *s, const Fields *trailers)
{
    Arena *a = &s->trailers_out_arena;
    H2Field *list = arena_array(a, H2Field, trailers->count + 1);
    for (size_t i = 0; list && i < trailers->count; i++) {
        const Field *f = &trailers->at[i];
        Span name;
        if (f->dropped) {
            continue;
        }
        if (!arena_span(a, f->name.len, &name) ||
            !arena_copy(a, f->value, &list[s->trailers_out_count].value)) {
            return false;
        }
        for (size_t k = 0; k < f->name.len; k++) {
            name.at[k] = byte_lower(f->name.at[k]);
        }
        list[s->trailers_out_count++].name = span_str(name);
    }
    s->trailers_out = list;
    return list != NULL;
}

/* Queues bytes in `out` for the peer. */
static Err queue_add(Thread *t, Mux *m, MuxStream *s, Str data)
{
    TRY(buf_add(&s->out, &t->buf_blocks, data));
    m->queued += data.len;
    return ERR_OK;
}

size_t mux_send_room(const MuxStream *s)
{
    const Mux *m = s->mux;
    return m && m->queued > MUX_QUEUED_MANY ? THREAD_READ_BYTES_MIN : THREAD_READ_BYTES_SLOW;
}

Err mux_send(Thread *t, MuxStream *s, Str data, bool last, const Fields *trailers)
{
    Mux *m = s->mux;
    if (!m || s->closed) {
        return ERR_CLOSED;
    }
    if (last && trailers && trailers->count > 0 && !trailers_keep(s, trailers)) {
        return ERR_MEMORY;
    }
    s->out_ended |= last;
    bool direct = data.len >= MUX_DIRECT_BYTES_MIN;
    if (!direct) {
        TRY(queue_add(t, m, s, data));
        h2_resume(m->h2, s->id);
        mux_flush_later(t, m);
        return ERR_OK;
    }
    s->direct = data;
    h2_resume(m->h2, s->id);
    Err err = mux_flush(t, m);
    Str rest = s->direct;
    s->direct = STR_NONE;
    if (err != ERR_OK || m->wire->out.len > 0) {
        mux_flush_later(t, m); /* its owner then sees the failure, or watches the peer */
    }
    if (err == ERR_OK) {
        err = queue_add(t, m, s, rest);
    }
    return err == ERR_OK || err == ERR_MEMORY ? err : ERR_CLOSED;
}

uint64_t mux_spoke_ms(const MuxStream *s)
{
    const Mux *m = s->mux;
    return m ? m->spoke_ms : 0;
}

size_t mux_moved(MuxStream *s)
{
    size_t moved = s->moved_out;
    const Mux *m = s->mux;
    s->moved_out = 0;
    if (m) {
        bool waits = s->out.len > 0 && m->moved != s->moved_seen && h2_has_window(m->h2, s->id);
        moved += waits ? (size_t)(m->moved - s->moved_seen) : 0;
        s->moved_seen = m->moved;
    }
    return moved;
}
