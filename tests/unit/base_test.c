/* base_test.c - slices, numbers, arenas, pools and byte queues. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/ip.h"
#include "base/number.h"
#include "base/pool.h"
#include "base/region.h"
#include "base/str_map.h"
#include "base/text.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

TEST("slicing clamps at both ends")
{
    Str s = S("river");
    EXPECT_STR(str_take(s, 3), S("riv"));
    EXPECT_STR(str_take(s, 99), S("river"));
    EXPECT_STR(str_drop(s, 3), S("er"));
    EXPECT_U64(str_drop(s, 99).len, 0);
    EXPECT_STR(str_slice(s, 1, 3), S("iv"));
    EXPECT_U64(str_slice(s, 3, 1).len, 0);
}

TEST("cutting splits at the first separator, or not at all")
{
    StrCut cut = str_cut(S("a:b:c"), ':');
    EXPECT(cut.found);
    EXPECT_STR(cut.head, S("a"));
    EXPECT_STR(cut.tail, S("b:c"));
    cut = str_cut(S("abc"), ':');
    EXPECT(!cut.found);
    EXPECT_STR(cut.head, S("abc"));
    EXPECT_U64(cut.tail.len, 0);
}

TEST("case is ignored only for ASCII letters")
{
    EXPECT(str_equal_nocase(S("Content-LENGTH"), S("content-length")));
    EXPECT(!str_equal_nocase(S("[a"), S("{a")));
    EXPECT(!str_equal_nocase(S("\xc4"), S("\xe4")));
}

TEST("a decimal number has digits only and fits")
{
    uint64_t n = 7;
    EXPECT(number_decimal(S("18446744073709551615"), UINT64_MAX, &n) == ERR_OK && n == UINT64_MAX);
    EXPECT(number_decimal(S("18446744073709551616"), UINT64_MAX, &n) == ERR_RANGE);
    EXPECT(number_decimal(S("256"), 255, &n) == ERR_RANGE);
    static const Str bad[] = {S_INIT(""), S_INIT("+1"), S_INIT("-1"), S_INIT(" 1"), S_INIT("1 "),
                              S_INIT("0x1"), S_INIT("1,1"), S_INIT("a")};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT(number_decimal(bad[i], UINT64_MAX, &n) == ERR_SYNTAX);
    }
}

TEST("a Text that overflows keeps what fitted and says so")
{
    uint8_t room[8];
    Text t = text_in(span_of(room, sizeof room));
    text_add(&t, S("12345"));
    text_add(&t, S("6789"));
    EXPECT(t.overflow);
    EXPECT_STR(text_str(&t), S("12345"));
    text_u64(&t, 42);
    EXPECT_STR(text_str(&t), S("1234542"));
}

TEST("a field line is written whole or not at all")
{
    uint8_t room[24];
    for (size_t len = 0; len <= sizeof room; len++) {
        Text t = text_in(span_of(room, len));
        text_byte(&t, '>');
        text_line(&t, S("Accept"), S("text/html"));
        bool fits = len >= sizeof ">Accept: text/html\r\n" - 1;
        EXPECT(t.overflow == !fits);
        EXPECT_STR(text_str(&t), fits  ? S(">Accept: text/html\r\n")
                                 : len ? S(">")
                                       : S(""));
    }
    Text empty = text_in(span_of(room, sizeof room));
    text_line(&empty, S("a"), STR_NONE);
    EXPECT_STR(text_str(&empty), S("a: \r\n"));
}

TEST("a word in hexadecimal has all its digits")
{
    uint8_t room[32];
    Text t = text_in(span_of(room, sizeof room));
    text_hex_word(&t, UINT64_C(0x0123456789abcdef));
    text_hex_word(&t, 0);
    EXPECT_STR(text_str(&t), S("0123456789abcdef0000000000000000"));
    text_hex_word(&t, 1);
    EXPECT(t.overflow);
}

TEST("an IPv4 address is printed without leading zeros")
{
    for (unsigned n = 0; n < 256; n++) {
        uint8_t room[IP_TEXT_MAX];
        char expected[32];
        Text t = text_in(span_of(room, sizeof room));
        ip_print(&t, (IpAddress){.family = 4, .bytes = {(uint8_t)n, 0, (uint8_t)(255 - n), 7}});
        (void)snprintf(expected, sizeof expected, "%u.0.%u.7", n, 255 - n);
        EXPECT_STR(text_str(&t), str_from_c(expected));
    }
}

TEST("an arena zeroes what it gives and stops at its limit")
{
    Budget budget = {.max_bytes = 0};
    Blocks blocks;
    blocks_init(&blocks, &budget, 1024, 4);
    Arena arena;
    arena_init(&arena, &blocks, 8192);
    for (int round = 0; round < 3; round++) {
        uint8_t *at = (uint8_t *)arena_alloc(&arena, 100);
        EXPECT(at != NULL && at[0] == 0 && at[99] == 0);
        at[0] = at[99] = 0xff;
        EXPECT(arena_alloc(&arena, 4000) != NULL);
        EXPECT(arena_alloc(&arena, 4000) == NULL);
        EXPECT(arena_array(&arena, uint64_t, SIZE_MAX / 4) == NULL);
        arena_reset(&arena);
    }
    blocks_drop(&blocks);
    EXPECT_U64(budget.used_bytes, 0);
}

TEST("a stale handle yields nothing, even after its slot lives again")
{
    Pool pool;
    EXPECT(pool_init(&pool, 40, 2) == ERR_OK);
    Handle a;
    Handle b;
    Handle c;
    EXPECT(pool_take(&pool, &a) != NULL);
    EXPECT(pool_take(&pool, &b) != NULL);
    EXPECT(pool_take(&pool, &c) == NULL);
    pool_give(&pool, a);
    EXPECT(pool_get(&pool, a) == NULL);
    EXPECT(pool_take(&pool, &c) != NULL);
    EXPECT(c.slot == a.slot && pool_get(&pool, a) == NULL && pool_get(&pool, c) != NULL);
    EXPECT(pool_get(&pool, HANDLE_NONE) == NULL);
    pool_drop(&pool);
}

TEST("a byte queue gives back what went in, across blocks, and holds nothing when empty")
{
    Budget budget = {.max_bytes = 0};
    Blocks blocks;
    blocks_init(&blocks, &budget, 16, 0);
    Buf buf = {0};
    uint8_t next_in = 0;
    uint8_t next_out = 0;
    for (size_t n = 1; n < 60; n++) {
        uint8_t bytes[64];
        for (size_t i = 0; i < n; i++) {
            bytes[i] = next_in++;
        }
        EXPECT(buf_add(&buf, &blocks, str_of(bytes, n)) == ERR_OK);
        uint8_t out[40];
        size_t got = buf_peek(&buf, span_of(out, n > 40 ? 40 : n));
        for (size_t i = 0; i < got; i++) {
            EXPECT_U64(out[i], next_out++);
        }
        buf_skip(&buf, &blocks, got);
    }
    buf_clear(&buf, &blocks);
    EXPECT_U64(blocks.out_count, 0);
    EXPECT_U64(budget.used_bytes, 0);
}

TEST("a byte queue that runs into the budget appends nothing")
{
    Budget budget = {.max_bytes = 200};
    Blocks blocks;
    blocks_init(&blocks, &budget, 64, 0);
    Buf buf = {0};
    EXPECT(buf_add(&buf, &blocks, S("1234")) == ERR_OK);
    uint8_t big[300] = {0};
    EXPECT(buf_add(&buf, &blocks, str_of(big, sizeof big)) == ERR_MEMORY);
    EXPECT_U64(buf.len, 4);
    buf_clear(&buf, &blocks);
    EXPECT_U64(budget.used_bytes, 0);
}

TEST("a map finds what stands in it, each scope by itself")
{
    Budget budget = {.max_bytes = 0};
    Blocks blocks;
    Arena arena;
    StrMap map = {0};
    uint32_t value = 0;
    blocks_init(&blocks, &budget, 4096, 4);
    arena_init(&arena, &blocks, 1u << 20);
    EXPECT(!str_map_find(&map, 0, S("a"), &value)); /* one that was never opened is empty */
    EXPECT(str_map_open(&arena, 2000, &map) == ERR_OK);
    EXPECT(!str_map_find(&map, 0, S(""), &value));
    uint8_t room[2000][8];
    for (uint32_t i = 0; i < 1000; i++) {
        Text t = text_in(span_of(room[i], sizeof room[i]));
        text_u64(&t, i);
        str_map_add(&map, 1, text_str(&t), i);
        str_map_add(&map, 2, text_str(&t), i + 5000);
    }
    for (uint32_t i = 0; i < 2000; i++) {
        Text t = text_in(span_of(room[i], sizeof room[i]));
        text_u64(&t, i);
        EXPECT(str_map_find(&map, 1, text_str(&t), &value) == (i < 1000));
        EXPECT(i >= 1000 || value == i);
        EXPECT(str_map_find(&map, 2, text_str(&t), &value) == (i < 1000));
        EXPECT(i >= 1000 || value == i + 5000);
        value = 77;
        EXPECT(!str_map_find(&map, 3, text_str(&t), &value) && value == 77);
    }
    arena_reset(&arena);
    blocks_drop(&blocks);
}

