/* parse.c - nanoseconds for one request head, short and long, and for one chunked body of chunks
 * of one byte and of a kibibyte, from the parsers alone.
 *
 *     parse [ROUNDS]
 *
 * The best of several rounds is printed: what disturbs a measurement only ever adds to it. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "http/chunk.h"
#include "http/head.h"

#define FIELDS_MAX 64
#define HEADS_PER_ROUND 200000
#define BODIES_PER_ROUND 2000
#define CHUNKS 1000u
#define CHUNK_BYTES_MAX 1024u
#define CHUNKS_BYTES_MAX (CHUNKS * (CHUNK_BYTES_MAX + CHUNK_HEAD_BYTES_MAX + 2) + 3)
#define ROUNDS_DEFAULT 15

static const Str short_head = S_INIT(
    "GET /index.html?q=1 HTTP/1.1\r\nHost: example.org\r\nUser-Agent: curl/8\r\n"
    "Accept: */*\r\n\r\n");
static const Str long_head = S_INIT(
    "GET /assets/2024/app/main.bundle.js?version=8c1f0e5a HTTP/1.1\r\n"
    "Host: www.example.org\r\n"
    "Connection: keep-alive\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;"
    "q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en-US;q=0.9,en;q=0.8,de;q=0.7\r\n"
    "Referer: https://www.example.org/articles/2024/a-longer-path/that-names-the-page\r\n"
    "Cookie: session=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08; "
    "theme=dark\r\n"
    "Sec-Fetch-Mode: no-cors\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Cache-Control: max-age=0\r\n\r\n");

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Finding the end counts too: that is what a connection does. */
static double head_ns(Str head)
{
    static const HeadLimits limits = {
        .head_bytes_max = 65536, .fields_max = FIELDS_MAX, .target_bytes_max = 16384};
    Field room[FIELDS_MAX];
    double start = now_ns();
    for (unsigned i = 0; i < HEADS_PER_ROUND; i++) {
        RequestHead request;
        size_t scanned = 0;
        size_t end = 0;
        Fields fields = {.room = FIELDS_MAX, .at = room};
        if (head_find_end(head, &scanned, &end) != ERR_OK ||
            head_parse_request(str_take(head, end), &limits, fields, &request) !=
                HTTP_FAULT_NONE) {
            fprintf(stderr, "parse: the head is refused\n");
            exit(1);
        }
        __asm__ volatile("" : : "r"(&request) : "memory"); /* nothing is computed in vain */
    }
    return (now_ns() - start) / HEADS_PER_ROUND;
}

/* A body of CHUNKS chunks of `len` bytes each. */
static Str chunks_make(size_t len)
{
    static uint8_t wire[CHUNKS_BYTES_MAX];
    static const uint8_t data[CHUNK_BYTES_MAX];
    Text t = text_in(span_of(wire, sizeof wire));
    for (unsigned i = 0; i < CHUNKS; i++) {
        chunk_head(&t, len);
        text_add(&t, str_of(data, len));
        text_add(&t, S("\r\n"));
    }
    text_add(&t, S("0\r\n"));
    return text_str(&t);
}

/* The decoder works in place, so each body is a fresh copy; the copy counts too. */
static double chunks_ns(Str wire)
{
    static uint8_t room[CHUNKS_BYTES_MAX];
    double start = now_ns();
    for (unsigned i = 0; i < BODIES_PER_ROUND; i++) {
        ChunkDecoder decoder = {0};
        Span bytes = span_of(room, span_copy(span_of(room, sizeof room), wire));
        ChunkStep step = chunk_decode(&decoder, bytes);
        if (!step.last || step.consumed != wire.len) {
            fprintf(stderr, "parse: the body is refused\n");
            exit(1);
        }
    }
    return (now_ns() - start) / BODIES_PER_ROUND;
}

static void measure(const char *name, double (*work_ns)(Str wire), Str wire, int rounds)
{
    double best = work_ns(wire);
    for (int i = 1; i < rounds; i++) {
        double ns = work_ns(wire);
        best = ns < best ? ns : best;
    }
    printf("%-10s %7zu bytes  %9.1f ns  %5.2f GB/s\n", name, wire.len, best,
           (double)wire.len / best);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS_DEFAULT;
    measure("short head", head_ns, short_head, rounds);
    measure("long head", head_ns, long_head, rounds);
    measure("1-byte", chunks_ns, chunks_make(1), rounds);
    measure("1-KiB", chunks_ns, chunks_make(CHUNK_BYTES_MAX), rounds);
    return 0;
}
