"""A malformed message costs its own stream: the others on the connection go on, whoever is at the
other end, and what was refused is logged and counted."""

import ssl
import threading

import certificates
from h2 import (DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, PRIORITY,
                PROTOCOL_ERROR, RST_STREAM, STREAM_CLOSED, H2Client, H2Origin, block, frame,
                request)
from harness import Peer, Test, always, answer, connect, main, proxy, wait_until

OK = (":status", "200")


def answers(head, *data, end=True):
    """The bytes of an origin's answer on a stream: a head, and DATA."""
    def written(number):
        out = frame(HEADERS, END_HEADERS | (END_STREAM if end and not data else 0), number,
                    block(head))
        for i, piece in enumerate(data):
            out += frame(DATA, END_STREAM if end and i == len(data) - 1 else 0, number, piece)
        return out
    return written


# Answers of an origin that are none, and the reason in the log.
ANSWERS = {
    "upper-case name": (answers([OK, ("X-Upper", "1")]), "response-field-name"),
    "name with a blank": (answers([OK, ("a b", "1")]), "response-field-name"),
    "empty name": (answers([OK, ("", "1")]), "response-field-name"),
    "line end in a value": (answers([OK, ("x", "a\r\nb")]), "response-field-value"),
    "blank before a value": (answers([OK, ("x", " a")]), "response-field-value"),
    "connection": (answers([OK, ("connection", "close")]), "response-connection-field"),
    "transfer-encoding": (answers([OK, ("transfer-encoding", "chunked")]),
                          "response-connection-field"),
    "no status": (answers([("x", "a")]), "response-status-line"),
    "status twice": (answers([OK, OK]), "response-pseudo-field"),
    "status behind a field": (answers([("x", "a"), OK]), "response-pseudo-field"),
    "a request's pseudo-field": (answers([OK, (":path", "/")]), "response-pseudo-field"),
    "101": (answers([(":status", "101")]), "response-status-line"),
    "wrong length": (answers([OK, ("content-length", "5")], b"abc"), "response-body-cut"),
    "longer than its length": (answers([OK, ("content-length", "2")], b"abc"),
                               "response-extra-bytes"),
    "a length and no body": (answers([OK, ("content-length", "5")]), "response-body-cut"),
    "two lengths": (answers([OK, ("content-length", "1"), ("content-length", "1")], b"a"),
                    "response-content-length"),
    "204 with a body": (answers([(":status", "204")], b"abc"), "response-extra-bytes"),
    "304 with a body": (answers([(":status", "304")], b"abc"), "response-extra-bytes"),
    "an interim head that ends": (answers([(":status", "103")]), "response-body-cut"),
    "DATA behind an interim head": (answers([(":status", "103")], b"abc"),
                                    "response-body-forbidden"),
    "trailers with a pseudo-field": (
        lambda n: answers([OK], b"abc", end=False)(n) +
        frame(HEADERS, END_HEADERS | END_STREAM, n, block([(":status", "200")])),
        "response-trailer"),
    "trailers that do not end": (
        lambda n: answers([OK], b"abc", end=False)(n) +
        frame(HEADERS, END_HEADERS, n, block([("x", "a")])), "response-trailer"),
}

POST = request("/", method="POST")
# Requests that are none.
REQUESTS = {
    "te of gzip": (request("/", ("te", "gzip")), "request-connection-field"),
    "upper-case name": (request("/", ("X-Upper", "1")), "request-field-name"),
    "a length and no body": (request("/", ("content-length", "5"), method="POST"),
                             "request-body-cut"),
    "connection": (request("/", ("connection", "close")), "request-connection-field"),
    "two paths": ([*request(), (":path", "/b")], "request-pseudo-field"),
    "no path": ([f for f in request() if f[0] != ":path"], "request-pseudo-field"),
    "a response's pseudo-field": ([OK, *request()], "request-pseudo-field"),
    "NUL in a value": (request("/", ("x", "a\0b")), "request-field-value"),
}
LOG = 'log { access "stdout" format="json"; }'


