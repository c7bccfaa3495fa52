"""Attacks by HTTP/2 clients, sent for real: others are served meanwhile, memory stays bounded, the
worker lives, and a flood's connection ends."""

import os
import struct
import threading
import time

from h2 import (ACK, DATA, END_HEADERS, END_STREAM, CONTINUATION, HEADERS, INITIAL_WINDOW_SIZE,
                PING, PREFACE, PRIORITY, SETTINGS, WINDOW_UPDATE, H2Client, block, frame, integer,
                literal, request, settings)
from harness import Test, answer, connect, is_sanitized, main, proxy, wait_until

SECONDS_MAX = 4  # of an attack
GROWTH_MAX = 24 << 20  # bytes of the worker's memory that one connection may cost


class Attack(Test):
    more = ""
    body = b"x" * 100

    def setUp(self):
        self.requests = 0
        self.origin_ = self.origin(self.script)
        self.listen = self.port()
        self.river_ = self.river(proxy(f"{self.listen} h2c=true", str(self.origin_), self.more))
        self.worker = self.river_.status()["worker"]

    def script(self, peer):
        while True:
            peer.request()
            self.requests += 1
            peer.send(answer(self.body))

    def raw(self):
        """A connection that has said hello, for bytes of any kind."""
        peer = self.connect(self.listen)
        peer.send(PREFACE + frame(SETTINGS, 0, 0))
        return peer

    def flood(self, piece, seconds=SECONDS_MAX):
        """Sends piece(i) again and again until the connection ends or the time is over, with a
        well-behaved client beside it. True: the connection was ended."""
        self.worst = 0.0
        self.gone = False
        over = threading.Event()
        guest = threading.Thread(target=self.behave, args=(over,))
        guest.start()
        peer = self.raw()
        peer.socket.settimeout(1)
        ended = False
        end = time.monotonic() + seconds
        i = 0
        reader = threading.Thread(target=self.swallow, args=(peer,), daemon=True)
        reader.start()
        try:
            while time.monotonic() < end:
                peer.send(piece(i))
                i += 1
        except TimeoutError:
            pass
        except OSError:
            ended = True
        reader.join(1)
        ended = ended or self.gone  # not: the reader heard nothing
        over.set()
        guest.join()
        self.assertLess(self.worst, 1 if not is_sanitized() else 3)
        self.lives()
        return ended

    def swallow(self, peer):
        """Reads until River ends the connection."""
        while True:
            try:
                if not peer.socket.recv(65536):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        self.gone = True

    def behave(self, over):
        """A second client, with a new connection for each request; notes the slowest."""
        while True:
            start = time.monotonic()
            try:
                client = H2Client(connect(self.listen))
                good = client.fetch(request("/guest")).status == 200
                client.close()
            except (AssertionError, OSError):
                good = False
            self.worst = max(self.worst, time.monotonic() - start if good else 100)
            if over.wait(0.02):
                return

    def lives(self):
        status = self.river_.status()["worker"]
        self.assertNotIn("worker died", self.river_.errors())
        self.assertLess(status["memory"]["peak_bytes"],
                        self.worker["memory"]["used_bytes"] + GROWTH_MAX)


