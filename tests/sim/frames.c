/* frames.c - peers that have gone nasty: from some moment on a connection of HTTP/2 carries frames
 * that are written by hand, half, lying, forbidden, in floods or drop by drop. What comes back is
 * thrown away.
 *
 * Nothing is expected for what such a connection asks, or answers; but it must end, and nothing of
 * it may be left, or be felt by others. */
#include <string.h>

#include "base/number.h"
#include "trial.h"

enum { DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION, UNKNOWN };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };

#define RAW_FIRST 2001 /* streams below were opened by the codec */
#define FLOOD_MAX 3000u
#define BLOCK_BYTES 200u

typedef struct Step {
    bool (*does)(Party *p, unsigned step); /* false: it was the last */
    uint64_t gap_ns;
    const char *name;
} Step;

/* A frame whose head says `says` bytes, and has those of `payload`. */
static void frame_says(Party *p, size_t says, uint8_t type, uint8_t flags, int32_t stream,
                       Str payload)
{
    uint32_t id = (uint32_t)stream;
    uint8_t head[9] = {(uint8_t)(says >> 16), (uint8_t)(says >> 8), (uint8_t)says, type, flags,
                       (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    peer_say(p, str_of(head, sizeof head));
    peer_say(p, payload);
}

static void frame(Party *p, uint8_t type, uint8_t flags, int32_t stream, Str payload)
{
    frame_says(p, payload.len, type, flags, stream, payload);
}

static void frame_number(Party *p, uint8_t type, int32_t stream, uint32_t number)
{
    uint8_t at[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                     (uint8_t)number};
    frame(p, type, 0, stream, str_of(at, sizeof at));
}

static void setting(Party *p, uint8_t name, uint32_t value)
{
    uint8_t at[6] = {0, name, (uint8_t)(value >> 24), (uint8_t)(value >> 16),
                     (uint8_t)(value >> 8), (uint8_t)value};
    frame(p, SETTINGS, 0, 0, str_of(at, sizeof at));
}

static void ping(Party *p)
{
    frame(p, PING, 0, 0, S("12345678"));
}

/* Some bytes of a body, or of nothing. */
static Str filler(size_t n)
{
    const uint8_t *at = pattern_at(1, 0, &n);
    return str_of(at, n);
}

/* --- heads ----------------------------------------------------------------------------------- */

/* A client: the next request, which it asks for (no codec does); else an answer. Literals alone, so
 * that the tables of both sides stay as they are. */
static Str block(Party *p, bool post, uint8_t room[BLOCK_BYTES])
{
    Text out = text_in(span_of(room, BLOCK_BYTES));
    if (!p->client) {
        text_add(&out, S("\x88"));
        return text_str(&out);
    }
    char path[100] = "/1/0/plain";
    Ask *a = client_asks(p);
    p->raw_stream = p->raw_stream < RAW_FIRST ? RAW_FIRST : p->raw_stream + 2;
    if (a) {
        a->stream = p->raw_stream;
        a->garbled = true;
        ask_path(a, path, sizeof path);
    }
    uint8_t len = (uint8_t)strlen(path);
    text_add(&out, post ? S("\x83") : S("\x82"));
    text_add(&out, p->tls ? S("\x87") : S("\x86"));
    text_add(&out, S("\x01\x01x\x04"));
    text_add(&out, str_of(&len, 1));
    text_add(&out, str_of(path, len));
    return text_str(&out);
}

static void head(Party *p, bool post, uint8_t flags, Str more)
{
    uint8_t room[BLOCK_BYTES];
    static uint8_t all[2 * BLOCK_BYTES];
    Text out = text_in(span_of(all, sizeof all));
    text_add(&out, block(p, post, room));
    text_add(&out, more);
    frame(p, HEADERS, flags, p->raw_stream, text_str(&out));
}

/* --- scripts --------------------------------------------------------------------------------- */

static bool half_frame(Party *p, unsigned step)
{
    static const uint8_t types[] = {HEADERS, DATA, SETTINGS, PING, UNKNOWN, GOAWAY, CONTINUATION};
    uint8_t type = types[trial_pick(sizeof types)];
    (void)step;
    if (trial_pick(2)) {
        head(p, true, END_HEADERS, STR_NONE);
    }
    bool whole = type == SETTINGS || type == PING || type == GOAWAY;
    size_t says = type == PING ? 8 : type == SETTINGS ? 12 : 1 + trial_pick(16000);
    frame_says(p, says, type, 0, whole ? 0 : p->raw_stream, filler(trial_pick(says)));
    return false;
}

static bool lying_length(Party *p, unsigned step)
{
    static const struct {
        uint8_t type;
        uint8_t flags;
        uint32_t says;
        bool stream;
    } lies[] = {{WINDOW, 0, 3, true}, {PING, 0, 7, false}, {SETTINGS, 0, 5, false},
                {SETTINGS, ACK, 6, false}, {RST, 0, 3, true}, {PRIORITY, 0, 4, true},
                {GOAWAY, 0, 7, false}, {DATA, 0, 0xffffff, true}, {HEADERS, 0, 0xffffff, true},
                {DATA, PADDED, 1, true}, {UNKNOWN, 0, 0xffffff, false}, {DATA, 0, 16385, true}};
    size_t i = trial_pick(sizeof lies / sizeof lies[0]);
    (void)step;
    head(p, true, END_HEADERS, STR_NONE);
    Str bytes = lies[i].flags == PADDED ? S("\xff") : filler(lies[i].says);
    frame_says(p, lies[i].says, lies[i].type, lies[i].flags, lies[i].stream ? p->raw_stream : 0,
               bytes);
    return false;
}

static bool behind_the_end(Party *p, unsigned step)
{
    (void)step;
    if (trial_pick(2)) {
        head(p, false, END_HEADERS | END_STREAM, STR_NONE);
    } else {
        head(p, true, END_HEADERS, STR_NONE);
        frame(p, DATA, END_STREAM, p->raw_stream, filler(100));
    }
    for (unsigned n = 1 + (unsigned)trial_pick(50); n > 0; n--) {
        frame(p, DATA, trial_pick(9) ? 0 : END_STREAM, p->raw_stream, filler(trial_pick(2000)));
    }
    return false;
}

static bool reset_at_once(Party *p, unsigned step)
{
    for (unsigned n = 1 + (unsigned)trial_pick(p->client ? 20 : 3); n > 0; n--) {
        head(p, trial_pick(2), END_HEADERS, STR_NONE);
        frame_number(p, RST, p->raw_stream, (uint32_t)trial_pick(15));
        if (trial_pick(3) == 0) {
            frame(p, DATA, END_STREAM, p->raw_stream, filler(20));
        }
    }
    return step < 3;
}

/* SETTINGS that take back the window of what is being sent, and give it again, or drop by drop. */
static bool shrinks(Party *p, unsigned step)
{
    if (step == 0) {
        head(p, false, END_HEADERS | (p->client ? END_STREAM : 0), STR_NONE);
    }
    setting(p, 4, step % 2 ? (uint32_t)trial_pick(100000) : (uint32_t)trial_pick(2));
    if (trial_pick(2)) {
        frame_number(p, WINDOW, p->raw_stream, 1 + (uint32_t)trial_pick(3));
    }
    return step < 40;
}

static bool window_drips(Party *p, unsigned step)
{
    if (step == 0) {
        setting(p, 4, 0);
        head(p, false, END_HEADERS | (p->client ? END_STREAM : 0), STR_NONE);
    }
    frame_number(p, WINDOW, p->raw_stream, 1);
    return true;
}

static bool bad_window(Party *p, unsigned step)
{
    (void)step;
    if (trial_pick(2)) {
        head(p, false, END_HEADERS, STR_NONE);
    }
    uint32_t by = trial_pick(2) ? 0 : 0x7fffffff;
    frame_number(p, WINDOW, trial_pick(2) ? p->raw_stream : 0, by);
    frame_number(p, WINDOW, trial_pick(2) ? p->raw_stream : 0, by);
    if (trial_pick(2)) {
        setting(p, 4, 0x80000000u >> trial_pick(2));
    }
    return false;
}

static bool storm(Party *p, unsigned step)
{
    p->raw_deaf = trial_pick(2);
    uint64_t kind = trial_pick(5);
    for (unsigned n = (unsigned)trial_pick(FLOOD_MAX); n > 0 && p->out.len < 100000; n--) {
        switch (kind) {
        case 0: setting(p, 4, 1000 + n); break;
        case 1: frame(p, PRIORITY, 0, RAW_FIRST + 2 * (int32_t)n, S("\0\0\0\0\x01")); break;
        case 2: frame(p, DATA, 0, p->raw_stream, STR_NONE); break;
        case 3: frame(p, UNKNOWN, 0, 0, STR_NONE); break;
        default: ping(p); break;
        }
    }
    return step < 10;
}

static bool pings_for_ever(Party *p, unsigned step)
{
    (void)step;
    ping(p);
    return true;
}

static bool says_goodbye(Party *p, unsigned step)
{
    if (step == 0 && trial_pick(2)) {
        head(p, true, END_HEADERS, STR_NONE);
    }
    frame(p, GOAWAY, 0, 0, S("\0\0\0\0\0\0\0\0"));
    if (trial_pick(2)) { /* and goes on as if it had not */
        head(p, false, END_HEADERS, STR_NONE);
        frame(p, DATA, 0, p->raw_stream, filler(200));
    }
    return step < trial_pick(4);
}

static bool continues(Party *p, unsigned step)
{
    uint8_t room[BLOCK_BYTES];
    if (step == 0) {
        frame(p, HEADERS, 0, p->raw_stream, str_take(block(p, false, room), 1));
    }
    frame(p, CONTINUATION, 0, p->raw_stream, step % 3 ? S("\x0f") : STR_NONE);
    return true;
}

static bool continues_in_a_flood(Party *p, unsigned step)
{
    (void)step;
    head(p, false, 0, STR_NONE);
    for (unsigned n = (unsigned)trial_pick(FLOOD_MAX); n > 0; n--) {
        frame(p, CONTINUATION, 0, p->raw_stream, trial_pick(2) ? S("\0\x01q\x01q") : STR_NONE);
    }
    return false;
}

static bool interrupts(Party *p, unsigned step)
{
    (void)step;
    if (trial_pick(2)) {
        head(p, false, 0, STR_NONE);
        ping(p);
    } else {
        frame(p, CONTINUATION, END_HEADERS, 1, S("\x82"));
    }
    return false;
}

static bool data_drips(Party *p, unsigned step)
{
    if (step == 0) {
        head(p, true, END_HEADERS, STR_NONE);
    }
    frame(p, DATA, 0, p->raw_stream, filler(step % 2));
    return true;
}

static bool data_flood(Party *p, unsigned step)
{
    if (step == 0) {
        head(p, true, END_HEADERS, STR_NONE);
    }
    while (p->out.len < 100000) { /* whatever the window says */
        frame(p, DATA, 0, p->raw_stream, filler(16384));
    }
    return step < 40;
}

static bool bad_head(Party *p, unsigned step)
{
    static const Str fields[] = {
        S("\0\x03" "Bad\x01q"), S("\0\x0a" "connection\x05" "close"), S("\0\x02te\x04gzip"),
        S("\x0f\x0d\x02" "10"), S("\0\x04:bad\x01q"), S("\0\x01q\x02\r\n"), S("\xff\xff\xff\xff"),
        S("\0\x11transfer-encoding\x07" "chunked"), S("\x0f\x0d\x01" "1\x0f\x0d\x01" "2")};
    head(p, trial_pick(2), END_HEADERS | (trial_pick(2) ? END_STREAM : 0),
         fields[trial_pick(sizeof fields / sizeof fields[0])]);
    frame(p, DATA, END_STREAM, p->raw_stream, filler(trial_pick(20)));
    return step < 5;
}

static bool wrong_place(Party *p, unsigned step)
{
    uint8_t room[BLOCK_BYTES];
    Str b = block(p, false, room);
    int32_t at = trial_pick(2) ? 2 : (int32_t)trial_pick(2);
    (void)step;
    frame(p, trial_pick(2) ? HEADERS : DATA, END_HEADERS, at, b);
    frame(p, PUSH, END_HEADERS, p->raw_stream, S("\0\0\0\x02\x82"));
    return false;
}

/* An origin that allows one stream, and many again. */
static bool fewer_streams(Party *p, unsigned step)
{
    setting(p, 3, step % 2 ? 100 : 1);
    return step < 300;
}

static bool noise(Party *p, unsigned step)
{
    uint8_t bytes[100];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)trial_pick(256);
    }
    peer_say(p, str_of(bytes, sizeof bytes));
    return step < 5;
}