TEST("a map that grows keeps all that it holds, and the same when there is no more memory")
{
    Budget budget = {.max_bytes = 0};
    Blocks blocks;
    Arena arena;
    StrMap map = {0};
    uint32_t value = 0;
    blocks_init(&blocks, &budget, 4096, 4);
    arena_init(&arena, &blocks, 1u << 20);
    static uint8_t room[20000][8];
    uint32_t held = 0;
    for (Err err = ERR_OK; err == ERR_OK; held += err == ERR_OK ? 1 : 0) {
        Text t = text_in(span_of(room[held], sizeof room[held]));
        text_u64(&t, held);
        EXPECT(!str_map_find(&map, held % 3, text_str(&t), &value));
        err = str_map_put(&arena, &map, held % 3, text_str(&t), held);
        EXPECT(err == ERR_OK || err == ERR_MEMORY);
    }
    EXPECT(held > 4000 && map.count == held);
    for (uint32_t i = 0; i < held; i++) {
        Text t = text_in(span_of(room[i], sizeof room[i]));
        text_u64(&t, i);
        EXPECT(str_map_find(&map, i % 3, text_str(&t), &value) && value == i);
        EXPECT(!str_map_find(&map, (i + 1) % 3, text_str(&t), &value));
    }
    arena_reset(&arena);
    blocks_drop(&blocks);
}

