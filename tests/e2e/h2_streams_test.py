"""The life of HTTP/2 connections and their streams: flow control, resets, goodbyes, retries,
tunnels by extended CONNECT, and the end of River."""

import base64
import hashlib
import os
import signal
import threading
import time

from h2 import (CANCEL, DATA, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE,
                MAX_CONCURRENT_STREAMS, NO_ERROR, REFUSED_STREAM, RST_STREAM, SETTINGS, H2Client,
                H2Origin, block, frame, request, settings)
from harness import Test, always, answer, ask, connect, main, post, proxy, wait_until

BIG = os.urandom(2_000_000)


class Streams(Test):
    def front(self, connector, more="", **options):
        self.listen = self.port()
        self.river_ = self.river(proxy(f"{self.listen} h2c=true", connector, more), **options)

    def h1(self, script, more="", **options):
        self.origin_ = self.origin(script)
        self.front(str(self.origin_), more, **options)

    def h2(self, handler, more="", early=False, initial=None, **options):
        self.origin_ = self.own(H2Origin(handler, initial, early))
        self.front(f'{self.origin_} proto="h2-only"', more, **options)

    def client(self, *arguments, **options):
        return self.own(H2Client(connect(self.listen), *arguments, **options))

    def used(self):
        return self.river_.status()["worker"]["memory"]["used_bytes"]


class Ends(Streams):
    """The end of a stream goes on as it came: gRPC tells an empty body from none."""

    def seen(self, stream):
        """The types of the stream's frames, once it has ended."""
        wait_until(lambda: stream.ended, "the end of a stream")
        return stream.frames

    def ask(self, data, *fields, reply=lambda session, stream: session.respond(stream)):
        """One request that came in one write: what the origin saw, and what the client did."""
        self.h2(reply, early=True)
        client = self.client()
        client.send(frame(HEADERS, END_HEADERS | (END_STREAM if data is None else 0), 1,
                          block(request("/", *fields, method="POST"))) +
                    (b"" if data is None else frame(DATA, END_STREAM, 1, data)))
        client.wait(client.stream(1))
        self.assertEqual(client.stream(1).status, 200)
        return self.seen(self.origin_.seen[0]), client.stream(1).frames

    def test_a_request_without_a_body(self):
        self.assertEqual(self.ask(None)[0], [HEADERS])

    def test_a_request_with_an_empty_body(self):
        self.assertEqual(self.ask(b"")[0], [HEADERS, DATA])

    def test_a_request_with_an_empty_body_of_announced_length(self):
        self.assertEqual(self.ask(b"", ("content-length", "0"))[0], [HEADERS, DATA])

    def test_a_response_without_a_body(self):
        self.assertEqual(self.ask(None)[1], [HEADERS])
        self.assertEqual(self.origin_.seen[0].frames, [HEADERS])

    def test_a_response_without_a_body_gets_no_length(self):
        self.h2(lambda session, stream: session.respond(stream))
        self.assertIsNone(self.client().fetch(request()).get("content-length"))

    def test_a_response_with_an_empty_body(self):
        def reply(session, stream):
            session.send(frame(HEADERS, END_HEADERS, stream.number, block([(":status", "200")])) +
                         frame(DATA, END_STREAM, stream.number))
        self.assertEqual(self.ask(None, reply=reply)[1], [HEADERS, DATA])

    def test_the_end_comes_later(self):
        self.h2(lambda session, stream: session.respond(stream), early=True)
        client = self.client()
        stream = client.begin(request(method="POST"))
        client.wait(stream)
        client.data(1, b"", True)
        self.assertEqual(self.seen(self.origin_.seen[0]), [HEADERS, DATA])

    def test_an_http_1_origin_is_told_that_there_is_no_body(self):
        seen = []
        self.h1(always(answer(), seen))
        client = self.client()
        for method in ("POST", "PUT", "PATCH", "GET", "DELETE"):
            self.assertEqual(client.fetch(request(method=method)).status, 200)
        self.assertEqual([(m.method, m.get("content-length")) for m in seen],
                         [("POST", "0"), ("PUT", "0"), ("PATCH", "0"), ("GET", None),
                          ("DELETE", None)])


