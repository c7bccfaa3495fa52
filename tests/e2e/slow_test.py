"""Slow peers: every wait has a deadline of its own."""

import socket
import time

from harness import Test, always, answer, get, main, post, proxy


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


if __name__ == "__main__":
    main()
