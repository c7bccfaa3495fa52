/* key_checker_process.c - reads the files that it was passed, and answers. */
#include "app/key_checker_process.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/files.h"
#include "app/helper_process.h"
#include "app/key_checker.h"
#include "app/pem.h"

#define MEMORY_BYTES ((uint64_t)512 << 20)
#define WHY_BYTES_MAX 256u

static const CallRow calls[] = {
    {.number = SYS_pread64},           /* regions and secrets */
    {.number = SYS_sysinfo},           /* qsort asks for the memory size */
    {.number = SYS_sched_getaffinity}, /* malloc asks how many heaps pay off */
    {.number = SYS_gettimeofday},      /* a clock that the vDSO does not serve */
};

static const HelperCage cage = {
    .calls = {.count = sizeof calls / sizeof calls[0], .rows = calls},
    .memory_bytes = MEMORY_BYTES};

static int given[REGION_SLOTS][2];
static Span public_room; /* of the last identified file */
static Str public_part;

static void checker_begin(const ChannelEnd *to)
{
    (void)to;
    for (size_t i = 0; i < REGION_SLOTS; i++) {
        given[i][0] = given[i][1] = -1;
    }
}

/* ---- bytes ---- */

static void forget_bytes(Span room)
{
    if (room.len > 0) {
        memory_wipe_span(room);
        memory_drop(NULL, room.at /* system call */, room.len);
    }
}

/* The bytes at a place; the caller must wipe the memory with forget_bytes(). */
static Err load_place(const uint64_t *place, Span *ret)
{
    size_t len = (size_t)place[3];
    *ret = (Span){0};
    if (len == 0) {
        return ERR_OK;
    }
    if (place[0] >= REGION_SLOTS || place[1] > 1 || place[3] > FILES_BYTES_MAX) {
        return ERR_RANGE;
    }
    uint8_t *at = (uint8_t *)memory_new(NULL, len);
    Span room = span_of(at, at ? len : 0);
    size_t done = 0;
    while (done < room.len) {
        Span rest = span_drop(room, done);
        ssize_t n = pread(given[place[0]][place[1]], rest.at /* system call */, rest.len,
                          (off_t)(place[2] + done));
        if (n <= 0 && errno != EINTR) {
            forget_bytes(room);
            return ERR_SYSTEM;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    *ret = room;
    return at ? ERR_OK : ERR_MEMORY;
}

/* ---- answers ---- */

static bool take_file(const HelperQuestion *question, Record *ret)
{
    const uint64_t *values = question->record->values;
    if (question->record->value_count != 3 || question->fd_count != 1 ||
        values[1] >= REGION_SLOTS || values[2] > 1) {
        return false;
    }
    int *place = &given[values[1]][values[2]];
    if (*place >= 0) {
        (void)close(*place);
    }
    *place = question->fds[0];
    ret->value_count = 1;
    return true;
}

static Err keep_public(Str whole)
{
    memory_drop(NULL, public_room.at /* system call */, public_room.len);
    uint8_t *at = (uint8_t *)memory_new(NULL, whole.len);
    public_room = span_of(at, at ? whole.len : 0);
    public_part = at ? pem_public(whole, public_room) : STR_NONE;
    return at ? ERR_OK : ERR_MEMORY;
}

static bool answer_identify(const HelperQuestion *question, Record *ret)
{
    Span room;
    Fingerprint print = {{0}};
    if (question->record->value_count != 1 + KEY_PLACE_VALUES) {
        return false;
    }
    Err err = load_place(&question->record->values[1], &room);
    if (err == ERR_OK) {
        fingerprint_add(&print, span_str(room));
        err = keep_public(span_str(room));
    }
    forget_bytes(room);
    ret->values[0] = err;
    ret->values[1] = print.words[0];
    ret->values[2] = print.words[1];
    ret->values[3] = public_part.len;
    ret->value_count = 4;
    return true;
}

static bool tell_public(const HelperQuestion *question, Record *ret)
{
    if (question->record->value_count != 2) {
        return false;
    }
    Str rest = str_drop(public_part, (size_t)question->record->values[1]);
    ret->len = (uint32_t)span_copy(span_of(ret->bytes, sizeof ret->bytes),
                                   str_take(rest, sizeof ret->bytes));
    ret->value_count = 1;
    return true;
}

static Err try_pair(const TlsPair *pair, TlsPairFacts *ret, TlsMistake *ret_mistake, Text *why)
{
    CertificateCache *cache = NULL; /* the OCSP check reuses what was parsed */
    TRY(certificate_cache_new(&cache));
    Err err = tls_pair_try(pair, cache, &ret->validity, ret_mistake, why);
    err = err == ERR_OK ? tls_pair_staple(pair, cache, &ret->staple) : err;
    certificate_cache_drop(cache);
    return err;
}

static bool answer_judge(const HelperQuestion *question, Record *ret)
{
    Span rooms[3] = {{0}};
    TlsPairFacts facts = {.staple = {.state = TLS_STAPLE_NONE}};
    TlsMistake mistake = {.part = TLS_PART_NONE};
    uint8_t room[WHY_BYTES_MAX];
    Text why = text_in(span_of(room, sizeof room));
    if (question->record->value_count != 1 + 3 * KEY_PLACE_VALUES) {
        return false;
    }
    Err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < 3; i++) {
        err = load_place(&question->record->values[1 + i * KEY_PLACE_VALUES], &rooms[i]);
    }
    if (err == ERR_OK) {
        TlsPair pair = {.chain = span_str(rooms[0]),
                        .key = span_str(rooms[1]),
                        .ocsp = span_str(rooms[2])};
        err = try_pair(&pair, &facts, &mistake, &why);
    }
    for (size_t i = 0; i < 3; i++) {
        forget_bytes(rooms[i]);
    }
    const uint64_t values[KEY_PAIR_VALUES] = {
        err, mistake.part, (uint64_t)facts.validity.not_before, (uint64_t)facts.validity.not_after,
        facts.validity.has_names, facts.staple.state, facts.staple.detail,
        (uint64_t)facts.staple.from, (uint64_t)facts.staple.until};
    (void)span_copy(span_of(ret->values, sizeof ret->values), str_of(values, sizeof values));
    ret->value_count = KEY_PAIR_VALUES;
    ret->len = (uint32_t)span_copy(span_of(ret->bytes, sizeof ret->bytes), text_str(&why));
    return true;
}

static bool answer_question(const HelperQuestion *question, Record *ret)
{
    if (question->record->value_count == 0) {
        return false;
    }
    switch (question->record->values[0]) {
    case KEY_FILE:
        return take_file(question, ret);
    case KEY_IDENTIFY:
        return answer_identify(question, ret);
    case KEY_PUBLIC:
        return tell_public(question, ret);
    case KEY_PAIR:
        return answer_judge(question, ret);
    default:
        return false;
    }
}

void key_checker_process_run(const ChildStart *start)
{
    static const HelperWork work = {
        .cage = &cage, .begin = checker_begin, .answer = answer_question, .tick_ms = -1};
    helper_process_run(start, &work);
}
