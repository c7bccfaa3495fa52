#!/usr/bin/env python3
"""Routes: which one a request takes, what each may do with it, and where redirects lead."""

import os
import shutil
import subprocess
import unittest

from h2 import H2Client, request
from harness import PythonOrigin, Test, always, answer, ask, get, main, post

LOG = 'log { access "stdout" format="json"; }'


class RouteTest(Test):
    """A River of one service with these routes (or other contents)."""

    def start(self, routes, more="", system=LOG, **options):
        self.listen = self.port()
        return self.river(f'app {{ listeners {{ "{self.listen}" h2c=true; }}\n'
                          f"routes {{\n{routes}\n}}\n{more}\n}}", system, **options)

    def start_service(self, contents, listener="", system=LOG):
        self.listen = self.port()
        return self.river(f'app {{ listeners {{ "{self.listen}" {listener}; }}\n{contents}\n}}',
                          system)

    def ask(self, target, *fields, method="GET", **more):
        return ask(self.listen, target, *fields, method=method, **more)

    def body(self, target, **more):
        return self.ask(target, **more).body.decode()

    def named(self, name):
        """An origin that answers with its name."""
        return self.origin(always(answer(name.encode())))


class Choice(RouteTest):
    def test_the_routed_service_of_the_example_file(self):
        names = ["health", "v2a", "v2b", "api", "upload", "regex", "rest"]
        at = {name: self.named(name) for name in names}
        self.start(f"""
            no-route status=404 body="No route for that path\\n"
            route "/healthz" match="exact" {{ connectors {{ "{at['health']}"; }}; }}
            route "/api/v2" {{
                connectors {{
                    load-balance {{ selection "Ketama" key="UriPath"; }}
                    "{at['v2a']}"
                    "{at['v2b']}"
                }}
            }}
            route "/api" {{ connectors {{ "{at['api']}"; }}; }}
            route "/upload" methods="POST,PUT" {{ connectors {{ "{at['upload']}"; }}; }}
            route "^/[a-z]+[0-9]+$" match="regex" {{ connectors {{ "{at['regex']}"; }}; }}
            route "/" {{ connectors {{ "{at['rest']}"; }}; }}""")
        for target, name in [("/healthz", "health"), ("/healthz/x", "rest"),
                             ("/healthz?x", "health"), ("/api", "api"), ("/api/x", "api"),
                             ("/apix", "rest"),
                             ("/upload", "rest"), ("/abc12", "regex"), ("/abc12?q=/", "regex"),
                             ("/abc12x", "rest"), ("/", "rest"), ("/%61pi/x", "api"),
                             ("/x/../api/y", "api"), ("//api//y", "api"), ("/API", "rest")]:
            self.assertEqual(self.body(target), name, target)
        self.assertEqual({self.body(f"/api/v2/{i}") for i in range(20)}, {"v2a", "v2b"})
        self.assertEqual(len({self.body("/api/v2/same") for _ in range(5)}), 1)
        peer = self.connect(self.listen)
        self.assertEqual(peer.ask(post(b"x", target="/upload")).body, b"upload")
        self.assertEqual(peer.ask(post(b"x", target="/upload/a", method="PUT")).body, b"upload")
        self.assertEqual(peer.ask(post(b"x", target="/upload", method="PATCH")).body, b"rest")

    def test_one_connection_takes_many_routes_over_both_versions(self):
        one, two = self.named("one"), self.named("two")
        self.start(f'route "/1" {{ connectors {{ "{one}"; }}; }}\n'
                   f'route "/2" {{ connectors {{ "{two}"; }}; }}')
        peer = self.connect(self.listen)
        got = [peer.ask(get(f"/{i % 3}")).body for i in range(9)]
        self.assertEqual(got, [b"404 Not Found\n", b"one", b"two"] * 3)
        client = H2Client(self.connect(self.listen))
        self.assertEqual([client.fetch(request(f"/{i % 3}")).body for i in range(6)],
                         [b"404 Not Found\n", b"one", b"two"] * 2)

    def test_no_route_is_answered_logged_and_counted(self):
        river = self.start('no-route status=410 body="gone\\n"\n'
                           'route "/here" methods="GET" { respond body="here"; }')
        answered = self.ask("/there")
        self.assertEqual((answered.status, answered.body), (410, b"gone\n"))
        self.assertEqual(self.ask("/here", method="DELETE").status, 410)
        self.assertEqual(self.body("/here/x"), "here")
        self.assertEqual(river.status()["worker"]["faults"]["no-route"], 2)
        lines = river.logged(3)
        got = sorted((line.get("route", ""), line.get("reason")) for line in lines)
        self.assertEqual(got, [("", "no-route"), ("", "no-route"), ("/here", None)])

    def test_filters_and_limits_come_before_the_missing_route(self):
        self.start('route "/a" { respond body="a"; }',
                   'path-control { request-filters { filter kind="block-cidr-range" '
                   'addrs="127.0.0.1"; }; }')
        self.assertEqual(self.ask("/b").status, 403)

    def test_a_route_of_its_own_for_options_of_everything(self):
        self.start('route "/" methods="OPTIONS" { respond status=204; }')
        self.assertEqual(self.ask("*", method="OPTIONS").status, 204)
        self.assertEqual(self.ask("/", method="GET").status, 404)

    def test_each_route_may_do_something_else(self):
        root = self.directory()
        with open(os.path.join(root, "a.txt"), "wb") as file:
            file.write(b"a file")
        origin = self.named("origin")
        self.start(f"""
            route "/static" {{ file-server {{ base-path "{root}"; strip-prefix "/static"; }}; }}
            route "/more" {{ file-server {{ base-path "{root}"; strip-prefix "/more"; }}; }}
            route "/hello" {{ respond status=203 body="hello" content-type="text/x"; }}
            route "/old" {{ redirect prefix="/static"; }}
            route "/" {{ connectors {{ "{origin}"; }}; }}""")
        self.assertEqual(self.body("/static/a.txt"), "a file")
        self.assertEqual(self.body("/more/a.txt"), "a file")
        self.assertEqual(self.ask("/static/b.txt").status, 404)
        hello = self.ask("/hello")
        self.assertEqual((hello.status, hello.body, hello.get("content-type")),
                         (203, b"hello", "text/x"))
        self.assertEqual(self.ask("/old/a.txt").get("location"), "/static/a.txt")
        self.assertEqual(self.body("/a.txt"), "origin")

    def test_ten_thousand_routes(self):
        routes = "\n".join(f'route "/r/{i}" {{ respond body="{i}"; }}' for i in range(10000))
        self.start(routes)
        for i in (0, 1, 4711, 9999):
            self.assertEqual(self.body(f"/r/{i}/x"), str(i))
        self.assertEqual(self.ask("/r/10000").status, 404)

    def test_equal_endpoints_of_routes_share_their_pool(self):
        origin = self.own(PythonOrigin())
        river = self.start(f'route "/a" {{ connectors {{ "{origin}"; }}; }}\n'
                           f'route "/b" {{ connectors {{ "{origin}"; }}; }}')
        peer = self.connect(self.listen)
        for target in ("/a", "/b", "/a", "/b"):
            self.assertEqual(peer.ask(get(target)).status, 200)
        upstreams = river.status()["worker"]["upstreams"]
        self.assertEqual([(u["opened"], u["requests"]) for u in upstreams], [(1, 4)])

    def test_retries_and_failures_stay_within_the_route(self):
        dead, alive = self.port(), self.named("alive")
        self.start(f'route "/both" {{ connectors {{ "{dead}"; "{alive}"; }}; }}\n'
                   f'route "/dead" {{ connectors {{ "{dead}"; }}; }}')
        for _ in range(4):
            self.assertEqual(self.body("/both"), "alive")
        self.assertEqual(self.ask("/dead").status, 502)

    def test_hostile_paths_take_the_route_that_the_origin_would_see(self):
        seen = []
        origin = self.origin(always(answer(b"open"), seen))
        self.start('route "/admin" { respond status=403; }\n'
                   f'route "/" {{ connectors {{ "{origin}"; }}; }}')
        for target in ("/admin", "/./admin", "/x/../admin", "//admin", "/%61dmin", "/admin/",
                       "/admin//", "/admin/../admin", "/x/%2e%2e/admin", "/.//admin/x",
                       "http://a.example/admin", "/admin?x", "/admin/%2e"):
            self.assertEqual(self.ask(target).status, 403, target)
        for target in ("/admin%2fx", "/x/..%2fadmin", "/%5cadmin", "/admin%00", "/../../x",
                       "/admin\\x"):
            self.assertIn(self.ask(target).status, (400, 200), target)
        self.assertFalse([head.target for head in seen if head.target.lower().startswith("/admin/")
                          or head.target == "/admin"])


