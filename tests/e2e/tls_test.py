"""TLS as an operator meets it: mistakes in the configuration, the status, and renewal."""

import os
import shutil
import signal
import time

import certificates
from harness import Test, command, main, proxy, wait_until


class TlsTest(Test):
    """A directory with an authority and one certificate, site.pem."""

    def setUp(self):
        self.place = self.directory()
        self.authority = certificates.Authority(self.place, "ca")
        self.site = self.authority.issue("site", ["a.example", "*.b.example"])

    def path(self, name):
        return os.path.join(self.place, name)

    def listener(self, port, pair=None, more=""):
        pair = pair or self.site
        return f'{port} cert-path="{pair.chain}" key-path="{pair.key}" {more}'


class Mistakes(TlsTest):
    def check(self, listener, connector="127.0.0.1:1"):
        path = self.path("river.kdl")
        with open(path, "w", encoding="utf-8") as file:
            file.write("services {\n" + proxy(listener, connector) + "}\n")
        return command("check", path)

    def expect(self, result, *words):
        self.assertEqual(result.returncode, 1, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)
        self.assertIn("^^^", result.stderr)

    def test_a_good_pair_is_right(self):
        result = self.check(self.listener("127.0.0.1:1"))
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_files_that_are_missing_unreadable_or_no_files(self):
        result = self.check(f'127.0.0.1:1 cert-path="{self.place}" key-path="{self.path("no")}"')
        self.expect(result, ":4:25: error: cannot read", self.place + ": it is no file",
                    self.path("no") + ": there is no such thing")

    def test_files_that_are_something_else(self):
        with open(self.path("garbage"), "wb") as file:
            file.write(os.urandom(1000))
        garbage = certificates.Pair(self.path("garbage"), self.path("garbage"))
        self.expect(self.check(self.listener("127.0.0.1:1", garbage)), "is not a private key")
        wrong = certificates.Pair(self.site.chain, self.authority.issue("other").key)
        self.expect(self.check(self.listener("127.0.0.1:1", wrong)),
                    "other.key is not the key of the certificate beside it")

    def test_a_certificate_without_extensions(self):
        certificates.openssl("req", "-new", "-key", self.site.key, "-subj", "/CN=old", "-out",
                             self.path("v1.csr"))
        certificates.openssl("x509", "-req", "-in", self.path("v1.csr"), "-signkey", self.site.key,
                             "-out", self.path("v1.pem"))
        old = certificates.Pair(self.path("v1.pem"), self.site.key)
        self.expect(self.check(self.listener("127.0.0.1:1", old)),
                    "v1.pem is not a certificate chain: the first one is none of X.509 version 3")

    def test_a_key_with_a_password(self):
        certificates.openssl("rsa", "-aes128", "-passout", "pass:x", "-in",
                             self.authority.issue("r", kind="rsa").key, "-out", self.path("p.key"))
        locked = certificates.Pair(self.path("r.pem"), self.path("p.key"))
        self.expect(self.check(self.listener("127.0.0.1:1", locked)), "without a password")

    def test_an_expired_certificate_is_a_warning(self):
        old = self.authority.issue("old", ["a.example"],
                                   period=("20200101000000Z", "20210101000000Z"))
        result = self.check(self.listener("127.0.0.1:1", old))
        self.assertEqual(result.returncode, 0)
        self.assertIn("warning: this certificate expired on Fri, 01 Jan 2021 00:00:00 GMT",
                      result.stderr)

    def test_every_kind_of_key_is_taken(self):
        for kind in certificates.KINDS:
            pair = self.authority.issue("k-" + kind, ["a.example"], kind=kind)
            result = self.check(self.listener("127.0.0.1:1", pair))
            self.assertEqual((result.returncode, result.stderr), (0, ""), kind)
        certificates.openssl("ec", "-in", self.site.key, "-out", self.path("sec1.key"))
        sec1 = certificates.Pair(self.site.chain, self.path("sec1.key"))
        self.assertEqual(self.check(self.listener("127.0.0.1:1", sec1)).stderr, "")

    def test_the_mistakes_of_connectors(self):
        result = self.check("127.0.0.1:1", "127.0.0.1:2 tls-sni=\"a.example\" ca-path=\"/no\"")
        self.expect(result, "cannot read /no: there is no such thing")
        result = self.check("127.0.0.1:1", f'127.0.0.1:2 tls-sni="a" ca-path="{self.site.key}"')
        self.expect(result, "site.key holds no authorities")
        result = self.check("127.0.0.1:1", '127.0.0.1:2 tls-sni="a.example" verify=false')
        self.assertEqual(result.returncode, 0)
        self.assertIn(":7:35: warning: anyone between River and this origin",
                      result.stderr)


