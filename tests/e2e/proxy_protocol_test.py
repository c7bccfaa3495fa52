"""The PROXY protocol on a listener: versions 1 and 2, from trusted peers only, and attacks."""

import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import time

import certificates
import h2
from address_test import fault_count, filters, from_address, is_reset
from harness import SECONDS, Peer, Test, always, answer, get, main, proxy, wait_until

TRUST = 'client-ip { trusted-proxies "127.0.0.1, 10.0.0.0/8"; }\n'
LOG = 'log { access "stdout" format="json"; }'
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.1 198.51.100.7 4711 443\r\n"


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def v2(source="192.0.2.1", port=4711, pieces=b"", command=1, checksum=False):
    six = ":" in source
    family = socket.AF_INET6 if six else socket.AF_INET
    addresses = (socket.inet_pton(family, source) * 2 + struct.pack(">HH", port, 443))
    if checksum:
        pieces += b"\3\0\4\0\0\0\0"
    header = (SIGNATURE + bytes([0x20 | command, 0x21 if six else 0x11]) +
              struct.pack(">H", len(addresses + pieces)) + addresses + pieces)
    return header[:-4] + struct.pack(">I", crc32c(header)) if checksum else header


class ProxyProtocol(Test):
    def start(self, more="", listener="", system=LOG, **options):
        self.seen = []
        self.origin_of = self.origin(always(answer("in"), self.seen))
        self.at = self.port()
        self.served = self.river(proxy(f"{self.at} proxy-protocol=true {listener}", self.origin_of,
                                       TRUST + more), system, **options)

    def peer(self, source="127.0.0.1"):
        return self.own(from_address(source, self.at))

    def clients(self, count):
        def lines():
            found = [l for l in self.served.output().splitlines() if l.startswith("{")]
            return found if len(found) >= count else None
        return [json.loads(line)["client"] for line in
                wait_until(lines, "the access log is written")]


class Good(ProxyProtocol):
    def test_the_source_is_the_client_in_log_and_fields(self):
        self.start(threads=1)  # so that the log has the order of the requests
        headers = (V1, b"PROXY TCP6 2001:db8::1 ::1 4711 443\r\n", v2(), v2("2001:db8::1"),
                   v2("::ffff:192.0.2.9"), v2(pieces=b"\4\0\2ab"), v2(checksum=True))
        for header in headers:
            self.assertEqual(self.peer().ask(header + get()).status, 200, header)
        self.assertEqual(self.clients(len(headers)),
                         ["192.0.2.1:4711", "[2001:db8::1]:4711", "192.0.2.1:4711",
                          "[2001:db8::1]:4711", "192.0.2.9:4711", "192.0.2.1:4711",
                          "192.0.2.1:4711"])
        self.assertEqual([r.get("x-forwarded-for") for r in self.seen],
                         ["192.0.2.1", "2001:db8::1", "192.0.2.1", "2001:db8::1", "192.0.2.9",
                          "192.0.2.1", "192.0.2.1"])

    def test_one_header_serves_all_requests_of_the_connection(self):
        self.start()
        peer = self.peer()
        self.assertEqual(peer.ask(V1 + get("/1")).status, 200)
        peer.send(get("/2") + get("/3"))
        self.assertEqual([peer.response().status for _ in range(2)], [200, 200])
        self.assertEqual(self.clients(3), ["192.0.2.1:4711"] * 3)

    def test_local_unknown_and_unspecified_are_the_peer_itself(self):
        self.start()
        unspecified = SIGNATURE + b"\x21\0\0\3abc"
        for header in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN a b c\r\n", v2(command=0), unspecified,
                       SIGNATURE + b"\x20\0\0\0"):
            self.assertEqual(self.peer().ask(header + get()).status, 200, header)
        for client in self.clients(5):
            self.assertRegex(client, r"^127\.0\.0\.1:\d+$")

    def test_a_unix_source_is_a_unix_peer(self):
        self.start(filters('allow-cidr-range" addrs="0.0.0.0/0, ::/0"'))
        header = SIGNATURE + b"\x21\x31" + struct.pack(">H", 216) + b"/tmp/x".ljust(216, b"\0")
        self.assertEqual(self.peer().ask(header + get()).status, 403)
        self.assertEqual(self.clients(1), ["unix"])

    def test_every_split(self):
        self.start("overload { keep-alive-timeout-ms 20000; }")
        for header in (V1, v2(pieces=b"\4\0\2ab", checksum=True)):
            request = header + get()
            cuts = list(range(1, len(header) + 2))
            peers = [self.peer() for _ in cuts]
            for peer, cut in zip(peers, cuts):
                peer.send(request[:cut])
            time.sleep(0.05)
            for peer, cut in zip(peers, cuts):
                self.assertEqual(peer.ask(request[cut:]).status, 200, (header, cut))
            slow = self.peer()
            for i in range(len(header)):
                slow.send(request[i:i + 1])
                time.sleep(0.001)
            self.assertEqual(slow.ask(request[len(header):]).status, 200)
        self.assertEqual({r.get("x-forwarded-for") for r in self.seen}, {"192.0.2.1"})

    def test_a_trusted_source_may_name_its_own_client(self):
        self.start()
        header = b"PROXY TCP4 10.0.0.1 198.51.100.7 1 443\r\n"
        peer = self.peer()
        self.assertEqual(peer.ask(header + get("/", "X-Forwarded-For: 192.0.2.5")).status, 200)
        self.assertEqual(self.clients(1), ["192.0.2.5"])
        self.assertEqual(self.seen[0].get("x-forwarded-for"), "192.0.2.5, 10.0.0.1")
        # ... and one that is not trusted may not, whoever passed it on
        self.assertEqual(self.peer().ask(V1 + get("/", "X-Forwarded-For: 6.6.6.6")).status, 200)
        self.assertEqual(self.seen[1].get("x-forwarded-for"), "192.0.2.1")

    def test_filters_and_closed_connections_judge_the_source(self):
        self.start(filters('block-cidr-range" addrs="192.0.2.1"',
                           'block-cidr-range" addrs="192.0.2.2, 127.0.0.1" block-connections=true'))
        self.assertEqual(self.peer().ask(V1 + get()).status, 403)
        self.assertEqual(self.peer().ask(v2("192.0.2.3") + get()).status, 200)
        peer = self.peer()
        with self.assertRaises(ConnectionResetError):
            peer.send(v2("192.0.2.2"))
            peer.fill()
        self.assertEqual(fault_count(self.served, "connection-blocked"), 1)

    def test_a_unix_listener_takes_it_from_whoever_may_open_it(self):
        path = os.path.join(self.directory(), "river.sock")
        seen = []
        self.river(proxy(f"{path} proxy-protocol=true", self.origin(always(answer("in"), seen))))
        self.assertEqual(self.connect(path).ask(V1 + get()).status, 200)
        self.assertEqual(seen[0].get("x-forwarded-for"), "192.0.2.1")


