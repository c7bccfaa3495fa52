/* prefix_lines_fuzz.c - files of prefixes: every line is looked at once, and the set that is built
 * of them answers as the loop over all of them does. */
#include "base/cidr.h"
#include "base/ip.h"
#include "base/prefix_lines.h"

#include "fuzz.h"

#define LIST_MAX 256u

/* The address and its neighbours in the last byte, both families. */
static void must_agree(const CidrSet *set, const IpPrefix *list, size_t count, IpAddress a)
{
    for (unsigned step = 0; step < 3; step++) {
        IpAddress near = a;
        size_t last = a.family == 4 ? 3 : 15;
        near.bytes[last] = (uint8_t)(near.bytes[last] + step - 1);
        bool want = false;
        for (size_t i = 0; i < count; i++) {
            want |= ip_prefix_holds(&list[i], near);
        }
        MUST(cidr_holds(set, &near) == want);
    }
}

static void compare(const IpPrefix *list, size_t count)
{
    Budget budget = {0};
    Blocks blocks;
    Arena arena;
    CidrSet set;
    blocks_init(&blocks, &budget, 4064, 1);
    arena_init(&arena, &blocks, 16u << 20);
    MUST(cidr_build(&set, list, count, &arena) == ERR_OK);
    for (size_t i = 0; i < count; i++) {
        IpAddress last = list[i].address;
        for (size_t bit = list[i].bits; bit < (last.family == 4 ? 32u : 128u); bit++) {
            last.bytes[bit / 8] = (uint8_t)(last.bytes[bit / 8] | 0x80u >> (bit % 8));
        }
        must_agree(&set, list, count, list[i].address);
        must_agree(&set, list, count, last);
    }
    arena_reset(&arena);
    blocks_drop(&blocks);
    MUST(budget.used_bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static IpPrefix list[LIST_MAX];
    Span copy = fuzz_copy(str_of(data, size));
    PrefixLines lines = {.text = span_str(copy)};
    size_t count = 0;
    size_t before = 0;
    size_t ends = 0;
    Str content;
    while (prefix_lines_next(&lines, &content)) {
        MUST(lines.line > before && content.len > 0);
        MUST(str_find(content, '\n', 0) == content.len);
        MUST(str_find(content, '#', 0) == content.len);
        before = lines.line;
        if (count < LIST_MAX && ip_prefix_parse(content, &list[count]) == ERR_OK) {
            count++;
        }
    }
    for (size_t i = 0; i < size; i++) {
        ends += data[i] == '\n' || i + 1 == size;
    }
    MUST(lines.at == size && lines.line == ends);
    compare(list, count);
    free(copy.at);
    return 0;
}
