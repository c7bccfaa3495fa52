"""What origins and the log are told about a client's certificate, and that no client can say it
itself."""

import base64
import hashlib
import json
import os
import re
import socket
import ssl

import certificates
from harness import SECONDS, Peer, Test, always, answer, command, get, main, proxy, wait_until

HEADERS = """client-certificate-headers {
    client-cert-chain true
    subject "X-Client-Subject"
    names "X-Client-Names"
    fingerprint "X-Client-Print"
}
"""
OURS = ("client-cert", "client-cert-chain", "x-client-subject", "x-client-names", "x-client-print")


def der_of(path):
    """The certificates of a PEM file, as DER."""
    with open(path, encoding="ascii") as file:
        found = re.findall(r"-----BEGIN CERT.*?-----END CERTIFICATE-----", file.read(), re.S)
    return [ssl.PEM_cert_to_DER_cert(text) for text in found]


class IdentityBase(Test):
    """An authority, and a client whose certificate says much."""

    def setUp(self):
        self.place = self.directory()
        self.authority = certificates.Authority(self.place, "ca")
        self.site = self.authority.issue("site", ["a.example"])
        certificates.KINDS["utf-8"] = [*certificates.KINDS["ecdsa"], "-utf8"]
        self.client = self.authority.issue(
            "client", ["till.example", "URI:spiffe://shop/till 5", "IP:10.1.2.3", "email:a@b.de"],
            subject="/O=M\u00fcller, Inc./CN=J\u00fcrgen \U0001f511", kind="utf-8")
        with open(self.authority.pem, encoding="ascii") as file:
            authority = file.read()
        with open(self.client.chain, "a", encoding="ascii") as file:
            file.write(authority)
        self.log = os.path.join(self.place, "access.log")

    def start(self, more="", policy="optional"):
        self.seen = []
        origin = self.origin(always(answer("hello"), self.seen))
        self.listen = self.port()
        return self.river(proxy(
            f'{self.listen} cert-path="{self.site.chain}" key-path="{self.site.key}" {{\n'
            f'client-certificates "{policy}" ca-path="{self.authority.pem}"\n}}', origin, more),
            system=f'log {{ access "{self.log}"; }}', threads=1)

    def context(self, client=None, version=ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=self.authority.pem)
        context.minimum_version = context.maximum_version = version
        if client:
            context.load_cert_chain(client.chain, client.key)
        return context

    def secure(self, context, session=None):
        raw = socket.create_connection(self.listen.address, SECONDS)
        self.addCleanup(raw.close)
        return self.own(Peer(context.wrap_socket(raw, server_hostname="a.example",
                                                 session=session)))

    def expect(self, request):
        certificate, *chain = der_of(self.client.chain)
        self.assertEqual([len(request.all(name)) for name in OURS], [1] * 5)
        self.assertEqual(request.get("client-cert"),
                         f":{base64.b64encode(certificate).decode()}:")
        self.assertEqual(request.get("client-cert-chain"),
                         ", ".join(f":{base64.b64encode(c).decode()}:" for c in chain))
        self.assertEqual(request.get("x-client-subject"),
                         r"CN=J\c3\bcrgen \f0\9f\94\91,O=M\c3\bcller\, Inc.")
        self.assertEqual(request.get("x-client-names"),
                         r"DNS:till.example,URI:spiffe://shop/till\205,IP:10.1.2.3,email:a@b.de")
        self.assertEqual(request.get("x-client-print"), hashlib.sha256(certificate).hexdigest())


