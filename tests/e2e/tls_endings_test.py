"""How connections to origins end: with close_notify and no reset where the origin has said that it
closes, whoever is first; and what a client hears when a handshake cannot go on."""

import queue
import socket
import ssl
import struct

import certificates
from harness import Origin, Peer, Test, answer, ask, get, main, proxy

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


if __name__ == "__main__":
    main()
