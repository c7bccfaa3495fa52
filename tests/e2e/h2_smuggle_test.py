"""HTTP/2 heads and bodies that could mean another thing in HTTP/1: none reaches the origin, or
exactly one request with exact framing does."""

from h2 import H2Client, block, literal, request
from harness import Test, answer, connect, main, proxy

POST = request(method="POST")


def without(name):
    return [f for f in request() if f[0] != name]


HEADS = {
    "no method": without(":method"),
    "no path": without(":path"),
    "no scheme": without(":scheme"),
    "no host at all": without(":authority"),
    "two methods": [(":method", "GET"), *request()],
    "two paths": [*request(), (":path", "/b")],
    "two authorities": [*request(), (":authority", "b.example")],
    "unknown pseudo-field": [*request(), (":x", "y")],
    "a response's pseudo-field": [*request(), (":status", "200")],
    "pseudo-field behind a field": [*request()[:3], ("x", "y"), request()[3]],
    "protocol without CONNECT": [*request(), (":protocol", "websocket")],
    "empty path": request(""),
    "path without a slash": request("x"),
    "space in the path": request("/a b"),
    "a request in the path": request("/ HTTP/1.1\r\nHost: b\r\n\r\nGET /x"),
    "fragment": request("/#x"),
    "absolute path": request("http://b.example/"),
    "space in the method": request(method="GET /x HTTP/1.1"),
    "line end in the method": request(method="GET / HTTP/1.1\r\nX: y\r\n\r\n"),
    "empty method": request(method=""),
    "scheme with a line end": request(scheme="http\r\nx: y"),
    "authority with a line end": request(authority="a\r\nX: y"),
    "authority with user": request(authority="u@a.example"),
    "authority with a space": request(authority="a b"),
    "authority against host": request("/", ("host", "b.example")),
    "space before a crumb of Cookie": request("/", ("cookie", "a=b"), ("cookie", " c=d")),
    "space behind a crumb of Cookie": request("/", ("cookie", "a=b "), ("cookie", "c=d")),
    "LF in a crumb of Cookie": request("/", ("cookie", "a=b"), ("cookie", "c\n=d")),
    "upper-case Cookie": request("/", ("cookie", "a=b"), ("Cookie", "c=d")),
    "two hosts": [*without(":authority"), ("host", "a"), ("host", "b")],
    "CR in a value": request("/", ("x", "a\rb")),
    "LF in a value": request("/", ("x", "a\nb")),
    "CRLF and a field in a value": request("/", ("x", "a\r\ntransfer-encoding: chunked")),
    "NUL in a value": request("/", ("x", "a\0b")),
    "space before a value": request("/", ("x", " a")),
    "space in a name": request("/", ("x y", "a")),
    "colon in a name": request("/", ("x: y", "a")),
    "CRLF in a name": request("/", ("x: y\r\nz", "a")),
    "NUL in a name": request("/", ("x\0", "a")),
    "upper-case name": request("/", ("X-Upper", "a")),
    "empty name": request("/", ("", "a")),
    "connection": request("/", ("connection", "close")),
    "keep-alive": request("/", ("keep-alive", "timeout=5")),
    "proxy-connection": request("/", ("proxy-connection", "x")),
    "upgrade": request("/", ("upgrade", "h2c")),
    "te of gzip": request("/", ("te", "gzip")),
    "transfer-encoding": request("/", ("transfer-encoding", "chunked")),
    "length and coding": request("/", ("content-length", "3"), ("transfer-encoding", "chunked")),
    "signed length": request("/", ("content-length", "+3"), method="POST"),
    "list of lengths": request("/", ("content-length", "3, 3"), method="POST"),
    "lengths that differ": request("/", ("content-length", "3"), ("content-length", "4")),
    "length that overflows": request("/", ("content-length", "9" * 30), method="POST"),
    "empty length": request("/", ("content-length", ""), method="POST"),
    "length and no body": request("/", ("content-length", "3"), method="POST"),
    "plain CONNECT with a path": request(method="CONNECT"),
    "h2c upgrade": request("/", ("upgrade", "h2c"), ("http2-settings", "AAAA")),
}