class Tls(ProxyProtocol):
    def start_tls(self):
        self.authority = certificates.Authority(self.directory(), "ca")
        site = self.authority.issue("site", ["a.example"])
        self.start(listener=f'cert-path="{site.chain}" key-path="{site.key}"')

    def context(self):
        context = ssl.create_default_context(cafile=self.authority.pem)
        return context

    def sealed(self, header, together):
        """A TLS client behind a balancer that sends its header with or before the ClientHello."""
        peer = self.peer()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = self.context().wrap_bio(incoming, outgoing, server_hostname="a.example")
        first = header
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                hello = outgoing.read()
                if first and not together:
                    peer.send(first)
                    time.sleep(0.05)
                    first = b""
                peer.send(first + hello)
                first = b""
                incoming.write(peer.socket.recv(65536))
        session.write(get())
        peer.send(outgoing.read())
        while True:
            try:
                return session.read(65536)
            except ssl.SSLWantReadError:
                incoming.write(peer.socket.recv(65536))

    def test_it_comes_before_tls(self):
        self.start_tls()
        for header in (V1, v2()):
            for together in (False, True):
                self.assertIn(b"200 OK", self.sealed(header, together))
        self.assertEqual(self.clients(4), ["192.0.2.1:4711"] * 4)

    def test_a_plain_request_behind_it_is_told_so(self):
        self.start_tls()
        self.assertEqual(self.peer().ask(V1 + get()).status, 400)
        self.assertEqual(fault_count(self.served, "tls-plaintext"), 1)

    def test_tls_without_it_is_reset(self):
        self.start_tls()
        with self.assertRaises(OSError):
            self.context().wrap_socket(self.peer().socket, server_hostname="a.example")
        self.assertEqual(fault_count(self.served, "proxy-header"), 1)

    def test_curl_speaks_version_1(self):
        self.start_tls()
        done = subprocess.run(
            ["curl", "-sS", "--haproxy-protocol", "--cacert", self.authority.pem, "--resolve",
             f"a.example:{self.at.number}:127.0.0.1", f"https://a.example:{self.at.number}/"],
            capture_output=True, text=True, timeout=SECONDS, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, "in"), done.stderr)
        self.assertRegex(self.clients(1)[0], r"^127\.0\.0\.1:\d+$")


class H2(ProxyProtocol):
    def test_every_stream_has_the_source(self):
        self.start(listener="h2c=true")
        peer = self.peer()
        peer.send(V1)
        client = self.own(h2.H2Client(peer))
        streams = [client.start(h2.request(f"/{i}")) for i in range(3)]
        for stream in streams:
            self.assertEqual(client.wait(stream).status, 200)
        self.assertEqual(self.clients(3), ["192.0.2.1:4711"] * 3)


