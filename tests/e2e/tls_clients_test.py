"""What clients of other TLS libraries see of River: openssl, GnuTLS, Go, Java, Node and BoringSSL,
each in the same cases. What they are to see stands in a table in docs/TESTING.md; a library that is
not on this machine is left out."""

import collections
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import unittest

import certificates
from go_program import CACHE, go_source
from harness import ROOT, SECONDS, Test, main, proxy, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
HEADING = "## What clients of TLS see"
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
CLIENT_SECONDS = 60
BORING = "curl_cffi==0.17.0"  # whose wheel holds BoringSSL

Case = collections.namedtuple("Case", "listener pair name ca alpn version")
CASES = {  # as they are called in the table
    "certificate that is good": Case("asks", "good", "a.example", "ca", "http/1.1", ""),
    "certificate that is good, TLS 1.2": Case("asks", "good", "a.example", "ca", "http/1.1", "1.2"),
    "X25519MLKEM768 only": Case("hybrid", "", "a.example", "ca", "http/1.1", ""),
    "P-384 only (HelloRetryRequest)": Case("p384", "", "a.example", "ca", "http/1.1", ""),
    "no certificate": Case("asks", "", "a.example", "ca", "http/1.1", ""),
    "no certificate, TLS 1.2": Case("asks", "", "a.example", "ca", "http/1.1", "1.2"),
    "expired certificate": Case("asks", "old", "a.example", "ca", "http/1.1", ""),
    "revoked certificate": Case("asks", "revoked", "a.example", "ca", "http/1.1", ""),
    "certificate of another authority": Case("asks", "stranger", "a.example", "ca", "http/1.1", ""),
    "server name that River has not": Case("plain", "", "b.example", "ca", "http/1.1", ""),
    "authority that the client does not trust": Case("plain", "", "a.example", "other", "http/1.1",
                                                     ""),
    "ALPN without a common protocol": Case("plain", "", "a.example", "ca", "spdy/3", ""),
}


def table():
    """{case: {client: cell}} as the documentation has it."""
    with open(os.path.join(ROOT, "docs", "TESTING.md"), encoding="utf-8") as file:
        text = file.read().split(HEADING + "\n", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")]
            for line in text.splitlines() if line.startswith("|")]
    clients = [re.match(r"\w+", cell)[0].lower() for cell in rows[0][1:]]
    return {row[0]: dict(zip(clients, row[1:])) for row in rows[2:]}


class Recorder:
    """A relay that counts the server's HelloRetryRequests (RFC 8446 4.1.3)."""

    def __init__(self, to):
        self.to = to
        self.retries = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.to, SECONDS)
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(source, target, source is server),
                                 daemon=True).start()

    def pump(self, source, target, watched):
        seen = b""
        try:
            while data := source.recv(65536):
                seen = (seen + data)[:4096]
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.retries += watched and RETRY in seen

    def close(self):
        self.listener.close()


