/* cidr.c - `block-cidr-range` and `allow-cidr-range`: clients by their address. */
#include "base/cidr.h"
#include "base/prefix_lines.h"
#include "filter/filters.h"

#define SHOWN_BYTES_MAX 60u
#define MISTAKE_BYTES_MAX 512u

enum { ADDRS, ADDRS_FILE, STATUS, BODY, BLOCK_CONNECTIONS };

typedef struct CidrFilter {
    CidrSet set;
    bool connections; /* refused clients are closed before a byte is read */
    Respond refusal;
} CidrFilter;

static const SchemaItem properties[] = {
    [ADDRS] = ITEM_VALUE("addrs", CIDRS, SCHEMA_SHOWN, "192.0.2.0/24, 2001:db8::/32",
                         "addresses and prefixes"),
    [ADDRS_FILE] = ITEM_VALUE("addrs-file", CIDRS_FILE, 0, "/etc/river/blocked.txt",
                              "a file with more, one per line; # begins a comment"),
    [STATUS] = ITEM_NUMBER("status", 400, 599, "403", "the status of a refusal"),
    [BODY] = ITEM_VALUE("body", TEXT, 0, "", "the body of a refusal"),
    [BLOCK_CONNECTIONS] =
        ITEM_BOOL("block-connections", "false",
                  "close the connections of such peers at once, before TLS and any request"),
};

/* --- reading the lists ----------------------------------------------------------------------- */

/* Prefixes as they are collected. */
typedef struct Collected {
    size_t count;
    size_t room;
    IpPrefix *list COUNTED_BY(room);
} Collected;

/* The members of the list in the configuration, which was checked. */
static void collect_inline(Collected *c, Str rest)
{
    while (rest.len > 0) {
        StrCut cut = str_cut(rest, ',');
        if (c->count < c->room &&
            ip_prefix_parse(str_trim(cut.head), &c->list[c->count]) == ERR_OK) {
            c->count++;
        }
        rest = cut.tail;
    }
}

static void say_mistake(Text *out, Str path, size_t line, Str content, Err err,
                        const IpPrefix *prefix)
{
    text_format(out, "%.*s:%zu: `%.*s` %s", STR_ARG(path), line,
                STR_ARG(str_take(content, SHOWN_BYTES_MAX)),
                err == ERR_LIMIT   ? "has bits set beyond its prefix; did you mean `"
                : err == ERR_RANGE ? "has too long a prefix"
                                   : "is neither an address nor a prefix");
    if (err == ERR_LIMIT) {
        ip_prefix_print(out, prefix);
        text_add(out, S("`?"));
    }
}

/* The lines of a file. The first mistake is written to `out`, with the number of others. */
static bool collect_file(Collected *c, Str path, Str bytes, Text *out)
{
    PrefixLines lines = {.text = bytes};
    size_t mistakes = 0;
    Str content;
    while (prefix_lines_next(&lines, &content)) {
        IpPrefix prefix = {0};
        Err err = ip_prefix_parse(content, &prefix);
        if (err == ERR_OK && c->count < c->room) {
            c->list[c->count++] = prefix;
        } else if (err != ERR_OK && mistakes++ == 0) {
            say_mistake(out, path, lines.line, content, err, &prefix);
        }
    }
    if (mistakes > 1) {
        text_format(out, " (and %zu more such lines)", mistakes - 1);
    }
    return mistakes == 0;
}

/* At least as many prefixes as the values hold: each has a separator after it, but the last. */
static size_t count_room(const FilterSetup *setup)
{
    Str list = setup->values[ADDRS].text;
    Str file = setup->values[ADDRS_FILE].bytes;
    size_t room = 2;
    for (size_t at = str_find(list, ',', 0); at < list.len; at = str_find(list, ',', at + 1)) {
        room++;
    }
    for (size_t at = str_find(file, '\n', 0); at < file.len; at = str_find(file, '\n', at + 1)) {
        room++;
    }
    return room;
}

static void mistake_at(FilterMistake *ret, size_t value, Str sentence, Arena *arena)
{
    ret->value = value;
    if (!arena_copy(arena, sentence, &ret->sentence)) {
        ret->sentence = STR_NONE; /* the arena is full */
    }
}

static bool collect_prefixes(const FilterSetup *setup, Collected *c, Arena *arena,
                             FilterMistake *ret)
{
    uint8_t room[MISTAKE_BYTES_MAX];
    Text out = text_in(span_of(room, sizeof room));
    const FilterValue *file = &setup->values[ADDRS_FILE];
    collect_inline(c, setup->values[ADDRS].text);
    if (!collect_file(c, file->text, file->bytes, &out)) {
        mistake_at(ret, ADDRS_FILE, text_str(&out), arena);
        return false;
    }
    return true;
}

static const void *cidr_setup(const FilterSetup *setup, Arena *arena, FilterMistake *ret_mistake)
{
    const FilterValue *values = setup->values;
    if (!values[ADDRS].set && !values[ADDRS_FILE].set) {
        mistake_at(ret_mistake, ADDRS, S("this filter needs `addrs=` or `addrs-file=`"), arena);
        return NULL;
    }
    CidrFilter *f = arena_new(arena, CidrFilter);
    Collected c = {.room = count_room(setup)};
    size_t bytes = c.room * sizeof(IpPrefix);
    c.list = (IpPrefix *)memory_reserve(bytes);
    bool built = f && c.list && collect_prefixes(setup, &c, arena, ret_mistake) &&
                 cidr_build(&f->set, c.list, c.count, arena) == ERR_OK;
    memory_release(c.list, bytes);
    if (!built) {
        return NULL;
    }
    f->connections = values[BLOCK_CONNECTIONS].truth;
    f->refusal = (Respond){.status = (uint16_t)values[STATUS].number, .body = values[BODY].text};
    return f;
}

/* --- judging --------------------------------------------------------------------------------- */

static Verdict block_request(FilterCall *call)
{
    const CidrFilter *f = (const CidrFilter *)call_state(call);
    bool blocked = cidr_holds(&f->set, call_client_ip(call));
    return blocked ? REFUSE_WITH(FAULT_ADDRESS_BLOCKED, &f->refusal) : PASS;
}

static Verdict allow_request(FilterCall *call)
{
    const CidrFilter *f = (const CidrFilter *)call_state(call);
    bool allowed = cidr_holds(&f->set, call_client_ip(call));
    return allowed ? PASS : REFUSE_WITH(FAULT_ADDRESS_NOT_ALLOWED, &f->refusal);
}

static bool block_refuses(const void *state, const IpAddress *client)
{
    const CidrFilter *f = (const CidrFilter *)state;
    return f->connections && cidr_holds(&f->set, client);
}

static bool allow_refuses(const void *state, const IpAddress *client)
{
    const CidrFilter *f = (const CidrFilter *)state;
    return f->connections && !cidr_holds(&f->set, client);
}

const FilterKind filter_block_cidr_range = {
    .schema = {.name = S_INIT("block-cidr-range"),
               .sentence = S_INIT("refuses clients from these addresses"),
               .property_count = SCHEMA_COUNT(properties),
               .properties = properties},
    .setup = cidr_setup,
    .request = block_request,
    .refuses = block_refuses,
};

const FilterKind filter_allow_cidr_range = {
    .schema = {.name = S_INIT("allow-cidr-range"),
               .sentence = S_INIT("refuses clients from all other addresses"),
               .property_count = SCHEMA_COUNT(properties),
               .properties = properties},
    .setup = cidr_setup,
    .request = allow_request,
    .refuses = allow_refuses,
};
