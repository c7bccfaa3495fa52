/* mux.c - one HTTP/2 connection between its wire, its session and its streams (mux_stream.c). */
#include "transport/mux_stream.h"

#include "base/number.h"

#define READ_BYTES (64u << 10)
#define SHUT_MS 1000u

Mux *mux_new(Thread *t, Wire *w, bool server, const HeadLimits *limits, uint32_t streams_max)
{
    Budget *budget = &t->group->budget;
    Mux *m = (Mux *)memory_new(budget, sizeof *m);
    if (!m) {
        return NULL;
    }
    *m = (Mux){.thread = t,
               .wire = w,
               .server = server,
               .streams_max = streams_max,
               .held_max = server ? MUX_CLIENT_HELD_MAX : UINT64_MAX,
               .spoken = true,
               .begun_ms = t->now_ms,
               .idle_ms = t->now_ms,
               .progress_ms = t->now_ms,
               .heard_ms = t->now_ms};
    H2Plan plan = {.server = server,
                   .limits = {.head = *limits,
                              .streams_max = streams_max,
                              .stream_window = MUX_STREAM_WINDOW,
                              .window = MUX_WINDOW},
                   .hooks = &mux_stream_hooks,
                   .user = m,
                   .budget = budget,
                   .blocks = &t->arena_blocks};
    m->h2 = h2_new(&plan);
    if (!m->h2) {
        memory_drop(budget, m, sizeof *m);
        return NULL;
    }
    mux_flush_later(t, m);
    return m;
}

void mux_drop(Thread *t, Mux *m)
{
    H2 *h2 = m->h2;
    m->h2 = NULL;
    Handle h = m->streams.first;
    MuxStream *s;
    while ((s = mux_stream_get(t, h)) != NULL) {
        h = s->links.next;
        if (!s->closed) {
            bool unsent = !m->server && s->id != 0 && h2_withdraw(h2, s->id);
            s->closed = true;
            s->code = m->refused ? MUX_REFUSED : unsent ? H2_REFUSED_STREAM : MUX_LOST;
        }
        if (s->user == TOKEN_NONE) {
            mux_stream_free(t, m, s);
        } else {
            mux_stream_again(t, s);
        }
    }
    h2_drop(h2);
    /* Streams that still have a user live until the user leaves them. */
    for (s = mux_stream_get(t, m->streams.first); s; s = mux_stream_get(t, h)) {
        h = s->links.next;
        s->mux = NULL;
        s->links = (HandleLinks){.next = HANDLE_NONE, .previous = HANDLE_NONE};
    }
    memory_drop(&t->group->budget, m, sizeof *m);
}

/* The origin allows fewer streams than before. Requests beyond the limit that have not been sent
 * yet are withdrawn, and wait where any connection may take them. */
static void unsent_leave(Thread *t, Mux *m)
{
    uint32_t open = 0;
    for (MuxStream *s = mux_stream_get(t, m->streams.first); s;
         s = mux_stream_get(t, s->links.next)) {
        open += !s->closed && s->id != 0;
    }
    Handle h = m->streams.first;
    MuxStream *s;
    while (open > m->streams_max && (s = mux_stream_get(t, h)) != NULL) { /* newest first */
        h = s->links.next;
        if (!s->closed && s->id != 0 && h2_withdraw(m->h2, s->id)) {
            open--;
            s->closed = true;
            s->code = H2_REFUSED_STREAM;
            mux_stream_again(t, s);
        }
    }
}

/* Checks whether the origin has changed its limit on streams. */
static void streams_max_follow(Mux *m)
{
    uint32_t max = h2_streams_max(m->h2);
    bool fewer = max < m->streams_max;
    m->streams_max = max;
    if (fewer) {
        unsent_leave(m->thread, m);
    }
}

Err mux_feed(Mux *m, Str bytes)
{
    Err err = h2_feed(m->h2, bytes);
    if (!m->server) {
        streams_max_follow(m);
    }
    uint64_t whole = 0;
    bool partial = h2_is_partial(m->h2, &whole);
    bool fresh = m->partial_ms == 0 || whole != m->whole;
    m->partial_ms = !partial ? 0 : fresh ? m->thread->now_ms : m->partial_ms;
    m->whole = whole;
    m->heard_ms = m->thread->now_ms;
    m->pinged = false;
    m->silent = false;
    m->failed |= err != ERR_OK;
    mux_flush_later(m->thread, m);
    return err;
}

Err mux_receive(Thread *t, Mux *m)
{
    Wire *w = m->wire;
    size_t received = 0;
    size_t room = thread_is_tight(t) ? THREAD_READ_BYTES_MIN : READ_BYTES;
    if (!w->readable) {
        return w->broken ? ERR_RESET : ERR_AGAIN;
    }
    Err err = wire_receive(w, &t->wires, span_take(t->input, room), &received);
    if (err != ERR_OK) {
        return err == ERR_AGAIN || err == ERR_CLOSED ? err : ERR_RESET;
    }
    if (w->readable) {
        thread_again_wire(t, w);
    }
    return mux_feed(m, str_take(span_str(t->input), received));
}

