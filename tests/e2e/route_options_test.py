#!/usr/bin/env python3
"""What a route says in place of its service, pages for errors, fallbacks, and https only."""

import os
import ssl
import time

import certificates
from h2 import H2Client, request
from harness import Peer, Test, always, answer, ask, command, connect, get, main, wait_until

RENEWAL_SECONDS = 40
LOG = 'log { access "stdout" format="json"; }'


class OptionTest(Test):
    def setUp(self):
        self.base = self.directory()
        self.listen = self.port()

    def write(self, name, text):
        path = os.path.join(self.base, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def start(self, contents, listeners="", **options):
        listeners = listeners or f'"{self.listen}" h2c=true'
        return self.river(f"app {{ listeners {{ {listeners}; }}\n{contents}\n}}", LOG, **options)

    def ask(self, target, *fields, **more):
        return ask(self.listen, target, *fields, **more)

    def mistake(self, contents, listener="127.0.0.1:8080"):
        path = self.write("river.kdl",
                          f'services {{ a {{ listeners {{ "{listener}"; }}\n{contents}\n}}; }}')
        done = command("check", path)
        self.assertNotEqual(done.returncode, 0)
        return done.stdout + done.stderr


class Own(OptionTest):
    """A value of the route takes the place of the service's; what it does not say is the same."""

    def test_host(self):
        seen = []
        origin = self.origin(always(answer(), seen))
        self.start(f"""host "service.example"
            routes {{
                route "/own" {{ host "route.example"; connectors {{ "{origin}"; }}; }}
                route "/" {{ connectors {{ "{origin}"; }}; }}
            }}""")
        for path in ("/own", "/", "/own/x"):
            self.assertEqual(self.ask(path).status, 200)
        self.assertEqual([head.get("host") for head in seen],
                         ["route.example", "service.example", "route.example"])

    def test_retries(self):
        origin = self.origin(lambda peer: peer.request())  # ends the connection then
        self.start(f"""retries 2
            routes {{
                route "/never" {{ retries 0; connectors {{ "{origin}"; }}; }}
                route "/" {{ connectors {{ "{origin}"; }}; }}
            }}""")
        self.assertEqual(self.ask("/never").status, 502)
        self.assertEqual(origin.connections, 1)
        self.assertEqual(self.ask("/").status, 502)
        self.assertEqual(origin.connections, 4)

    def test_deadlines_of_bodies(self):
        origin = self.origin(always(answer()))
        river = self.start(f"""routes {{
                route "/fast" {{
                    overload {{ read-timeout-ms 100; }}
                    connectors {{ "{origin}"; }}
                }}
                route "/" {{ connectors {{ "{origin}"; }}; }}
            }}""")
        begun = time.monotonic()
        peer = self.connect(self.listen)
        peer.send(get("/fast", "Content-Length: 5", method="POST") + b"a")
        self.assertEqual(peer.response("POST").status, 408)
        self.assertLess(time.monotonic() - begun, 4)
        self.assertEqual(river.logged(1)[0]["reason"], "client-too-slow")

    def test_filters_come_after_those_of_the_service(self):
        seen = []
        origin = self.origin(always(answer(), seen))
        self.start(f"""
            path-control {{
                upstream-request {{ filter kind="upsert-header" key="x-a" value="service"; }}
            }}
            routes {{
                route "/own" {{
                    path-control {{
                        request-filters {{ filter kind="block-cidr-range" addrs="127.0.0.2"; }}
                        upstream-request {{ filter kind="upsert-header" key="x-b" value="route"; }}
                        response-filters {{ filter kind="upsert-header" key="x-c" value="c"; }}
                    }}
                    connectors {{ "{origin}"; }}
                }}
                route "/" {{ connectors {{ "{origin}"; }}; }}
            }}""")
        self.assertEqual(self.ask("/own").get("x-c"), "c")
        self.assertIsNone(self.ask("/").get("x-c"))
        self.assertEqual([(head.get("x-a"), head.get("x-b")) for head in seen],
                         [("service", "route"), ("service", None)])

    def test_a_filter_of_a_route_blocks_only_there(self):
        self.start("""routes {
                route "/own" {
                    path-control { request-filters {
                        filter kind="block-cidr-range" addrs="127.0.0.0/8"; }; }
                    respond body="no"
                }
                route "/" { respond body="yes"; }
            }""")
        self.assertEqual(self.ask("/own").status, 403)
        self.assertEqual(self.ask("/own/../own").status, 403)
        self.assertEqual(self.ask("/x").status, 200)
        client = H2Client(self.connect(self.listen))
        self.assertEqual([client.fetch(request(path)).status for path in ("/own", "/x", "/own")],
                         [403, 200, 403])

    def test_rate_limits_add_up(self):
        rule = 'rule kind="source-ip" max-buckets=100 refill-qty=1 refill-rate-ms=60000'
        self.start(f"""
            rate-limiting {{ {rule} tokens-per-bucket=4; }}
            routes {{
                route "/own" {{
                    rate-limiting {{ {rule} tokens-per-bucket=1 status=503; }}
                    respond body="own"
                }}
                route "/" {{ respond body="rest"; }}
            }}""")
        self.assertEqual([self.ask("/own").status for _ in range(2)], [200, 503])
        self.assertEqual([self.ask("/").status for _ in range(4)][-1], 429)
        self.assertEqual(self.ask("/own").status, 429)

    def test_a_reload_keeps_the_buckets_of_a_route(self):
        rule = 'rule kind="source-ip" max-buckets=100 refill-qty=1 refill-rate-ms=600000'
        river = self.start(f"""routes {{
                route "/own" {{
                    rate-limiting {{ {rule} tokens-per-bucket=1; }}
                    respond body="own"
                }}
                route "/" {{ respond body="old"; }}
            }}""")
        self.assertEqual([self.ask("/own").status for _ in range(2)], [200, 429])
        with open(river.config, encoding="utf-8") as file:
            text = file.read()
        with open(river.config, "w", encoding="utf-8") as file:
            file.write(text.replace('"old"', '"new"'))
        river.signal(1)
        wait_until(lambda: self.ask("/").body == b"new", "the reload")
        self.assertEqual(self.ask("/own").status, 429)

    def test_mistakes(self):
        self.assertIn("no route yet", self.mistake("""routes { route "/" { respond body="x"
            path-control { request-filters { filter kind="block-cidr-range" addrs="10.0.0.1" \
block-connections=true; }; }; }; }"""))
        self.assertIn("max-headers", self.mistake(
            'routes { route "/" { respond body="x"; overload { max-headers 3; }; }; }'))


class Pages(OptionTest):
    def test_of_service_and_route(self):
        one = self.write("404.html", "<p>nothing")
        two = self.write("own.json", '{"a":1}')
        dead = self.port()
        self.start(f"""
            error-page 404 "{one}"
            error-page 502 "{one}"
            routes {{
                route "/own" {{
                    error-page 502 "{two}"
                    connectors {{ "{dead}"; }}
                }}
                route "/dead" {{ connectors {{ "{dead}"; }}; }}
            }}""")
        got = self.ask("/x")
        self.assertEqual((got.status, got.body, got.get("content-type"), got.get("cache-control")),
                         (404, b"<p>nothing", "text/html; charset=utf-8", "private, no-store"))
        got = self.ask("/x", method="HEAD")
        self.assertEqual((got.status, got.body, got.get("content-length")), (404, b"", "10"))
        self.assertEqual(self.ask("/dead").body, b"<p>nothing")
        got = self.ask("/own")
        self.assertEqual((got.status, got.body, got.get("content-type")),
                         (502, b'{"a":1}', "application/json"))
        client = H2Client(self.connect(self.listen))
        self.assertEqual(client.fetch(request("/x")).body, b"<p>nothing")

    def test_an_origins_answer_stays_and_so_does_a_body_of_the_configuration(self):
        page = self.write("404.html", "page")
        origin = self.origin(always(answer(b"origin", status="404 Not Found")))
        self.start(f"""error-page 404 "{page}"
            routes {{
                no-route body="written"
                route "/o" {{ connectors {{ "{origin}"; }}; }}
            }}""")
        self.assertEqual(self.ask("/o").body, b"origin")
        self.assertEqual(self.ask("/x").body, b"written")

    def test_files(self):
        page = self.write("404.html", "page")
        self.start(f'error-page 404 "{page}"\nfile-server {{ base-path "{self.base}"; }}')
        self.assertEqual((self.ask("/none").status, self.ask("/none").body), (404, b"page"))

    def test_a_new_text_of_the_file_is_served_without_a_signal(self):
        page = self.write("404.html", "old")
        river = self.start(f'error-page 404 "{page}"\n'
                           'routes { route "/a" { respond body="a"; }; }')
        self.assertEqual(self.ask("/x").body, b"old")
        self.write("404.new", "new")
        os.rename(os.path.join(self.base, "404.new"), page)
        wait_until(lambda: self.ask("/x").body == b"new", "the new page", RENEWAL_SECONDS)
        os.unlink(page)
        wait_until(lambda: "cannot read" in river.errors(), "the loss is noticed",
                   RENEWAL_SECONDS)
        self.assertEqual(self.ask("/x").body, b"new")

    def test_mistakes(self):
        page = self.write("404.html", "page")
        self.assertIn("cannot read", self.mistake('error-page 404 "/none"\nrespond body="x"'))
        self.assertIn("has a page already", self.mistake(
            f'error-page 404 "{page}"\nerror-page 404 "{page}"\nrespond body="x"'))
        large = self.write("large.html", "x" * (1 << 20 | 1))
        self.assertIn("at most", self.mistake(f'error-page 404 "{large}"\nrespond body="x"'))
        self.mistake(f'error-page 200 "{page}"\nrespond body="x"')


class Fallback(OptionTest):
    def serve(self, fallback):
        self.write("index.html", "the page")
        self.write("a.js", "script")
        os.mkdir(os.path.join(self.base, "empty"))
        self.start(f'file-server {{ base-path "{self.base}"; {fallback}; }}')

    def test_a_page_for_all_paths(self):
        self.serve('fallback "/index.html"')
        index = self.ask("/")
        for path in ("/users/7", "/users/", "/x?y", "/none.js", "/empty/", "/a/b.c/d"):
            got = self.ask(path)
            self.assertEqual((got.status, got.body), (200, b"the page"), path)
            for field in ("etag", "last-modified", "content-type"):
                self.assertEqual(got.get(field), index.get(field))
        self.assertEqual(self.ask("/a.js").body, b"script")
        self.assertEqual(self.ask("/empty").status, 308)
        self.assertEqual(self.ask("/x", method="POST").status, 405)
        self.assertEqual(self.ask("/x", method="HEAD").get("content-length"), "8")
        self.assertEqual(self.ask("/.git/config").status, 404)
        tag = f'If-None-Match: {index.get("etag")}'
        self.assertEqual(self.ask("/users/8", tag).status, 304)
        self.assertEqual(self.ask("/users/8", "Range: bytes=0-2").body, b"the")

    def test_missing_assets(self):
        self.serve('fallback "/index.html" assets=false')
        for path, status in [("/none.js", 404), ("/a/none.css", 404), ("/none.PNG", 404),
                             ("/user/j.doe", 200), ("/x.html", 200), ("/x", 200), ("/v1.2", 200)]:
            self.assertEqual(self.ask(path).status, status, path)

    def test_a_fallback_that_is_not_there(self):
        self.serve('fallback "/none.html"')
        self.assertEqual(self.ask("/x").status, 404)
        self.write("none.html", "now")
        wait_until(lambda: self.ask("/x").body == b"now", "the file is found")

    def test_below_a_prefix(self):
        self.serve('fallback "/index.html"; strip-prefix "/app"')
        self.assertEqual(self.ask("/app/x").body, b"the page")
        self.assertEqual(self.ask("/other").status, 404)

    def test_mistakes(self):
        for value in ("/", "/a/", "/../a", "a"):
            self.mistake(f'file-server {{ base-path "{self.base}"; fallback "{value}"; }}')


class HttpsOnly(OptionTest):
    def test_one_service_with_both(self):
        pair = certificates.Authority(self.base, "ca").issue("site", ["pub.example"])
        tls = self.port()
        self.start('https-only true\nrespond body="safe"',
                   f'"{self.listen}" h2c=true\n'
                   f'"{tls}" cert-path="{pair.chain}" key-path="{pair.key}"')
        for method in ("GET", "POST"):
            got = self.ask("/a/b?c=d", host="pub.example:80", method=method)
            self.assertEqual((got.status, got.get("location")),
                             (308, f"https://pub.example:{tls.number}/a/b?c=d"))
        client = H2Client(self.connect(self.listen))
        self.assertEqual(client.fetch(request("/")).status, 308)
        context = ssl._create_unverified_context()  # pylint: disable=protected-access
        peer = self.own(Peer(context.wrap_socket(connect(tls).socket)))
        self.assertEqual(peer.ask(get("/", host="pub.example")).body, b"safe")

    def test_behind_a_proxy_that_ends_tls(self):
        self.start('https-only true\nrespond body="safe"\n'
                   'client-ip { trusted-proxies "127.0.0.1"; }')
        self.assertEqual(self.ask("/", "X-Forwarded-Proto: https").body, b"safe")
        got = self.ask("/x", "X-Forwarded-Proto: http", host="pub.example")
        self.assertEqual((got.status, got.get("location")), (308, "https://pub.example/x"))

    def test_without_tls_it_is_a_mistake(self):
        self.assertIn("come with TLS", self.mistake('https-only true\nrespond body="x"'))


if __name__ == "__main__":
    main()
