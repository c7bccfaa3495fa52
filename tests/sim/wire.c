/* wire.c - replays the transcripts of tests/wire against a real exchange over the simulated
 * network: whole, byte by byte, and cut in two at every place.
 *
 * A transcript is a list of steps:
 *
 *     # a comment; the first one is the transcript's sentence
 *     client sends            what follows is written by the client
 *     | a line                ... with its CRLF behind it
 *     + bytes                 ... as they are (escapes \r \n \t \0 \xHH \\; {N*c}: N times c)
 *     origin gets             the next origin connection (or the current one) got exactly this
 *     origin sends
 *     origin closes | origin resets | origin waits (a new connection comes next)
 *     client gets             as above; a line that ends in * may go on as it likes
 *     client finishes | client resets | client connects (another client)
 *     client is open | client is closed | client is reset
 *     origin is open | origin is closed | origin got nothing
 *     time passes N           milliseconds
 *     service X               before all else: a change of the service (see changes[])
 *
 * Chunks are merged before a comparison, because their cuts depend on how the bytes came. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/chunk.h"
#include "network.h"
#include "wire_filters.h"

#define TEXT_MAX (1u << 20)
#define STEPS_MAX 256

typedef enum Verb {
    CLIENT_SENDS, CLIENT_GETS, CLIENT_FINISHES, CLIENT_RESETS, CLIENT_CONNECTS,
    CLIENT_IS_OPEN, CLIENT_IS_CLOSED, CLIENT_IS_RESET,
    ORIGIN_SENDS, ORIGIN_GETS, ORIGIN_CLOSES, ORIGIN_RESETS, ORIGIN_WAITS,
    ORIGIN_IS_OPEN, ORIGIN_IS_CLOSED, ORIGIN_GOT_NOTHING, TIME_PASSES, VERB_COUNT
} Verb;

static const char *const verbs[VERB_COUNT] = {
    "client sends", "client gets", "client finishes", "client resets", "client connects",
    "client is open", "client is closed", "client is reset",
    "origin sends", "origin gets", "origin closes", "origin resets", "origin waits",
    "origin is open", "origin is closed", "origin got nothing", "time passes",
};

typedef struct WireStep {
    Verb verb;
    unsigned line;
    size_t len;
    uint8_t *bytes;
    uint64_t number;
} WireStep;

typedef struct Script {
    char sentence[200];
    char service[64];
    size_t step_count;
    WireStep steps[STEPS_MAX];
} Script;

/* --- reading --------------------------------------------------------------------------------- */

static void add_byte(WireStep *s, int byte)
{
    CHECK(s->len < TEXT_MAX);
    s->bytes[s->len++] = (uint8_t)byte;
}

static const char *add_escape(WireStep *s, const char *p)
{
    switch (*p) {
    case 'r':
        add_byte(s, '\r');
        return p + 1;
    case 'n':
        add_byte(s, '\n');
        return p + 1;
    case 't':
        add_byte(s, '\t');
        return p + 1;
    case '0':
        add_byte(s, 0);
        return p + 1;
    case 'x':
        add_byte(s, byte_hex_value(p[1]) * 16 + byte_hex_value(p[2]));
        return p + 3;
    default:
        add_byte(s, *p);
        return p + 1;
    }
}

static void add_text(WireStep *s, const char *p)
{
    while (*p && *p != '\n') {
        unsigned times = 0;
        char c = 0;
        int used = 0;
        if (*p == '\\') {
            p = add_escape(s, p + 1);
        } else if (sscanf(p, "{%u*%c}%n", &times, &c, &used) == 2 && used > 0) {
            while (times-- > 0) {
                add_byte(s, c);
            }
            p += used;
        } else {
            add_byte(s, *p++);
        }
    }
}

static bool script_line(Script *script, const char *line, unsigned number)
{
    WireStep *last = script->step_count ? &script->steps[script->step_count - 1] : NULL;
    if (line[0] == '#') {
        if (!script->sentence[0]) {
            snprintf(script->sentence, sizeof script->sentence, "%.*s",
                     (int)strcspn(line + 1, "\n"), line + 1 + (line[1] == ' '));
        }
        return true;
    }
    if (line[0] == '\n' || line[0] == 0) {
        return true;
    }
    if ((line[0] == '|' || line[0] == '+') && last) {
        add_text(last, line[1] == ' ' ? line + 2 : line + 1);
        if (line[0] == '|') {
            add_byte(last, '\r');
            add_byte(last, '\n');
        }
        return true;
    }
    if (sscanf(line, "service %63s", script->service) == 1) {
        return true;
    }
    for (int v = 0; v < VERB_COUNT; v++) {
        size_t n = strlen(verbs[v]);
        if (strncmp(line, verbs[v], n) == 0 && script->step_count < STEPS_MAX) {
            WireStep *s = &script->steps[script->step_count++];
            *s = (WireStep){.verb = (Verb)v, .line = number};
            s->bytes = (uint8_t *)malloc(TEXT_MAX);
            s->number = strtoull(line + n, NULL, 10);
            return true;
        }
    }
    return false;
}

