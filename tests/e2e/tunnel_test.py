"""Upgrades become tunnels when both sides agree, and streams flow as they come."""

import base64
import hashlib
import os
import socket
import struct
import threading
import time

from harness import Peer, Test, answer, get, main, proxy

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")


def frame(payload, masked):
    """A WebSocket text frame (RFC 6455 5.2) of less than 126 bytes."""
    if not masked:
        return struct.pack("BB", 0x81, len(payload)) + payload
    mask = os.urandom(4)
    return (struct.pack("BB", 0x81, 0x80 | len(payload)) + mask +
            bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))


def read_frame(peer):
    _, size = peer.exactly(2)
    mask = peer.exactly(4) if size & 0x80 else bytes(4)
    return bytes(b ^ mask[i % 4] for i, b in enumerate(peer.exactly(size & 0x7f)))


def echo(peer):
    """A WebSocket server that sends back what it gets."""
    request = peer.request()
    key = hashlib.sha1((request.get("sec-websocket-key") + GUID).encode()).digest()
    peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              f"Sec-WebSocket-Accept: {base64.b64encode(key).decode()}\r\n\r\n")
    while True:
        peer.send(frame(read_frame(peer), False))


class Tunnels(Test):
    def test_a_websocket_echo(self):
        port, _, _ = self.serve(echo)
        peer = self.connect(port)
        response = peer.ask(get("/chat", *UPGRADE))
        self.assertEqual(response.status, 101)
        self.assertEqual(response.get("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        for i in range(100):
            peer.send(frame(b"hello %d" % i, True))
            self.assertEqual(read_frame(peer), b"hello %d" % i)

    def test_a_tunnel_of_the_second_try_is_whole(self):
        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                      "Upgrade: websocket\r\n\r\n")
            peer.send(b"x" * 300000)

        dead = self.port()
        origin, port = self.origin(script), self.port()
        river = self.river(proxy(port, [dead, origin]), 'log { access "stdout"; }', threads=1)
        for _ in range(2):  # one of them begins with the other endpoint
            peer = self.connect(port)
            self.assertEqual(peer.ask(get("/", *UPGRADE)).status, 101)
            time.sleep(0.3)  # the origin has closed, and all that it sent waits
            self.assertEqual(peer.rest(), b"x" * 300000)
            peer.close()
        self.assertIn("connect-refused", [r.get("retried", r.get("reason"))
                                          for r in river.logged(2)])

    def test_bytes_right_behind_the_heads_belong_to_the_tunnel(self):
        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                      "Upgrade: websocket\r\n\r\nfrom the origin")
            self.assertEqual(peer.exactly(15), b"from the client")
            peer.send(b"!")
        port, _, _ = self.serve(script)
        peer = self.connect(port)
        peer.send(get("/", *UPGRADE) + b"from the client")
        self.assertEqual(peer.response().status, 101)
        self.assertEqual(peer.rest(), b"from the origin!")

    def test_either_side_may_finish_first(self):
        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                      "Upgrade: websocket\r\n\r\n")
            self.assertEqual(peer.rest(), b"bye")
            peer.send("still talking")
        port, _, _ = self.serve(script)
        peer = self.connect(port)
        self.assertEqual(peer.ask(get("/", *UPGRADE)).status, 101)
        peer.send("bye")
        peer.finish()
        self.assertEqual(peer.rest(), b"still talking")

    def test_megabytes_both_ways_at_once(self):
        data = os.urandom(1 << 20)

        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                      "Upgrade: websocket\r\n\r\n")
            sender = threading.Thread(target=peer.send, args=(data,))
            sender.start()
            self.assertEqual(peer.exactly(len(data)), data)
            sender.join()
        port, _, _ = self.serve(script)
        peer = self.connect(port)
        self.assertEqual(peer.ask(get("/", *UPGRADE)).status, 101)
        sender = threading.Thread(target=peer.send, args=(data,))
        sender.start()
        self.assertEqual(peer.exactly(len(data)), data)
        sender.join()

    def test_a_refused_upgrade_is_an_ordinary_answer(self):
        def script(peer):
            while True:
                peer.request()
                peer.send(answer("no", status="426 Upgrade Required"))
        port, _, _ = self.serve(script)
        peer = self.connect(port)
        refused = peer.ask(get("/", *UPGRADE))
        self.assertEqual((refused.status, refused.get("connection")), (426, "close"))
        self.assertTrue(peer.is_closed())  # it may have gone on in the other protocol

    def test_protocols_that_are_not_listed_are_not_asked_for(self):
        seen = []

        def script(peer):
            seen.append(peer.request())
            peer.send(answer("plain"))
        port, _, _ = self.serve(script)
        for protocol in ("h2c", "tls/1.0", "other"):
            peer = self.connect(port)
            response = peer.ask(get("/", "Connection: Upgrade, HTTP2-Settings",
                                    f"Upgrade: {protocol}", "HTTP2-Settings: AAMAAABk"))
            self.assertEqual((response.status, response.body), (200, b"plain"))
            self.assertIsNone(seen[-1].get("upgrade"))
            self.assertIsNone(seen[-1].get("http2-settings"))

    def test_more_protocols_may_be_listed(self):
        def script(peer):
            self.assertEqual(peer.request().get("upgrade"), "chat")
            peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                      "Upgrade: chat\r\n\r\nhi")
        port, _, _ = self.serve(script, 'upgrade-protocols "websocket" "chat"')
        peer = self.connect(port)
        self.assertEqual(peer.ask(get("/", "Connection: upgrade", "Upgrade: chat")).status, 101)
        self.assertEqual(peer.rest(), b"hi")

    def test_a_silent_tunnel_ends(self):
        port, _, river = self.serve(echo, "tunnel-idle-timeout-ms 300")
        peer = self.connect(port)
        self.assertEqual(peer.ask(get("/", *UPGRADE)).status, 101)
        start = time.monotonic()
        self.assertTrue(peer.is_closed())
        self.assertGreater(time.monotonic() - start, 0.2)
        self.assertIn("tunnel-idle", river.status()["worker"]["faults"])


