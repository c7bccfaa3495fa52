"""Connections to origins: shared, reused, dropped when stale; and requests tried again."""

import threading
import time

from harness import Port, Test, always, answer, get, main, post, proxy, wait_until


def upstream(river, index=0):
    return river.status()["worker"]["upstreams"][index]


class Pool(Test):
    def test_without_idle_connections_each_request_gets_its_own(self):
        port, origin, _ = self.serve(always(answer("x")),
                                     system="max-idle-upstream-connections 0")
        peer = self.connect(port)
        self.assertEqual([peer.ask(get()).status for _ in range(3)], [200] * 3)
        self.assertEqual(len(origin.peers), 3)

    def test_many_clients_few_connections(self):
        port, origin, river = self.serve(always(answer("x")))
        for _ in range(50):
            peer = self.connect(port)
            self.assertEqual(peer.ask(get("/", "Connection: close")).body, b"x")
            peer.close()
        self.assertLessEqual(origin.connections, 2)
        self.assertGreaterEqual(upstream(river)["reused"], 48)

    def test_the_pool_is_exact_across_threads(self):
        port, origin, river = self.serve(always(answer("x")), arguments="max-connections=3")
        peers = [self.connect(port) for _ in range(12)]
        threads = [threading.Thread(target=lambda p=p: [p.ask(get()) for _ in range(40)])
                   for p in peers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLessEqual(origin.connections, 3)
        self.assertEqual(upstream(river)["requests"], 480)

    def test_a_connection_that_closes_while_idle_is_dropped(self):
        def script(peer):
            peer.request()
            peer.send(answer("x"))
        port, origin, river = self.serve(script)
        peer = self.connect(port)
        for i in range(5):
            self.assertEqual(peer.ask(get()).body, b"x")
            wait_until(lambda: upstream(river)["idle"] == 0, "the idle connection is dropped")
            self.assertEqual(origin.connections, i + 1)

    def test_a_connection_that_speaks_unasked_is_dropped(self):
        poisoned = []

        def script(peer):
            peer.request()
            peer.send(answer("x"))
            time.sleep(0.2)
            peer.send(answer("poison"))
            poisoned.append(peer)
            peer.rest()
        port, origin, river = self.serve(script)
        peer = self.connect(port)
        for i in range(3):
            self.assertEqual(peer.ask(get()).body, b"x")
            wait_until(lambda n=i: len(poisoned) > n, "the origin has spoken")
            wait_until(lambda: upstream(river)["idle"] == 0, "the talkative one is dropped")
            self.assertEqual(origin.connections, i + 1)

    def test_idle_time_is_limited(self):
        port, origin, river = self.serve(always(answer("x")), arguments="idle-timeout-ms=200")
        peer = self.connect(port)
        peer.ask(get())
        wait_until(lambda: upstream(river)["idle"] == 1, "it is idle")
        wait_until(lambda: upstream(river)["idle"] == 0, "the idle connection is retired")
        peer.ask(get())
        self.assertEqual(origin.connections, 2)

    def test_what_the_origin_announces_is_honoured(self):
        port, origin, river = self.serve(
            always(answer("x", "Connection: keep-alive", "Keep-Alive: timeout=1")))
        peer = self.connect(port)
        peer.ask(get())
        start = time.monotonic()
        wait_until(lambda: upstream(river)["idle"] == 1, "it is idle")
        wait_until(lambda: upstream(river)["idle"] == 0, "it is retired")
        self.assertLess(time.monotonic() - start, 1.2)
        peer.ask(get())
        self.assertEqual(origin.connections, 2)

    def test_idle_connections_are_limited_in_all(self):
        release = threading.Event()

        def script(peer):
            while True:
                peer.request()
                release.wait(10)
                peer.send(answer("x"))
        port, _, river = self.serve(script, system="max-idle-upstream-connections 4")
        peers = [self.connect(port) for _ in range(10)]
        for peer in peers:
            peer.send(get())
        wait_until(lambda: upstream(river)["active"] == 10, "all are under way")
        release.set()
        for peer in peers:
            peer.response()
        wait_until(lambda: upstream(river)["active"] == 0, "all are over")
        self.assertLessEqual(upstream(river)["idle"], 4)


class Stale(Test):
    """An origin that closes instead of answering the second request of a connection."""

    def script(self, peer):
        peer.request()
        peer.send(answer("x"))
        self.dropped.append(peer.head().method)  # and closes without an answer

    def setUp(self):
        self.dropped = []
        self.listen, self.origin_, _ = self.serve(self.script)

    def test_idempotent_requests_are_sent_again_on_a_fresh_connection(self):
        peer = self.connect(self.listen)
        for _ in range(6):
            self.assertEqual(peer.ask(get()).body, b"x")
        self.assertEqual(self.dropped, ["GET"] * 5)

    def test_others_are_not(self):
        peer = self.connect(self.listen)
        self.assertEqual(peer.ask(get()).status, 200)
        self.assertEqual(peer.ask(post(b"once")).status, 502)
        self.assertEqual(self.dropped, ["POST"])

    def test_an_idempotent_body_is_sent_again(self):
        peer = self.connect(self.listen)
        self.assertEqual(peer.ask(get()).status, 200)
        self.assertEqual(peer.ask(post(b"again", method="PUT")).status, 200)


class Retries(Test):
    def test_a_refused_endpoint_costs_no_request(self):
        dead = Port()
        self.addCleanup(dead.close)
        port = self.port()
        river = self.river(proxy(port, [dead, self.origin(always(answer("x")))]))
        peer = self.connect(port)
        for _ in range(20):
            self.assertEqual(peer.ask(post(b"even this")).status, 200)
        self.assertGreater(upstream(river)["failures"], 0)

    def test_without_retries_it_is_502(self):
        dead = Port()
        self.addCleanup(dead.close)
        port = self.port()
        river = self.river(proxy(port, [dead, self.origin(always(answer("x")))], "retries 0"))
        peer = self.connect(port)
        self.assertEqual({peer.ask(get()).status for _ in range(10)}, {200, 502})
        self.assertIn("connect-refused", river.status()["worker"]["faults"])

    def test_tries_are_limited(self):
        port = self.port()
        closing = self.origin(lambda peer: peer.request())
        self.river(proxy(port, closing, "retries 2"))
        self.assertEqual(self.connect(port).ask(get()).status, 502)
        self.assertLessEqual(closing.connections, 3)


if __name__ == "__main__":
    main()