class Flow(Streams):
    def test_bodies_of_streams_that_are_over_open_the_connection_s_window_again(self):
        """They come with the end of their stream, and in all are many times the window."""
        def handler(session, stream):
            session.respond(stream, 200, stream.body)
        self.h2(handler, threads=1)
        client = self.client()
        body = b"x" * 50_000
        for _ in range(120):
            self.assertEqual(len(client.fetch(request("/", method="PUT"), body).body), len(body))
        self.assertEqual(self.origin_.connections, 1)

    def slow_client(self):
        """Opens its window little by little, and gets everything."""
        before = self.used()
        client = self.client({INITIAL_WINDOW_SIZE: 1000}, auto_window=False)
        client.grant(0, 1 << 24)
        stream = client.start(request("/big"))
        most = 0
        asked = 1000
        while not stream.over:
            if len(stream.body) + 500 > asked:
                client.grant(1, 20_000)
                asked += 20_000
                if asked % 200_000 == 1000:
                    most = max(most, self.used() - before)
            client.step()
        self.assertTrue(stream.body == BIG)
        self.assertLess(most, 1_000_000)

    def test_a_client_that_opens_its_window_slowly_h1(self):
        self.h1(self.big)
        self.slow_client()

    def test_a_client_that_opens_its_window_slowly_h2(self):
        self.h2(lambda session, stream: session.respond(stream, 200, BIG))
        self.slow_client()

    @staticmethod
    def big(peer):
        while True:
            peer.request()
            peer.send(answer(BIG))

    def test_a_slow_origin_holds_the_client_back(self):
        """A body that the origin does not take waits with the client, not in River."""
        go = threading.Event()
        self.addCleanup(go.set)
        def script(peer):
            peer.head()
            go.wait(10)
            peer.buffer = b""
            peer.rest()
        self.h1(script)
        before = self.used()
        client = self.client()
        client.begin(request(method="POST"))
        client.until(lambda: client.their_settings, "settings")
        sent = [0]
        def push():
            for _ in range(3000):
                try:
                    if not client.body(1, b"x" * 16384, False):
                        return
                except OSError:
                    return
                sent[0] += 16384
        threading.Thread(target=push, daemon=True).start()
        time.sleep(1.5)
        self.assertLess(sent[0], 20_000_000)
        self.assertLess(self.used() - before, 1_500_000)
        client.close()

    def test_a_stalled_stream_does_not_stall_its_neighbours(self):
        self.h2(lambda session, stream: session.respond(
            stream, 200, BIG[:120_000] if stream.get(":path") == "/big" else b"small"),
                early=True)
        client = self.client(auto_window=False)
        client.grant(0, 1 << 24)
        client.start(request("/big"))
        for _ in range(20):
            stream = client.start(request("/small"))
            client.wait(stream, 2)
            self.assertEqual(stream.body, b"small")


