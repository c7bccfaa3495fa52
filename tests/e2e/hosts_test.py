#!/usr/bin/env python3
"""Services that share an address: which host is whose, over HTTP/1, HTTP/2 and TLS, and what holds
before the host is known."""

import signal
import socket
import ssl
import time

from certificates import Authority
from h2 import H2Client, request
from harness import Peer, Test, get, main, wait_until
from proxy_protocol_test import v2

LOG = 'log { access "stdout" format="json"; }'


class HostsTest(Test):
    """Services at one address, each of (name, hosts, more)."""

    def start(self, *services, listener="h2c=true", **options):
        self.listen = self.port()
        texts = []
        for name, hosts, more in services:
            words = " ".join(f'"{host}"' for host in hosts)
            texts.append(f'{name} {{ listeners {{ "{self.listen}" {listener}; }}\n'
                         + (f"hosts {words}\n" if hosts else "")
                         + (more if "respond" in more or "connectors" in more
                            else f'respond body="{name}"\n{more}') + "\n}")
        return self.river("\n".join(texts), LOG, **options)

    def ask(self, host, target="/", *fields):
        return self.connect(self.listen).ask(get(target, *fields, host=host))


class Choice(HostsTest):
    def test_hosts_choose_the_service(self):
        self.start(("a", ["a.example", "www.a.example"], ""), ("b", ["*.b.example"], ""),
                   ("deep", ["x.b.example", "*.deep.b.example"], ""), ("rest", [], ""))
        for host, name in [("a.example", "a"), ("A.EXAMPLE:80", "a"), ("www.a.example.", "a"),
                           ("y.b.example", "b"), ("z.y.b.example", "b"), ("b.example", "rest"),
                           ("x.b.example", "deep"), ("q.deep.b.example", "deep"),
                           ("127.0.0.1", "rest"), ("other", "rest")]:
            self.assertEqual(self.ask(host).body.decode(), name, host)
        self.assertEqual(self.ask("a.example", "http://A.example:80/").body, b"a")  # RFC 9112 3.2.2
        self.assertEqual(self.ask("y.b.example", "http://a.example/").status, 400)
        old = self.connect(self.listen).ask(b"GET / HTTP/1.0\r\n\r\n")
        self.assertEqual(old.body, b"rest")

    def test_one_connection_serves_all_services(self):
        river = self.start(("a", ["a.example"], ""), ("b", ["b.example"], ""))
        peer = self.connect(self.listen)
        hosts = ["a.example", "b.example", "b.example", "a.example"]
        got = [peer.ask(get(host=host)).body for host in hosts]
        self.assertEqual(got, [b"a", b"b", b"b", b"a"])
        client = H2Client(self.connect(self.listen))
        got = [client.fetch(request(authority=host)).body for host in hosts]
        self.assertEqual(got, [b"a", b"b", b"b", b"a"])
        lines = river.logged(8)
        self.assertEqual({(line["host"], line["service"]) for line in lines},
                         {("a.example", "a"), ("b.example", "b")})
        served = {s["name"]: s["requests"] for s in river.status()["worker"]["services"]}
        self.assertEqual(served, {"a": 4, "b": 4})

    def test_a_host_that_nobody_has_is_misdirected(self):
        river = self.start(("a", ["a.example"], ""))
        peer = self.connect(self.listen)
        self.assertEqual(peer.ask(get(host="b.example")).status, 421)
        self.assertEqual(peer.ask(get(host="a.example")).body, b"a")  # the connection goes on
        client = H2Client(self.connect(self.listen))
        self.assertEqual(client.fetch(request(authority="b.example")).status, 421)
        self.assertEqual(client.fetch(request(authority="a.example")).body, b"a")
        self.assertEqual(self.connect(self.listen).ask(b"GET / HTTP/1.0\r\n\r\n").status, 421)
        self.assertEqual(river.status()["worker"]["faults"]["unknown-host"], 3)
        lines = river.logged(5)
        self.assertEqual(sorted(line.get("host", "") for line in lines
                                if line.get("reason") == "unknown-host"),
                         ["", "b.example", "b.example"])

    def test_a_service_may_have_shared_and_own_addresses(self):
        own = self.port()
        self.start(("a", ["a.example"], ""), ("b", [], ""))
        alone = self.river(f'c {{ listeners {{ "{own}"; }}\n respond body="c"; }}')
        self.assertEqual(self.connect(own).ask(get(host="a.example")).body, b"c")
        self.assertEqual(len(alone.status()["worker"]["services"]), 1)

    def test_hundreds_of_services_share_an_address(self):
        self.start(*[(f"s{i}", [f"h{i}.example"], "") for i in range(500)])
        for i in (0, 1, 250, 499):
            self.assertEqual(self.ask(f"h{i}.example").body.decode(), f"s{i}")