static bool script_read(const char *path, Script *script)
{
    FILE *file = fopen(path, "r");
    static char line[65536];
    unsigned number = 0;
    bool good = file != NULL;
    memset(script, 0, sizeof *script);
    while (good && fgets(line, sizeof line, file)) {
        good = script_line(script, line, ++number);
        if (!good) {
            printf("  %s:%u: not a step: %s", path, number, line);
        }
    }
    if (file) {
        fclose(file);
    }
    return good && script->step_count > 0;
}

static void script_drop(Script *script)
{
    for (size_t i = 0; i < script->step_count; i++) {
        free(script->steps[i].bytes);
    }
}

/* --- services -------------------------------------------------------------------------------- */

/* 192.0.2.0/24, of the parts that base/cidr.h tells of: 23 bits, then all that goes on with 0. */
static CidrFork trusted_fork = {.common = UINT64_C(0xc000020000000000), .skip = 23, .width = 1};
static uint32_t trusted_entries[] = {2, 0};
static uint64_t trusted_items[] = {63, UINT64_C(1) << 63 | 63};

static void change_forwarded(SimWorld *w)
{
    w->site.service.forwarded = (ForwardedRules){true, true, true, true, true};
}

static void change_trusting(SimWorld *w)
{
    change_forwarded(w);
    w->site.service.proxies =
        (CidrSet){.v4 = {.fork_count = 1,
                         .forks = &trusted_fork,
                         .entry_count = 2,
                         .entries = trusted_entries,
                         .item_count = 2,
                         .items = trusted_items},
                  .prefix_count = 1};
}

static void change_respond(SimWorld *w)
{
    static const Respond hello = {
        .status = 200, .content_type = S_INIT("text/plain"), .body = S_INIT("hello\n")};
    w->site.service.route = (Route){.respond = &hello};
}

static void change_host(SimWorld *w)
{
    w->site.service.host = S("inner.example");
}

static void change_small(SimWorld *w)
{
    w->site.service.limits.head = (HeadLimits){
        .head_bytes_max = 300, .fields_max = 5, .target_bytes_max = 100};
}

static void change_overload(SimWorld *w)
{
    change_small(w);
    w->site.service.limits.head_set = true;
    w->site.service.limits.overload_body = S("busy\n");
    w->site.service.limits.concurrent_requests_max = 1;
}

static void change_refuse(SimWorld *w)
{
    w->network.refuse = true;
}

static void change_strict(SimWorld *w)
{
    UriRules all = {.dot_segments = true,
                    .duplicate_slashes = true,
                    .encoded_separators = true,
                    .control_characters = true,
                    .percent_encoding = true};
    w->site.service.normalization =
        (Normalization){.paths = true, .rules = all, .refusal = {.status = 400}};
}

static void change_as_is(SimWorld *w)
{
    w->site.service.normalization = (Normalization){
        .unusual = true, .reads = true, .ambiguous = true, .refusal = {.status = 400}};
}

static const struct {
    const char *name;
    void (*change)(SimWorld *w);
} changes[] = {
    {"forwarded", change_forwarded}, {"trusting", change_trusting}, {"respond", change_respond},
    {"host", change_host},           {"small", change_small},       {"overload", change_overload},
    {"refuse", change_refuse},       {"pausing", change_pausing},   {"stuck", change_stuck},
    {"refusing", change_refusing},   {"bad-verdict", change_bad_verdict},
    {"strict", change_strict},       {"as-is", change_as_is},
};

/* --- comparing ------------------------------------------------------------------------------- */

