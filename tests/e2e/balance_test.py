"""Balancing by hash, beside nginx; and endpoints that cannot be reached."""

import collections
import http.client

from harness import Nginx, Test, always, answer, get, main, proxy, wait_until

PATHS = [f"/item/{i}/{'x' * (i % 7)}" for i in range(300)]


def bodies(port, paths, **fields):
    """What the endpoint that each path goes to says of itself."""
    connection = http.client.HTTPConnection("127.0.0.1", port.number, timeout=10)
    result = []
    for path in paths:
        connection.request("GET", path, headers=fields)
        result.append(connection.getresponse().read().decode())
    connection.close()
    return result


class Hashes(Test):
    def cluster(self, policy, weights, key="UriPath"):
        """Origins that answer with their number, and a River that balances over them."""
        origins = [self.origin(always(answer(str(i)))) for i in range(len(weights))]
        port = self.port()
        service = proxy(port, [f"{o} weight={w}" for o, w in zip(origins, weights)])
        service = service.replace("connectors {\n", "connectors {\n load-balance { selection "
                                  f'"{policy}" key="{key}"; }}\n', 1)
        return origins, port, self.river(service)

    def test_ketama_places_every_request_like_nginx(self):
        origins, port, _river = self.cluster("Ketama", [1, 3, 2])
        servers = "".join(f"server {o} weight={w};" for o, w in zip(origins, [1, 3, 2]))
        ring = f"upstream ring {{ hash $uri consistent; {servers} }}"
        nginx = self.own(Nginx("location / { proxy_pass http://ring; }", more=ring))
        ours, theirs = bodies(port, PATHS), bodies(nginx.port, PATHS)
        self.assertEqual(ours, theirs)
        self.assertEqual(set(ours), {"0", "1", "2"})
        counts = collections.Counter(ours)
        self.assertGreater(counts["1"], counts["0"])

    def test_a_path_stays_where_it_is_and_the_query_does_not_count(self):
        for policy in ("FNV", "Ketama"):
            _origins, port, _river = self.cluster(policy, [1, 1, 1])
            first = bodies(port, PATHS[:60])
            self.assertEqual(first, bodies(port, [f"{p}?q={i}" for i, p in enumerate(PATHS[:60])]))
            self.assertEqual(set(first), {"0", "1", "2"})

    def test_the_source_address_counts_but_not_its_port(self):
        _origins, port, _river = self.cluster("FNV", [1, 1, 1], "SourceAddrAndUriPath")
        first = bodies(port, PATHS[:40])
        self.assertEqual(first, bodies(port, PATHS[:40]))  # another connection, another port
        self.assertNotEqual(first, bodies(self.cluster("FNV", [1, 1, 1])[1], PATHS[:40]))


class Resting(Test):
    def test_requests_go_elsewhere_while_an_endpoint_refuses(self):
        alive, port = self.origin(always(answer("alive"))), self.port()
        river = self.river(proxy(port, [self.port(), alive]))
        peer = self.connect(port)
        for _ in range(40):
            self.assertEqual(peer.ask(get()).body, b"alive")
        failures = sum(u["failures"] for u in river.status()["worker"]["upstreams"])
        self.assertGreaterEqual(failures, 1)
        self.assertLessEqual(failures, 3)  # not at every second request

    def test_an_endpoint_that_comes_back_is_used_again(self):
        gone, alive, port = self.port(), self.origin(always(answer("alive"))), self.port()
        self.river(proxy(port, [gone, alive]))
        peer = self.connect(port)
        for _ in range(6):
            self.assertEqual(peer.ask(get()).body, b"alive")
        self.origin(always(answer("back")), at=gone)
        wait_until(lambda: peer.ask(get()).body == b"back", "the endpoint is used again")

    def test_when_all_rest_they_are_tried_all_the_same(self):
        gone, port = [self.port(), self.port()], self.port()
        self.river(proxy(port, gone))
        peer = self.connect(port)
        for _ in range(3):
            self.assertEqual(peer.ask(get()).status, 502)
        self.origin(always(answer("x")), at=gone[0])
        wait_until(lambda: peer.ask(get()).status == 200, "who listens is found")


if __name__ == "__main__":
    main()
