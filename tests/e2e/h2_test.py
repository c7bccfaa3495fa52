"""HTTP/2 on either side, or both, or none: every pairing carries every kind of message whole."""

import json
import os
import threading

from h2 import MAX_CONCURRENT_STREAMS, H2Client, H2Origin, request
from harness import Message, Test, always, connect, get, main, proxy, wait_until

BIG = os.urandom(2_000_000)


class Seen:
    """A request as the origin got it, in whichever version."""

    def __init__(self, method, target, host, fields, body, trailers):
        self.method, self.target, self.host = method, target, host
        self.fields, self.body, self.trailers = fields, body, trailers

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name]


class Reply:
    """What the origin is to answer."""

    def __init__(self, body=b"", status=200, fields=(), trailers=None, interim=(), length=True):
        self.body, self.status, self.fields, self.trailers = body, status, fields, trailers
        self.interim, self.length = interim, length


class Pairing:
    down = up = "h1"

    def setUp(self):
        self.seen = []
        self.reply = Reply(b"hello")
        if self.up == "h2":
            self.origin_ = self.own(H2Origin(self.answer_h2))
            connector = f'{self.origin_} proto="h2-only"'
        else:
            self.origin_ = self.origin(self.answer_h1)
            connector = str(self.origin_)
        self.listen = self.port()
        self.river_ = self.river(proxy(f"{self.listen} h2c=true", connector),
                                 'log { access "stdout" format="combined"; }')

    # -- origins

    def replies(self, seen):
        self.seen.append(seen)
        return self.reply(seen) if callable(self.reply) else self.reply

    def answer_h1(self, peer):
        while True:
            m = peer.request()
            reply = self.replies(Seen(m.method, m.target, m.get("host"), m.fields, m.body,
                                      m.trailers))
            for status, fields in reply.interim:
                self.head_h1(peer, status, fields)
            body = reply.body if m.method != "HEAD" and reply.status not in (204, 304) else b""
            fields = list(reply.fields)
            if reply.status in (204, 304):
                self.head_h1(peer, reply.status, fields)
            elif reply.length and reply.trailers is None:
                self.head_h1(peer, reply.status, [*fields, ("Content-Length", len(reply.body))])
                peer.send(body)
            else:
                self.head_h1(peer, reply.status, [*fields, ("Transfer-Encoding", "chunked")])
                if m.method == "HEAD":
                    continue
                for i in range(0, len(body), 50000):
                    piece = body[i:i + 50000]
                    peer.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                peer.send(b"0\r\n" + b"".join(f"{n}: {v}\r\n".encode()
                                              for n, v in reply.trailers or ()) + b"\r\n")

    @staticmethod
    def head_h1(peer, status, fields):
        peer.send(f"HTTP/1.1 {status} X\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields) + "\r\n")

    def answer_h2(self, session, stream):
        fields = [(n, v) for n, v in stream.fields if not n.startswith(":")]
        reply = self.replies(Seen(stream.get(":method"), stream.get(":path"),
                                  stream.get(":authority"), fields, stream.body, stream.trailers))
        for status, more in reply.interim:
            session.headers(stream.number, [(":status", str(status)), *more])
        fields = [(n.lower(), v) for n, v in reply.fields]
        if reply.length and reply.trailers is None and reply.status not in (204, 304):
            fields.append(("content-length", str(len(reply.body))))
        head = stream.get(":method") == "HEAD"
        session.respond(stream, reply.status, b"" if head else reply.body, fields,
                        None if head else reply.trailers)

    # -- clients

    def ask(self, method="GET", path="/", fields=(), body=None, length=True, trailers=None):
        """A message as in HTTP/1 with `interim`, whichever version was spoken."""
        if self.down == "h2":
            return self.ask_h2(method, path, fields, body, length, trailers)
        peer = self.connect(self.listen)
        lines = [f"{n}: {v}" for n, v in fields]
        if body is None and trailers is None:
            peer.send(get(path, *lines, method=method))
        elif length and trailers is None:
            peer.send(get(path, *lines, f"Content-Length: {len(body)}", method=method) + body)
        else:
            ends = "".join(f"{n}: {v}\r\n" for n, v in trailers or ()).encode()
            chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
            peer.send(get(path, *lines, "Transfer-Encoding: chunked", method=method) + chunk +
                      b"0\r\n" + ends + b"\r\n")
        interim = []
        while (message := peer.response(method)).status < 200:
            interim.append(message)
        message.interim = interim
        return message

    def ask_h2(self, method, path, fields, body, length, trailers):
        client = self.own(H2Client(connect(self.listen)))
        fields = [(n.lower(), v) for n, v in fields]
        if body is not None and length and trailers is None:
            fields.append(("content-length", str(len(body))))
        stream = client.fetch(request(path, *fields, method=method), body, trailers)
        self.assertIsNone(stream.reset)
        return self.message(stream)

    @staticmethod
    def message(stream):
        def made(head):
            message = Message(b"HTTP/2 " + dict(head)[":status"].encode() + b" -")
            message.fields = [(n, v) for n, v in head if n != ":status"]
            return message
        message = made(stream.fields)
        message.interim = [made(head) for head in stream.heads[:-1]]
        message.body, message.trailers = stream.body, stream.trailers
        return message

    # -- tests

    def test_get(self):
        response = self.ask(path="/a/b?c=d", fields=[("X-One", "1"), ("Accept", "text/html")])
        self.assertEqual((response.status, response.body), (200, b"hello"))
        self.assertEqual(response.get("content-length"), "5")
        seen, = self.seen
        self.assertEqual((seen.method, seen.target, seen.host, seen.body),
                         ("GET", "/a/b?c=d", "a.example", b""))
        self.assertEqual((seen.all("x-one"), seen.all("accept")), (["1"], ["text/html"]))
        self.assertEqual(seen.all("content-length") + seen.all("transfer-encoding"), [])

    def test_forwarding_fields(self):
        self.ask(fields=[("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https")])
        seen, = self.seen
        self.assertEqual(seen.all("x-forwarded-for"), ["127.0.0.1"])
        self.assertEqual(seen.all("x-forwarded-proto"), ["http"])
        self.assertEqual(seen.all("x-forwarded-host"), ["a.example"])
        self.assertEqual(len(seen.all("host")), 1 if self.up == "h1" else 0)

    def test_head(self):
        response = self.ask("HEAD")
        self.assertEqual((response.status, response.body, response.get("content-length")),
                         (200, b"", "5"))
        self.assertEqual(self.seen[0].method, "HEAD")

    def test_post_with_a_length(self):
        self.reply = lambda seen: Reply(seen.body[::-1])
        response = self.ask("POST", body=b"abcdef")
        self.assertEqual((response.status, response.body), (200, b"fedcba"))
        self.assertEqual(self.seen[0].all("content-length"), ["6"])
        self.assertEqual(self.seen[0].all("transfer-encoding"), [])

    def test_post_without_a_length(self):
        self.reply = lambda seen: Reply(seen.body[::-1], length=False)
        response = self.ask("POST", body=b"abcdef", length=False)
        self.assertEqual((response.status, response.body), (200, b"fedcba"))
        self.assertEqual(self.seen[0].all("content-length"), [])
        self.assertEqual(self.seen[0].all("transfer-encoding"),
                         ["chunked"] if self.up == "h1" else [])

    def test_empty_bodies(self):
        self.reply = Reply(b"")
        self.assertEqual(self.ask("POST", body=b"").body, b"")
        self.reply = Reply(b"", length=False)
        self.assertEqual(self.ask("POST", body=b"", length=False).body, b"")
        self.assertEqual([s.body for s in self.seen], [b"", b""])

    def test_big_bodies_both_ways(self):
        for length in (True, False):
            self.reply = lambda seen, length=length: Reply(seen.body[::-1], length=length)
            response = self.ask("PUT", body=BIG, length=length)
            self.assertEqual(response.status, 200)
            self.assertTrue(self.seen[-1].body == BIG)
            self.assertTrue(response.body == BIG[::-1])

    def test_trailers_both_ways(self):
        for body in (b"abc", b""):
            self.reply = Reply(body, trailers=[("x-end", "last"), ("x-more", "m")])
            response = self.ask("POST", fields=[("TE", "trailers")], body=body,
                                trailers=[("x-sum", "42"), ("x-b", "c")])
            self.assertEqual((response.status, response.body), (200, body))
            self.assertEqual(response.trailers, [("x-end", "last"), ("x-more", "m")])
            self.assertEqual(self.seen[-1].body, body)
            self.assertEqual(self.seen[-1].trailers, [("x-sum", "42"), ("x-b", "c")])

    def test_te_trailers_passes(self):
        self.ask(fields=[("TE", "trailers")])
        self.assertEqual(self.seen[0].all("te"), ["trailers"])

    def test_interim_answers(self):
        self.reply = Reply(b"done", interim=[(103, [("link", "</a.css>; rel=preload")]),
                                             (103, [("link", "</b.css>; rel=preload")])])
        response = self.ask()
        self.assertEqual([(m.status, m.all("link")) for m in response.interim],
                         [(103, ["</a.css>; rel=preload"]), (103, ["</b.css>; rel=preload"])])
        self.assertEqual((response.status, response.body), (200, b"done"))

    def test_answers_without_a_body(self):
        for status in (204, 304):
            self.reply = Reply(b"", status, [("etag", '"x"')])
            response = self.ask()
            self.assertEqual((response.status, response.body, response.get("etag")),
                             (status, b"", '"x"'))
            self.assertEqual(self.seen[-1].method, "GET")

    def test_fields_of_a_connection_stay_behind(self):
        """What HTTP/1 says about one connection never stands in HTTP/2."""
        self.reply = Reply(b"x", fields=[] if self.up == "h2" else
                           [("Connection", "keep-alive, X-Hop"), ("X-Hop", "1"),
                            ("Keep-Alive", "timeout=5"), ("X-Stays", "yes")])
        fields = [] if self.down == "h2" else [("Connection", "X-Mine"), ("X-Mine", "1")]
        response = self.ask(fields=fields)
        self.assertEqual(response.status, 200)
        for name in ("connection", "x-hop", "keep-alive", "transfer-encoding"):
            if self.down == "h2" or name == "x-hop":
                self.assertEqual(response.all(name), [], name)
        for name in ("connection", "x-mine", "transfer-encoding", "host"):
            if self.up == "h2" or name == "x-mine":
                self.assertEqual(self.seen[0].all(name), [], name)

    def test_cookies_and_repeated_fields(self):
        self.reply = Reply(b"x", fields=[("set-cookie", "a=1"), ("set-cookie", "b=2")])
        fields = [("cookie", "a=1"), ("cookie", "b=2"), ("x-r", "1"), ("x-r", "2")]
        if self.down == "h1":
            fields = [("cookie", "a=1; b=2"), ("x-r", "1"), ("x-r", "2")]
        response = self.ask(fields=fields)
        self.assertEqual(response.all("set-cookie"), ["a=1", "b=2"])
        self.assertEqual(self.seen[0].all("cookie"), ["a=1; b=2"])  # RFC 9113 8.2.3
        self.assertEqual(self.seen[0].all("x-r"), ["1", "2"])

    def test_crumbs_of_a_cookie_count_as_one_field(self):
        crumbs = [f"c{i}={i}" for i in range(300)]
        fields = [("cookie", "; ".join(crumbs))] if self.down == "h1" else [
            ("cookie", crumb) for crumb in crumbs]
        self.assertEqual(self.ask(fields=[*[("x-r", "1")] * 90, *fields]).status, 200)
        self.assertEqual(self.seen[0].all("cookie"), ["; ".join(crumbs)])

    def test_the_access_log_names_the_version(self):
        self.ask(path="/logged")
        wait_until(lambda: "/logged" in self.river_.output(), "the line is written")
        self.assertIn('"GET /logged HTTP/2' if self.down == "h2" else '"GET /logged HTTP/1.1"',
                      self.river_.output())

    def test_many_at_once(self):
        self.reply = lambda seen: Reply(seen.target.encode() + seen.body)
        if self.down == "h2":
            client = self.own(H2Client(connect(self.listen)))
            streams = [client.start(request(f"/{i}", method="POST"), b"%d" % i * 500)
                       for i in range(100)]
            for i, stream in enumerate(streams):
                client.wait(stream)
                self.assertEqual((stream.status, stream.body), (200, b"/%d" % i + b"%d" % i * 500))
        else:
            def one(i):
                got = self.ask("POST", f"/{i}", body=b"%d" % i * 500)
                done.append(got.body == b"/%d" % i + b"%d" % i * 500)
            done = []
            threads = [threading.Thread(target=one, args=(i,)) for i in range(100)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(done, [True] * 100)
        self.assertEqual(len(self.seen), 100)
        if self.up == "h2":
            self.assertLessEqual(self.origin_.connections, 2)  # one for each thread

    def test_one_connection_serves_again_and_again(self):
        if self.down == "h2":
            client = self.own(H2Client(connect(self.listen)))
            for _ in range(300):
                self.assertEqual(client.fetch(request()).body, b"hello")
        else:
            peer = self.connect(self.listen)
            for _ in range(300):
                self.assertEqual(peer.ask(get()).body, b"hello")
        self.assertEqual((len(self.seen), self.origin_.connections), (300, 1))


class H1ToH1(Pairing, Test):
    pass


class H1ToH2(Pairing, Test):
    up = "h2"


class H2ToH1(Pairing, Test):
    down = "h2"


class H2ToH2(Pairing, Test):
    down = up = "h2"


class Hosts(Test):
    """:authority and Host name the same place, and the origin hears one of them."""

    def setUp(self):
        self.seen = []
        self.listen, _, _ = self.serve_h2c(always(b"HTTP/1.1 204 X\r\n\r\n", self.seen))
        self.client = self.own(H2Client(connect(self.listen)))

    def serve_h2c(self, script):
        origin = self.origin(script)
        port = self.port()
        return port, origin, self.river(proxy(f"{port} h2c=true", str(origin)))

    def test_authority_becomes_host(self):
        self.assertEqual(self.client.fetch(request(authority="x.example:8080")).status, 204)
        self.assertEqual(self.seen[0].all("host"), ["x.example:8080"])

    def test_host_alone_will_do(self):
        fields = [(":method", "GET"), (":scheme", "http"), (":path", "/"), ("host", "h.example")]
        self.assertEqual(self.client.fetch(fields).status, 204)
        self.assertEqual(self.seen[0].all("host"), ["h.example"])

    def test_both_alike(self):
        self.assertEqual(self.client.fetch(request("/", ("host", "a.example"))).status, 204)
        self.assertEqual(self.seen[0].all("host"), ["a.example"])

    def test_asterisk(self):
        self.assertEqual(self.client.fetch(request("*", method="OPTIONS")).status, 204)
        self.assertEqual(self.seen[0].first, "OPTIONS * HTTP/1.1")


class Negotiation(Test):
    def test_http1_and_http2_on_one_listener(self):
        port = self.port()
        self.river(proxy(f"{port} h2c=true", str(self.origin(always(b"HTTP/1.1 204 X\r\n\r\n")))))
        self.assertEqual(self.connect(port).ask(get()).status, 204)
        self.assertEqual(self.own(H2Client(connect(port))).fetch(request()).status, 204)

    def test_without_h2c_the_preface_is_no_request(self):
        port, origin, _ = self.serve(always(b"HTTP/1.1 204 X\r\n\r\n"))
        peer = self.connect(port)
        peer.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.assertIn(peer.response().status, (400, 505))
        self.assertEqual(origin.connections, 0)

    def test_the_preface_in_pieces(self):
        port = self.port()
        self.river(proxy(f"{port} h2c=true", str(self.origin(always(b"HTTP/1.1 204 X\r\n\r\n")))))
        peer = self.connect(port)
        whole = peer.send
        peer.send = lambda data: [whole(data[i:i + 1]) for i in range(len(data))]
        client = self.own(H2Client(peer))
        self.assertEqual(client.fetch(request()).status, 204)
        self.assertEqual(client.their_settings[MAX_CONCURRENT_STREAMS], 100)

    def test_the_log_in_json(self):
        port = self.port()
        origin = self.origin(always(b"HTTP/1.1 204 X\r\n\r\n"))
        river = self.river(proxy(f"{port} h2c=true", str(origin)),
                           'log { access "stdout" format="json"; }')
        self.own(H2Client(connect(port))).fetch(request("/x"))
        wait_until(lambda: "\n" in river.output(), "the line is written")
        self.assertEqual(json.loads(river.output().splitlines()[0])["protocol"], "HTTP/2")


if __name__ == "__main__":
    main()
