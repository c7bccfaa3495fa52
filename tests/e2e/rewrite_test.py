#!/usr/bin/env python3
"""What origins get in place of the client's path, and what comes back of the paths in answers."""

import os

import path_readings_test
from h2 import H2Client, request
from harness import Test, always, answer, ask, command, get, main
from path_readings_test import SERVERS, UPS, attacks, first_name, passed_on

BY_DEFAULT = path_readings_test.Traversal.BY_DEFAULT


class RewriteTest(Test):
    def start(self, connectors, route='route "/app"', more="", system=""):
        """A River of one route. Returns it."""
        self.seen = []
        origin = self.origin(always(answer(b"ok"), self.seen))
        self.listen = self.port()
        block = f'connectors {{ "{origin}"; {connectors}; }}'
        inner = f'routes {{\n{route} {{\n{block}\n}}\n}}' if route else block
        return self.river(f'app {{ listeners {{ "{self.listen}" h2c=true; }}\n{inner}\n{more}\n}}',
                          system)

    def target(self, path):
        """What the origin gets for this path; or the status, if it gets nothing."""
        before = len(self.seen)
        status = ask(self.listen, path).status
        return self.seen[-1].target if len(self.seen) > before else status

    def targets(self, expected):
        self.assertEqual({path: self.target(path) for path in expected}, expected)


class Requests(RewriteTest):
    def test_strip_prefix(self):
        self.start('strip-prefix "/app"')
        self.targets({"/app": "/", "/app/": "/", "/app/a/b?c=d": "/a/b?c=d", "/app?x": "/?x",
                      "/apple": 404, "/app/a%20b": "/a%20b", "/app/%61": "/a",
                      "/app/x/../y": "/y", "/app//z": "/z"})

    def test_prefix_in_place_of_the_routes_path(self):
        self.start('prefix "/v2/"')
        self.targets({"/app": "/v2", "/app/": "/v2/", "/app/a?b": "/v2/a?b"})

    def test_both(self):
        self.start('strip-prefix "/app/"; prefix "/v2"', route='route "/app/one"')
        self.targets({"/app/one": "/v2/one", "/app/one/a": "/v2/one/a"})

    def test_path(self):
        self.start('path "/hook"')
        self.targets({"/app": "/hook", "/app/a?b=c": "/hook?b=c"})

    def test_prefix_in_front_where_no_prefix_was_matched(self):
        self.start('prefix "/v2"', route='route "^/[a-z]+$" match="regex"')
        self.targets({"/x": "/v2/x"})

    def test_a_service_without_routes(self):
        self.start('strip-prefix "/app"', route="")
        self.targets({"/app/x": "/x", "/other": 404, "/apple": 404})

    def test_over_http2(self):
        self.start('strip-prefix "/app"')
        client = H2Client(self.connect(self.listen))
        self.assertEqual(client.fetch(request("/app/x?y")).status, 200)
        self.assertEqual(self.seen[-1].target, "/x?y")

    def test_the_log_has_the_clients_path(self):
        river = self.start('strip-prefix "/app"', system='log { access "stdout" format="json"; }')
        self.target("/app/x")
        self.assertEqual(river.logged(1)[0]["target"], "/app/x")

    def test_paths_that_stay_as_they_are(self):
        self.start('strip-prefix "/app"', more='normalization "as-is"')
        self.targets({"/app/@babel%2fcore": "/@babel%2fcore", "/app/a//b": "/a//b",
                      "/app/a;x=1/b": "/a;x=1/b", "/app/x/../y": "/x/../y",
                      "/app/%7euser": "/%7euser"})

    def test_no_way_around_rules(self):
        """No reading of what the origin gets lies outside of what was judged."""
        self.start('strip-prefix "/app"; prefix "/inner"', more='normalization "as-is"')
        for path in ("/app/../app/x", "/app/..", "/app/%2e%2e/app/x", "/app/..%2fapp/x",
                     "/app/%252e%252e/app/x", "/app/x/../../app/y", "/%61pp/x", "/x/../app/y",
                     "//app/x", "/./app/x", "/app/..;/app/x", "/app/.;/../app/x",
                     "/app%2fx", "/app;a/x"):
            self.assertIn(self.target(path), (400, 404), path)

    def test_a_filter_judges_what_the_origin_reads(self):
        """/app/../app/app/x would be /app/x of the origin, whose name outside is /app/app/x."""
        self.start('strip-prefix "/app"',
                   more='normalization "as-is"\n')
        self.assertEqual(self.target("/app/../app/x"), 400)
        self.assertEqual(self.target("/app/a/../x"), "/a/../x")

    def test_default_rules_and_two_escapes(self):
        self.start('strip-prefix "/app"; prefix "/inner"')
        self.assertEqual(self.target("/app/%252e%252e/x"), 400)
        self.assertEqual(self.target("/app/100%25"), "/inner/100%25")


