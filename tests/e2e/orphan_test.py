"""The supervisor is killed: its worker goes on serving, obeys signals, and the next River takes its
listeners over, but nothing that a worker gone mad could use."""

import array
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import unittest

from harness import (BREAKIN, SECONDS, River, Test, always, answer, ask, command, connect, get,
                     is_sanitized, main, proxy, wait_until)
from certificates import Authority


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def refuses(to):
    try:
        connect(to).close()
        return False
    except (ConnectionRefusedError, FileNotFoundError):
        return True


def respond(port, body="x", name="app", more=""):
    return f'{name} {{ listeners {{ "{port}"{more}; }}\nrespond body="{body}"; }}\n'


# An orphan that gives its listener, and then does nothing that it is told.
STUBBORN = """
import array, socket, sys, time
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[2])))
listener.listen(5)
waits = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
waits.bind(sys.argv[1])
waits.listen(1)
print("waits", flush=True)
peer, _ = waits.accept()
time.sleep(0.1)
peer.sendmsg([b"river-hand-over 1 listeners\\na\\n"],
             [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener.fileno()]))])
if sys.argv[3]:
    peer.send(sys.argv[3].encode())
time.sleep(60)
"""


class OrphanTest(Test):
    def orphan(self, services, system="", **options):
        """A River whose supervisor was killed: (it, the worker's pid)."""
        river = self.river(services, system, **options)
        worker = river.status()["worker_pid"]
        self.addCleanup(self.end, worker)
        river.signal(signal.SIGKILL)
        river.wait()
        wait_until(lambda: "the supervisor is gone" in river.errors(), "the worker notices")
        return river, worker

    @staticmethod
    def end(pid):
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not is_alive(pid), "it ends")

    def next(self, river, services, system="", **options):
        """The River that somebody starts then, with the same control socket."""
        options.setdefault("flags", ("--control-socket", river.control))
        following = River(services, system, wait=False, **options)
        following.control = river.control
        self.own(following)
        wait_until(following.is_up, "the next River serves")
        return following