class Identity(IdentityBase):
    def test_a_certificate_is_passed_on(self):
        self.start(HEADERS)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context(self.client, version)
            peer = self.secure(context)
            for _ in range(2):
                self.assertEqual(peer.ask(get()).status, 200)
                self.expect(self.seen[-1])
            resumed = self.secure(context, peer.socket.session)
            self.assertEqual(resumed.ask(get()).status, 200)
            self.assertTrue(resumed.socket.session_reused)
            self.expect(self.seen[-1])

    def test_filters_see_and_may_change_it(self):
        self.start(HEADERS + 'path-control { upstream-request {\n'
                   'filter kind="remove-header-key-regex" pattern="^x-client-print$"\n} }\n')
        self.assertEqual(self.secure(self.context(self.client)).ask(get()).status, 200)
        self.assertIsNone(self.seen[0].get("x-client-print"))
        self.assertIn(r"\c3\bcrgen", self.seen[0].get("x-client-subject"))
        self.assertGreater(len(self.seen[0].get("client-cert-chain")), 400)

    def test_a_client_cannot_say_it_itself(self):
        lies = [name.title() + ": forged" for name in OURS] + [
            "CLIENT_CERT: forged", "x_client-Subject: forged", "X-Client-Other: stays"]
        more = ('client-ip { trusted-proxies "127.0.0.0/8"; }\n', "")
        for trusted in more:  # River is who speaks TLS here, so a proxy before it is not believed
            self.start(HEADERS + trusted)
            self.assertEqual(self.secure(self.context()).ask(get("/", *lies)).status, 200)
            self.assertEqual(self.secure(self.context(self.client)).ask(get("/", *lies)).status,
                             200)
            for request in self.seen:
                self.assertNotIn(b"forged", request.raw)
                self.assertEqual(request.get("x-client-other"), "stays")
            self.assertEqual([self.seen[0].get(name) for name in OURS], [None] * 5)
            self.expect(self.seen[1])

    def test_nor_in_trailers(self):
        self.start(HEADERS)
        peer = self.secure(self.context(self.client))
        peer.send("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "1\r\nx\r\n0\r\nX-Client-Subject: forged\r\nClient-Cert: forged\r\n"
                  "X-Sum: 5\r\n\r\n")
        self.assertEqual(peer.response().status, 200)
        self.assertEqual(self.seen[0].trailers, [("X-Sum", "5")])

    def test_where_nothing_is_passed_on_only_trusted_proxies_may_say_it(self):
        for more, stays in (("", None),
                            ('client-ip { trusted-proxies "127.0.0.0/8"; }', "theirs")):
            self.start(more)
            fields = ("Client-Cert: theirs", "X-Client-Subject: x")
            peer = self.secure(self.context(self.client))
            self.assertEqual(peer.ask(get("/", *fields)).status, 200)
            self.assertEqual(self.seen[0].get("client-cert"), stays)
            self.assertEqual(self.seen[0].get("x-client-subject"), "x")

    def test_the_log_has_its_subject_or_its_names(self):
        river = self.start()
        only_names = self.authority.issue("names", ["URI:spiffe://shop/till"], subject="/")
        for client in (self.client, only_names):
            self.assertEqual(self.secure(self.context(client)).ask(get()).status, 200)
        records = river.logged(2) if not os.path.exists(self.log) else wait_until(
            lambda: (lambda lines: len(lines) >= 2 and [json.loads(l) for l in lines])(
                open(self.log, encoding="utf-8").read().splitlines()), "two lines")
        self.assertEqual(records[0]["tls_subject"],
                         "CN=J\u00fcrgen \U0001f511,O=M\u00fcller\\, Inc.")
        self.assertEqual(records[1]["tls_subject"], "URI:spiffe://shop/till")

    def test_it_needs_a_listener_that_asks(self):
        path = os.path.join(self.place, "river.kdl")
        with open(path, "w", encoding="utf-8") as file:
            file.write("services {\n" + proxy("127.0.0.1:1", "127.0.0.1:2", HEADERS) + "}\n")
        result = command("check", path)
        self.assertEqual(result.returncode, 1)
        self.assertIn("`client-certificate-headers` needs a listener that asks for certificates",
                      result.stderr)


if __name__ == "__main__":
    main()
