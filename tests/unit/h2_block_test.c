/* h2_block_test.c - what a header block costs while it is received. */
#include "http/h2_block.h"
#include "test.h"

/* Nanoseconds for a first cookie of `bytes` and 1,500 crumbs of one byte: the quickest of a few. */
static uint64_t crumbs_cost(size_t bytes)
{
    enum { ROUNDS = 9, CRUMBS = 1500 };
    static uint8_t letters[4096];
    const HeadLimits limits = {.head_bytes_max = 1 << 20, .fields_max = 50, .target_bytes_max = 64};
    uint64_t best = UINT64_MAX;
    Span first = span_of(letters, bytes);
    for (size_t i = 0; i < bytes; i++) {
        first.at[i] = 'c';
    }
    for (int round = 0; round < ROUNDS; round++) {
        Budget budget = {.max_bytes = 0};
        Blocks blocks;
        H2Block block;
        blocks_init(&blocks, &budget, 65536, 4);
        h2_block_init(&block, &blocks, 1 << 20);
        uint64_t start = test_cpu_ns();
        EXPECT(h2_block_add(&block, &limits, S("cookie"), span_str(first)) == ERR_OK);
        for (int i = 0; i < CRUMBS; i++) {
            EXPECT(h2_block_add(&block, &limits, S("cookie"), S("d")) == ERR_OK);
        }
        uint64_t took = test_cpu_ns() - start;
        best = took < best ? took : best;
        EXPECT(block.fault == HTTP_FAULT_NONE && block.fields.count == 1);
        h2_block_clear(&block);
        blocks_drop(&blocks);
    }
    return best;
}

TEST("a crumb of a cookie costs the same, however long the first one is")
{
    uint64_t short_ns = crumbs_cost(4);
    uint64_t long_ns = crumbs_cost(3900);
    EXPECT(long_ns < 5 * short_ns + 100000);
}