class Renewal(TlsTest):
    """The configuration is read once; certificates are read again."""

    def start(self, more="", **options):
        self.address = self.port()
        return self.river(proxy(self.listener(self.address, more=more), "127.0.0.1:1"), **options)

    def certificates(self, river):
        return river.status()["certificates"]

    def replace(self, pair, chain=True, key=True):
        for wanted, source, target in ((key, pair.key, self.site.key),
                                       (chain, pair.chain, self.site.chain)):
            if wanted:
                shutil.copy(source, target + ".new")
                os.rename(target + ".new", target)

    def test_the_status_lists_certificates(self):
        old = self.authority.issue("old", ["old.example"],
                                   period=("20200101000000Z", "20210101000000Z"))
        river = self.start(f'{{ certificate cert-path="{old.chain}" key-path="{old.key}"; }}')
        one, two = self.certificates(river)
        self.assertEqual(one["listener"], str(self.address))
        self.assertEqual(one["path"], self.site.chain)
        self.assertEqual(one["names"], ["a.example", "*.b.example"])
        self.assertEqual(one["subject"], "CN=site")
        self.assertEqual(one["state"], "valid")
        self.assertGreater(one["not_after_s"], time.time() + 3600 * 24 * 3000)
        self.assertEqual((two["state"], two["not_after_s"]), ("expired", 1609459200))
        text = command("status", "--control-socket", river.control).stdout
        self.assertRegex(text, r"LISTENER +EXPIRES +DAYS +STATE +CERTIFICATE\n")
        self.assertRegex(text, r" 20\d\d [\d:]+ GMT +3\d\d\d valid +\S+site.pem \(a.example,\*")
        self.assertRegex(text, r" 01 Jan 2021 00:00:00 GMT +-\d+ expired +\S+old.pem")

    def test_sighup_takes_new_certificates_for_this_worker_and_the_next(self):
        river = self.start()
        fresh = self.authority.issue("fresh", ["new.example"])
        self.replace(fresh)
        river.signal(signal.SIGHUP)
        wait_until(lambda: "configuration reloaded" in river.errors(), "the worker takes them")
        self.assertIn("new certificates", river.errors())
        self.assertEqual(self.certificates(river)[0]["names"], ["new.example"])
        worker = river.status()["worker_pid"]
        river.deaths_expected = True
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: river.status()["worker_pid"] not in (0, worker) and
                   river.status()["worker"], "another worker serves")
        self.assertEqual(self.certificates(river)[0]["names"], ["new.example"])

    def test_what_does_not_check_leaves_the_old_ones(self):
        river = self.start()
        fresh = self.authority.issue("fresh", ["new.example"])
        self.replace(fresh, key=False)
        river.signal(signal.SIGHUP)
        wait_until(lambda: "configuration not reloaded" in river.errors(), "it says so")
        self.assertIn(self.site.key, river.errors())
        self.assertEqual(self.certificates(river)[0]["names"], ["a.example", "*.b.example"])
        self.assertNotIn("configuration reloaded", river.errors())
        os.remove(self.site.key)
        river.signal(signal.SIGHUP)
        wait_until(lambda: "there is no such thing" in river.errors(), "it says so")
        self.replace(fresh)
        river.signal(signal.SIGHUP)  # it may have found them already, when it tried the rest
        wait_until(lambda: self.certificates(river)[0]["names"] == ["new.example"],
                   "the worker takes them")

    def test_broken_files_of_one_listener_do_not_hold_up_the_others(self):
        other = self.authority.issue("other", ["other.example"])
        second = self.port()
        self.address = self.port()
        river = self.river(proxy(self.listener(self.address) + "\n" +
                                 f'"{second}" cert-path="{other.chain}" key-path="{other.key}"',
                                 "127.0.0.1:1"))
        with open(other.key, "w", encoding="utf-8") as file:
            file.write("half of a key")
        self.replace(self.authority.issue("fresh", ["new.example"]))
        wait_until(lambda: "certificates renewed" in river.errors(), "it notices", 40)
        self.assertIn("certificates not renewed", river.errors())
        self.assertEqual([c["names"] for c in self.certificates(river)],
                         [["new.example"], ["other.example"]])

    def two_listeners(self):
        """The second one's key gets broken; the first one's certificate is to be renewed."""
        other = self.authority.issue("other", ["other.example"])
        second = self.port()
        self.address = self.port()
        river = self.river(proxy([self.listener(self.address), self.listener(second, other)],
                                 "127.0.0.1:1"), "watch true")
        with open(other.key, "w", encoding="utf-8") as file:
            file.write("half of a key")
        self.replace(self.authority.issue("fresh", ["new.example"]))
        return river

    def names(self, river):
        return [c["names"] for c in self.certificates(river)]

    def test_sighup_renews_the_others_where_one_is_broken(self):
        river = self.two_listeners()
        river.signal(signal.SIGHUP)
        wait_until(lambda: "certificates renewed" in river.errors(), "the others are renewed")
        self.assertIn("configuration not reloaded", river.errors())
        self.assertEqual(self.names(river), [["new.example"], ["other.example"]])

    def test_so_does_a_change_that_is_watched(self):
        river = self.two_listeners()
        wait_until(lambda: "certificates renewed" in river.errors(), "the others are renewed")
        self.assertEqual(self.names(river), [["new.example"], ["other.example"]])
        time.sleep(3)  # it looks every second, and what does not check is not tried for ever
        self.assertLess(river.errors().count("configuration not reloaded"), 4)

    def test_sighup_renews_also_where_the_text_has_a_mistake(self):
        river = self.start()
        self.replace(self.authority.issue("fresh", ["new.example"]))
        with open(river.config, "a", encoding="utf-8") as file:
            file.write("nonsense\n")
        river.signal(signal.SIGHUP)
        wait_until(lambda: "certificates renewed" in river.errors(), "they are renewed")
        self.assertEqual(self.names(river), [["new.example"]])

    def test_new_certificates_are_named_once_they_serve(self):
        river = self.start()
        self.replace(self.authority.issue("fresh", ["new.example"]))
        worker = river.status()["worker_pid"]
        river.deaths_expected = True
        os.kill(worker, signal.SIGSTOP)  # it is killed for that, before it can take them
        river.signal(signal.SIGHUP)
        wait_until(lambda: "configuration not reloaded" in river.errors(), "it says so", 30)
        self.assertNotIn("new certificates", river.errors())
        river.signal(signal.SIGHUP)
        wait_until(lambda: "configuration reloaded" in river.errors(), "the next one takes them")
        self.assertEqual(river.errors().count("new certificates"), 1)

    def test_other_options_are_no_new_certificates(self):
        river = self.start()
        with open(river.config, encoding="utf-8") as file:
            text = file.read()
        with open(river.config, "w", encoding="utf-8") as file:
            file.write(text.replace("key-path=", "offer-h2=false key-path="))
        river.signal(signal.SIGHUP)
        wait_until(lambda: "configuration reloaded" in river.errors(), "the worker takes it")
        self.assertNotIn("new certificates", river.errors())

    def test_an_expired_one_in_place_of_a_valid_one_is_a_warning(self):
        river = self.start()
        old = self.authority.issue("old", ["a.example"],
                                   period=("20200101000000Z", "20210101000000Z"))
        self.assertNotIn("has expired", river.errors())
        self.replace(old)
        river.signal(signal.SIGHUP)
        wait_until(lambda: "configuration reloaded" in river.errors(), "the worker takes it")
        wait_until(lambda: "certificate has expired" in river.errors(), "it warns")
        self.assertRegex(river.errors(), r'level=warn msg="certificate has expired" '
                         rf'listener={self.address} path={self.site.chain}')

    def test_certificates_of_connectors_are_listed_and_noted(self):
        own = self.authority.issue("own")
        old = self.authority.issue("old", period=("20200101000000Z", "20210101000000Z"))
        self.address = self.port()

        def shows(number, pair):
            return (f'127.0.0.1:{number} tls-sni="a.example" ca-path="{self.authority.pem}" '
                    f'client-cert-path="{pair.chain}" client-key-path="{pair.key}"')

        river = self.river(proxy(self.listener(self.address), [shows(1, own), shows(2, own)]) +
                           proxy(self.port(), shows(3, old), name="other"))
        one, two = river.status()["client_certificates"]
        self.assertEqual((one["service"], one["connector"], one["connectors"], one["path"],
                          one["subject"], one["state"]),
                         ("app", "127.0.0.1:1", 2, own.chain, "CN=own", "valid"))
        self.assertEqual((two["service"], two["connector"], two["state"], two["not_after_s"]),
                         ("other", "127.0.0.1:3", "expired", 1609459200))
        text = command("status", "--control-socket", river.control).stdout
        self.assertRegex(text, r"CONNECTOR +EXPIRES +DAYS +STATE +CERTIFICATE SHOWN TO IT\n")
        self.assertRegex(text, r"127.0.0.1:1 .*valid +\S+own.pem \(CN=own\), app, and 1 more\n")
        self.assertRegex(text, r"127.0.0.1:3 .* -\d+ expired +\S+old.pem \(CN=old\), other\n")
        self.assertRegex(river.errors(), r'level=warn msg="certificate has expired" '
                         rf'connector=127.0.0.1:3 path={old.chain}')

    def test_changed_files_are_noticed(self):
        river = self.start()
        self.replace(self.authority.issue("fresh", ["new.example"]))
        wait_until(lambda: "certificates renewed" in river.errors(), "it notices", 40)
        self.assertEqual(self.certificates(river)[0]["names"], ["new.example"])
        time.sleep(11)
        self.assertEqual(river.errors().count("certificates renewed"), 1)

    def test_a_key_log_belongs_to_its_owner(self):
        path = self.path("keys.log")
        river = self.start(f'{{ key-log-path "{path}"; }}')
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertIn("the secrets of TLS sessions are written to a file", river.errors())


if __name__ == "__main__":
    main()
