"""Clients by their address: filters by CIDR, closed connections, and whom trusted proxies name."""

import json
import os
import socket
import time

import certificates
from harness import Peer, Test, always, answer, command, get, main, proxy, wait_until

REAL = 'client-ip { trusted-proxies "127.0.0.0/8, 10.0.0.0/8"; }\n'
LOG = 'log { access "stdout" format="json"; }'


def filters(*lines):
    return ("path-control { request-filters {\n" +
            "\n".join(f'filter kind="{line}' for line in lines) + "\n} }\n")


def from_address(source, port):
    """A connection whose client is `source`."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.settimeout(15)
    connection.bind((source, 0))
    try:
        connection.connect(port.address)
    except OSError:
        connection.close()
        raise
    return Peer(connection)


def is_reset(source, port):
    """Whether a connection from there is reset although it said nothing."""
    try:
        peer = from_address(source, port)
    except ConnectionResetError:
        return True
    try:
        peer.fill()
        return False
    except ConnectionResetError:
        return True
    finally:
        peer.close()


def fault_count(river, reason):
    faults = river.status()["worker"]["faults"]
    return faults.get(reason, 0)


class AddressTest(Test):
    def ask_from(self, source, port, *fields):
        return self.own(from_address(source, port)).ask(get("/", *fields))

    def records(self, river, count):
        """The access log's records, `count` of them."""
        def lines():
            found = [l for l in river.output().splitlines() if l.startswith("{")]
            return found if len(found) >= count else None
        return [json.loads(line) for line in wait_until(lines, "the access log is written")]


class Filters(AddressTest):
    def test_blocked_addresses_get_403_and_others_pass(self):
        port, _, river = self.serve(
            always(answer("in")), filters('block-cidr-range" addrs="127.0.0.8/29, 127.1.0.0/16"'),
            LOG)
        for source, status in (("127.0.0.1", 200), ("127.0.0.7", 200), ("127.0.0.8", 403),
                               ("127.0.0.15", 403), ("127.0.0.16", 200), ("127.1.2.3", 403)):
            self.assertEqual(self.ask_from(source, port).status, status, source)
        self.assertEqual(fault_count(river, "address-blocked"), 3)
        records = self.records(river, 6)
        self.assertEqual([r.get("reason") for r in records if r["status"] == 403],
                         ["address-blocked"] * 3)

    def test_a_refusal_has_the_status_and_body_of_the_file(self):
        port, _, _ = self.serve(
            always(answer("in")),
            filters('block-cidr-range" addrs="127.0.0.0/8" status=404 body="Not Found\\n"'))
        peer = self.connect(port)
        for _ in range(2):  # the connection lives on
            response = peer.ask(get())
            self.assertEqual((response.status, response.body), (404, b"Not Found\n"))
            self.assertIn("no-store", response.get("cache-control"))

    def test_allowed_addresses_pass_and_others_get_403(self):
        port, _, river = self.serve(always(answer("in")),
                                    filters('allow-cidr-range" addrs="127.0.0.2, 127.0.0.4/31"'))
        for source, status in (("127.0.0.1", 403), ("127.0.0.2", 200), ("127.0.0.3", 403),
                               ("127.0.0.5", 200)):
            self.assertEqual(self.ask_from(source, port).status, status, source)
        self.assertEqual(fault_count(river, "address-not-allowed"), 2)

    def test_filters_run_in_the_order_of_the_file(self):
        port, _, _ = self.serve(
            always(answer("in")),
            filters('block-cidr-range" addrs="127.0.6.0/24" status=451',
                    'allow-cidr-range" addrs="127.0.0.0/16" status=403'))
        for source, status in (("127.0.6.6", 451), ("127.0.7.1", 200), ("127.9.0.1", 403)):
            self.assertEqual(self.ask_from(source, port).status, status, source)

    def test_ipv4_on_a_dual_stack_listener_is_ipv4(self):
        origin = self.origin(always(answer("in")))
        port = self.port("::")
        self.river(proxy(port, origin, filters('block-cidr-range" addrs="127.0.0.2"',
                                               'block-cidr-range" addrs="::1"')))
        for source, status in (("127.0.0.1", 200), ("127.0.0.2", 403)):
            connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            connection.bind((source, 0))
            connection.connect(("127.0.0.1", port.number))
            self.assertEqual(self.own(Peer(connection)).ask(get()).status, status, source)
        self.assertEqual(self.connect(("::1", port.number)).ask(get()).status, 403)

    def test_unix_peers_pass_a_block_and_fail_an_allow(self):
        origin = self.origin(always(answer("in")))
        place = self.directory()
        paths = [os.path.join(place, name) for name in ("block.sock", "allow.sock", "closed.sock")]
        everybody = 'addrs="0.0.0.0/0, ::/0"'
        self.river(
            proxy(paths[0], origin, filters(f'block-cidr-range" {everybody}'), name="a") +
            proxy(paths[1], origin, filters(f'allow-cidr-range" {everybody}'), name="b") +
            proxy(paths[2], origin,
                  filters(f'allow-cidr-range" {everybody} block-connections=true'), name="c"))
        self.assertEqual(self.connect(paths[0]).ask(get()).status, 200)
        self.assertEqual(self.connect(paths[1]).ask(get()).status, 403)
        self.assertEqual(self.connect(paths[2]).rest(), b"")


