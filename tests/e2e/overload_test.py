"""Limits: of heads, of requests at once, of connections, of memory."""

import socket
import threading
import time

import h2
from harness import (SlowPeer, Test, always, answer, ask, connect, get, is_sanitized, main, proxy,
                     wait_until)


class Heads(Test):
    def setUp(self):
        self.seen = []

    def start(self, more=""):
        return self.serve(always(answer("x"), self.seen), more)[0]

    def test_the_built_in_limits(self):
        port = self.start()
        self.assertEqual(self.connect(port).ask(get("/" + "a" * 16000)).status, 200)
        self.assertEqual(self.connect(port).ask(get("/" + "a" * 17000)).status, 414)
        fields = [f"X-{i}: y" for i in range(90)]
        self.assertEqual(self.connect(port).ask(get("/", *fields)).status, 200)
        fields = [f"X-{i}: y" for i in range(120)]
        self.assertEqual(self.connect(port).ask(get("/", *fields)).status, 431)
        self.assertEqual(self.connect(port).ask(get("/", "X: " + "y" * 60000)).status, 200)
        self.assertEqual(self.connect(port).ask(get("/", "X: " + "y" * 70000)).status, 431)
        self.assertEqual(len(self.seen), 3)

    def test_a_head_without_end_is_refused_early(self):
        peer = self.connect(self.start())
        peer.send(b"GET / HTTP/1.1\r\n")
        try:
            for _ in range(200):
                peer.send(b"X: " + b"y" * 1000 + b"\r\n")
        except OSError:
            pass
        self.assertEqual(peer.response().status, 431)

    def test_limits_of_the_file_answer_its_status(self):
        port = self.start('overload { max-headers 5; max-header-bytes 2000; status 509; '
                          'body "too much\\n"; }')
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        response = self.connect(port).ask(get("/", *[f"X-{i}: y" for i in range(9)]))
        self.assertEqual((response.status, response.body), (509, b"too much\n"))
        self.assertEqual(self.connect(port).ask(get("/", "X: " + "y" * 3000)).status, 509)


def ask_or_none(port):
    """The status, or None where the connection was refused."""
    try:
        return ask(port, "/").status
    except (OSError, EOFError):
        return None


