"""Another River takes over: in one step, or as River's own flow goes with SIGQUIT."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest

from harness import (BINARY, Test, always, answer, command, connect, get, main, proxy, wait_until)
from certificates import Authority
from reload_test import service, write


class UpgradeTest(Test):
    def upgrade(self, river):
        result = command("upgrade", "--control-socket", river.control)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)
        self.assertRegex(result.stdout, r"^upgraded: River \d+ serves now; \d+ finishes")
        self.successors.append(int(result.stdout.split()[2]))
        wait_until(lambda: self.supervisor(river) == self.successors[-1], "it has the socket")
        return self.successors[-1]

    def supervisor(self, river):
        try:
            return river.status()["supervisor_pid"]
        except OSError:
            return 0

    def setUp(self):
        self.successors = []
        self.processes = []
        self.addCleanup(self.end_successors)

    def end_successors(self):
        for pid in self.successors:
            try:
                os.kill(pid, signal.SIGINT)
            except ProcessLookupError:
                continue
            wait_until(lambda p=pid: not is_alive(p), "it ends")
        for process in self.processes:
            process.wait(10)


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class InOneStep(UpgradeTest):
    def test_every_listener_is_handed_over(self):
        ports = [self.port() for _ in range(70)]  # more than fit into one message
        path = os.path.join(self.directory(), "river.sock")
        text = ('app { listeners {\n' + "".join(f'"{p}"\n' for p in ports) +
                f'"{path}"\n}}\n respond status=200 body="x"\n}}\n')
        river = self.river(text)
        inode = os.stat(path).st_ino
        pid = self.upgrade(river)
        self.assertNotEqual(pid, river.pid)
        self.assertEqual(river.wait(), 0)
        for to in (*ports, path):
            self.assertEqual(self.connect(to).ask(get()).body, b"x")
        self.assertEqual(os.stat(path).st_ino, inode)
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not is_alive(pid), "it ends")
        self.assertFalse(os.path.exists(path))

    def test_again_and_again(self):
        port = self.port()
        river = self.river(service(port, "x"))
        pids = [self.upgrade(river) for _ in range(5)]
        self.assertEqual(len(set(pids)), 5)
        self.assertEqual(self.connect(port).ask(get()).body, b"x")
        for pid in pids[:-1]:
            wait_until(lambda p=pid: not is_alive(p), "the older ones end")

    def test_the_new_one_reads_the_file_again(self):
        one, two = self.port(), self.port()
        river = self.river(service(one, "old"))
        write(river, service(one, "new") + service(two, "more", name="more"))
        self.upgrade(river)
        self.assertEqual(self.connect(one).ask(get()).body, b"new")
        self.assertEqual(self.connect(two).ask(get()).body, b"more")

    def test_the_pid_file_is_replaced(self):
        path = os.path.join(self.directory(), "river.pid")
        port = self.port()
        river = self.river(service(port, "x"), flags=("--pidfile", path))
        pid = self.upgrade(river)
        self.assertEqual(river.wait(), 0)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), f"{pid}\n")
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not os.path.exists(path), "it goes with the last one")

    def test_what_is_open_is_finished_by_the_old_one(self):
        go = threading.Event()

        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            go.wait(10)
            peer.send("rest")
        port = self.port()
        river = self.river(proxy(port, self.origin(script)))
        busy, idle = self.connect(port), self.connect(port)
        busy.send(get())
        busy.until(b"half")
        write(river, service(port, "new"))
        self.upgrade(river)
        self.assertEqual(self.connect(port).ask(get()).body, b"new")
        self.assertIsNone(river.process.poll())
        go.set()
        busy.until(b"rest")
        self.assertEqual(river.wait(), 0)
        self.assertTrue(idle.is_closed())

    def test_a_request_that_was_on_its_way_is_answered(self):
        port = self.port()
        origin = self.origin(always(answer("x")))
        river = self.river(proxy(port, origin))
        peers = [self.connect(port) for _ in range(20)]
        for peer in peers:
            self.assertEqual(peer.ask(get()).status, 200)
        self.upgrade(river)
        for peer in peers:  # the old one has not closed them yet
            response = peer.ask(get())
            self.assertEqual((response.status, response.get("connection")), (200, "close"))

    def test_nobody_is_refused_meanwhile(self):
        port = self.port()
        river = self.river(service(port, "x"))
        stop = threading.Event()
        answers = []

        def ask():
            while not stop.is_set():
                peer = connect(port)
                answers.append(peer.ask(get()).status)
                peer.close()
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            self.upgrade(river)
            time.sleep(0.1)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertGreater(len(answers), 100)
        self.assertEqual(set(answers), {200})

    def refused(self, river, *words):
        result = command("upgrade", "--control-socket", river.control)
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertTrue(result.stdout.endswith("not upgraded; this River goes on\n"),
                        result.stdout)
        for word in words:
            self.assertIn(word, result.stdout)
        self.assertEqual(self.supervisor(river), river.pid)
        self.assertIn("not upgraded", river.errors())

    def test_one_that_cannot_start_changes_nothing(self):
        port = self.port()
        river = self.river(service(port, "x"))
        write(river, service(port, "y", more="nonsense"))
        self.refused(river, "1 mistake in ")
        write(river, f'app {{ listeners {{ "{port}"; "192.0.2.1:1"; }}\n respond; }}')
        self.refused(river, "cannot listen on 192.0.2.1:1")
        self.assertEqual(self.connect(port).ask(get()).body, b"x")
        write(river, service(port, "y"))
        self.upgrade(river)
        self.assertEqual(self.connect(port).ask(get()).body, b"y")

    def test_a_reload_of_the_new_one_shares_its_sockets(self):
        one, two = self.port(), self.port()
        river = self.river(service(one, "x"))
        self.upgrade(river)
        write(river, service(one, "y") + service(two, "z", name="more"))
        self.assertEqual(command("reload", "--wait", "--control-socket", river.control).returncode,
                         0)
        self.assertEqual(self.connect(one).ask(get()).body, b"y")
        self.assertEqual(self.connect(two).ask(get()).body, b"z")

    def test_nobody_answers(self):
        result = command("upgrade", "--control-socket", "/no/such/socket")
        self.assertEqual(result.returncode, 3)


class State(UpgradeTest):
    """What the old worker has counted and remembers goes on in the new one."""

    LIMIT = ('rate-limiting { rule kind="source-ip" max-buckets=10 tokens-per-bucket=3 '
             'refill-qty=1 refill-rate-ms=3600000; }')

    def fresh_worker(self, river, services):
        write(river, services, system="threads-per-service 1")
        result = command("reload", "--wait", "--control-socket", river.control)
        self.assertEqual(result.returncode, 0, result.stdout)

    def check(self, take_over):
        port = self.port()
        origin = self.origin(always(answer("x")))
        text = proxy(port, origin, self.LIMIT)
        river = self.river(text, threads=None, system="threads-per-service 2")
        self.assertEqual([self.connect(port).ask(get()).status for _ in range(2)], [200, 200])
        before = river.status()
        take_over(river, text)
        after = river.status()
        self.assertNotEqual(before["worker_pid"], after["worker_pid"])
        service = after["worker"]["services"][0]
        self.assertEqual((service["requests"], service["answers"]["2xx"]), (2, 2))
        self.assertEqual(after["worker"]["upstreams"][0]["requests"], 2)
        self.assertEqual(after["worker"]["accepted"], 2)
        self.assertEqual([self.connect(port).ask(get()).status for _ in range(2)], [200, 429])
        self.assertNotIn("begin anew", river.errors())

    def test_over_an_upgrade(self):
        self.check(lambda river, text: self.upgrade(river))

    def test_over_a_fresh_worker(self):
        self.check(self.fresh_worker)

    def test_tls_sessions(self):
        authority = Authority(self.directory(), "ca")
        pair = authority.issue("site", ["a.example"])
        for take_over in (lambda river, text: self.upgrade(river), self.fresh_worker):
            port = self.port()
            text = (f'app {{ listeners {{ "{port}" cert-path="{pair.chain}" '
                    f'key-path="{pair.key}"; }}\n respond status=200 body="x"\n}}')
            river = self.river(text, threads=None, system="threads-per-service 2")
            context = ssl.create_default_context(cafile=authority.pem)
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            first = self.tls(port, context, None)
            take_over(river, text)
            second = self.tls(port, context, first.session)
            self.assertTrue(second.session_reused)

    def tls(self, port, context, session):
        plain = socket.create_connection(port.address)
        peer = self.own(context.wrap_socket(plain, server_hostname="a.example", session=session))
        peer.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        self.assertIn(b" 200 OK", peer.recv(4096))
        return peer


class WithSigquit(UpgradeTest):
    def second(self, river, *flags):
        """Another River by hand, which waits."""
        log = open(os.path.join(river.directory, "second"), "wb")
        process = subprocess.Popen([BINARY, "--config-kdl", river.config, "--upgrade", *flags,
                                    "--control-socket", river.control], stderr=log)
        log.close()
        self.successors.append(process.pid)
        self.processes.append(process)
        return process

    def test_the_flow_of_river(self):
        port = self.port()
        path = os.path.join(self.directory(), "upgrade.sock")
        river = self.river(service(port, "old"), system=f'upgrade-socket "{path}"')
        write(river, service(port, "new"), system=f'upgrade-socket "{path}"')
        process = self.second(river)
        wait_until(lambda: os.path.exists(path), "it waits")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(self.connect(port).ask(get()).body, b"old")
        river.signal(signal.SIGQUIT)
        self.assertEqual(river.wait(), 0)
        self.assertEqual(self.connect(port).ask(get()).body, b"new")
        wait_until(lambda: self.supervisor(river) == process.pid, "it has the control socket")
        self.assertFalse(os.path.exists(path))

    def test_the_new_one_may_come_a_little_later(self):
        port = self.port()
        path = os.path.join(self.directory(), "upgrade.sock")
        flags = ("--upgrade-socket", path)
        river = self.river(service(port, "x"), flags=flags)
        river.signal(signal.SIGQUIT)
        time.sleep(1)
        self.second(river, *flags)
        self.assertEqual(river.wait(), 0)
        self.assertEqual(self.connect(port).ask(get()).body, b"x")

    def test_nobody_waits(self):
        port = self.port()
        river = self.river(service(port, "x"))
        river.signal(signal.SIGQUIT)
        wait_until(lambda: "there is no `upgrade-socket`" in river.errors(), "it says so")
        self.assertEqual(self.connect(port).ask(get()).body, b"x")

    def test_upgrade_needs_a_socket(self):
        port = self.port()
        river = self.river(service(port, "x"))
        process = self.second(river)
        self.assertEqual(process.wait(10), 3)
        with open(os.path.join(river.directory, "second"), encoding="utf-8") as file:
            self.assertIn("--upgrade needs `upgrade-socket`", file.read())


# Listens as another user at the path that it is given, and says what it gets.
STRANGER = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if sys.argv[2] == "bind-first":
    s.bind(sys.argv[1])
os.setgid(65534); os.setuid(65534)
if sys.argv[2] != "bind-first":
    s.bind(sys.argv[1])
s.listen(4)
print("waits", flush=True)
while True:
    peer, _ = s.accept()
    data, control, _, _ = peer.recvmsg(65536, 4096)
    if data:
        print("got", len(data), len(control), flush=True)
"""


