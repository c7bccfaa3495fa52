"""OCSP responses as an operator and as clients meet them: good ones are stapled until they end,
others are not, and River says why."""

import os
import shutil
import subprocess
import time

import certificates
from ocsp import answer as respond
from harness import SECONDS, Test, always, answer, command, main, proxy, wait_until


class Staples(Test):
    """An authority, a certificate, and a file for its response."""

    def setUp(self):
        self.place = self.directory()
        self.authority = certificates.Authority(self.place, "ca")
        self.site = self.authority.issue("site", ["a.example"])
        self.response = os.path.join(self.place, "site.ocsp")

    def write(self, about=None, **more):
        """Puts a response in place at once."""
        more.setdefault("certs", [self.authority.pem])
        respond(about or self.site, self.authority, self.response + ".new", **more)
        os.rename(self.response + ".new", self.response)

    def put(self, pair):
        """Another certificate takes the place of the site's."""
        for source, target in ((pair.key, self.site.key), (pair.chain, self.site.chain)):
            shutil.copy(source, target + ".new")
            os.rename(target + ".new", target)

    def add_authority(self, pair):
        """Behind the certificate: curl takes the issuer from the chain alone."""
        with open(pair.chain, "ab") as chain, open(self.authority.pem, "rb") as file:
            chain.write(file.read())
        return pair

    def services(self, port, origin):
        return proxy(f'{port} cert-path="{self.site.chain}" key-path="{self.site.key}" '
                     f'ocsp-path="{self.response}"', origin)

    def check(self):
        path = os.path.join(self.place, "river.kdl")
        with open(path, "w", encoding="utf-8") as file:
            file.write("services {\n" + self.services("127.0.0.1:1", "127.0.0.1:1") + "}\n")
        return command("check", path)

    def start(self, system=""):
        self.address = self.port()
        return self.river(self.services(self.address, self.origin(always(answer("hello")))),
                          system=system)

    def stapled(self, version="-tls1_3"):
        """What openssl says of the response that it gets, None where it gets none."""
        done = subprocess.run(["openssl", "s_client", "-connect", str(self.address), version,
                               "-servername", "a.example", "-CAfile", self.authority.pem,
                               "-status"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=SECONDS, check=False)
        self.assertIn("Verify return code: 0", done.stdout)
        if "OCSP response: no response sent" in done.stdout:
            return None
        return done.stdout

    def curl(self):
        """Whether a client that insists on a response is served."""
        done = subprocess.run(["curl", "-s", "--cert-status", "--cacert", self.authority.pem,
                               "--connect-to", f"a.example:443:{self.address}",
                               "https://a.example/"], capture_output=True, text=True,
                              timeout=SECONDS, check=False)
        return done.stdout == "hello"

    def expect_not(self, words):
        """It loads, is not stapled, and this is said everywhere."""
        result = self.check()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("warning: this response is not stapled: " + words, result.stderr)
        self.assertIn("^^^", result.stderr)
        river = self.start()
        self.assertIsNone(self.stapled())
        self.assertIsNone(self.stapled("-tls1_2"))
        self.assertIn("OCSP response not stapled", river.errors())
        self.assertIn(words.replace('"', '\\"'), river.errors())
        row, = river.status()["certificates"]
        self.assertEqual((row["ocsp"]["stapled"], row["ocsp"]["path"]), (False, self.response))
        self.assertTrue(row["ocsp"]["why"].startswith(words), row)
        text = command("status", "--control-socket", river.control).stdout
        self.assertIn(", OCSP not stapled: " + words, text)

    def test_a_good_one_is_stapled(self):
        self.add_authority(self.site)
        for more in ({}, {"named": "key"}, {"digest": "sha256"}):
            self.write(**more)
            result = self.check()
            self.assertEqual((result.returncode, result.stderr), (0, ""), more)
            river = self.start()
            for version in ("-tls1_2", "-tls1_3"):
                self.assertIn("OCSP Response Status: successful", self.stapled(version))
            if "digest" not in more:  # openssl's own question is by SHA-1
                self.assertTrue(self.curl())
            row, = river.status()["certificates"]
            self.assertTrue(row["ocsp"]["stapled"])
            self.assertGreater(row["ocsp"]["until_s"], time.time() + 80000)
            text = command("status", "--control-socket", river.control).stdout
            self.assertRegex(text, r"site.pem \(a.example\), OCSP until \w\w\w, \d\d ")

    def test_one_of_a_delegated_responder(self):
        responder = self.authority.issue("responder", usage="OCSPSigning")
        self.add_authority(self.site)
        self.write(signer=responder, certs=[responder.chain, self.authority.pem])
        self.assertEqual(self.check().stderr, "")
        self.start()
        self.assertTrue(self.curl())

    def test_of_a_responder_that_was_not_delegated(self):
        responder = self.authority.issue("responder")
        self.write(signer=responder, certs=[responder.chain, self.authority.pem])
        self.expect_not("it is signed by somebody who may not speak for the authority")

    def test_expired(self):
        self.write(since=time.time() - 9000, until=time.time() - 60)
        self.expect_not("it has expired")

    def test_of_the_future(self):
        self.write(since=time.time() + 5000, until=time.time() + 9000)
        self.expect_not("it does not hold yet")

    def test_about_another_certificate(self):
        self.write(about=self.authority.issue("other"))
        self.expect_not("it is about another certificate")

    def test_revoked(self):
        self.write(status="revoked")
        self.expect_not("it says that the certificate is revoked")

    def test_try_later(self):
        self.write(outcome=3)
        self.expect_not("the responder has not answered, but said tryLater")

    def test_junk_and_nothing(self):
        for content in (b"0junk", b""):
            with open(self.response, "wb") as file:
                file.write(content)
            self.expect_not("it is not an OCSP response in DER form")

    def test_a_wrong_signature(self):
        self.write(spoil=True)
        self.expect_not("its signature is wrong")

    def test_without_the_authority(self):
        self.write(certs=[])
        self.expect_not("it cannot be verified: the authority's certificate stands neither in it")
        self.add_authority(self.site)
        self.assertEqual(self.check().stderr, "")

    def test_it_ends_while_river_runs(self):
        self.write(until=time.time() + 6)
        river = self.start("watch true")
        self.assertIsNotNone(self.stapled())
        self.assertNotIn("not stapled", river.errors())
        wait_until(lambda: self.stapled() is None, "it is not stapled any more")
        wait_until(lambda: "OCSP response not stapled" in river.errors(), "it says so")
        self.assertIn("it has expired", river.errors())
        time.sleep(2)
        self.assertEqual(river.errors().count("OCSP response not stapled"), 1)
        row, = river.status()["certificates"]
        self.assertEqual(row["ocsp"]["why"], "it has expired")
        self.write()
        wait_until(lambda: self.stapled() is not None, "the next one is", 30)

    def test_it_begins_while_river_runs(self):
        self.write(since=time.time() + 4)
        self.start()
        self.assertIsNone(self.stapled())
        wait_until(lambda: self.stapled() is not None, "it holds from now on")

    def test_a_renewed_certificate_with_the_old_response(self):
        self.write()
        river = self.start()
        fresh = self.add_authority(self.authority.issue("fresh", ["a.example"]))
        self.put(fresh)
        wait_until(lambda: "certificates renewed" in river.errors(), "it notices", 40)
        self.assertIsNone(self.stapled())
        wait_until(lambda: "it is about another certificate" in river.errors(), "it says so")
        self.assertNotIn("certificates not renewed", river.errors())
        self.write(about=fresh)
        wait_until(lambda: self.stapled() is not None, "the next response is taken", 40)
        self.assertTrue(self.curl())


if __name__ == "__main__":
    main()
