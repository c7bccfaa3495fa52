/* proxy_header_fuzz.c - a header is read the same whatever follows it and wherever it is cut. */
#include "net/proxy_header.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str whole = str_of(data, size);
    ProxyHeader header = {0};
    Err err = proxy_header_parse(whole, &header);
    bool settled = false; /* once it is refused or accepted, more bytes change nothing */
    size_t step = size > 300 ? 7 : 1;
    for (size_t len = 0; len < size; len += step) {
        Span copy = fuzz_copy(str_take(whole, len));
        ProxyHeader cut = {0};
        Err cut_err = proxy_header_parse(span_str(copy), &cut);
        MUST(!settled || cut_err == err);
        settled = cut_err != ERR_INCOMPLETE;
        MUST(!settled || cut_err == err);
        MUST(cut_err != ERR_OK || (cut.bytes == header.bytes && cut.bytes <= len));
        MUST(err != ERR_OK || cut_err == (len < header.bytes ? ERR_INCOMPLETE : ERR_OK));
        free(copy.at);
    }
    if (err == ERR_OK) {
        MUST(header.bytes <= size && header.bytes <= PROXY_HEADER_BYTES_MAX);
        MUST((header.source == PROXY_SOURCE_IP) == (header.ip.family != 0));
    }
    MUST(err == ERR_OK || err == ERR_INCOMPLETE || err == ERR_SYNTAX || err == ERR_LIMIT);
    MUST(err != ERR_INCOMPLETE || size < PROXY_HEADER_BYTES_MAX);
    return 0;
}
