"""Static files: names, conditions, ranges, caches, attacks, and slow or shrinking ones, over HTTP/1
(plain and TLS) and HTTP/2."""

import email.parser
import email.utils
import hashlib
import os
import shutil
import signal
import ssl
import subprocess
import threading
import time
import unittest

import certificates
import harness
from h2 import H2Client, request
from harness import Peer, River, Test, ask, connect, get, main, wait_until

HOUR = 3600


class FileTest(Test):
    """A River that serves a fresh directory."""

    options = ""

    def setUp(self):
        self.base = self.directory()
        self.root = os.path.join(self.base, "www")
        os.mkdir(self.root)
        self.listen = self.port()

    def start(self, options="", more="", **how):
        services = (f'files {{ listeners {{ "{self.listen}" h2c=true; }}\n file-server {{ '
                    f'base-path "{self.root}"; {options} }}\n{more}\n}}')
        how.setdefault("system", 'log { access "stdout" format="json"; }')
        return self.river(services, **how)

    def write(self, name, data=b"", age=HOUR, below=None):
        path = os.path.join(below or self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        past = time.time() - age
        os.utime(path, (past, past))
        return path

    def ask(self, target, *fields, method="GET", **more):
        return ask(self.listen, target, *fields, method=method, **more)

    def h2(self, target, *fields, method="GET"):
        client = H2Client(connect(self.listen))
        try:
            return client.fetch(request(target, *fields, method=method))
        finally:
            client.close()


class Names(FileTest):
    def test_files_directories_and_what_is_none(self):
        self.write("index.html", "<p>root")
        self.write("a/index.html", "<p>a")
        self.write("a/b c.txt", "text")
        self.write("\u00e4.css", "css")
        self.write("100%.js", "js")
        self.write("empty.bin")
        os.mkdir(os.path.join(self.root, "bare"))
        self.start()
        rows = [("/", 200, b"<p>root", "text/html; charset=utf-8"),
                ("/index.html", 200, b"<p>root", "text/html; charset=utf-8"),
                ("/a/", 200, b"<p>a", "text/html; charset=utf-8"),
                ("/a/b%20c.txt", 200, b"text", "text/plain; charset=utf-8"),
                ("/%C3%A4.css", 200, b"css", "text/css; charset=utf-8"),
                ("/%c3%a4.css?x=/../y", 200, b"css", "text/css; charset=utf-8"),
                ("/100%25.js", 200, b"js", "text/javascript; charset=utf-8"),
                ("/%69ndex.html", 200, b"<p>root", "text/html; charset=utf-8"),
                ("/empty.bin", 200, b"", "application/octet-stream"),
                ("/none", 404, b"404 Not Found\n", "text/plain"),
                ("/a/none/", 404, b"404 Not Found\n", "text/plain"),
                ("/index.html/", 404, b"404 Not Found\n", "text/plain"),
                ("/index.html/x", 404, b"404 Not Found\n", "text/plain"),
                ("/bare/", 404, b"404 Not Found\n", "text/plain"),
                ("/" + "x" * 300, 404, b"404 Not Found\n", "text/plain"),
                ("/" + "y/" * 5000, 404, b"404 Not Found\n", "text/plain")]
        for target, status, body, media in rows:
            for answer in (self.ask(target), self.ask(target)):
                self.assertEqual((answer.status, answer.body, answer.get("content-type")),
                                 (status, body, media), target[:80])
            head = self.ask(target, method="HEAD")
            self.assertEqual((head.status, head.get("content-length"), head.get("content-type")),
                             (status, str(len(body)), media), target[:80])
            stream = self.h2(target)
            self.assertEqual((stream.status, stream.body, stream.get("content-type")),
                             (status, body, media), target[:80])

    def test_one_spelling_for_each_directory(self):
        self.write("a/index.html")
        self.write("a b/c/index.html")
        self.write("evil.example/index.html")
        self.start(more="normalization { default false }")  # which would take the slashes away
        rows = {"/a": "/a/", "/a?x=1&y=//z": "/a/?x=1&y=//z", "/a%20b/c": "/a%20b/c/",
                "//a": "/a", "/a//": "/a/", "//": "/", "//evil.example": "/evil.example",
                "//evil.example/": "/evil.example/", "///evil.example//?q": "/evil.example/?q",
                "/a%20b//c?": "/a%20b/c?"}
        for target, location in rows.items():
            answer = self.ask(target)
            self.assertEqual((answer.status, answer.get("location"), answer.body),
                             (308, location, b""), target)
            self.assertEqual(self.h2(target).get("location"), location)

    def test_only_get_and_head(self):
        self.write("a.txt", "a")
        river = self.start()
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "MKCOL"):
            answer = self.ask("/a.txt", method=method)
            self.assertEqual((answer.status, answer.get("allow")), (405, "GET, HEAD"), method)
        wait_until(lambda: '"reason":"file-method"' in river.output(), "it is logged")
        counts = river.status()["worker"]["faults"]
        self.assertIn("file-method", str(counts))

    def test_dotfiles_are_hidden_unless_wanted(self):
        self.write(".git/config", "secret")
        self.write("a/.env", "secret")
        self.write(".well-known/x", "known")
        river = self.start()
        targets = ("/.git/config", "/.git/", "/.git", "/a/.env", "/%2egit/config", "/a/%2Eenv",
                   "/.well-known/x", "//.git")
        for target in targets:
            self.assertEqual(self.ask(target).status, 404, target)
        river.close()
        self.start("dotfiles true")
        self.assertEqual(self.ask("/.git/config").body, b"secret")
        self.assertEqual(self.ask("/.well-known/x").body, b"known")
        self.assertEqual(self.ask("/a/../.env").status, 404)

    def test_another_index_and_a_prefix(self):
        self.write("home.htm", "home")
        self.write("static/x.txt", "below")
        self.start('index "home.htm"; strip-prefix "/pub lic/"')
        self.assertEqual(self.ask("/pub%20lic/").body, b"home")
        self.assertEqual(self.ask("/pub%20lic/static/x.txt").body, b"below")
        self.assertEqual(self.ask("/pub%20lic").get("location"), "/pub%20lic/")
        self.assertEqual(self.ask("/pub%20lic/static").get("location"), "/pub%20lic/static/")
        for target in ("/", "/static/x.txt", "/pub%20lice/x", "/pub", "/pub%20lic.txt"):
            self.assertEqual(self.ask(target).status, 404, target)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root and setpriv")
    def test_unreadable_files_are_forbidden(self):
        os.chmod(self.write("closed.txt", "x"), 0)
        os.chmod(os.path.dirname(self.write("shut/x.txt", "x")), 0)
        wrapper = self.write("river", f"#!/bin/sh\nexec setpriv --bounding-set=-dac_override,"
                             f"-dac_read_search --inh-caps=-dac_override,-dac_read_search "
                             f"{harness.BINARY} \"$@\"\n", below=self.base)
        os.chmod(wrapper, 0o755)
        binary, harness.BINARY = harness.BINARY, wrapper
        try:
            river = self.start()
        finally:
            harness.BINARY = binary
        self.assertEqual(self.ask("/closed.txt").status, 403)
        self.assertEqual(self.ask("/shut/x.txt").status, 403)
        self.assertEqual(self.ask("/shut/none.txt").status, 403)
        harness.wait_until(lambda: '"reason":"file-denied"' in river.output(), "it is logged")
        os.chmod(os.path.join(self.root, "shut"), 0o700)

    def test_mistakes_of_the_configuration(self):
        text = ('services {{ f {{ listeners {{ "127.0.0.1:1"; }}\n file-server {{ {} }} }} }}')
        rows = [('base-path "/no/such/place"', "cannot serve files from here"),
                (f'base-path "{self.write("file", "")}"', "it is not a directory"),
                (f'base-path "{self.root}"; index "a/b"', "without a directory"),
                (f'base-path "{self.root}"; index ".."', "without a directory"),
                (f'base-path "{self.root}"; strip-prefix "/a/../b"', "no request's path"),
                ("", "base-path")]
        for options, message in rows:
            path = self.write("river.kdl", text.format(options), below=self.base)
            done = harness.command("check", path)
            self.assertEqual(done.returncode, 1, options)
            self.assertIn(message, done.stderr + done.stdout)