class Ends(Streams):
    def test_an_answer_that_comes_before_the_body_has_ended(self):
        def script(peer):
            peer.head()
            peer.send(answer(b"no", status="413 X"))
            peer.rest()
        self.h1(script)
        client = self.client()
        stream = client.begin(request(method="POST"))
        client.data(1, b"x" * 1000)
        client.until(lambda: stream.ended, "the answer")
        self.assertEqual((stream.status, stream.body), (413, b"no"))
        self.assertIsNone(client.goaway)

    def test_an_early_answer_of_an_h2_origin(self):
        self.h2(lambda session, stream: session.respond(stream, 403, b"no"), early=True)
        client = self.client()
        stream = client.begin(request(method="POST"))
        client.data(1, b"x" * 1000)
        client.until(lambda: stream.ended, "the answer")
        self.assertEqual((stream.status, stream.body), (403, b"no"))
        self.assertEqual(client.fetch(request(), seconds=5).status, 403)

    def test_a_reset_ends_one_exchange_alone_h1(self):
        closed = threading.Event()
        def script(peer):
            while peer.request().target != "/wait":
                peer.send(answer(b"other"))
            peer.rest()
            closed.set()
        self.h1(script)
        client = self.client()
        waiting = client.start(request("/wait"))
        self.assertEqual(client.fetch(request("/other")).body, b"other")
        client.reset(waiting.number)
        self.assertTrue(closed.wait(5))
        self.assertEqual(client.fetch(request("/other")).body, b"other")

    def test_a_reset_ends_one_exchange_alone_h2(self):
        def handler(session, stream):
            if stream.get(":path") != "/wait":
                session.respond(stream, 200, b"other")
        self.h2(handler, threads=1)
        client = self.client()
        waiting = client.start(request("/wait"))
        self.assertEqual(client.fetch(request("/other")).body, b"other")
        client.reset(waiting.number)
        held, = [s for s in self.origin_.seen if s.get(":path") == "/wait"]
        wait_until(lambda: held.reset == CANCEL, "the origin hears of it", 5)
        self.assertEqual(client.fetch(request("/other")).body, b"other")
        self.assertEqual(self.origin_.connections, 1)

    def test_a_client_that_goes_ends_all_its_streams(self):
        self.h2(lambda session, stream: None, threads=1)
        client = self.client()
        for _ in range(10):
            client.start(request("/wait"))
        wait_until(lambda: len(self.origin_.seen) == 10, "the requests are there")
        client.close()
        wait_until(lambda: all(s.reset is not None for s in self.origin_.seen), "all are reset")

    def test_an_origin_that_resets_in_the_middle(self):
        def handler(session, stream):
            session.headers(stream.number, [(":status", "200"), ("content-length", "10")])
            session.data(stream.number, b"half")
            session.reset(stream.number, 2)
        self.h2(handler)
        stream = self.client().fetch(request())
        self.assertIsNotNone(stream.reset)
        peer = self.connect(self.listen)
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with self.assertRaises((EOFError, ConnectionResetError)):
            peer.response()

    def test_a_reset_that_comes_together_with_what_it_ends(self):
        def handler(session, stream):
            session.headers(stream.number, [(":status", "200")])
            time.sleep(0.1)
            session.send(frame(DATA, 0, stream.number, b"half") +
                         frame(RST_STREAM, 0, stream.number, b"\0\0\0\2"))
        self.h2(handler)
        self.assertIsNotNone(self.client().fetch(request()).reset)
        peer = self.connect(self.listen)
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with self.assertRaises((EOFError, ConnectionResetError)):
            peer.response()