class Clients(Test):
    def setUp(self):
        self.place = self.directory()
        self.ca = certificates.Authority(self.place, "ca")
        self.other = certificates.Authority(self.place, "other")
        site = self.ca.issue("site", ["a.example"])
        self.pairs = {"good": self.ca.issue("good"), "revoked": self.ca.issue("revoked"),
                      "old": self.ca.issue("old", period=("20200101000000Z", "20210101000000Z")),
                      "stranger": self.other.issue("stranger")}
        crl = self.ca.crl(self.pairs["revoked"])
        options = {
            "plain": "", "hybrid": 'key-exchange "X25519MLKEM768"',
            "p384": 'key-exchange "secp384r1"',
            "asks": f'client-certificates "required" ca-path="{self.ca.pem}" crl-path="{crl}"'}
        self.ports = {name: self.port() for name in options}
        self.river_ = self.river("app {\nlisteners {\n" + "\n".join(
            f'"{self.ports[name]}" cert-path="{site.chain}" key-path="{site.key}" {{ {more} }}'
            for name, more in options.items()) + '\n}\nrespond body="hello"\n}', threads=1)
        self.recorder = self.own(Recorder(self.ports["p384"].address))

    def trials(self, names):
        """The cases as programs read them."""
        trials = []
        for case in (CASES[name] for name in names):
            pair = self.pairs.get(case.pair)
            at = self.recorder.address if case.listener == "p384" else self.ports[case.listener]
            trials.append({"address": str(at), "name": case.name, "alpn": [case.alpn],
                           "ca": getattr(self, case.ca).pem, "version": case.version,
                           "cert": pair.chain if pair else "", "key": pair.key if pair else ""})
        return trials

    def judge(self, client, see):
        """`see` tries a list of cases and tells what was seen."""
        expected = {case: row[client] for case, row in table().items() if row[client] != "—"}
        self.assertLessEqual(set(expected), set(CASES))
        seen = dict(zip(expected, see(self.trials(expected))))
        for case, cell in expected.items():
            wanted = [word.lower() for word in re.findall(r"`([^`]+)`", cell)] + (
                [" 200"] if "served" in cell else [])
            with self.subTest(client=client, case=case):
                self.assertTrue(any(word in seen[case].lower() for word in wanted), seen[case])
        refused = sum(CASES[case].listener == "asks" and CASES[case].pair != "good"
                      for case in expected)
        wait_until(lambda: self.river_.status()["worker"]["faults"].get("tls-certificate") ==
                   refused, f"{refused} clients were refused for their certificates")
        wait_until(lambda: self.recorder.retries == 1, "one handshake took a HelloRetryRequest")

    def run_each(self, arguments, trials, sends=True):
        """A program for each case; what it has printed."""
        seen = []
        for trial in trials:
            request = f"GET / HTTP/1.1\r\nHost: {trial['name']}\r\nConnection: close\r\n\r\n"
            done = subprocess.run(arguments(trial), input=request if sends else None, text=True,
                                  capture_output=True, timeout=SECONDS, check=False)
            seen.append(done.stdout + done.stderr)
        return seen

    def run_all(self, arguments, trials, **more):
        """A program for all cases."""
        done = subprocess.run(arguments, input=json.dumps(trials), text=True, check=False,
                              capture_output=True, timeout=CLIENT_SECONDS, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_openssl(self):
        self.judge("openssl", lambda trials: self.run_each(lambda t: [
            "openssl", "s_client", "-quiet", "-connect", t["address"], "-servername", t["name"],
            "-verify_hostname", t["name"], "-verify_return_error", "-CAfile", t["ca"], "-alpn",
            *t["alpn"], *(["-cert", t["cert"], "-key", t["key"]] if t["cert"] else []),
            *(["-tls1_2"] if t["version"] else [])], trials))

    @unittest.skipUnless(shutil.which("gnutls-cli"), "gnutls-cli is not here")
    def test_gnutls(self):
        self.judge("gnutls", lambda trials: self.run_each(lambda t: [
            "gnutls-cli", "--x509cafile", t["ca"], "--sni-hostname", t["name"],
            "--verify-hostname", t["name"], "--alpn", *t["alpn"],
            *(["--x509certfile", t["cert"], "--x509keyfile", t["key"]] if t["cert"] else []),
            *(["--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2"] if t["version"] else []),
            "-p", t["address"].split(":")[1], "127.0.0.1"], trials))

    def test_go(self):
        program = go_source(os.path.join(HERE, "tls_client.go"))
        self.judge("go", lambda trials: self.run_all([program], trials))

    @unittest.skipUnless(shutil.which("node"), "node is not here")
    def test_node(self):
        self.judge("node", lambda trials: self.run_all(
            ["node", os.path.join(HERE, "tls_client.js")], trials))

    @unittest.skipUnless(shutil.which("javac"), "no JDK is here")
    def test_java(self):
        def line(trial):
            store = ""
            if trial["cert"]:
                store = trial["cert"] + ".p12"
                certificates.openssl("pkcs12", "-export", "-in", trial["cert"], "-inkey",
                                     trial["key"], "-passout", "pass:river", "-out", store)
            return "\t".join((trial["address"], trial["name"], trial["ca"], store,
                              trial["alpn"][0], trial["version"]))

        def see(trials):
            done = subprocess.run(["java", os.path.join(HERE, "TlsClient.java")], text=True,
                                  input="".join(line(t) + "\n" for t in trials), check=False,
                                  capture_output=True, timeout=CLIENT_SECONDS)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout.splitlines()

        self.judge("java", see)

    def test_boringssl(self):
        place = os.path.join(CACHE, BORING)
        if not os.path.exists(os.path.join(place, "curl_cffi")):
            new = f"{place}.{os.getpid()}"
            self.addCleanup(shutil.rmtree, new, ignore_errors=True)
            done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", new,
                                   BORING], capture_output=True, text=True, timeout=120,
                                  check=False)
            if done.returncode != 0:
                self.skipTest("no wheel with BoringSSL: " + done.stderr.strip()[-300:])
            os.rename(new, place)
        self.judge("boringssl", lambda trials: self.run_all(
            [sys.executable, os.path.join(HERE, "tls_client_boring.py")], trials,
            env={**os.environ, "PYTHONPATH": place}))


if __name__ == "__main__":
    main()