class Streams(Test):
    def test_the_first_event_arrives_before_the_second_is_sent(self):
        arrived = threading.Event()

        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
            self.assertTrue(arrived.wait(10))
            peer.send("data: 2\n\n")
        port, _, _ = self.serve(script)
        peer = self.connect(port)
        peer.send(get(version="1.0"))
        self.assertEqual(peer.head().get("content-type"), "text/event-stream")
        self.assertEqual(peer.exactly(9), b"data: 1\n\n")
        arrived.set()
        self.assertEqual(peer.rest(), b"data: 2\n\n")

    def test_a_request_body_flows_before_it_is_whole(self):
        arrived = threading.Event()

        def script(peer):
            peer.head()
            peer.exactly(5)
            arrived.set()
            self.assertEqual(peer.exactly(5), b"world")
            peer.send(answer("done"))
        port, _, _ = self.serve(script)
        peer = self.connect(port)
        peer.send(get("/", "Content-Length: 10", method="POST") + b"hello")
        self.assertTrue(arrived.wait(10))
        peer.send("world")
        self.assertEqual(peer.response().body, b"done")

    def test_the_end_of_an_answer_waits_for_a_slow_reader(self):
        def script(peer):
            while True:
                size = int(peer.request().target[1:])
                peer.send(answer(bytes(size)))
        port, _, _ = self.serve(script)
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.connect(port.address)
        peer = self.own(Peer(slow))
        for size in range(1_000_000, 4_000_000, 30_000):  # the connection is full near some end
            peer.send(get(f"/{size}"))
            time.sleep(0.02)
            self.assertEqual(len(peer.response().body), size)

    def test_a_client_that_does_not_read_slows_its_origin_down(self):
        sent = [0]

        def script(peer):
            peer.request()
            peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {1 << 30}\r\n\r\n")
            piece = bytes(65536)
            peer.socket.settimeout(1)
            try:
                while sent[0] < 1 << 30:
                    sent[0] += peer.socket.send(piece)
            except OSError:
                pass
        port, _, river = self.serve(script)
        peer = self.connect(port)
        peer.send(get())
        peer.head()
        time.sleep(1.5)
        self.assertLess(sent[0], 64 << 20)
        self.assertLess(river.status()["worker"]["memory"]["peak_bytes"], 8 << 20)


if __name__ == "__main__":
    main()
