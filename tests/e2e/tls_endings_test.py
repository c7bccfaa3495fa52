"""How connections over TLS end: with close_notify and no reset where the origin has said that it
closes, whoever is first; what becomes of requests whose origin refuses River's certificate after
the handshake; and what a peer hears, and the log says, when a session cannot go on."""

import os
import queue
import socket
import ssl
import struct
import time

import certificates
from harness import (SECONDS, Origin, Peer, Test, always, answer, ask, get, main, post, proxy,
                     wait_until)

CLOSING = answer("bye", "Connection: close")


class Ending(Origin):
    """An origin behind TLS (or not, without a pair) that answers each connection once and tells how
    it ended: `ends` gets "close_notify", "end" or the name of an error."""

    def __init__(self, response, pair=None, first=False, http="http/1.1"):
        """`first`: its own close_notify leaves right behind the answer."""
        self.context = None
        self.first = first
        self.response = response
        self.ends = queue.Queue()
        if pair:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(pair.chain, pair.key)
            self.context.set_alpn_protocols([http])
        super().__init__(self.script)

    def script(self, peer):
        try:
            self.ends.put(self.serve_one(peer))
        except OSError as error:
            self.ends.put(type(error).__name__)

    def serve_one(self, peer):
        if not self.context:
            peer.request()
            peer.send(self.response)
            return "end" if peer.socket.recv(1) == b"" else "data"
        with self.context.wrap_socket(peer.socket, server_side=True,
                                      suppress_ragged_eofs=False) as secure:
            Peer(secure).request()
            secure.sendall(self.response)
            if self.first:
                secure.unwrap().close()  # says it, and waits for the other's
                return "close_notify"
            return "close_notify" if secure.recv(1) == b"" else "data"


