"""Lists of revoked certificates as an operator and as clients meet them: which ones count, what is
said of those that do not, and what happens when one expires while River runs."""

import os
import shutil
import signal
import socket
import ssl
import time

import certificates
from harness import (SECONDS, Peer, Test, always, answer, command, connect, get, main, proxy,
                     wait_until)

REFUSED = (ssl.SSLError, ConnectionError, EOFError, AssertionError)


def stamp(seconds):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))


class Lists(Test):
    """An authority with two keys, and clients of both."""

    def setUp(self):
        self.place = self.directory()
        self.authority = certificates.Authority(self.place, "ca")
        self.site = self.authority.issue("site", ["a.example"])
        name = "/CN=Clients"
        self.old = certificates.Authority(self.place, "old", subject=name)
        self.new = certificates.Authority(self.place, "new", subject=name)
        self.alice, self.bob = (self.old.issue(who) for who in ("alice", "bob"))
        self.carol, self.dave = (self.new.issue(who) for who in ("carol", "dave"))

    def path(self, name):
        return os.path.join(self.place, name)

    def joined(self, name, *paths):
        """The files, one behind the other, put in place at once."""
        with open(self.path(name + ".new"), "wb") as file:
            for path in paths:
                with open(path, "rb") as part:
                    shutil.copyfileobj(part, file)
        os.rename(self.path(name + ".new"), self.path(name))
        return self.path(name)

    def listener(self, port, crls, more="", roots=None):
        roots = roots or self.joined("roots.pem", self.old.pem, self.new.pem)
        return (f'{port} cert-path="{self.site.chain}" key-path="{self.site.key}" {{ '
                f'client-certificates "required" ca-path="{roots}" crl-path="{crls}" {more}; }}')

    def check(self, crls, more="", roots=None):
        path = self.path("river.kdl")
        with open(path, "w", encoding="utf-8") as file:
            file.write("services {\n" + proxy(self.listener("127.0.0.1:1", crls, more, roots),
                                              "127.0.0.1:1") + "}\n")
        return command("check", path)

    def start(self, crls, more="", system="", roots=None):
        origin = self.origin(always(answer("hello")))
        self.address = self.port()
        return self.river(proxy(self.listener(self.address, crls, more, roots), origin),
                          system=system)

    def gets(self, who):
        """Whether a client is served."""
        context = ssl.create_default_context(cafile=self.authority.pem)
        context.load_cert_chain(who.chain, who.key)
        peer = connect(self.address)
        try:
            peer.socket = context.wrap_socket(peer.socket, server_hostname="a.example")
            return peer.ask(get()).status == 200
        except REFUSED:
            return False
        finally:
            peer.close()

    # --- what `river check` says

    def test_a_good_list_is_silent(self):
        result = self.check(self.joined("c.crl", self.old.list("o", 1), self.new.list("n", 1)))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        newer = self.joined("c.crl", self.old.list("o", 1), self.old.list("o2", 2))
        result = self.check(newer)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_wrong_signature_is_a_mistake(self):
        result = self.check(self.old.list("o", 7, key_id=False), roots=self.new.pem)
        self.assertEqual(result.returncode, 1)
        self.assertIn("o.crl cannot be used as lists of revoked certificates: the signature of the "
                      "list of `CN=Clients` (number 7) is not of the authority's key",
                      result.stderr)
        self.assertIn("^^^", result.stderr)

    def test_a_list_of_no_known_authority_is_a_warning(self):
        other = certificates.Authority(self.place, "other")
        lists = self.joined("c.crl", self.old.list("o", 1), other.list("x", 3))
        result = self.check(lists)
        self.assertEqual(result.returncode, 0)
        self.assertIn("warning: the list of `CN=River test other` (number 3) is by none of the "
                      "authorities in `ca-path`", result.stderr)
        result = self.check(self.old.list("o", 7), roots=self.new.pem)  # it names another key
        self.assertEqual(result.returncode, 0)
        self.assertIn("(number 7) is by none of the authorities", result.stderr)

    def test_an_expired_list_is_a_warning(self):
        old = self.old.list("o", 4, period=("20200101000000Z", "20210101000000Z"))
        result = self.check(old)
        self.assertEqual(result.returncode, 0)
        self.assertIn("warning: the list of `CN=Clients` (number 4) expired on Fri, 01 Jan 2021 "
                      "00:00:00 GMT: it is used all the same", result.stderr)
        result = self.check(old, 'expired-crl="refuse"')
        self.assertEqual(result.returncode, 0)
        self.assertIn("00:00:00 GMT: clients of this authority are refused", result.stderr)
        newer = self.joined("c.crl", old, self.old.list("o5", 5))
        self.assertEqual(self.check(newer).stderr, "")

    def test_lists_of_one_number_are_said(self):
        one = self.old.list("o", 4)
        self.assertIn("(number 4) is listed twice",
                      self.check(self.joined("c.crl", one, one)).stderr)
        lists = self.joined("c.crl", one, self.old.list("o2", 4, [self.bob]))
        self.assertIn("(number 4) is not the only one with its number", self.check(lists).stderr)
        lists = self.joined("c.crl", self.old.list("late", 4, period=(stamp(-60), stamp(9999))),
                            self.old.list("early", 5, period=(stamp(-6000), stamp(9999))))
        self.assertIn("(number 5) is newer than another one by its number",
                      self.check(lists).stderr)

    def test_the_choice_needs_a_list(self):
        path = self.path("river.kdl")
        with open(path, "w", encoding="utf-8") as file:
            file.write("services {\n" + proxy(
                f'127.0.0.1:1 cert-path="{self.site.chain}" key-path="{self.site.key}" {{ '
                f'client-certificates "required" ca-path="{self.old.pem}" expired-crl="refuse"; }}',
                "127.0.0.1:1") + "}\n")
        result = command("check", path)
        self.assertEqual(result.returncode, 1)
        self.assertIn("`expired-crl` needs `crl-path` beside it", result.stderr)
        self.assertIn("accept", self.check(self.old.list("o", 1), 'expired-crl="no"').stderr)

    # --- clients

    def test_the_newest_list_counts_in_both_orders(self):
        before, after = self.old.list("o1", 1), self.old.list("o2", 2, [self.bob])
        for lists in ((before, after), (after, before)):
            self.start(self.joined("c.crl", *lists), roots=self.old.pem)
            self.assertTrue(self.gets(self.alice))
            self.assertFalse(self.gets(self.bob))

    def test_both_keys_of_an_authority_have_lists(self):
        one, two = self.old.list("o", 1, [self.bob]), self.new.list("n", 1, [self.dave])
        for lists in ((one, two), (two, one)):
            self.start(self.joined("c.crl", *lists))
            served = [self.gets(who) for who in (self.alice, self.bob, self.carol, self.dave)]
            self.assertEqual(served, [True, False, True, False])

    def test_a_renewal_with_a_wrong_signature_is_refused(self):
        lists = self.joined("c.crl", self.old.list("o", 1, key_id=False))
        river = self.start(lists, roots=self.old.pem)
        self.joined("c.crl", self.new.list("n", 2, key_id=False))
        wait_until(lambda: "certificates not renewed" in river.errors(), "it is refused", 40)
        self.assertIn("the signature of the list of `CN=Clients` (number 2) is not of the "
                      "authority's key", river.errors())
        self.assertTrue(self.gets(self.alice))
        self.joined("c.crl", self.old.list("o3", 3, [self.alice]))
        wait_until(lambda: "certificates renewed" in river.errors(), "a good one is taken", 40)
        self.assertFalse(self.gets(self.alice))
        self.assertTrue(self.gets(self.bob))

    def test_who_was_revoked_does_not_resume(self):
        """Its ticket is from before; a session that is resumed shows no certificate."""
        def ask(context, session=None):
            with socket.create_connection(self.address.address, SECONDS) as raw:
                with context.wrap_socket(raw, server_hostname="a.example",
                                         session=session) as secure:
                    self.assertEqual(Peer(secure).ask(get()).status, 200)
                    return secure.session, secure.session_reused

        lists = self.joined("c.crl", self.old.list("o", 1))
        river = self.start(lists, roots=self.old.pem)
        before = []
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=self.authority.pem)
            context.minimum_version = context.maximum_version = version
            context.load_cert_chain(self.bob.chain, self.bob.key)
            session, _ = ask(context)
            session, reused = ask(context, session)
            self.assertTrue(reused)
            before.append((context, session))
        self.joined("c.crl", self.old.list("o2", 2, [self.bob]))
        river.signal(signal.SIGHUP)
        wait_until(lambda: not self.gets(self.bob), "the list is taken", 40)
        for context, session in before:
            with self.assertRaises(REFUSED):
                ask(context, session)

    def test_a_list_expires_while_river_runs(self):
        lists = self.old.list("o", 1, period=(stamp(-60), stamp(6)))
        river = self.start(lists, 'expired-crl="refuse"', "watch true", roots=self.old.pem)
        self.assertTrue(self.gets(self.alice))
        self.assertNotIn("expired", river.errors())
        wait_until(lambda: not self.gets(self.alice), "its clients are refused")
        wait_until(lambda: "list of revoked certificates has expired" in river.errors(),
                   "it says so")
        self.assertEqual(river.errors().count("list of revoked certificates has expired"), 1)
        self.assertEqual(river.status()["worker"]["faults"].get("tls-certificate", 0) > 0, True)
        row, = river.status()["revocation_lists"]
        self.assertEqual(row["state"], "expired")

    def test_an_expired_list_is_used_and_said(self):
        lists = self.old.list("o", 1, [self.bob], period=(stamp(-600), stamp(-60)))
        river = self.start(lists, roots=self.old.pem)
        self.assertTrue(self.gets(self.alice))
        self.assertFalse(self.gets(self.bob))
        self.assertIn("list of revoked certificates has expired", river.errors())

    def test_the_status_has_the_lists(self):
        other = certificates.Authority(self.place, "other")
        lists = self.joined("c.crl", self.old.list("o1", 1), self.old.list("o2", 2),
                            other.list("x", 3), self.new.list(
                                "n", 9, period=("20200101000000Z", "20210101000000Z")))
        river = self.start(lists)
        rows = river.status()["revocation_lists"]
        self.assertEqual([(r["number"], r["state"]) for r in rows],
                         [("1", "superseded"), ("2", "valid"), ("3", "unknown issuer"),
                          ("9", "expired")])
        self.assertEqual({r["path"] for r in rows}, {lists})
        self.assertEqual(rows[3]["issuer"], "CN=Clients")
        self.assertEqual((rows[3]["this_update_s"], rows[3]["next_update_s"]),
                         (1577836800, 1609459200))
        text = command("status", "--control-socket", river.control).stdout
        self.assertRegex(text, r"LISTENER +NEXT UPDATE +DAYS +STATE +REVOKED CERTIFICATES\n")
        self.assertRegex(text, r" 01 Jan 2021 00:00:00 GMT +-\d+ expired +\S+c.crl "
                               r"\(CN=Clients, number 9\)")


if __name__ == "__main__":
    main()
