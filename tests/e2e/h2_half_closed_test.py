"""Clients of HTTP/2 that half-close: requests that are whole are answered, the others are over."""

import ssl
import threading
import time

import certificates
from h2 import H2Client, H2Origin, request
from harness import Peer, Test, answer, connect, main, proxy, wait_until

BODY = bytes(50_000)


class SealedPeer:
    """TLS without a socket of its own, so that close_notify can be sent without waiting."""

    def __init__(self, to, context):
        self.socket = connect(to).socket
        self.buffer = b""
        self.arrived, self.leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.arrived, self.leaving, server_hostname="a.example")
        self.pump(self.tls.do_handshake)

    def pump(self, call):
        while True:
            try:
                return call()
            except ssl.SSLWantReadError:
                self.socket.sendall(self.leaving.read())
                data = self.socket.recv(65536)
                if not data:
                    raise EOFError from None
                self.arrived.write(data)
            finally:
                self.socket.sendall(self.leaving.read())

    def send(self, data):
        self.pump(lambda: self.tls.write(data))

    def fill(self):
        try:
            data = self.pump(lambda: self.tls.read(65536))
        except (EOFError, ssl.SSLZeroReturnError):
            return False
        self.buffer += data
        return bool(data)

    exactly = Peer.exactly

    def finish(self):
        """close_notify; what still comes is read."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.socket.sendall(self.leaving.read())

    def close(self):
        self.socket.close()


class HalfClosed(Test):
    def setUp(self):
        self.gate = threading.Event()
        self.addCleanup(self.gate.set)
        self.ended = []

        def script(peer):
            while True:
                try:
                    message = peer.request()
                except EOFError:
                    self.ended.append(peer)
                    return
                self.gate.wait(10)
                peer.send(answer(BODY if message.target == "/" else b"no"))

        self.origin_ = self.origin(script)

    def plain(self, more=""):
        port = self.port()
        self.river_ = self.river(proxy(f"{port} h2c=true", self.origin_, more), threads=1)
        return self.own(H2Client(connect(port)))

    def half_close(self, client, *streams):
        """What comes afterwards; nothing more is sent, not even an acknowledgement."""
        time.sleep(0.2)
        client.peer.finish()
        client.send = lambda data: None
        threading.Timer(0.3, self.gate.set).start()
        for stream in streams:
            client.wait(stream)
        self.assertTrue(client.drain(3))  # and then the connection ends

    def test_a_whole_request_is_answered(self):
        client = self.plain()
        stream = client.start(request("/"))
        self.half_close(client, stream)
        self.assertEqual((stream.status, stream.body, stream.reset), (200, BODY, None))
        self.assertEqual(self.river_.status()["worker"]["connections"], 0)

    def test_the_same_after_close_notify(self):
        pair = certificates.Authority(self.directory(), "ca").issue("site", ["a.example"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        port = self.port()
        listener = f'{port} cert-path="{pair.chain}" key-path="{pair.key}"'
        self.river(proxy(listener, self.origin_), threads=1)
        client = self.own(H2Client(SealedPeer(port, context)))
        stream = client.start(request("/"))
        self.half_close(client, stream)
        self.assertEqual((stream.status, stream.body), (200, BODY))

    def test_a_request_that_is_not_whole_is_reset(self):
        client = self.plain()
        whole = client.start(request("/"))
        half = client.begin(request("/half", ("content-length", "10"), method="POST"))
        client.data(half.number, b"12345")
        self.half_close(client, whole, half)
        self.assertEqual((whole.status, whole.body), (200, BODY))
        self.assertEqual((half.status, half.ended), (0, False))
        self.assertIsNotNone(half.reset)

    def test_who_has_only_such_requests_is_gone_at_once(self):
        client = self.plain()
        half = client.begin(request("/half", ("content-length", "10"), method="POST"))
        client.data(half.number, b"12345")
        time.sleep(0.2)
        start = time.monotonic()
        client.peer.finish()
        client.send = lambda data: None
        self.assertTrue(client.drain(3))
        self.assertLess(time.monotonic() - start, 2)
        self.assertIsNotNone(half.reset)

    def test_who_closes_altogether_is_gone_at_once(self):
        """The first frame that it does not want says so: its request does not go on for nobody."""
        client = self.plain()
        client.start(request("/"))
        wait_until(lambda: self.origin_.connections == 1, "the request")
        client.until(lambda: client.their_settings, "their SETTINGS")
        client.close()
        wait_until(lambda: self.river_.status()["worker"]["faults"].get("client-gone") == 1,
                   "the end of a request that nobody waits for", 3)

    def test_it_is_not_asked_for_ever(self):
        """The deadlines stay: an origin that does not answer costs its timeout, no more."""
        client = self.own(H2Client(connect(self.slow())))
        stream = client.start(request("/"))
        time.sleep(0.2)
        client.peer.finish()
        client.send = lambda data: None
        client.wait(stream, 5)
        self.assertEqual(stream.status, 504)
        self.assertTrue(client.drain(3))

    def slow(self):
        port = self.port()
        silent = self.own(H2Origin(lambda session, stream: None))
        self.river(proxy(f"{port} h2c=true",
                         f'{silent} proto="h2-only" read-timeout-ms=1000'), threads=1)
        return port


if __name__ == "__main__":
    main()