class Floods(Attack):
    def test_rapid_reset(self):
        head = block(request("/reset"))
        def piece(i):
            return b"".join(frame(HEADERS, END_HEADERS | END_STREAM, n, head) +
                            frame(3, 0, n, struct.pack(">I", 8))
                            for n in range(i * 200 + 1, i * 200 + 201, 2))
        before = self.requests
        self.assertTrue(self.flood(piece))
        guests = self.river_.status()["worker"]["requests"]
        self.assertLess(self.requests - before, 1000 + guests)

    def made_you_reset(self, wrong):
        head = block(request("/made", method="POST"))
        def piece(i):
            return b"".join(frame(HEADERS, END_HEADERS, n, head) + wrong(n)
                            for n in range(i * 100 + 1, i * 100 + 101, 2))
        self.assertTrue(self.flood(piece))

    def test_made_you_reset_by_an_increment_of_nothing(self):
        self.made_you_reset(lambda n: frame(WINDOW_UPDATE, 0, n, bytes(4)))

    def test_made_you_reset_by_a_window_that_overflows(self):
        self.made_you_reset(lambda n: frame(WINDOW_UPDATE, 0, n, struct.pack(">I", 0x7fffffff)))

    def test_made_you_reset_by_a_length_that_lies(self):
        head = block(request("/made", ("content-length", "5"), method="POST"))
        def piece(i):
            return b"".join(frame(HEADERS, END_HEADERS, n, head) + frame(DATA, END_STREAM, n, b"a")
                            for n in range(i * 100 + 1, i * 100 + 101, 2))
        self.assertTrue(self.flood(piece))

    def test_made_you_reset_by_data_behind_the_end(self):
        self.made_you_reset(lambda n: frame(DATA, END_STREAM, n) + frame(DATA, 0, n, b"x"))

    def test_made_you_reset_by_a_bad_priority(self):
        self.made_you_reset(lambda n: frame(PRIORITY, 0, n, struct.pack(">IB", n, 1)))

    def test_made_you_reset_by_bad_heads(self):
        head = block(request("/made", ("connection", "x")))
        def piece(i):
            return b"".join(frame(HEADERS, END_HEADERS | END_STREAM, n, head)
                            for n in range(i * 100 + 1, i * 100 + 101, 2))
        self.assertTrue(self.flood(piece))

    def test_continuation(self):
        start = frame(HEADERS, END_STREAM, 1, block(request()))
        more = frame(CONTINUATION, 0, 1, literal("x", "y" * 1000) * 16)
        self.assertTrue(self.flood(lambda i: more if i else start))

    def test_empty_continuation(self):
        start = frame(HEADERS, END_STREAM, 1, block(request()))
        more = frame(CONTINUATION, 0, 1) * 1000
        self.assertTrue(self.flood(lambda i: more if i else start))

    def test_settings(self):
        self.flood(lambda i: frame(SETTINGS, 0, 0, settings({INITIAL_WINDOW_SIZE: i})) * 500)

    def test_settings_that_nobody_reads(self):
        self.unread(frame(SETTINGS, 0, 0) * 1000)

    def test_pings(self):
        self.flood(lambda i: frame(PING, 0, 0, bytes(8)) * 500)

    def test_pings_that_nobody_reads(self):
        self.unread(frame(PING, 0, 0, bytes(8)) * 1000)

    def unread(self, piece):
        """Answers pile up while nobody reads them: River stops reading, or ends."""
        peer = self.raw()
        peer.socket.settimeout(0.5)
        try:
            for _ in range(4000):
                peer.send(piece)
            self.fail("River read it all")
        except OSError:
            pass
        self.assertEqual(self.own(H2Client(connect(self.listen))).fetch(request()).status, 200)
        self.lives()

    def test_acknowledgements_of_nothing(self):
        self.flood(lambda i: (frame(SETTINGS, ACK, 0) + frame(PING, ACK, 0, bytes(8))) * 500)

    def test_empty_data(self):
        start = frame(HEADERS, END_HEADERS, 1, block(request(method="POST")))
        self.assertTrue(self.flood(lambda i: frame(DATA, 0, 1) * 1000 if i else start))

    def test_priority(self):
        piece = frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 1)) * 1000
        self.flood(lambda i: piece)

    def test_priority_of_many_streams(self):
        self.flood(lambda i: b"".join(frame(PRIORITY, 0, n, struct.pack(">IB", 0, 1))
                                      for n in range(i * 2000 + 1, i * 2000 + 2001, 2)))

    def test_window_updates(self):
        start = frame(HEADERS, END_HEADERS, 1, block(request(method="POST")))
        piece = frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)) * 1000
        self.flood(lambda i: piece if i else start)

    def test_unknown_frames(self):
        piece = frame(0x77, 0, 0, bytes(100)) * 100
        self.flood(lambda i: piece)


