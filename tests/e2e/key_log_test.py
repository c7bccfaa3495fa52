"""The file that TLS secrets are written to: nobody else can read it, no link leads elsewhere, and
it can be moved away while River runs."""

import os
import signal
import socket
import ssl
import unittest

import certificates
from harness import (SECONDS, Peer, Test, always, answer, command, get, main, proxy, wait_until)

SECRET = "SERVER_TRAFFIC_SECRET_0 "


class KeyLog(Test):
    def setUp(self):
        self.place = self.directory()
        self.authority = certificates.Authority(self.place, "ca")
        self.site = self.authority.issue("site", ["a.example"])
        self.path = os.path.join(self.place, "keys.log")
        self.other = os.path.join(self.place, "other")

    def listener(self, port, more="", pair=None):
        pair = pair or self.site
        return f'{port} cert-path="{pair.chain}" key-path="{pair.key}" {more}'

    def logging(self):
        return f'{{ key-log-path "{self.path}"; }}'

    def start(self, more=""):
        port = self.port()
        origin = self.origin(always(answer("hello")))
        return port, self.river(proxy(self.listener(port, more), origin))

    def handshake(self, port):
        context = ssl.create_default_context(cafile=self.authority.pem)
        raw = socket.create_connection(port.address, SECONDS)
        self.addCleanup(raw.close)
        peer = self.own(Peer(context.wrap_socket(raw, server_hostname="a.example")))
        self.assertEqual(peer.ask(get()).status, 200)

    def mode(self, path=None):
        return os.stat(path or self.path).st_mode & 0o777

    def secrets(self, path=None):
        with open(path or self.path, encoding="utf-8") as file:
            return file.read().count(SECRET)

    def refused(self, words):
        """A start fails, and says why."""
        text = proxy(self.listener(self.port(), self.logging()), "127.0.0.1:1")
        config = os.path.join(self.place, "river.kdl")
        with open(config, "w", encoding="utf-8") as file:
            file.write("services {\n" + text + "}\n")
        done = command("--config-kdl", config, "--control-socket",
                       os.path.join(self.place, "control.sock"))
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("cannot write the key log " + self.path + ": " + words, done.stderr)

    def test_a_file_that_others_could_read_is_closed_to_them_before_it_is_written(self):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("# before\n")
        os.chmod(self.path, 0o644)
        port, _ = self.start(self.logging())
        self.assertEqual(self.mode(), 0o600)
        self.handshake(port)
        self.assertEqual(self.secrets(), 1)
        with open(self.path, encoding="utf-8") as file:
            self.assertEqual(file.readline(), "# before\n")

    def test_links_are_not_followed(self):
        with open(self.other, "w", encoding="utf-8"):
            pass
        os.chmod(self.other, 0o644)
        os.symlink(self.other, self.path)
        self.refused("it is a symbolic link")
        os.remove(self.path)
        os.symlink(os.path.join(self.place, "nowhere"), self.path)
        self.refused("it is a symbolic link")
        self.assertFalse(os.path.exists(os.path.join(self.place, "nowhere")))
        os.remove(self.path)
        os.link(self.other, self.path)
        self.refused("it has another name, too (a hard link)")
        self.assertEqual((self.mode(self.other), os.path.getsize(self.other)), (0o644, 0))

    def test_what_is_no_plain_file_is_refused(self):
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.refused("it is no plain file")
        os.remove(self.path)
        os.mkdir(self.path)
        self.refused("")

    @unittest.skipUnless(os.getuid() == 0, "only root can give files away")
    def test_a_file_of_somebody_else_is_refused(self):
        with open(self.path, "w", encoding="utf-8"):
            pass
        os.chown(self.path, 65534, 65534)
        self.refused("it belongs to another user")

    def test_sigusr1_opens_it_again_for_this_worker_and_the_next(self):
        port, river = self.start(self.logging())
        self.handshake(port)
        os.rename(self.path, self.other)
        self.handshake(port)
        self.assertEqual(self.secrets(self.other), 2)
        river.signal(signal.SIGUSR1)
        wait_until(lambda: "logs opened again" in river.errors(), "the logs are opened again")
        self.assertEqual(self.mode(), 0o600)
        wait_until(lambda: river.status()["worker"], "the worker has taken its orders")
        self.handshake(port)
        self.assertEqual((self.secrets(), self.secrets(self.other)), (1, 2))
        worker = river.status()["worker_pid"]
        river.deaths_expected = True
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: river.status()["worker_pid"] not in (0, worker) and
                   river.status()["worker"], "another worker serves")
        self.handshake(port)
        self.assertEqual((self.secrets(), self.secrets(self.other)), (2, 2))

    def test_a_link_in_its_place_at_sigusr1_leaves_the_old_one(self):
        port, river = self.start(self.logging())
        os.rename(self.path, self.other)
        os.symlink(os.path.join(self.place, "trap"), self.path)
        river.signal(signal.SIGUSR1)
        wait_until(lambda: "a key log stays as it was" in river.errors(), "it says so")
        self.assertIn("it is a symbolic link", river.errors())
        self.handshake(port)
        self.assertEqual(self.secrets(self.other), 1)
        self.assertFalse(os.path.exists(os.path.join(self.place, "trap")))

    def test_listeners_that_name_one_file_share_it(self):
        first, second = self.port(), self.port()
        rsa = self.authority.issue("rsa", ["a.example"], kind="rsa")
        origin = self.origin(always(answer("hello")))
        river = self.river(proxy(self.listener(first, self.logging()) + "\n" +
                                 self.listener(f'"{second}"', self.logging(), rsa), origin))
        self.assertEqual(river.errors().count("the secrets of TLS sessions are written"), 1)
        os.rename(self.path, self.other)
        river.signal(signal.SIGUSR1)
        wait_until(lambda: "logs opened again" in river.errors(), "the logs are opened again")
        wait_until(lambda: river.status()["worker"], "the worker has taken its orders")
        for port in (first, second):
            self.handshake(port)
        self.assertEqual((self.secrets(), self.secrets(self.other)), (2, 0))

    def test_a_reload_that_may_not_write_it_leaves_the_old_configuration(self):
        port, river = self.start()
        os.symlink(self.other, self.path)
        with open(river.config, encoding="utf-8") as file:
            text = file.read()
        with open(river.config, "w", encoding="utf-8") as file:
            file.write(text.replace(
                f'key-path="{self.site.key}"',
                f'key-path="{self.site.key}" {{ key-log-path "{self.path}"; }}'))
        river.signal(signal.SIGHUP)
        wait_until(lambda: "configuration not reloaded" in river.errors(), "it says so")
        self.assertIn("it is a symbolic link", river.errors())
        self.handshake(port)
        self.assertFalse(os.path.exists(self.other))


if __name__ == "__main__":
    main()