class Alone(OrphanTest):
    def test_it_goes_on_serving_and_says_so(self):
        port = self.port()
        river, worker = self.orphan(proxy(port, self.origin(always(answer("x")))))
        for _ in range(20):
            self.assertEqual(ask(port, "/").status, 200)
        line = [l for l in river.errors().splitlines() if "the supervisor is gone" in l][0]
        self.assertIn(f"pid={worker}", line)
        with open(f"/proc/{worker}/stat", "rb") as file:
            before = sum(int(n) for n in file.read().rsplit(b")", 1)[1].split()[11:13])
        time.sleep(1)
        with open(f"/proc/{worker}/stat", "rb") as file:
            after = sum(int(n) for n in file.read().rsplit(b")", 1)[1].split()[11:13])
        self.assertLess(after - before, 30)  # it waits, it does not spin

    @unittest.skipIf(is_sanitized(), "this needs the build `breakin`")
    def test_it_says_so_again_and_again(self):
        """Each minute; this build has shorter ones."""
        self.assertTrue(os.path.exists(BREAKIN), "run `tools/build breakin` first")
        port = self.port()
        river, worker = self.orphan(respond(port), binary=BREAKIN)
        wait_until(lambda: river.errors().count(f"goes on alone; start River again\" pid={worker}")
                   > 2, "it says so", 40)
        start = time.monotonic()
        count = river.errors().count("no supervisor")
        time.sleep(2)
        self.assertLess(river.errors().count("no supervisor") - count, 5, start)

    def test_sigterm_finishes_what_is_open(self):
        go_on = threading.Event()

        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            go_on.wait(SECONDS)
            peer.send("rest")
        port = self.port()
        _, worker = self.orphan(proxy(port, self.origin(script)))
        peer, idle = self.connect(port), self.connect(port)
        peer.send(get())
        peer.until(b"half")
        os.kill(worker, signal.SIGTERM)
        self.assertTrue(idle.is_closed())
        wait_until(lambda: refuses(port), "newcomers are refused")
        go_on.set()
        peer.until(b"rest")
        wait_until(lambda: not is_alive(worker), "it ends")

    def test_sigint_stops_at_once(self):
        port = self.port()
        _, worker = self.orphan(respond(port))
        peer = self.connect(port)
        os.kill(worker, signal.SIGINT)
        self.assertTrue(peer.is_closed())
        wait_until(lambda: not is_alive(worker), "it ends")
        self.assertTrue(refuses(port))

    def test_a_signal_that_comes_with_the_death_counts(self):
        port = self.port()
        river = self.river(respond(port))
        worker = river.status()["worker_pid"]
        self.addCleanup(self.end, worker)
        os.kill(worker, signal.SIGTERM)
        river.signal(signal.SIGKILL)
        wait_until(lambda: not is_alive(worker), "it ends")

    def test_signals_are_the_supervisors_while_there_is_one(self):
        port = self.port()
        river = self.river(respond(port))
        worker = river.status()["worker_pid"]
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(worker, number)
        time.sleep(0.3)
        self.assertEqual(ask(port, "/").status, 200)
        self.assertEqual(river.status()["worker_pid"], worker)

    def test_one_that_leaves_finishes_and_ends(self):
        """Both workers lose their supervisor: the one that serves goes on, the other one ends."""
        over = threading.Event()
        self.addCleanup(over.set)

        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            over.wait(SECONDS)
            peer.send("rest")
        port = self.port()
        river = self.river(proxy(port, self.origin(script)), "drain-timeout-ms 20000")
        old = river.status()["worker_pid"]
        peer = self.connect(port)
        peer.send(get())
        peer.until(b"half")
        with open(river.config, "w", encoding="utf-8") as file:
            file.write(f"system {{ drain-timeout-ms 20001; }}\nservices {{ {respond(port)} }}")
        done = command("reload", "--wait", "--control-socket", river.control)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        serving = river.status()["worker_pid"]
        self.addCleanup(self.end, serving)
        self.addCleanup(self.end, old)
        self.assertNotEqual(old, serving)
        river.signal(signal.SIGKILL)
        river.wait()
        over.set()
        peer.until(b"rest")
        wait_until(lambda: not is_alive(old), "the old one ends")
        self.assertEqual(ask(port, "/").body, b"x")
        self.assertTrue(is_alive(serving))