class Strangers(UpgradeTest):
    """Who is not trusted neither gets listeners nor gives any."""

    def start(self, mode):
        directory = self.directory()
        os.chmod(directory, mode)
        path = os.path.join(directory, "upgrade.sock")
        port = self.port()
        return self.river(service(port, "x"), system=f'upgrade-socket "{path}"'), port, path

    def stranger(self, path, how):
        process = subprocess.Popen([sys.executable, "-c", STRANGER, path, how],
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "waits\n")
        return process

    def check_refusal(self, how, mode, why):
        river, port, path = self.start(mode)
        process = self.stranger(path, how)
        river.signal(signal.SIGQUIT)
        wait_until(lambda: "not upgraded" in river.errors(), "it refuses")
        self.assertIn(why, river.errors())
        self.assertEqual(self.connect(port).ask(get()).body, b"x")
        self.assertEqual(river.status()["supervisor_pid"], river.pid)
        process.kill()
        self.assertEqual(process.stdout.read(), "")

    @unittest.skipUnless(os.geteuid() == 0, "needs another user")
    def test_one_that_waits_in_a_directory_of_all(self):
        self.check_refusal("bind", 0o777, "others than its owner may write to")
        self.check_refusal("bind", 0o1777, "others than its owner may write to")

    @unittest.skipUnless(os.geteuid() == 0, "needs another user")
    def test_one_that_waits_at_the_right_place(self):
        self.check_refusal("bind-first", 0o755, "belongs to another user (65534)")

    def test_the_new_one_does_not_wait_where_others_may_write(self):
        river, _, path = self.start(0o770)
        result = command("--config-kdl", river.config, "--upgrade", "--control-socket",
                         river.control)
        self.assertEqual(result.returncode, 3)
        self.assertIn("others than its owner may write to " + os.path.dirname(path),
                      result.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "needs another user")
    def test_the_new_one_takes_nothing_from_another_user(self):
        river, _, path = self.start(0o755)
        with open(os.path.join(river.directory, "second"), "wb") as log:
            process = subprocess.Popen([BINARY, "--config-kdl", river.config, "--upgrade",
                                        "--control-socket", river.control], stderr=log)
        self.processes.append(process)
        self.successors.append(process.pid)
        wait_until(lambda: os.path.exists(path), "it waits")
        os.chmod(path, 0o777)
        code = ("import os, socket, sys; os.setgid(65534); os.setuid(65534); "
                "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1]); "
                "s.recv(1)")
        subprocess.run([sys.executable, "-c", code, path], check=False, timeout=10,
                       stderr=subprocess.DEVNULL)
        self.assertEqual(process.wait(10), 3)
        with open(os.path.join(river.directory, "second"), encoding="utf-8") as file:
            self.assertIn("belongs to another user (65534)", file.read())

    def test_the_check_warns(self):
        for mode, warns in ((0o755, False), (0o775, True), (0o777, True)):
            river, _, _ = self.start(mode)
            result = command("check", river.config)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual("`upgrade-socket` will not be used" in result.stderr, warns, mode)


if __name__ == "__main__":
    main()
