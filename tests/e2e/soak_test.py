"""The zero-loss run, short, and the proof that it can fail: what is lost, cut, wrong or late is
seen by the load generator (tests/soak), each under its own name."""

import os
import signal
import socket
import sys
import threading
import time
import unittest

from harness import ROOT, SECONDS, Origin, Test, main, wait_until

sys.path.insert(0, os.path.join(ROOT, "tests", "soak"))
import zero_loss  # pylint: disable=wrong-import-position,wrong-import-order

NONE = tuple(word for kind in ("keepalive", "fresh", "h2", "websocket", "upload", "download")
             for word in (f"--{kind}", "0"))


@unittest.skipUnless(os.path.exists(zero_loss.LOAD), "the load generator was not built")
class Soak(Test):
    def soak(self, *options):
        soak = self.own(zero_loss.Soak(*options))
        soak.start(self.directory(), 5)
        soak.river.deaths_expected = True
        return soak

    def judge(self, soak):
        report = soak.stop()
        return report, zero_loss.judge(report, soak.problems)[0]

    def test_all_kinds_of_load_get_all_of_their_answers(self):
        soak = self.soak("--think-ms", "20")
        soak.load.wait_for(1000)
        soak.load.say("phase before")
        soak.load.wait_for(3000)
        soak.load.say("phase during")
        start = time.monotonic()
        wait_until(lambda: soak.load.requests >= 6000 and time.monotonic() - start > 1, "requests")
        report, _ = self.judge(soak)
        for name, kind in report["kinds"].items():
            self.assertGreater(kind["done"], 0, name)
            self.assertEqual((zero_loss.failed_of(kind), kind["raced"]), (0, 0), report["samples"])
        self.assertGreater(report["kinds"]["keepalive"]["phases"]["during"]["count"], 0)
        self.assertEqual(report["kinds"]["websocket"]["connections"], 8)
        self.assertEqual(soak.tls.failures, [])
        self.assertGreater(soak.tls.done, 0)

    def test_reloads_lose_nothing(self):
        soak = self.own(zero_loss.Soak("--rate", "2000"))
        report = zero_loss.run(soak, self.directory(), 8000, 10, 0)
        lost, _ = zero_loss.judge(report, soak.problems)
        self.assertEqual(lost, [], report["samples"])
        # Tunnels went on: each has the connection that it began with.
        self.assertEqual(report["kinds"]["websocket"]["connections"], 8)

    def test_a_worker_that_is_killed_is_a_loss(self):
        soak = self.soak()
        time.sleep(1)
        soak.load.wait_for(2000)
        os.kill(soak.river.status()["worker_pid"], signal.SIGKILL)
        wait_until(soak.river.is_up, "the next worker serves")
        before = soak.load.requests
        soak.load.wait_for(before + 1000)
        report, lost = self.judge(soak)
        failed = {name: kind["failed"] for name, kind in report["kinds"].items()}
        self.assertTrue(any("failed" in w for w in lost))
        # Eight tunnels broke, whatever else was under way.
        self.assertEqual(failed["websocket"]["reset"] + failed["websocket"]["eof"], 8, failed)
        self.assertGreater(zero_loss.failed_of(report["kinds"]["h2"]), 0)
        # The listeners stayed.
        self.assertEqual(failed["fresh"]["refused"], 0)

    def test_a_river_that_is_stopped_and_started_is_a_loss(self):
        soak = self.soak()
        soak.load.wait_for(2000)
        soak.river.signal(signal.SIGINT)
        soak.river.wait()
        wait_until(lambda: soak.load.failures > 100, "failures are seen")
        report, lost = self.judge(soak)
        self.assertGreater(report["kinds"]["fresh"]["failed"]["refused"], 0)
        self.assertTrue(any(w.startswith("fresh:") for w in lost))


def head_of(peer):
    """(seed, length) of a request for a pattern."""
    words = peer.head().target.split("/")
    return int(words[2]), int(words[3])


