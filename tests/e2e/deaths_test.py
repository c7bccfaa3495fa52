"""Every process of a River is killed, at many moments of a start, of reloads and of an upgrade:
afterwards River serves, or has ended and said why; and River can always be started again."""

import os
import shutil
import signal
import ssl
import subprocess
import time
import unittest

from certificates import Authority
from harness import BINARY, River, Test, command, connect, get, is_sanitized, main, wait_until
from memory import children, name_of
from shut_test import listener_of

SERVING_SECONDS = 10
VICTIM_SECONDS = 0.5  # for a victim to come into being
DELAYS = (0, 0.002, 0.006, 0.015, 0.04)  # after that
EXIT_FAILED = (1, 3)
COPIES = 60  # of a key, so that the one who reads them lives for a while


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def offspring(pid):
    """(pid, name) of the children that there are."""
    found = []
    try:
        for child in children(pid):
            found.append((child, name_of(child)))
    except OSError:
        pass
    return found


def of_name(pid, name, but=()):
    """A child of that name that is none of `but`, or None."""
    for child, its in offspring(pid):
        if its == name and child not in but:
            return child
    return None


@unittest.skipIf(is_sanitized(), "its moments are others")
class Deaths(Test):
    def setUp(self):
        self.place = self.directory()
        self.authority = Authority(self.place, "ca")
        self.pairs = [self.authority.issue(n, names=["a.example"]) for n in ("one", "two")]
        self.live = os.path.join(self.place, "live")
        self.port_ = self.port()
        self.kills = 0
        self.turn = 0

    # ---- what is served ----

    def text(self, threads=1):
        """Another one each time, with another certificate."""
        self.turn += 1
        pair = self.pairs[self.turn % 2]
        shutil.copy(pair.chain, f"{self.live}.pem")
        shutil.copy(pair.key, f"{self.live}.key")
        more = ""
        for i in range(COPIES):
            shutil.copy(pair.key, f"{self.live}{i}.key")
            more += f'certificate cert-path="{self.live}.pem" key-path="{self.live}{i}.key"\n'
        return (f'system {{ threads-per-service {threads}; drain-timeout-ms 500; }}\n'
                f'services {{ app {{\n listeners {{ "{self.port_}" cert-path="{self.live}.pem" '
                f'key-path="{self.live}.key" {{\n{more}}}\n}}\n'
                f'respond body="{self.turn}"\n}} }}\n')

    def begin(self, control=None):
        flags = ("--control-socket", control) if control else ()
        river = River("", text=self.text(), threads=0, wait=False, flags=flags)
        river.deaths_expected = True
        river.control = control or river.control
        return river

    def rewrite(self, river, **options):
        with open(river.config, "w", encoding="utf-8") as file:
            file.write(self.text(**options))

    def served(self):
        context = ssl.create_default_context(cafile=self.authority.pem)
        try:
            peer = connect(self.port_)
        except OSError:
            return False
        try:
            with context.wrap_socket(peer.socket, server_hostname="a.example") as over:
                over.settimeout(2)
                over.sendall(get("/"))
                return over.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False
        finally:
            peer.close()

    # ---- the kill and what follows ----

    def kill(self, find, delay):
        """Kills whom `find` finds, so long after it has come into being. Whether it was there."""
        end = time.monotonic() + VICTIM_SECONDS
        pid = find()
        while not pid and time.monotonic() < end:
            time.sleep(0.0005)
            pid = find()
        if not pid:
            return False
        time.sleep(delay)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        self.kills += 1
        return True

    def settle(self, river, what):
        """River serves, or has ended with a reason, or was killed: then the next one serves."""
        def over():
            return river.process.poll() is not None or (river_is_up(river) and self.served())
        wait_until(over, f"{what}: River serves or ends\n{river.errors()}", SERVING_SECONDS)
        status = river.process.poll()
        if status is None:
            self.assertTrue(self.served(), what)
            self.check_reload(river, what)
            return
        if status != -signal.SIGKILL and status != 0:
            self.assertIn(status, EXIT_FAILED, what)
            self.assertNotEqual(river.errors(), "", what)
        following = self.begin(river.control)
        try:
            wait_until(lambda: following.process.poll() is not None or
                       (river_is_up(following) and self.served()),
                       f"{what}: the next River serves\n{river.errors()}", SERVING_SECONDS)
            self.assertIsNone(following.process.poll(), f"{what}\n{following.errors()}")
        finally:
            end(following)

    def check_reload(self, river, what):
        """It still obeys: nothing was left half done."""
        self.rewrite(river)

        def reloaded():
            done = command("reload", "--wait", "--control-socket", river.control)
            return done.returncode == 0
        wait_until(reloaded, f"{what}: a reload afterwards\n{river.errors()}", SERVING_SECONDS)
        self.assertTrue(self.served(), what)

    def each(self, operation, victims):
        """For each victim and delay: a fresh River, the operation, the kill, and a look."""
        for name in victims:
            before = self.kills
            for delay in DELAYS:
                with self.subTest(victim=name, delay=delay):
                    operation(name, delay)
            self.assertGreater(self.kills, before, f"{name} was never there")

    # ---- the operations ----

    def test_start(self):
        def operation(name, delay):
            river = self.begin()
            try:
                self.kill(lambda: river.pid if name == "supervisor" else
                          of_name(river.pid, name), delay)
                self.settle(river, f"{name} at {delay} s of a start")
            finally:
                end(river)
        self.each(operation, ("supervisor", "river-nursery", "river-keys", "river"))

    def reload_with(self, options):
        def operation(name, delay):
            river = self.begin()
            try:
                wait_until(lambda: river_is_up(river) and self.served(), "it serves")
                old = [pid for pid, _ in offspring(river.pid)]
                self.rewrite(river, **options)
                asking = subprocess.Popen([BINARY, "reload", "--wait", "--control-socket",
                                           river.control], stdout=subprocess.DEVNULL,
                                          stderr=subprocess.DEVNULL)
                finders = {"supervisor": lambda: river.pid,
                           "river-nursery": lambda: of_name(river.pid, "river-nursery"),
                           "river-keys": lambda: of_name(river.pid, "river-keys"),
                           "old worker": lambda: of_name(river.pid, "river"),
                           "new worker": lambda: of_name(river.pid, "river", old)}
                self.kill(finders[name], delay)
                asking.wait(SERVING_SECONDS + 5)
                self.settle(river, f"{name} at {delay} s of a reload {options}")
            finally:
                end(river)
        return operation

    def test_reload_in_place(self):
        self.each(self.reload_with({}), ("supervisor", "river-nursery", "river-keys", "old worker"))

    def test_reload_by_a_fresh_worker(self):
        self.each(self.reload_with({"threads": 2}),
                  ("supervisor", "river-nursery", "river-keys", "old worker", "new worker"))

    def test_upgrade(self):
        def operation(name, delay):
            river = self.begin()
            new = 0
            try:
                wait_until(lambda: river_is_up(river) and self.served(), "it serves")
                old = [pid for pid, _ in offspring(river.pid)]
                worker = of_name(river.pid, "river")
                asking = subprocess.Popen([BINARY, "upgrade", "--control-socket", river.control],
                                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

                def successor():
                    nonlocal new
                    fresh = [pid for pid, its in offspring(river.pid)
                             if pid not in old and its == "river"]
                    new = new or (fresh[0] if fresh else 0)
                    return new
                finders = {"old supervisor": lambda: successor() and river.pid,
                           "old nursery": lambda: successor() and of_name(river.pid,
                                                                          "river-nursery"),
                           "old worker": lambda: successor() and worker,
                           "new supervisor": successor,
                           "new nursery": lambda: of_name(successor(), "river-nursery"),
                           "new keys": lambda: of_name(successor(), "river-keys"),
                           "new worker": lambda: of_name(successor(), "river")}
                self.kill(finders[name], delay)
                asking.wait(SERVING_SECONDS + 5)
                self.settle_upgrade(river, new, f"{name} at {delay} s of an upgrade")
            finally:
                if new and alive(new):
                    os.kill(new, signal.SIGINT)
                end(river)
                wait_until(lambda: not new or not alive(new), "the new one ends")
        self.each(operation, ("old supervisor", "old nursery", "old worker", "new supervisor",
                              "new nursery", "new keys", "new worker"))

    @unittest.skipUnless(os.geteuid() == 0, "needs the right to take descriptors")
    def test_files_that_the_dead_one_holds_a_moment_longer(self):
        """The kernel closes what a killed process had in an order of its own."""
        river = self.begin()
        new = 0
        try:
            wait_until(lambda: river_is_up(river) and self.served(), "it serves")
            old = [pid for pid, _ in offspring(river.pid)]
            with listener_of(river.pid, river.control):
                asking = subprocess.Popen([BINARY, "upgrade", "--control-socket", river.control],
                                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                wait_until(lambda: "handed over" in river.errors(), "it has handed over")
                new = next(pid for pid, its in offspring(river.pid)
                           if pid not in old and its == "river")
                os.kill(river.pid, signal.SIGKILL)
                asking.wait(SERVING_SECONDS)
                wait_until(lambda: "taken over" in river.errors(), "it has taken over")
                time.sleep(0.3)
            wait_until(lambda: river_is_up_as(river, new), "the new one answers")
            self.assertTrue(self.served())
            with listener_of(new, river.control):
                os.kill(new, signal.SIGKILL)
                wait_until(lambda: not alive(new), "the new one is dead")
                third = self.begin(river.control)
                time.sleep(0.3)
            try:
                wait_until(lambda: river_is_up(third) and self.served(), "the third serves")
            finally:
                end(third)
        finally:
            if new and alive(new):
                os.kill(new, signal.SIGINT)
            end(river)

    def settle_upgrade(self, river, new, what):
        """One of the two serves; if neither lives, the next one does."""
        def settled():
            if alive(new):
                return river_is_up_as(river, new) or (river.process.poll() is None
                                                      and river_is_up(river))
            return True
        wait_until(settled, f"{what}: one of them answers, or both have ended", SERVING_SECONDS)
        if alive(new) and river_is_up_as(river, new):
            wait_until(self.served, f"{what}: it serves\n{river.errors()}", SERVING_SECONDS)
        else:
            self.settle(river, what)


def river_is_up(river):
    try:
        return bool(river.status()["worker"])
    except (OSError, ValueError):
        return False


def river_is_up_as(river, pid):
    try:
        status = river.status()
        return status["worker"] and status["supervisor_pid"] == pid
    except (OSError, ValueError):
        return False


def end(river):
    """Also workers that go on alone."""
    if river.process.poll() is None:
        river.signal(signal.SIGINT)
        try:
            river.wait(5)
        except subprocess.TimeoutExpired:
            river.process.kill()
            river.process.wait()
    river.end_workers()
    river.close()


if __name__ == "__main__":
    main()
