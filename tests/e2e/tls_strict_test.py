#!/usr/bin/env python3
"""What TLS is not allowed to blur: whose certificate a request came under, how long a handshake may
take, who speaks plainly, and whether a body was whole."""

import signal
import socket
import ssl
import time

import certificates
from harness import SECONDS, Origin, Peer, Test, always, answer, get, main, proxy, wait_until


class Cutting(Origin):
    """An origin behind TLS whose answer has no length; it ends with close_notify, or without."""

    def __init__(self, pair, whole):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pair.chain, pair.key)
        self.whole = whole
        super().__init__(self.answer)

    def answer(self, peer):
        secure = self.context.wrap_socket(peer.socket, server_side=True,
                                          suppress_ragged_eofs=False)
        Peer(secure).request()
        secure.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf")
        if self.whole:
            try:
                secure.unwrap()
            except OSError:
                pass
        raw = socket.socket(fileno=secure.detach())
        raw.shutdown(socket.SHUT_WR)
        raw.close()


class Strict(Test):
    def setUp(self):
        self.authority = certificates.Authority(self.directory(), "ca")
        self.site = self.authority.issue("site", ["a.example", "*.a.example"])
        self.other = self.authority.issue("other", ["b.example"])

    def start(self, more="", script=None):
        origin = self.origin(script or always(answer("hello")))
        self.listen = self.port()
        listener = (f'{self.listen} cert-path="{self.site.chain}" key-path="{self.site.key}" {{\n'
                    f'certificate cert-path="{self.other.chain}" key-path="{self.other.key}"\n}}')
        return self.river(proxy(listener, origin, more), threads=1)

    def secure(self, name="a.example"):
        context = ssl.create_default_context(cafile=self.authority.pem)
        raw = socket.create_connection(self.listen.address, SECONDS)
        self.addCleanup(raw.close)
        return self.own(Peer(context.wrap_socket(raw, server_hostname=name)))

    def test_a_host_of_another_certificate_is_misdirected(self):
        self.start()
        peer = self.secure("a.example")
        self.assertEqual(peer.ask(get(host="a.example")).status, 200)
        self.assertEqual(peer.ask(get(host="www.a.example")).status, 200)  # the same certificate
        self.assertEqual(peer.ask(get(host="b.example")).status, 421)
        self.assertEqual(peer.ask(get(host="B.EXAMPLE:443")).status, 421)
        self.assertEqual(self.secure("b.example").ask(get(host="b.example")).status, 200)

    def test_a_plain_request_is_told_so_plainly(self):
        river = self.start()
        peer = self.connect(self.listen)
        response = peer.ask(get())
        self.assertEqual((response.status, response.get("connection")), (400, "close"))
        self.assertEqual(river.status()["worker"]["faults"], {"tls-plaintext": 1})

    def test_a_record_that_is_no_hello_gets_no_http(self):
        river = self.start()
        for kind in (b"\x14", b"\x15", b"\x17"):
            peer = self.connect(self.listen)
            peer.send(kind + b"\x03\x03\x00\x02\x02\x28")
            self.assertNotIn(b"HTTP", peer.rest(), kind)
        faults = river.status()["worker"]["faults"]
        self.assertEqual(sum(faults.values()), 3, faults)
        self.assertNotIn("tls-plaintext", faults)

    def test_a_handshake_has_a_deadline_and_delays_nobody(self):
        river = self.start("overload { head-timeout-ms 500; }")
        silent, slow = self.connect(self.listen), self.connect(self.listen)
        slow.send(b"\x16\x03\x01\x02\x00\x01")
        start = time.monotonic()
        self.assertEqual(self.secure().ask(get()).status, 200)
        self.assertLess(time.monotonic() - start, 0.45)
        self.assertTrue(silent.is_closed() and slow.is_closed())
        self.assertLess(time.monotonic() - start, 3)
        self.assertEqual(river.status()["worker"]["faults"], {"tls-timeout": 2})

    def test_garbage_ends_the_connection_and_is_counted(self):
        river = self.start()
        for data in (b"\x16\x03\x01\xff\xff" + b"x" * 70000, b"\x16\x03\x01\x00\x05hello",
                     b"\x15\x03\x03\x00\x02\x02\x28"):
            peer = self.connect(self.listen)
            peer.send(data)
            peer.rest()
        self.assertEqual(self.secure().ask(get()).status, 200)
        faults = river.status()["worker"]["faults"]
        self.assertEqual(sum(faults.values()), 3, faults)
        self.assertTrue(all(code.startswith("tls-") for code in faults), faults)

    def test_a_body_that_tls_does_not_end_is_not_whole(self):
        for whole in (True, False):
            origin = self.own(Cutting(self.site, whole))
            port = self.port()
            self.river(proxy(port, f'{origin} tls-sni="a.example" proto="h1-only" '
                                   f'ca-path="{self.authority.pem}"'), threads=1)
            peer = self.connect(port)
            peer.send(get("/", "Connection: close"))
            self.assertEqual(peer.rest().endswith(b"0\r\n\r\n"), whole)

    def test_draining_ends_idle_connections_and_handshakes(self):
        river = self.start()
        idle, shaking = self.secure(), self.connect(self.listen)
        self.assertEqual(idle.ask(get()).status, 200)
        wait_until(lambda: river.status()["worker"]["connections"] == 2, "both are there")
        river.signal(signal.SIGTERM)
        self.assertEqual(river.wait(), 0)
        self.assertTrue(shaking.is_closed())


if __name__ == "__main__":
    main()