def pattern(seed, length):
    """As tests/soak/parts.c makes it."""
    mask, data = (1 << 64) - 1, b""
    for n in range(length // 8 + 1):
        x = (seed + (n + 1) * 0x9e3779b97f4a7c15) & mask
        x = ((x ^ (x >> 30)) * 0xbf58476d1ce4e5b9) & mask
        x = ((x ^ (x >> 27)) * 0x94d049bb133111eb) & mask
        data += (x ^ (x >> 31)).to_bytes(8, sys.byteorder)
    return data[:length]


def head(length, status="200 OK", *fields):
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {length}", *fields, "", ""])


class Liars(Test):
    """In River's place: servers that do one thing wrong."""

    def report(self, script, kind="keepalive", requests="1000000", seconds=3):
        load = self.own(zero_loss.Load(*NONE, f"--{kind}", "1", "--think-ms", "0",
                                       "--requests", requests))
        server = self.own(Origin(script))
        load.say(f"target {str(server).rsplit(':', maxsplit=1)[1]}")
        end = time.monotonic() + seconds
        while load.failures < 2 and time.monotonic() < end and load.process.poll() is None:
            time.sleep(0.01)
        report = load.stop()
        self.assertEqual(server.errors, [])
        return report["kinds"][kind]

    def expect(self, cause, script, kind="keepalive", may=None):
        """Every request fails by that cause, or by `may`."""
        report = self.report(script, kind)
        failed = report["failed"]
        self.assertGreater(failed[cause], 0, report)
        self.assertEqual(zero_loss.failed_of(report), failed[cause] + (failed[may] if may else 0))

    def test_an_honest_server_is_found_honest(self):
        def script(peer):
            while True:
                seed, length = head_of(peer)
                peer.send(head(length).encode() + pattern(seed, length))
        report = self.report(script, requests="50")
        self.assertEqual((zero_loss.failed_of(report), report["raced"]), (0, 0))
        self.assertGreaterEqual(report["done"], 50)

    def test_a_wrong_byte(self):
        def script(peer):
            while True:
                seed, length = head_of(peer)
                body = bytearray(pattern(seed, length))
                if body:
                    body[-1] ^= 1
                peer.send(head(length).encode() + body)
        self.expect("bytes", script)

    def test_another_length(self):
        def script(peer):
            while True:
                seed, length = head_of(peer)
                peer.send(head(length + 1).encode() + pattern(seed, length + 1))
        self.expect("bytes", script)

    def test_bytes_behind_an_answer(self):
        def script(peer):
            while True:
                seed, length = head_of(peer)
                peer.send(head(length).encode() + pattern(seed, length) + b"!")
        self.expect("bytes", script)

    def test_an_answer_to_another_request(self):
        def script(peer):
            while True:
                seed, length = head_of(peer)
                peer.send(head(length).encode() + pattern(seed + 1, length))
        self.expect("bytes", script)

    def test_another_status(self):
        def script(peer):
            while True:
                _, length = head_of(peer)
                peer.send(head(length, "502 Bad Gateway").encode() + b"x" * length)
        self.expect("status", script)

    def test_an_answer_that_is_cut(self):
        def script(peer):
            length = 0
            while length == 0:
                seed, length = head_of(peer)
                peer.send(head(length).encode() + pattern(seed, length)[:-1])
        self.expect("eof", script)

    def test_a_head_that_is_cut(self):
        def script(peer):
            head_of(peer)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-")
        self.expect("eof", script)

    def test_a_first_request_without_an_answer_is_lost(self):
        self.expect("eof", lambda peer: peer.head())
        self.expect("eof", lambda peer: peer.head(), "fresh")
        # A piece that is sent before the end is read is answered by a reset.
        self.expect("eof", lambda peer: peer.head(), "upload", may="reset")
        self.expect("eof", lambda peer: peer.head(), "websocket")

    def test_a_reset(self):
        def script(peer):
            peer.head()
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   b"\1\0\0\0\0\0\0\0")
        self.expect("reset", script)

    def test_no_http(self):
        def script(peer):
            peer.head()
            peer.send(b"SSH-2.0\r\n\r\n")
            peer.rest()
        self.expect("protocol", script)

    def test_a_later_request_that_meets_the_end_is_raced(self):
        def script(peer):
            for _ in range(3):
                seed, length = head_of(peer)
                peer.send(head(length).encode() + pattern(seed, length))
            peer.head()
        report = self.report(script, seconds=1)
        self.assertGreater(report["raced"], 0)
        self.assertEqual(zero_loss.failed_of(report), 0, report)

    def test_an_end_that_was_announced_is_nothing(self):
        def script(peer):
            seed, length = head_of(peer)
            peer.send(head(length, "200 OK", "Connection: close").encode() + pattern(seed, length))
        report = self.report(script, requests="50")
        self.assertEqual((zero_loss.failed_of(report), report["raced"]), (0, 0))
        self.assertGreaterEqual(report["connections"], 50)

    def test_an_upload_with_another_sum(self):
        def script(peer):
            body = peer.request().body
            text = f"{len(body)} 00000000\n"
            peer.send(head(len(text)) + text)
        load = self.own(zero_loss.Load(*NONE, "--upload", "1"))
        server = self.own(Origin(script))
        load.say(f"target {str(server).rsplit(':', maxsplit=1)[1]}")
        wait_until(lambda: load.failures > 0, "a failure")
        self.assertGreater(load.stop()["kinds"]["upload"]["failed"]["bytes"], 0)

    def test_silence(self):
        over = threading.Event()
        self.addCleanup(over.set)

        def script(peer):
            peer.head()
            over.wait(SECONDS * 2)
        load = self.own(zero_loss.Load(*NONE, "--keepalive", "1", "--answer-ms", "500"))
        server = self.own(Origin(script))
        load.say(f"target {str(server).rsplit(':', maxsplit=1)[1]}")
        wait_until(lambda: load.failures > 0, "a failure", SECONDS)
        self.assertGreater(load.stop()["kinds"]["keepalive"]["failed"]["timeout"], 0)

    def test_another_message_in_a_tunnel(self):
        def script(peer):
            key = peer.head().get("sec-websocket-key")
            peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      f"Connection: Upgrade\r\nSec-WebSocket-Accept: {key}\r\n\r\n")
            first = peer.exactly(2)
            length = first[1] & 127
            extra = peer.exactly(2) if length == 126 else b""
            length = int.from_bytes(extra, "big") if extra else length
            peer.exactly(4 + length)
            peer.send(bytes([first[0], first[1] & 127]) + extra + b"x" * length)
            peer.rest()
        self.expect("bytes", script, "websocket")


if __name__ == "__main__":
    main()