class Attacks(FileTest):
    TARGETS = ("/../secret", "/../../secret", "/a/../../secret", "/%2e%2e/secret",
               "/..%2fsecret", "/%2e%2e%2fsecret", "/..%5csecret", "/..\\secret",
               "/%252e%252e/secret", "/..%c0%afsecret", "/a/..;/../secret", "/.%00./secret",
               "/a.txt%00.png", "/%2e./secret", "//../secret", "/./../secret",
               "/a/%2e%2e/../secret",
               "/etc/passwd", "//etc/passwd", "/%2fetc%2fpasswd", "/link", "/dir/secret",
               "/up/secret", "/proc/self/environ", "/chain", "/%u002e%u002e/secret",
               "/..%252fsecret", "/a/..%2f..%2fsecret", "/.../secret", "/....//secret")

    def setUp(self):
        super().setUp()
        self.write("secret", "the secret", below=self.base)
        self.write("a.txt", "public")
        self.write("a/b.txt", "public")
        for link, to in (("link", "../secret"), ("dir", ".."), ("up", self.base),
                         ("proc", "/proc"), ("chain", "link"), ("loop", "loop"),
                         ("inside", "a/b.txt"), ("a/up", "../a.txt"), ("absolute",
                         os.path.join(self.root, "a.txt"))):
            os.symlink(to, os.path.join(self.root, link))

    def test_nothing_outside_of_the_root_is_read(self):
        self.start("dotfiles true")
        for target in self.TARGETS:
            peer = connect(self.listen)
            answer = peer.ask(get(target))
            peer.close()
            self.assertIn(answer.status, (400, 403, 404, 308), target)
            self.assertNotIn(b"secret", answer.body.replace(b"no secret", b""), target)
            self.assertNotIn(b"root:", answer.body, target)
        for target in ("/inside", "/a/up"):
            self.assertEqual(self.ask(target).body, b"public", target)
        self.assertEqual(self.ask("/loop").status, 404)
        self.assertEqual(self.ask("/absolute").status, 404)  # names a place from the system's root

    def test_special_files_are_none(self):
        import socket  # pylint: disable=import-outside-toplevel
        os.mkfifo(os.path.join(self.root, "fifo"))
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(os.path.join(self.root, "socket"))
        targets = ["/fifo", "/socket"]
        if os.geteuid() == 0:
            os.mknod(os.path.join(self.root, "null"), 0o20666, os.makedev(1, 3))
            targets.append("/null")
        self.start()
        for target in targets:
            self.assertEqual(self.ask(target).status, 404, target)

    def test_a_link_that_changes_all_the_time(self):
        """Between a file below the root and one outside: the one outside is never sent."""
        self.start()
        over = threading.Event()
        place = os.path.join(self.root, "swap")
        outside = os.path.join(self.base)

        def swap():
            turn = 0
            while not over.is_set():
                os.symlink(("a", outside)[turn % 2], place + ".new")
                os.replace(place + ".new", place)
                turn += 1
        self.write("a/secret", "public")
        thread = threading.Thread(target=swap)
        thread.start()
        try:
            seen = set()
            end = time.monotonic() + 3
            while time.monotonic() < end:
                answer = self.ask("/swap/secret")
                seen.add(answer.status)
                self.assertNotIn(b"the secret", answer.body)
                time.sleep(0.001)
        finally:
            over.set()
            thread.join()
        self.assertLessEqual(seen, {200, 404})

    def test_many_ranges_are_no_amplifier(self):
        data = os.urandom(1 << 20)
        self.write("big.bin", data)
        self.start()
        for value in ("0-," * 1000 + "0-", ",".join(f"{i}-" for i in range(1000)),
                      ",".join("0-" for _ in range(16)), ",".join(f"{i}-{i}" for i in
                      range(0, 5000, 2))):
            answer = self.ask("/big.bin", "Range: bytes=" + value[:15000])
            self.assertLessEqual(int(answer.get("content-length")), len(data) + 4096)
            self.assertEqual(answer.status in (200, 206), True)
        answer = self.ask("/big.bin", "Range: bytes=" + ",".join(f"{i}-{i + 9}" for i in
                                                                 range(0, 16000, 1000)))
        self.assertEqual(answer.status, 206)
        self.assertLess(int(answer.get("content-length")), 4096)