def all_attacks():
    """Those, and others that stay in the route in every reading."""
    for target in attacks():
        yield target
        yield "/open" + target
    for up in UPS:
        yield "/open/" + up + "open/x"
        yield "/open/x/" + up + up + "open/x"
        yield "/open/open/" + up + up + "open/x"


class Traversal(RewriteTest):
    """Public lists of traversals, against servers that read paths in many ways."""

    def attack(self, rules, rewrite, closed, is_good, servers):
        seen = []
        port = self.port()
        origin = self.origin(always(answer("x"), seen))
        self.river(f"""app {{ listeners {{ "{port}"; }}
            {rules}
            routes {{
                route "{closed}" {{ respond status=403; }}
                route "/open" {{ connectors {{ {rewrite}; "{origin}"; }}; }}
            }} }}""")
        passed = 0
        for target, came in passed_on(self, port, all_attacks(), seen):
            passed += 1
            for server in servers:
                self.assertTrue(is_good(first_name(SERVERS[server](came))),
                                f"{server}: {target} came as {came}")
        self.assertGreater(passed, 5)

    def test_no_server_is_led_out_of_the_new_prefix(self):
        for rules, servers in (('normalization "as-is"', SERVERS),
                               ("", BY_DEFAULT)):
            with self.subTest(rules):
                self.attack(rules, 'prefix "/inner"', "/closed",
                            lambda name: name.split(";")[0] == "inner", servers)

    def test_no_server_is_led_to_what_a_route_below_closes(self):
        for rules, servers in (('normalization "as-is"', SERVERS),
                               ("", BY_DEFAULT)):
            with self.subTest(rules):
                self.attack(rules, 'strip-prefix "/open"', "/open/open",
                            lambda name: name != "open", servers)


