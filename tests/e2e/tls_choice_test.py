"""Which certificate a client is shown, by what it can verify, and what one hears that can verify
none. The client is openssl s_client."""

import re
import subprocess

import certificates
from harness import SECONDS, Test, always, answer, command, main, proxy, wait_until

P384 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"]


class Choice(Test):
    def setUp(self):
        self.place = self.directory()
        self.authority = certificates.Authority(self.place, "ca")
        certificates.KINDS["p384"] = P384
        self.rsa = self.authority.issue("rsa", ["a.example"], kind="rsa")
        self.p384 = self.authority.issue("p384", ["a.example"], kind="p384")

    def start(self, first, *others):
        origin = self.origin(always(answer("hello")))
        self.listen = self.port()
        more = "\n".join(f'certificate cert-path="{p.chain}" key-path="{p.key}"' for p in others)
        return self.river(proxy(f'{self.listen} cert-path="{first.chain}" key-path="{first.key}" '
                                f'{{\n{more}\n}}', origin), threads=1)

    def shown(self, *words, name="a.example"):
        """The key of the certificate that such a client is shown, or the alert that it gets."""
        asked = ["-servername", name] if name else ["-noservername"]
        done = subprocess.run(["openssl", "s_client", "-connect", str(self.listen), *asked,
                               "-CAfile", self.authority.pem, *words],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=SECONDS, check=False)
        alert = re.search(r"alert ([a-z ]+):", done.stderr)
        if alert:
            return alert[1]
        self.assertIn("Verify return code: 0", done.stdout, done.stderr)
        return re.search(r"Peer signature type: (\w+)", done.stdout)[1].lower()

    def test_the_groups_of_a_client_say_which_curves_it_knows(self):
        for pairs in ((self.p384, self.rsa), (self.rsa, self.p384)):
            self.start(*pairs)
            for groups, kind in (("P-256", "rsa"), ("X25519:P-256", "rsa"), ("P-384", "ecdsa"),
                                 ("P-256:P-384", "ecdsa")):
                self.assertEqual(self.shown("-tls1_2", "-groups", groups), kind, groups)
            # Who could do nothing with the other one is shown it all the same, as it always was.
            self.assertEqual(self.shown("-tls1_3", "-groups", "P-256", "-sigalgs",
                                        "ECDSA+SHA384:ECDSA+SHA256"), "ecdsa")

    def test_without_a_name_the_kinds_of_the_listener_s_own_are_the_choice(self):
        ecdsa = self.authority.issue("ecdsa", ["a.example", "www.a.example"])
        other = self.authority.issue("other", ["b.example"])
        for own, second in ((self.rsa, ecdsa), (ecdsa, self.rsa)):
            self.start(own, other, second)
            for name in (None, "unknown.example"):
                self.assertEqual(self.shown(name=name), "ecdsa")
                self.assertEqual(self.shown("-sigalgs", "RSA-PSS+SHA256", name=name), "rsa")
        # One that has no DNS name stands alone, and so does one whose first name no other has.
        address = self.authority.issue("address", ["IP:127.0.0.1"], kind="rsa")
        for own in (address, self.authority.issue("c", ["c.example", "a.example"], kind="rsa")):
            self.start(own, ecdsa)
            self.assertEqual(self.shown(name=None), "rsa")
            self.assertEqual(self.shown("-sigalgs", "ECDSA+SHA256", name=None),
                             "handshake failure")

    def test_a_client_that_can_verify_none_gets_an_alert(self):
        river = self.start(self.p384)  # whose signatures are made with SHA-384 alone
        self.assertEqual(self.shown("-tls1_2", "-sigalgs", "ECDSA+SHA256"), "handshake failure")
        self.assertEqual(self.shown("-tls1_3", "-sigalgs", "ECDSA+SHA256"), "handshake failure")
        self.assertEqual(self.shown("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"),
                         "handshake failure")
        self.assertEqual(river.status()["worker"]["faults"], {"tls-suite": 3})
        wait_until(lambda: river.errors().count("tls-suite") == 3, "the log names it")

    def test_a_certificate_that_nobody_will_see_is_a_warning(self):
        nameless = self.authority.issue("nameless")
        address = self.authority.issue("address", ["IP:127.0.0.1"])
        path = f"{self.place}/river.kdl"
        for pair in (nameless, address, self.rsa):
            with open(path, "w", encoding="utf-8") as file:
                file.write("services {\n" + proxy(
                    f'127.0.0.1:1 cert-path="{pair.chain}" key-path="{pair.key}" {{\n'
                    f'certificate cert-path="{pair.chain}" key-path="{pair.key}"\n}}',
                    "127.0.0.1:2") + "}\n")
            result = command("check", path)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(result.stderr.count("has no DNS name, so no client will be shown it"),
                             0 if pair is self.rsa else 1)


if __name__ == "__main__":
    main()