class Conditions(FileTest):
    """RFC 9110 §13, over both versions."""

    def setUp(self):
        super().setUp()
        self.path = self.write("a.txt", "0123456789")
        self.start()
        first = self.ask("/a.txt")
        self.etag, self.modified = first.get("etag"), first.get("last-modified")
        self.stamp = os.stat(self.path).st_mtime

    def date(self, seconds):
        return email.utils.formatdate(self.stamp + seconds, usegmt=True)

    def test_validators(self):
        self.assertRegex(self.etag, r'^"[0-9a-f]+-a"$')
        self.assertEqual(self.modified, self.date(0))
        head = self.ask("/a.txt", method="HEAD")
        self.assertEqual((head.get("etag"), head.get("accept-ranges")), (self.etag, "bytes"))

    def test_conditions_in_their_order(self):
        same, other = self.etag, '"other"'
        rows = [([f"If-None-Match: {same}"], 304), ([f"If-None-Match: W/{same}"], 304),
                ([f"If-None-Match: {other}, {same}"], 304), (["If-None-Match: *"], 304),
                ([f"If-None-Match: {other}"], 200),
                ([f"If-None-Match: {other}", f"If-None-Match: {same}"], 304),
                ([f"If-Modified-Since: {self.date(0)}"], 304),
                ([f"If-Modified-Since: {self.date(10)}"], 304),
                ([f"If-Modified-Since: {self.date(-10)}"], 200),
                (["If-Modified-Since: yesterday"], 200),
                ([f"If-None-Match: {other}", f"If-Modified-Since: {self.date(10)}"], 200),
                ([f"If-None-Match: {same}", f"If-Modified-Since: {self.date(-10)}"], 304),
                ([f"If-Match: {same}"], 200), ([f"If-Match: W/{same}"], 412),
                ([f"If-Match: {other}"], 412), (["If-Match: *"], 200),
                ([f"If-Unmodified-Since: {self.date(-10)}"], 412),
                ([f"If-Unmodified-Since: {self.date(0)}"], 200),
                ([f"If-Match: {same}", f"If-Unmodified-Since: {self.date(-10)}"], 200),
                ([f"If-Match: {same}", f"If-None-Match: {same}"], 304),
                ([f"If-Match: {other}", f"If-None-Match: {same}"], 412)]
        for fields, status in rows:
            for method in ("GET", "HEAD"):
                answer = self.ask("/a.txt", *fields, method=method)
                self.assertEqual(answer.status, status, (fields, method))
                if status == 304:
                    self.assertEqual(answer.get("etag"), self.etag)
                    self.assertIsNone(answer.get("content-type"))
                    self.assertIsNone(answer.get("content-length"))
            pairs = [tuple(f.lower().split(": ", 1)[:1]) + (f.split(": ", 1)[1],) for f in fields]
            self.assertEqual(self.h2("/a.txt", *pairs).status, status, fields)

    def test_if_range(self):
        rows = [(self.etag, 206), ("W/" + self.etag, 200), ('"other"', 200),
                (self.modified, 206), (self.date(-1), 200), (self.date(1), 200), ("soon", 200)]
        for value, status in rows:
            answer = self.ask("/a.txt", "Range: bytes=2-4", f"If-Range: {value}")
            self.assertEqual((answer.status, answer.body),
                             (status, b"234" if status == 206 else b"0123456789"), value)
        answer = self.ask("/a.txt", "Range: bytes=99-", f"If-Range: {self.date(1)}")
        self.assertEqual(answer.status, 200)

    def test_conditions_come_before_ranges(self):
        self.assertEqual(self.ask("/a.txt", "Range: bytes=99-", f"If-None-Match: {self.etag}")
                         .status, 304)
        self.assertEqual(self.ask("/a.txt", "Range: bytes=0-1", 'If-Match: "x"').status, 412)

    def test_a_date_in_the_future_is_not_told(self):
        self.write("late.txt", "x", age=-HOUR)
        answer = self.ask("/late.txt")
        told = email.utils.parsedate_to_datetime(answer.get("last-modified"))
        self.assertLessEqual(told, email.utils.parsedate_to_datetime(answer.get("date")))