class Goodbyes(Streams):
    def test_an_origins_goaway_lets_its_streams_finish(self):
        held = []
        def handler(session, stream):
            if stream.get(":path") == "/held":
                held.append((session, stream))
                session.leave(stream.number)
            else:
                session.respond(stream, 200, b"new")
        self.h2(handler, threads=1)
        client = self.client()
        first = client.start(request("/held"))
        wait_until(lambda: held, "the first is held")
        time.sleep(0.1)
        self.assertEqual(client.fetch(request("/next")).body, b"new")
        self.assertEqual(self.origin_.connections, 2)
        session, stream = held[0]
        session.respond(stream, 200, b"old")
        self.assertEqual(client.wait(first).body, b"old")

    def test_streams_behind_a_goaway_are_asked_again(self):
        def handler(session, stream):
            if len(self.origin_.sessions) == 1:
                session.leave(0)
            else:
                session.respond(stream, 200, b"again")
        self.h2(handler, threads=1)
        self.assertEqual(self.client().fetch(request()).body, b"again")
        self.assertEqual(self.origin_.connections, 2)

    def test_a_refused_stream_is_asked_again(self):
        count = []
        def handler(session, stream):
            count.append(1)
            if len(count) == 1:
                session.reset(stream.number, REFUSED_STREAM)
            else:
                session.respond(stream, 200, b"again")
        self.h2(handler)
        stream = self.client().fetch(request(method="POST"), b"body")
        self.assertEqual((stream.status, stream.body, len(count)), (200, b"again", 2))
        self.assertEqual([s.body for s in self.origin_.seen], [b"body", b"body"])

    def test_a_request_with_trailers_is_sent_whole_or_not_at_all(self):
        def handler(session, stream):
            if len(self.origin_.seen) == 1:
                session.reset(stream.number, REFUSED_STREAM)
            else:
                session.respond(stream, 200, b"again")
        self.h2(handler)
        self.client().fetch(request(method="PUT"), b"body", [("x-sum", "1")])
        for seen in self.origin_.seen:
            self.assertEqual((seen.body, seen.trailers), (b"body", [("x-sum", "1")]))

    def test_another_reset_is_not_asked_again(self):
        self.h2(lambda session, stream: session.reset(stream.number, 2))
        self.assertEqual(self.client().fetch(request(method="POST"), b"x").status, 502)
        self.assertEqual(len(self.origin_.seen), 1)

    def test_an_idle_connection_that_the_origin_closed_is_not_used(self):
        self.h2(lambda session, stream: session.respond(stream, 200, b"x"), threads=1)
        client = self.client()
        for count in range(1, 4):
            self.assertEqual(client.fetch(request()).status, 200)
            self.assertEqual(self.origin_.connections, count)
            self.origin_.sessions[-1].peer.socket.shutdown(2)
            time.sleep(0.1)

    def test_streams_run_out(self):
        """More requests than the origin allows streams: all are served."""
        def handler(session, stream):
            threading.Timer(0.05, session.respond, (stream, 200, b"x")).start()
        self.h2(handler, initial={MAX_CONCURRENT_STREAMS: 4}, threads=1)
        client = self.client()
        streams = [client.start(request()) for _ in range(60)]
        for stream in streams:
            self.assertEqual(client.wait(stream).status, 200)

    def test_one_connection_with_many_streams(self):
        held = []
        def handler(session, stream):
            held.append(stream)
            if len(held) == 80:
                for one in held:
                    session.respond(one, 200, b"x")
        self.h2(handler, threads=1)
        client = self.client()
        streams = [client.start(request()) for _ in range(80)]
        for stream in streams:
            self.assertEqual(client.wait(stream).status, 200)
        self.assertEqual(self.origin_.connections, 1)

    def test_sigterm_says_goodbye_and_lets_streams_finish(self):
        held = []
        self.h2(lambda session, stream: held.append((session, stream)), threads=1)
        client = self.client()
        running = client.start(request())
        wait_until(lambda: held, "it runs")
        self.river_.signal(signal.SIGTERM)
        client.until(lambda: client.goaway, "GOAWAY")
        self.assertEqual(client.goaway[1], NO_ERROR)
        session, stream = held[0]
        session.respond(stream, 200, b"late")
        self.assertEqual(client.wait(running).body, b"late")
        self.assertEqual(self.river_.wait(), 0)


class Tunnels(Streams):
    CONNECT = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"),
               (":authority", "a.example"), (":path", "/chat"), ("sec-websocket-version", "13")]

    def script(self, peer):
        self.request = peer.request()
        key = self.request.get("sec-websocket-key")
        self.assertTrue(key)
        guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1((key + guid).encode()).digest()).decode()
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                  f"Upgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n")
        while peer.fill():
            peer.send(peer.buffer[::-1])
            peer.buffer = b""

    def test_a_websocket_by_extended_connect(self):
        self.h1(self.script)
        client = self.client()
        client.until(lambda: client.their_settings, "settings")
        self.assertEqual(client.their_settings[8], 1)
        stream = client.begin(self.CONNECT)
        client.until(lambda: stream.status, "the answer")
        self.assertEqual((stream.status, stream.over), (200, False))
        self.assertEqual((self.request.first, self.request.get("upgrade")),
                         ("GET /chat HTTP/1.1", "websocket"))
        for text in (b"hello", b"x" * 5):
            before = len(stream.body)
            client.body(1, text, False)
            client.until(lambda: len(stream.body) == before + len(text), "the echo")
            self.assertEqual(stream.body[before:], text[::-1])
        client.body(1, b"", True)
        client.until(lambda: stream.over, "the end")

    def test_a_protocol_that_is_not_listed(self):
        self.h1(self.script)
        fields = [(n, "other" if n == ":protocol" else v) for n, v in self.CONNECT]
        client = self.client()
        stream = client.begin(fields)
        client.until(lambda: stream.status or stream.over, "the answer")
        self.assertGreaterEqual(stream.status, 400)
        self.assertEqual(self.origin_.connections, 0)

    def test_plain_connect(self):
        self.h1(self.script)
        client = self.client()
        stream = client.begin([(":method", "CONNECT"), (":authority", "b.example:443")])
        client.until(lambda: stream.status or stream.over, "the answer")
        self.assertEqual(stream.status, 405)
        self.assertEqual(self.origin_.connections, 0)


