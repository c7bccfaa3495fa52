"""Certificates of origins that are unusual or wrong: which pass under which trust, and what the log
says of those that do not."""

import os
import ssl

import certificates
from harness import Peer, Test, answer, ask, main, proxy, wait_until

KEYS = {"ecdsa": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "short": ["rsa:1024"]}
AUTHORITY, LEAF = "CA:TRUE", "CA:FALSE"


class Origins(Test):
    def setUp(self):
        self.place = self.directory()
        self.authority = certificates.Authority(self.place, "ca")

    def self_signed(self, name, key="ecdsa", kind=LEAF, names="DNS:a.example", days="30"):
        base = os.path.join(self.place, name)
        certificates.openssl("req", "-x509", "-newkey", *KEYS[key], "-nodes", "-keyout",
                             base + ".key", "-out", base + ".pem", "-days", days, "-subj",
                             f"/CN={name}", "-addext", "subjectAltName=" + names, "-addext",
                             "basicConstraints=critical," + kind)
        return certificates.Pair(base + ".pem", base + ".key")

    def version_1(self):
        base = os.path.join(self.place, "v1")
        certificates.openssl("req", "-new", "-newkey", *KEYS["ecdsa"], "-nodes", "-keyout",
                             base + ".key", "-out", base + ".csr", "-subj", "/CN=a.example")
        certificates.openssl("x509", "-req", "-in", base + ".csr", "-signkey", base + ".key",
                             "-out", base + ".pem", "-days", "30")
        return certificates.Pair(base + ".pem", base + ".key")

    def script(self, pair, version):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.maximum_version = version
        context.load_cert_chain(pair.chain, pair.key)

        def script(peer):
            try:
                sealed = Peer(context.wrap_socket(peer.socket, server_side=True))
            except ssl.SSLError:
                return
            self.addCleanup(sealed.close)
            sealed.request()
            sealed.send(answer("x"))
        return script

    def judge(self, pair, trust, words, version=ssl.TLSVersion.TLSv1_3):
        """`words`: what the log says; None: it is trusted."""
        port = self.port()
        origin = self.origin(self.script(pair, version))
        river = self.river(proxy(port, f'{origin} tls-sni="a.example" {trust}'))
        self.assertEqual(ask(port, "/").status, 502 if words else 200)
        if words:
            wait_until(lambda: words in river.errors(), words)

    def test_any_certificate_will_do(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for pair in (self.version_1(), self.self_signed("short", "short"),
                         self.self_signed("ca-too", kind=AUTHORITY)):
                with self.subTest(pair.chain, version=version):
                    self.judge(pair, "verify=false", None, version)

    def test_causes(self):
        other = certificates.Authority(self.place, "other")
        period = ("20200101000000Z", "20210101000000Z")
        for pair, words in (
                (self.authority.issue("good", ["a.example"]), None),
                (self.authority.issue("old", ["a.example"], period=period), "Expired"),
                (self.authority.issue("name", ["b.example"]), "NotValidForName"),
                (other.issue("stranger", ["a.example"]), "UnknownIssuer"),
                (self.version_1(), "X.509 version 1"),
                (self.self_signed("small", "short"), "shorter than 2048 bits"),
                (self.self_signed("self-ca", kind=AUTHORITY), "an authority's own certificate")):
            with self.subTest(pair.chain):
                self.judge(pair, f'ca-path="{self.authority.pem}"', words)

    def test_an_authority_s_own_certificate_that_is_named(self):
        pair = self.self_signed("own", kind=AUTHORITY)
        self.judge(pair, f'ca-path="{pair.chain}"', None)
        self.judge(pair, f'ca-path="{pair.chain}"', None, ssl.TLSVersion.TLSv1_2)
        wrong = self.self_signed("elsewhere", kind=AUTHORITY, names="DNS:b.example")
        self.judge(wrong, f'ca-path="{wrong.chain}"', "NotValidForName")
        # The same subject, another key: not the one that is named.
        os.makedirs(os.path.join(self.place, "more"))
        place, self.place = self.place, os.path.join(self.place, "more")
        twin = self.self_signed("own", kind=AUTHORITY)
        self.place = place
        self.judge(twin, f'ca-path="{pair.chain}"', "own certificate")


if __name__ == "__main__":
    main()