class Ranges(FileTest):
    def setUp(self):
        super().setUp()
        self.data = bytes(range(256)) * 40  # 10240 bytes
        self.write("a.bin", self.data)
        self.start()

    def test_one_range(self):
        rows = [("0-499", 0, 499), ("500-999", 500, 999), ("-500", 9740, 10239),
                ("9500-", 9500, 10239), ("0-0", 0, 0), ("-1", 10239, 10239),
                ("0-99999", 0, 10239), ("-99999", 0, 10239), ("10239-10240", 10239, 10239),
                ("0-99999999999999999999999", 0, 10239), ("5-9,7-20", 5, 20),
                ("20-30,0-50", 0, 50), ("-0,5-6", 5, 6), ("5-6,99999-", 5, 6)]
        for value, first, last in rows:
            answer = self.ask("/a.bin", f"Range: bytes={value}")
            self.assertEqual((answer.status, answer.get("content-range")),
                             (206, f"bytes {first}-{last}/10240"), value)
            self.assertEqual(answer.body, self.data[first:last + 1], value)
            stream = self.h2("/a.bin", ("range", f"bytes={value}"))
            self.assertEqual((stream.status, stream.body), (206, self.data[first:last + 1]))

    def test_what_is_not_there(self):
        for value in ("10240-", "99999-100000", "-0", "99999999999999999999-"):
            answer = self.ask("/a.bin", f"Range: bytes={value}")
            self.assertEqual((answer.status, answer.get("content-range")),
                             (416, "bytes */10240"), value)
            self.assertEqual(answer.body, b"416 Range Not Satisfiable\n")
            self.assertEqual(self.h2("/a.bin", ("range", f"bytes={value}")).status, 416)

    def test_what_is_ignored(self):
        for value in ("bytes=5-4", "bytes=a-b", "bytes", "lines=0-1", "bytes=0-1,x", "bytes=-",
                      "bytes=1-2-3", ""):
            answer = self.ask("/a.bin", f"Range: {value}")
            self.assertEqual((answer.status, answer.body), (200, self.data), value)
        answer = self.ask("/a.bin", "Range: bytes=0-1", "Range: bytes=2-3")
        self.assertEqual(answer.status, 200)
        head = self.ask("/a.bin", "Range: bytes=0-1", method="HEAD")
        self.assertEqual((head.status, head.get("content-length")), (200, "10240"))
        self.write("empty.bin")
        self.assertEqual(self.ask("/empty.bin", "Range: bytes=0-").status, 200)

    def parts(self, media, body):
        text = b"Content-Type: " + media.encode() + b"\r\n\r\n" + body
        message = email.parser.BytesParser().parsebytes(text)
        self.assertTrue(message.is_multipart())
        return [(part["content-range"], part["content-type"], part.get_payload(decode=True))
                for part in message.get_payload()]

    def test_several_ranges(self):
        self.write("a.txt", "0123456789" * 100)
        for value, spans in (("0-1,500-509,-3", [(0, 1), (500, 509), (997, 999)]),
                             ("500-509,0-1", [(500, 509), (0, 1)]),
                             ("0-1,999-5000", [(0, 1), (999, 999)])):
            answer = self.ask("/a.txt", f"Range: bytes={value}")
            self.assertEqual(answer.status, 206)
            self.assertIsNone(answer.get("content-range"))
            want = [(f"bytes {a}-{b}/1000", "text/plain; charset=utf-8",
                     (b"0123456789" * 100)[a:b + 1]) for a, b in spans]
            self.assertEqual(self.parts(answer.get("content-type"), answer.body), want)
            stream = self.h2("/a.txt", ("range", f"bytes={value}"))
            self.assertEqual(self.parts(stream.get("content-type"), stream.body), want)

    def test_several_large_ranges(self):
        data = os.urandom(3 << 20)
        self.write("b.bin", data)
        answer = self.ask("/b.bin", "Range: bytes=1-1000000,1500000-2999999,-7")
        spans = [(1, 1000000), (1500000, 2999999), (len(data) - 7, len(data) - 1)]
        body, at = answer.body, 0
        for first, last in spans:
            at = body.index(b"\r\n\r\n", at) + 4
            self.assertEqual(body[at:at + last - first + 1], data[first:last + 1])
            at += last - first + 1
        self.assertTrue(body[at:].startswith(b"\r\n--") and body.endswith(b"--\r\n"))

    def test_beyond_four_gigabytes(self):
        size = 6 << 30
        with open(os.path.join(self.root, "huge.bin"), "wb") as file:
            file.truncate(size)
            file.seek(5 << 30)
            file.write(b"in the middle")
            file.seek(size - 7)
            file.write(b"the end")
        head = self.ask("/huge.bin", method="HEAD")
        self.assertEqual(head.get("content-length"), str(size))
        answer = self.ask("/huge.bin", f"Range: bytes={5 << 30}-{(5 << 30) + 12}")
        self.assertEqual((answer.status, answer.body), (206, b"in the middle"))
        self.assertEqual(answer.get("content-range"),
                         f"bytes {5 << 30}-{(5 << 30) + 12}/{size}")
        self.assertEqual(self.ask("/huge.bin", "Range: bytes=-7").body, b"the end")
        self.assertEqual(self.h2("/huge.bin", ("range", "bytes=-7")).body, b"the end")
        answer = self.ask("/huge.bin", f"Range: bytes={(5 << 30) - (40 << 20)}-{(5 << 30) + 12}")
        self.assertEqual(len(answer.body), (40 << 20) + 13)
        self.assertTrue(answer.body.endswith(b"\0in the middle"))


