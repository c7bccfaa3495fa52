"""Header filters: what they remove, replace and add, at each stage, over both versions; that
framing stays out of their reach; retries, interim answers, trailers, HEAD, River's own answers."""

import json

from h2 import H2Client, H2Origin, request
from harness import PythonOrigin, Test, always, answer, get, main, post, proxy


def stage(name, *filters):
    return f"{name} {{\n" + "".join(f"filter {f}\n" for f in filters) + "}\n"


def control(*stages):
    return "path-control {\n" + "".join(stages) + "}\n"


MANY = control(
    stage("upstream-request",
          'kind="remove-header-key-regex" pattern=".*SECRET.*"',
          'kind="remove-header-key-glob" pattern="x-internal-*"',
          'kind="remove-header" key="Cookie"',
          'kind="upsert-header" key="X-Proxy" value="river"',
          'kind="append-header" key="X-List" value="last"'),
    stage("upstream-response",
          'kind="remove-header-key-regex" pattern="^etag$|debug"',
          'kind="upsert-header" key="x-step" value="upstream"'),
    stage("response-filters",
          'kind="append-header" key="X-Step" value="response"',
          'kind="upsert-header" key="Server" value="mine"',
          'kind="remove-header-key-glob" pattern="x-pow?red-by"'))

SENT = [("X-My-Secret", "1"), ("x-internal-id", "2"), ("X-Internal-", "3"), ("x-internal", "kept"),
        ("Cookie", "a=b"), ("x-proxy", "spoofed"), ("X-Proxy", "twice"), ("X-List", "first")]
ANSWERED = [("ETag", '"1"'), ("X-Debug-Info", "x"), ("X-Step", "origin"), ("X-Powered-By", "y"),
            ("Server", "theirs"), ("X-Kept", "z")]


def values(fields, name):
    return [v for n, v in fields if n.lower() == name]


class Both(Test):
    def check_request(self, fields):
        self.assertEqual(values(fields, "x-my-secret") + values(fields, "x-internal-id") +
                         values(fields, "x-internal-") + values(fields, "cookie"), [])
        self.assertEqual(values(fields, "x-internal"), ["kept"])
        self.assertEqual(values(fields, "x-proxy"), ["river"])
        self.assertEqual(values(fields, "x-list"), ["first", "last"])

    def check_response(self, fields):
        self.assertEqual(values(fields, "etag") + values(fields, "x-debug-info") +
                         values(fields, "x-powered-by"), [])
        self.assertEqual(values(fields, "x-step"), ["upstream", "response"])
        self.assertEqual(values(fields, "server"), ["mine"])
        self.assertEqual(values(fields, "x-kept"), ["z"])

    def h2_origin(self):
        seen = []

        def handler(session, stream):
            seen.append([(n, v) for n, v in stream.fields])
            session.respond(stream, 200, b"ok", [(n.lower(), v) for n, v in ANSWERED])
        return self.own(H2Origin(handler)), seen

    def front(self, connector):
        port = self.port()
        self.river(proxy(f"{port} h2c=true", connector, MANY))
        return port

    def ask_h1(self, port):
        response = self.connect(port).ask(get("/", *[f"{n}: {v}" for n, v in SENT]))
        self.assertEqual((response.status, response.body), (200, b"ok"))
        self.check_response(response.fields)

    def ask_h2(self, port):
        client = self.own(H2Client(self.connect(port)))
        stream = client.fetch(request("/", *[(n.lower(), v) for n, v in SENT]))
        self.assertEqual((stream.status, bytes(stream.body)), (200, b"ok"))
        self.check_response(stream.fields)
        self.assertEqual([n for n, _ in stream.fields if n != n.lower()], [])  # RFC 9113 §8.2.1

    def test_all_pairs_of_versions(self):
        seen = []
        h1 = self.origin(always(answer("ok", *[f"{n}: {v}" for n, v in ANSWERED]), seen))
        h2, seen_h2 = self.h2_origin()
        for connector in (str(h1), f'{h2} proto="h2-only"'):
            port = self.front(connector)
            self.ask_h1(port)
            self.ask_h2(port)
        for fields in [r.fields for r in seen] + seen_h2:
            self.check_request(fields)
        self.assertEqual((len(seen), len(seen_h2)), (2, 2))
        self.assertEqual([n for fields in seen_h2 for n, _ in fields if n != n.lower()], [])

    def test_they_run_in_the_order_of_the_file(self):
        seen = []
        more = control(stage("upstream-request",
                             'kind="append-header" key="x-a" value="1"',
                             'kind="remove-header-key-regex" pattern="^x-a"',
                             'kind="append-header" key="x-a" value="2"',
                             'kind="append-header" key="x-a" value="3"'))
        port = self.serve(always(answer("ok"), seen), more)[0]
        self.assertEqual(self.connect(port).ask(get("/", "X-A: 0")).status, 200)
        self.assertEqual(seen[0].all("x-a"), ["2", "3"])


EVERYTHING = control(
    stage("upstream-request", 'kind="remove-header-key-regex" pattern="."'),
    stage("upstream-response", 'kind="remove-header-key-glob" pattern="*"'),
    stage("response-filters", 'kind="remove-header-key-regex" pattern="x*"'))


