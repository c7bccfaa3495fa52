#!/usr/bin/env python3
"""Server names that are no DNS names, and early data that nobody asked for: what River does with
TLS clients that break those rules. Whole handshakes by openssl, and hellos made by hand for what it
does not send."""

import os
import struct
import subprocess

import certificates
from harness import SECONDS, Port, Test, always, answer, connect, main, proxy, wait_until

ODD = ("127.0.0.1:8443", "h.test:443", "*.h.test", "h..test", ".h.test", "h\u00e4.test", "::1",
       "a b", "x" * 64 + ".test", "n\nlevel=error msg=forged")
ADDRESSES = ("127.0.0.1",)
RECORD_ALERT, RECORD_HANDSHAKE, RECORD_DATA = 21, 22, 23
SKIPPED_MAX = 16384  # of early data that rustls passes over


def vector(size, data):
    return len(data).to_bytes(size, "big") + data


def extension(kind, data):
    return struct.pack("!H", kind) + vector(2, data)


def name_list(*names):
    return extension(0, vector(2, b"".join(b"\0" + vector(2, name) for name in names)))


def hello(*extensions, version=0x0304, last=b""):
    """A ClientHello in as many records as it takes."""
    groups = extension(10, vector(2, struct.pack("!HH", 29, 23)))
    schemes = extension(13, vector(2, struct.pack("!4H", 0x403, 0x804, 0x807, 0x401)))
    share = extension(51, vector(2, struct.pack("!H", 29) + vector(2, os.urandom(32))))
    versions = extension(43, vector(1, struct.pack("!H", version)))
    more = versions + share if version == 0x0304 else extension(11, b"\1\0")
    suites = struct.pack("!4H", 0x1301, 0x1302, 0xc02b, 0xc02f)
    body = (b"\3\3" + os.urandom(32) + b"\0" + vector(2, suites) + b"\1\0" +
            vector(2, groups + schemes + more + b"".join(extensions) + last))
    message = b"\1" + vector(3, body)
    pieces = [message[i:i + 16384] for i in range(0, len(message), 16384)]
    return b"".join(b"\x16\3\1" + vector(2, piece) for piece in pieces)


class Odd(Test):
    def setUp(self):
        self.place = self.directory()
        authority = certificates.Authority(self.place, "ca")
        self.site, other = (authority.issue(name, [name]) for name in ("h.test", "b.test"))
        self.listen = self.port()
        self.river_ = self.river(
            proxy(f'{self.listen} cert-path="{self.site.chain}" key-path="{self.site.key}" {{\n'
                  f'certificate cert-path="{other.chain}" key-path="{other.key}"\n}}',
                  self.origin(always(answer("hello")))),
            'log { error "stderr" level="debug"; }', threads=1)

    def client(self, *words, host="h.test", to=None):
        """The output of openssl's client, with one request."""
        done = subprocess.run(
            ["openssl", "s_client", "-connect", str(to or self.listen), "-ign_eof", *words],
            input=f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode(),
            capture_output=True, timeout=SECONDS, check=False)
        return (done.stdout + done.stderr).decode("utf-8", "replace")

    def served(self, *words, host="h.test"):
        """(status, certificate) of a request."""
        output = self.client(*words, host=host)
        self.assertIn("HTTP/1.1 ", output, words)
        status = int(output.split("HTTP/1.1 ")[1][:3])
        return status, output.split("subject=")[1].split("\n")[0]

    def raw(self, data):
        """The type of the first record that answers, and an alert's number."""
        peer = connect(self.listen)
        try:
            peer.send(data)
            head = peer.exactly(5)
            body = peer.exactly(int.from_bytes(head[3:], "big"))
            return head[0], body[1] if head[0] == RECORD_ALERT else None
        finally:
            peer.close()

    def faults(self):
        return sum(self.river_.status()["worker"]["faults"].values())

    def assert_others_served(self):
        self.assertEqual(self.served("-servername", "b.test", host="b.test")[0], 200)