static const Step scripts[] = {
    {half_frame, 0, "half a frame"},
    {lying_length, 0, "a length that lies"},
    {behind_the_end, 0, "DATA after the end"},
    {reset_at_once, 100 * LAN_MS, "resets at once"},
    {shrinks, 300 * LAN_MS, "windows that shrink"},
    {window_drips, LAN_S, "a window that opens byte by byte"},
    {bad_window, 0, "windows of nought, or too large"},
    {storm, 20 * LAN_MS, "storms"},
    {pings_for_ever, LAN_S, "PINGs for ever"},
    {says_goodbye, 500 * LAN_MS, "GOAWAY in between"},
    {continues, LAN_S, "CONTINUATIONs that drip"},
    {continues_in_a_flood, 0, "a flood of CONTINUATIONs"},
    {interrupts, 0, "a header block that is interrupted"},
    {data_drips, LAN_S, "DATA that drips"},
    {data_flood, 10 * LAN_MS, "DATA beyond the window"},
    {bad_head, 50 * LAN_MS, "malformed heads"},
    {wrong_place, 0, "frames on streams of others"},
    {fewer_streams, 5 * LAN_MS, "fewer streams, and more"},
    {noise, 50 * LAN_MS, "noise"},
};

const char *frames_name(const Party *p)
{
    return scripts[p->raw_script].name;
}

