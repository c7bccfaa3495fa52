"""One spelling for each path: what the origin sees, what is refused, and what each switch does."""

from harness import Test, always, answer, get, main

# target, what the origin sees (None: 400)
PATHS = [
    ("/a/./b", "/a/b"), ("/a/../b", "/b"), ("/a/b/..", "/a/"), ("/a/b/.", "/a/b/"),
    ("//a///b", "/a/b"), ("/%61%2e", "/a."), ("/a/%2e%2E/b", "/b"), ("/%7euser", "/~user"),
    ("/a%2bb%c3%a4", "/a%2Bb%C3%A4"), ("/a?x=/../%2f//", "/a?x=/../%2f//"), ("/", "/"),
    ("/.hidden/..x/...", "/.hidden/..x/..."), ("/..", None), ("/a/../../b", None),
    ("/%2e%2e/etc", None), ("/a%2fb", None), ("/a%5cb", None), ("/a%00", None), ("/a%0d%0ab", None),
    ("/a%7f", None), ("/a%", None), ("/a%zz", None), ("/a%2", None),
]
OFF = "normalization { default false }"


class Normalization(Test):
    def start(self, more="", system=""):
        seen = []
        port, _origin, river = self.serve(always(answer("x"), seen), more, system)
        return port, seen, river

    def ask(self, port, target, *fields):
        return self.connect(port).ask(get(target, *fields))

    def test_paths_have_one_spelling_by_default(self):
        port, seen, _river = self.start()
        for target, wanted in PATHS:
            with self.subTest(target):
                seen.clear()
                response = self.ask(port, target)
                self.assertEqual(response.status, 200 if wanted else 400)
                self.assertEqual([m.target for m in seen], [wanted] if wanted else [])

    def test_nothing_changes_when_it_is_off(self):
        port, seen, _river = self.start(OFF)
        for target, _wanted in PATHS:
            with self.subTest(target):
                seen.clear()
                self.assertEqual(self.ask(port, target).status, 200)
                self.assertEqual([m.target for m in seen], [target])

    def test_each_switch_governs_its_own_rewrite(self):
        rows = [("dot-segments", "/a//./b%61/%2f%zz", "/a//b%61/%2f%zz"),
                ("duplicate-slashes", "/a//./b%61/%2f%zz", "/a/./b%61/%2f%zz"),
                ("percent-encoding", "/a//./b%61/%2f", "/a//./ba/%2F"),
                ("encoded-separators", "/a//./b%61/%zz", "/a//./b%61/%zz"),
                ("encoded-separators", "/a%2fb", None), ("control-characters", "/a%00", None),
                ("control-characters", "/a%2f//.", "/a%2f//."), ("percent-encoding", "/%zz", None)]
        for switch, target, wanted in rows:
            with self.subTest(switch, target=target):
                port, seen, _river = self.start(
                    f"normalization {{ default false; {switch} true }}")
                self.assertEqual(self.ask(port, target).status, 200 if wanted else 400)
                self.assertEqual([m.target for m in seen], [wanted] if wanted else [])

    def test_matrix_parameters(self):
        rows = [("pass", "/admin;a=b", "/admin;a=b"), ("pass", "/x/..;/admin", "/x/..;/admin"),
                ("strip", "/admin;a=b", "/admin"), ("strip", "/x/..;/admin", "/admin"),
                ("strip", "/x/..;a=b/admin;?q;r", "/admin?q;r"), ("strip", "/a%3bb", "/a%3Bb"),
                ("reject", "/admin;a=b", None), ("reject", "/x/..;/admin", None),
                ("reject", "/a?q;r", "/a?q;r")]
        for word, target, wanted in rows:
            with self.subTest(word, target=target):
                port, seen, _river = self.start(
                    f'normalization {{ matrix-parameters "{word}"; }}')
                self.assertEqual(self.ask(port, target).status, 200 if wanted else 400)
                self.assertEqual([m.target for m in seen], [wanted] if wanted else [])

    def test_a_route_is_not_passed_by_with_a_matrix_parameter(self):
        port = self.port()
        origin = self.origin(always(answer("open")))
        self.river(f"""app {{ listeners {{ "{port}" }}
            normalization {{ matrix-parameters "strip"; }}
            routes {{
                route "/admin" {{ respond status=403; }}
                route "/" {{ connectors {{ "{origin}" }}; }}
            }}
            }}""")
        for target in ("/admin", "/admin;a=b", "/x/..;/admin", "/;/admin"):
            self.assertEqual(self.ask(port, target).status, 403, target)
        self.assertEqual(self.ask(port, "/a;b").body, b"open")

    def test_the_file_says_how_a_refusal_looks(self):
        port, seen, river = self.start('normalization { status 404; body "no\\n" }')
        for text in (get("/.."), get("/").replace(b"Host: a.example\r\n", b"")):
            response = self.connect(port).ask(text)
            self.assertEqual((response.status, response.body), (404, b"no\n"))
        self.assertEqual(seen, [])
        faults = river.status()["worker"]["faults"]
        self.assertEqual(faults["normalization-dot-segments"], 1)
        port, _seen, _river = self.start("normalization { host false; status 404 }")
        text = get("/").replace(b"Host: a.example\r\n", b"")
        self.assertEqual(self.connect(port).ask(text).status, 400)

    def test_the_reason_names_the_rule(self):
        rows = [("/..", "dot-segments"), ("/a/../..", "dot-segments"),
                ("/a//../..", "dot-segments"),
                ("/@babel%2fcore", "encoded-separators"), ("/a%5cb", "encoded-separators"),
                ("/a%00", "control-characters"), ("/a%7f", "control-characters"),
                ("/100%", "percent-encoding"), ("/%zz", "percent-encoding"),
                ("/a;b", "matrix-parameters"), ("/a;%2f", "matrix-parameters")]
        port, _seen, river = self.start('normalization { matrix-parameters "reject"; }',
                                        'log { access "stdout"; }')
        for target, _rule in rows:
            self.assertEqual(self.ask(port, target).status, 400, target)
        records = river.logged(len(rows))
        self.assertEqual({r["target"]: r["reason"] for r in records},
                         {target: "normalization-" + rule for target, rule in rows})
        port, _seen, river = self.start("normalization { header-non-ascii true }",
                                        'log { access "stdout"; }')
        self.ask(port, "/", "X-A: \xe4")
        self.assertEqual(river.logged(1)[0]["reason"], "normalization-header-non-ascii")

    def test_values_that_are_not_ascii(self):
        port, _seen, _river = self.start()
        self.assertEqual(self.ask(port, "/", "X-A: \xe4").status, 200)
        port, _seen, _river = self.start("normalization { header-non-ascii true }")
        self.assertEqual(self.ask(port, "/", "X-A: \xe4").status, 400)
        self.assertEqual(self.ask(port, "/", "X-A: a").status, 200)


if __name__ == "__main__":
    main()
