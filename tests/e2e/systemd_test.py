"""Under a service manager: news by NOTIFY_SOCKET, the watchdog, passed sockets, the unit files."""

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

import confine
from harness import (BINARY, BREAKIN, ROOT, SECONDS, Test, always, answer, command, get,
                     is_sanitized, main, proxy, wait_until)

UNITS = os.path.join(ROOT, "dist")
EXPOSURE_MAX = 2.5  # of systemd-analyze security; 10 is the worst

# Executes its arguments with the descriptors named by the first one as 3, 4, ..., as systemd does.
PASS_FDS = """
import os, sys
fds = [os.dup(int(n)) for n in sys.argv[1].split(",")]
high = [os.dup2(fd, 200 + i) for i, fd in enumerate(fds)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
os.closerange(3 + len(high), 300)
os.environ["LISTEN_PID"] = str(os.getpid() + int(os.environ.pop("TEST_OTHER_PID", "0")))
os.environ["LISTEN_FDS"] = str(len(high))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Manager:
    """Listens to news as systemd does: a list of dictionaries, in the order of their coming."""

    def __init__(self, address):
        self.address = address
        self.news = []
        self.stored = []  # news about the store, which are not among the others
        self.store = {}  # descriptors by name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.setblocking(False)

    @property
    def environment(self):
        return {"NOTIFY_SOCKET": self.address}

    def listen(self):
        """Takes what is there; (news, pid of who told it)."""
        while True:
            try:
                data, control, _, _ = self.socket.recvmsg(4096, 1024)
            except BlockingIOError:
                return self.news
            of = {kind: what for _, kind, what in control}
            pid = int.from_bytes(of[socket.SCM_CREDENTIALS][:4], sys.byteorder)
            lines = dict(line.split("=", 1) for line in data.decode().splitlines())
            about_store = "FDSTORE" in lines or "FDSTOREREMOVE" in lines
            (self.stored if about_store else self.news).append({**lines, "pid": pid})
            if "FDSTORE" in lines:
                fd = int.from_bytes(of[socket.SCM_RIGHTS][:4], sys.byteorder)
                self.take_out(lines["FDNAME"])
                self.store[lines["FDNAME"]] = fd
            if "FDSTOREREMOVE" in lines:
                self.take_out(lines["FDNAME"])

    def all(self, name):
        return [n for n in self.listen() if name in n]

    def wait(self, name, count=1, seconds=SECONDS):
        """The count-th news with this name, once it is there."""
        def found():
            news = self.all(name)
            return news[count - 1] if len(news) >= count else None
        return wait_until(found, f"news of {name}", seconds)

    def take_out(self, name):
        if name in self.store:
            os.close(self.store.pop(name))

    def close(self):
        self.listen()
        for name in list(self.store):
            self.take_out(name)
        self.socket.close()


class News(Test):
    def manager(self, address=None):
        return self.own(Manager(address or os.path.join(self.directory(), "notify")))

    def start(self, manager, more=None, **options):
        return self.serve(always(answer("x")), environment={**manager.environment, **(more or {})},
                          **options)

    def test_ready_comes_once_traffic_is_served(self):
        manager = self.manager()
        port, _, river = self.start(manager, wait=False)
        ready = manager.wait("READY")
        # No waiting here: the news says that it serves.
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        self.assertEqual(ready["READY"], "1")
        self.assertEqual(ready["MAINPID"], str(river.pid))
        self.assertEqual(ready["pid"], river.pid)
        worker = river.status()["worker_pid"]
        self.assertEqual(ready["STATUS"], f"serving: 1 service, 1 listener, worker {worker}")
        self.assertEqual(len(manager.all("READY")), 1)
        self.assertEqual(manager.all("WATCHDOG"), [])

    def test_an_abstract_socket(self):
        manager = self.manager(f"@river-test-{os.getpid()}-{time.monotonic_ns()}")
        self.start(manager)
        manager.wait("READY")

    def test_the_end_is_announced(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            manager = self.manager()
            _, _, river = self.start(manager)
            manager.wait("READY")
            river.signal(number)
            self.assertEqual(manager.wait("STOPPING")["STOPPING"], "1")
            self.assertEqual(river.wait(), 0)
            self.assertEqual(manager.listen()[-1], manager.all("STOPPING")[-1])

    def test_a_drain_is_announced_before_it_is_over(self):
        manager = self.manager()
        port, _, river = self.serve(lambda peer: peer.rest(), environment=manager.environment,
                                    system="drain-timeout-ms 60000")
        manager.wait("READY")
        peer = self.connect(port)
        peer.send(get())
        wait_until(lambda: river.status()["worker"]["active"], "a request is under way")
        river.signal(signal.SIGTERM)
        self.assertIn("draining", manager.wait("STOPPING")["STATUS"])
        self.assertIsNone(river.process.poll())

    def test_a_reload_has_a_beginning_and_an_end(self):
        manager = self.manager()
        _, _, river = self.start(manager)
        manager.wait("READY")
        before = time.monotonic_ns() // 1000
        river.signal(signal.SIGHUP)
        manager.wait("READY", 2)
        reloading = manager.all("RELOADING")
        self.assertEqual([n["RELOADING"] for n in reloading], ["1"])
        self.assertGreaterEqual(int(reloading[0]["MONOTONIC_USEC"]), before)
        self.assertLessEqual(int(reloading[0]["MONOTONIC_USEC"]), time.monotonic_ns() // 1000)
        names = [next(iter(n)) for n in manager.listen()]
        self.assertEqual(names, ["READY", "RELOADING", "READY"])

    def test_reloads_that_succeed_and_that_do_not(self):
        manager = self.manager()
        _, _, river = self.start(manager)
        manager.wait("READY")
        with open(river.config, encoding="utf-8") as file:
            text = file.read()
        added = f'services {{ more {{ listeners {{ "{self.port()}"; }}\nrespond body="x"; }}'
        for status, changed in ((0, text.replace("services {", added)), (1, text + "}")):
            manager.listen()
            manager.news.clear()
            with open(river.config, "w", encoding="utf-8") as file:
                file.write(changed)
            result = command("reload", "--wait", "--control-socket", river.control)
            self.assertEqual(result.returncode, status, result.stdout + result.stderr)
            # All was told before the command was answered: systemd looks when that ends.
            names = [next(iter(n)) for n in manager.listen()]
            self.assertEqual(names, ["RELOADING", "READY"])
            self.assertIn("2 services, 2 listeners", manager.news[-1]["STATUS"])

    def test_a_worker_that_is_replaced(self):
        manager = self.manager()
        _, _, river = self.start(manager)
        manager.wait("READY")
        river.deaths_expected = True
        os.kill(river.status()["worker_pid"], signal.SIGKILL)
        news = manager.wait("READY", 2)
        self.assertIn(f"worker {wait_until(river.is_up, 'it serves') and worker_of(river)}",
                      news["STATUS"])
        self.assertIn("died", manager.all("STATUS")[1]["STATUS"])

    def test_the_watchdog_hears_of_us_twice_in_its_patience(self):
        manager = self.manager()
        _, _, river = self.start(manager, {"WATCHDOG_USEC": "400000"})
        manager.wait("WATCHDOG", 3)
        start, count = time.monotonic(), len(manager.all("WATCHDOG"))
        manager.wait("WATCHDOG", count + 10)
        took = time.monotonic() - start
        self.assertGreater(took, 1.7)  # ten times 200 ms
        self.assertLess(took, 4 if is_sanitized() else 3)
        self.assertEqual({n["pid"] for n in manager.listen()}, {river.pid})

    def test_the_watchdog_hears_nothing_while_no_worker_serves(self):
        manager = self.manager()
        _, _, river = self.start(manager, {"WATCHDOG_USEC": "100000"})
        river.deaths_expected = True

        def slow_death():
            """Until the next worker has to wait for a second."""
            pid = worker_of(river)
            if pid:
                os.kill(pid, signal.SIGKILL)
                wait_until(lambda: worker_of(river) != pid, "it is dead")
            return worker_of(river) == 0
        wait_until(slow_death, "a pause between workers", 60)
        manager.listen()
        before = len(manager.all("WATCHDOG"))
        time.sleep(0.5)
        self.assertEqual(worker_of(river), 0)
        self.assertEqual(len(manager.all("WATCHDOG")), before)
        wait_until(river.is_up, "the next one serves")
        manager.wait("WATCHDOG", before + 3)

    @unittest.skipIf(is_sanitized(), "this needs the build `breakin`")
    def test_the_watchdog_hears_nothing_while_a_thread_is_stuck(self):
        self.assertTrue(os.path.exists(BREAKIN), "run `tools/build breakin` first")
        manager = self.manager()
        port, _, river = self.start(manager, {"WATCHDOG_USEC": "100000"}, binary=BREAKIN, threads=2)
        river.deaths_expected = True
        old = worker_of(river)
        self.connect(port).send(get("/breakin/spin-deaf"))
        wait_until(lambda: "is stuck" in river.errors(), "it is found")
        # It hears no signal, so for a second it is still there, and its other thread serves.
        manager.listen()
        before = len(manager.all("WATCHDOG"))
        self.assertGreater(before, 0)
        time.sleep(0.5)
        self.assertEqual(worker_of(river), old)
        self.assertEqual(len(manager.all("WATCHDOG")), before)
        news = manager.wait("READY", 2)
        self.assertIn(f"worker {worker_of(river)}", news["STATUS"])
        self.assertNotEqual(worker_of(river), old)
        manager.wait("WATCHDOG", before + 3)
        self.assertEqual({n["pid"] for n in manager.listen()}, {river.pid})

    def upgraded(self, manager, river, old):
        """The River that a command has started in the place of `old`."""
        result = command("upgrade", "--control-socket", river.control)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        new = int(result.stdout.split()[2])
        self.addCleanup(lambda: os.path.exists(f"/proc/{new}") and os.kill(new, signal.SIGINT))
        wait_until(lambda: [n for n in manager.all("READY") if n["pid"] == new], "it is ready")
        # A manager with NotifyAccess=main listens to the main process alone, so the old one has to
        # name the new one before that says a word.
        told = [(n["pid"], n["MAINPID"]) for n in manager.all("MAINPID")][-2:]
        self.assertEqual(told, [(old, str(new)), (new, str(new))])
        speakers = [n["pid"] for n in manager.listen()]
        self.assertNotIn(old, speakers[speakers.index(new):])
        return new

    def test_an_upgrade_has_a_new_main_process_that_gives_signs_of_life(self):
        manager = self.manager()
        port, _, river = self.start(manager, {"WATCHDOG_USEC": "400000"},
                                    system="drain-timeout-ms 60000")
        manager.wait("WATCHDOG")
        # The old one has something to finish, so it lives on beside the new one.
        stays = self.connect(port)
        stays.send(get("/", "Content-Length: 9", method="POST"))
        wait_until(lambda: river.status()["worker"]["active"], "a request is under way")
        main_pid = river.pid
        for _ in range(2):
            main_pid = self.upgraded(manager, river, main_pid)
            for _ in range(2):
                count = len(manager.all("WATCHDOG"))
                self.assertEqual(manager.wait("WATCHDOG", count + 1)["pid"], main_pid)
        self.assertEqual(manager.all("STOPPING"), [])
        self.assertIsNone(river.process.poll())
        stays.send("123456789")
        self.assertEqual(stays.response().status, 200)
        self.assertEqual(river.wait(), 0)

    def test_signs_of_life_have_no_gap_at_an_upgrade(self):
        manager = self.manager()
        _, _, river = self.start(manager, {"WATCHDOG_USEC": "600000"})
        manager.wait("WATCHDOG")
        gaps, last, new = [], time.monotonic(), None
        for turn in range(60):
            seen = len(manager.all("WATCHDOG"))
            if turn == 10:
                new = self.upgraded(manager, river, river.pid)
            time.sleep(0.05)
            if len(manager.all("WATCHDOG")) > seen:
                gaps.append(time.monotonic() - last)
                last = time.monotonic()
        self.assertEqual(manager.all("WATCHDOG")[-1]["pid"], new)
        self.assertLess(max(gaps), 0.6 if not is_sanitized() else 3)

    def test_the_watchdog_of_another_process(self):
        manager = self.manager()
        self.start(manager, {"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"})
        manager.wait("READY")
        time.sleep(0.2)
        self.assertEqual(manager.all("WATCHDOG"), [])

    def test_a_manager_that_does_not_listen_costs_nothing(self):
        manager = self.manager()
        # The queue of a datagram socket is short: it is full before River says a word.
        other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        other.setblocking(False)
        self.addCleanup(other.close)
        filled = 0
        try:
            while True:
                other.sendto(b"X=1", manager.address)
                filled += 1
        except BlockingIOError:
            pass
        port, _, river = self.start(manager, {"WATCHDOG_USEC": "100000"})
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        time.sleep(0.3)
        self.assertEqual(len(manager.all("X")), filled)
        # Now there is room: the news was kept.
        manager.wait("READY")
        manager.wait("WATCHDOG")
        river.close()

    def test_variables_that_make_no_sense(self):
        for variables in ({"NOTIFY_SOCKET": "relative"}, {"NOTIFY_SOCKET": "@"},
                          {"NOTIFY_SOCKET": "/" + "x" * 200},
                          {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "soon"}):
            _, _, river = self.serve(always(answer("x")), environment=variables)
            self.assertIn("the service manager hears nothing of us", river.errors())
        # Nobody is at this address: that is nobody's mistake.
        _, _, river = self.serve(always(answer("x")), environment={"NOTIFY_SOCKET": "/nowhere"})
        self.assertNotIn("hears nothing", river.errors())

    def test_a_daemon_becomes_the_main_process(self):
        manager = self.manager()
        directory = self.directory()
        config, pid_path = (os.path.join(directory, n) for n in ("river.kdl", "river.pid"))
        port = self.port()
        with open(config, "w", encoding="utf-8") as file:
            file.write(f'system {{ log {{ error "{directory}/error.log"; }}\n'
                       f'control-socket "{directory}/control"; }}\nservices {{\n'
                       + proxy(port, self.origin(always(answer("x")))) + "}\n")
        result = command("--config-kdl", config, "--daemonize", "--pidfile", pid_path,
                         environment={**manager.environment, "WATCHDOG_USEC": "200000"})
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(pid_path, encoding="utf-8") as file:
            pid = int(file.read())
        try:
            # The news came before the first process ended, so the manager lost nobody.
            self.assertEqual(manager.all("READY")[0]["MAINPID"], str(pid))
            self.assertEqual(manager.wait("WATCHDOG")["pid"], pid)
        finally:
            os.kill(pid, signal.SIGTERM)
        manager.wait("STOPPING")
        wait_until(lambda: not os.path.exists(pid_path), "the daemon ends")


def worker_of(river):
    return river.status()["worker_pid"]


def inode_of(fd):
    return os.fstat(fd).st_ino


def socket_inodes(pid):
    found = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            pass
    return found


class PassedSockets(Test):
    def listener(self, family=socket.AF_INET, address=("127.0.0.1", 0), kind=socket.SOCK_STREAM,
                 backlog=16):
        made = self.own(socket.socket(family, kind))
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        if backlog:
            made.listen(backlog)
        return made

    def start(self, sockets, services, environment=None, **options):
        numbers = ",".join(str(s.fileno()) for s in sockets)
        return self.river(services, launcher=(sys.executable, "-c", PASS_FDS, numbers),
                          pass_fds=[s.fileno() for s in sockets], environment=environment,
                          **options)

    @staticmethod
    def site(*addresses, more="", name="app"):
        listed = "".join(f'"{a}" {more}\n' for a in addresses)
        return f'{name} {{ listeners {{ {listed} }}\nrespond body="it is me\\n"; }}\n'

    def test_tcp_of_both_families_and_unix(self):
        path = os.path.join(self.directory(), "site.sock")
        four = self.listener()
        six = self.listener(socket.AF_INET6, ("::1", 0))
        local = self.listener(socket.AF_UNIX, path)
        addresses = (f"[::1]:{six.getsockname()[1]}", path, f"127.0.0.1:{four.getsockname()[1]}")
        river = self.start([four, six, local], self.site(*addresses))
        for to in (four.getsockname(), six.getsockname()[:2], path):
            self.assertEqual(self.connect(to).ask(get()).body, b"it is me\n")
        # Not bound again: the very same sockets are in the worker.
        inodes = socket_inodes(worker_of(river))
        for passed in (four, six, local):
            self.assertIn(f"socket:[{inode_of(passed.fileno())}]", inodes)
            self.assertTrue(fcntl.fcntl(passed, fcntl.F_GETFL) & os.O_NONBLOCK)
        self.assertEqual(river.errors().count("passed at the start is used"), 3)
        self.assertNotIn("is closed", river.errors())
        # Its file belongs to whoever made it.
        river.signal(signal.SIGTERM)
        self.assertEqual(river.wait(), 0)
        self.assertTrue(os.path.exists(path))

    def test_whoever_comes_between_two_rivers_is_served_by_the_second(self):
        passed = self.listener()
        address = passed.getsockname()
        site = self.site("%s:%d" % address)
        first = self.start([passed], site)
        self.assertEqual(self.connect(address).ask(get()).status, 200)
        for number in (signal.SIGTERM, signal.SIGINT):
            first.signal(number)
            self.assertEqual(first.wait(), 0)
            waiting = self.connect(address)
            waiting.send(get())
            time.sleep(0.1)
            first = self.start([passed], site)
            self.assertEqual(waiting.response().status, 200)

    def test_a_reload_gives_it_up_and_takes_it_again(self):
        passed, other = self.listener(), self.listener()
        address = "%s:%d" % passed.getsockname()
        kept = "%s:%d" % other.getsockname()
        river = self.start([passed, other], self.site(kept, address))

        def reload(*addresses):
            with open(river.config, "w", encoding="utf-8") as file:
                file.write("services {\n" + self.site(*addresses) + "}\n")
            result = command("reload", "--wait", "--control-socket", river.control)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        reload(kept)
        # systemd has it all the time, so whoever comes waits.
        waiting = self.connect(passed.getsockname())
        waiting.send(get())
        self.assertEqual(self.connect(other.getsockname()).ask(get()).status, 200)
        reload(kept, address)
        self.assertEqual(waiting.response().status, 200)
        # It is still the manager's: the end does not shut it down.
        river.signal(signal.SIGTERM)
        self.assertEqual(river.wait(), 0)
        self.connect(passed.getsockname())

    def test_what_is_not_passed_is_bound(self):
        passed, port = self.listener(), self.port()
        self.start([passed], self.site("%s:%d" % passed.getsockname(), port))
        for to in (passed.getsockname(), port):
            self.assertEqual(self.connect(to).ask(get()).status, 200)

    def test_what_fits_nothing_is_closed(self):
        good, foreign = self.listener(), self.listener()
        datagrams = self.listener(kind=socket.SOCK_DGRAM, backlog=0)
        quiet = self.listener(backlog=0)
        local = self.listener(socket.AF_UNIX, os.path.join(self.directory(), "other.sock"))
        file = self.own(open(__file__, "rb"))  # pylint: disable=consider-using-with
        everything = [foreign, datagrams, good, quiet, local, file]
        river = self.start(everything, self.site("%s:%d" % good.getsockname()),
                           {"LISTEN_FDNAMES": "web:dns:good"})
        self.assertEqual(self.connect(good.getsockname()).ask(get()).status, 200)
        lines = [l for l in river.errors().splitlines() if "is closed" in l]
        self.assertEqual(len(lines), 5, river.errors())
        self.assertIn('why="no listener has its address"', lines[0])
        self.assertIn("address=%s:%d name=web descriptor=3" % foreign.getsockname(), lines[0])
        self.assertIn('why="it is no listening stream socket"', lines[1])
        self.assertIn("name=dns descriptor=4", lines[1])
        self.assertIn('why="it is no listening stream socket"', lines[2])
        self.assertIn("other.sock", lines[3])
        self.assertIn('address="no socket"', lines[4])
        for pid in (river.pid, worker_of(river)):
            inodes = socket_inodes(pid)
            for closed in (foreign, datagrams, quiet, local):
                self.assertNotIn(f"socket:[{inode_of(closed.fileno())}]", inodes)

    def test_a_datagram_socket_at_a_listeners_port_is_not_taken_for_it(self):
        port = self.port()
        datagrams = self.listener(address=port.address, kind=socket.SOCK_DGRAM, backlog=0)
        river = self.start([datagrams], self.site(port))
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        self.assertIn("it is no listening stream socket", river.errors())

    def test_sockets_for_another_process(self):
        passed, port = self.listener(), self.port()
        river = self.start([passed], self.site(port), {"TEST_OTHER_PID": "1"})
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        self.assertNotIn("passed", river.errors())

    def test_permissions_that_differ_are_named(self):
        path = os.path.join(self.directory(), "site.sock")
        local = self.listener(socket.AF_UNIX, path)
        os.chmod(path, 0o600)
        river = self.start([local], self.site(path, more='mode="0660"'))
        self.assertEqual(self.connect(path).ask(get()).status, 200)
        self.assertIn("other permissions than its listener", river.errors())
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_numbers_that_make_no_sense(self):
        config = os.path.join(self.directory(), "river.kdl")
        with open(config, "w", encoding="utf-8") as file:
            file.write("services {\n" + self.site(self.port()) + "}\n")
        code = ("import os, sys; os.environ['LISTEN_PID'] = str(os.getpid()); "
                "os.execv(sys.argv[1], sys.argv[1:])")
        for count, why in (("many", "no number"), ("-1", "no number"), ("1025", "at most 1024")):
            done = subprocess.run([sys.executable, "-c", code, BINARY, "--config-kdl", config],
                                  env={**os.environ, "LISTEN_FDS": count}, capture_output=True,
                                  text=True, timeout=SECONDS, check=False)
            self.assertEqual(done.returncode, 3)
            self.assertIn(why, done.stderr)

    def test_more_promised_than_passed(self):
        passed = self.listener()
        code = PASS_FDS.replace("str(len(high))", "'40'")
        river = self.river(self.site("%s:%d" % passed.getsockname()), pass_fds=[passed.fileno()],
                           launcher=(sys.executable, "-c", code, str(passed.fileno())))
        self.assertEqual(self.connect(passed.getsockname()).ask(get()).status, 200)
        self.assertNotIn("is closed", river.errors())


class Store(Test):
    """Listeners in the descriptor store: a supervisor that dies takes its worker with it, as
    systemd has it, and nobody is refused until the next River serves."""

    def setUp(self):
        self.manager = self.own(Manager(os.path.join(self.directory(), "notify")))
        self.path = os.path.join(self.directory(), "site.sock")
        self.one = self.port()

    def services(self, body, *more):
        return (f'app {{ listeners {{ "{self.one}"; "{self.path}" mode="0666"; }}\n'
                f'respond body="{body}"; }}\n' + "".join(more))

    def stored(self, count):
        def found():
            self.manager.listen()
            return len(self.manager.store) == count
        wait_until(found, f"{count} in the store")
        return dict(self.manager.store)

    def kill(self, river):
        """As systemd ends what is left of a service whose main process has died."""
        worker = worker_of(river)
        os.kill(worker, signal.SIGSTOP)
        river.signal(signal.SIGKILL)
        river.wait()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not os.path.exists(f"/proc/{worker}"), "its worker is gone")
        river.closed = True

    def next(self, services, wait=True):
        fds = list(self.manager.store.values())
        return self.river(services, pass_fds=fds, wait=wait, environment={
            **self.manager.environment, "LISTEN_FDNAMES": ":".join(self.manager.store)},
            launcher=(sys.executable, "-c", PASS_FDS, ",".join(map(str, fds))))

    def test_nobody_is_refused_while_river_is_started_again(self):
        river = self.river(self.services("old"), environment=self.manager.environment)
        self.stored(2)
        self.kill(river)
        waiting = [self.connect(self.one), self.connect(self.path)]
        for peer in waiting:
            peer.send(get())
        following = self.next(self.services("new"))
        for peer in waiting:
            self.assertEqual(peer.response().body, b"new")
        self.assertEqual(following.errors().count("earlier River has stored"), 2)
        self.assertNotIn("is closed", following.errors())
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o666)
        # They are its own: at the end nobody listens any more, and the store is empty.
        following.signal(signal.SIGTERM)
        self.assertEqual(following.wait(), 0)
        self.stored(0)
        with self.assertRaises(ConnectionRefusedError):
            self.connect(self.one)
        self.assertFalse(os.path.exists(self.path))

    def test_a_reload_keeps_the_store_right(self):
        two = self.port()
        river = self.river(self.services("x"), environment=self.manager.environment)
        before = self.stored(2)

        def reload(services):
            with open(river.config, "w", encoding="utf-8") as file:
                file.write("services {\n" + services + "}\n")
            done = command("reload", "--wait", "--control-socket", river.control)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        reload(self.services("x", f'two {{ listeners {{ "{two}"; }}\nrespond body="2"; }}\n'))
        more = self.stored(3)
        self.assertEqual({n: fd for n, fd in more.items() if n in before}, before)
        self.assertEqual(self.connect(two).ask(get()).body, b"2")
        reload(self.services("x"))
        self.assertEqual(self.stored(2), before)
        with self.assertRaises(ConnectionRefusedError):
            self.connect(two)

    def test_what_the_next_configuration_lacks_leaves_the_store(self):
        river = self.river(self.services("x"), environment=self.manager.environment)
        self.stored(2)
        self.kill(river)
        following = self.next(f'app {{ listeners {{ "{self.path}"; }}\nrespond body="new"; }}')
        self.assertEqual(self.connect(self.path).ask(get()).body, b"new")
        self.assertIn("no listener has its address", following.errors())
        self.stored(1)
        with self.assertRaises(ConnectionRefusedError):
            self.connect(self.one)

    def test_sockets_that_systemd_has_bound_are_not_stored(self):
        passed = self.own(socket.socket())
        passed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        passed.bind(("127.0.0.1", 0))
        passed.listen(16)
        self.manager.store["web"] = os.dup(passed.fileno())
        address = "%s:%d" % passed.getsockname()
        self.next(f'app {{ listeners {{ "{address}"; "{self.one}"; }}\nrespond body="x"; }}')
        self.assertEqual(len(self.stored(2)), 2)
        self.assertEqual(len([n for n in self.manager.stored if "FDSTORE" in n]), 1)

    def test_an_upgrade_goes_on_with_the_store(self):
        river = self.river(self.services("x"), environment=self.manager.environment)
        self.stored(2)
        with open(river.config, "w", encoding="utf-8") as file:
            file.write(f'services {{ app {{ listeners {{ "{self.one}"; }}\n'
                       'respond body="y"; } }')
        done = command("upgrade", "--control-socket", river.control)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        pid = int(done.stdout.split()[2])
        self.addCleanup(os.kill, pid, signal.SIGINT)
        self.stored(1)
        self.assertEqual(self.manager.stored[-1]["pid"], pid)
        self.assertEqual(self.connect(self.one).ask(get()).body, b"y")


@unittest.skipUnless(shutil.which("systemd-analyze"), "this system has no systemd-analyze")
class Units(Test):
    def copy(self):
        """The unit files in a directory of their own, with a program that is there."""
        directory = self.directory()
        paths = []
        for name in ("river.service", "river.socket"):
            with open(os.path.join(UNITS, name), encoding="utf-8") as file:
                text = file.read()
            paths.append(os.path.join(directory, name))
            with open(paths[-1], "w", encoding="utf-8") as file:
                file.write(text.replace("/usr/local/bin/river", os.path.abspath(BINARY)))
        return paths

    def analyze(self, *arguments):
        return subprocess.run(["systemd-analyze", "--no-pager", *arguments], capture_output=True,
                              text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)

    def test_systemd_understands_every_line(self):
        result = self.analyze("verify", *self.copy())
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""))

    def test_a_line_that_it_does_not_understand_would_be_found(self):
        service, _ = self.copy()
        with open(service, "a", encoding="utf-8") as file:
            file.write("[Service]\nProtectEverything=yes\n")
        self.assertIn("ProtectEverything", self.analyze("verify", service).stderr)

    def test_the_service_is_exposed_to_little(self):
        service, _ = self.copy()
        result = self.analyze("security", "--offline=true",
                              f"--threshold={int(EXPOSURE_MAX * 10)}", service)
        self.assertEqual(result.returncode, 0, result.stdout)
        level = re.search(r"Overall exposure level for river.service: ([\d.]+)", result.stdout)
        self.assertLessEqual(float(level[1]), EXPOSURE_MAX)

    @unittest.skipIf(is_sanitized(), "sanitizers make system calls of their own")
    def test_river_lives_with_the_calls_and_capabilities_that_the_service_has(self):
        unit = confine.Unit(os.path.join(UNITS, "river.service"))
        missing = unit.missing()
        if missing:
            self.skipTest(missing)
        manager = self.own(Manager(os.path.join(self.directory(), "notify")))
        port, _, river = self.serve(
            always(answer("x")), threads=0,
            launcher=(sys.executable, confine.__file__, unit.path),
            environment={**manager.environment, "WATCHDOG_USEC": "200000"})
        manager.wait("WATCHDOG", 3)
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        river.deaths_expected = True
        os.kill(worker_of(river), signal.SIGKILL)
        wait_until(river.is_up, "the next worker serves")
        river.signal(signal.SIGUSR1)
        more = self.port()
        with open(river.config, encoding="utf-8") as file:
            text = file.read()
        added = f'services {{ more {{ listeners {{ "{more}"; }}\nrespond body="x"; }}'
        with open(river.config, "w", encoding="utf-8") as file:
            file.write(text.replace("services {", added))
        result = command("reload", "--wait", "--control-socket", river.control)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual(self.connect(more).ask(get()).status, 200)
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        with open(f"/proc/{worker_of(river)}/status", encoding="utf-8") as file:
            status = file.read()
        self.assertIn("Seccomp:\t2", status)
        river.signal(signal.SIGTERM)
        self.assertEqual(river.wait(), 0)

    def test_confinement_works(self):
        """The test above would find a call that is missing."""
        unit = confine.Unit(os.path.join(UNITS, "river.service"))
        missing = unit.missing()
        if missing:
            self.skipTest(missing)
        done = subprocess.run([sys.executable, confine.__file__, unit.path, sys.executable, "-c",
                               "import os; os.chroot('/')"], check=False, timeout=SECONDS,
                              capture_output=True)
        self.assertEqual(done.returncode, -signal.SIGSYS)


if __name__ == "__main__":
    main()
