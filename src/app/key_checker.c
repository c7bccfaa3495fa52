/* key_checker.c - asks the checker one question at a time, and validates its answers. */
#include "app/key_checker.h"

#include <poll.h>
#include <signal.h>

#include "app/helper_process.h"
#include "app/record.h"
#include "base/clock.h"
#include "base/number.h"
#include "loop/log.h"

#define ANSWER_MS 10000 /* per question; a large key takes milliseconds */

/* ---- the helper ---- */

void key_checker_end(KeyChecker *k)
{
    if (k->runs) {
        manager_end(&k->child);
        k->runs = false;
    }
}

/* It keeps its account: it opens nothing, and the configured account is not known yet. */
static Err checker_start(KeyChecker *k)
{
    Record begin = {.kind = RECORD_START, .value_count = HELPER_START_VALUES};
    const int no_log = -1;
    begin.values[HELPER_SANDBOX] = 1;
    TRY(manager_bear(k->manager, CHILD_KEY_CHECKER, clock_ms(), &k->child));
    k->runs = true;
    for (size_t i = 0; i < REGION_SLOTS; i++) {
        k->told[i][0] = k->told[i][1] = -1;
    }
    return record_order(&k->child.channel, &begin, &no_log, 1);
}

/* Waits for the answer with that id; skips its READY. */
static Err hear_answer(KeyChecker *k, uint32_t id, Record *ret)
{
    static uint8_t room[CHANNEL_BYTES_MAX];
    ChannelMessage message;
    for (;;) {
        struct pollfd ready = {.fd = k->child.channel.answers, .events = POLLIN};
        if (poll(&ready, 1, ANSWER_MS) == 0) {
            return ERR_TIMEOUT;
        }
        Err err = channel_take_answer(&k->child.channel, span_of(room, sizeof room), &message);
        if (err == ERR_AGAIN) {
            continue; /* a signal interrupted the wait */
        }
        TRY(err);
        TRY(record_read(&message, ret));
        if (ret->kind == RECORD_TELL) {
            return ret->id == id && ret->value_count > 0 ? ERR_OK : ERR_SYNTAX;
        }
        if (ret->kind != RECORD_READY || k->child.ready) {
            return ERR_SYNTAX;
        }
        k->child.ready = true;
    }
}

static Err ask_once(KeyChecker *k, Record *question, const int *fd, Record *ret)
{
    question->kind = RECORD_ASK;
    question->id = ++k->last_id;
    TRY(record_order(&k->child.channel, question, fd, fd ? 1 : 0));
    return hear_answer(k, question->id, ret);
}

/* ---- places ---- */

/* Passes the checker the file that contains these bytes. */
static Err tell_file(KeyChecker *k, const RegionPlace *place)
{
    static Record answer;
    int fd = region_file(place->slot, place->secret);
    int *told = &k->told[place->slot][place->secret];
    if (fd < 0) {
        return ERR_MISSING;
    }
    if (*told == fd) {
        return ERR_OK;
    }
    Record question = {
        .value_count = 3, .values = {KEY_FILE, place->slot, place->secret}};
    TRY(ask_once(k, &question, &fd, &answer));
    *told = fd;
    return ERR_OK;
}

static Err add_place(KeyChecker *k, Record *question, Str bytes)
{
    RegionPlace place = {0};
    if (bytes.len > 0) {
        bool found = region_find(bytes.at /* system call */, bytes.len, &place);
        TRY(found ? tell_file(k, &place) : ERR_UNSUPPORTED);
    }
    uint64_t *values = &question->values[question->value_count];
    values[0] = place.slot;
    values[1] = place.secret;
    values[2] = place.offset;
    values[3] = bytes.len;
    question->value_count += KEY_PLACE_VALUES;
    return ERR_OK;
}

/* ---- questions ---- */

typedef struct Question {
    KeyQuestion kind;
    size_t count;
    Str bytes[3];
    uint64_t from; /* offset for KEY_PUBLIC */
} Question;

static Err try_to_ask(KeyChecker *k, const Question *q, Record *ret)
{
    Record question = {.value_count = 1, .values = {q->kind}};
    TRY(k->runs ? ERR_OK : checker_start(k));
    for (size_t i = 0; i < q->count; i++) {
        TRY(add_place(k, &question, q->bytes[i]));
    }
    if (q->kind == KEY_PUBLIC) {
        question.values[question.value_count++] = q->from;
    }
    return ask_once(k, &question, NULL, ret);
}

