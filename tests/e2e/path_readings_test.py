"""Paths that go on as clients write them: what origins get, and that no rule is passed by."""

import os
import posixpath
import re
import tempfile
import urllib.parse

from h2 import H2Client, request
from harness import Test, always, answer, get, main

LOG = 'log { access "stdout"; }'

# --- ways to write "one up", and ways to write a name; %s is what follows ------------------------

UPS = """../ ..%2f ..%2F %2e%2e/ %2e%2e%2f %2E%2E%2F .%2e/ %2e./ .%2E%2f %252e%252e/ %252e%252e%252f
..%252f ..%25252f %25252e%25252e%25252f %2e%252e/ ..;/ ..;a=b/ ..;%2f ..%3b/ %2e%2e;/ ..;;/ ..;/;/
..%00/ %2e%2e%00/ ..%0d/ ..%0a/ ..%09/ ..%7f/ ..\\ ..%5c ..%5C %2e%2e%5c %252e%252e%255c ..%255c
..%c0%af ..%c1%9c %c0%ae%c0%ae/ %c0%ae%c0%ae%c0%af %c0%2e%c0%2e/ %e0%80%ae%e0%80%ae/ ..%e0%80%af
%f0%80%80%ae%f0%80%80%ae/ ..%25c0%25af %25c0%25ae%25c0%25ae/ ..%u2215 %u002e%u002e%u002f ..%u002f
..%25u002f %25u002e%25u002e/ ....// ..././ ..../ ..// ..//../ .//../ ./../ %2e/%2e%2e/ ../.%2f/
..%20/ ../%2e/ ..%2f%2e%2f ..%2f..%2f ../..;/ ..;/../ ..%3f/ ..%23/ %2e%2e%3b/ ..%c3%a4/ x/../../
x%2f..%2f../ ..%2f;/ ;/../ %3b/../ /../ //../ %2f../ %2f%2e%2e/""".split()
NAMES = """admin %61dmin admi%6e %2561dmin %252561dmin admin/ admin%2f admin%252f admin%3f admin%3fx
admin%23 admin%253f admin;x admin;x=y/z admin%3bx admin%00 admin%2500 admin%20 admin%5cx admin\\x
admin/. admin/.. admin/x/.. admin/%2e admin/%2e%2e admin//x admin%2fx ./admin /admin //admin
;/admin ;x/admin %2e/admin x/../admin x%2f../admin x/..%2fadmin x/..;/admin %2fadmin %2f%2fadmin
.;/admin %5cadmin x%5c..%5cadmin admin%09 admin%0d%0a %c0%afadmin""".split()


def attacks():
    for base in ("/", "/open/", "/open/a/", "/open/a//b/"):
        for up in UPS:
            for count in (1, 2, 3):
                yield base + up * count + "admin"
            yield base + "x/" + up + up + "%61dmin/x"
        for name in NAMES:
            yield base + name
            yield base + "..%2f" + name


# --- servers: each makes of a target the name of the thing that it would serve -------------------

