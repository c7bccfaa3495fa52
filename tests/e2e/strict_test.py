"""What is not exactly HTTP is refused with 400 and a closed connection, and nothing of it reaches
the origin."""

from harness import Test, always, answer, connect, get, main

BODY = b"Host: a.example\r\n"


def chunked(body):
    return b"POST / HTTP/1.1\r\n" + BODY + b"Transfer-Encoding: chunked\r\n\r\n" + body


def head(*lines):
    return b"\r\n".join([b"GET / HTTP/1.1", b"Host: a.example", *lines, b"", b""])


# Nothing of these reaches the origin at all.
REFUSED = {
    "bare LF as line end": b"GET / HTTP/1.1\nHost: a.example\n\n",
    "bare LF within the head": b"GET / HTTP/1.1\r\nHost: a.example\nX: 1\r\n\r\n",
    "bare CR in a value": head(b"X: a\rb"),
    "bare CR as line end": b"GET / HTTP/1.1\rHost: a.example\r\r\r\n\r\n",
    "obs-fold": head(b"X: a", b" b"),
    "obs-fold with a tab": head(b"X: a", b"\tb"),
    "white space before the first field": b"GET / HTTP/1.1\r\n Host: a.example\r\n\r\n",
    "space before the colon": head(b"X : 1"),
    "tab before the colon": head(b"X\t: 1"),
    "NUL in a value": head(b"X: a\0b"),
    "control character in a value": head(b"X: a\x01b"),
    "DEL in a value": head(b"X: a\x7fb"),
    "NUL in a name": head(b"X\0: 1"),
    "empty name": head(b": 1"),
    "no colon": head(b"X"),
    "name with a separator": head(b"X(y): 1"),
    "name beyond ASCII": head("Xé: 1".encode()),
    "both lengths": head(b"Content-Length: 3", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "differing Content-Length": head(b"Content-Length: 3", b"Content-Length: 4") + b"abcd",
    "Content-Length with a plus": head(b"Content-Length: +3") + b"abc",
    "Content-Length with a minus": head(b"Content-Length: -3") + b"abc",
    "Content-Length list": head(b"Content-Length: 3, 3") + b"abc",
    "Content-Length in hexadecimal": head(b"Content-Length: 0x3") + b"abc",
    "Content-Length with a space inside": head(b"Content-Length: 3 3") + b"abc",
    "empty Content-Length": head(b"Content-Length: "),
    "Content-Length overflow": head(b"Content-Length: 18446744073709551616"),
    "Content-Length far too long": head(b"Content-Length: " + b"9" * 60),
    "chunked not last": head(b"Transfer-Encoding: chunked, gzip") + b"0\r\n\r\n",
    "chunked twice": head(b"Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n",
    "chunked in two lines": head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") +
                            b"0\r\n\r\n",
    "coding with a vertical tab": head(b"Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n",
    "empty Transfer-Encoding": head(b"Transfer-Encoding: "),
    "Transfer-Encoding in HTTP/1.0": b"POST / HTTP/1.0\r\n" + BODY +
                                     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": head(b"Host: b.example"),
    "two equal Hosts": head(b"Host: a.example"),
    "Host with another absolute target": b"GET http://b.example/ HTTP/1.1\r\n" + BODY + b"\r\n",
    "invalid Host": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "Host with a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "Host with user information": b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
    "Host with a bad port": b"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n",
    "target without a slash": b"GET abc HTTP/1.1\r\n" + BODY + b"\r\n",
    "space in the target": b"GET /a b HTTP/1.1\r\n" + BODY + b"\r\n",
    "control character in the target": b"GET /\x01 HTTP/1.1\r\n" + BODY + b"\r\n",
    "fragment in the target": b"GET /a#b HTTP/1.1\r\n" + BODY + b"\r\n",
    "asterisk for GET": b"GET * HTTP/1.1\r\n" + BODY + b"\r\n",
    "other scheme": b"GET ftp://a.example/ HTTP/1.1\r\n" + BODY + b"\r\n",
    "two spaces in the request line": b"GET  / HTTP/1.1\r\n" + BODY + b"\r\n",
    "tab in the request line": b"GET\t/ HTTP/1.1\r\n" + BODY + b"\r\n",
    "no version (HTTP/0.9)": b"GET /\r\n\r\n",
    "version in lower case": b"GET / http/1.1\r\n" + BODY + b"\r\n",
    "version HTTP/1.10": b"GET / HTTP/1.10\r\n" + BODY + b"\r\n",
    "method with a separator": b"G(T / HTTP/1.1\r\n" + BODY + b"\r\n",
    "TLS to a plain listener": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40 +
                               b"\r\n\r\n",
}

# The head is fine, so the origin may have seen it; the request never becomes whole there.
BODIES = {
    "chunk size with a sign": b"+3\r\nabc\r\n0\r\n\r\n",
    "chunk size with 0x": b"0x3\r\nabc\r\n0\r\n\r\n",
    "chunk size with a space before": b" 3\r\nabc\r\n0\r\n\r\n",
    "empty chunk size": b"\r\nabc\r\n0\r\n\r\n",
    "chunk size overflow": b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "chunk size at the limit": b"ffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "bare LF behind the chunk size": b"3\nabc\r\n0\r\n\r\n",
    "wrong end of a chunk": b"3\r\nabcX\n0\r\n\r\n",
    "bare LF behind a chunk": b"3\r\nabc\n0\r\n\r\n",
    "bare CR in an extension": b"3;a\rb\r\nabc\r\n0\r\n\r\n",
    "NUL in an extension": b"3;a\0b\r\nabc\r\n0\r\n\r\n",
    "trailer with a space before its colon": b"3\r\nabc\r\n0\r\nX : 1\r\n\r\n",
    "trailer with obs-fold": b"3\r\nabc\r\n0\r\nX: 1\r\n 2\r\n\r\n",
    "bare LF in the trailers": b"3\r\nabc\r\n0\r\nX: 1\n\r\n",
}


class Strict(Test):
    def setUp(self):
        self.seen = []
        self.listen, self.origin_, _ = self.serve(always(answer("x"), self.seen))

    def refusal(self, request):
        peer = connect(self.listen)
        try:
            peer.send(request)
            response = peer.response()
            self.assertTrue(peer.is_closed())
            return response
        finally:
            peer.close()

    def test_heads(self):
        for name, request in REFUSED.items():
            with self.subTest(name):
                response = self.refusal(request)
                self.assertEqual(response.status, 400)
                self.assertEqual(response.get("connection"), "close")
                self.assertEqual(response.get("cache-control"), "private, no-store")
        self.assertEqual(self.origin_.connections, 0)

    def test_heads_behind_a_good_request(self):
        for name, request in REFUSED.items():
            with self.subTest(name):
                peer = self.connect(self.listen)
                peer.send(get("/good") + request)
                self.assertEqual(peer.response().status, 200)
                self.assertEqual(peer.response().status, 400)
        self.assertEqual({r.target for r in self.seen}, {"/good"})

    def test_bodies(self):
        for name, body in BODIES.items():
            with self.subTest(name):
                self.assertEqual(self.refusal(chunked(body)).status, 400)
        self.assertEqual(self.seen, [])

    def test_an_unknown_coding_is_501(self):
        request = head(b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n"
        self.assertIn(self.refusal(request).status, (400, 501))
        self.assertEqual(self.seen, [])

    def test_a_smuggled_request_stays_a_body(self):
        inner = get("/smuggled")
        peer = self.connect(self.listen)
        peer.send(b"POST /outer HTTP/1.1\r\n" + BODY + b"Content-Length: %d\r\n\r\n" % len(inner) +
                  inner)
        self.assertEqual(peer.response().status, 200)
        self.assertEqual([(r.target, r.body) for r in self.seen], [("/outer", inner)])

    def test_an_empty_line_before_a_request_is_skipped(self):
        self.assertEqual(self.connect(self.listen).ask(b"\r\n" + get()).status, 200)

    def test_what_is_forwarded_is_written_anew(self):
        request = (b"GET /a HTTP/1.1\r\nhOsT:   a.example  \r\nx-OdD:\tv \t\r\nX-Empty:\r\n\r\n")
        self.assertEqual(self.connect(self.listen).ask(request).status, 200)
        head_seen = self.seen[0]
        self.assertEqual((head_seen.get("host"), head_seen.get("x-odd"), head_seen.get("x-empty")),
                         ("a.example", "v", ""))
        self.assertNotIn(b"\t", head_seen.raw)


if __name__ == "__main__":
    main()
