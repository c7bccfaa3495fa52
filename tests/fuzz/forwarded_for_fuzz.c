/* forwarded_for_fuzz.c - entries taken from the right are those between the commas; an address that
 * was read prints to text that reads the same. */
#include "http/forwarded_for.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Span copy = fuzz_copy(str_of(data, size));
    Str whole = span_str(copy);
    size_t end = size;
    size_t from = 0;
    size_t to = 0;
    size_t commas = 0;
    size_t entries = 0;
    for (size_t i = 0; i < size; i++) {
        commas += data[i] == ',';
    }
    while (forwarded_last(whole, &end, &from, &to)) {
        Str entry = str_slice(whole, from, to);
        IpAddress a = {0};
        IpAddress again = {0};
        uint8_t room[IP_TEXT_MAX];
        Text t = text_in(span_of(room, sizeof room));
        entries++;
        MUST(str_find(entry, ',', 0) == entry.len);
        MUST(entry.len == 0 || (entry.at[0] != ' ' && entry.at[entry.len - 1] != '\t'));
        if (forwarded_address(entry, &a) == ERR_OK) {
            ip_print(&t, a);
            MUST(a.family == 4 || a.family == 6);
            MUST(forwarded_address(text_str(&t), &again) == ERR_OK && ip_equal(a, again));
        }
    }
    /* An empty first entry is not told apart from the beginning. */
    bool first = size > 0 && data[0] == ',';
    MUST(entries == (size == 0 ? 0 : commas + !first));
    free(copy.at);
    return 0;
}
