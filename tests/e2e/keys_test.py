"""Private keys: whose memory holds them. Every process of a River is searched for a key's secret
numbers and for its text, after all that makes processes or reads files: only workers may hold
any. That they do shows that the search finds what is there."""

import os
import re
import shutil
import signal
import ssl
import unittest

from certificates import Authority, openssl
from harness import (River, Test, always, answer, command, connect, get, is_sanitized, main, proxy,
                     wait_until)
from memory import family, holds, name_of, nursery_of

NUMBERS = re.compile(r"^(priv|privateExponent|prime1|prime2):\n((?:    [0-9a-f:]+\n)+)",
                     re.MULTILINE)
LINE = 64  # characters of base64
RENEWAL_SECONDS = 30  # two looks of ten seconds, and some


def secrets_of(path):
    """What must not be seen of a key: its numbers from both ends, and the lines of its text."""
    shown = openssl("pkey", "-in", path, "-text", "-noout")
    texts = []
    for _, digits in NUMBERS.findall(shown):
        number = bytes.fromhex(re.sub(r"[\s:]", "", digits)).lstrip(b"\0")
        texts += [number, number[::-1]]
    with open(path, "rb") as file:
        text = file.read()
    key = re.search(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\n(.*?)-----END", text, re.DOTALL)[1]
    texts += [line for line in key.split(b"\n") if len(line) == LINE]
    assert len(texts) > 2 and all(len(t) >= 24 for t in texts), texts
    return texts


def append(path, *others):
    with open(path, "ab") as to:
        for other in others:
            with open(other, "rb") as file:
                to.write(file.read())
    return path


@unittest.skipUnless(os.geteuid() == 0 and not is_sanitized(),
                     "memory of others is root's to read, and a sanitizer has memory of its own")
class Keys(Test):
    def setUp(self):
        self.place = self.directory()
        self.authority = Authority(self.place, "ca")
        self.secrets = []

    def pair(self, name, kind="ecdsa"):
        made = self.authority.issue(name, names=["a.example"], kind=kind)
        self.secrets += secrets_of(made.key)
        return made

    def tls(self, port, pair, more="", connector="127.0.0.1:1"):
        return proxy(f'{port} cert-path="{pair.chain}" key-path="{pair.key}"', connector, more)

    def start(self, services, **options):
        self.port_ = self.port()
        river = self.own(River(services(self.port_), **options))
        river.deaths_expected = True
        return river

    def ask(self, port):
        context = ssl.create_default_context(cafile=self.authority.pem)
        with context.wrap_socket(connect(port).socket, server_hostname="a.example") as peer:
            peer.sendall(get("/").encode() if isinstance(get("/"), str) else get("/"))
            return int(peer.recv(64).split(b" ")[1])

    def check(self, supervisor, workers):
        """Nobody but these workers holds anything; each of them holds something."""
        processes = family(supervisor)
        self.assertIn("river-nursery", [name_of(pid) for pid in processes])
        for pid in processes:
            found = holds(pid, self.secrets)
            if pid in workers:
                self.assertTrue(found, "the worker has no key: the search is blind")
            else:
                self.assertEqual(found, set(), f"{name_of(pid)} {pid} of {processes}")

    def replace(self, pair, name, kind="ecdsa"):
        """Another certificate and key in the same files."""
        fresh = self.pair(name, kind)
        shutil.copy(fresh.chain, pair.chain)
        shutil.copy(fresh.key, pair.key)

    @staticmethod
    def supervisor_of(river):
        try:
            return river.status()["supervisor_pid"]
        except OSError:
            return 0

    def next_worker(self, river, old):
        def found():
            try:
                pid = river.status()["worker_pid"]
            except (OSError, ValueError):
                return None
            return pid if pid not in (0, old) and river.is_up() else None
        return wait_until(found, "the next worker")

    def test_from_start_to_upgrade(self):
        pair = self.pair("first")
        river = self.start(lambda port: self.tls(port, pair))
        worker = river.status()["worker_pid"]
        self.assertEqual(self.ask(self.port_), 502)
        self.check(river.pid, [worker])

        self.replace(pair, "second", "rsa")
        done = command("reload", "--wait", "--control-socket", river.control)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.check(river.pid, [worker])

        done = command("reload", "--rollback", "--wait", "--control-socket", river.control)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.check(river.pid, [worker])

        os.kill(worker, signal.SIGSEGV)
        worker = self.next_worker(river, worker)
        self.assertEqual(self.ask(self.port_), 502)
        self.check(river.pid, [worker])

        # The next nursery is a fork of a supervisor that has read keys.
        os.kill(nursery_of(river.pid), signal.SIGKILL)
        wait_until(lambda: "the nursery died" in river.errors(), "it is noticed")
        os.kill(worker, signal.SIGKILL)
        worker = self.next_worker(river, worker)
        self.check(river.pid, [worker])

        self.replace(pair, "third", "ed25519")
        wait_until(lambda: "certificates renewed" in river.errors(), "a renewal", RENEWAL_SECONDS)
        self.check(river.pid, [worker])

        done = command("upgrade", "--control-socket", river.control)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        successor = int(done.stdout.split()[2])
        self.addCleanup(river.wait)
        self.addCleanup(os.kill, successor, signal.SIGINT)
        wait_until(lambda: self.supervisor_of(river) == successor, "it has the socket")
        self.assertEqual(self.ask(self.port_), 502)
        self.check(successor, [river.status()["worker_pid"]])

    def test_a_certificate_and_its_key_in_one_file(self):
        made = self.pair("both")
        append(made.chain, made.key)
        made.key = made.chain
        river = self.start(lambda port: self.tls(port, made))
        self.assertEqual(self.ask(self.port_), 502)
        self.check(river.pid, [river.status()["worker_pid"]])
        shown = river.status()["certificates"]
        self.assertEqual([row["names"] for row in shown], [["a.example"]])

    def test_a_key_that_only_stands_beside_the_certificate(self):
        """Its file is not named as a key's."""
        made = self.pair("bundle")
        append(made.chain, made.key)
        river = self.start(lambda port: self.tls(port, made))
        self.assertEqual(self.ask(self.port_), 502)
        self.check(river.pid, [river.status()["worker_pid"]])

    def test_what_river_shows_to_origins(self):
        made = self.pair("own")
        river = self.start(lambda port: proxy(
            port, f'127.0.0.1:1 tls-sni="a.example" ca-path="{self.authority.pem}" '
                  f'client-cert-path="{made.chain}" client-key-path="{made.key}"'))
        self.check(river.pid, [river.status()["worker_pid"]])

    def test_in_the_background(self):
        pair = self.pair("daemon")
        port = self.port()
        river = self.own(River(self.tls(port, pair), wait=False,
                               flags=("--daemonize", "--pidfile", f"{self.directory()}/pid")))
        self.assertEqual(river.wait(), 0)
        status = river.status()
        self.addCleanup(os.kill, status["supervisor_pid"], signal.SIGINT)
        self.assertEqual(self.ask(port), 502)
        self.check(status["supervisor_pid"], [status["worker_pid"]])

    def test_what_the_supervisor_has_open_it_has_not_mapped(self):
        pair = self.pair("mapped")
        river = self.start(lambda port: self.tls(port, pair))
        with open(f"/proc/{river.pid}/maps", encoding="utf-8") as file:
            self.assertNotIn("river-secrets", file.read())
        links = [os.readlink(f"/proc/{river.pid}/fd/{fd}") for fd in
                 os.listdir(f"/proc/{river.pid}/fd")]
        self.assertEqual(len([l for l in links if "river-secrets" in l]), 1)

    def test_no_process_that_has_read_keys_stays(self):
        """A mistake in the configuration ends the reading early."""
        pair = self.pair("stays")
        river = self.start(lambda port: self.tls(port, pair))
        other = self.pair("other")
        shutil.copy(other.key, pair.key)
        done = command("reload", "--wait", "--control-socket", river.control)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is not the key of the certificate beside it", done.stdout)
        worker = river.status()["worker_pid"]
        self.assertEqual(len(family(river.pid)), 3)  # with supervisor and nursery
        self.check(river.pid, [worker])


if __name__ == "__main__":
    main()