class Names(Odd):
    def test_a_server_name_that_is_no_dns_name_counts_as_none(self):
        for version in ("-tls1_2", "-tls1_3"):
            none = {host: self.served(version, "-noservername", host=host)
                    for host in ("h.test", "b.test")}
            self.assertEqual(none["h.test"][0], 200)
            self.assertIn("h.test", none["h.test"][1])
            for name in ODD + ADDRESSES:
                with self.subTest(name, version=version):
                    for host, wanted in none.items():
                        self.assertEqual(self.served(version, "-servername", name, host=host),
                                         wanted)
        self.assertEqual(self.served("-servername", "b.test", host="b.test")[0], 200)
        # Misdirected requests are counted; no handshake is.
        self.assertFalse([code for code in self.river_.status()["worker"]["faults"]
                          if code.startswith("tls")])

    def test_the_log_says_which_name_at_debug_and_escapes_it(self):
        for name in ODD:
            self.served("-servername", name)
        wait_until(lambda: self.river_.errors().count("counts as none") == len(ODD), "all logged")
        errors = self.river_.errors()
        for name in ("127.0.0.1:8443", "h..test", "*.h.test"):
            self.assertIn(name, errors)
        self.assertNotIn("\nlevel=error msg=forged", errors)
        for line in errors.splitlines():
            self.assertTrue(line.isascii() and line.isprintable(), line)
            self.assertNotIn("level=error", line.split(" msg=")[0])

    def test_sessions_of_a_name_are_not_those_of_none(self):
        session = os.path.join(self.place, "session")
        for version in ("-tls1_2", "-tls1_3"):
            self.client(version, "-noservername", "-sess_out", session)
            self.assertIn("Reused, ", self.client(version, "-servername", "h..test", "-sess_in",
                                                  session))
            self.client(version, "-servername", "b.test", "-sess_out", session, host="b.test")
            self.assertIn("New, ", self.client(version, "-servername", "h..test", "-sess_in",
                                               session))

    def test_names_that_no_library_sends(self):
        before = self.faults()
        for version in (0x0303, 0x0304):
            for name in (b"h\0.test", b"\xff\xfe", b"\0", b"y" * 255, b"z" * 5000):
                with self.subTest(name[:10], version=version):
                    self.assertEqual(self.raw(hello(name_list(name), version=version)),
                                     (RECORD_HANDSHAKE, None))
            # A list of names of another kind only holds none.
            self.assertEqual(self.raw(hello(extension(0, vector(2, b"\7\0\1a")), version=version)),
                             (RECORD_HANDSHAKE, None))
        wait_until(lambda: self.river_.status()["worker"]["connections"] == 0, "all are gone")
        self.assertEqual(self.faults() - before, 12)  # clients that left in their handshakes

    def test_what_is_malformed_ends_with_an_alert(self):
        for version in (0x0303, 0x0304):
            for what, data in (("two names", name_list(b"h.test", b"b.test")),
                               ("two odd names", name_list(b"h..test", b"*.h.test")),
                               ("an empty name", name_list(b"")),
                               ("no list", extension(0, b"")),
                               ("an empty list", extension(0, b"\0\0")),
                               ("two extensions", name_list(b"h..test") * 2),
                               ("a list past its end", extension(0, b"\0\x09\0\0\1h"))):
                with self.subTest(what, version=version):
                    before = self.faults()
                    kind, alert = self.raw(hello(data, version=version))
                    self.assertEqual(kind, RECORD_ALERT)
                    self.assertIn(alert, (47, 50))  # illegal_parameter, decode_error
                    wait_until(lambda b=before: self.faults() == b + 1, "it is counted")
        self.assert_others_served()

    def test_a_name_of_64_kib_does_no_harm(self):
        before = self.faults()
        peer = self.connect(self.listen)
        try:
            peer.send(hello(name_list(b"w" * 65000)))
        except OSError:
            pass
        peer.rest()
        wait_until(lambda: self.faults() == before + 1, "it is counted")
        self.assert_others_served()


class Early(Odd):
    """River offers no early data: a client has a ticket for it only from another server."""

    def elsewhere(self):
        """A session of a server that takes early data."""
        port = self.own(Port())
        server = subprocess.Popen(
            ["openssl", "s_server", "-accept", str(port), "-cert", self.site.chain, "-key",
             self.site.key, "-quiet", "-early_data", "-max_early_data", "65536"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.own_process(server)

        def is_up():
            try:
                connect(port).close()
                return True
            except OSError:
                return False
        wait_until(is_up, "s_server listens")
        session = os.path.join(self.place, "session")
        client = subprocess.Popen(
            ["openssl", "s_client", "-connect", str(port), "-tls1_3", "-servername", "h.test",
             "-sess_out", session], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.own_process(client)
        wait_until(lambda: os.path.exists(session) and os.path.getsize(session), "a session")
        return session

    def own_process(self, process):
        self.addCleanup(process.wait, SECONDS)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.kill)

    def early(self, session, data):
        path = os.path.join(self.place, "early")
        with open(path, "wb") as file:
            file.write(data)
        return self.client("-tls1_3", "-servername", "h.test", "-sess_in", session, "-early_data",
                           path)

    def test_a_little_is_passed_over_and_the_request_is_made_again(self):
        session = self.elsewhere()
        output = self.early(session, b"GET /early HTTP/1.1\r\nHost: h.test\r\n\r\n")
        self.assertIn("Early data was rejected", output)
        self.assertIn("HTTP/1.1 200", output)
        worker = self.river_.status()["worker"]
        self.assertEqual((worker["requests"], worker["faults"]), (1, {}))  # not the early one

    def test_too_much_ends_with_an_alert_and_is_counted(self):
        session = self.elsewhere()
        output = self.early(session, b"x" * 3 * SKIPPED_MAX)
        self.assertNotIn("HTTP/1.1 200", output)
        wait_until(lambda: self.faults() == 1, "it is counted")
        self.assertEqual(self.river_.status()["worker"]["faults"], {"tls-protocol": 1})
        self.assert_others_served()

    def test_early_data_without_a_ticket_does_no_harm(self):
        before = self.faults()
        peer = self.connect(self.listen)
        peer.send(hello(extension(42, b"")))
        head = peer.exactly(5)
        self.assertEqual(head[0], RECORD_HANDSHAKE)
        record = b"\x17\3\3" + vector(2, os.urandom(1000))
        try:
            for _ in range(40):
                peer.send(record)
        except OSError:
            pass
        peer.rest()
        wait_until(lambda: self.faults() == before + 1, "it is counted")
        self.assert_others_served()


if __name__ == "__main__":
    main()
