/* tls_hello_test.c - the server name in a ClientHello, whole and cut at every byte. */
#include "net/tls_hello.h"
#include "test.h"

static const uint8_t hello[] = {
    22, 3, 1, 0, 71,                     /* record */
    1, 0, 0, 67,                         /* ClientHello */
    3, 3,                                /* version; 32 bytes of random follow */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    1, 7,                                /* session id */
    0, 2, 19, 1,                         /* cipher suites */
    1, 0,                                /* compression */
    0, 23,                               /* extensions */
    0, 43, 0, 3, 2, 3, 4,                /* versions */
    0, 0, 0, 12, 0, 10, 0, 0, 7, 'h', '.', '.', 't', 'e', 's', 't', /* server name */
};

TEST("the server name of a ClientHello is found when it is whole, and never past its end")
{
    EXPECT_STR(tls_hello_name(str_of(hello, sizeof hello)), S("h..test"));
    for (size_t len = 0; len < sizeof hello; len++) {
        EXPECT(tls_hello_name(str_of(hello, len)).len == 0);
    }
    for (size_t i = 0; i < sizeof hello; i++) {
        for (unsigned c = 0; c < 256; c++) {
            uint8_t bytes[sizeof hello];
            (void)span_copy(span_of(bytes, sizeof bytes), str_of(hello, sizeof hello));
            bytes[i] = (uint8_t)c;
            Str name = tls_hello_name(str_of(bytes, sizeof bytes));
            EXPECT(name.len <= sizeof hello);
        }
    }
}

TEST("what rustls takes for a DNS name")
{
    static const Str good[] = {S_INIT("a"), S_INIT("a.example"), S_INIT("a.example."),
                               S_INIT("_x.1-2.b"), S_INIT("127.0.0.1")};
    static const Str bad[] = {S_INIT(""), S_INIT("h..test"), S_INIT(".a"), S_INIT("*.h.test"),
                              S_INIT("h.test:443"), S_INIT("127.0.0.1:8443"),
                              S_INIT("h\xc3\xa4.test")};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        EXPECT(tls_hello_is_dns(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT(!tls_hello_is_dns(bad[i]));
    }
}
