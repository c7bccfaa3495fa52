"""HTTP/1.0 and 1.1 on both sides: framing, connections, and everything that is passed through."""

import time

from harness import Test, always, answer, ask, get, main, post


class Connections(Test):
    def test_a_connection_serves_many_requests(self):
        port, origin, _ = self.serve(always(answer("yes")))
        peer = self.connect(port)
        for _ in range(20):
            self.assertEqual(peer.ask(get()).body, b"yes")
        self.assertEqual(origin.connections, 1)

    def test_pipelined_requests_are_answered_in_order(self):
        port, _, _ = self.serve(always(lambda r: answer(r.target)))
        peer = self.connect(port)
        peer.send(b"".join(get(f"/{i}") for i in range(50)))
        self.assertEqual([peer.response().body.decode() for _ in range(50)],
                         [f"/{i}" for i in range(50)])

    def test_pipelined_bodies_stay_apart(self):
        port, _, _ = self.serve(always(lambda r: answer(r.body)))
        peer = self.connect(port)
        peer.send(b"".join(post(b"body %d" % i) for i in range(10)) + get())
        self.assertEqual([peer.response().body for _ in range(11)],
                         [b"body %d" % i for i in range(10)] + [b""])

    def test_connection_close_is_honoured_and_said(self):
        port, _, _ = self.serve(always(answer("x")))
        peer = self.connect(port)
        response = peer.ask(get("/", "Connection: close"))
        self.assertEqual(response.get("connection"), "close")
        self.assertTrue(peer.is_closed())

    def test_http10_closes_unless_keep_alive_is_asked_for(self):
        port, _, _ = self.serve(always(answer("x")))
        peer = self.connect(port)
        self.assertEqual(peer.ask(get(version="1.0")).body, b"x")
        self.assertTrue(peer.is_closed())
        peer = self.connect(port)
        for _ in range(3):
            response = peer.ask(get("/", "Connection: keep-alive", version="1.0"))
            self.assertEqual(response.get("connection"), "keep-alive")

    def test_half_closed_client_still_gets_its_answer(self):
        def script(peer):
            peer.request()
            time.sleep(0.2)
            peer.send(answer("late"))
        port, _, _ = self.serve(script)
        peer = self.connect(port)
        peer.send(get())
        peer.finish()
        self.assertEqual(peer.response().body, b"late")
        self.assertTrue(peer.is_closed())