class HAProxy(ProxyProtocol):
    def test_haproxy_in_front(self):
        program = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if not program:
            self.skipTest("no haproxy here")
        self.start()
        front = self.port()
        place = self.directory()
        path = os.path.join(place, "haproxy.cfg")
        for option, extra in (("send-proxy", ""), ("send-proxy-v2", " proxy-v2-options crc32c")):
            with open(path, "w", encoding="utf-8") as file:
                file.write("defaults\n mode tcp\n timeout connect 5s\n timeout client 5s\n"
                           f" timeout server 5s\nlisten x\n bind {front}\n"
                           f" server s {self.at} {option}{extra}\n")
            process = subprocess.Popen([program, "-db", "-f", path], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            try:
                def answers():
                    try:
                        return self.own(from_address("127.0.0.3", front)).ask(get()).status == 200
                    except (OSError, EOFError):
                        return False
                wait_until(answers, "HAProxy answers")
            finally:
                process.terminate()
                process.wait(SECONDS)
        self.assertEqual({r.get("x-forwarded-for") for r in self.seen}, {"127.0.0.3"})


class Hostile(ProxyProtocol):
    def test_a_peer_that_is_not_trusted_is_reset_at_once(self):
        self.start()
        self.assertTrue(is_reset("127.0.0.2", self.at))
        self.assertEqual(fault_count(self.served, "proxy-peer"), 1)
        self.assertEqual(self.seen, [])

    def refused(self, data):
        peer = self.peer()
        try:
            peer.send(data)
            return peer.rest() == b""
        except (ConnectionResetError, BrokenPipeError):
            return True

    def test_what_is_no_header_is_reset_unanswered(self):
        self.start()
        attacks = [
            get(), b"GET", b"\x16\3\1\2\0\1", b"PROXY\r\n", V1.replace(b"TCP4", b"TCP6") + get(),
            V1.replace(b"192.0.2.1", b"192.0.2.01") + get(), V1.replace(b" 4711", b" 70000"),
            b"PROXY TCP4 192.0.2.1 198.51.100.7 4711\r\n" + get(), b"PROXY " + b"x" * 101,
            b"proxy tcp4 192.0.2.1 198.51.100.7 4711 443\r\n" + get(),
            b"PROXY TCP4 192.0.2.1\t198.51.100.7 4711 443\r\n" + get(),
            b"PROXY TCP4 192.0.2.1 198.51.100.7 4711 443\r\r\n" + get(),
            b"\r\n" + V1 + get(), SIGNATURE + b"\x31", SIGNATURE + b"\x22", SIGNATURE[:-1] + b"\r",
            SIGNATURE + b"\x21\x11\xff\xff", SIGNATURE + b"\x21\x11\0\x0b" + bytes(11),
            v2(pieces=b"\4\xff\xff"), v2(pieces=b"\4"), v2(checksum=True)[:-1] + b"\0",
            v2(pieces=b"\3\0\4\0\0\0\0"), SIGNATURE + b"\x21\x51\0\x0c" + bytes(12),
        ]
        for data in attacks:
            self.assertTrue(self.refused(data), data)
        self.assertEqual(fault_count(self.served, "proxy-header"), len(attacks))
        self.assertEqual(self.seen, [])

    def test_a_length_that_lies_takes_the_request_into_the_header(self):
        """Less than it is: the rest is no request. More: the request is the header's."""
        self.start("overload { head-timeout-ms 700; }")
        short = bytearray(v2(pieces=b"\4\0\2ab"))
        short[15] -= 5
        self.assertEqual(self.peer().ask(bytes(short) + get()).status, 400)
        long = bytearray(v2("192.0.2.1"))
        long[14:16] = struct.pack(">H", 4000)
        self.assertTrue(self.refused(bytes(long) + get()))
        self.assertEqual(self.seen, [])

    def test_a_second_header_is_no_request(self):
        self.start()
        self.assertEqual(self.peer().ask(V1 + V1 + get()).status, 400)
        self.assertEqual(self.seen, [])

    def test_a_header_that_never_ends_has_a_deadline(self):
        self.start("overload { head-timeout-ms 600; }")
        for data in (b"", b"PROXY TCP4 1", SIGNATURE, v2()[:-1]):
            start = time.monotonic()
            self.assertTrue(self.refused(data) if data else self.peer().rest() == b"", data)
            self.assertLess(time.monotonic() - start, 5)
        drip = self.peer()
        start = time.monotonic()
        with self.assertRaises(OSError):
            for byte in v2(pieces=b"\4\x01\0" + bytes(256)):
                drip.send(bytes([byte]))
                time.sleep(0.05)
        self.assertLess(time.monotonic() - start, 5)
        self.assertEqual(fault_count(self.served, "proxy-timeout"), 5)

    def test_connections_in_the_middle_of_a_header_do_not_hold_a_drain(self):
        self.start()
        peer = self.peer()
        peer.send(V1[:10])
        time.sleep(0.1)
        self.served.close()
        self.assertEqual(peer.rest(), b"")

    def test_a_health_check_that_only_connects_is_no_fault(self):
        self.start()
        for _ in range(3):
            self.peer().close()
        self.assertEqual(self.peer().ask(V1 + get()).status, 200)
        self.assertEqual([f for f in self.served.status()["worker"]["faults"] if "proxy" in f], [])


if __name__ == "__main__":
    main()