TEST("digits have zeros in front, and no more of them than are asked for")
{
    uint8_t room[16];
    Text t = text_in(span_of(room, sizeof room));
    text_digits(&t, 7, 2);
    text_digits(&t, 0, 3);
    text_digits(&t, 2026, 4);
    text_digits(&t, 12345, 2);
    EXPECT_STR(text_str(&t), S("07000202645"));
}

/* A file with these bytes, at its beginning. */
static int file_with(Str bytes)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    EXPECT(write(fd, bytes.at, bytes.len) == (ssize_t)bytes.len);
    EXPECT(lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static bool is_mapped(const void *at)
{
    uintptr_t page = (uintptr_t)at & ~(uintptr_t)4095;
    unsigned char in_memory;
    int pipes[2];
    EXPECT(mincore((void *)page, 1, &in_memory) == 0); /* address space is reserved there */
    EXPECT(pipe(pipes) == 0);
    bool readable = write(pipes[1], at, 1) == 1; /* EFAULT where nothing may be read */
    EXPECT(readable || errno == EFAULT);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    return readable;
}

TEST("a region's secrets have an address, and are mapped by who may see them alone")
{
    Region one = REGION_NONE;
    Region two = REGION_NONE;
    Str first = STR_NONE;
    Str second = STR_NONE;
    Str copy = STR_NONE;
    RegionPlace place;
    EXPECT(region_reserve() == ERR_OK);
    EXPECT(region_open(&one) == ERR_OK && region_open(&two) == ERR_OK);
    int fd = file_with(S("a key, and more"));
    int other = file_with(S(", and more"));
    EXPECT(region_add_secret(&one, fd, 5, &first) == ERR_OK);
    EXPECT(region_add_secret(&one, other, 100, &second) == ERR_OK);
    (void)close(fd);
    (void)close(other);
    EXPECT_U64(first.len, 5);
    EXPECT_U64(second.len, 10);
    EXPECT(region_find(second.at, second.len, &place) && place.secret && place.offset == 5);
    EXPECT(region_copy_secret(&two, second, &copy) == ERR_OK);
    EXPECT_U64(copy.len, 10);
    EXPECT(!is_mapped(first.at) && !is_mapped(copy.at));
    EXPECT(region_seal(&one) == ERR_OK && region_seal(&two) == ERR_OK);
    EXPECT(ftruncate(region_file(one.slot, true), 0) != 0 && !is_mapped(first.at));
    EXPECT(region_map_secrets(one.secrets, one.slot) == ERR_OK);
    EXPECT(region_map_secrets(two.secrets, two.slot) == ERR_OK);
    EXPECT_STR(first, S("a key"));
    EXPECT_STR(second, S(", and more"));
    EXPECT_STR(copy, S(", and more"));
    region_close(&one);
    EXPECT(!is_mapped(first.at) && is_mapped(copy.at));
    region_close(&two);
    EXPECT(!is_mapped(copy.at) && region_file(two.slot, true) == -1);
    EXPECT(!region_find(&place, sizeof place, &place));
}