/* Ends a checker that has died, hangs or sends nonsense. */
static Err ask_checker(KeyChecker *k, const Question *q, Record *ret)
{
    Err err = try_to_ask(k, q, ret);
    if (err == ERR_OK || err == ERR_UNSUPPORTED) {
        return err;
    }
    LOG(ERROR, "the process that reads keys has failed",
        LOG_U64("pid", k->runs ? (uint64_t)k->child.pid : 0),
        LOG_STR("why", str_from_c(err_sentence(err))));
    key_checker_end(k);
    return err;
}

static Err ask_twice(KeyChecker *k, const Question *q, Record *ret)
{
    Err err = ask_checker(k, q, ret);
    err = err == ERR_OK || err == ERR_UNSUPPORTED ? err : ask_checker(k, q, ret);
    return err == ERR_OK ? ERR_OK : ERR_SYSTEM;
}

static Err take_public(KeyChecker *k, Span room, Record *answer)
{
    Question q = {.kind = KEY_PUBLIC};
    while (q.from < room.len) {
        /* No retry with another checker: it would not have identified the file. */
        TRY(ask_checker(k, &q, answer));
        size_t len = span_copy(span_drop(room, (size_t)q.from), record_text(answer));
        if (answer->values[0] != ERR_OK || len == 0) {
            return ERR_SYSTEM;
        }
        q.from += len;
    }
    return ERR_OK;
}

Err key_checker_identify(KeyChecker *k, Str secret, Arena *a, Fingerprint *ret, Str *ret_public)
{
    static Record answer;
    Question q = {.kind = KEY_IDENTIFY, .count = 1, .bytes = {secret}};
    Span room = {0};
    TRY(ask_twice(k, &q, &answer));
    if (answer.values[0] != ERR_OK || answer.value_count != 4 || answer.values[3] > secret.len) {
        return answer.values[0] == ERR_MEMORY ? ERR_MEMORY : ERR_SYSTEM;
    }
    *ret = (Fingerprint){{answer.values[1], answer.values[2]}};
    if (answer.values[3] > 0 && !arena_span(a, (size_t)answer.values[3], &room)) {
        return ERR_MEMORY;
    }
    TRY(take_public(k, room, &answer));
    *ret_public = span_str(room);
    return ERR_OK;
}

/* Text for people, possibly hostile: control characters are replaced. */
static void add_words(Text *why, Str words)
{
    for (size_t i = 0; why && i < words.len; i++) {
        uint8_t c = str_at(words, i);
        text_byte(why, c < ' ' || c == 0x7f ? '?' : c);
    }
}

Err key_checker_judge(void *checker, const TlsPair *pair, TlsPairFacts *ret,
                      TlsMistake *ret_mistake, Text *why)
{
    static Record answer;
    KeyChecker *k = (KeyChecker *)checker;
    Question q = {.kind = KEY_PAIR, .count = 3, .bytes = {pair->chain, pair->key, pair->ocsp}};
    *ret_mistake = (TlsMistake){.part = TLS_PART_NONE};
    TRY(ask_twice(k, &q, &answer));
    const uint64_t *values = answer.values;
    if (answer.value_count != KEY_PAIR_VALUES || values[1] > TLS_PART_MEMORY ||
        values[5] > TLS_STAPLE_EXPIRED) {
        return ERR_SYSTEM;
    }
    if (values[0] == ERR_SYNTAX) {
        ret_mistake->part = (TlsPart)values[1];
        add_words(why, record_text(&answer));
        return ERR_SYNTAX;
    }
    *ret = (TlsPairFacts){
        .validity = {.not_before = (int64_t)values[2],
                     .not_after = (int64_t)values[3],
                     .has_names = values[4] != 0},
        .staple = {.state = (TlsStapleState)values[5],
                   .detail = (unsigned)u64_min(values[6], UINT32_MAX),
                   .from = (int64_t)values[7],
                   .until = (int64_t)values[8]},
    };
    return values[0] == ERR_OK ? ERR_OK : values[0] == ERR_MEMORY ? ERR_MEMORY : ERR_SYSTEM;
}
