"""`max-size`: bodies of requests and responses, with an announced length and without one, over
both versions of HTTP. Nothing that was cut ever looks complete."""

import time

from h2 import H2Client, H2Origin, request
from harness import Test, always, answer, get, main, post, proxy, wait_until


def size(stage, count, *more):
    return (f'path-control {{ {stage} {{ filter kind="max-size" max-bytes={count} '
            f'{" ".join(more)} }} }}\n')


def chunked(data, piece=1000):
    pieces = [data[i:i + piece] for i in range(0, len(data), piece)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


CHUNKED_PUT = get("/", "Transfer-Encoding: chunked", method="PUT")


class Requests(Test):
    def start(self, *more, count=5000):
        self.seen = []
        self.listen, self.origin_, self.river_ = self.serve(
            always(answer("ok"), self.seen), size("request-body", count, *more))

    def faults(self):
        return self.river_.status()["worker"]["faults"]

    def test_the_length_that_is_announced(self):
        self.start()
        self.assertEqual(self.connect(self.listen).ask(post(b"x" * 5000)).status, 200)
        peer = self.connect(self.listen)
        peer.send(get("/", "Content-Length: 5001", method="POST"))  # and no byte of it
        refused = peer.response()
        self.assertEqual((refused.status, refused.body), (413, b"413 Content Too Large\n"))
        self.assertEqual(self.origin_.connections, 1)
        self.assertEqual(self.faults(), {"request-too-large": 1})

    def test_a_client_that_waits_for_100_is_not_asked_to_go_on(self):
        self.start()
        peer = self.connect(self.listen)
        peer.send(get("/", "Content-Length: 5001", "Expect: 100-continue", method="POST"))
        self.assertEqual(peer.response().status, 413)

    def test_a_body_without_a_length_when_it_becomes_too_long(self):
        self.start()
        peer = self.connect(self.listen)
        for _ in range(2):
            self.assertEqual(peer.ask(CHUNKED_PUT + chunked(b"x" * 5000)).status, 200)
        peer.send(CHUNKED_PUT + chunked(b"x" * 5001)[:-5])
        refused = peer.response()
        self.assertEqual(refused.status, 413)
        self.assertEqual(refused.get("connection"), "close")
        self.assertTrue(peer.is_closed())
        self.assertEqual(len(self.seen), 2)  # the third never was whole
        self.assertEqual([len(r.body) for r in self.seen], [5000, 5000])

    def test_a_slow_body_is_stopped_at_its_first_byte_too_many(self):
        self.start(count=10)
        peer = self.connect(self.listen)
        peer.send(CHUNKED_PUT)
        for _ in range(10):
            peer.send(b"1\r\nx\r\n")
            time.sleep(0.01)
        wait_until(lambda: self.river_.status()["worker"]["active"] == 1, "it is under way")
        peer.send(b"1\r\nx\r\n")
        self.assertEqual(peer.response().status, 413)
        wait_until(lambda: self.river_.status()["worker"]["active"] == 0, "it is over")

    def test_status_and_body(self):
        self.start("status=400", 'body="no\\n"')
        refused = self.connect(self.listen).ask(post(b"x" * 6000))
        self.assertEqual((refused.status, refused.body), (400, b"no\n"))

    def test_streams_with_and_without_a_length(self):
        seen = []
        origin = self.origin(always(answer("ok"), seen))
        listen = self.port()
        self.river(proxy(f"{listen} h2c=true", origin, size("request-body", 5000)))
        client = self.own(H2Client(self.connect(listen)))
        put = request("/", method="PUT")
        self.assertEqual(client.fetch(put, b"x" * 5000).status, 200)
        self.assertEqual(client.fetch(put, b"x" * 5001).status, 413)
        long_one = client.begin(request("/", ("content-length", "5001"), method="PUT"))
        self.assertEqual(client.wait(long_one).status, 413)
        self.assertEqual(client.fetch(request("/")).status, 200)  # the connection lives on
        self.assertEqual([len(r.body) for r in seen], [5000, 0])

    def test_refused_bodies_leave_the_connection_its_window(self):
        origin = self.origin(always(answer("ok")))
        listen = self.port()
        self.river(proxy(f"{listen} h2c=true", origin, size("request-body", 40000)))
        client = self.own(H2Client(self.connect(listen)))
        for _ in range(40):  # 60,000 bytes each: far more than the windows in all
            stream = client.fetch(request("/", method="PUT"), b"x" * 60000)
            self.assertEqual(stream.status, 413)
        self.assertEqual(client.fetch(request("/", method="PUT"), b"x" * 40000).status, 200)


class Responses(Test):
    def start(self, response, count=5000, more="", h2c=False):
        self.origin_ = self.origin(always(response))
        self.listen = self.port()
        self.river_ = self.river(proxy(f"{self.listen} h2c={str(h2c).lower()}", self.origin_,
                                       size("response-body", count) + more))

    def faults(self):
        return self.river_.status()["worker"]["faults"]

    def test_the_length_that_is_announced(self):
        self.start(lambda r: answer(b"y" * int(r.target[1:])))
        peer = self.connect(self.listen)
        self.assertEqual(len(peer.ask(get("/5000")).body), 5000)
        refused = peer.ask(get("/5001"))
        self.assertEqual((refused.status, refused.body), (502, b"502 Bad Gateway\n"))
        self.assertEqual(len(peer.ask(get("/1")).body), 1)
        self.assertEqual(self.faults(), {"response-too-large": 1})

    def test_the_response_to_head_has_no_body(self):
        self.start(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n")
        response = self.connect(self.listen).ask(get(method="HEAD"), "HEAD")
        self.assertEqual((response.status, response.get("content-length")), (200, "999999"))

    def test_a_stream_that_is_too_long_at_once_is_refused(self):
        self.start(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
                   chunked(b"y" * 5001, 5001))
        peer = self.connect(self.listen)
        self.assertEqual(peer.ask(get()).status, 502)

    def late(self, framing, pieces, end):
        """An origin that goes on only when the client has what came before."""
        def script(peer):
            peer.head()
            peer.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n")
            for piece in pieces:
                peer.send(piece)
                time.sleep(0.1)
            peer.send(end)
        return script

    def test_a_stream_that_becomes_too_long_is_cut(self):
        kilo = b"3e8\r\n" + b"y" * 1000 + b"\r\n"
        origin = self.origin(self.late(b"Transfer-Encoding: chunked\r\n", [kilo] * 6, b"0\r\n\r\n"))
        self.listen = self.port()
        self.river_ = self.river(proxy(self.listen, origin, size("response-body", 5000)))
        peer = self.connect(self.listen)
        peer.send(get())
        self.assertEqual(peer.head().status, 200)
        body = peer.rest()
        self.assertLessEqual(body.count(b"y"), 5000)
        self.assertNotIn(b"0\r\n\r\n", body)
        self.assertEqual(self.faults(), {"response-too-large": 1})

    def test_to_a_client_that_knows_no_chunks_a_cut_is_a_reset(self):
        origin = self.origin(self.late(b"", [b"y" * 1000] * 6, b""))
        self.listen = self.port()
        self.river_ = self.river(proxy(self.listen, origin, size("response-body", 5000)))
        peer = self.connect(self.listen)
        peer.send(get(version="1.0"))
        self.assertEqual(peer.head().status, 200)
        with self.assertRaises(ConnectionResetError):
            while peer.fill():
                pass

    def test_a_stream_of_http_2_is_reset(self):
        kilo = b"3e8\r\n" + b"y" * 1000 + b"\r\n"
        origin = self.origin(self.late(b"Transfer-Encoding: chunked\r\n", [kilo] * 6, b"0\r\n\r\n"))
        self.listen = self.port()
        self.river(proxy(f"{self.listen} h2c=true", origin, size("response-body", 5000)))
        client = self.own(H2Client(self.connect(self.listen)))
        stream = client.fetch(request("/"))
        self.assertEqual(stream.status, 200)
        self.assertLessEqual(len(stream.body), 5000)
        self.assertIsNotNone(stream.reset)
        self.assertFalse(stream.ended)

    def test_an_origin_that_speaks_http_2(self):
        def handler(session, stream):
            session.respond(stream, 200, b"y" * int(stream.get(":path")[1:]))
        origin = self.own(H2Origin(handler))
        self.listen = self.port()
        self.river_ = self.river(proxy(self.listen, f'{origin} proto="h2-only"',
                                       size("response-body", 5000)))
        peer = self.connect(self.listen)
        self.assertEqual(len(peer.ask(get("/5000")).body), 5000)
        peer.send(get("/200000"))
        try:
            response = peer.response()
            self.assertEqual(response.status, 502)
        except (EOFError, ConnectionResetError):
            pass  # cut
        self.assertEqual(self.faults(), {"response-too-large": 1})
        self.assertEqual(len(self.connect(self.listen).ask(get("/3")).body), 3)

    def test_cut_responses_leave_the_connection_to_the_origin_its_window(self):
        def handler(session, stream):
            session.respond(stream, 200, b"y" * int(stream.get(":path")[1:]))
        origin = self.own(H2Origin(handler))
        self.listen = self.port()
        self.river_ = self.river(proxy(f"{self.listen} h2c=true", f'{origin} proto="h2-only"',
                                       size("response-body", 40000)), threads=1)
        client = self.own(H2Client(self.connect(self.listen)))
        for _ in range(60):
            stream = client.fetch(request("/50000"))
            self.assertTrue(stream.status == 502 or stream.reset is not None)
        self.assertEqual(len(client.fetch(request("/40000")).body), 40000)

    def test_answers_of_our_own_are_not_judged(self):
        self.start(answer("y" * 100), count=1)
        self.assertEqual(self.connect(self.listen).ask(get()).status, 502)


if __name__ == "__main__":
    main()