class HostileOrigins(Streams):
    """What an origin gets wrong is 502, or seen as an answer that is not whole."""

    def asks(self, handler, seconds=8):
        """The first answer over each version."""
        self.h2(handler, "retries 0")
        stream = self.client().fetch(request(), seconds=seconds)
        self.assertNotIn("worker died", self.river_.errors())
        return stream

    def refused(self, handler):
        self.assertEqual(self.asks(handler).status, 502)
        self.assertEqual(self.connect(self.listen).ask(post(b"x")).status, 502)

    def test_heads(self):
        for fields in ([("x", "y")], [(":status", "20")], [(":status", "abc")],
                       [(":status", "101")],
                       [(":status", "200"), (":status", "200")], [(":status", "200"), (":x", "y")],
                       [(":status", "200"), ("X", "y")], [(":status", "200"), ("connection", "x")],
                       [(":status", "200"), ("transfer-encoding", "chunked")],
                       [(":status", "200"), ("x", "a\r\nb: c")], [(":status", "200"), ("x", "\0")],
                       [(":status", "200"), ("content-length", "1"), ("content-length", "2")],
                       [(":status", "200"), ("content-length", "-1")],
                       [(":status", "200"), ("content-length", "5")]):
            with self.subTest(fields):
                self.refused(lambda session, stream, f=fields:
                             session.headers(stream.number, f, True))

    def test_data_before_the_head(self):
        self.refused(lambda session, stream: session.data(stream.number, b"x", True))

    def test_a_bomb(self):
        self.refused(lambda session, stream: session.headers(
            stream.number, [(":status", "200")] + [("a", "b")] * 20000, True))

    def test_interim_answers_without_end(self):
        def handler(session, stream):
            for _ in range(3000):
                session.headers(stream.number, [(":status", "103"), ("x", "y")])
        self.assertNotEqual(self.asks(handler).status, 200)

    def test_a_push(self):
        self.refused(lambda session, stream: session.frame(
            5, 4, stream.number, b"\0\0\0\2" + b"\x82\x84\x86"))

    def test_bodies(self):
        for data in (b"12345678", b"12"):
            with self.subTest(data):
                def handler(session, stream, data=data):
                    session.headers(stream.number, [(":status", "200"), ("content-length", "4")])
                    session.data(stream.number, data, True)
                stream = self.asks(handler)
                self.assertTrue(stream.reset is not None or stream.status == 502)
                peer = self.connect(self.listen)
                peer.send(post(b"x"))
                try:
                    status = peer.response().status
                except (EOFError, ConnectionResetError):
                    continue  # cut off, as it was
                self.assertEqual(status, 502)

    def test_garbage(self):
        self.refused(lambda session, stream: session.send(b"HTTP/1.1 200 OK\r\n\r\n"))


class Fewer(Streams):
    def test_requests_that_the_origin_does_not_allow_any_more_go_elsewhere(self):
        """It allows no more streams once it has served one: what was not sent yet keeps neither its
        request waiting nor the connection open."""
        def handler(session, stream):
            session.respond(stream, 200, b"x")
            if len(session.streams) == 1:
                session.frame(SETTINGS, 0, 0, settings({MAX_CONCURRENT_STREAMS: 0}))

        self.origin_ = self.own(H2Origin(handler))
        self.front(f'{self.origin_} proto="h2-only" idle-timeout-ms=500 read-timeout-ms=3000',
                   threads=1)
        seen = []

        def one():
            seen.append(ask(self.listen, "/").status)

        for _ in range(4):
            askers = [threading.Thread(target=one) for _ in range(10)]
            for asker in askers:
                asker.start()
            for asker in askers:
                asker.join()
        self.assertEqual(seen, [200] * 40)
        upstream = lambda: self.river_.status()["worker"]["upstreams"][0]
        wait_until(lambda: upstream()["active"] == 0, "the end of connections without streams", 5)


if __name__ == "__main__":
    main()