/* Merges neighbouring chunks in all chunked messages of `from`; returns the new length. */
static size_t merge_chunks(const uint8_t *from, size_t len, uint8_t *to)
{
    size_t out = 0;
    size_t at = 0;
    while (at < len) {
        Str rest = str_of(from + at, len - at);
        size_t scanned = 0;
        size_t end = 0;
        if (head_find_end(rest, &scanned, &end) != ERR_OK) {
            break;
        }
        memcpy(to + out, from + at, end);
        bool chunked = memmem(from + at, end, "Transfer-Encoding: chunked", 26) != NULL;
        out += end;
        at += end;
        if (!chunked) {
            continue;
        }
        static uint8_t body[TEXT_MAX];
        size_t n = len - at;
        memcpy(body, from + at, n);
        ChunkDecoder d = {0};
        ChunkStep step = chunk_decode(&d, span_of(body, n));
        out += (size_t)sprintf((char *)to + out, "{%zu}", step.data);
        memcpy(to + out, body, step.data);
        out += step.data;
        at += step.consumed;
        if (!step.last) {
            break;
        }
        out += (size_t)sprintf((char *)to + out, "{end}");
    }
    memcpy(to + out, from + at, len - at);
    return out + len - at;
}

/* Compares line by line; an expected line that ends in * matches whatever goes on. */
static bool matches(Str want, Str got)
{
    while (want.len > 0) {
        StrCut w = str_cut(want, '\n');
        StrCut g = str_cut(got, '\n');
        Str line = w.found && str_ends(w.head, S("\r")) ? str_take(w.head, w.head.len - 1) : w.head;
        if (str_ends(line, S("*")) && g.found) {
            if (!str_starts(g.head, str_take(line, line.len - 1))) {
                return false;
            }
        } else if (!str_equal(w.head, g.head) || w.found != g.found) {
            return false;
        }
        want = w.tail;
        got = g.tail;
    }
    return got.len == 0;
}

static void show(const char *title, Str s)
{
    printf("    %s:\n      ", title);
    for (size_t i = 0; i < s.len && i < 1500; i++) {
        uint8_t c = s.at[i];
        if (c == '\r') {
            printf("\\r");
        } else if (c == '\n') {
            printf("\\n\n      ");
        } else if (c >= 32 && c < 127) {
            putchar(c);
        } else {
            printf("\\x%02x", c);
        }
    }
    printf("\n");
}

/* --- playing --------------------------------------------------------------------------------- */

typedef enum Mode { WHOLE, BYTES, SPLIT } Mode;

typedef struct Play {
    SimWorld world;
    const Script *script;
    Mode mode;
    size_t split; /* of all bytes that are sent, where to cut */
    size_t sent;
    int client;
    int origin;
    char failure[200];
} Play;

static void play_send(Play *p, int side, const WireStep *s)
{
    Str bytes = str_of(s->bytes, s->len);
    size_t first = p->mode == BYTES  ? 1
                   : p->mode == SPLIT && p->split > p->sent && p->split < p->sent + bytes.len
                       ? p->split - p->sent
                       : bytes.len;
    p->sent += bytes.len;
    while (bytes.len > 0) {
        sim_write(&p->world.network, side, str_take(bytes, first));
        world_settle(&p->world);
        bytes = str_drop(bytes, first);
        first = p->mode == BYTES ? 1 : bytes.len;
    }
}

static int play_origin(Play *p)
{
    if (p->origin < 0) {
        p->origin = sim_accept_origin(&p->world.network);
    }
    return p->origin;
}

static void play_get(Play *p, int side, const WireStep *s)
{
    static uint8_t raw[TEXT_MAX];
    static uint8_t got[TEXT_MAX * 2];
    static uint8_t want[TEXT_MAX * 2];
    size_t len = 0;
    size_t n;
    while (side >= 0 && (n = sim_read(&p->world.network, side,
                                      span_of(raw + len, sizeof raw - len))) > 0) {
        len += n;
        world_settle(&p->world);
    }
    Str have = str_of(got, merge_chunks(raw, len, got));
    Str expect = str_of(want, merge_chunks(s->bytes, s->len, want));
    if (!matches(expect, have)) {
        snprintf(p->failure, sizeof p->failure, "line %u: %s other bytes", s->line, verbs[s->verb]);
        printf("  %s\n", p->script->sentence);
        show("wanted", expect);
        show("got", have);
    }
}

static void play_expect(Play *p, const WireStep *s, bool holds)
{
    if (!holds) {
        snprintf(p->failure, sizeof p->failure, "line %u: not so: %s", s->line, verbs[s->verb]);
    }
}

/* River has ended its side, whether or not all was read. */
static bool side_ended(Play *p, int side)
{
    const SimSocket *s = &p->world.network.sockets[side];
    return !s->used || s->fin_in;
}

