"""Origins that break HTTP: the client gets 502, and the connection is never used again."""

import time

from harness import Test, answer, get, main

BROKEN = {
    "no HTTP at all": b"SSH-2.0-OpenSSH\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "obs-fold": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "NUL in a value": b"HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 2\r\n\r\nok",
    "CR in a value": b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok",
    "empty name": b"HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 2\r\n\r\nok",
    "both lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"0\r\n\r\n",
    "differing lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "length overflow": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
    "chunked not last": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
    "status 099": b"HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\nok",
    "version 3": b"HTTP/3.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "101 unasked": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                   b"Connection: upgrade\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200000,
    "too many fields": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
    "the end within the head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "interim answers without end": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200,
}

# The head was passed on already, so that the client can only see the connection end early.
BROKEN_BODIES = {
    "bad chunk size": b"xyz\r\nabc\r\n0\r\n\r\n",
    "signed chunk size": b"-1\r\nabc\r\n0\r\n\r\n",
    "chunk size overflow": b"fffffffffffffffff\r\nabc",
    "wrong end of a chunk": b"3\r\nabcXX0\r\n\r\n",
    "the end within a chunk": b"5\r\nabc",
    "bad trailer": b"3\r\nabc\r\n0\r\nX : 1\r\n\r\n",
}


class Hostile(Test):
    def setUp(self):
        self.reply = b""
        self.listen, self.origin_, self.river_ = self.serve(self.script, "retries 0")

    def script(self, peer):
        peer.request()
        peer.send(self.reply)
        if b"the end" not in self.reply and not self.reply.endswith((b"abc", b"Content-Le")):
            peer.rest()  # whoever breaks the rules does not close by itself

    def test_heads(self):
        for count, (name, self.reply) in enumerate(BROKEN.items()):
            with self.subTest(name):
                peer = self.connect(self.listen)
                peer.send(get())
                response = peer.response()
                while response.status == 103:
                    response = peer.response()
                self.assertEqual(response.status, 502)
                self.assertEqual(self.origin_.connections, count + 1)

    def test_the_client_may_go_on_after_a_502(self):
        self.reply = BROKEN["signed length"]
        peer = self.connect(self.listen)
        self.assertEqual(peer.ask(get()).status, 502)
        self.reply = answer("fine")
        self.assertEqual(peer.ask(get()).body, b"fine")

    def test_bodies(self):
        start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for name, body in BROKEN_BODIES.items():
            with self.subTest(name):
                self.reply = start + body
                peer = self.connect(self.listen)
                peer.send(get("/", "Connection: close"))
                received = peer.rest()
                self.assertFalse(received.startswith(b"HTTP/1.1 200") and
                                 received.endswith(b"0\r\n\r\n"), received)

    def test_a_bad_trailer_behind_what_was_passed_on_cuts_the_answer(self):
        def script(peer):
            peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            time.sleep(0.3)
            peer.send(b"0\r\nX : 1\r\n\r\n")
            peer.rest()
        port, _, _ = self.serve(script)
        peer = self.connect(port)
        peer.send(get())
        received = peer.rest()
        self.assertTrue(received.startswith(b"HTTP/1.1 200"))
        self.assertTrue(received.endswith(b"abc\r\n"), received)

    def test_a_body_that_is_cut_is_seen_as_cut(self):
        self.reply = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"
        peer = self.connect(self.listen)
        peer.send(get())
        message = peer.head()
        self.assertEqual(message.get("content-length"), "100")
        self.assertEqual(peer.rest(), b"abc")

    def test_bytes_behind_an_answer_never_reach_anybody(self):
        self.reply = answer("one") + answer("smuggled")
        peer = self.connect(self.listen)
        self.assertEqual(peer.ask(get()).body, b"one")
        self.reply = answer("two")
        self.assertEqual(peer.ask(get()).body, b"two")
        self.assertEqual(self.origin_.connections, 2)


if __name__ == "__main__":
    main()