class Lists(AddressTest):
    def write(self, text):
        path = os.path.join(self.directory(), "list.txt")
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        return path

    def test_a_list_in_a_file_works_beside_one_in_the_configuration(self):
        path = self.write("# scanners\r\n127.0.0.2 # one\r\n\r\n 127.0.4.0/24\n::ffff:127.0.0.9")
        port, _, _ = self.serve(
            always(answer("in")),
            filters(f'block-cidr-range" addrs="127.0.0.3" addrs-file="{path}"'))
        for source, status in (("127.0.0.1", 200), ("127.0.0.2", 403), ("127.0.0.3", 403),
                               ("127.0.4.4", 403), ("127.0.0.9", 403)):
            self.assertEqual(self.ask_from(source, port).status, status, source)

    def test_mistakes_name_file_and_line(self):
        path = self.write("10.0.0.0/8\n10.0.0.1/8\n300.1.1.1\n")
        text = "services {\n" + proxy("127.0.0.1:1", "127.0.0.1:2", filters(
            f'block-cidr-range" addrs-file="{path}"')) + "}\n"
        result = command("check", self.write(text))
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"{path}:2: `10.0.0.1/8` has bits set beyond its prefix", result.stderr)
        self.assertIn("and 1 more such line", result.stderr)

    def test_a_million_prefixes(self):
        lines = [f"{i >> 12 & 255 | 128}.{i >> 4 & 255}.{i << 4 & 255}.0/28"
                 for i in range(500_000)]
        lines += [f"2001:db8:{i >> 8:x}:{i & 255:x}::/64" for i in range(499_999)]
        path = self.write("\n".join(lines + ["127.0.0.2"]) + "\n")
        start = time.monotonic()
        port, _, river = self.serve(always(answer("in")),
                                    filters(f'block-cidr-range" addrs-file="{path}"'))
        seconds = time.monotonic() - start
        self.assertEqual(self.ask_from("127.0.0.1", port).status, 200)
        self.assertEqual(self.ask_from("127.0.0.2", port).status, 403)
        self.assertTrue(river.is_up())
        print(f"started with 1,000,000 prefixes in {seconds:.1f} s")


class Connections(AddressTest):
    BLOCK = filters('block-cidr-range" addrs="127.0.0.2" block-connections=true')

    def test_a_blocked_peer_is_reset_before_it_says_anything(self):
        port, origin, river = self.serve(always(answer("in")), self.BLOCK)
        for _ in range(3):
            self.assertTrue(is_reset("127.0.0.2", port))
        self.assertEqual(self.ask_from("127.0.0.1", port).status, 200)
        self.assertEqual(fault_count(river, "connection-blocked"), 3)
        self.assertEqual(origin.connections, 1)
        wait_until(lambda: river.status()["worker"]["requests"] == 1, "one request is counted")
        wait_until(lambda: river.status()["worker"]["connections"] == 1, "only one is left")

    def test_it_is_closed_before_tls(self):
        site = certificates.Authority(self.directory(), "ca").issue("site", ["a.example"])
        origin = self.origin(always(answer("in")))
        port = self.port()
        river = self.river(proxy(f'{port} cert-path="{site.chain}" key-path="{site.key}"', origin,
                                 self.BLOCK))
        self.assertTrue(is_reset("127.0.0.2", port))
        self.assertEqual(fault_count(river, "connection-blocked"), 1)

    def test_a_flood_of_blocked_connections_costs_no_room(self):
        port, _, river = self.serve(always(answer("in")), self.BLOCK,
                                    "max-connections 4", threads=1)
        for _ in range(500):
            self.assertTrue(is_reset("127.0.0.2", port))
        self.assertEqual(self.ask_from("127.0.0.1", port).status, 200)
        self.assertEqual(fault_count(river, "connection-blocked"), 500)
        self.assertEqual(river.status()["worker"]["refused"], 0)

    def test_a_client_that_a_proxy_names_is_only_refused(self):
        port, _, _ = self.serve(always(answer("in")), REAL + filters(
            'block-cidr-range" addrs="192.0.2.1" block-connections=true'))
        peer = self.connect(port)
        self.assertEqual(peer.ask(get("/", "X-Forwarded-For: 192.0.2.1")).status, 403)
        self.assertEqual(peer.ask(get("/", "X-Forwarded-For: 192.0.2.2")).status, 200)