class OutOfReach(Test):
    def test_patterns_that_match_everything_leave_the_framing(self):
        seen = []
        port = self.serve(always(answer("body", "X-A: b"), seen), EVERYTHING)[0]
        peer = self.connect(port)
        for _ in range(2):  # the connection lives on, so the framing is right
            response = peer.ask(post(b"hello", "X-C: d"))
            self.assertEqual((response.status, response.body), (200, b"body"))
            self.assertEqual([n.lower() for n, _ in response.fields], ["content-length"])
        for got in seen:
            self.assertEqual(got.body, b"hello")
            self.assertEqual(got.get("host"), "a.example")
            self.assertEqual(sorted(n.lower() for n, _ in got.fields),
                             ["content-length", "host"])

    def test_chunked_bodies_stay_chunked(self):
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        seen = []
        port = self.serve(always(chunked, seen), EVERYTHING)[0]
        peer = self.connect(port)
        head = get("/", "Transfer-Encoding: chunked", method="PUT")
        body = head + b"2\r\nhi\r\n0\r\nT: v\r\n\r\n"
        for _ in range(2):
            response = peer.ask(body)
            self.assertEqual(response.body, b"abc")
            self.assertEqual(response.get("transfer-encoding"), "chunked")
        self.assertEqual([(r.body, r.trailers) for r in seen], [(b"hi", [("T", "v")])] * 2)

    def test_upgrades_survive(self):
        def script(peer):
            peer.head()
            peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                      b"Upgrade: websocket\r\n\r\n")
            peer.send(peer.exactly(4)[::-1])
        port = self.serve(script, EVERYTHING)[0]
        peer = self.connect(port)
        asked = peer.ask(get("/", "Connection: Upgrade", "Upgrade: websocket"))
        self.assertEqual(asked.status, 101)
        peer.send(b"abcd")
        self.assertEqual(peer.exactly(4), b"dcba")

    def test_no_response_to_head_loses_its_length(self):
        port = self.serve(lambda peer: (peer.head(), peer.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nX-A: b\r\n\r\n")), EVERYTHING)[0]
        response = self.connect(port).ask(get(method="HEAD"), "HEAD")
        self.assertEqual([(n.lower(), v) for n, v in response.fields], [("content-length", "99")])


class Others(Test):
    def test_another_try_sends_the_same_fields(self):
        seen = []
        more = control(stage("upstream-request", 'kind="append-header" key="X-Try" value="once"'))

        def script(peer):
            while True:
                seen.append(peer.request())
                if len(seen) % 2 == 1:
                    return  # closed without an answer
                peer.send(answer("ok"))
        port = self.serve(script, more)[0]
        for _ in range(3):
            self.assertEqual(self.connect(port).ask(get("/", "X-Try: mine")).status, 200)
        self.assertEqual([r.all("x-try") for r in seen], [["mine", "once"]] * 6)

    def test_interim_answers_are_left_alone_and_the_final_one_is_edited_once(self):
        more = control(stage("upstream-response", 'kind="append-header" key="X-R" value="1"'),
                       stage("response-filters", 'kind="append-header" key="X-R" value="2"'))
        port = self.serve(always(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer("ok")),
                          more)[0]
        peer = self.connect(port)
        hints = peer.ask(get())
        self.assertEqual((hints.status, hints.get("link"), hints.all("x-r")), (103, "</a>", []))
        self.assertEqual(peer.response().all("x-r"), ["1", "2"])

    def test_answers_of_our_own_pass_the_response_filters(self):
        more = control(stage("upstream-response", 'kind="append-header" key="X-R" value="1"'),
                       stage("response-filters", 'kind="append-header" key="X-R" value="2"',
                             'kind="remove-header" key="Server"'))
        port = self.port()
        self.river(proxy(port, self.port(), more))  # nobody listens there
        response = self.connect(port).ask(get())
        self.assertEqual((response.status, response.all("x-r")), (502, ["2"]))
        self.assertIsNone(response.get("server"))

    def test_what_a_connection_names_is_removed_before_filters_add(self):
        seen = []
        more = control(stage("upstream-request", 'kind="upsert-header" key="X-Auth" value="river"'))
        port = self.serve(always(answer("ok"), seen), more)[0]
        self.connect(port).ask(get("/", "Connection: x-auth", "X-Auth: mine"))
        self.assertEqual(seen[0].all("x-auth"), ["river"])

    def test_a_head_that_grows_too_large_is_refused(self):
        value = "v" * 4000
        filters = [f'kind="append-header" key="x-{i}" value="{value}"' for i in range(60)]
        seen = []
        more = control(stage("upstream-request", *filters))
        port = self.serve(always(answer("ok"), seen), more)[0]
        self.assertEqual(self.connect(port).ask(get()).status, 431)
        self.assertEqual(seen, [])

    def test_the_standard_library_agrees(self):
        port = self.port()
        self.river(proxy(port, self.own(PythonOrigin()), MANY))
        response = self.connect(port).ask(get("/", *[f"{n}: {v}" for n, v in SENT]))
        fields = json.loads(response.body)["fields"]
        self.assertEqual(values(fields, "x-list"), ["first", "last"])


if __name__ == "__main__":
    main()