def decode(path):
    return re.sub("%([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), path)


def decode_names(path):
    return re.sub("%(?!2[fF])([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), path)


def decode_fully(path):
    while decode(path) != path:
        path = decode(path)
    return path


def overlong(path):
    path = re.sub("[\xc0\xc1]([\x80-\xbf])", lambda m: chr(ord(m[1]) & 0x3f), path)
    return re.sub("(?:\xe0|\xf0\x80)\x80([\x80-\xbf])", lambda m: chr(ord(m[1]) & 0x3f), path)


def wide(path):
    return re.sub("%u00([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), path)


def resolve(path):
    kept = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    return "/" + "/".join(kept)


def file_system(path):
    return "/" + posixpath.normpath("/" + path.split("\0")[0]).lstrip("/")


def merge(path):
    return re.sub("/+", "/", path)


def strip(path):
    return re.sub(";[^/]*", "", path)


def backslash(path):
    return path.replace("\\", "/")


def query(path):
    return re.split("[?#]", path)[0]


def then(*steps):
    def server(path):
        for step in steps:
            path = step(path)
        return path
    return server


SERVERS = {
    "takes bytes": then(),
    "normalises": then(resolve),
    "merges and normalises": then(merge, resolve),
    "decodes": then(decode),
    "decodes, opens files": then(decode, file_system),
    "nginx": then(decode, merge, resolve),
    "decodes twice": then(decode, decode),
    "decodes twice, opens files": then(decode, decode, file_system),
    "decodes for ever": then(decode_fully, backslash, merge, resolve),
    "normalises, decodes": then(resolve, decode),
    "normalises, decodes, normalises": then(resolve, decode, resolve),
    "keeps %2f": then(decode_names, resolve),
    "Tomcat": then(strip, decode, merge, resolve),
    "Tomcat that keeps %2f": then(strip, decode_names, merge, resolve),
    "decodes, strips": then(decode, strip, merge, resolve),
    "Windows": then(decode, wide, backslash, merge, resolve),
    "IIS 4": then(decode, decode, wide, overlong, backslash, merge, resolve),
    "overlong": then(decode, overlong, merge, resolve),
    "decodes, parses again": then(decode, query, resolve),
    "a proxy, then files": then(decode, resolve, decode, query, file_system),
}


def first_name(path):
    return merge(path).lstrip("/").split("/")[0]


def passed_on(test, port, targets, seen):
    """Asks for each target; (target, what the origin got) of those that it got (`seen`)."""
    connection = None
    for target in targets:
        connection = connection or test.connect(port)
        seen.clear()
        response = connection.ask(get(target))
        if "close" in (response.get("connection") or ""):
            connection = None
        test.assertIn(response.status, (200, 400, 403, 404), target)
        for message in list(seen):
            yield target, message.target


class Traversal(Test):
    """`/admin` is closed by a route; what gets to the open routes never means it to any server."""

    # service, /open, /
    CONFIGURATIONS = {
        "a route as-is": ("", 'normalization "as-is";', 'normalization "as-is";'),
        "one route as-is": ("", 'normalization "as-is";', ""),
        "the other": ("", "", 'normalization "as-is";'),
        "safe": ("", 'normalization "safe";', 'normalization "safe";'),
        "single options": ("", "normalization { encoded-separators false; };",
                           "normalization { default false; duplicate-slashes true; };"),
        "the service": ('normalization "as-is";', "", ""),
        "the service, but routes": ('normalization "as-is";', 'normalization "safe";',
                                    'normalization "strict";'),
        "ambiguous paths refused": ("normalization { ambiguous-paths true; };", "", ""),
        "the defaults": ("", "", ""),
    }

    def test_no_server_is_led_to_a_closed_route(self):
        for name, (service, first, second) in self.CONFIGURATIONS.items():
            with self.subTest(name):
                self.attack(service, first, second)

    def attack(self, service, first, second):
        seen = []
        port = self.port()
        origin = self.origin(always(answer("x"), seen))
        self.river(f"""app {{ listeners {{ "{port}"; }}
            {service}
            routes {{
                route "/admin" {{ respond status=403; }}
                route "/open" {{ {first} connectors {{ "{origin}"; }}; }}
                route "/" {{ {second} connectors {{ "{origin}"; }}; }}
            }} }}""")
        passed = 0
        for target, came in passed_on(self, port, attacks(), seen):
            passed += 1
            usual = not service and not (first if target.startswith("/open") else second)
            for server, read in SERVERS.items():
                if not usual or server in self.BY_DEFAULT:
                    self.assertNotEqual(first_name(read(came)), "admin",
                                        f"{server}: {target} came as {came}")
        self.assertGreater(passed, 5)  # the test would say nothing if all were refused

    # What routes without rules of their own promise: one pass of decoding; Java by an option.
    BY_DEFAULT = ("takes bytes", "normalises", "merges and normalises", "decodes",
                  "decodes, opens files", "nginx", "normalises, decodes", "keeps %2f")

    def test_filters_judge_all_readings(self):
        seen = []
        port, _origin, river = self.serve(always(answer("x"), seen), """
            normalization "as-is"
            rate-limiting {
                rule kind="any-matching-uri" pattern="^/login" tokens-per-bucket=1 refill-qty=1 \\
                    refill-rate-ms=60000
                rule kind="specific-uri" pattern="^/item/" max-buckets=10 tokens-per-bucket=1 \\
                    refill-qty=1 refill-rate-ms=60000
            }""", LOG)

        def ask(target):
            return self.connect(port).ask(get(target)).status
        self.assertEqual([ask("/login"), ask("/login")], [200, 429])
        evasions = ("/%6cogin", "/%256cogin", "//login", "/x/../login", "/./login", "/x/..;/login",
                    "/login/../x", "/;/login", "/x%2f..%2flogin")
        for target in evasions:
            self.assertEqual(ask(target), 400, target)
        reasons = {r["target"]: r["reason"] for r in river.logged(2 + len(evasions))
                   if r["status"] == 400}
        self.assertEqual(reasons, dict.fromkeys(evasions, "path-ambiguous"))
        self.assertEqual([ask("/item/a//b"), ask("/item/a/b"), ask("/item/a%2fb"),
                          ask("/item/a/./b;x"), ask("/item/c")], [200, 429, 429, 429, 200])


class Bytes(Test):
    """What passes is what the client has sent."""

    KEPT = ["/bkt/a//b/../c", "/bkt//", "/bkt/a/./b", "/bkt/%7Euser%2fx%c3%a4",
            "/bkt/a%20b%2B+;v=1",
            "/bkt/100%25", "/bkt/100%25.txt", "/bkt/caf\xc3\xa9", "/bkt/a\"b{c}|d^e`<f>",
            "/bkt/https://x.example/y", "/bkt/%25%32%35", "/bkt/a?x=/../%2f//%00\\", "/bkt/..."]

    def start(self, service="", route='normalization "as-is";', path="/bkt", system=LOG):
        self.seen = []
        port = self.port()
        origin = self.origin(always(answer("x"), self.seen))
        self.log = self.river(f"""app {{ listeners {{ "{port}" h2c=true; }}
            {service}
            routes {{
                route "{path}" {{ {route} connectors {{ "{origin}"; }}; }}
                route "/" {{ connectors {{ "{origin}"; }}; }}
            }} }}""", system)
        return port

    def ask(self, port, target, method="GET"):
        self.seen.clear()
        response = self.connect(port).ask(get(target, method=method))
        return response.status, [m.target for m in self.seen]

    def test_bytes_stay(self):
        for service, route in (("", 'normalization "as-is";'), ('normalization "as-is";', "")):
            port = self.start(service, route)
            for target in self.KEPT:
                with self.subTest(target):
                    self.assertEqual(self.ask(port, target), (200, [target]))

    def test_http2_too(self):
        port = self.start()
        client = H2Client(self.connect(port))
        for target in ("/bkt/a//b/../c", "/bkt/a%2fb"):
            self.seen.clear()
            self.assertEqual(client.fetch(request(target)).status, 200)
            self.assertEqual([m.target for m in self.seen], [target])

    def test_an_object_is_put_under_its_key(self):
        """As S3 clients write keys: boto3 escapes all but unreserved characters and slashes."""
        port = self.start()
        for key in ("a//b/../c", "/leading", "trailing/", "a b+c", "sp\xe9cial", "100%", "./x",
                    "x/."):
            target = "/bkt/" + urllib.parse.quote(key, safe="/~")
            self.assertEqual(self.ask(port, target, "PUT"), (200, [target]), key)

    def test_slashes_of_names(self):
        rows = [("/", "/@babel%2fcore"), ("/api/v4", "/api/v4/projects/group%2Fproject"),
                ("/api/queues", "/api/queues/%2F/q")]
        for path, target in rows:
            for preset in ("as-is", "safe"):
                with self.subTest(target, preset=preset):
                    port = self.port()
                    seen = []
                    origin = self.origin(always(answer("x"), seen))
                    self.river(f"""app {{ listeners {{ "{port}"; }}
                        routes {{ route "{path}" {{ normalization "{preset}";
                            connectors {{ "{origin}"; }}; }} }} }}""")
                    self.assertEqual(self.connect(port).ask(get(target)).status, 200)
                    self.assertEqual([m.target.lower() for m in seen], [target.lower()])

    def test_the_service_without_routes(self):
        seen = []
        port, _origin, _river = self.serve(always(answer("x"), seen), 'normalization "as-is";')
        for target in ("/a//b/../c", "/a%2fb", "/%7e", "/x/%2e%2e/y"):
            seen.clear()
            self.assertEqual(self.connect(port).ask(get(target)).status, 200)
            self.assertEqual([m.target for m in seen], [target])

    def test_safe_rewrites_what_means_the_same(self):
        port = self.start(route='normalization "safe";')
        for target, wanted in [("/bkt/a//b", "/bkt/a//b"), ("/bkt/a%2fb", "/bkt/a%2Fb"),
                               ("/bkt/%7Euser", "/bkt/~user"), ("/bkt/x/../c", "/bkt/c"),
                               ("/bkt/https://x", "/bkt/https://x")]:
            self.assertEqual(self.ask(port, target), (200, [wanted]))

    def test_single_options_override_the_word_and_the_service(self):
        rows = [
            ("", 'normalization "as-is" { duplicate-slashes true; };', "/bkt/a//b/%7e",
             "/bkt/a/b/%7e"),
            ("", 'normalization { encoded-separators false; };', "/bkt/a//b%2f%7e", "/bkt/a/b%2F~"),
            ('normalization { matrix-parameters "strip"; }',
             'normalization { encoded-separators false; };', "/bkt/a;b%2f/c", "/bkt/a/c"),
            ('normalization { matrix-parameters "strip"; }', 'normalization "as-is";',
             "/bkt/a;b/c", "/bkt/a;b/c"),
            ('normalization "as-is";', 'normalization { dot-segments true; };', "/bkt/x/../%7e",
             "/bkt/%7e"),
            ('normalization "as-is";', 'normalization "strict";', "/bkt//%7e", "/bkt/~"),
            ('normalization { duplicate-slashes false; }',
             'normalization { dot-segments false; };', "/bkt/.//%7e", "/bkt/.//~"),
        ]
        for service, route, target, wanted in rows:
            with self.subTest(service, route=route, target=target):
                port = self.start(service, route)
                self.assertEqual(self.ask(port, target), (200, [wanted]))

    def test_a_route_says_how_its_refusals_look(self):
        port = self.start('normalization { status 404; body "service\\n"; }',
                          'normalization { matrix-parameters "reject"; body "route\\n"; };')
        response = self.connect(port).ask(get("/bkt/a;b"))
        self.assertEqual((response.status, response.body), (404, b"route\n"))
        response = self.connect(port).ask(get("/bkt/../x"))
        self.assertEqual((response.status, response.body), (404, b"service\n"))

    def test_what_stays_refused(self):
        rows = [("/bkt/a%5Cb", "normalization-encoded-separators"),
                ("/bkt/a%00", "normalization-control-characters"),
                ("/bkt/a%0a", "normalization-control-characters"),
                ("/bkt/a%", "normalization-percent-encoding"),
                ("/bkt/a%u002f", "normalization-percent-encoding"),
                ("/bkt/../other", "path-ambiguous"), ("/bkt/..", "path-ambiguous"),
                ("/bkt/%2e%2e/x", "path-ambiguous"), ("/bkt/%252e%252e/x", "path-ambiguous"),
                ("/bkt/a%2500", "path-ambiguous"), ("/bkt/a%255c", "path-ambiguous"),
                ("/bkt/%c0%af", "path-ambiguous"), ("/bkt/../../..", "path-ambiguous"),
                ("/%62kt/x", "path-ambiguous"), ("//bkt/x", "path-ambiguous"),
                ("/bkt%2fx", "path-ambiguous"), ("/bkt;x/y", "path-ambiguous"),
                ("/bkt/a//b/./c;d%2f%41%3f%2541", "path-ambiguous")]
        port = self.start()
        for target, reason in rows:
            self.assertEqual(self.ask(port, target), (400, []), target)
        self.assertEqual({r["target"]: r["reason"] for r in self.log.logged(len(rows))},
                         dict(rows))
        self.assertEqual(self.ask(port, "/bkt/" + "a" * 6000)[0], 200)
        self.assertEqual(self.ask(port, "/bkt/%41" + "a" * 6000), (400, []))  # too long for a list

    def test_other_routes_of_the_service_normalise_as_before(self):
        port = self.start()
        for target, wanted in [("/x//y/../z", (200, ["/x/z"])), ("/x/%7e", (200, ["/x/~"])),
                               ("/x%2fy", (400, [])), ("/x", (200, ["/x"])),
                               ("/bktx//y", (200, ["/bktx/y"]))]:
            self.assertEqual(self.ask(port, target), wanted, target)

    def test_files_take_the_normalised_form(self):
        with tempfile.TemporaryDirectory() as directory:
            os.mkdir(os.path.join(directory, "d"))
            for name in ("d/a~.txt", "secret"):
                with open(os.path.join(directory, name), "w", encoding="ascii") as file:
                    file.write(name)
            port = self.port()
            self.river(f"""app {{ listeners {{ "{port}"; }}
                routes {{
                    route "/d" {{
                        normalization "as-is"
                        file-server {{ base-path "{directory}"; }}
                    }}
                    route "/" {{ respond status=403; }}
                }} }}""")
            for target, status in [("/d/a~.txt", 200), ("/d//a~.txt", 200),
                                   ("/d/./x/../a%7e.txt", 200),
                                   ("/d/x%2f..%2fa~.txt", 404), ("/d/../secret", 400),
                                   ("/d/..%2fsecret", 400), ("/d/%252e%252e/secret", 400)]:
                response = self.connect(port).ask(get(target))
                self.assertEqual(response.status, status, target)

    def test_routes_that_no_request_reaches_are_mistakes(self):
        for route in ("/a%2Fb", "/a%2Bb", "/a;b", "/a//b"):
            with self.subTest(route):
                river = self.river(f"""app {{ listeners {{ "{self.port()}"; }}
                    routes {{ route "{route}" {{ normalization "as-is"; respond; }} }} }}""",
                                   wait=False)
                self.assertEqual(river.process.wait(10), 1)
                self.assertIn("no request reaches this route", river.errors())


if __name__ == "__main__":
    main()