class BeforeTheHostIsKnown(HostsTest):
    def test_the_strictest_limits_hold_until_then(self):
        self.start(("a", ["a.example"], "overload { max-headers 90; keep-alive-timeout-ms 300; }"),
                   ("b", ["b.example"], "overload { max-header-bytes 2000; }"))
        many = [f"x-{i}: y" for i in range(95)]
        self.assertEqual(self.ask("b.example", "/", *many).status, 503)
        self.assertEqual(self.ask("a.example", "/", "x: " + 3000 * "y").status, 503)
        peer = self.connect(self.listen)
        self.assertEqual(peer.ask(get(host="b.example")).body, b"b")
        start = time.monotonic()
        self.assertTrue(peer.is_closed())
        self.assertLess(time.monotonic() - start, 5)

    def test_a_client_connects_while_one_service_lets_it(self):
        block = ('path-control { request-filters { filter kind="block-cidr-range" '
                 'addrs="127.0.0.1" block-connections=true; }; }')
        self.start(("a", ["a.example"], block), ("b", ["b.example"], ""))
        self.assertEqual(self.ask("a.example").status, 403)
        self.assertEqual(self.ask("b.example").body, b"b")
        river = self.start(("a", ["a.example"], block), ("b", [], block))
        with self.assertRaises((ConnectionError, AssertionError, EOFError)):
            self.ask("b.example")
        self.assertEqual(river.status()["worker"]["faults"]["connection-blocked"], 1)

    def test_only_who_is_trusted_by_all_may_name_the_client(self):
        trusts = 'client-ip { trusted-proxies "127.0.0.1"; }'
        elsewhere = 'client-ip { trusted-proxies "192.0.2.1"; }'
        river = self.start(("a", ["a.example"], trusts), ("b", ["b.example"], elsewhere),
                           listener="proxy-protocol=true")
        with self.assertRaises((ConnectionError, AssertionError, EOFError)):
            self.connect(self.listen).ask(v2("198.51.100.7") + get(host="a.example"))
        self.assertEqual(river.status()["worker"]["faults"]["proxy-peer"], 1)
        self.start(("a", ["a.example"], trusts), ("b", ["b.example"], trusts),
                   listener="proxy-protocol=true")
        peer = self.connect(self.listen)
        self.assertEqual(peer.ask(v2("198.51.100.7") + get(host="b.example")).body, b"b")

    def test_trust_in_forwarding_fields_is_each_services_own(self):
        river = self.start(("a", ["a.example"], 'client-ip { trusted-proxies "127.0.0.1"; }'),
                           ("b", ["b.example"], ""))
        peer = self.connect(self.listen)
        for host in ("a.example", "b.example"):
            self.assertEqual(peer.ask(get("/", "X-Forwarded-For: 198.51.100.7", host=host)).status,
                             200)
        lines = river.logged(2)
        self.assertEqual([line["client"].split(":")[0] for line in lines],
                         ["198.51.100.7", "127.0.0.1"])

    def test_a_malformed_head_belongs_to_whoever_takes_the_rest(self):
        river = self.start(("a", ["a.example"], ""), ("rest", [], ""))
        self.assertEqual(self.connect(self.listen).ask(b"GET / HTTP/1.1\r\n\r\n").status, 400)
        lines = river.logged(1)
        self.assertEqual(lines[0]["service"], "rest")


class OverTls(HostsTest):
    def setUp(self):
        self.directory_name = self.directory()
        self.authority = Authority(self.directory_name, "ca")
        self.a = self.authority.issue("a", names=["a.example"])
        self.b = self.authority.issue("b", names=["b.example", "c.example"])

    def start_tls(self, more_a="", more_b="", same=False):
        self.listen = self.port()
        texts = []
        for name, pair, hosts, more in (("a", self.a, '"a.example"', more_a),
                                        ("b", self.a if same else self.b,
                                         '"b.example" "c.example"', more_b)):
            texts.append(f'{name} {{ listeners {{ "{self.listen}" cert-path="{pair.chain}" '
                         f'key-path="{pair.key}"; }}\nhosts {hosts}\nrespond body="{name}"\n'
                         f"{more}\n}}")
        return self.river("\n".join(texts), LOG)

    def shake(self, name, alpn="http/1.1"):
        context = ssl.create_default_context(cafile=self.authority.pem)
        context.set_alpn_protocols([alpn])
        plain = socket.create_connection(self.listen.address, 15)
        return self.own(Peer(context.wrap_socket(plain, server_hostname=name)))

    def test_each_name_gets_its_certificate_and_its_service(self):
        self.start_tls()
        for name, service in (("a.example", b"a"), ("b.example", b"b"), ("c.example", b"b")):
            peer = self.shake(name)  # verifies the name
            self.assertEqual(peer.ask(get(host=name)).body, service)
            peer = H2Client(self.shake(name, "h2"))
            self.assertEqual(peer.fetch(request(authority=name, scheme="https")).body, service)

    def test_a_request_for_the_other_certificates_host_is_misdirected(self):
        river = self.start_tls()
        peer = self.shake("a.example")
        self.assertEqual(peer.ask(get(host="b.example")).status, 421)
        self.assertEqual(self.shake("b.example").ask(get(host="c.example")).body, b"b")
        client = H2Client(self.shake("a.example", "h2"))
        self.assertEqual(client.fetch(request(authority="b.example", scheme="https")).status, 421)
        self.assertEqual(river.status()["worker"]["faults"]["misdirected"], 2)

    def test_certificates_that_both_name_are_one(self):
        river = self.start_tls(same=True)
        self.assertEqual(len(river.status()["certificates"]), 1)
        self.assertEqual(self.shake("a.example").ask(get(host="a.example")).body, b"a")

    def test_renewal_reaches_the_certificates_of_all_services(self):
        river = self.start_tls()
        fresh = self.authority.issue("fresh", names=["b.example", "d.example"])
        for old, new in ((self.b.chain, fresh.chain), (self.b.key, fresh.key)):
            with open(new, "rb") as source, open(old, "wb") as target:
                target.write(source.read())
        river.signal(signal.SIGHUP)

        def renewed():
            try:
                return self.shake("d.example")
            except ssl.SSLError:
                return None
        peer = wait_until(renewed, "the new certificate is shown")
        self.assertEqual(peer.ask(get(host="d.example")).status, 421)  # nobody's host
        self.assertEqual(self.shake("a.example").ask(get(host="a.example")).body, b"a")


if __name__ == "__main__":
    main()