class Requests(Test):
    def setUp(self):
        self.release = threading.Event()

    def script(self, peer):
        while True:
            peer.request()
            self.release.wait(10)
            peer.send(answer("x"))

    def test_at_once(self):
        port, _, river = self.serve(self.script, "overload { max-concurrent-requests 3; }")
        peers = [self.connect(port) for _ in range(3)]
        for peer in peers:
            peer.send(get())
        wait_until(lambda: river.status()["worker"]["active"] == 3, "three are under way")
        refused = self.connect(port).ask(get())
        self.assertEqual((refused.status, refused.get("retry-after") is not None), (503, True))
        self.release.set()
        for peer in peers:
            self.assertEqual(peer.response().status, 200)
        self.assertEqual(self.connect(port).ask(get()).status, 200)

    def test_connections(self):
        self.release.set()
        port, _, river = self.serve(self.script, system="max-connections 4")
        peers = [self.connect(port) for _ in range(4)]
        for peer in peers:
            self.assertEqual(peer.ask(get()).status, 200)
        waiting = self.connect(port)  # the system's queue holds it
        waiting.send(get())
        time.sleep(0.3)
        self.assertEqual(river.status()["worker"]["connections"], 4)
        peers[0].close()
        self.assertEqual(waiting.response().status, 200)

    def test_who_has_been_idle_for_longest_makes_room(self):
        self.release.set()
        port, _, river = self.serve(self.script, system="max-connections 4", threads=1)
        peers = [self.connect(port) for _ in range(4)]
        for peer in peers:
            self.assertEqual(peer.ask(get()).status, 200)
            time.sleep(0.05)
        for turn in range(2):
            start = time.monotonic()
            newcomer = self.connect(port)
            self.assertEqual(newcomer.ask(get()).status, 200)
            self.assertLess(time.monotonic() - start, 3)
            self.assertTrue(peers[turn].is_closed())
        self.assertEqual(peers[3].ask(get()).status, 200)
        self.assertEqual(river.status()["worker"]["connections"], 4)
        self.assertIn("accepting pauses", river.errors())
        self.assertIn("clients_max=4", river.errors())

    def test_an_idle_connection_of_http2_makes_room(self):
        port = self.port()
        river = self.river(f'app {{ listeners {{ "{port}" h2c=true; }}\nrespond body="x"; }}',
                           "max-connections 2", threads=1)
        for _ in range(2):
            client = h2.H2Client(self.connect(port))
            self.assertEqual(client.fetch(h2.request("/")).status, 200)
        start = time.monotonic()
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        self.assertLess(time.monotonic() - start, 5)
        self.assertLessEqual(river.status()["worker"]["connections"], 2)

    def test_one_that_only_takes_an_answer_makes_room(self):
        """No request is under way, but the answers, which wait for a window, stay for long."""
        self.release.set()
        origin = self.origin(always(answer(bytes(20000))))
        port = self.port()
        self.river(proxy(f"{port} h2c=true", origin), "max-connections 2", threads=1)
        clients = [h2.H2Client(self.connect(port), {h2.INITIAL_WINDOW_SIZE: 1}, auto_window=False)
                   for _ in range(2)]
        for client in clients:
            client.start(h2.request("/"))
        time.sleep(0.5)
        start = time.monotonic()
        wait_until(lambda: ask_or_none(port) == 200, "a newcomer is served", 10)
        self.assertGreater(time.monotonic() - start, 3)  # they have had some time

    def test_who_would_wait_for_ever_is_refused(self):
        """All that there are are busy: newcomers hear it after a second, and do not hang."""
        port, _, river = self.serve(self.script, system="max-connections 4")
        peers = [self.connect(port) for _ in range(4)]
        for peer in peers:
            peer.send(get())
        wait_until(lambda: river.status()["worker"]["active"] == 4, "four are under way")
        for _ in range(2):
            start = time.monotonic()
            for _ in range(10):
                try:
                    newcomer = self.connect(port)
                    newcomer.send(get())
                except ConnectionError:
                    continue
                self.assertTrue(newcomer.is_closed())
            self.assertLess(time.monotonic() - start, 6)
        self.assertGreaterEqual(river.status()["worker"]["refused"], 20)
        self.assertLessEqual(river.errors().count("accepting pauses"), 4)
        self.release.set()
        for peer in peers:
            self.assertEqual(peer.response().status, 200)
        peers[0].close()
        wait_until(lambda: ask_or_none(port) == 200, "who comes now is served")

    def test_memory(self):
        system = "buffer-memory-bytes 4194304"
        port, _, river = self.serve(self.script, system=system)
        peers = []
        statuses = []
        for _ in range(400):
            peer = connect(port)
            peers.append(peer)
            peer.send(get("/", *[f"X-{i}: " + "y" * 900 for i in range(50)]))
        time.sleep(1)
        self.release.set()
        for peer in peers:
            statuses.append(peer.response().status)
            peer.close()
        self.assertEqual(set(statuses), {200, 503})
        worker = river.status()["worker"]
        self.assertLessEqual(worker["memory"]["peak_bytes"], 4194304)
        self.assertIn("memory", worker["faults"])
        self.assertEqual(self.connect(port).ask(get()).status, 200)

    def test_what_one_client_does_not_read_is_bounded(self):
        """Windows that stay shut: 99 answers over one connection."""
        large = b"x" * 300000
        port = self.port()
        river = self.river(proxy(f"{port} h2c=true", self.origin(always(answer(large)))))
        before = river.status()["worker"]["memory"]["used_bytes"]
        client = h2.H2Client(self.connect(port), initial={h2.INITIAL_WINDOW_SIZE: 0})
        client.until(lambda: client.their_settings is not None, "the settings")
        streams = [client.begin(h2.request("/"), True) for _ in range(99)]
        client.until(lambda: all(s.fields for s in streams), "all heads")
        time.sleep(0.3)
        held = river.status()["worker"]["memory"]["used_bytes"] - before
        self.assertLess(held, 4 << 20)
        self.assertGreater(held, 1 << 20)
        client.frame(h2.SETTINGS, 0, 0, h2.settings({h2.INITIAL_WINDOW_SIZE: 1 << 20}))
        client.grant(0, 1 << 26)
        for stream in streams: # and each of them goes on
            client.wait(stream)
            self.assertEqual(len(stream.body), len(large))