/* --- the course ------------------------------------------------------------------------------ */

void frames_begin(Party *p)
{
    p->raw = true;
    p->raw_ns = lan_now_ns();
    p->raw_script = (uint8_t)trial_pick(sizeof scripts / sizeof scripts[0]);
    p->raw_stream = 1;
    for (unsigned i = 0; i < trial->ask_count; i++) {
        Ask *a = &trial->asks[i];
        if (!a->over && p->client && a->peer == p->self && a->client == p->number) {
            a->tainted = true;
            a->garbled = true;
            p->raw_stream = a->stream;
        }
    }
    for (unsigned i = 0; i < trial->serves_touched; i++) {
        Serve *s = &trial->serves[i];
        if (s->used && s->peer == p->self && !p->client) {
            p->raw_stream = s->stream;
            if (s->ask) {
                s->ask->tainted = true;
                s->ask->garbled = true;
            }
        }
    }
    frames_go_on(p);
}

/* What it does when all is said: it breaks off, finishes, or is silent until River has enough. */
static void frames_end(Party *p)
{
    p->raw_done = true;
    switch (trial_pick(4)) {
    case 0: p->ending = true; break;
    case 1: p->raw_cuts = true; break;
    default: break;
    }
}

void frames_go_on(Party *p)
{
    if (p->raw_done || trial->calm) {
        return;
    }
    if (lan_now_ns() < p->raw_next_ns) {
        peer_wake_at(p, p->raw_next_ns);
        return;
    }
    const Step *s = &scripts[p->raw_script];
    if (!s->does(p, p->raw_step++)) {
        frames_end(p);
        return;
    }
    p->raw_next_ns = lan_now_ns() + s->gap_ns;
    peer_wake_at(p, p->raw_next_ns);
}

/* Whether such a connection is still there. */
bool frames_linger(void)
{
    for (int i = 0; i < trial->peers_touched; i++) {
        const Party *p = &trial->peers[i];
        if (p->used && p->raw && !p->gone && !lan_is_left(p->end)) {
            return true;
        }
    }
    return false;
}