static bool play_quiet(Play *p, int side)
{
    uint8_t byte;
    return side < 0 || sim_read(&p->world.network, side, span_of(&byte, 1)) == 0;
}

static void play_step(Play *p, const WireStep *s)
{
    SimNetwork *n = &p->world.network;
    switch (s->verb) {
    case CLIENT_SENDS: play_send(p, p->client, s); break;
    case CLIENT_GETS: play_get(p, p->client, s); break;
    case CLIENT_FINISHES: sim_finish(n, p->client); break;
    case CLIENT_RESETS: sim_reset(n, p->client); break;
    case CLIENT_CONNECTS: p->client = sim_connect(n); break;
    case CLIENT_IS_OPEN: play_expect(p, s, !side_ended(p, p->client)); break;
    case CLIENT_IS_CLOSED:
        play_expect(p, s, side_ended(p, p->client) && !sim_was_reset(n, p->client));
        break;
    case CLIENT_IS_RESET: play_expect(p, s, sim_was_reset(n, p->client)); break;
    case ORIGIN_SENDS: play_send(p, play_origin(p), s); break;
    case ORIGIN_GETS: play_get(p, play_origin(p), s); break;
    case ORIGIN_CLOSES: sim_finish(n, play_origin(p)); break;
    case ORIGIN_RESETS: sim_reset(n, play_origin(p)); p->origin = -1; break;
    case ORIGIN_WAITS: p->origin = -1; break;
    case ORIGIN_IS_OPEN:
        play_expect(p, s, play_origin(p) >= 0 && !side_ended(p, p->origin));
        break;
    case ORIGIN_IS_CLOSED:
        play_expect(p, s, play_origin(p) >= 0 && side_ended(p, p->origin));
        break;
    case ORIGIN_GOT_NOTHING: play_expect(p, s, play_quiet(p, play_origin(p))); break;
    case TIME_PASSES: world_wait(&p->world, s->number); break;
    case VERB_COUNT: CHECK(false);
    }
    world_settle(&p->world);
}

/* Plays once; false on a difference, which is printed. */
static bool play(const Script *script, Mode mode, size_t split, size_t *ret_sent)
{
    static Play p;
    memset(&p, 0, sizeof p);
    void (*change)(SimWorld *) = NULL;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        change = strcmp(changes[i].name, script->service) == 0 ? changes[i].change : change;
    }
    CHECK(change || !script->service[0]);
    world_open(&p.world, 1, change);
    p.script = script;
    p.mode = mode;
    p.split = split;
    p.origin = -1;
    p.client = sim_connect(&p.world.network);
    world_settle(&p.world);
    for (size_t i = 0; i < script->step_count && !p.failure[0]; i++) {
        play_step(&p, &script->steps[i]);
    }
    size_t left = world_close(&p.world) + (size_t)wire_filter_slots;
    if (left && !p.failure[0]) {
        snprintf(p.failure, sizeof p.failure, "%zu things are left over", left);
    }
    if (p.failure[0]) {
        printf("  %s: %s (mode %d, split %zu)\n", script->sentence, p.failure, (int)mode, split);
    }
    *ret_sent = p.sent;
    return !p.failure[0];
}

static bool script_run(const Script *script)
{
    size_t sent = 0;
    bool good = play(script, WHOLE, 0, &sent);
    size_t total = sent;
    if (!good || total > 4096) {
        return good;
    }
    good = play(script, BYTES, 0, &sent);
    for (size_t at = 1; good && at < total; at++) {
        good = play(script, SPLIT, at, &sent);
    }
    return good;
}

static int wire_only(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 5 && strcmp(entry->d_name + len - 5, ".wire") == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        printf("usage: wire FOLDER [WORD]\n");
        return 2;
    }
    struct dirent **list = NULL;
    int count = scandir(argv[1], &list, wire_only, alphasort);
    unsigned passed = 0;
    unsigned failed = 0;
    static Script script;
    for (int i = 0; i < count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", argv[1], list[i]->d_name);
        if (argc == 2 || strstr(list[i]->d_name, argv[2])) {
            bool good = script_read(path, &script) && script_run(&script);
            passed += good;
            failed += !good;
            if (!good) {
                printf("FAILED %s\n", list[i]->d_name);
            }
            script_drop(&script);
        }
        free(list[i]);
    }
    free(list);
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0 || passed == 0;
}
