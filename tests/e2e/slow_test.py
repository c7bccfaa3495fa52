"""Slow peers: every wait has a deadline of its own."""

import socket
import time

from h2 import INITIAL_WINDOW_SIZE, H2Client, request
from harness import SlowPeer, Test, always, answer, get, main, post, proxy


class Clients(Test):
    def test_a_head_that_does_not_come_to_its_end_is_408(self):
        port, origin, _ = self.serve(always(answer("x")), "overload { head-timeout-ms 300; }")
        peer = self.connect(port)
        start = time.monotonic()
        for byte in b"GET / HTTP/1.1\r\nHost":  # one byte at a time does not win time
            if time.monotonic() - start > 0.2:
                break
            peer.send(bytes([byte]))
            time.sleep(0.02)
        self.assertEqual(peer.response().status, 408)
        self.assertLess(time.monotonic() - start, 2)
        self.assertTrue(peer.is_closed())
        self.assertEqual(origin.connections, 0)

    def test_a_silent_newcomer_is_closed(self):
        port, _, _ = self.serve(always(answer("x")), "overload { head-timeout-ms 300; }")
        peer = self.connect(port)
        start = time.monotonic()
        peer.rest()
        self.assertLess(time.monotonic() - start, 2)

    def test_an_idle_connection_is_closed(self):
        port, _, _ = self.serve(always(answer("x")), "overload { keep-alive-timeout-ms 300; }")
        peer = self.connect(port)
        self.assertEqual(peer.ask(get()).status, 200)
        start = time.monotonic()
        self.assertTrue(peer.is_closed())
        self.assertGreater(time.monotonic() - start, 0.2)
        self.assertLess(time.monotonic() - start, 2)

    def test_a_body_that_stops_is_408(self):
        port, _, _ = self.serve(always(answer("x")), "overload { read-timeout-ms 300; }")
        peer = self.connect(port)
        peer.send(get("/", "Content-Length: 10", method="POST") + b"hel")
        self.assertEqual(peer.response().status, 408)
        self.assertTrue(peer.is_closed())

    def test_a_body_below_the_minimum_rate_is_408(self):
        port, _, river = self.serve(always(answer("x")),
                                    "overload { min-receive-rate-bytes 1000; "
                                    "read-timeout-ms 600; }")
        peer = self.connect(port)
        peer.send(get("/", "Content-Length: 100000", method="POST"))
        peer.socket.settimeout(0.2)
        start = time.monotonic()
        while time.monotonic() - start < 12:
            try:
                peer.send(b"x" * 10)
                if peer.fill():
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        self.assertIn(b" 408 ", peer.buffer)
        self.assertIn("client-too-slow", river.status()["worker"]["faults"])

    def test_a_client_that_does_not_read_is_cut(self):
        port, _, river = self.serve(always(answer(bytes(16 << 20))),
                                    "overload { write-timeout-ms 300; }")
        peer = self.connect(port)
        peer.send(get())
        time.sleep(1.5)
        faults = river.status()["worker"]["faults"]
        self.assertTrue({"send-timeout", "client-too-slow"} & set(faults), faults)
        self.assertLess(len(peer.rest()), 16 << 20)


class Origins(Test):
    def test_no_answer_in_time_is_504(self):
        port, origin, _ = self.serve(lambda peer: peer.rest(), arguments="read-timeout-ms=300")
        response = self.connect(port).ask(get())
        self.assertEqual(response.status, 504)
        self.assertEqual(origin.connections, 1)  # it may have begun: never again

    def test_an_answer_that_stops_is_cut(self):
        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            peer.rest()
        port, _, river = self.serve(script, arguments="read-timeout-ms=300")
        peer = self.connect(port)
        peer.send(get())
        peer.head()
        self.assertEqual(peer.rest(), b"abc")
        self.assertIn("origin-stalled", river.status()["worker"]["faults"])

    def test_an_origin_that_does_not_read_is_504(self):
        def script(peer):
            peer.head()
            time.sleep(3)
        port, _, _ = self.serve(script, arguments="write-timeout-ms=300")
        peer = self.connect(port)
        try:
            peer.send(post(bytes(32 << 20)))
        except OSError:
            pass
        self.assertEqual(peer.response().status, 504)

    def test_connecting_takes_too_long(self):
        # A listener whose queue is full does not answer the next one.
        full = socket.socket()
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        port = self.port()
        self.river(proxy(port, f"127.0.0.1:{full.getsockname()[1]} connection-timeout-ms=300",
                         "retries 0"))
        response = self.connect(port).ask(get())
        self.assertIn(response.status, (503, 504))
        for filler in fillers:
            filler.close()
        full.close()