class Bombs(Attack):
    """Header blocks that grow: what is kept is bounded, and the answer is 431 or a reset."""

    def bomb(self, data):
        client = self.own(H2Client(connect(self.listen)))
        stream = client.stream(1)
        try:
            client.headers(1, data, True)
            client.until(lambda: stream.over or client.closed, "an end")
        except OSError:
            pass
        self.assertIn(stream.status, (0, 431))
        self.assertEqual(self.requests, 0)
        self.lives()
        self.assertEqual(self.own(H2Client(connect(self.listen))).fetch(request()).status, 200)

    def test_many_small_fields(self):
        self.bomb(block(request()) + literal("a", "b") * 20000)

    def test_few_more_fields_than_allowed(self):
        client = self.own(H2Client(connect(self.listen)))
        self.assertEqual(client.fetch(request("/", *[("a", "b")] * 120)).status, 431)
        self.assertEqual(client.fetch(request()).status, 200)

    def test_huge_fields(self):
        self.bomb(block(request()) + literal("a", "b" * 60000) * 4)

    def test_empty_names_and_values(self):
        self.bomb(block(request()) + literal("", "") * 20000)

    def test_one_entry_of_the_table_again_and_again(self):
        self.bomb(block(request()) + literal("a", "b" * 4000, 0x40) + bytes([0x80 | 62]) * 16000)

    def test_many_streams_with_bombs(self):
        bomb = block(request()) + literal("a", "b" * 3900, 0x40) + bytes([0x80 | 62]) * 15
        again = block(request()) + bytes([0x80 | 62]) * 15
        def piece(i):
            return b"".join(frame(HEADERS, END_HEADERS, n, again if n > 1 else bomb)
                            for n in range(i * 100 + 1, i * 100 + 101, 2))
        self.flood(piece, 2)

    def test_cookie_crumbs(self):
        self.bomb(block(request()) + literal("cookie", "") * 10000)

    def test_table_size_updates(self):
        updates = (b"\x20" + integer(4096, 5, 0x20)) * 3000
        client = self.own(H2Client(connect(self.listen)))
        client.headers(1, updates + block(request()), True)
        client.until(lambda: client.closed or client.stream(1).over, "an end")
        self.lives()


class Stalls(Attack):
    more = "overload { write-timeout-ms 700; read-timeout-ms 700; min-receive-rate-bytes 1000; }"
    body = os.urandom(300_000)

    def test_windows_that_never_open(self):
        client = self.own(H2Client(connect(self.listen), {INITIAL_WINDOW_SIZE: 0}, False))
        start = time.monotonic()
        streams = [client.start(request("/stalled")) for _ in range(100)]
        time.sleep(0.3)
        guest = self.own(H2Client(connect(self.listen)))
        self.assertTrue(guest.fetch(request(), seconds=1).body == self.body)
        self.lives()
        client.until(lambda: client.closed or all(s.reset is not None for s in streams), "resets")
        self.assertLess(time.monotonic() - start, 6)
        wait_until(lambda: self.river_.status()["worker"]["upstreams"][0]["active"] == 0,
                   "the origin's connections are free")

    def test_a_window_of_a_byte_at_a_time(self):
        client = self.own(H2Client(connect(self.listen), {INITIAL_WINDOW_SIZE: 0}, False))
        stream = client.start(request("/drip"))
        start = time.monotonic()
        client.peer.socket.settimeout(5)
        while stream.reset is None and time.monotonic() - start < 8:
            client.grant(1, 1)
            client.step()
        self.assertIsNotNone(stream.reset)

    def test_a_body_drip_by_drip(self):
        client = self.own(H2Client(connect(self.listen)))
        stream = client.begin(request("/drip", method="POST"))
        start = time.monotonic()
        while time.monotonic() - start < 8 and not stream.over:
            client.data(1, b"x")
            client.peer.socket.settimeout(0.1)
            try:
                client.step()
            except TimeoutError:
                pass
        self.assertTrue(stream.status == 408 or stream.reset is not None)
        self.assertEqual(self.own(H2Client(connect(self.listen))).fetch(request()).status, 200)


del Attack  # it is no test by itself

if __name__ == "__main__":
    main()