class Memory(Test):
    """Clients that ask for much and take nothing spend the budget of all. They are ended, and
    everybody else is served."""

    def start(self, origin, budget=16 << 20):
        """A proxy, and its port."""
        self.budget = budget
        self.at = self.port()
        self.proxy = self.river(proxy(f"{self.at} h2c=true", origin),
                                f"buffer-memory-bytes {budget}")

    def used(self):
        return self.proxy.status()["worker"]["memory"]["used_bytes"]

    def faults(self):
        return self.proxy.status()["worker"]["faults"]

    def hoarder(self, count=99, window=0):
        """A client of HTTP/2 with windows that stay shut, and always `count` requests: it reads its
        socket, and what is refused it asks for again."""
        client = self.own(h2.H2Client(connect(self.at), {h2.INITIAL_WINDOW_SIZE: window},
                                      auto_window=False))
        client.until(lambda: client.their_settings is not None, "the settings")
        for _ in range(count):
            client.begin(h2.request("/"), True)
        threading.Thread(target=self.hoard, args=(client,), daemon=True).start()
        return client

    def hoard(self, client):
        refused = 0
        try:
            while client.step():
                over = [s for s in client.streams.values() if s.over]
                for stream in over[refused:]:
                    client.begin(h2.request("/"), True)
                    time.sleep(0.01)
                refused = len(over)
        except (OSError, ValueError):
            pass

    def is_served(self, seconds):
        """Newcomers are, at last within `seconds`, and from then on again and again."""
        row = 0
        end = time.monotonic() + (3 if is_sanitized() else 1) * seconds
        while row < 10:
            row = row + 1 if ask_or_none(self.at) == 200 else 0
            time.sleep(0.1)
            self.assertLess(time.monotonic(), end, f"{row} newcomers were served in a row")
        worker = self.proxy.status()["worker"]
        self.assertLess(worker["memory"]["peak_bytes"], self.budget)

    def test_what_requests_hold_is_not_counted_twice(self):
        """Much is held, and more is free: nobody has to be refused or ended."""
        self.start(self.origin(always(answer(bytes(300000)))))
        for i in range(3):
            self.hoarder()
            wait_until(lambda: self.used() > self.budget * (i + 1) // 8, "it holds much")
            time.sleep(0.5)
        self.is_served(3)
        self.assertNotIn("memory", self.faults())
        self.assertNotIn("memory-held", self.faults())

    def test_shut_windows_are_ended(self):
        self.start(self.origin(always(answer(bytes(300000)))))
        clients = [self.hoarder() for _ in range(12)]
        self.is_served(5)
        self.assertGreater(self.faults()["memory-held"], 0)
        ended = [c for c in clients if c.closed]
        self.assertGreater(len(ended), 0)
        self.assertLess(len(ended), 12)  # no more than had to
        for client in ended:
            self.assertEqual(client.goaway[1], h2.ENHANCE_YOUR_CALM)
        self.assertIn("reason=memory-held", self.proxy.errors())

    def test_shut_windows_before_an_origin_of_http_2_are_ended(self):
        """It may send a window for each stream without being asked."""
        origin = self.own(h2.H2Origin(lambda c, s: c.respond(s, 200, bytes(100000))))
        self.start(f'{origin} proto="h2-only"')
        for _ in range(8):
            self.hoarder(50)
        self.is_served(10)
        self.assertGreater(self.faults()["memory-held"], 0)

    def test_what_an_origin_of_http_2_has_sent_behind_a_byte_is_seen(self):
        """River has read next to nothing for each stream, but it holds what follows."""
        def handler(session, stream):
            session.headers(stream.number, [(":status", "200")])
            session.data(stream.number, b"x")
            time.sleep(0.01)
            session.body(stream.number, bytes(100000))

        origin = self.own(h2.H2Origin(handler))
        self.start(f'{origin} proto="h2-only"')
        for _ in range(16):
            self.hoarder(8)
        self.is_served(15)
        self.assertGreater(self.faults()["memory-held"], 0)

    def test_windows_that_open_by_a_byte_are_ended(self):
        self.start(self.origin(always(answer(bytes(300000)))))
        clients = [self.hoarder(8) for _ in range(50)]
        over = threading.Event()

        def drip():
            while not over.wait(0.2):
                for client in clients:
                    try:
                        client.grant(1, 1)
                        client.ping()
                    except OSError:
                        pass

        dripping = threading.Thread(target=drip, daemon=True)
        dripping.start()
        self.is_served(8)
        over.set()
        dripping.join()
        self.assertGreater(self.faults()["memory-held"], 0)

    def test_sockets_that_are_not_read_are_ended(self):
        self.start(self.origin(always(answer(bytes(6 << 20)))), 4 << 20)
        peers = []
        for _ in range(80):
            peer = socket.socket()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect(self.at.address)
            peers.append(self.own(peer))
            peer.sendall(get())
        self.is_served(10)
        self.assertGreater(self.faults()["memory-held"], 0)

    def test_heads_that_do_not_end_are_ended(self):
        self.start(self.origin(always(answer("x"))))
        for _ in range(300):
            self.connect(self.at).send(b"GET / HTTP/1.1\r\nX: " + b"y" * 60000)
        self.is_served(5)
        self.assertGreater(self.faults()["memory-held"], 0)

    def test_a_slow_reader_is_not_ended(self):
        """It takes what it is given, at its pace."""
        large = bytes(300000)
        self.start(self.origin(always(answer(large))))
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
        peer.connect(self.at.address)
        slow = h2.H2Client(SlowPeer(peer, 40000))
        self.own(slow)
        stream = slow.start(h2.request("/"))
        done = threading.Thread(target=lambda: slow.wait(stream, 20))
        done.start()
        for _ in range(12):
            self.hoarder()
        self.is_served(5)
        done.join()
        self.assertEqual((stream.body, stream.reset), (large, None))
        self.assertGreater(self.faults()["memory-held"], 0)


if __name__ == "__main__":
    main()