Err mux_flush(Thread *t, Mux *m)
{
    Wire *w = m->wire;
    bool more = true;
    size_t sent = 0;
    TRY(wire_flush(w, &t->wires, &sent));
    m->moved += sent;
    if (sent > 0 || w->out.len == 0) {
        m->progress_ms = t->now_ms;
    }
    while (more && w->out.len == 0) {
        Text out = text_in(t->output);
        Err err = h2_take(m->h2, &out, &more);
        Str bytes = text_str(&out);
        if (bytes.len > 0) {
            TRY(wire_send(w, &t->wires, &bytes, 1));
            m->moved += w->out.len == 0 ? bytes.len : 0;
        }
        if (err != ERR_OK) {
            m->failed = true;
            return err;
        }
        if (bytes.len == 0) {
            break;
        }
    }
    bool shut = h2_is_shut(m->h2);
    m->shut_ms = !shut ? 0 : m->shut_ms ? m->shut_ms : t->now_ms;
    if (m->pinged && m->ping_ms == 0 && w->out.len == 0) {
        m->ping_ms = t->now_ms;
    }
    return ERR_OK;
}

/* --- deadlines ------------------------------------------------------------------------------- */

void mux_ping(Thread *t, Mux *m)
{
    if (!m->pinged && !m->failed) {
        m->pinged = true;
        m->spoken = false;
        m->ping_ms = 0;
        h2_ping(m->h2);
        mux_flush_later(t, m);
    }
}

/* Pings a peer that is silent while it has streams to serve. */
static MuxLate quiet_late(Thread *t, Mux *m, const MuxPatience *p, uint64_t *due_ms)
{
    if (m->pinged) {
        uint64_t next_ms = m->ping_ms + (m->silent ? MUX_DEAD_MS : p->silent_ms);
        if (m->ping_ms == 0 || next_ms > t->now_ms) {
            *due_ms = m->ping_ms == 0 ? *due_ms : u64_min(*due_ms, next_ms);
            return MUX_IN_TIME;
        }
        bool dead = m->silent;
        m->silent = true;
        return dead ? MUX_DEAD : MUX_SILENT;
    }
    if (m->count == 0) {
        return MUX_IN_TIME;
    }
    uint64_t quiet_ms = m->heard_ms + p->quiet_ms;
    uint64_t next_ms = m->spoken ? 0 : m->ping_ms + p->apart_ms;
    uint64_t ask_ms = u64_max(quiet_ms, next_ms);
    if (ask_ms > t->now_ms) {
        *due_ms = u64_min(*due_ms, ask_ms);
        return MUX_IN_TIME;
    }
    mux_ping(t, m); /* the flush that this triggers comes back here */
    return MUX_IN_TIME;
}

MuxLate mux_late(Thread *t, Mux *m, const MuxPatience *p, uint64_t *ret_due_ms)
{
    Wire *w = m->wire;
    uint64_t due_ms = UNLIKELY(mux_window_open(m)) ? t->now_ms + MUX_OWED_MS : UINT64_MAX;
    if (w->out.len > 0) { /* nothing else can be sent or asked before that is taken */
        size_t moved = 0;
        uint64_t look_ms = wire_watch(w, t->now_ms, p->send_ms, &m->progress_ms, &moved);
        m->moved += moved;
        *ret_due_ms = u64_min(due_ms, u64_min(look_ms, m->progress_ms + p->send_ms));
        return m->progress_ms + p->send_ms <= t->now_ms ? MUX_UNREAD : MUX_IN_TIME;
    }
    uint64_t slow_ms = m->partial_ms ? m->partial_ms + p->head_ms : UINT64_MAX;
    if (!h2_is_greeted(m->h2)) {
        slow_ms = u64_min(slow_ms, m->begun_ms + p->head_ms);
    }
    if (slow_ms <= t->now_ms) {
        return MUX_SLOW;
    }
    due_ms = u64_min(due_ms, slow_ms);
    if (!m->leaving) {
        uint64_t leave_ms = m->leave_ms ? m->leave_ms : UINT64_MAX;
        leave_ms = m->count == 0 ? u64_min(leave_ms, m->idle_ms + p->idle_ms) : leave_ms;
        if (leave_ms <= t->now_ms) {
            return MUX_IDLE;
        }
        due_ms = u64_min(due_ms, leave_ms);
    }
    /* A peer that has half-closed cannot answer a PING. */
    MuxLate late = w->ended ? MUX_IN_TIME : quiet_late(t, m, p, &due_ms);
    *ret_due_ms = due_ms;
    return late;
}

/* --- goodbyes -------------------------------------------------------------------------------- */

void mux_flush_later(Thread *t, Mux *m)
{
    if (!m->flushing) {
        m->flushing = true;
        thread_flush_token(t, m->wire->owner);
    }
}

void mux_notify(Thread *t, Mux *m, uint64_t leave_ms)
{
    if (!m->leaving && m->leave_ms == 0) {
        m->leave_ms = leave_ms;
        h2_goaway(m->h2, false);
        mux_flush_later(t, m);
    }
}

void mux_leave(Thread *t, Mux *m)
{
    if (!m->leaving) {
        m->leaving = true;
        h2_goaway(m->h2, true);
        mux_flush_later(t, m);
    }
}

void mux_end(Thread *t, Mux *m, uint32_t code)
{
    m->failed = true;
    h2_end(m->h2, code);
    mux_flush_later(t, m);
}

bool mux_is_shut(const Thread *t, const Mux *m)
{
    return m->shut_ms != 0 && t->now_ms >= m->shut_ms + SHUT_MS;
}

bool mux_is_over(const Mux *m)
{
    int32_t last = 0;
    bool ending = m->leaving || h2_peer_leaves(m->h2, &last);
    return h2_is_over(m->h2) || (ending && m->count == 0 && !h2_has_output(m->h2));
}

