"""TLS as clients and origins meet it: what is agreed on, resumed, refused, and kept while
certificates change. The clients are Python's ssl (OpenSSL), curl and openssl s_client."""

import os
import signal
import socket
import ssl
import subprocess
import shutil

import certificates
from harness import (SECONDS, Origin, Peer, Test, always, answer, get, main, proxy, wait_until)


class TlsOrigin(Origin):
    """An origin behind TLS."""

    def __init__(self, script, pair, authority=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pair.chain, pair.key)
        self.context.set_alpn_protocols(["http/1.1"])
        self.seen = []
        if authority:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(authority.pem)
        super().__init__(script)

    def serve(self, peer):
        try:
            secure = self.context.wrap_socket(peer.socket, server_side=True)
        except OSError:
            peer.close()
            return
        self.seen.append((secure.session_reused, secure.getpeercert()))
        super().serve(Peer(secure))


class Traffic(Test):
    def setUp(self):
        self.place = self.directory()
        self.authority = certificates.Authority(self.place, "ca")
        self.site = self.authority.issue("site", ["a.example"])

    def listener(self, port, more="", pair=None):
        pair = pair or self.site
        return f'{port} cert-path="{pair.chain}" key-path="{pair.key}" {more}'

    def start(self, more="", connector="", script=None, **options):
        origin = self.origin(script or always(answer("hello")))
        port = self.port()
        river = self.river(proxy(self.listener(port, more), connector or str(origin)), **options)
        return port, river

    def context(self, **more):
        context = ssl.create_default_context(cafile=self.authority.pem)
        context.set_alpn_protocols(more.get("alpn", ["http/1.1"]))
        if "client" in more:
            context.load_cert_chain(more["client"].chain, more["client"].key)
        if "version" in more:
            context.minimum_version = context.maximum_version = more["version"]
        return context

    def secure(self, port, context=None, name="a.example", session=None):
        raw = socket.create_connection(port.address, SECONDS)
        self.addCleanup(raw.close)
        context = context or self.context()
        return self.own(Peer(context.wrap_socket(raw, server_hostname=name, session=session)))

    def refuses(self, port, context, words):
        """The handshake fails, at once (1.2) or with the first answer (1.3)."""
        with self.assertRaisesRegex((ssl.SSLError, ConnectionError), words):
            peer = self.secure(port, context)
            peer.send(get())
            peer.head()

    def test_both_versions_carry_requests(self):
        port, _ = self.start()
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
                              (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            peer = self.secure(port, self.context(version=version))
            self.assertEqual(peer.socket.version(), name)
            self.assertEqual(peer.socket.selected_alpn_protocol(), "http/1.1")
            for _ in range(3):
                self.assertEqual(peer.ask(get()).body, b"hello")

    def test_clients_of_http_1_0_alone_are_served(self):
        port, _ = self.start()
        peer = self.secure(port, self.context(alpn=["http/1.0"]))
        self.assertEqual(peer.socket.selected_alpn_protocol(), "http/1.0")
        self.assertEqual(peer.ask(get(version="1.0")).status, 200)
        peer = self.secure(port, self.context(alpn=["http/1.0", "http/1.1"]))
        self.assertEqual(peer.socket.selected_alpn_protocol(), "http/1.1")
        self.refuses(port, self.context(alpn=["spdy/3"]), "no application protocol|NO_APPLICATION")

    def test_large_bodies_in_both_directions(self):
        body = os.urandom(3_000_000)
        port, _ = self.start(script=always(lambda request: answer(request.body)))
        peer = self.secure(port)
        peer.send(f"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {len(body)}\r\n\r\n")
        peer.send(body)
        self.assertEqual(peer.response().body, body)

    def test_curl_speaks_http_2_and_1(self):
        port, _ = self.start()
        for flag, version in (("--http2", "2"), ("--http1.1", "1.1")):
            done = subprocess.run(
                ["curl", "-sS", flag, "--cacert", self.authority.pem, "--max-time", "10",
                 "--connect-to", f"a.example:443:{port}", "-w", " %{http_version}",
                 "https://a.example/"], capture_output=True, text=True, check=False)
            self.assertEqual(done.stdout, "hello " + version, done.stderr)

    def test_sessions_are_resumed_on_any_thread(self):
        port, _ = self.start(threads=2)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context(version=version)
            first = self.secure(port, context)
            self.assertEqual(first.ask(get()).status, 200)
            session = first.socket.session
            first.close()
            for _ in range(4):
                peer = self.secure(port, context, session=session)
                self.assertEqual(peer.ask(get()).status, 200)
                self.assertTrue(peer.socket.session_reused)

    def test_a_session_does_not_cross_to_a_listener_that_asks_for_certificates(self):
        origin = self.origin(always(answer("hello")))
        easy, strict = self.port(), self.port()
        policy = f'{{ client-certificates "required" ca-path="{self.authority.pem}"; }}'
        river = self.river(proxy([self.listener(easy), self.listener(strict, policy)], origin))
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context(version=version)
            peer = self.secure(easy, context)
            self.assertEqual(peer.ask(get()).status, 200)
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                peer = self.secure(strict, context, session=peer.socket.session)
                peer.send(get())
                peer.head()
        wait_until(lambda: river.status()["worker"]["faults"].get("tls-certificate") == 2,
                   "both are counted")

    def test_client_certificates_and_revocation(self):
        good = self.authority.issue("good", subject="/O=Shop/CN=till 5")
        bad = self.authority.issue("bad")
        crl = self.authority.crl(bad)
        stranger = certificates.Authority(self.place, "other").issue("stranger")
        policy = (f'{{ client-certificates "required" ca-path="{self.authority.pem}" '
                  f'crl-path="{crl}"; }}')
        log = os.path.join(self.place, "access.log")
        port, _ = self.start(policy, system=f'log {{ access "{log}"; }}')
        self.assertEqual(self.secure(port, self.context(client=good)).ask(get()).status, 200)
        self.refuses(port, self.context(), "certificate required|CERTIFICATE_REQUIRED|reset")
        self.refuses(port, self.context(client=bad), "revoked|REVOKED|reset")
        self.refuses(port, self.context(client=stranger), "(?i)unknown ca|unknown_ca|reset")

        def logged():
            with open(log, encoding="utf-8") as file:
                return "CN=till 5,O=Shop" in file.read()
        wait_until(logged, "the subject is logged")

    def test_versions_and_suites_are_as_narrow_as_written(self):
        port, _ = self.start('{ tls-versions "1.3"; cipher-suites "TLS_AES_128_GCM_SHA256"; '
                             'key-exchange "secp256r1"; }')
        peer = self.secure(port)
        self.assertEqual(peer.socket.cipher()[0], "TLS_AES_128_GCM_SHA256")
        self.refuses(port, self.context(version=ssl.TLSVersion.TLSv1_2), "(?i)version")

    def test_the_certificate_follows_the_name_and_the_client(self):
        rsa = self.authority.issue("rsa", ["a.example"], kind="rsa")
        wild = self.authority.issue("wild", ["*.b.example"])
        port, _ = self.start("{\n" + "\n".join(
            f'certificate cert-path="{p.chain}" key-path="{p.key}"' for p in (rsa, wild)) + "\n}")
        peer = self.secure(port, name="x.b.example")
        self.assertEqual(peer.socket.getpeercert()["subject"], ((("commonName", "wild"),),))
        context = self.context(version=ssl.TLSVersion.TLSv1_2)
        self.assertIn("ECDSA", self.secure(port, context).socket.cipher()[0])
        context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
        peer = self.secure(port, context)
        self.assertEqual(peer.socket.getpeercert()["subject"], ((("commonName", "rsa"),),))
        with self.assertRaisesRegex(ssl.SSLCertVerificationError, "(?i)hostname mismatch"):
            self.secure(port, name="unknown.example")

    def test_an_ocsp_response_is_stapled(self):
        response = self.authority.ocsp(self.site)
        port, _ = self.start(f'ocsp-path="{response}"')
        done = subprocess.run(["openssl", "s_client", "-connect", str(port), "-servername",
                               "a.example", "-CAfile", self.authority.pem, "-status"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=SECONDS, check=False)
        self.assertIn("OCSP Response Status: successful", done.stdout)

    def test_open_connections_go_on_while_certificates_change(self):
        port, river = self.start()
        old = self.secure(port)
        self.assertEqual(old.ask(get()).status, 200)
        fresh = self.authority.issue("fresh", ["new.example"])
        shutil.copy(fresh.key, self.site.key)
        shutil.copy(fresh.chain, self.site.chain)
        river.signal(signal.SIGHUP)
        wait_until(lambda: "configuration reloaded" in river.errors(), "the worker takes them")
        self.assertEqual(old.ask(get()).status, 200)
        self.assertEqual(self.secure(port, name="new.example").ask(get()).status, 200)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.secure(port, name="a.example")

    def test_secrets_are_logged_where_it_was_asked_for(self):
        path = os.path.join(self.place, "keys.log")
        port, _ = self.start(f'{{ key-log-path "{path}"; }}')
        self.assertEqual(self.secure(port).ask(get()).status, 200)
        with open(path, encoding="utf-8") as file:
            self.assertRegex(file.read(), r"(?m)^SERVER_TRAFFIC_SECRET_0 [0-9a-f]{64} [0-9a-f]{64}")

    def test_origins_are_verified_resumed_and_shown_a_certificate(self):
        river_pair = self.authority.issue("river")
        origin = self.own(TlsOrigin(always(answer("hello", "Connection: close")), self.site,
                                    self.authority))
        port, _ = self.start(connector=f'{origin} tls-sni="a.example" '
                             f'ca-path="{self.authority.pem}" client-cert-path="{river_pair.chain}"'
                             f' client-key-path="{river_pair.key}"', threads=1)
        for _ in range(3):
            self.assertEqual(self.secure(port).ask(get()).body, b"hello")
        self.assertEqual(origin.seen[0][1]["subject"], ((("commonName", "river"),),))
        self.assertTrue(any(reused for reused, _ in origin.seen[1:]))

    def test_files_of_connectors_are_read_again_at_a_reload(self):
        authority = certificates.Authority(self.place, "later")
        trusted = shutil.copy(self.authority.pem, os.path.join(self.place, "trusted.pem"))
        own = self.authority.issue("own", subject="/CN=one")
        origin = self.own(TlsOrigin(always(answer("hello")), self.site, self.authority))
        port, river = self.start(connector=f'{origin} tls-sni="a.example" proto="h1-only" '
                                 f'ca-path="{trusted}" client-cert-path="{own.chain}" '
                                 f'client-key-path="{own.key}"', threads=1)

        def subjects(first=0):
            return {c["subject"][0][0][1] for _, c in origin.seen[first:]}

        def reload(count):
            river.signal(signal.SIGHUP)
            wait_until(lambda: river.errors().count("configuration reloaded") == count,
                       "it is reloaded")

        self.assertEqual(self.secure(port).ask(get()).status, 200)
        fresh = self.authority.issue("fresh", subject="/CN=two")
        shutil.copy(fresh.key, own.key)
        shutil.copy(fresh.chain, own.chain)
        self.assertEqual(self.secure(port).ask(get()).status, 200)
        self.assertEqual(subjects(), {"one"})
        before = len(origin.seen)
        reload(1)
        self.assertEqual(self.secure(port).ask(get()).status, 200)
        self.assertEqual(subjects(before), {"two"})  # not on a connection from before
        shutil.copy(authority.pem, trusted)
        reload(2)
        self.assertEqual(self.secure(port).ask(get()).status, 502)

    def test_origins_that_are_not_trusted_are_refused_unless_that_is_wanted(self):
        other = certificates.Authority(self.place, "other")
        origin = self.own(TlsOrigin(always(answer("hello")), self.site))
        for arguments, status in ((f'tls-sni="a.example" ca-path="{self.authority.pem}"', 200),
                                  (f'tls-sni="b.example" ca-path="{self.authority.pem}"', 502),
                                  (f'tls-sni="a.example" ca-path="{other.pem}"', 502),
                                  ('tls-sni="b.example" verify=false', 200)):
            with self.subTest(arguments):
                port, _ = self.start(connector=f"{origin} {arguments}")
                self.assertEqual(self.secure(port).ask(get()).status, status)


if __name__ == "__main__":
    main()
