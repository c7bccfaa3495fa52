/* address_text_test.c - the texts that name addresses on the wire and in files: the PROXY
 * protocol's header, entries of X-Forwarded-For, and files of prefixes. */
#include "base/prefix_lines.h"
#include "http/forwarded_for.h"
#include "net/proxy_header.h"

#include "http_support.h"

static Str print_ip(Text *t, IpAddress ip)
{
    ip_print(t, ip);
    return text_str(t);
}

TEST("version 1 of the PROXY protocol is read in one way")
{
    static const struct {
        Str text;
        Err want;
        Str ip; /* empty: the peer's own */
        uint16_t port;
    } rows[] = {
        {S_INIT("PROXY TCP4 192.0.2.1 198.51.100.7 4711 443\r\n"), ERR_OK, S_INIT("192.0.2.1"),
         4711},
        {S_INIT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), ERR_OK,
         S_INIT("255.255.255.255"), 65535},
        {S_INIT("PROXY TCP6 2001:db8::1 ::1 0 1\r\n"), ERR_OK, S_INIT("2001:db8::1"), 0},
        {S_INIT("PROXY TCP6 ::ffff:192.0.2.1 ::1 7 1\r\n"), ERR_OK, S_INIT("192.0.2.1"), 7},
        {S_INIT("PROXY UNKNOWN\r\n"), ERR_OK, S_INIT(""), 0},
        {S_INIT("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), ERR_OK, S_INIT(""), 0},
        {S_INIT("PROXY TCP4 192.0.2.1 198.51.100.7 4711 443\n"), ERR_INCOMPLETE, S_INIT(""), 0},
        {S_INIT("PROXY TCP4 192.0.2.1 198.51.100.7 4711  443\r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("PROXY  TCP4 192.0.2.1 198.51.100.7 4711 443\r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("PROXY TCP4 192.0.2.1 198.51.100.7 4711 443 \r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("PROXY TCP4 192.0.2.1 198.51.100.7 4711\r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("PROXY TCP4 192.0.2.1 198.51.100.7 04711 443\r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("PROXY TCP4 192.0.2.1 198.51.100.7 65536 443\r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("PROXY TCP4 192.0.2.1 198.51.100.7 -1 443\r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("PROXY TCP4 192.0.2.01 198.51.100.7 1 443\r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("PROXY TCP4 192.0.2.256 198.51.100.7 1 443\r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("PROXY TCP4 2001:db8::1 ::1 1 443\r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("PROXY TCP6 192.0.2.1 198.51.100.7 1 443\r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("PROXY TCP6 2001:db8::1 192.0.2.1 1 443\r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("PROXY UDP4 192.0.2.1 198.51.100.7 1 443\r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("PROXY unknown\r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("PROXY \r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("PROXY\r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("proxy TCP4 192.0.2.1 198.51.100.7 4711 443\r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT("GET / HTTP/1.1\r\n"), ERR_SYNTAX, S_INIT(""), 0},
        {S_INIT(""), ERR_INCOMPLETE, S_INIT(""), 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ProxyHeader header = {0};
        uint8_t room[IP_TEXT_MAX];
        Text ip = text_in(span_of(room, sizeof room));
        EXPECT_U64(proxy_header_parse(rows[i].text, &header), rows[i].want);
        EXPECT_STR(print_ip(&ip, header.ip), rows[i].ip);
        EXPECT_U64(header.port, rows[i].port);
        EXPECT_U64(header.bytes, rows[i].want == ERR_OK ? rows[i].text.len : 0);
        for (size_t k = 0; rows[i].want == ERR_OK && k < rows[i].text.len; k++) {
            EXPECT(proxy_header_parse(str_take(rows[i].text, k), &header) == ERR_INCOMPLETE);
        }
    }
}

TEST("a version 1 header ends within 107 bytes, or never")
{
    uint8_t room[200];
    ProxyHeader header = {0};
    Text t = text_in(span_of(room, sizeof room));
    text_add(&t, S("PROXY UNKNOWN "));
    while (t.len < PROXY_HEADER_V1_BYTES_MAX - 2) {
        text_byte(&t, 'x');
    }
    EXPECT(proxy_header_parse(text_str(&t), &header) == ERR_INCOMPLETE);
    Text longer = t;
    text_add(&t, S("\r\nGET"));
    EXPECT(proxy_header_parse(text_str(&t), &header) == ERR_OK);
    EXPECT_U64(header.bytes, PROXY_HEADER_V1_BYTES_MAX);
    text_add(&longer, S("x\r\n"));
    EXPECT(proxy_header_parse(text_str(&longer), &header) == ERR_SYNTAX);
}

#define V2_ROOM 8192u

/* A version 2 header; its length says what it carries, and `more`. */
static Str v2_make(Text *t, unsigned command, unsigned family, Str addresses, Str pieces, int more)
{
    size_t len = (size_t)((long)(addresses.len + pieces.len) + more);
    text_add(t, S("\r\n\r\n\0\r\nQUIT\n"));
    text_byte(t, (uint8_t)command);
    text_byte(t, (uint8_t)family);
    text_byte(t, (uint8_t)(len >> 8));
    text_byte(t, (uint8_t)len);
    text_add(t, addresses);
    text_add(t, pieces);
    return text_str(t);
}

#define IP4 S_INIT("\xc0\0\2\1\xc6\x33\x64\7\x12\x67\1\xbb")
#define IP6                                                                                        \
    S_INIT("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x12\x67\1\xbb")
#define IP6_MAPPED                                                                                 \
    S_INIT("\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x12\x67\1\xbb")

TEST("version 2 of the PROXY protocol: commands, families, lengths and pieces")
{
    static uint8_t unix_addresses[216];
    static const struct {
        unsigned command;
        unsigned family;
        Str addresses;
        Str pieces;
        int more;
        Err want;
        ProxySource source;
        Str ip;
    } rows[] = {
        {0x21, 0x11, IP4, S_INIT(""), 0, ERR_OK, PROXY_SOURCE_IP, S_INIT("192.0.2.1")},
        {0x21, 0x21, IP6, S_INIT(""), 0, ERR_OK, PROXY_SOURCE_IP, S_INIT("2001:db8::1")},
        {0x21, 0x21, IP6_MAPPED, S_INIT(""), 0, ERR_OK, PROXY_SOURCE_IP, S_INIT("192.0.2.1")},
        {0x21, 0x31, {.len = sizeof unix_addresses, .at = unix_addresses}, S_INIT(""), 0, ERR_OK,
         PROXY_SOURCE_UNIX, S_INIT("")},
        {0x20, 0x11, IP4, S_INIT(""), 0, ERR_OK, PROXY_SOURCE_PEER, S_INIT("")},
        {0x20, 0xff, IP4, S_INIT("\4\xff"), 0, ERR_OK, PROXY_SOURCE_PEER, S_INIT("")},
        {0x20, 0x00, S_INIT(""), S_INIT(""), 0, ERR_OK, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x00, S_INIT("whatever"), S_INIT(""), 0, ERR_OK, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x12, IP4, S_INIT(""), 0, ERR_OK, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x22, IP6, S_INIT(""), 0, ERR_OK, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x11, IP4, S_INIT("\4\0\2ab\x20\0\0"), 0, ERR_OK, PROXY_SOURCE_IP,
         S_INIT("192.0.2.1")},
        {0x21, 0x11, IP4, S_INIT("\4\0\3ab"), 0, ERR_SYNTAX, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x11, IP4, S_INIT("\4\0"), 0, ERR_SYNTAX, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x11, IP4, S_INIT("\3\0\3abc"), 0, ERR_SYNTAX, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x11, IP4, S_INIT("\3\0\4abcd"), 0, ERR_SYNTAX, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x11, IP4, S_INIT(""), -1, ERR_SYNTAX, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x11, IP4, S_INIT(""), 1, ERR_INCOMPLETE, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x21, IP4, S_INIT(""), 0, ERR_SYNTAX, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x31, IP6, S_INIT(""), 0, ERR_SYNTAX, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x41, IP4, S_INIT(""), 0, ERR_SYNTAX, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x10, IP4, S_INIT(""), 0, ERR_SYNTAX, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x13, IP4, S_INIT(""), 0, ERR_SYNTAX, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x01, IP4, S_INIT(""), 0, ERR_SYNTAX, PROXY_SOURCE_PEER, S_INIT("")},
        {0x22, 0x11, IP4, S_INIT(""), 0, ERR_SYNTAX, PROXY_SOURCE_PEER, S_INIT("")},
        {0x11, 0x11, IP4, S_INIT(""), 0, ERR_SYNTAX, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x11, IP4, S_INIT(""), 4068, ERR_INCOMPLETE, PROXY_SOURCE_PEER, S_INIT("")},
        {0x21, 0x11, IP4, S_INIT(""), 4069, ERR_LIMIT, PROXY_SOURCE_PEER, S_INIT("")},
        {0x20, 0x00, S_INIT(""), S_INIT(""), 65535, ERR_LIMIT, PROXY_SOURCE_PEER, S_INIT("")},
    };
    static uint8_t room[V2_ROOM];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ProxyHeader header = {0};
        uint8_t ip_room[IP_TEXT_MAX];
        Text ip = text_in(span_of(ip_room, sizeof ip_room));
        Text t = text_in(span_of(room, sizeof room));
        Str s = v2_make(&t, rows[i].command, rows[i].family, rows[i].addresses, rows[i].pieces,
                        rows[i].more);
        EXPECT_U64(proxy_header_parse(s, &header), rows[i].want);
        EXPECT_U64(header.source, rows[i].source);
        EXPECT_STR(print_ip(&ip, header.ip), rows[i].ip);
        EXPECT_U64(header.port, rows[i].source == PROXY_SOURCE_IP ? 4711 : 0);
        EXPECT_U64(header.bytes, rows[i].want == ERR_OK ? s.len : 0);
        for (size_t k = 0; rows[i].want == ERR_OK && k < s.len; k++) {
            EXPECT(proxy_header_parse(str_take(s, k), &header) == ERR_INCOMPLETE);
        }
    }
}

TEST("the checksum of a version 2 header is checked")
{
    static uint8_t room[V2_ROOM];
    static const Str addresses = IP4;
    ProxyHeader header = {0};
    EXPECT_U64(proxy_crc32c(S("123456789"), 0, 9, 0), 0xe3069283); /* RFC 3720's check value */
    Text t = text_in(span_of(room, sizeof room));
    Str s = v2_make(&t, 0x21, 0x11, addresses, S("\1\0\2h2\3\0\4\0\0\0\0\4\0\1x"), 0);
    uint32_t crc = proxy_crc32c(s, 0, s.len, 0);
    size_t at = s.len - 8;
    for (size_t i = 0; i < 4; i++) {
        room[at + i] = (uint8_t)(crc >> (24 - 8 * i));
    }
    EXPECT(proxy_header_parse(s, &header) == ERR_OK);
    EXPECT_U64(header.port, 4711);
    for (size_t i = 13; i < s.len; i++) { /* any changed bit is seen, but in the checksum's type */
        room[i] ^= 4;
        EXPECT((proxy_header_parse(s, &header) != ERR_OK) == (i != at - 3));
        room[i] ^= 4;
    }
}

TEST("an entry of X-Forwarded-For is an address, maybe with a port, and nothing else")
{
    static const struct {
        Str text;
        Str want; /* empty: no address */
    } rows[] = {
        {S_INIT("192.0.2.1"), S_INIT("192.0.2.1")},
        {S_INIT("192.0.2.1:4711"), S_INIT("192.0.2.1")},
        {S_INIT("2001:db8::1"), S_INIT("2001:db8::1")},
        {S_INIT("[2001:db8::1]"), S_INIT("2001:db8::1")},
        {S_INIT("[2001:db8::1]:4711"), S_INIT("2001:db8::1")},
        {S_INIT("::ffff:192.0.2.1"), S_INIT("192.0.2.1")},
        {S_INIT("[::ffff:192.0.2.1]:1"), S_INIT("192.0.2.1")},
        {S_INIT("2001:db8::1:4711"), S_INIT("2001:db8::1:4711")},
        {S_INIT(""), S_INIT("")},
        {S_INIT("unknown"), S_INIT("")},
        {S_INIT("_hidden"), S_INIT("")},
        {S_INIT("localhost"), S_INIT("")},
        {S_INIT("192.0.2.1:"), S_INIT("")},
        {S_INIT("192.0.2.1:65536"), S_INIT("")},
        {S_INIT("192.0.2.1:000080"), S_INIT("")},
        {S_INIT("192.0.2.1:80 "), S_INIT("")},
        {S_INIT("192.0.2.1 192.0.2.2"), S_INIT("")},
        {S_INIT("[192.0.2.1]"), S_INIT("")},
        {S_INIT("[2001:db8::1"), S_INIT("")},
        {S_INIT("[2001:db8::1]4711"), S_INIT("")},
        {S_INIT("[2001:db8::1]]"), S_INIT("")},
        {S_INIT("\"192.0.2.1\""), S_INIT("")},
        {S_INIT("fe80::1%eth0"), S_INIT("")},
        {S_INIT("for=192.0.2.1"), S_INIT("")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t room[IP_TEXT_MAX];
        Text t = text_in(span_of(room, sizeof room));
        IpAddress a = {0};
        Err err = forwarded_address(rows[i].text, &a);
        EXPECT_U64(err, rows[i].want.len > 0 ? ERR_OK : ERR_SYNTAX);
        EXPECT_STR(print_ip(&t, err == ERR_OK ? a : (IpAddress){0}), rows[i].want);
    }
}

TEST("the entries of a field line are taken from the right")
{
    static const Str want[] = {S_INIT("c"), S_INIT(""), S_INIT("b"), S_INIT("a")};
    Str line = S("a ,\tb,, c ");
    size_t end = line.len;
    size_t from = 0;
    size_t to = 0;
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        EXPECT(forwarded_last(line, &end, &from, &to));
        EXPECT_STR(str_slice(line, from, to), want[i]);
    }
    EXPECT(!forwarded_last(line, &end, &from, &to));
}

TEST("a file of prefixes is read line by line, and a mistake names its line")
{
    static const struct {
        Err want;
        size_t line;
        Str text;
    } rows[] = {
        {ERR_OK, 2, S_INIT("10.0.0.0/8")},     {ERR_OK, 4, S_INIT("2001:db8::/32")},
        {ERR_LIMIT, 5, S_INIT("10.0.0.1/8")},  {ERR_RANGE, 6, S_INIT("10.0.0.0/33")},
        {ERR_SYNTAX, 7, S_INIT("10.0.0.0/8 10.1.0.0/16")},
        {ERR_SYNTAX, 8, S_INIT("a\rb")},       {ERR_OK, 9, S_INIT("192.0.2.1")},
    };
    PrefixLines lines = {.text = S("# offices\n"
                                   "10.0.0.0/8\r\n"
                                   "\t \r\n"
                                   "  2001:db8::/32\t# one\n"
                                   "10.0.0.1/8\n"
                                   "10.0.0.0/33\n"
                                   "10.0.0.0/8 10.1.0.0/16\n"
                                   "a\rb\n"
                                   "192.0.2.1")};
    IpPrefix p;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Str content = STR_NONE;
        EXPECT(prefix_lines_next(&lines, &content));
        EXPECT_U64(ip_prefix_parse(content, &p), rows[i].want);
        EXPECT_U64(lines.line, rows[i].line);
        EXPECT_STR(content, rows[i].text);
    }
    Str content = STR_NONE;
    EXPECT(!prefix_lines_next(&lines, &content));
    EXPECT(!prefix_lines_next(&lines, &content));
}
