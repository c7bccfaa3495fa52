"""A worker that has gone mad shuts its listeners: they are mended when it dies, and at a reload."""

import ctypes
import os
import signal
import socket
import struct
import sys
import time
import unittest

from harness import SECONDS, Test, ask, command, connect, get, main, wait_until
from systemd_test import PASS_FDS

PIDFD_OPEN, PIDFD_GETFD = 434, 438


def listener_of(pid, to):
    """Our copy of the process's listener at this address: what we do to it, it could do."""
    libc = ctypes.CDLL(None, use_errno=True)
    wanted = to if isinstance(to, str) else to.address
    process = libc.syscall(PIDFD_OPEN, pid, 0)
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                continue
            fd = libc.syscall(PIDFD_GETFD, process, int(name), 0)
            if fd < 0:
                raise OSError(ctypes.get_errno(), "pidfd_getfd")
            found = socket.socket(fileno=fd)
            if found.type == socket.SOCK_STREAM and found.getsockname() == wanted and \
                    found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return found
            found.close()
    finally:
        os.close(process)
    raise AssertionError(f"no listener at {wanted}")


def shut(listener, _):
    listener.shutdown(socket.SHUT_RDWR)


def disconnect(listener, _):
    unspecified = struct.pack("=H14x", socket.AF_UNSPEC)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.connect(listener.fileno(), unspecified, len(unspecified)) != 0:
        raise OSError(ctypes.get_errno(), "connect")


def become_client(listener, elsewhere):
    """A connection that waits for a minute when it is closed, with the listener's own socket."""
    listener.shutdown(socket.SHUT_RDWR)
    listener.setblocking(False)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    listener.connect_ex(elsewhere.getsockname())
    time.sleep(0.05)
    try:
        while True:
            listener.send(b"x" * 65536)
    except BlockingIOError:
        pass


@unittest.skipUnless(os.geteuid() == 0, "needs the right to take descriptors")
class Shut(Test):
    def start(self, **options):
        port, path = self.port(), os.path.join(self.directory(), "site.sock")
        river = self.river(f'app {{ listeners {{ "{port}"; "{path}" mode="0666"; }}\n'
                           'respond body="x"; }', **options)
        river.deaths_expected = True
        elsewhere = self.own(socket.socket())
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.listen(5)
        return river, port, path, elsewhere

    def harm(self, river, to, how, elsewhere):
        listener = listener_of(river.status()["worker_pid"], to)
        how(listener, elsewhere)
        listener.close()

    def serves(self, to):
        """Whether somebody answers, within a second."""
        try:
            peer = connect(to)
        except OSError:
            return False
        try:
            peer.socket.settimeout(1)
            return peer.ask(get()).status == 200
        except (OSError, EOFError):
            return False
        finally:
            peer.close()

    def check(self, mend, *hows):
        for how in hows:
            for kind in ("tcp", "unix"):
                if kind == "unix" and how is not shut:
                    continue
                with self.subTest(how=how.__name__, kind=kind):
                    river, port, path, elsewhere = self.start()
                    to = port if kind == "tcp" else path
                    self.harm(river, to, how, elsewhere)
                    self.assertFalse(self.serves(to))
                    mend(river)
                    wait_until(lambda t=to: self.serves(t), "it serves again", 5)
                    self.assertIn("a worker had shut a listener", river.errors())
                    self.assertTrue(self.serves(port) and self.serves(path))
                    self.assertEqual(os.stat(path).st_mode & 0o777, 0o666)
                    start = time.monotonic()
                    river.signal(signal.SIGTERM)
                    self.assertEqual(river.wait(), 0)
                    self.assertLess(time.monotonic() - start, 5)
                    self.assertFalse(os.path.exists(path))

    def test_the_next_worker_serves(self):
        def die(river):
            os.kill(river.status()["worker_pid"], signal.SIGKILL)
        self.check(die, shut, disconnect, become_client)

    def test_a_reload_mends(self):
        def reload(river):
            done = command("reload", "--wait", "--control-socket", river.control)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.check(reload, shut, disconnect, become_client)

    def test_a_reload_that_is_refused_mends_all_the_same(self):
        river, _, path, elsewhere = self.start()
        self.harm(river, path, shut, elsewhere)
        with open(river.config, "a", encoding="utf-8") as file:
            file.write("nonsense\n")
        self.assertEqual(command("reload", "--control-socket", river.control).returncode, 1)
        wait_until(lambda: self.serves(path), "it serves again", 5)

    def test_one_that_leaves_harms_the_next(self):
        """A worker that finishes what it has shuts what the one after it uses."""
        river, port, path, elsewhere = self.start(system="drain-timeout-ms 20000")
        old = river.status()["worker_pid"]
        mine = [listener_of(old, to) for to in (port, path)]
        with open(river.config, encoding="utf-8") as file:
            text = file.read()
        with open(river.config, "w", encoding="utf-8") as file:
            file.write(text.replace("20000", "20001"))
        busy = self.connect(port)
        busy.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        done = command("reload", "--wait", "--control-socket", river.control)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for listener in mine:
            shut(listener, elsewhere)
            listener.close()
        if os.path.exists(f"/proc/{old}"):
            os.kill(old, signal.SIGKILL)
        wait_until(lambda: self.serves(port) and self.serves(path), "both serve again", 8)

    def test_a_drain_still_refuses_newcomers(self):
        river, port, path, _ = self.start(system="drain-timeout-ms 20000")
        busy = self.connect(port)
        busy.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        time.sleep(0.1)
        river.signal(signal.SIGTERM)
        wait_until(lambda: not self.serves(port) and not self.serves(path), "they are refused")
        self.assertEqual(river.wait(), 0)

    def test_sockets_of_the_service_manager(self):
        passed = self.own(socket.socket())
        passed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        passed.bind(("127.0.0.1", 0))
        passed.listen(5)
        path = os.path.join(self.directory(), "passed.sock")
        local = self.own(socket.socket(socket.AF_UNIX))
        local.bind(path)
        local.listen(5)
        fds = [passed.fileno(), local.fileno()]
        address = "%s:%d" % passed.getsockname()
        river = self.river(f'app {{ listeners {{ "{address}"; "{path}"; }}\nrespond body="x"; }}',
                           launcher=(sys.executable, "-c", PASS_FDS, ",".join(map(str, fds))),
                           pass_fds=fds)
        river.deaths_expected = True
        for sock in (passed, local):
            sock.shutdown(socket.SHUT_RDWR)
        os.kill(river.status()["worker_pid"], signal.SIGKILL)
        wait_until(lambda: self.serves(passed.getsockname()), "TCP serves again", 5)
        self.assertIn("only the service manager can bind it anew", river.errors())
        self.assertIn(f"listener={path}", river.errors())


if __name__ == "__main__":
    main()