class Sending(FileTest):
    def setUp(self):
        super().setUp()
        self.place = self.directory()
        pair = certificates.Authority(self.place, "ca").issue("site", ["a.example"])
        self.tls = self.port()
        self.more = f'"{self.tls}" cert-path="{pair.chain}" key-path="{pair.key}"\n'

    def start(self, options="", more="", **how):
        services = (f'files {{ listeners {{ "{self.listen}" h2c=true\n {self.more} }}\n '
                    f'file-server {{ base-path "{self.root}"; {options} }}\n{more}\n}}')
        how.setdefault("system", 'log { access "stdout" format="json"; }')
        return self.river(services, **how)

    def connect_tls(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["http/1.1"])
        plain = connect(self.tls)
        return self.own(Peer(context.wrap_socket(plain.socket)))

    def test_sizes_at_the_edges(self):
        self.start()
        for size in (1, 4095, 4096, 4097, 65535, 65536, 65537, 131072, 262143, 262144, 262145,
                     1 << 20, (1 << 20) + 1, 5000000):
            data = os.urandom(size)
            self.write(f"{size}.bin", data)
            for age in ("cold", "warm"):
                self.assertEqual(self.ask(f"/{size}.bin").body, data, (size, age))
                self.assertEqual(self.h2(f"/{size}.bin").body, data, (size, age))
                self.assertEqual(self.connect_tls().ask(get(f"/{size}.bin")).body, data)
        peer = self.connect(self.listen)
        peer.send(b"".join(get(f"/{s}.bin") for s in (4096, 262145, 1 << 20, 1)))
        for size in (4096, 262145, 1 << 20, 1):
            self.assertEqual(len(peer.response().body), size)

    def test_curl_over_everything(self):
        data = os.urandom(3000000)
        self.write("c.bin", data)
        self.start()
        for words in (["--http1.1", f"http://{self.listen}/c.bin"],
                      ["--http1.0", f"http://{self.listen}/c.bin"],
                      ["--http2-prior-knowledge", f"http://{self.listen}/c.bin"],
                      ["-k", "--http1.1", f"https://{self.tls}/c.bin"],
                      ["-k", "--http2", f"https://{self.tls}/c.bin"],
                      ["-r", "100-200", f"http://{self.listen}/c.bin"]):
            done = subprocess.run(["curl", "-sS", "--max-time", "20", *words], check=True,
                                  capture_output=True)
            self.assertEqual(done.stdout, data[100:201] if "-r" in words else data, words)

    def test_pages_that_are_not_in_memory(self):
        """Both from the disk's threads and, once read, from the page cache."""
        self.start()
        datas = {}
        for size in (1000, 100000, 700000, 9000000):
            datas[size] = os.urandom(size)
            path = self.write(f"{size}.bin", datas[size])
            with open(path, "rb") as file:
                os.fsync(file.fileno())
        for _ in range(3):
            for size, data in datas.items():
                for ask in (self.ask, self.h2, lambda t: self.connect_tls().ask(get(t))):
                    with open(os.path.join(self.root, f"{size}.bin"), "rb") as file:
                        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                    self.assertEqual(ask(f"/{size}.bin").body, data)

    def test_many_at_once_from_a_cold_disk(self):
        """Bounded queues lose nobody."""
        river = self.start()
        data = os.urandom(400000)
        for i in range(40):
            path = self.write(f"d{i}/{i}.bin", data)
            with open(path, "rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        wrong = []

        def client(number):
            peer = connect(self.listen)
            for i in range(40):
                at = (i + number * 7) % 40
                if peer.ask(get(f"/d{at}/{at}.bin")).body != data:
                    wrong.append(at)
            peer.close()
        threads = [threading.Thread(target=client, args=(n,)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        wait_until(lambda: river.status()["worker"]["active"] == 0, "all are over")

    def shrink(self, peer, name):
        """Asks, lets the file lose its end while nothing is read, then reads all there is."""
        path = self.write(name, os.urandom(40 << 20))
        peer.send(get(f"/{name}"))
        head = peer.head()
        time.sleep(0.3)
        os.truncate(path, 1000)
        got = len(peer.rest())
        self.assertLess(got, int(head.get("content-length")))

    def test_a_file_that_shrinks_ends_the_connection(self):
        river = self.start()
        self.shrink(self.connect(self.listen), "plain.bin")
        try:
            self.shrink(self.connect_tls(), "tls.bin")
        except ssl.SSLError:
            pass  # the end was not announced, and should not have been
        path = self.write("h2.bin", os.urandom(40 << 20))
        client = self.own(H2Client(connect(self.listen), auto_window=False))
        stream = client.start(request("/h2.bin"))
        client.until(lambda: len(stream.body) >= 60000, "the first window")
        os.truncate(path, 1000)
        client.auto_window = True
        client.grant(0, 1 << 20)
        client.grant(stream.number, 1 << 20)
        client.until(lambda: stream.over, "the stream ends")
        self.assertFalse(stream.ended)
        self.assertIsNotNone(stream.reset)
        wait_until(lambda: river.output().count('"reason":"file-changed"') == 3, "the log says so")

    def test_a_file_that_grows_or_is_replaced_is_sent_as_it_was(self):
        data = os.urandom(20 << 20)
        path = self.write("grow.bin", data)
        self.start()
        peer = self.connect(self.listen)
        peer.send(get("/grow.bin"))
        head = peer.head()
        with open(path, "ab") as file:
            file.write(b"more")
        self.write("new.bin", b"quite another")
        os.replace(os.path.join(self.root, "new.bin"), path)
        self.assertEqual(peer.exactly(int(head.get("content-length"))), data)
        time.sleep(1.1)
        self.assertEqual(peer.ask(get("/grow.bin")).body, b"quite another")

    def test_a_client_that_does_not_read(self):
        self.write("big.bin", os.urandom(60 << 20))
        river = self.start(more="overload { write-timeout-ms 700; min-send-rate-bytes 0; }")
        peers = [self.connect(self.listen), self.connect_tls()]
        for peer in peers:
            peer.send(get("/big.bin"))
        wait_until(lambda: river.output().count('"reason":"send-timeout"') == 2, "both are cut")
        for peer in peers:
            try:
                self.assertLess(len(peer.rest()), 60 << 20)
            except (ssl.SSLError, OSError):
                pass

    def test_a_client_that_reads_too_slowly(self):
        self.write("big.bin", os.urandom(60 << 20))
        river = self.start(more="overload { write-timeout-ms 1000; "
                                "min-send-rate-bytes 50000000; }")
        for peer in (self.connect(self.listen), self.connect_tls()):
            peer.send(get("/big.bin"))
            with self.assertRaises((EOFError, OSError)):
                for _ in range(100):
                    peer.exactly(100000)
                    time.sleep(0.1)
        self.assertEqual(river.output().count('"reason":"client-too-slow"'), 2)

    def test_a_slow_client_hinders_nobody_and_gets_all(self):
        data = os.urandom(8 << 20)
        self.write("big.bin", data)
        self.write("small.txt", "small")
        self.start(threads=1)
        slow = self.connect(self.listen)
        slow.send(get("/big.bin"))
        head = slow.head()
        got = b""
        while len(got) < len(data):
            got += slow.exactly(min(500000, len(data) - len(got)))
            start = time.monotonic()
            self.assertEqual(self.ask("/small.txt").body, b"small")
            self.assertLess(time.monotonic() - start, 2)
        self.assertEqual((got, head.status), (data, 200))

    def test_a_client_that_leaves(self):
        self.write("big.bin", os.urandom(60 << 20))
        river = self.start()
        for _ in range(20):
            peer = connect(self.listen)
            peer.send(get("/big.bin"))
            peer.head()
            peer.close()
        wait_until(lambda: river.status()["worker"]["active"] == 0, "all are over")
        self.assertEqual(self.ask("/big.bin", method="HEAD").status, 200)

    def test_filters_see_the_answer(self):
        self.write("a.txt", "x" * 100)
        self.start(more='path-control { response-filters { filter kind="upsert-header" '
                        'key="x-served-by" value="river"; filter kind="remove-header" '
                        'key="last-modified"; } }')
        answer = self.ask("/a.txt", "Range: bytes=0-9")
        self.assertEqual((answer.status, answer.body), (206, b"x" * 10))
        self.assertEqual((answer.get("x-served-by"), answer.get("last-modified")),
                         ("river", None))
        self.assertEqual(answer.get("content-range"), "bytes 0-9/100")

    def test_drain_lets_a_download_finish(self):
        data = os.urandom(30 << 20)
        self.write("big.bin", data)
        river = self.start()
        peer = self.connect(self.listen)
        peer.send(get("/big.bin"))
        peer.head()
        river.signal(signal.SIGTERM)
        time.sleep(0.3)
        self.assertEqual(hashlib.sha256(peer.exactly(len(data))).digest(),
                         hashlib.sha256(data).digest())
        river.wait()


class Cache(FileTest):
    def test_changes_are_seen_within_a_second(self):
        self.start(threads=1)  # each thread looks for itself
        self.assertEqual(self.ask("/a.txt").status, 404)
        self.write("a.txt", "one")
        wait_until(lambda: self.ask("/a.txt").body == b"one", "it appears", 2)
        first = self.ask("/a.txt").get("etag")
        self.write("a.txt", "two", age=HOUR - 1)
        wait_until(lambda: self.ask("/a.txt").body == b"two", "it changes", 2)
        wait_until(lambda: self.ask("/a.txt").get("etag") != first, "its tag changes", 2)
        os.unlink(os.path.join(self.root, "a.txt"))
        wait_until(lambda: self.ask("/a.txt").status == 404, "it goes", 2)
        os.mkdir(os.path.join(self.root, "a.txt"))
        wait_until(lambda: self.ask("/a.txt").status == 308, "it is a directory", 2)

    def test_a_file_that_changes_within_its_time_stamp(self):
        """Nothing is kept in memory that may have changed unseen."""
        self.start()
        for i in range(6):
            self.write("a.txt", f"version {i:04}", age=0)
            wait_until(lambda i=i: self.ask("/a.txt").body == b"version %04d" % i, "it changes", 3)

    def test_no_entity_tag_names_two_contents(self):
        """Also while files are written to in place, small and large."""
        self.start()
        bodies = {}
        end = time.monotonic() + 2.5
        turn = 0
        while time.monotonic() < end:
            turn += 1
            for name, size in (("small.txt", 100), ("large.bin", 100000)):
                self.write(name, b"%06d" % turn * (size // 6), age=HOUR - 3 * turn)
                for _ in range(3):
                    answer = self.ask("/" + name)
                    key = (name, answer.get("etag"))
                    self.assertEqual(bodies.setdefault(key, answer.body), answer.body)
                    self.assertEqual(len(answer.body), int(answer.get("content-length")))
        self.assertGreater(len(bodies), 10)

    def test_more_files_than_the_cache_holds(self):
        for i in range(2500):
            self.write(f"{i % 50}/{i}.txt", f"file {i}")
        river = self.start(threads=1)
        peer = self.connect(self.listen)
        for turn in range(2):
            for i in range(2500):
                self.assertEqual(peer.ask(get(f"/{i % 50}/{i}.txt")).body, b"file %d" % i, turn)
                self.assertEqual(peer.ask(get(f"/{i % 50}/none{i}.txt")).status, 404)
        worker = river.status()["worker_pid"]
        self.assertLess(len(os.listdir(f"/proc/{worker}/fd")), 1200)

    def test_a_small_budget_of_memory(self):
        """What is kept in memory never takes the room that requests need."""
        data = os.urandom(60000)
        for i in range(150):
            self.write(f"{i}.bin", data)
        river = self.start(system='buffer-memory-bytes 4194304')
        peer = self.connect(self.listen)
        for i in range(300):
            answer = peer.ask(get(f"/{i % 150}.bin"))
            self.assertEqual((answer.status, answer.body), (200, data), i)
        used = river.status()["worker"]["memory"]["used_bytes"]
        self.assertLess(used, 2 << 20)

    def test_few_descriptors(self):
        """River keeps fewer files open where it may have few, and says when none is left."""
        import resource  # pylint: disable=import-outside-toplevel
        for i in range(400):
            self.write(f"{i}.bin", os.urandom(70000))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        river = self.start(threads=1)
        worker = river.status()["worker_pid"]
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (120, hard))
        peer = self.connect(self.listen)
        statuses = {}
        for i in range(400):
            status = peer.ask(get(f"/{i}.bin")).status
            statuses[status] = statuses.get(status, 0) + 1
        self.assertEqual(statuses, {200: 400})
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE)[0], soft)


if __name__ == "__main__":
    main()
