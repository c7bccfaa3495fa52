"""Rate limiting: the three rules, what a refusal says, tokens that are given back, full tables, and
many clients at once."""

import collections
import os
import socket
import threading
import time

from h2 import H2Client, request
from harness import (SECONDS, Peer, Test, always, answer, command, get, main, proxy,
                     wait_until)

SLOW = "tokens-per-bucket={} refill-qty=1 refill-rate-ms=600000"  # no token comes back in time


def rule(kind, tokens, *more):
    return f'rule kind="{kind}" {SLOW.format(tokens)} ' + " ".join(more)


def limits(*rules, more=""):
    return "rate-limiting {\n" + "\n".join(rules) + "\n}\n" + more


class Limits(Test):
    def start(self, *rules, more="", **options):
        self.seen = []
        self.listen, _origin, self.river_ = self.serve(
            always(answer("ok"), self.seen), limits(*rules, more=more), **options)

    def statuses(self, count, target="/", *fields, source="127.0.0.1"):
        """Of `count` requests on one connection from a loopback address."""
        connection = socket.create_connection(self.listen.address, SECONDS, (source, 0))
        peer = self.own(Peer(connection))
        return [peer.ask(get(target, *fields)).status for _ in range(count)]

    def faults(self):
        return self.river_.status()["worker"]["faults"]

    def test_each_address_has_a_bucket(self):
        self.start(rule("source-ip", 3, "max-buckets=100"), system='log { access "stdout" }')
        self.assertEqual(self.statuses(5), [200, 200, 200, 429, 429])
        self.assertEqual(self.statuses(4, source="127.0.0.2"), [200, 200, 200, 429])
        self.assertEqual(self.statuses(1), [429])
        self.assertEqual(len(self.seen), 6)
        self.assertEqual(self.faults(), {"rate-limited": 4})
        wait_until(lambda: self.river_.output().count("rate-limited") == 4, "the access log")

    def test_a_refusal_says_when_to_come_back(self):
        self.start('rule kind="source-ip" tokens-per-bucket=1 refill-qty=1 refill-rate-ms=90500 '
                   'max-buckets=9')
        peer = self.connect(self.listen)
        self.assertEqual(peer.ask(get()).status, 200)
        refused = peer.ask(get())
        self.assertEqual(refused.status, 429)
        self.assertIn(refused.get("retry-after"), ("90", "91"))
        self.assertEqual(refused.get("cache-control"), "private, no-store")
        self.assertEqual(refused.body, b"429 Too Many Requests\n")
        self.assertEqual(peer.ask(get(method="HEAD"), "HEAD").status, 429)  # it lives on

    def test_a_refusal_names_a_time_at_which_every_rule_would_grant(self):
        long, short = (f'rule kind="any-matching-uri" pattern="{pattern}" tokens-per-bucket=1 '
                       f'refill-qty=1 refill-rate-ms={interval}'
                       for pattern, interval in (("^/both", 500500), ("both|other", 90500)))
        other = 'rule kind="any-matching-uri" pattern="^/else" tokens-per-bucket=1 ' \
                'refill-qty=1 refill-rate-ms=900500'
        for rules in ((short, long, other), (long, short, other)):
            self.start(*rules)
            self.assertEqual(self.statuses(2, "/both"), [200, 429])
            self.assertEqual(self.statuses(1, "/else"), [200])
            peer = self.connect(self.listen)
            self.assertIn(peer.ask(get("/both")).get("retry-after"), ("500", "501"))
            self.assertIn(peer.ask(get("/other")).get("retry-after"), ("90", "91"))

    def test_a_body_that_is_refused_for_its_size_has_cost_a_token(self):
        self.start(rule("source-ip", 2, "max-buckets=9"), more="""
            path-control { request-body { filter kind="max-size" max-bytes=10; }; }""")
        peer = self.connect(self.listen)
        self.assertEqual(peer.ask(get("/", "Content-Length: 11", method="POST")).status, 413)
        self.assertEqual(self.statuses(2), [200, 429])

    def test_buckets_are_counted_in_the_memory_budget(self):
        small = 'buffer-memory-bytes 67108864'
        self.start(rule("source-ip", 2, "max-buckets=1000000"), system=small)
        used = self.river_.status()["worker"]["memory"]["used_bytes"]
        self.assertGreater(used, 32 * 1000000)
        self.assertLess(used, 64 * 1000000)

    def test_buckets_that_leave_requests_no_memory_are_a_mistake(self):
        rules = limits(rule("source-ip", 2, "max-buckets=500000"),
                       rule("source-ip", 2, "max-buckets=600000"))
        service = proxy(self.port(), self.port(), rules)
        text = f"system {{ buffer-memory-bytes 67108864; }}\nservices {{\n{service}}}\n"
        path = os.path.join(self.directory(), "river.kdl")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        checked = command("check", path)
        self.assertEqual(checked.returncode, 1, checked.stderr)
        self.assertIn("more than half of the worker's 67108864", checked.stderr)
        self.assertIn("max-buckets=600000", checked.stderr)
        self.assertNotIn("max-buckets=500000", checked.stderr)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("67108864", "134217728"))
        self.assertEqual(command("check", path).returncode, 0)

    def test_tokens_come_back_after_what_was_said(self):
        self.start('rule kind="any-matching-uri" pattern="." tokens-per-bucket=4 refill-qty=2 '
                   'refill-rate-ms=1500')
        self.assertEqual(self.statuses(5), [200] * 4 + [429])
        time.sleep(1.6)
        self.assertEqual(self.statuses(3), [200, 200, 429])

    def test_each_path_that_matches_has_a_bucket(self):
        self.start(rule("specific-uri", 2, "max-buckets=50", 'pattern="^/static/"'))
        self.assertEqual(self.statuses(3, "/static/a"), [200, 200, 429])
        self.assertEqual(self.statuses(2, "/static/a?other=query"), [429, 429])
        self.assertEqual(self.statuses(3, "/static/b"), [200, 200, 429])
        self.assertEqual(self.statuses(3, "/else?/static/"), [200, 200, 200])
        self.assertEqual(self.statuses(3, "/x/static/"), [200, 200, 200])

    def test_a_path_is_limited_however_it_is_spelled(self):
        self.start(rule("specific-uri", 2, "max-buckets=50", 'pattern="^/static/a$"'))
        spellings = ["/static/a", "/x/../static/a", "/static/%61", "//static///./a"]
        self.assertEqual([self.statuses(1, s)[0] for s in spellings], [200, 200, 429, 429])

    def test_one_bucket_for_all_paths_that_match(self):
        self.start(rule("any-matching-uri", 3, r'pattern=r"\.mp4$"'))
        paths = [f"/{i}.mp4" for i in range(5)]
        self.assertEqual([self.statuses(1, p)[0] for p in paths], [200] * 3 + [429] * 2)
        self.assertEqual(self.statuses(2, "/1.mp4x"), [200, 200])

    def test_every_rule_must_grant_and_a_refusal_gives_back(self):
        self.start(rule("source-ip", 4, "max-buckets=9"),
                   rule("any-matching-uri", 2, 'pattern="^/few"'))
        self.assertEqual(self.statuses(10, "/few"), [200] * 2 + [429] * 8)
        # The eight refused ones have cost the address nothing.
        self.assertEqual(self.statuses(3, "/many"), [200, 200, 429])

    def test_who_is_blocked_spends_no_token(self):
        self.start(rule("any-matching-uri", 2, 'pattern="."'),
                   more='path-control { request-filters { filter kind="block-cidr-range" '
                   'addrs="127.0.0.9" } }')
        self.assertEqual(self.statuses(9, source="127.0.0.9"), [403] * 9)
        self.assertEqual(self.statuses(3), [200, 200, 429])

    def test_status_and_body_of_a_refusal(self):
        self.start(rule("any-matching-uri", 1, 'pattern="."', "status=503", 'body="later\\n"'))
        self.assertEqual(self.statuses(1), [200])
        refused = self.connect(self.listen).ask(get())
        self.assertEqual((refused.status, refused.body), (503, b"later\n"))
        self.assertTrue(590 <= int(refused.get("retry-after")) <= 600)

    def test_a_client_behind_a_trusted_proxy_has_its_own(self):
        self.start(rule("source-ip", 2, "max-buckets=9"),
                   more='client-ip { trusted-proxies "127.0.0.1" }')
        for client in ("203.0.113.5", "203.0.113.6", "2001:db8::1"):
            self.assertEqual(self.statuses(3, "/", f"X-Forwarded-For: {client}"), [200, 200, 429])
        # One network of IPv6 is one client; the next one is another.
        self.assertEqual(self.statuses(1, "/", "X-Forwarded-For: 2001:db8::ffff:2"), [429])
        self.assertEqual(self.statuses(1, "/", "X-Forwarded-For: 2001:db8:0:1::1"), [200])
        # Who is not trusted cannot choose an address.
        spoofed = [self.statuses(1, "/", f"X-Forwarded-For: 198.51.100.{i}", source="127.0.0.2")[0]
                   for i in range(4)]
        self.assertEqual(spoofed, [200, 200, 429, 429])

    def test_ipv6_may_be_told_apart_by_more_bits(self):
        self.start(rule("source-ip", 1, "max-buckets=9", "ipv6-prefix=120"),
                   more='client-ip { trusted-proxies "127.0.0.1" }')
        ask = lambda a: self.statuses(1, "/", f"X-Forwarded-For: {a}")[0]
        self.assertEqual([ask("2001:db8::1"), ask("2001:db8::2"), ask("2001:db8::102")],
                         [200, 429, 200])

    def test_a_full_table_gives_nobody_more(self):
        self.start(rule("source-ip", 2, "max-buckets=2"),
                   more='client-ip { trusted-proxies "127.0.0.1" }')
        ask = lambda a: self.statuses(1, "/", f"X-Forwarded-For: 10.0.0.{a}")[0]
        self.assertEqual([ask(1), ask(1), ask(2)], [200, 200, 200])
        flood = [ask(a) for a in range(3, 30)]
        self.assertEqual(flood, [200, 200] + [429] * 25)  # the bucket that they share
        self.assertEqual([ask(1), ask(2), ask(2)], [429, 200, 429])

    def test_an_attack_with_new_paths_does_not_help_a_limited_one(self):
        self.start(rule("specific-uri", 2, "max-buckets=64", 'pattern="."'))
        self.assertEqual(self.statuses(3, "/wanted"), [200, 200, 429])
        peer = self.connect(self.listen)
        for i in range(2000):
            peer.ask(get(f"/flood/{i}"))
            if i % 100 == 99:
                self.assertEqual(self.statuses(1, "/wanted"), [429])

    def test_a_service_has_buckets_of_its_own(self):
        origin = self.origin(always(answer("ok")))
        ports = [self.port(), self.port()]
        self.river("".join(proxy(p, origin, limits(rule("source-ip", 2, "max-buckets=9")), f"s{i}")
                           for i, p in enumerate(ports)))
        for port in ports:
            peer = self.connect(port)
            self.assertEqual([peer.ask(get()).status for _ in range(3)], [200, 200, 429])

    def test_all_threads_share_a_bucket_exactly(self):
        self.start(rule("any-matching-uri", 500, 'pattern="."'), threads=4)
        counts = collections.Counter()
        lock = threading.Lock()

        def client():
            statuses = collections.Counter(self.statuses(100))
            with lock:
                counts.update(statuses)
        clients = [threading.Thread(target=client) for _ in range(12)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        self.assertEqual(counts, {200: 500, 429: 700})

    def test_over_http_2_as_well(self):
        self.seen = []
        origin = self.origin(always(answer("ok"), self.seen))
        listen = self.port()
        self.river(proxy(f"{listen} h2c=true", origin,
                         limits(rule("any-matching-uri", 3, 'pattern="^/a"'))))
        client = self.own(H2Client(self.connect(listen)))
        streams = [client.start(request("/a?x")) for _ in range(6)]
        for stream in streams:
            client.wait(stream)
        self.assertEqual(sorted(s.status for s in streams), [200] * 3 + [429] * 3)
        refused = [s for s in streams if s.status == 429][0]
        self.assertTrue(0 < int(refused.get("retry-after")) <= 600)
        self.assertEqual(client.fetch(request("/b")).status, 200)  # the connection lives on


if __name__ == "__main__":
    main()
