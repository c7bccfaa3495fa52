#!/usr/bin/env python3
"""River 0.5's own test configuration, whole: every statement that its comments make is checked.

The file itself is not part of this project. Where it lies beside it (../shared/river-files, or
RIVER_FILES names the directory) it is taken from there; else WHOLE, which says the same. Addresses
and certificate paths are replaced, the blocked networks by parts of 127.0.0.0/8."""

import os
import socket
import subprocess
import time

import harness
from certificates import Authority
from harness import Peer, Test, get, main, wait_until

WHOLE = r"""
system {
    threads-per-service 8
    daemonize false
    pid-file "/tmp/river.pidfile"
    upgrade-socket "/tmp/river-upgrade.sock"
}
services {
    Example1 {
        listeners {
            "0.0.0.0:8080"
            "0.0.0.0:4443" cert-path="./assets/test.crt" key-path="./assets/test.key" offer-h2=true
        }
        rate-limiting {
            rule kind="source-ip" \
                max-buckets=4000 tokens-per-bucket=10 refill-qty=1 refill-rate-ms=10
            rule kind="specific-uri" pattern="static/.*" \
                max-buckets=2000 tokens-per-bucket=20 refill-qty=5 refill-rate-ms=1
            rule kind="any-matching-uri" pattern=r".*\.mp4" \
                tokens-per-bucket=50 refill-qty=2 refill-rate-ms=3
        }
        connectors {
            load-balance {
                selection "Ketama" key="UriPath"
                discovery "Static"
                health-check "None"
            }
            "91.107.223.4:443" tls-sni="onevariable.com" proto="h2-or-h1"
        }
        path-control {
            request-filters {
                filter kind="block-cidr-range" addrs="192.168.0.0/16, 10.0.0.0/8, 2001:0db8::0/32"
            }
            upstream-request {
                filter kind="remove-header-key-regex" pattern=".*(secret|SECRET).*"
                filter kind="upsert-header" key="x-proxy-friend" value="river"
            }
            upstream-response {
                filter kind="remove-header-key-regex" pattern=".*ETag.*"
                filter kind="upsert-header" key="x-with-love-from" value="river"
            }
        }
    }
    Example2 {
        listeners {
            "0.0.0.0:8000"
        }
        connectors {
            "91.107.223.4:80"
        }
    }
    Example3 {
        listeners {
            "0.0.0.0:9000"
            "0.0.0.0:9443" cert-path="./assets/test.crt" key-path="./assets/test.key" offer-h2=true
        }
        file-server {
            base-path "."
        }
    }
}
"""

# An answer of the origin that shows what it was asked, with the fields that a filter may remove.
ORIGIN = """Origin {{ listeners {{ "{sealed}" cert-path="{chain}" key-path="{key}" offer-h2={h2}; }}
    connectors {{ "{plain}"; }} }}
"""


def official():
    """The file where it lies beside the project, else what says the same."""
    for folder in (os.environ.get("RIVER_FILES", ""),
                   os.path.join(harness.ROOT, "..", "shared", "river-files")):
        path = os.path.join(folder, "river-0.5-test-config.kdl")
        if folder and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                return file.read()
    return WHOLE


def echo(peer):
    """Answers with the head that it got, and an entity tag."""
    while True:
        try:
            request = peer.request()
        except EOFError:
            return
        lines = "\r\n".join([f"{request.method} {request.target}",
                             *(f"{n}: {v}" for n, v in request.fields)])
        peer.send(harness.answer(lines.encode("latin-1"), 'ETag: "1"', "X-Kept: yes"))