class ClientIp(AddressTest):
    """Who the client is, as a filter that blocks everybody else and the log see it."""

    def client(self, *fields, more=REAL, source="127.0.0.1"):
        seen = []
        port, _, river = self.serve(always(answer("in"), seen),
                                    more + "forwarded-headers { x-real-ip true; }\n", LOG)
        self.assertEqual(self.ask_from(source, port, *fields).status, 200)
        client = self.records(river, 1)[0]["client"]
        self.assertEqual(seen[0].all("x-forwarded-for")[-1].split(", ")[-1], source)
        return client, seen[0]

    def named(self, *values, **options):
        client, _ = self.client(*[f"X-Forwarded-For: {v}" for v in values], **options)
        return client

    def test_the_walk_goes_from_the_right_and_ends_at_the_first_untrusted(self):
        self.assertEqual(self.named("192.0.2.1"), "192.0.2.1")
        self.assertEqual(self.named("6.6.6.6, 192.0.2.1"), "192.0.2.1")
        self.assertEqual(self.named("6.6.6.6, 192.0.2.1, 10.0.0.1, 10.0.0.2"), "192.0.2.1")
        self.assertEqual(self.named("10.0.0.9, 10.0.0.1"), "10.0.0.9")

    def test_all_lines_are_one_list(self):
        self.assertEqual(self.named("6.6.6.6", "192.0.2.1"), "192.0.2.1")
        self.assertEqual(self.named("192.0.2.1", "10.0.0.1", "10.0.0.2"), "192.0.2.1")

    def test_what_is_no_address_ends_the_walk(self):
        self.assertEqual(self.named("192.0.2.1, unknown, 10.0.0.1"), "10.0.0.1")
        self.assertRegex(self.named("192.0.2.1, junk"), r"^127\.0\.0\.1:\d+$")
        self.assertRegex(self.named("192.0.2.1, \"10.0.0.1\""), r"^127\.0\.0\.1:\d+$")

    def test_ports_brackets_and_mapped_addresses(self):
        self.assertEqual(self.named("192.0.2.1:4711"), "192.0.2.1")
        self.assertEqual(self.named("[2001:db8::1]:443, 10.0.0.1:80"), "[2001:db8::1]")
        self.assertEqual(self.named("2001:db8::1"), "[2001:db8::1]")
        self.assertEqual(self.named("192.0.2.7, ::ffff:10.0.0.1"), "192.0.2.7")

    def test_empty_members_mean_nothing_and_a_long_list_ends(self):
        self.assertEqual(self.named("192.0.2.1, ,, 10.0.0.1,"), "192.0.2.1")
        self.assertEqual(self.named("192.0.2.1" + ", 10.0.0.1" * 99), "192.0.2.1")
        self.assertEqual(self.named("192.0.2.1" + ", 10.0.0.1" * 100), "10.0.0.1")

    def test_an_untrusted_peer_is_not_believed(self):
        more = 'client-ip { trusted-proxies "10.0.0.0/8"; }\n'
        self.assertRegex(self.named("192.0.2.1", more=more), r"^127\.0\.0\.1:\d+$")
        self.assertRegex(self.named("192.0.2.1", more=""), r"^127\.0\.0\.1:\d+$")

    def test_x_real_ip_is_the_client_and_x_forwarded_for_gets_the_peer(self):
        _, seen = self.client("X-Forwarded-For: 6.6.6.6, 192.0.2.1")
        self.assertEqual(seen.get("x-real-ip"), "192.0.2.1")
        self.assertEqual(seen.get("x-forwarded-for"), "6.6.6.6, 192.0.2.1, 127.0.0.1")

    def test_another_field(self):
        more = 'client-ip { trusted-proxies "127.0.0.1"; header "CF-Connecting-IP"; }\n'
        client, seen = self.client("X-Forwarded-For: 6.6.6.6", "CF-Connecting-IP: 192.0.2.1",
                                   more=more)
        self.assertEqual(client, "192.0.2.1")
        self.assertEqual(seen.get("cf-connecting-ip"), "192.0.2.1")
        client, seen = self.client("CF-Connecting-IP: 192.0.2.1", more=more, source="127.0.0.2")
        self.assertRegex(client, r"^127\.0\.0\.2:\d+$")
        self.assertIsNone(seen.get("cf-connecting-ip"))  # the origin is not lied to either

    def test_limits_count_clients_and_not_their_proxy(self):
        port, _, _ = self.serve(always(answer("in")), REAL + """rate-limiting {
            rule kind="source-ip" max-buckets=100 tokens-per-bucket=1 refill-qty=1 \\
                refill-rate-ms=60000
        }""")
        peer = self.connect(port)
        for value, status in (("192.0.2.1", 200), ("192.0.2.2", 200), ("192.0.2.1", 429),
                              ("6.6.6.6, 192.0.2.2", 429), ("192.0.2.3", 200)):
            response = peer.ask(get("/", f"X-Forwarded-For: {value}"))
            self.assertEqual(response.status, status, value)

    def test_filters_see_the_client(self):
        port, _, _ = self.serve(always(answer("in")), REAL +
                                filters('allow-cidr-range" addrs="192.0.2.0/24"'))
        for value, status in (("192.0.2.1", 200), ("192.0.3.1", 403), ("192.0.2.1, 6.6.6.6", 403)):
            response = self.ask_from("127.0.0.1", port, f"X-Forwarded-For: {value}")
            self.assertEqual(response.status, status, value)
        self.assertEqual(self.ask_from("127.0.0.1", port).status, 403)


if __name__ == "__main__":
    main()
