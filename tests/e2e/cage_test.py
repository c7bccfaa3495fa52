"""The cage: who the worker is, what it may do, and one that tries to get out (build/breakin)."""

import ctypes
import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import threading
import time
import unittest

from harness import (BINARY, BREAKIN, ROOT, River, Test, always, answer, ask, command, connect,
                     get, is_sanitized, main, proxy, wait_until)

NOBODY = 65534
OTHER = 12345  # a user without an account
ATTEMPT = re.compile(r'^    X\("([^"]*)",\s*"([^"]*)",', re.MULTILINE)
DEATHS_AT_ONCE = 4  # a River that lost more workers within ten seconds waits for a second
AS_ROOT = unittest.skipUnless(os.geteuid() == 0, "only root may become somebody else")


def worker_of(river):
    return river.status()["worker_pid"]


def facts(pid):
    """What /proc/PID/status says."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def limits(pid):
    with open(f"/proc/{pid}/limits", encoding="utf-8") as file:
        return {line[:26].strip(): line[26:].split()[:2] for line in file}


def as_user(user, *words):
    """Whether the command succeeds for that user."""
    return subprocess.run(words, user=user, group=user, extra_groups=[], check=False,
                          capture_output=True, timeout=15).returncode == 0


def without_seccomp():
    """Puts the calling process where seccomp(2) fails, as in a kernel that has none."""
    libc = ctypes.CDLL(None, use_errno=True)
    program = [(0x20, 0, 0, 0), (0x15, 0, 1, 317), (0x06, 0, 0, 0x00050000 | 38),
               (0x06, 0, 0, 0x7fff0000)]
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    room = ctypes.create_string_buffer(code)
    handed = struct.pack("HxxxxxxP", len(program), ctypes.addressof(room))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.create_string_buffer(handed), 0, 0):
        raise OSError(ctypes.get_errno(), "no filter")


class Account(Test):
    def check_caged(self, pid, user, group):
        status = facts(pid)
        self.assertEqual(status["Uid"].split(), [str(user)] * 4)
        self.assertEqual(status["Gid"].split(), [str(group)] * 4)
        self.assertEqual(status["Groups"].strip(), "")
        self.assertEqual(status["Seccomp"], "2")
        self.assertEqual(status["NoNewPrivs"], "1")
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)

    @AS_ROOT
    def test_the_worker_becomes_its_user_and_the_supervisor_stays(self):
        for system, group in (('user "nobody"', NOBODY),
                              ('user "nobody"; group "0"', 0),
                              (f'user "{NOBODY}"; group "{OTHER}"', OTHER)):
            port, _, river = self.serve(always(answer("x")), system=system)
            self.assertEqual(ask(port, "/").status, 200)
            self.check_caged(worker_of(river), NOBODY, group)
            self.assertEqual(facts(river.pid)["Uid"].split()[0], "0")
            self.assertNotIn("runs as root", river.errors())

    @AS_ROOT
    def test_a_group_alone(self):
        _, _, river = self.serve(always(answer("x")), system=f'group "{OTHER}"')
        self.check_caged(worker_of(river), 0, OTHER)

    @AS_ROOT
    def test_root_without_a_user_is_warned_and_powerless(self):
        port, _, river = self.serve(always(answer("x")))
        self.assertEqual(river.errors().count("the worker runs as root: set `user`"), 1)
        self.assertEqual(ask(port, "/").status, 200)
        self.assertEqual(int(facts(worker_of(river))["CapEff"], 16), 0)
        self.assertEqual(facts(worker_of(river))["Seccomp"], "2")

    @AS_ROOT
    def test_started_by_a_user_it_works_the_same(self):
        origin = self.origin(always(answer("x")))
        for system in ("", f'user "{OTHER}"; group "{OTHER}"', f'group "{OTHER}"'):
            port = self.port()
            river = self.river(proxy(port, origin), system, user=OTHER)
            self.assertEqual(ask(port, "/").status, 200)
            self.assertEqual(facts(river.pid)["Uid"].split()[0], str(OTHER))
            status = facts(worker_of(river))
            self.assertEqual((status["Uid"].split()[0], status["Seccomp"], status["NoNewPrivs"]),
                             (str(OTHER), "2", "1"))
            self.assertEqual(int(status["CapEff"], 16), 0)

    @AS_ROOT
    def test_a_user_cannot_become_another_one(self):
        for system, word in (('user "nobody"', "user nobody"), ('group "0"', "group 0")):
            river = self.own(River(proxy(self.port(), "127.0.0.1:1"), system, user=OTHER,
                                   wait=False))
            self.assertEqual(river.wait(), 3)
            self.assertIn(f"cannot run the worker as {word}: only root", river.errors())

    @AS_ROOT
    def test_a_worker_without_a_supervisor_lives_in_its_cage(self):
        """It accepts, dials, talks to the next supervisor, and ends, all with what it may do."""
        origin = self.origin(always(answer("x")))
        port = self.port()
        river = self.river(proxy(port, origin), 'user "nobody"')
        pid = worker_of(river)
        river.signal(signal.SIGKILL)
        river.wait()
        wait_until(lambda: "the supervisor is gone" in river.errors(), "the worker notices")
        self.assertEqual(ask(port, "/").status, 200)
        self.assertEqual(facts(pid)["Uid"].split()[0], str(NOBODY))
        following = self.own(River(proxy(port, origin), 'user "nobody"', wait=False,
                                   flags=("--control-socket", river.control)))
        following.control = river.control
        wait_until(following.is_up, "the next River serves")
        wait_until(lambda: "taken over" in following.errors(), "it is taken over")
        wait_until(lambda: not os.path.exists(f"/proc/{pid}") or
                   facts(pid)["State"].startswith("Z"), "the worker ends")
        self.assertNotIn("killed", following.errors())
        self.assertEqual(ask(port, "/").status, 200)

    @AS_ROOT
    def test_logs_and_files_need_no_rights_of_the_user(self):
        directory = self.directory()  # 0700, root's
        access = os.path.join(directory, "access.log")
        port, _, river = self.serve(always(answer("x")), system=f'user "nobody"; '
                                    f'log {{ access "{access}"; }}')
        self.assertEqual(ask(port, "/one").status, 200)

        def has(word):
            with open(access, encoding="utf-8") as file:
                return word in file.read()
        wait_until(lambda: has("/one"), "the line")
        os.rename(access, access + ".1")
        river.signal(signal.SIGUSR1)
        wait_until(lambda: os.path.exists(access), "a new log")
        self.assertEqual(ask(port, "/two").status, 200)
        wait_until(lambda: has("/two"), "the line in the new log")

    @AS_ROOT
    def test_unix_origins_are_dialled_as_the_user(self):
        directory = self.directory()
        path = os.path.join(directory, "origin.sock")
        self.origin(always(answer("x")), path)
        port = self.port()
        self.river(proxy(port, path), 'user "nobody"')
        self.assertEqual(ask(port, "/").status, 502)
        os.chmod(directory, 0o755)
        os.chmod(path, 0o666)
        self.assertEqual(ask(port, "/").status, 200)


class Secrets(Test):
    @AS_ROOT
    def test_its_own_user_reads_nothing_of_it(self):
        _, _, river = self.serve(always(answer("x")), system='user "nobody"',
                                 environment={"SECRET": "in the environment"})
        pid = worker_of(river)
        for name in ("mem", "environ", "maps", "auxv", "fd/0", "syscall"):
            self.assertFalse(as_user(NOBODY, "dd", f"if=/proc/{pid}/{name}", "of=/dev/null",
                                     "count=1", "bs=1"), name)
        self.assertFalse(as_user(NOBODY, "ls", f"/proc/{pid}/fd"))
        self.assertTrue(as_user(NOBODY, "cat", f"/proc/{pid}/status"))

    def test_limits(self):
        _, _, river = self.serve(always(answer("x")))
        of = limits(worker_of(river))
        self.assertEqual(of["Max core file size"], ["0", "0"])
        self.assertEqual(of["Max locked memory"], ["0", "0"])
        self.assertEqual(of["Max open files"][0], of["Max open files"][1])
        self.assertEqual(of["Max file size"], ["unlimited", "unlimited"])
        if not is_sanitized():
            self.assertEqual(of["Max processes"], ["0", "0"])
            self.assertTrue(of["Max data size"][0].isdigit())

    def test_it_leaves_no_core(self):
        if is_sanitized():
            self.skipTest("the sanitizer's own handlers end the process")
        directory = self.directory()
        pattern = "/proc/sys/kernel/core_pattern"
        with open(pattern, encoding="utf-8") as file:
            if file.read().startswith(("|", "@", "/")):
                self.skipTest("cores of this machine do not go to the directory")

        def start():
            os.chdir(directory)
            most = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (most, most))
        port = self.port()
        river = self.river(f'app {{ listeners {{ "{port}"; }}\nrespond body="x"; }}',
                           preexec=start)
        river.deaths_expected = True
        os.kill(worker_of(river), signal.SIGSEGV)
        wait_until(lambda: "worker died" in river.errors(), "the worker dies")
        self.assertEqual(ask(port, "/").status, 200)
        self.assertEqual(os.listdir(directory), [])


class Sandbox(Test):
    def test_without_the_cage(self):
        port, _, river = self.serve(always(answer("x")), system="sandbox false")
        self.assertEqual(ask(port, "/").status, 200)
        status = facts(worker_of(river))
        self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("0", "1"))
        self.assertEqual(river.errors().count("the worker is not caged: `sandbox` is false"), 1)

    @AS_ROOT
    def test_without_the_cage_its_user_may_look_at_it(self):
        """With a debugger, say."""
        services = proxy(self.port(), "127.0.0.1:1")
        for system, may in (("sandbox false", True), ("", False)):
            river = self.river(services, system, user=OTHER)
            for pid in (worker_of(river), river.pid):
                self.assertEqual(as_user(OTHER, "cat", f"/proc/{pid}/environ"), may, system)
            river.close()

    @AS_ROOT
    def test_without_the_cage_the_user_changes_all_the_same(self):
        _, _, river = self.serve(always(answer("x")), system='sandbox false; user "nobody"')
        status = facts(worker_of(river))
        self.assertEqual(status["Uid"].split(), [str(NOBODY)] * 4)
        self.assertEqual(int(status["CapPrm"], 16), 0)

    def test_a_kernel_without_seccomp(self):
        services = proxy(self.port(), "127.0.0.1:1")
        river = self.own(River(services, wait=False, preexec=without_seccomp))
        self.assertEqual(river.wait(), 3)
        self.assertIn("no seccomp filters; `sandbox false` in `system` runs River without",
                      river.errors())
        self.river(services, "sandbox false", preexec=without_seccomp)

    def test_what_is_closed_is_logged_once(self):
        port, _, river = self.serve(always(answer("x")))
        river.deaths_expected = True
        os.kill(worker_of(river), signal.SIGKILL)
        self.assertEqual(ask(port, "/").status, 200)
        wait_until(river.is_up, "the next worker")
        line = [l for l in river.errors().splitlines() if "the worker's cage" in l]
        self.assertEqual(len(line), 1)
        self.assertIn("seccomp", line[0])

    def test_long_work_needs_nothing_else(self):
        """Memory that grows and shrinks in every thread: the allocator asks for its own things."""
        if is_sanitized():
            self.skipTest("the sanitizer has an allocator of its own")
        port, _, river = self.serve(self.download, threads=4)
        peers = [self.connect(port) for _ in range(40)]
        for _ in range(3):
            for peer in peers:
                peer.send(get())
            for peer in peers:
                self.assertEqual(len(peer.response().body), 3_000_000)
        self.assertEqual(river.status()["restarts"], 0)

    @staticmethod
    def download(peer):
        while True:
            peer.request()
            peer.send(answer(b"x" * 3_000_000))


class Memory(Test):
    def test_a_worker_at_its_budget_still_serves(self):
        """All memory that requests may have is taken, and the limit of the system is far enough."""
        if is_sanitized():
            self.skipTest("a sanitizer's worker has no limit of memory")
        over = threading.Event()

        def script(peer):
            while True:
                request = peer.request()
                if request.target == "/held":
                    over.wait(30)
                peer.send(answer(b"x"))
        port, _, river = self.serve(script, system="buffer-memory-bytes 16777216")
        self.addCleanup(over.set)
        pid = worker_of(river)
        head = get("/held", *[f"X-{i}: " + "y" * 900 for i in range(50)])
        peers = [self.connect(port) for _ in range(600)]
        for peer in peers:
            peer.send(head)
        wait_until(lambda: "memory" in river.status()["worker"]["faults"], "the budget is spent")
        used = int(facts(pid)["VmData"].split()[0]) * 1024
        self.assertLess(used, int(limits(pid)["Max data size"][0]))
        over.set()
        self.assertEqual({peer.response().status for peer in peers}, {200, 503})
        self.assertEqual(ask(port, "/small").status, 200)
        self.assertEqual(river.status()["restarts"], 0)

    def test_a_worker_without_bounds_fails_alone(self):
        """The limit is the system's: what exceeds it is refused."""
        if is_sanitized():
            self.skipTest("a sanitizer's worker has no limit of memory")
        _, _, river = self.serve(always(answer("x")), system="buffer-memory-bytes 33554432")
        pid = worker_of(river)
        most = int(limits(pid)["Max data size"][0])
        mapped = int(facts(pid)["VmData"].split()[0]) * 1024
        with open("/proc/meminfo", encoding="utf-8") as file:
            machine = int(file.readline().split()[1]) * 1024
        self.assertGreater(most, mapped + (33554432 * 3 // 2))
        self.assertLess(most - mapped, 33554432 * 2 + max(machine // 4, 300 << 20))


class Reloads(Test):
    @AS_ROOT
    def test_another_user_comes_with_another_worker(self):
        origin = self.origin(always(answer("x")))
        port = self.port()
        river = self.river(proxy(port, origin))
        self.assertEqual(facts(worker_of(river))["Uid"].split()[0], "0")
        with open(river.config, "w", encoding="utf-8") as file:
            file.write('system { user "nobody"; }\nservices {\n' + proxy(port, origin) + "}\n")
        result = command("reload", "--wait", "--control-socket", river.control)
        self.assertEqual(result.returncode, 0, result.stderr + result.stdout)
        status = facts(worker_of(river))
        self.assertEqual((status["Uid"].split()[0], status["Seccomp"]), (str(NOBODY), "2"))
        self.assertEqual(ask(port, "/").status, 200)
        self.assertEqual(river.status()["restarts"], 0)


class Doctor(Test):
    def findings(self, *words, status=0):
        result = command("doctor", "--json", *words)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        answered = json.loads(result.stdout)
        for finding in answered["findings"]:
            self.assertIn(finding["verdict"], ("ok", "weaker", "missing"))
            self.assertEqual(finding["verdict"] == "ok", finding["advice"] == "", finding)
            self.assertNotEqual(finding["found"], "", finding)
        return {f["name"]: f for f in answered["findings"]}, answered["verdict"]

    def file(self, system, port="127.0.0.1:8080"):
        path = os.path.join(self.directory(), "river.kdl")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"system {{\n{system}\n}}\nservices {{\n"
                       + proxy(port, "127.0.0.1:1") + "}\n")
        return path

    def test_the_table_and_the_json_agree(self):
        nowhere = ("--control-socket", os.path.join(self.directory(), "none"))
        found, _ = self.findings(*nowhere)
        self.assertGreaterEqual(len(found), 20)
        text = command("doctor", *nowhere).stdout
        for name, finding in found.items():
            row = [l for l in text.splitlines() if l.startswith(name + " ")]
            self.assertEqual(len(row), 1, name)
            self.assertIn(finding["verdict"], row[0])
            self.assertIn(finding["advice"], text)
        self.assertEqual(found["bounds-checks"]["verdict"], "ok")
        self.assertEqual(found["address-layout"]["found"].split(",")[0], "position-independent")
        self.assertIn("none answers", found["river"]["found"])

    def test_the_manual_shows_every_finding(self):
        found, _ = self.findings("--control-socket", os.path.join(self.directory(), "none"))
        with open(os.path.join(ROOT, "docs", "manual", "hardening.md"), encoding="utf-8") as file:
            shown = re.findall(r"^([a-z0-9-]+) +(?:ok|weaker|missing) ", file.read(), re.MULTILINE)
        self.assertEqual(shown, list(found))

    def test_it_judges_for_a_configuration(self):
        found, _ = self.findings(self.file('user "nobody"; max-connections 10; sandbox false'))
        wanted = int(re.search(r"(\d+) wanted", found["descriptors"]["found"])[1])
        self.assertIn(wanted - 20, range(20, 2000))  # two for each, and what a worker needs
        self.assertEqual(found["descriptors"]["verdict"], "ok")
        self.assertEqual(found["seccomp"]["verdict"], "weaker")
        self.assertIn("nobody", found["user"]["found"])
        found, _ = self.findings(self.file("max-connections 9000000"))
        self.assertEqual(found["descriptors"]["verdict"], "weaker")
        result = command("doctor", self.file("max-connections no"))
        self.assertEqual(result.returncode, 1)
        self.assertIn("max-connections", result.stderr)

    @AS_ROOT
    def test_what_is_missing_is_an_error(self):
        path = self.file('user "root"', "127.0.0.1:80")
        os.chmod(os.path.dirname(path), 0o755)
        result = subprocess.run([river_for_all(self), "doctor", path], user=OTHER, group=OTHER,
                                extra_groups=[], check=False, capture_output=True, text=True,
                                timeout=15)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn("Only root may become another user", result.stdout)
        self.assertIn("CAP_NET_BIND_SERVICE", result.stdout)
        self.assertIn("Something that River needs is missing.", result.stdout)

    def test_it_asks_a_running_river(self):
        _, _, river = self.serve(always(answer("x")))
        found, _ = self.findings("--control-socket", river.control)
        self.assertIn(f"worker {worker_of(river)}: no_new_privs", found["river"]["found"])
        self.assertIn("seccomp", found["river"]["found"])
        self.assertEqual(found["river"]["verdict"], "ok")
        _, _, river = self.serve(always(answer("x")), system="sandbox false")
        found, _ = self.findings("--control-socket", river.control)
        self.assertEqual(found["river"]["verdict"], "weaker")


def river_for_all(test):
    """A copy of the binary that every user may run."""
    directory = test.directory()
    os.chmod(directory, 0o755)
    path = os.path.join(directory, "river")
    shutil.copy(BINARY, path)
    os.chmod(path, 0o755)
    return path


def attempts():
    with open(os.path.join(ROOT, "src", "app", "breakin_try.c"), encoding="utf-8") as file:
        return ATTEMPT.findall(file.read())


def order(pid, thread, number):
    """Tells a thread of the worker to try something: SIGUSR2 with a value."""
    info = struct.pack("iiiiiiP", signal.SIGUSR2, 0, -1, 0, os.getpid(), os.getuid(), number)
    room = ctypes.create_string_buffer(info, 128)
    if ctypes.CDLL(None, use_errno=True).syscall(297, pid, thread, signal.SIGUSR2, room) != 0:
        raise OSError(ctypes.get_errno(), "rt_tgsigqueueinfo")


class Breakin(Test):
    """Against River's own rules a worker tries what an attacker would."""

    def setUp(self):
        if is_sanitized():
            self.skipTest("these need the build `breakin` alone")
        self.assertTrue(os.path.exists(BREAKIN), "run `tools/build breakin` first")

    def start(self, more=""):
        port = self.port()
        user = 'user "nobody"' if os.geteuid() == 0 else ""
        river = self.river(f'app {{ listeners {{ "{port}"; }}\n{more or "respond body=x"}; }}'
                           .replace("body=x", 'body="x"'), user, binary=BREAKIN)
        river.deaths_expected = True
        return port, river

    def attempt(self, port, river, number, of_data):
        """The crash line, once a new worker has answered."""
        pid = worker_of(river)
        before = river.errors().count("worker died")
        threads = sorted(int(n) for n in os.listdir(f"/proc/{pid}/task"))
        start = time.monotonic()
        order(pid, threads[-1] if of_data else threads[0], number)
        wait_until(lambda: river.errors().count("worker died") > before, "the worker dies")
        peer = connect(port)
        self.addCleanup(peer.close)
        self.assertEqual(peer.ask(get()).status, 200)
        self.assertLess(time.monotonic() - start, 1)
        wait_until(river.is_up, "the next worker")
        return [l for l in river.errors().splitlines() if "worker died" in l][-1]

    def try_all(self, of_data):
        port = river = None
        table = attempts()
        self.assertGreater(len(table), 50)
        for number, (call, what) in enumerate(table):
            if number % DEATHS_AT_ONCE == 0:
                if river:
                    river.close()
                port, river = self.start()
            with self.subTest(call=call, what=what):
                line = self.attempt(port, river, number, of_data)
                self.assertNotIn("breakin:", river.errors())
                name = f'"{call}"' if " " in call else call
                self.assertIn(f"signal=SYS call={name} ", line)
                self.assertEqual("thread=3" not in line, of_data, line)
        self.assertIsNone(river.process.poll())

    def test_from_a_thread_that_carries_traffic(self):
        self.try_all(True)

    def test_from_the_first_thread(self):
        self.try_all(False)

    def test_with_file_servers_landlock_guards_the_other_files(self):
        root = self.directory()
        os.chmod(root, 0o755)
        with open(os.path.join(root, "index.html"), "w", encoding="utf-8") as file:
            file.write("x")
        port, river = self.start(f'file-server {{ base-path "{root}"; }}')
        if "landlock" not in river.errors():
            self.skipTest("this kernel has no Landlock")
        table = attempts()
        number = table.index(("openat2", "reads /etc/passwd"))
        line = self.attempt(port, river, number, True)
        self.assertIn("exit_status=99", line)
        self.assertIn("breakin: openat2: reads /etc/passwd: returned -1, errno 13", river.errors())
        line = self.attempt(port, river, table.index(("openat", "reads /etc/passwd")), True)
        self.assertIn("call=openat", line)

    def test_river_itself_has_no_such_hook(self):
        port, _, river = self.serve(always(answer("x")))
        river.deaths_expected = True
        order(worker_of(river), worker_of(river), 0)
        wait_until(lambda: "worker died" in river.errors(), "the signal kills")
        self.assertIn("signal=USR2", river.errors())
        self.assertEqual(ask(port, "/").status, 200)


if __name__ == "__main__":
    main()
