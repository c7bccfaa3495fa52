#!/usr/bin/env python3
"""Downloads and uploads over a link that is 25 ms long, loses packets and has a rate, in every
pairing of HTTP/1, HTTP/2 and TLS: every byte arrives, and nothing is left over."""

import hashlib
import os
import shutil
import subprocess
import time
import unittest

import certificates
from harness import Nginx, Port, Test, is_sanitized, main, proxy, wait_until
from link import FAR, NEAR, Link, NoLink

WORDS = "25ms,0.2%,100mbit"
ROUND_TRIP_SECONDS = 0.05
SECONDS_MAX = 35
BYTES = (400 if is_sanitized() else 1500) * 1000
KINDS = ("h1", "h2", "h1-tls", "h2-tls")  # of clients, and of origins
CURL = {"h1": "--http1.1", "h2": "--http2-prior-knowledge", "h1-tls": "--http1.1",
        "h2-tls": "--http2"}
PROTO = {"h1": "h1-only", "h2": "h2-only", "h1-tls": "h1-only", "h2-tls": "h2-or-h1"}


@unittest.skipUnless(all(shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin")
                         for tool in ("curl", "nginx")), "curl or nginx is not here")
class LongWay(Test):
    """River is near; the clients are far, and so are the origins: each byte crosses twice."""

    def setUp(self):
        try:
            self.link = self.own(Link(WORDS))
        except NoLink as why:
            self.skipTest(f"no namespaces or TUN devices here: {why}")
        pair = certificates.Authority(self.directory(), "ca").issue("site", ["a.example"])
        with self.link.within("far"):
            self.start_origins(pair)
        with self.link.within("near"):
            self.start_river(pair)

    def start_origins(self, pair):
        self.origins = {kind: self.own(Port(FAR)) for kind in KINDS}
        servers = ""
        for kind, port in self.origins.items():
            words = ("ssl " if "tls" in kind else "") + ("http2" if "h2" in kind else "")
            servers += (f"server {{ listen {port} {words}; root root; dav_methods PUT;"
                        " client_max_body_size 0; }\n")
        self.nginx = self.own(Nginx("", f"ssl_certificate {pair.chain}; ssl_certificate_key "
                                        f"{pair.key}; {servers}"))
        self.data = os.urandom(BYTES)
        self.nginx.write("large", self.data)
        self.nginx.write("small", b"small")
        self.root = os.path.join(self.nginx.directory, "root")
        os.chmod(self.nginx.directory, 0o755)
        os.chmod(self.root, 0o777)  # nginx's worker may be another user

    def start_river(self, pair):
        self.ports, services = {}, ""
        for kind, origin in self.origins.items():
            tls = ' tls-sni="a.example" verify=false' if "tls" in kind else ""
            plain, secure = self.own(Port(NEAR)), self.own(Port(NEAR))
            self.ports[kind] = {"http": plain, "https": secure}
            services += proxy([f"{plain} h2c=true",
                               f'{secure} cert-path="{pair.chain}" key-path="{pair.key}"'],
                              f'{origin} proto="{PROTO[kind]}"{tls}', name=kind)
        self.it = self.river(services)

    def curl(self, client, origin, *words, name="large"):
        scheme = "https" if "tls" in client else "http"
        with self.link.within("far"):
            process = subprocess.Popen(
                ["curl", "-sSk", CURL[client], "--max-time", str(SECONDS_MAX), *words,
                 f"{scheme}://{self.ports[origin][scheme]}/{name}"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        return process

    def finish(self, process):
        output, error = process.communicate(timeout=SECONDS_MAX + 5)
        self.assertEqual((process.returncode, error), (0, b""))
        return output

    def test_every_byte_arrives_both_ways_whatever_is_spoken(self):
        wanted = hashlib.sha256(self.data).hexdigest()
        source = os.path.join(self.directory(), "source")
        with open(source, "wb") as file:
            file.write(self.data)
        start = time.monotonic()
        pairs = [(c, o) for i, c in enumerate(KINDS) for o in (KINDS[i], KINDS[i - 1])]
        downloads = {pair: self.curl(*pair) for pair in pairs}
        uploads = {pair: self.curl(*pair, "-T", source, name="-".join(pair)) for pair in pairs}
        for pair, process in downloads.items():
            with self.subTest("download", pair=pair):
                self.assertEqual(hashlib.sha256(self.finish(process)).hexdigest(), wanted)
        for pair, process in uploads.items():
            with self.subTest("upload", pair=pair):
                self.finish(process)
                with open(os.path.join(self.root, "-".join(pair)), "rb") as file:
                    self.assertEqual(hashlib.sha256(file.read()).hexdigest(), wanted)
        print(f"  {2 * len(pairs)} transfers of {BYTES} bytes in {time.monotonic() - start:.1f} s")

        # The link is what it says: a request and its answer take a round trip each, twice.
        took = float(self.finish(self.curl("h1", "h1", "-o", "/dev/null", "-w", "%{time_total}",
                                           name="small")))
        self.assertGreater(took, 2 * ROUND_TRIP_SECONDS)
        wait_until(self.rests, "nothing is left over")
        self.assertEqual(self.it.status()["worker"]["faults"], {})
        did = self.link.close()
        for way in ("out", "back"):
            self.assertGreater(did[way]["carried"], len(pairs) * BYTES / 1500)
            self.assertGreater(did[way]["lost"], 0)

    def rests(self):
        worker = self.it.status()["worker"]
        return not (worker["connections"] or worker["active"] or
                    any(o["connecting"] or o["waiting"] for o in worker["upstreams"]))


if __name__ == "__main__":
    main()