class Smuggling(Test):
    def setUp(self):
        self.seen = []
        self.origin_ = self.origin(self.script)
        self.listen = self.port()
        self.river_ = self.river(proxy(f"{self.listen} h2c=true", str(self.origin_)))

    def script(self, peer):
        while True:
            self.seen.append(peer.request())
            self.assertEqual(peer.buffer, b"")  # nothing stands behind a request
            peer.send(answer(b"ok"))

    def client(self):
        return self.own(H2Client(connect(self.listen)))

    def refused(self, client, stream):
        client.until(lambda: stream.over or client.closed, "an end")
        self.assertTrue(400 <= stream.status < 500 or (stream.status == 0 and not stream.ended),
                        (stream.status, stream.reset))

    def test_heads(self):
        for name, fields in HEADS.items():
            for end in (True, False):
                if not end and name == "length and no body":
                    continue
                with self.subTest(name, end=end):
                    client = self.client()
                    stream = client.begin(fields, end)
                    self.refused(client, stream)
                    self.assertEqual(self.seen, [])
        self.assertEqual(self.client().fetch(request()).status, 200)
        self.assertEqual(len(self.seen), 1)

    def test_a_refused_stream_leaves_the_connection_usable(self):
        client = self.client()
        self.refused(client, client.begin(HEADS["authority against host"], True))
        self.assertEqual(client.fetch(request("/next")).status, 200)
        self.assertEqual([m.target for m in self.seen], ["/next"])

    def test_data_that_is_too_short(self):
        client = self.client()
        stream = client.begin(request("/", ("content-length", "10"), method="POST"))
        client.data(1, b"abc", True)
        self.refused(client, stream)
        self.assertEqual(self.seen, [])

    def test_data_that_is_too_long(self):
        client = self.client()
        stream = client.begin(request("/", ("content-length", "3"), method="POST"))
        client.data(1, b"abcGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", True)
        client.until(lambda: stream.over or client.closed, "an end")
        self.assertNotIn("/smuggled", [m.target for m in self.seen])
        self.assertEqual(self.client().fetch(request()).status, 200)
        self.assertNotIn("/smuggled", [m.target for m in self.seen])

    def test_a_length_of_nothing_with_data(self):
        """H2.CL."""
        client = self.client()
        stream = client.begin(request("/", ("content-length", "0"), method="POST"))
        client.data(1, b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", True)
        client.until(lambda: stream.over or client.closed, "an end")
        self.assertEqual(self.client().fetch(request("/after")).status, 200)
        self.assertNotIn("/smuggled", [m.target for m in self.seen])

    def test_chunks_in_data_are_bytes(self):
        """H2.TE: what looks like a last chunk is chunked again."""
        body = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        self.assertEqual(self.client().fetch(POST, body).status, 200)
        seen, = self.seen
        self.assertEqual((seen.body, seen.get("transfer-encoding")), (body, "chunked"))

    def test_exact_length_is_exact(self):
        body = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        fields = request("/", ("content-length", str(len(body))), method="POST")
        self.assertEqual(self.client().fetch(fields, body).status, 200)
        seen, = self.seen
        self.assertEqual((seen.body, seen.all("content-length"), seen.all("transfer-encoding")),
                         (body, [str(len(body))], []))

    def test_trailers_smuggle_nothing(self):
        trailers = [("content-length", "0"), ("transfer-encoding", "chunked"), ("host", "b"),
                    ("x-fine", "1")]
        client = self.client()
        stream = client.start(POST, b"abc", trailers)
        client.until(lambda: stream.over or client.closed, "an end")
        for seen in self.seen:
            self.assertEqual(seen.body, b"abc")
            self.assertTrue(set(n for n, _ in seen.trailers) <= {"x-fine"}, seen.trailers)

    def test_line_ends_in_trailers(self):
        client = self.client()
        stream = client.start(POST, b"abc", [("x", "a\r\nb: c")])
        client.until(lambda: stream.over or client.closed, "an end")
        self.assertFalse(stream.ended and stream.status == 200 and self.seen[0].trailers)

    def test_pseudo_fields_in_trailers(self):
        client = self.client()
        stream = client.start(POST, b"abc", block([]) + literal(":path", "/x"))
        self.refused(client, stream)


if __name__ == "__main__":
    main()