class Faults(Test):
    def front(self, connector, **options):
        self.listen = self.port()
        self.river_ = self.river(proxy(f"{self.listen} h2c=true", connector), LOG, **options)

    def client(self):
        return self.own(H2Client(connect(self.listen)))

    def counted(self, reason):
        return self.river_.status()["worker"]["faults"].get(reason, 0)

    def logged(self, reason):
        wait_until(lambda: f'"reason":"{reason}"' in self.river_.output().replace(": ", ":"),
                   f"{reason} is in the access log")

    def test_an_origin_s_answer(self):
        """Two requests share the origin's connection; one gets a malformed answer, then the other
        a good one."""
        waiting = []
        bad = {}
        lock = threading.Lock()

        def handler(session, stream):
            path = dict(stream.fields)[":path"]
            with lock:
                if path == "/waits":
                    waiting.append((session, stream))
                elif path == "/bad":
                    session.send(bad["bytes"](stream.number))
                else:
                    session.respond(stream, 200, b"fine")
        origin = self.own(H2Origin(handler))
        self.front(f'{origin} proto="h2-only"', threads=1)
        client = self.client()
        for name, (written, reason) in ANSWERS.items():
            with self.subTest(name):
                bad["bytes"] = written
                before = self.counted(reason)
                other = client.start(request("/waits"))
                wait_until(lambda: waiting, "the other request is there")
                refused = client.fetch(request("/bad"))
                self.assertEqual((refused.status, refused.reset), (502, None))
                self.assertEqual(self.counted(reason), before + 1)
                self.logged(reason)
                session, stream = waiting.pop()
                session.respond(stream, 200, b"late")
                client.wait(other)
                self.assertEqual((other.status, other.body), (200, b"late"))
        self.assertEqual(client.fetch(request("/")).body, b"fine")
        self.assertEqual(origin.connections, 1)
        self.assertIsNone(client.goaway)

    def test_a_fault_behind_an_answer_s_head_cuts_that_answer(self):
        held = []

        def handler(session, stream):
            held.append((session, stream))  # before the client may see anything of it
            session.send(answers([OK, ("content-length", "5")], b"abc", end=False)(stream.number))
        origin = self.own(H2Origin(handler))
        self.front(f'{origin} proto="h2-only"', threads=1)
        client = self.client()
        stream = client.start(request())
        client.until(lambda: stream.body == b"abc", "the first bytes")
        session, theirs = held.pop()
        session.data(theirs.number, b"defgh", True)
        client.wait(stream)
        self.assertIsNotNone(stream.reset)
        self.assertEqual(stream.body, b"abc")
        self.logged("response-extra-bytes")
        self.assertIsNone(client.goaway)

    def test_a_client_s_request(self):
        seen = []
        self.front(str(self.origin(always(answer("fine"), seen))), threads=1)
        client = self.client()
        for name, (fields, reason) in REQUESTS.items():
            with self.subTest(name):
                before = self.counted(reason)
                other = client.begin(request("/other", method="POST"))
                bad = client.begin(fields, True)
                client.wait(bad)
                self.assertEqual((bad.status, bad.reset), (0, PROTOCOL_ERROR))
                client.data(other.number, b"x", True)
                client.wait(other)
                self.assertEqual((other.status, other.body), (200, b"fine"))
                self.assertEqual(self.counted(reason), before + 1)
        self.assertEqual({m.target for m in seen}, {"/other"})
        reasons = [r.get("reason") for r in self.river_.logged(2 * len(REQUESTS))]
        self.assertEqual([r for r in reasons if r], [r for _, r in REQUESTS.values()])
        self.assertIsNone(client.goaway)

    def test_a_client_s_body_and_trailers(self):
        cases = {
            "too long": ([("content-length", "2")], b"abc", True, None, "request-extra-bytes"),
            "too short": ([("content-length", "9")], b"abc", True, None, "request-body-cut"),
            "upper-case trailer": ([], b"abc", False, [("X-A", "1")], "request-trailer"),
            "pseudo-field in trailers": ([], b"abc", False, [(":path", "/")], "request-trailer"),
            "te in trailers": ([], b"abc", False, [("te", "gzip")], "request-trailer"),
        }
        self.front(str(self.origin(always(answer("fine")))), threads=1)
        client = self.client()
        for name, (fields, data, end, trailers, reason) in cases.items():
            with self.subTest(name):
                before = self.counted(reason)
                stream = client.begin(request("/", *fields, method="POST"))
                client.data(stream.number, data, end)
                if trailers:
                    client.headers(stream.number, trailers, True)
                client.wait(stream)
                self.assertEqual((stream.status, stream.reset), (0, PROTOCOL_ERROR))
                self.assertEqual(self.counted(reason), before + 1)
                self.assertEqual(client.fetch(request()).body, b"fine")
        self.assertIsNone(client.goaway)

    def test_resets_that_a_client_makes_us_send_are_bounded(self):
        self.front(str(self.origin(always(answer("fine")))), threads=1)
        client = self.client()
        before = self.counted("request-http2-protocol")
        for _ in range(1000):
            stream = client.begin(request("/", ("te", "gzip")), True)
            client.until(lambda s=stream: s.over or client.closed, "a reset")
            if client.closed:
                break
        self.assertTrue(client.closed)
        self.assertEqual(client.goaway[1], ENHANCE_YOUR_CALM)
        self.assertLess(sum(s.reset is not None for s in client.streams.values()), 300)
        wait_until(lambda: self.counted("request-http2-protocol") == before + 1, "it is counted")
        wait_until(lambda: "closed an HTTP/2 connection: the client broke the protocol" in
                   self.river_.errors(), "it is logged")

    def test_a_connection_that_is_broken_is_logged(self):
        self.front(str(self.origin(always(answer("fine")))), threads=1)
        client = self.client()
        client.frame(HEADERS, END_HEADERS, 0, block(request()))  # on no stream
        self.assertTrue(client.drain())
        self.assertEqual(client.goaway[1], PROTOCOL_ERROR)
        wait_until(lambda: self.counted("request-http2-protocol") == 1, "it is counted")
        wait_until(lambda: "closed an HTTP/2 connection: the client broke the protocol" in
                   self.river_.errors(), "it is logged")