class Endings(Test):
    def setUp(self):
        self.authority = certificates.Authority(self.directory(), "ca")
        self.site = self.authority.issue("site", ["a.example"])

    def start(self, origin):
        port = self.port()
        trust = f'tls-sni="a.example" ca-path="{self.authority.pem}"' if origin.context else ""
        return port, self.river(proxy(port, f"{origin} {trust}"), threads=1)

    def test_an_origin_that_closes_hears_a_goodbye(self):
        until_close = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbye"
        for name, response, pair, first, end in (
                ("before its own", CLOSING, self.site, False, "close_notify"),
                ("after its own", CLOSING, self.site, True, "close_notify"),
                ("after a body without length", until_close, self.site, True, "close_notify"),
                ("without TLS", CLOSING, None, False, "end")):
            with self.subTest(name):
                origin = self.own(Ending(response, pair, first))
                port, _ = self.start(origin)
                for _ in range(5):
                    self.assertEqual(ask(port, "/").body, b"bye")
                    self.assertEqual(origin.ends.get(timeout=10), end)

    def test_a_tunnel_that_both_sides_have_ended(self):
        switch = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                  b"Upgrade: websocket\r\n\r\n")
        for pair, end in ((self.site, "close_notify"), (None, "end")):
            origin = self.own(Ending(switch, pair))
            port, _ = self.start(origin)
            client = self.connect(port)
            client.send(get("/", "Connection: Upgrade", "Upgrade: websocket"))
            client.until(b"\r\n\r\n")
            client.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(origin.ends.get(timeout=10), end)
            self.assertEqual(client.socket.recv(1), b"")

    def test_an_answer_that_is_not_whole_is_no_goodbye(self):
        """The client gives up: the origin sees that it need not go on."""
        origin = self.own(Ending(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"))
        port, _ = self.start(origin)
        client = self.connect(port)
        client.send(get())
        client.until(b"half")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        self.assertEqual(origin.ends.get(timeout=10), "ConnectionResetError")


class Refusing(Origin):
    """An origin that asks for a certificate, and closes where the handshake fails."""

    def __init__(self, pair, trusted, http="http/1.1"):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pair.chain, pair.key)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_verify_locations(trusted.pem)
        self.context.set_alpn_protocols([http])
        self.seen = []
        super().__init__(always(answer("good"), self.seen))

    def serve(self, peer):
        try:
            super().serve(Peer(self.context.wrap_socket(peer.socket, server_side=True)))
        except OSError:
            peer.close()


class Refusals(Test):
    """In TLS 1.3 an origin's judgement of River's certificate comes after the handshake."""

    def setUp(self):
        place = self.directory()
        self.authority = certificates.Authority(place, "ca")
        self.other = certificates.Authority(place, "other-ca")
        self.site = self.authority.issue("site", ["a.example"])
        self.own_pair = self.authority.issue("river")

    def start(self, *origins, pair=None, proto="h2-or-h1", more=""):
        pair = pair or self.own_pair
        port = self.port()
        tls = (f'tls-sni="a.example" ca-path="{self.authority.pem}" proto="{proto}" '
               f'client-cert-path="{pair.chain}" client-key-path="{pair.key}"')
        return port, self.river(proxy(port, [f"{o} {tls}" for o in origins], more), threads=1)

    def refusing(self, http="http/1.1"):
        return self.own(Refusing(self.site, self.other, http))

    def test_its_requests_go_to_another_origin(self):
        for http in ("http/1.1", "h2"):
            with self.subTest(http):
                good = self.own(Refusing(self.site, self.authority))
                bad = self.refusing(http)
                port, river = self.start(bad, good)
                start = time.monotonic()
                for i in range(30):
                    client = self.connect(port)
                    client.send(post(b"x" * 3000 if i % 2 else b""))
                    self.assertEqual(client.response().body, b"good", i)
                    client.close()
                self.assertEqual(len(good.seen), 30)
                if time.monotonic() - start < 1:
                    self.assertLess(bad.connections, 10)  # it rests
                self.assertIn("TLS handshake with the origin failed", river.errors())
                self.assertIn("UnknownCA", river.errors())

    def test_without_another_it_is_named(self):
        port, river = self.start(self.refusing())
        for _ in range(10):
            self.assertEqual(ask(port, "/", method="POST").status, 502)
        wait_until(lambda: "origin-tls" in river.errors(), "it is named")
        self.assertNotIn("origin-closed", river.errors())

    def test_the_reasons_have_names(self):
        expired = self.authority.issue("old", period=("20200101000000Z", "20210101000000Z"))
        nobody = self.own(Refusing(self.site, self.authority))
        port, river = self.start(nobody, pair=expired)
        self.assertEqual(ask(port, "/").status, 502)
        wait_until(lambda: "CertificateExpired" in river.errors(), "the alert is named")
        port = self.port()
        river = self.river(proxy(port, f'{nobody} tls-sni="a.example" '
                                       f'ca-path="{self.authority.pem}"'))
        self.assertEqual(ask(port, "/").status, 502)
        wait_until(lambda: "CertificateRequired" in river.errors(), "so is the one that is missing")

    def test_an_origin_that_goes_in_the_handshake(self):
        def closes(peer):
            peer.socket.recv(1)
            peer.socket.recv(65536)  # all of the hello: nothing is reset

        def resets(peer):
            peer.socket.recv(1)
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for script, words in ((closes, "the peer closed the connection"),
                              (resets, "the peer reset the connection")):
            port, river = self.start(self.origin(script))
            self.assertEqual(ask(port, "/").status, 502)
            wait_until(lambda: words in river.errors(), words)

    def test_an_origin_that_is_silent_in_the_handshake(self):
        origin = self.origin(lambda peer: peer.socket.recv(1 << 20) and peer.socket.recv(1))
        port = self.port()
        river = self.river(proxy(port, f'{origin} tls-sni="a.example" connection-timeout-ms=300'))
        self.assertIn(ask(port, "/").status, (503, 504))
        wait_until(lambda: "it took too long" in river.errors(), "the log says where")

    def test_a_record_of_an_origin_that_is_none(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.site.chain, self.site.key)

        def script(peer):
            secure = Peer(context.wrap_socket(peer.socket, server_side=True))
            secure.request()
            secure.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            raw = socket.socket(fileno=secure.socket.detach())
            raw.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
            raw.close()
        port, river = self.start(self.origin(script))
        client = self.connect(port)
        client.send(get("/", "Connection: close")) # a 502 if nothing was passed on yet
        client.rest()
        wait_until(lambda: "a TLS session with the origin failed" in river.errors(), "the log")


class Lengths(Test):
    """What a client hears whose bytes are no TLS, or too many."""

    def setUp(self):
        self.authority = certificates.Authority(self.directory(), "ca")
        self.site = self.authority.issue("site", ["a.example"])

    def start(self, more=""):
        origin = self.origin(always(answer("hello")))
        self.listen = self.port()
        return self.river(proxy(f'{self.listen} cert-path="{self.site.chain}" '
                                f'key-path="{self.site.key}" {more}', origin), threads=1)

    def faults(self, river):
        return river.status()["worker"]["faults"]

    def test_a_hello_that_is_too_long(self):
        river = self.start()
        message = b"\x01" + (20000).to_bytes(3, "big") + b"\x03\x03" + b"x" * 19998
        for cut in (1, 3, 7000, 16384):
            peer = self.connect(self.listen)
            for part in (message[:cut], message[cut:16384], message[16384:]):
                if part:
                    peer.send(b"\x16\x03\x01" + len(part).to_bytes(2, "big"))
                    peer.send(part)
            self.assertEqual(peer.rest(), b"\x15\x03\x03\x00\x02\x02\x32")  # decode_error
        self.assertEqual(self.faults(river), {"tls-protocol": 4})
        wait_until(lambda: "the handshake is too long" in river.errors(), "its line in the log")

    def test_a_chain_that_is_too_long(self):
        river = self.start('{ client-certificates "optional" '
                           f'ca-path="{self.authority.pem}"; }}')
        for count, size in ((10, "short"), (80, "long")):
            pair = self.authority.issue(size)
            with open(self.authority.pem, encoding="ascii") as file:
                authority = file.read()
            with open(pair.chain, "a", encoding="ascii") as file:
                file.write(authority * count)
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = ssl.create_default_context(cafile=self.authority.pem)
                context.minimum_version = context.maximum_version = version
                context.load_cert_chain(pair.chain, pair.key)
                raw = socket.create_connection(self.listen.address, SECONDS)
                self.addCleanup(raw.close)
                if size == "short":
                    peer = self.own(Peer(context.wrap_socket(raw, server_hostname="a.example")))
                    self.assertEqual(peer.ask(get()).status, 200)
                    continue
                with self.assertRaisesRegex(ssl.SSLError, "(?i)decode.error"):
                    peer = self.own(Peer(context.wrap_socket(raw, server_hostname="a.example")))
                    peer.send(get())
                    peer.head()
        self.assertEqual(self.faults(river), {"tls-protocol": 2})

    def test_a_record_that_is_none(self):
        river = self.start()
        for moment in ("idle", "in a body"):
            context = ssl.create_default_context(cafile=self.authority.pem)
            raw = socket.create_connection(self.listen.address, SECONDS)
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            client = context.wrap_bio(incoming, outgoing, server_hostname="a.example")

            def step(call, raw=raw, incoming=incoming, outgoing=outgoing):
                while True:
                    try:
                        result = call()
                        raw.sendall(outgoing.read())
                        return result
                    except ssl.SSLWantReadError:
                        raw.sendall(outgoing.read())
                        data = raw.recv(65536)
                        if data:
                            incoming.write(data)
                        else:
                            incoming.write_eof()
            step(client.do_handshake)
            if moment == "idle":
                step(lambda c=client: c.write(get()))
                step(lambda c=client: c.read(1000))
            else:
                head = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100\r\n\r\nhalf"
                step(lambda c=client: c.write(head))
            raw.sendall(b"\x17\x03\x03\x00\x20" + os.urandom(32))
            with self.assertRaisesRegex(ssl.SSLError, "(?i)bad.record.mac"):
                step(lambda c=client: c.read(1000))
            raw.close()
        wait_until(lambda: river.errors().count("a TLS session failed") == 2, "the log says so")
        self.assertEqual(self.faults(river)["tls-protocol"], 2)


if __name__ == "__main__":
    main()
