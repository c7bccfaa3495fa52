/* ip_fuzz.c - addresses and prefixes: the C library agrees on every text, and what was read prints
 * to text that reads the same. */
#include "base/ip.h"

#include <arpa/inet.h>
#include <string.h>

#include "fuzz.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* inet_pton is the second opinion; it reads NUL-terminated text only. */
static void library_agrees(Str s, Err err, IpAddress a)
{
    char text[64];
    uint8_t four[4];
    uint8_t six[16];
    if (str_to_c(s, span_of(text, sizeof text)) != ERR_OK) {
        return;
    }
    if (inet_pton(AF_INET, text, four) == 1) {
        MUST(err == ERR_OK && a.family == 4 && memcmp(a.bytes, four, 4) == 0);
    } else if (inet_pton(AF_INET6, text, six) == 1) {
        bool is_mapped = memcmp(six, mapped, sizeof mapped) == 0;
        MUST(err == ERR_OK && a.family == (is_mapped ? 4 : 6));
        MUST(memcmp(a.bytes, is_mapped ? six + 12 : six, is_mapped ? 4 : 16) == 0);
    } else {
        MUST(err != ERR_OK);
    }
}

static void must_print_back(IpAddress a)
{
    uint8_t bytes[IP_TEXT_MAX];
    IpAddress again;
    Text t = text_in(span_of(bytes, sizeof bytes));
    ip_print(&t, a);
    MUST(!t.overflow && ip_parse(text_str(&t), &again) == ERR_OK && ip_equal(a, again));
}

static void prefix(Str s)
{
    uint8_t bytes[IP_TEXT_MAX + 4];
    IpPrefix p;
    IpPrefix again;
    Err err = ip_prefix_parse(s, &p);
    if (err != ERR_OK && err != ERR_LIMIT) {
        return;
    }
    Text t = text_in(span_of(bytes, sizeof bytes));
    ip_prefix_print(&t, &p);
    MUST(!t.overflow && ip_prefix_parse(text_str(&t), &again) == ERR_OK);
    MUST(again.bits == p.bits && ip_equal(again.address, p.address));
    MUST(ip_prefix_holds(&p, p.address));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str s = str_of(data, size);
    IpAddress a = {0};
    if (size > 128) {
        return 0;
    }
    Err err = ip_parse(s, &a);
    library_agrees(s, err, a);
    if (err == ERR_OK) {
        must_print_back(a);
    }
    prefix(s);
    return 0;
}