class Framing(Test):
    def test_chunked_request_arrives_chunked_without_extensions(self):
        seen = []
        port, _, _ = self.serve(always(answer("x"), seen))
        self.connect(port).ask(get("/", "Transfer-Encoding: chunked", method="POST") +
                               b"5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
        self.assertEqual(seen[0].body, b"hello world")
        self.assertEqual(seen[0].get("transfer-encoding"), "chunked")
        self.assertIsNone(seen[0].get("content-length"))

    def test_chunked_response_and_trailers(self):
        port, _, _ = self.serve(always(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n"
            b"3;x\r\nabc\r\n0\r\nx-sum: 7\r\nContent-Length: 9\r\n\r\n"))
        response = self.connect(port).ask(get("/", "TE: trailers"))
        self.assertEqual(response.body, b"abc")
        self.assertIn(("x-sum", "7"), [(n.lower(), v) for n, v in response.trailers])
        self.assertNotIn("content-length", [n.lower() for n, _ in response.trailers])

    def test_response_that_ends_with_its_connection(self):
        def script(peer):
            peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
        port, _, _ = self.serve(script)
        peer = self.connect(port)
        response = peer.ask(get())
        self.assertEqual((response.body, response.get("transfer-encoding")),
                         (b"until the end", "chunked"))
        self.assertEqual(peer.ask(get()).body, b"until the end")

    def test_to_an_http10_client_a_length_unknown_ends_with_the_connection(self):
        port, _, _ = self.serve(always(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
        peer = self.connect(port)
        peer.send(get(version="1.0"))
        response = peer.response()
        self.assertIsNone(response.get("transfer-encoding"))
        self.assertEqual(response.body, b"abc")

    def test_http10_origin(self):
        def script(peer):
            peer.request()
            peer.send(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold")
        port, origin, _ = self.serve(script)
        peer = self.connect(port)
        self.assertEqual([peer.ask(get()).body for _ in range(2)], [b"old", b"old"])
        self.assertEqual(origin.connections, 2)

    def test_head_204_and_304_have_no_body(self):
        replies = {"/head": answer("", status="200 OK").replace(b"Length: 0", b"Length: 1234"),
                   "/204": b"HTTP/1.1 204 No Content\r\n\r\n",
                   "/304": b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"}
        port, origin, _ = self.serve(always(lambda r: replies[r.target]))
        peer = self.connect(port)
        head = peer.ask(get("/head", method="HEAD"), "HEAD")
        self.assertEqual(head.get("content-length"), "1234")
        self.assertEqual(peer.ask(get("/204")).status, 204)
        not_modified = peer.ask(get("/304"))
        self.assertEqual((not_modified.status, not_modified.get("etag")), (304, '"x"'))
        self.assertIsNone(not_modified.get("content-length"))
        self.assertEqual(origin.connections, 1)

    def test_large_bodies_both_ways(self):
        port, _, _ = self.serve(always(lambda r: answer(r.body)))
        body = bytes(range(256)) * 8192  # 2 MiB
        peer = self.connect(port)
        self.assertEqual(peer.ask(post(body)).body, body)
        self.assertEqual(peer.ask(post(body)).body, body)


class Faults(Test):
    def test_a_fault_of_the_body_that_comes_with_the_head_is_a_502(self):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for body in (b"x\r\n", b"5\r\nhelloX\r\n", b"5\r\nhello\r\n0\r\nx : y\r\n\r\n"):
            with self.subTest(body):
                port, _, river = self.serve(always(head + body),
                                            system='log { access "stdout" format="json"; }')
                self.assertEqual(ask(port, "/").status, 502)
                line = river.logged(1)[0]
                self.assertEqual(line["status"], 502)
                self.assertIn("response-", line["reason"])

    def test_one_that_comes_later_cuts_the_answer(self):
        def script(peer):
            peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            peer.until(b"GO")
        port, origin, _ = self.serve(script)
        peer = self.connect(port)
        peer.send(get())
        self.assertEqual(peer.head().status, 200)
        self.assertEqual(peer.until(b"hello\r\n"), b"5\r\nhello\r\n")
        origin.peers[0].send(b"x\r\n")
        with self.assertRaises((EOFError, ConnectionResetError)):
            peer.until(b"\r\n")


class Interim(Test):
    def test_expect_100_continue_reaches_the_origin_and_its_100_the_client(self):
        def script(peer):
            head = peer.head()
            self.assertEqual(head.get("expect"), "100-continue")
            peer.send("HTTP/1.1 100 Continue\r\n\r\n")
            body = peer.exactly(5)
            peer.send(answer(body))
        port, _, _ = self.serve(script)
        peer = self.connect(port)
        peer.send(get("/", "Expect: 100-continue", "Content-Length: 5", method="PUT"))
        self.assertEqual(peer.head().status, 100)
        peer.send("hello")
        self.assertEqual(peer.response().body, b"hello")

    def test_expect_refused_without_the_body(self):
        def script(peer):
            peer.head()
            peer.send(answer("no", status="401 Unauthorized"))
            peer.rest()
        port, _, _ = self.serve(script)
        peer = self.connect(port)
        response = peer.ask(get("/", "Expect: 100-continue", "Content-Length: 5", method="PUT"))
        self.assertEqual(response.status, 401)

    def test_103_passes_before_the_answer(self):
        port, _, _ = self.serve(always(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + answer("x")))
        peer = self.connect(port)
        peer.send(get())
        hints = peer.response()
        self.assertEqual((hints.status, hints.get("link")), (103, "</a.css>; rel=preload"))
        self.assertEqual(peer.response().body, b"x")

    def test_interim_answers_do_not_go_to_http10(self):
        port, _, _ = self.serve(always(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + answer("x")))
        self.assertEqual(self.connect(port).ask(get(version="1.0")).status, 200)

    def test_early_response_while_the_body_still_arrives(self):
        def script(peer):
            peer.head()
            peer.exactly(10)
            peer.send(answer("enough", status="413 Content Too Large"))
            peer.rest()
        port, _, _ = self.serve(script)
        peer = self.connect(port)
        peer.send(get("/", "Content-Length: 100000", method="POST") + b"x" * 1000)
        response = peer.response()
        self.assertEqual((response.status, response.body), (413, b"enough"))


class Methods(Test):
    def test_absolute_form(self):
        seen = []
        port, _, _ = self.serve(always(answer("x"), seen))
        self.connect(port).ask(b"GET http://b.example/p?q=1 HTTP/1.1\r\nHost: b.example\r\n\r\n")
        self.assertEqual((seen[0].target, seen[0].get("host")), ("/p?q=1", "b.example"))

    def test_an_absolute_target_and_another_host(self):
        seen = []
        port, _, _ = self.serve(always(answer("x"), seen))
        for target, host, status in (("http://b.example", "a.example", 400),
                                     ("http://b.example:81", "b.example", 400),
                                     ("http://b.example:80", "b.example", 200),
                                     ("http://b.example", "B.example:", 200)):
            request = f"GET {target}/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
            self.assertEqual(self.connect(port).ask(request).status, status, target)
        self.assertEqual([m.get("host") for m in seen], ["b.example:80", "b.example"])

    def test_options_asterisk(self):
        seen = []
        port, _, _ = self.serve(always(answer("x"), seen))
        self.assertEqual(self.connect(port).ask(get("*", method="OPTIONS")).status, 200)
        self.assertEqual(seen[0].target, "*")

    def test_connect_is_405_and_unknown_methods_pass(self):
        seen = []
        port, _, _ = self.serve(always(answer("x"), seen))
        refused = self.connect(port).ask(
            b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n")
        self.assertEqual(refused.status, 405)
        self.assertEqual(seen, [])
        self.assertEqual(self.connect(port).ask(get(method="PROPFIND")).status, 200)
        self.assertEqual(seen[0].method, "PROPFIND")


class Fields(Test):
    def test_hop_by_hop_fields_stay_on_their_hop(self):
        seen = []
        port, _, _ = self.serve(always(
            answer("x", "Connection: x-private", "X-Private: 1", "Keep-Alive: timeout=5",
                   "X-Public: 1"), seen))
        response = self.connect(port).ask(
            get("/", "Connection: keep-alive, x-secret", "X-Secret: 1", "Proxy-Connection: x",
                "Keep-Alive: 5", "HTTP2-Settings: AAMAAABkAAQAAP__", "X-Plain: a, b"))
        names = {n.lower() for n, _ in seen[0].fields}
        self.assertFalse(names & {"x-secret", "proxy-connection", "keep-alive", "http2-settings"})
        self.assertEqual(seen[0].get("x-plain"), "a, b")
        self.assertIsNone(response.get("x-private"))
        self.assertIsNone(response.get("keep-alive"))
        self.assertEqual(response.get("x-public"), "1")

    def test_repeated_fields_and_their_order_are_kept(self):
        seen = []
        port, _, _ = self.serve(always(
            answer("x", "Set-Cookie: a=1", "Set-Cookie: b=2"), seen))
        response = self.connect(port).ask(get("/", "X-A: 1", "X-B: 2", "X-A: 3"))
        self.assertEqual(response.all("set-cookie"), ["a=1", "b=2"])
        own = [f for f in seen[0].fields if f[0].lower() in ("x-a", "x-b")]
        self.assertEqual([v for _, v in own], ["1", "2", "3"])

    def test_host_option_replaces_the_host(self):
        seen = []
        port, _, _ = self.serve(always(answer("x"), seen), 'host "inner.example"')
        self.connect(port).ask(get(host="outer.example"))
        self.assertEqual(seen[0].all("host"), ["inner.example"])
        self.assertEqual(seen[0].get("x-forwarded-host"), "outer.example")


if __name__ == "__main__":
    main()