class TakenOver(OrphanTest):
    def test_nobody_is_refused_and_no_request_is_lost(self):
        port, stop, failures, count = self.port(), threading.Event(), [], [0]
        path = os.path.join(self.directory(), "site.sock")
        services = respond(port) + respond(path, "y", "local")
        river = self.river(services)
        worker = river.status()["worker_pid"]
        self.addCleanup(self.end, worker)

        def fresh():
            while not stop.is_set():
                try:
                    for to in (port, path):
                        if ask(to, "/").status != 200:
                            failures.append("status")
                        count[0] += 1
                except (OSError, EOFError) as error:
                    failures.append(repr(error))
        threads = [threading.Thread(target=fresh) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        river.signal(signal.SIGKILL)
        river.wait()
        time.sleep(0.5)
        self.assertTrue(is_alive(worker))
        following = self.next(river, services)
        wait_until(lambda: "taken over" in following.errors(), "it has taken over")
        wait_until(lambda: not is_alive(worker), "the orphan ends")
        time.sleep(0.3)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(count[0], 100)
        self.assertEqual(following.status()["supervisor_pid"], following.pid)
        following.signal(signal.SIGTERM)
        self.assertEqual(following.wait(), 0)
        self.assertTrue(refuses(port))
        self.assertEqual([n for n in os.listdir(river.directory) if "sock" in n], [])

    def test_what_is_open_is_finished_by_the_orphan(self):
        go_on = threading.Event()

        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            go_on.wait(SECONDS)
            peer.send("rest")
        port = self.port()
        river, worker = self.orphan(proxy(port, self.origin(script)))
        peer = self.connect(port)
        peer.send(get())
        peer.until(b"half")
        self.next(river, respond(port, "next"))
        self.assertEqual(ask(port, "/").body, b"next")
        go_on.set()
        peer.until(b"rest")
        wait_until(lambda: not is_alive(worker), "the orphan ends")

    def test_only_what_the_configuration_has(self):
        one, two, three = self.port(), self.port(), self.port()
        river, worker = self.orphan(respond(one) + respond(two, name="two"))
        self.next(river, respond(two, "next") + respond(three, "three", "three"))
        wait_until(lambda: not is_alive(worker), "the orphan ends")
        self.assertTrue(refuses(one))
        self.assertEqual(ask(two, "/").body, b"next")
        self.assertEqual(ask(three, "/").body, b"three")

    def test_many_listeners(self):
        ports = [self.port() for _ in range(70)]
        services = "app { listeners {\n" + "".join(f'"{p}"\n' for p in ports) + \
            "}\nrespond body=\"x\"\n}\n"
        river, worker = self.orphan(services)
        self.next(river, services)
        wait_until(lambda: not is_alive(worker), "the orphan ends")
        for port in ports:
            self.assertEqual(ask(port, "/").body, b"x")

    def test_one_that_cannot_start_changes_nothing(self):
        port = self.port()
        river, worker = self.orphan(respond(port))
        failing = self.own(River(respond(port) + respond("192.0.2.1:80", name="bad"),
                                 wait=False, flags=("--control-socket", river.control)))
        self.assertEqual(failing.wait(), 3)
        self.assertIn("cannot listen on 192.0.2.1:80", failing.errors())
        self.assertEqual(ask(port, "/").status, 200)
        wait_until(lambda: "the other River could not start" in river.errors(), "it says so")
        following = self.next(river, respond(port, "next"))
        self.assertEqual(ask(port, "/").body, b"next")
        self.assertNotEqual(following.status()["worker_pid"], worker)

    def test_again_and_again(self):
        port = self.port()
        river, worker = self.orphan(respond(port, "0"))
        for turn in ("1", "2", "3"):
            following = self.next(river, respond(port, turn))
            wait_until(lambda w=worker: not is_alive(w), "the orphan ends")
            self.assertEqual(ask(port, "/").body, turn.encode())
            worker = following.status()["worker_pid"]
            self.addCleanup(self.end, worker)
            following.signal(signal.SIGKILL)
            following.wait()
            following.closed = True

    def test_neither_counters_nor_keys(self):
        authority = Authority(self.directory(), "ca")
        pair = authority.issue("site", ["a.example"])
        port = self.port()
        services = (f'app {{ listeners {{ "{port}" cert-path="{pair.chain}" '
                    f'key-path="{pair.key}"; }}\n respond status=200 body="x"\n}}')
        river = self.river(services)
        worker = river.status()["worker_pid"]
        context = ssl.create_default_context(cafile=authority.pem)
        context.maximum_version = ssl.TLSVersion.TLSv1_2

        def session(before):
            plain = socket.create_connection(port.address)
            peer = self.own(context.wrap_socket(plain, server_hostname="a.example",
                                                session=before))
            peer.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            self.assertIn(b" 200 OK", peer.recv(4096))
            return peer
        first = session(None)
        self.assertTrue(session(first.session).session_reused)
        river.signal(signal.SIGKILL)
        river.wait()
        following = self.next(river, services)
        wait_until(lambda: not is_alive(worker), "the orphan ends", 20)
        self.assertFalse(session(first.session).session_reused)
        self.assertEqual(following.status()["worker"]["requests"], 1)

    def test_a_river_that_lives_is_left_alone(self):
        port = self.port()
        river = self.river(respond(port))
        second = self.own(River(respond(port), wait=False,
                                flags=("--control-socket", river.control)))
        self.assertEqual(second.wait(), 3)
        self.assertEqual(ask(port, "/").status, 200)
        self.assertNotIn("takes over", river.errors())


class Mad(OrphanTest):
    """What answers is no longer River's own code."""

    def answer(self, path, fds):
        """An orphan in the place of the one that is gone; sends these descriptors."""
        listener = self.own(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        if os.path.exists(path):
            os.unlink(path)
        listener.bind(path)
        listener.listen(1)

        def serve():
            peer, _ = listener.accept()
            peer.settimeout(SECONDS)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
            peer.sendmsg([b"river-hand-over 1 listeners\n" + b"a\n" * len(fds)], rights)
            for fd in fds:
                os.close(fd)
            peer.send(b"river-hand-over 1 over\n")
            peer.recv(1000)  # ready
            peer.send(b"river-hand-over 1 released\n")
            peer.close()
        threading.Thread(target=serve, daemon=True).start()

    def gone(self):
        """Where a River was that is not there any more: (control socket's path, its orphan's)."""
        control = os.path.join(self.directory(), "control.sock")
        return control, control + ".orphan"

    def start(self, control, services):
        following = River(services, wait=False, flags=("--control-socket", control))
        following.control = control
        self.own(following)
        wait_until(following.is_up, "it serves", 20)
        return following

    @staticmethod
    def lingering():
        """A connected socket whose close waits for a minute, and its other end, which reads not."""
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        client = socket.create_connection(server.getsockname())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
        peer, _ = server.accept()
        client.setblocking(False)
        try:
            while True:
                client.send(b"x" * 65536)
        except BlockingIOError:
            pass
        server.close()
        return client, peer

    def test_descriptors_that_are_no_listeners(self):
        control, path = self.gone()
        client, peer = self.lingering()
        self.own(peer)
        closed, bound = socket.socket(), socket.socket()
        bound.bind(("127.0.0.1", 0))
        other = socket.socket()
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        pipes = os.pipe()
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        fds = [s.detach() for s in (client, closed, bound, other, datagrams)] + list(pipes)
        self.answer(path, fds)
        port = self.port()
        start = time.monotonic()
        following = self.start(control, respond(port))
        self.assertEqual(ask(port, "/").status, 200)
        self.assertLess(time.monotonic() - start, 10)
        for fd in os.listdir(f"/proc/{following.pid}/fd"):
            self.assertFalse(os.readlink(f"/proc/{following.pid}/fd/{fd}").startswith("pipe:[0]"))
        start = time.monotonic()
        following.signal(signal.SIGTERM)
        self.assertEqual(following.wait(), 0)
        self.assertLess(time.monotonic() - start, 5)

    def test_one_that_does_not_let_go_is_killed(self):
        for last in ("river-hand-over 1 over\n", "", "noise", "river-hand-over 9 over\n"):
            control, path = self.gone()
            port = self.port()
            process = subprocess.Popen(
                [sys.executable, "-c", STUBBORN, path, str(port.number), last],
                stdout=subprocess.PIPE, text=True)
            self.addCleanup(process.stdout.close)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            self.assertEqual(process.stdout.readline(), "waits\n")
            following = self.start(control, respond(port))
            self.assertEqual(process.wait(SECONDS), -signal.SIGKILL)
            self.assertIn(f"pid={process.pid}", following.errors())
            self.assertEqual(ask(port, "/").status, 200)

    def test_one_that_is_stopped(self):
        port = self.port()
        river, worker = self.orphan(respond(port))
        os.kill(worker, signal.SIGSTOP)  # as good as mad: it does nothing that it is told
        following = self.own(River(respond(port), wait=False,
                                   flags=("--control-socket", river.control)))
        # It has said nothing, so nobody knows who it is; the address is taken.
        self.assertEqual(following.wait(30), 3)
        os.kill(worker, signal.SIGCONT)
        self.assertEqual(ask(port, "/").status, 200)


if __name__ == "__main__":
    main()