class Answers(RewriteTest):
    def mapped(self, name, values, connectors, more=""):
        """Each of these values of the origin's field as the client gets it. ORIGIN is its address,
        the public host is pub.example."""
        value = [""]
        origin = self.origin(always(lambda _: answer(b"", f"{name}: {value[0]}")))
        listen = self.port()
        self.river(f'app {{ listeners {{ "{listen}"; }}\nroutes {{ route "/app" {{ connectors {{\n'
                   f'{connectors}\n"{origin}"\n}}; }}; }}\n{more}\n}}')
        got = {}
        for each in values:
            value[0] = each.replace("ORIGIN", str(origin))
            field = ask(listen, "/app/x", host="pub.example").get(name.lower())
            got[each] = field.replace(str(origin), "ORIGIN")
        return got

    def check(self, name, expected, connectors='strip-prefix "/app"; map-answers true', more=""):
        self.assertEqual(self.mapped(name, expected, connectors, more), expected)

    def test_location(self):
        expected = {
            "/": "/app/", "/login?next=/a": "/app/login?next=/a", "/a#b": "/app/a#b",
            "http://pub.example/a": "http://pub.example/app/a",
            "https://PUB.example:443/a": "https://PUB.example:443/app/a",
            "http://pub.example": "http://pub.example/app/",
            "//pub.example/a": "//pub.example/app/a",
            "http://ORIGIN/a?b": "/app/a?b", "http://ORIGIN": "/app/",
            "http://inner.example/a": "/app/a", "http://inner.example:80/a": "/app/a",
            # Left alone: relative ones, and other hosts.
            "next": "next", "../up": "../up", "?q": "?q", "#f": "#f",
            "https://other.example/a": "https://other.example/a",
            "http://pub.example@evil.example/a": "http://pub.example@evil.example/a",
            "http://pub.example:81/a": "http://pub.example:81/a",
            "mailto:a@pub.example": "mailto:a@pub.example",
            "http://pub.example\\x/a": "http://pub.example\\x/a",
        }
        self.check("Location", expected, more='host "inner.example"')

    def test_content_location(self):
        self.check("Content-Location", {"/a.en": "/app/a.en", "a.en": "a.en"})

    def test_an_image_that_names_another_host_is_not_made(self):
        self.check("Location", {"/v2//evil.example/": "/v2//evil.example/",
                                "/v2/\\evil.example": "/v2/\\evil.example", "/v2/a": "/a",
                                "/v2": "/", "/v20": "/v20", "/": "/"},
                   'strip-prefix "/"; prefix "/v2"; map-answers true')

    def test_prefix(self):
        self.check("Location", {"/v2/a": "/app/a", "/v2": "/app", "/v1/a": "/v1/a"},
                   'prefix "/v2"; map-answers true')

    def test_cookies(self):
        self.check("Set-Cookie", {
            "a=b; Path=/; HttpOnly": "a=b; Path=/app; HttpOnly",
            "a=b;path = /x ;Secure": "a=b; Path=/app/x;Secure",
            "a=b; Path=/x/": "a=b; Path=/app/x/",
            "a=b; Path=": "a=b; Path=", "a=b; Path=x": "a=b; Path=x", "a=b": "a=b",
            "a=Path=/; Domain=x.example": "a=Path=/; Domain=x.example",
            "__Host-a=b; Path=/; Secure": "__Host-a=b; Path=/; Secure",
            "a=b; Path=/x; Path=/y": "a=b; Path=/app/x; Path=/app/y"})

    def test_only_where_it_is_chosen(self):
        self.check("Location", {"/a": "/a"}, 'strip-prefix "/app"')
        self.check("Set-Cookie", {"a=b; Path=/": "a=b; Path=/"}, 'strip-prefix "/app"')

    def test_filters_see_the_mapped_field(self):
        self.check("Location", {"/a": "/app/a"},
                   more='path-control { upstream-response { filter kind="upsert-header" '
                        'key="x-a" value="b"; }; }')


class Mistakes(Test):
    def test_what_makes_no_sense(self):
        for route, options, said in [
                ('"/app"', 'strip-prefix "/other"', "do not begin with this"),
                ('"/app"', 'strip-prefix "/ap"', "do not begin with this"),
                ('"/app"', 'path "/x"; prefix "/y"', "replaces the whole path"),
                ('"/app"', 'path "/x"; map-answers true', "nothing to map back"),
                ('"/app"', "map-answers true", "nothing to map back"),
                ('"/app"', 'strip-prefix "app"', "path")]:
            text = (f'services {{ a {{ listeners {{ "127.0.0.1:8080"; }}\n'
                    f'routes {{ route {route} {{ connectors {{ {options}; "127.0.0.1:9000"; }}; '
                    "}; }; }; }")
            path = os.path.join(self.directory(), "river.kdl")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            done = command("check", path)
            self.assertNotEqual(done.returncode, 0, options)
            self.assertIn(said, done.stdout + done.stderr)


if __name__ == "__main__":
    main()