WINDOW = 3 << 19  # of an HTTP/2 stream; the kernel's buffers have room for as much


class Windows(Test):
    """Clients of HTTP/2 with a large window, which is shut for as long as they read what it let
    through. What they acknowledge meanwhile is progress."""

    LIMITS = "overload { write-timeout-ms 2000; min-send-rate-bytes 100; }"

    def slow_client(self, port):
        """A small receive buffer, so that it acknowledges in small steps."""
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        client.connect(port.address)
        self.own(client)
        return client

    def large_window(self, more):
        """A client that takes 1.5 MiB without opening a window, and an answer that is larger."""
        port = self.port()
        river = self.river(proxy(f"{port} h2c=#true",
                                 self.origin(always(answer(bytes(2 * WINDOW)))), more))
        client = H2Client(SlowPeer(self.slow_client(port), 300_000),
                          {INITIAL_WINDOW_SIZE: WINDOW}, auto_window=False)
        client.grant(0, 1 << 30)
        return river, client, client.start(request("/"))

    def test_a_slow_reader_with_a_large_window_is_not_a_dead_one(self):
        """Its window is shut for as long as it reads what the kernels hold, and that is long."""
        river, client, stream = self.large_window(self.LIMITS)
        start = time.monotonic()
        client.until(lambda: len(stream.body) >= WINDOW, "a window of the answer", 20)
        self.assertGreater(time.monotonic() - start, 3)
        client.peer.rate = 1e9
        client.grant(stream.number, 2 * WINDOW)
        client.wait(stream)
        self.assertEqual((len(stream.body), stream.reset), (2 * WINDOW, None))
        self.assertEqual(river.status()["worker"]["faults"], {})

    def test_a_slow_reader_has_a_minimum_rate_with_a_large_window_too(self):
        river, client, stream = self.large_window(
            "overload { write-timeout-ms 1000; min-send-rate-bytes 2000000; }")
        client.until(lambda: stream.over, "the end", 20)
        self.assertIsNotNone(stream.reset)
        self.assertEqual(river.status()["worker"]["faults"], {"client-too-slow": 1})

    def test_who_acknowledges_nothing_is_cut_whatever_it_says(self):
        """It has read all that its window allows, or it reads nothing: PINGs do not excuse it."""
        for reads in (True, False):
            river, client, stream = self.large_window(
                "overload { write-timeout-ms 1000; min-send-rate-bytes 0; }")
            start = time.monotonic()
            if reads:
                client.peer.rate = 1e9
                client.until(lambda: len(stream.body) >= WINDOW, "a window of the answer")
            end = time.monotonic() + 8
            while not river.status()["worker"]["faults"] and time.monotonic() < end:
                client.ping()
                if reads:
                    client.until(lambda: stream.over or client.pongs > 0, "an answer", 2)
                    client.pongs = 0
                time.sleep(0.1)
            self.assertEqual(river.status()["worker"]["faults"], {"send-timeout": 1})
            self.assertLess(time.monotonic() - start, 5)

    def ends_behind_a_window(self, window, more):
        """A request that is over, and its last bytes wait for a window."""
        port = self.port()
        self.river(proxy(f"{port} h2c=#true", self.origin(always(answer(bytes(window + more)))),
                         self.LIMITS))
        client = H2Client(SlowPeer(self.slow_client(port), 300_000),
                          {INITIAL_WINDOW_SIZE: window}, auto_window=False)
        client.grant(0, 1 << 30)
        return client, client.start(request("/"))

    def test_the_end_of_an_answer_may_wait_behind_a_large_window(self):
        """It opens late, and by a few bytes on the way."""
        client, stream = self.ends_behind_a_window(WINDOW, 20000)
        for some in range(1, 15):
            client.until(lambda some=some: len(stream.body) >= some * WINDOW // 15, "a part", 20)
            self.assertIsNone(stream.reset)
            client.grant(stream.number, 4)
        client.until(lambda: len(stream.body) >= WINDOW, "a window of the answer", 20)
        client.grant(stream.number, WINDOW)
        client.wait(stream)
        self.assertEqual((len(stream.body), stream.reset), (WINDOW + 20000, None))

    def test_the_end_of_an_answer_has_a_minimum_rate(self):
        """A window that opens byte by byte is not one that opens."""
        client, stream = self.ends_behind_a_window(1000, 10000)
        start = time.monotonic()
        while stream.reset is None and time.monotonic() - start < 10:
            client.grant(stream.number, 4)
            client.ping()
            client.until(lambda: stream.over or client.pongs > 0, "an answer", 2)
            client.pongs = 0
            time.sleep(0.1)
        self.assertEqual(stream.reset, 8)
        self.assertLess(len(stream.body), 1500)


if __name__ == "__main__":
    main()
