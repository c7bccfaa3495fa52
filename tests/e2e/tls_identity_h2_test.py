"""What origins are told about a client's certificate where HTTP/2 is spoken: by the client, to the
origin, or both; on connections to origins that many clients share."""

import ssl

from h2 import REFUSED_STREAM, H2Client, H2Origin, request
from harness import always, answer, get, main, proxy
from tls_identity_test import HEADERS, OURS, IdentityBase


class Seen:
    """A request that an origin of HTTP/2 has seen, as the other one's would look."""

    def __init__(self, stream):
        self.fields = list(stream.fields)
        self.trailers = list(stream.trailers)

    def all(self, name):
        return [value for field, value in self.fields if field == name]

    def get(self, name):
        return (self.all(name) or [None])[0]


class IdentityH2(IdentityBase):
    def start(self, more="", h2=True, handler=None):
        self.seen = []

        def respond(peer, stream):
            self.seen.append(Seen(stream))
            peer.respond(stream, 200, b"hello")

        self.listen = self.port()
        origin = self.shared = (self.own(H2Origin(handler or respond)) if h2 else
                                self.origin(always(answer("hello"), self.seen)))
        return self.river(proxy(
            f'{self.listen} cert-path="{self.site.chain}" key-path="{self.site.key}" {{\n'
            f'client-certificates "optional" ca-path="{self.authority.pem}"\n}}',
            f'{origin} proto="h2-only"' if h2 else origin, HEADERS + more), threads=1)

    def h2_client(self, pair=None, session=None, version=ssl.TLSVersion.TLSv1_3):
        context = self.context(pair, version)
        context.set_alpn_protocols(["h2"])
        peer = self.secure(context, session)
        self.assertEqual(peer.socket.selected_alpn_protocol(), "h2")
        return self.own(H2Client(peer))

    def ask(self, client, *fields, **more):
        stream = client.fetch(request("/", *fields, scheme="https"), **more)
        self.assertEqual(stream.status, 200)

    def test_every_pairing_says_it_once_and_whole(self):
        for origin_h2 in (True, False):
            self.start(h2=origin_h2)
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                client = self.h2_client(self.client, version=version)
                for _ in range(3):  # the second one finds fields in HPACK's table
                    self.ask(client)
                    self.expect(self.seen[-1])
            self.assertEqual(self.secure(self.context(self.client)).ask(get()).status, 200)
            self.expect(self.seen[-1])
            self.assertEqual(len(self.seen), 7)

    def test_a_resumed_session_says_the_same(self):
        self.start()
        context = self.context(self.client)
        context.set_alpn_protocols(["h2"])
        first = self.secure(context)
        self.ask(self.own(H2Client(first)))
        again = self.secure(context, first.socket.session)
        self.ask(self.own(H2Client(again)))
        self.assertTrue(again.socket.session_reused)
        self.expect(self.seen[1])

    def test_clients_that_share_a_connection_are_not_taken_for_each_other(self):
        self.start()
        other = self.authority.issue("other", ["other.example"])
        clients = [(self.h2_client(self.client), "CN=J"), (self.h2_client(other), "CN=other"),
                   (self.h2_client(), None)]
        for _ in range(3):
            for client, subject in clients:
                self.ask(client)
                said = self.seen[-1].get("x-client-subject")
                self.assertEqual(said and said[:len(subject or "")], subject)
                self.assertEqual([len(self.seen[-1].all(name)) for name in OURS],
                                 [1 if subject else 0] * len(OURS))
        self.assertEqual(len(self.shared.sessions), 1)
        self.assertEqual(len({seen.get("x-client-print") for seen in self.seen}), 3)

    def test_a_client_cannot_say_it_itself(self):
        lies = [(name, "forged") for name in OURS] + [
            ("client_cert", "forged"), ("x_client-subject", "forged"), ("x-client-other", "stays")]
        for origin_h2 in (True, False):
            for trusted in ('client-ip { trusted-proxies "127.0.0.0/8"; }\n', ""):
                self.start(trusted, h2=origin_h2)
                self.ask(self.h2_client(), *lies)
                self.ask(self.h2_client(self.client), *lies)
                for seen in self.seen:
                    self.assertEqual(seen.get("x-client-other"), "stays")
                    self.assertEqual((seen.all("client_cert"), seen.all("x_client-subject")),
                                     ([], []))
                self.assertEqual([self.seen[0].get(name) for name in OURS], [None] * 5)
                self.expect(self.seen[1])

    def test_nor_in_trailers(self):
        for origin_h2 in (True, False):
            self.start(h2=origin_h2)
            stream = self.h2_client(self.client).fetch(
                request("/", method="POST", scheme="https"), b"x",
                [("x-client-subject", "forged"), ("client-cert", "forged"), ("x-sum", "5")])
            self.assertEqual(stream.status, 200)
            self.assertNotIn("forged", repr(self.seen[0].trailers))
            self.assertIn("x-sum", repr(self.seen[0].trailers).lower())

    def test_a_stream_that_is_tried_again_says_it_once(self):
        tries = []

        def refuses_first(peer, stream):
            tries.append(Seen(stream))
            if len(tries) == 1:
                peer.reset(stream.number, REFUSED_STREAM)
            else:
                peer.respond(stream, 200, b"hello")

        self.start(handler=refuses_first)
        self.ask(self.h2_client(self.client), body=b"body")
        self.assertEqual(len(tries), 2)
        for seen in tries:
            self.expect(seen)


if __name__ == "__main__":
    main()