class OwnFile(Test):
    def start(self, h2="true"):
        authority = Authority(self.directory(), "ca")
        site = authority.issue("site", names=["a.example"])
        theirs = authority.issue("theirs", names=["onevariable.com"])
        self.ca, self.files, self.plain_origin = authority.pem, self.directory(), self.origin(echo)
        sealed_origin, self.state = self.port(), self.directory()
        self.river(ORIGIN.format(sealed=sealed_origin, chain=theirs.chain, key=theirs.key, h2=h2,
                                 plain=self.plain_origin))
        self.ports = {name: self.port() for name in ("8080", "4443", "8000", "9000", "9443")}
        text = official()
        changes = {f'"0.0.0.0:{name}"': f'"{port}"' for name, port in self.ports.items()}
        changes |= {
            "/tmp/river.pidfile": f"{self.state}/pid", "./assets/test.crt": site.chain,
            "/tmp/river-upgrade.sock": f"{self.state}/upgrade", "./assets/test.key": site.key,
            '"91.107.223.4:443" tls-sni="onevariable.com" proto="h2-or-h1"':
                f'"{sealed_origin}" tls-sni="onevariable.com" proto="h2-or-h1" ca-path="{self.ca}"',
            '"91.107.223.4:80"': f'"{self.plain_origin}"',
            "192.168.0.0/16, 10.0.0.0/8": "127.168.0.0/16, 127.10.0.0/16",
            'base-path "."': f'base-path "{self.files}"'}
        for old, new in changes.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        return self.own(harness.River("", text=text, threads=None))

    def from_address(self, source, port):
        return self.own(Peer(socket.create_connection(("127.0.0.1", port.number), harness.SECONDS,
                                                      (source, 0))))

    def curl(self, port, path="/", *words, version="--http1.1"):
        """(version, status, head and body) by curl, over TLS."""
        done = subprocess.run(
            ["curl", "-si", version, "--cacert", self.ca, "--resolve",
             f"a.example:{port.number}:127.0.0.1", *words,
             f"https://a.example:{port.number}{path}"],
            capture_output=True, text=True, timeout=20, check=True)
        first = done.stdout.split("\r\n", 1)[0].split(" ")
        return first[0], int(first[1]), done.stdout

    def test_the_system_section(self):
        river = self.start()
        self.assertIsNone(river.process.poll())  # not in the background
        self.assertEqual(river.status()["worker"]["threads"], 8)
        with open(f"{self.state}/pid", encoding="ascii") as file:
            self.assertEqual(int(file.read()), river.pid)

    def test_both_listeners_serve_from_an_origin_of_either_version(self):
        for h2 in ("true", "false"):
            self.start(h2)
            self.assertEqual(self.connect(self.ports["8080"]).ask(get("/a")).status, 200)
            for version, shown in (("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2")):
                got = self.curl(self.ports["4443"], "/a", version=version)
                self.assertEqual(got[:2], (shown, 200))

    def test_path_control(self):
        self.start()
        port = self.ports["8080"]
        for source, status in (("127.168.1.1", 403), ("127.10.0.9", 403), ("127.0.0.1", 200)):
            self.assertEqual(self.from_address(source, port).ask(get()).status, status, source)
        answer = self.connect(port).ask(get("/", "X-Secret-Key: 1", "X-SECRET: 2", "My-secret: 3",
                                       "X-Open: 4", "X-Proxy-Friend: somebody"))
        seen = answer.body.decode().lower()
        self.assertNotIn("secret", seen)
        self.assertIn("x-open: 4", seen)
        self.assertEqual(seen.count("x-proxy-friend"), 1)
        self.assertIn("x-proxy-friend: river", seen)
        self.assertIsNone(answer.get("etag"))
        self.assertEqual((answer.get("x-kept"), answer.get("x-with-love-from")), ("yes", "river"))

    def burst(self, port, path, sources, each):
        """How many of `each` pipelined requests from every source were granted, and how long that
        took in milliseconds."""
        peers = [self.from_address(source, port) for source in sources]
        start = time.monotonic()
        for peer in peers:
            peer.send(get(path) * each)
        granted = [sum(peer.response().status == 200 for _ in range(each)) for peer in peers]
        took = (time.monotonic() - start) * 1000
        for peer in peers:
            peer.close()
        return granted, took

    def test_each_address_has_a_burst_of_ten_and_one_more_in_ten_milliseconds(self):
        self.start()
        granted, took = self.burst(self.ports["8080"], "/index.html", ["127.0.0.9"], 60)
        self.assertGreaterEqual(granted[0], 10)
        self.assertLessEqual(granted[0], 11 + took / 10)
        again = self.from_address("127.0.0.9", self.ports["8080"])
        wait_until(lambda: again.ask(get()).status == 200, "tokens come back")
        granted, took = self.burst(self.ports["8080"], "/index.html", ["127.0.0.8"], 10)
        self.assertEqual(granted, [10])  # another address has a bucket of its own

    def test_a_path_below_static_needs_a_token_of_both_rules(self):
        self.start()
        sources = [f"127.0.1.{i}" for i in range(1, 101)]
        granted, took = self.burst(self.ports["8080"], "/static/style.css", sources, 10)
        self.assertGreaterEqual(sum(granted), 20)
        self.assertLessEqual(sum(granted), 20 + 5 * (took + 1))
        self.assertLessEqual(max(granted), 10 + took / 10 + 1)
        granted, took = self.burst(self.ports["8080"], "/index.html", sources[:50], 5)
        self.assertEqual(granted, [5] * 50)  # no rule but source-ip, whose tokens came back

    def test_all_films_share_a_bucket_of_fifty(self):
        self.start()
        start, granted = time.monotonic(), 0
        for i in range(4):
            sources = [f"127.0.{2 + i}.{k}" for k in range(1, 101)]
            granted += sum(self.burst(self.ports["8080"], f"/film-{i}.mp4?x=1", sources, 8)[0])
        took = (time.monotonic() - start) * 1000
        self.assertGreaterEqual(granted, 50)
        self.assertLessEqual(granted, 50 + 2 * (took / 3 + 1))
        self.assertLess(granted, 4 * 800)

    def test_the_minimal_service_passes_everything_on(self):
        self.start()
        answer = self.connect(self.ports["8000"]).ask(get("/a?b=c", "X-Secret: 1"))
        self.assertEqual((answer.status, answer.get("etag")), (200, '"1"'))
        self.assertTrue(answer.body.startswith(b"GET /a?b=c\r\n"))
        self.assertIn(b"x-secret: 1", answer.body.lower())

    def test_the_file_server_serves_all_files_below_its_root_on_both_listeners(self):
        self.start()
        os.makedirs(f"{self.files}/sub/deep")
        for name in ("a.txt", "sub/deep/b.html"):
            with open(f"{self.files}/{name}", "w", encoding="ascii") as file:
                file.write(name)
            answer = self.connect(self.ports["9000"]).ask(get(f"/{name}"))
            self.assertEqual((answer.status, answer.body), (200, name.encode()))
            for version, shown in (("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2")):
                got = self.curl(self.ports["9443"], f"/{name}", version=version)
                self.assertEqual(got[:2], (shown, 200))
                self.assertTrue(got[2].endswith(name))
        self.assertEqual(self.connect(self.ports["9000"]).ask(get("/../etc/passwd")).status, 400)


if __name__ == "__main__":
    main()