class Redirects(RouteTest):
    def location(self, target, *fields, **more):
        answered = self.ask(target, *fields, **more)
        self.assertIn(answered.status, (301, 302, 303, 307, 308))
        self.assertEqual(answered.body, b"")
        return answered.get("location")

    def test_to_the_same_uri_with_tls(self):
        self.start_service('redirect scheme="https"')
        self.assertEqual(self.location("/a/b?c=d", host="a.example:8080"),
                         "https://a.example/a/b?c=d")
        self.assertEqual(self.location("/", host="[::1]:80"), "https://[::1]/")
        self.assertEqual(self.location("http://b.example/x", host="b.example"),
                         "https://b.example/x")
        self.assertEqual(self.ask("/").status, 308)
        self.assertEqual(self.connect(self.listen).ask(b"GET / HTTP/1.0\r\n\r\n").status, 400)

    def test_each_part(self):
        self.start("""
            route "/to" { redirect to="https://b.example/fixed?x=1" status=301; }
            route "/host" { redirect host="www.b.example" status=302; }
            route "/port" { redirect port=8443 status=307; }
            route "/both" { redirect scheme="https" port=8443 host="b.example"; }
            route "/path" { redirect path="/new/place" query=false status=303; }
            route "/old" { redirect prefix="/new"; }
            route "/cut" { redirect prefix="/"; }
            route "/slash/" { redirect prefix="/new/"; }
            route "/" { redirect prefix="/all"; }""")
        host = {"host": "a.example:81"}
        for target, location, status in [
                ("/to/x?y", "https://b.example/fixed?x=1", 301),
                ("/host/x?y", "http://www.b.example:81/host/x?y", 302),
                ("/port", "http://a.example:8443/port", 307),
                ("/both/z", "https://b.example:8443/both/z", 308),
                ("/path/x?y", "/new/place", 303),
                ("/old", "/new", 308), ("/old/", "/new/", 308), ("/old/a/b?c", "/new/a/b?c", 308),
                ("/cut/a", "/a", 308), ("/cut", "/", 308), ("/slash/a", "/new/a", 308),
                ("/x", "/all/x", 308), ("/", "/all/", 308), ("/?", "/all/?", 308)]:
            answered = self.ask(target, **host)
            got = (answered.get("location"), answered.status)
            self.assertEqual(got, (location, status), target)
        self.assertEqual(self.ask("/old/x", method="POST").status, 308)
        self.assertEqual(self.ask("/old/x", method="HEAD").get("location"), "/new/x")

    def test_what_a_client_sends_never_leads_to_another_host(self):
        self.start('route "/old" { redirect prefix="/"; }\nroute "/" { redirect path="/x"; }',
                   "normalization { default false; }")
        for target in ("/old//evil.example", "/old///evil.example", "/old//%5cevil"):
            self.assertRegex(self.location(target), r"^/[^/\\]", target)
        self.assertEqual(self.ask("/old/\\evil.example").status, 400)
        self.assertEqual(self.location("/old/a\"b<c>`{|}^?d'\""),
                         "/a%22b%3Cc%3E%60%7B%7C%7D%5E?d'%22")
        self.assertEqual(self.location("/old/\u00c3\u00a4"), "/%C3%A4")  # as latin-1: the bytes
        self.assertEqual(self.location("//evil.example/"), "/x")

    def test_the_scheme_that_a_trusted_proxy_tells(self):
        self.start_service('redirect host="b.example"\nclient-ip { trusted-proxies "127.0.0.1"; }')
        self.assertEqual(self.location("/", "X-Forwarded-Proto: https"), "https://b.example/")
        self.assertEqual(self.location("/", "X-Forwarded-Proto: javascript"), "http://b.example/")
        self.assertEqual(self.location("/"), "http://b.example/")

    def test_curl_follows_one(self):
        if not shutil.which("curl"):
            raise unittest.SkipTest("curl is not here")
        self.start('route "/new" { respond body="arrived"; }\n'
                   'route "/" { redirect prefix="/new"; }')
        done = subprocess.run(["curl", "-sS", "-L", f"http://{self.listen}/a"], timeout=30,
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.stdout, "arrived", done.stderr)


if __name__ == "__main__":
    main()
