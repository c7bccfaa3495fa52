"""What origins are told about the client: replaced when it lies, appended to when it is trusted."""

import re

from harness import Test, always, answer, get, main, proxy

LIES = ("X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example",
        "X-Real-IP: 6.6.6.6", "Forwarded: for=6.6.6.6;proto=https")
ALL = """forwarded-headers { x-forwarded-for true; x-forwarded-proto true; x-forwarded-host true
x-real-ip true; forwarded true; }
"""
TRUST = 'client-ip { trusted-proxies "127.0.0.0/8, 10.0.0.0/8"; }\n'


class Forwarded(Test):
    def request(self, more, *fields):
        seen = []
        port, _, _ = self.serve(always(answer("x"), seen), more)
        self.assertEqual(self.connect(port).ask(get("/", *fields)).status, 200)
        return seen[0]

    def test_the_defaults(self):
        seen = self.request("")
        self.assertEqual(seen.all("x-forwarded-for"), ["127.0.0.1"])
        self.assertEqual(seen.all("x-forwarded-proto"), ["http"])
        self.assertEqual(seen.all("x-forwarded-host"), ["a.example"])
        self.assertEqual(seen.all("x-real-ip"), [])
        self.assertEqual(seen.all("forwarded"), [])
        self.assertEqual(seen.get("host"), "a.example")

    def test_an_untrusted_client_is_not_believed(self):
        seen = self.request(ALL, *LIES)
        self.assertEqual(seen.all("x-forwarded-for"), ["127.0.0.1"])
        self.assertEqual(seen.all("x-forwarded-proto"), ["http"])
        self.assertEqual(seen.all("x-forwarded-host"), ["a.example"])
        self.assertEqual(seen.all("x-real-ip"), ["127.0.0.1"])
        self.assertEqual(len(seen.all("forwarded")), 1)
        self.assertNotIn(b"6.6.6.6", seen.raw)
        self.assertNotIn(b"evil", seen.raw)
        self.assertRegex(seen.get("forwarded"), r'for="?127\.0\.0\.1"?')

    def test_what_is_not_written_is_not_passed_on_from_the_untrusted_either(self):
        seen = self.request("", *LIES)
        self.assertNotIn(b"6.6.6.6", seen.raw)

    def test_a_trusted_proxy_is_appended_to(self):
        seen = self.request(ALL + TRUST, *LIES)
        entries = ", ".join(seen.all("x-forwarded-for")).split(", ")
        self.assertEqual(entries, ["6.6.6.6", "127.0.0.1"])
        self.assertEqual(seen.all("x-forwarded-proto"), ["https"])
        self.assertEqual(seen.all("x-forwarded-host"), ["evil.example"])
        forwarded = ", ".join(seen.all("forwarded"))
        self.assertRegex(forwarded, r"^for=6\.6\.6\.6;proto=https, ")
        self.assertIn("127.0.0.1", forwarded)

    def test_switched_off(self):
        seen = self.request("forwarded-headers { x-forwarded-for false; x-forwarded-proto false\n"
                            "x-forwarded-host false; }", *LIES)
        self.assertFalse([n for n, _ in seen.fields if n.lower().startswith("x-forwarded")])


class RequestId(Test):
    def ask(self, more, *fields):
        seen = []
        port, _, _ = self.serve(always(answer("x"), seen), more)
        self.connect(port).ask(get("/", *fields))
        return seen[0]

    def test_one_is_made(self):
        self.assertTrue(re.fullmatch(r"[0-9a-f]{32}", self.ask("").get("x-request-id")))

    def test_a_sane_one_is_kept_and_an_insane_one_is_not(self):
        self.assertEqual(self.ask("", "X-Request-Id: abc-123").all("x-request-id"), ["abc-123"])
        replaced = self.ask("", 'X-Request-Id: a b"c').all("x-request-id")
        self.assertEqual(len(replaced), 1)
        self.assertTrue(re.fullmatch(r"[0-9a-f]{32}", replaced[0]))

    def test_it_can_be_refused_and_renamed(self):
        more = 'request-id { header "x-trace"; accept false; }'
        seen = self.ask(more, "X-Trace: mine")
        self.assertEqual(len(seen.all("x-trace")), 1)
        self.assertNotEqual(seen.get("x-trace"), "mine")


class Host(Test):
    def test_two_services_with_hosts_of_their_own(self):
        seen = []
        origin = self.origin(always(answer("x"), seen))
        ports = [self.port(), self.port()]
        self.river(proxy(ports[0], origin, 'host "one.example:81"', name="one") +
                   proxy(ports[1], origin, name="two"))
        for port in ports:
            self.connect(port).ask(get())
        self.assertEqual([r.get("host") for r in seen], ["one.example:81", "a.example"])


if __name__ == "__main__":
    main()