class Preface(Test):
    def goodbye(self, peer):
        """The error of the GOAWAY that comes, and the end after it."""
        code = None
        data = peer.rest()
        while len(data) >= 9:
            length = int.from_bytes(data[:3], "big")
            if data[3] == GOAWAY:
                code = int.from_bytes(data[13:17], "big")
            data = data[9 + length:]
        return code

    def test_one_that_is_wrong_behind_its_first_line(self):
        port = self.port()
        self.river(f'App {{ listeners {{ "{port}" h2c=true; }}\n respond status=200 }}')
        peer = self.connect(port)
        peer.send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + b"\0" * 20)
        self.assertEqual(self.goodbye(peer), PROTOCOL_ERROR)

    def test_none_at_all_over_tls(self):
        site = certificates.Authority(self.directory(), "ca").issue("site", ["a.example"])
        port = self.port()
        self.river('App { listeners { "%s" cert-path="%s" key-path="%s"; }\n'
                   'respond status=200\n}' % (port, site.chain, site.key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        peer = Peer(context.wrap_socket(connect(port).socket))
        self.addCleanup(peer.close)
        peer.send(b"INVALID CONNECTION PREFACE\r\n\r\n")
        self.assertEqual(self.goodbye(peer), PROTOCOL_ERROR)

    def test_one_where_http_2_is_not_spoken(self):
        port = self.port()
        self.river(f'App {{ listeners {{ "{port}"; }}\n respond status=200 }}')
        peer = self.connect(port)
        self.assertEqual(peer.ask(b"PRI * HTTP/2.0\r\n").status, 400)


class Frames(Test):
    """What nghttp2 forgets or does not look at."""

    def test_frames_that_may_not_come(self):
        port = self.port()
        self.river(f'App {{ listeners {{ "{port}" h2c=true; }}\n respond status=200 }}')
        head = block(request())
        cases = {
            "stream that goes back": (
                [(HEADERS, END_HEADERS | END_STREAM, 5, head),
                 (HEADERS, END_HEADERS | END_STREAM, 3, head)], PROTOCOL_ERROR),
            "PRIORITY on no stream": ([(PRIORITY, 0, 0, b"\0\0\0\1\1")], PROTOCOL_ERROR),
            "DATA behind the end": ([(HEADERS, END_HEADERS | END_STREAM, 1, head),
                                     (DATA, END_STREAM, 1, b"x")], STREAM_CLOSED),
            "HEADERS behind RST_STREAM": (
                [(HEADERS, END_HEADERS, 1, head), (RST_STREAM, 0, 1, b"\0\0\0\x08"),
                 (HEADERS, END_HEADERS | END_STREAM, 1, head)], STREAM_CLOSED),
        }
        for name, (frames, code) in cases.items():
            with self.subTest(name):
                client = self.own(H2Client(connect(port)))
                for one in frames:
                    client.frame(*one)
                self.assertTrue(client.drain())
                self.assertEqual(client.goaway[1], code)
        client = self.own(H2Client(connect(port)))
        self.assertEqual(client.fetch(request()).status, 200)


if __name__ == "__main__":
    main()
