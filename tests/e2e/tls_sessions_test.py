"""Where resumption ends: with the peer's certificate, and after a bound, however many tickets
follow each other; towards clients and towards origins."""

import datetime
import socket
import ssl
import time

import certificates
from harness import SECONDS, Origin, Peer, Test, always, answer, ask, get, main, proxy, wait_until

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def stamp(seconds):
    """So many seconds from now, as certificates have it."""
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return then.strftime("%Y%m%d%H%M%SZ")


class Sessions(Test):
    def setUp(self):
        self.place = self.directory()
        self.authority = certificates.Authority(self.place, "ca")
        self.site = self.authority.issue("site", ["a.example"])

    def start(self, more=""):
        origin = self.origin(always(answer("hello")))
        self.listen = self.port()
        return self.river(proxy(f'{self.listen} cert-path="{self.site.chain}" '
                                f'key-path="{self.site.key}" {{\n{more}\n}}', origin), threads=1)

    def context(self, version, client=None):
        context = ssl.create_default_context(cafile=self.authority.pem)
        context.minimum_version = context.maximum_version = version
        if client:
            context.load_cert_chain(client.chain, client.key)
        return context

    def ask(self, context, session=None, at=None):
        """One request; the session for the next, and whether this one was resumed."""
        with socket.create_connection((at or self.listen).address, SECONDS) as raw:
            with context.wrap_socket(raw, server_hostname="a.example", session=session) as secure:
                self.assertEqual(Peer(secure).ask(get()).status, 200)
                return secure.session, secure.session_reused

    def test_a_session_ends_with_the_client_s_certificate(self):
        self.start(f'client-certificates "required" ca-path="{self.authority.pem}"')
        pair = self.authority.issue("short", period=(stamp(-60), stamp(7)))
        end = time.monotonic() + 7
        sessions = []
        for version in VERSIONS:
            context = self.context(version, pair)
            session, _ = self.ask(context)
            session, reused = self.ask(context, session)
            self.assertTrue(reused)
            self.assertLessEqual(session.ticket_lifetime_hint, 7)
            sessions.append((context, session))
        time.sleep(max(0, end + 1.5 - time.monotonic()))
        for context, session in sessions:
            with self.assertRaisesRegex((ssl.SSLError, ConnectionError), "(?i)expired"):
                self.ask(context, session)

    def test_sessions_do_not_follow_each_other_for_ever(self):
        self.start("session-lifetime-seconds 4")
        for version in VERSIONS:
            context = self.context(version)
            start = time.monotonic()
            session, reused = self.ask(context)
            resumed = 0
            while time.monotonic() - start < 6:
                time.sleep(0.3)
                before = time.monotonic() - start
                session, reused = self.ask(context, session)
                resumed += reused
                if before < 2.5:
                    self.assertTrue(reused, before)
                if not reused:
                    break
            self.assertFalse(reused)
            self.assertLess(time.monotonic() - start, 6)
            self.assertGreater(resumed, 3)
            self.assertTrue(self.ask(context, session)[1])  # a new chain has begun

    def test_no_session_is_resumed_where_none_may(self):
        self.start("session-lifetime-seconds 0")
        for version in VERSIONS:
            context = self.context(version)
            session, _ = self.ask(context)
            if session:
                self.assertFalse(self.ask(context, session)[1])

    def test_listeners_with_equal_settings_resume_each_other_s_sessions(self):
        def listener(port, more=""):
            return (f'{port} cert-path="{self.site.chain}" key-path="{self.site.key}" '
                    f'{{ client-certificates "optional" ca-path="{self.authority.pem}"; {more} }}')

        first, second, third = (self.port() for _ in range(3))
        origin = self.origin(always(answer("hello")))
        self.river(proxy([listener(first), listener(third, "session-lifetime-seconds 3600")],
                         origin) + proxy(listener(second), origin, name="other"), threads=1)
        for version in VERSIONS:
            context = self.context(version, self.authority.issue("client"))
            session, _ = self.ask(context, at=first)
            self.assertFalse(self.ask(context, session, at=third)[1])  # one option differs
            session, _ = self.ask(context, at=first)
            self.assertTrue(self.ask(context, session, at=second)[1])

    def test_without_certificates_sessions_go_on(self):
        self.start()
        for version in VERSIONS:
            context = self.context(version)
            session, _ = self.ask(context)
            self.assertGreater(session.ticket_lifetime_hint, 12 * 3600 - 60)
            for _ in range(5):
                session, reused = self.ask(context, session)
                self.assertTrue(reused)


class Resuming(Origin):
    """An origin behind TLS that answers each connection once, and notes whether it was resumed."""

    def __init__(self, pair, version):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.maximum_version = version
        self.context.load_cert_chain(pair.chain, pair.key)
        self.reused = []
        super().__init__(None)

    def serve(self, peer):
        try:
            with self.context.wrap_socket(peer.socket, server_side=True) as secure:
                self.reused.append(secure.session_reused)
                Peer(secure).request()
                secure.sendall(answer("hello", "Connection: close"))
                secure.recv(1)
        except OSError:
            peer.close()


class Origins(Test):
    def test_a_session_ends_with_the_origin_s_certificate(self):
        authority = certificates.Authority(self.directory(), "ca")
        pair = authority.issue("short", ["a.example"], period=(stamp(-60), stamp(7)))
        end = time.monotonic() + 7
        started = []
        for version in VERSIONS:
            origin = self.own(Resuming(pair, version))
            port = self.port()
            river = self.river(proxy(port, f'{origin} tls-sni="a.example" proto="h1-only" '
                                           f'ca-path="{authority.pem}"'), threads=1)
            for _ in range(3):
                self.assertEqual(ask(port, "/").body, b"hello")
            self.assertTrue(any(origin.reused), origin.reused)
            started.append((port, river))
        time.sleep(max(0, end + 1.5 - time.monotonic()))
        for port, river in started:
            # A connection that was made in time, and has waited since, may serve one more.
            wait_until(lambda p=port: ask(p, "/").status == 502, "a new handshake fails")
            wait_until(lambda r=river: "Expired" in r.errors(), "the log says why")


if __name__ == "__main__":
    main()
