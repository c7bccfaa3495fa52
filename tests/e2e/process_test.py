"""Supervisor and worker: restarts, crash lines, draining, stopping, the pid file, the daemon."""

import ctypes
import os
import resource
import shutil
import signal
import threading
import time
import unittest

from harness import (River, Test, always, answer, command, connect, get, is_sanitized, main, proxy,
                     wait_until)


def worker_of(river):
    return river.status()["worker_pid"]


def refuses(port):
    try:
        connect(port).close()
        return False
    except ConnectionRefusedError:
        return True


def kill_thread(pid, number):
    """Sends the signal to one of the process's threads, a busy one."""
    def ticks(thread):
        with open(f"/proc/{pid}/task/{thread}/stat", encoding="utf-8") as file:
            return sum(int(n) for n in file.read().rsplit(")", 1)[1].split()[11:13])
    threads = sorted(os.listdir(f"/proc/{pid}/task"), key=ticks)
    ctypes.CDLL(None).syscall(234, pid, int(threads[-1]), number)  # tgkill


class Restarts(Test):
    def test_a_dead_worker_is_replaced_and_service_goes_on(self):
        port, _, river = self.serve(always(answer("x")))
        river.deaths_expected = True
        old = worker_of(river)
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        os.kill(old, signal.SIGKILL)
        start = time.monotonic()
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        self.assertLess(time.monotonic() - start, 5 if is_sanitized() else 1)
        self.assertNotEqual(worker_of(river), old)
        self.assertEqual(river.status()["restarts"], 1)
        line = [l for l in river.errors().splitlines() if "worker died" in l][0]
        self.assertIn(f"pid={old}", line)
        self.assertIn("signal=KILL", line)

    def test_frequent_deaths_are_slowed_down(self):
        port, _, river = self.serve(always(answer("x")))
        river.deaths_expected = True
        times = []
        for _ in range(6):
            pid = wait_until(lambda: river.is_up() and worker_of(river), "a worker serves")
            os.kill(pid, signal.SIGKILL)
            start = time.monotonic()
            wait_until(lambda: worker_of(river) not in (0, pid), "the next one is there")
            times.append(time.monotonic() - start)
        self.assertGreater(times[5], 0.8)
        self.assertLess(times[5], 5)
        self.assertLess(times[0], 0.8)
        wait_until(river.is_up, "it serves")
        self.assertEqual(self.connect(port).ask(get()).status, 200)

    def test_the_crash_line_names_the_requests(self):
        if is_sanitized():
            self.skipTest("the sanitizer's own handlers end the process")
        port = self.port()
        river = self.river(f'app {{ listeners {{ "{port}"; }}\nrespond body="x"; }}')
        river.deaths_expected = True
        over = threading.Event()
        batch = get("/", "X-Request-Id: who-was-it") * 500

        def load():
            while not over.is_set():
                try:
                    peer = connect(port)
                except OSError:
                    continue
                try:
                    while not over.is_set():
                        peer.send(batch)
                        for _ in range(500):
                            peer.response()
                except (OSError, EOFError):
                    pass
                peer.close()
        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            def crashed():
                status = river.status()
                if status["worker"]:
                    kill_thread(status["worker_pid"], signal.SIGSEGV)
                    time.sleep(0.3)
                return "request_id=who-was-it" in river.errors()
            wait_until(crashed, "a crash while a request is worked on", 40)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        self.assertIn("signal=SEGV", river.errors())


class Ends(Test):
    def download(self, system=""):
        """A download that is under way: (client, event that lets it go on, River, port)."""
        go_on = threading.Event()

        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            go_on.wait(10)
            peer.send("rest")
            peer.rest()
        port, _, river = self.serve(script, system=system)
        peer = self.connect(port)
        peer.send(get())
        peer.head()
        self.assertEqual(peer.exactly(4), b"half")
        return peer, go_on, river, port

    def test_sigterm_finishes_what_is_open_and_refuses_what_is_new(self):
        peer, go_on, river, port = self.download()
        idle = self.connect(port)
        river.signal(signal.SIGTERM)
        self.assertTrue(idle.is_closed())
        wait_until(lambda: river.status()["state"] == "draining", "it drains")

        wait_until(lambda: refuses(port), "newcomers are refused")
        self.assertIsNone(river.process.poll())
        go_on.set()
        self.assertEqual(peer.exactly(4), b"rest")
        self.assertTrue(peer.is_closed())
        self.assertEqual(river.wait(), 0)

    def test_a_drain_has_a_deadline(self):
        peer, _, river, _ = self.download("drain-timeout-ms 500")
        start = time.monotonic()
        river.signal(signal.SIGTERM)
        self.assertTrue(peer.is_closed())
        self.assertEqual(river.wait(), 0)
        self.assertGreater(time.monotonic() - start, 0.4)
        self.assertLess(time.monotonic() - start, 5)

    def test_a_second_signal_stops_at_once(self):
        for second in (signal.SIGTERM, signal.SIGINT):
            peer, _, river, _ = self.download()
            river.signal(signal.SIGTERM)
            wait_until(lambda r=river: r.status()["state"] == "draining", "it drains")
            river.signal(second)
            self.assertTrue(peer.is_closed())
            self.assertEqual(river.wait(), 0)

    def test_sigint_stops_at_once(self):
        peer, _, river, _ = self.download()
        river.signal(signal.SIGINT)
        self.assertTrue(peer.is_closed())
        self.assertEqual(river.wait(), 0)

    def test_sighup_without_a_change_changes_nothing(self):
        port, _, river = self.serve(always(answer("x")))
        river.signal(signal.SIGHUP)
        wait_until(lambda: "nothing new" in river.errors(), "it says so")
        self.assertEqual(self.connect(port).ask(get()).status, 200)


class Files(Test):
    def test_the_pid_file(self):
        path = os.path.join(self.directory(), "river.pid")
        port, _, river = self.serve(always(answer("x")), flags=("--pidfile", path))
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), f"{river.pid}\n")
        second = self.own(River(proxy(self.port(), "127.0.0.1:1"), flags=("--pidfile", path),
                                wait=False))
        self.assertEqual(second.wait(), 3)
        self.assertIn("another River runs already", second.errors())
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        river.close()
        self.assertFalse(os.path.exists(path))

    def test_the_daemon(self):
        directory = self.directory()
        pid_path, config, error = (os.path.join(directory, n)
                                   for n in ("river.pid", "river.kdl", "error.log"))
        port = self.port()
        with open(config, "w", encoding="utf-8") as file:
            file.write(f'system {{ log {{ error "{error}"; }}\n'
                       f'control-socket "{directory}/control"; }}\nservices {{\n'
                       + proxy(port, self.origin(always(answer("x")))) + "}\n")
        result = command("--config-kdl", config, "--daemonize", "--pidfile", pid_path)
        with open(error, encoding="utf-8") as file:
            self.assertEqual(result.returncode, 0, result.stderr + file.read())
        with open(pid_path, encoding="utf-8") as file:
            pid = int(file.read())
        try:
            self.assertEqual(self.connect(port).ask(get()).status, 200)
        finally:
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not os.path.exists(pid_path), "the daemon ends")

    def test_a_daemon_that_cannot_start_says_so(self):
        config = os.path.join(self.directory(), "river.kdl")
        with open(config, "w", encoding="utf-8") as file:
            file.write("services {\n" + proxy("192.0.2.1:80", "127.0.0.1:1") + "}\n")
        result = command("--config-kdl", config, "--daemonize", "--pidfile", config + ".pid",
                         "--control-socket", config + ".sock")
        self.assertEqual(result.returncode, 3)
        self.assertIn("cannot listen on 192.0.2.1:80", result.stderr)


class Inherited(Test):
    """What survives exec is whatever the parent wished; River works all the same."""

    def start(self, preexec, **options):
        port, _, river = self.serve(always(answer("x")), preexec=preexec, **options)
        river.deaths_expected = True
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        return port, river

    def check_life(self, port, river):
        """A worker that dies is replaced, and SIGTERM ends River."""
        old = worker_of(river)
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: river.is_up() and worker_of(river) != old, "the next one serves")
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        river.signal(signal.SIGTERM)
        self.assertEqual(river.wait(), 0)

    def test_sigchld_is_ignored(self):
        port, river = self.start(lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.check_life(port, river)

    def test_every_signal_is_ignored(self):
        def ignore():
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                try:
                    signal.signal(number, signal.SIG_IGN)
                except OSError:
                    pass  # the C library's own
        port, river = self.start(ignore)
        self.check_life(port, river)

    def test_every_signal_is_blocked_and_some_wait(self):
        def block():
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            for number in (signal.SIGALRM, signal.SIGUSR2, signal.SIGABRT, signal.SIGRTMIN + 1):
                os.kill(os.getpid(), number)
        port, river = self.start(block)
        with open(f"/proc/{worker_of(river)}/status", encoding="utf-8") as file:
            blocked = int([l for l in file if l.startswith("SigBlk")][0].split()[1], 16)
        for number in (signal.SIGSEGV, signal.SIGSYS, signal.SIGABRT, signal.SIGALRM):
            self.assertEqual(blocked >> (number - 1) & 1, 0, number)
        self.check_life(port, river)

    def test_timers_run(self):
        def wind_up():
            signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
            signal.setitimer(signal.ITIMER_PROF, 0.05, 0.05)
        port, river = self.start(wind_up)
        time.sleep(0.7)
        self.check_life(port, river)

    def test_a_umask_that_forbids_everything(self):
        log = os.path.join(self.directory(), "access.log")
        _, river = self.start(lambda: os.umask(0o777), system=f'log {{ access "{log}"; }}')
        self.assertEqual(os.stat(log).st_mode & 0o700, 0o600)
        self.assertEqual(os.stat(log).st_mode & 0o077, 0)
        river.signal(signal.SIGUSR1)
        wait_until(lambda: "logs opened again" in river.errors(), "the owner may open it again")

    def test_standard_descriptors_are_closed(self):
        def shut():
            os.close(0)
            os.close(1)
        port, river = self.start(shut)
        for pid in (river.pid, worker_of(river)):
            for number in (0, 1):
                self.assertEqual(os.readlink(f"/proc/{pid}/fd/{number}"), "/dev/null")
        self.check_life(port, river)

    def test_files_are_open(self):
        one, other = os.pipe()
        self.addCleanup(os.close, one)
        os.set_inheritable(other, True)
        _, river = self.start(None, pass_fds=[other])
        os.close(other)
        name = os.readlink(f"/proc/self/fd/{one}")
        for pid in (river.pid, worker_of(river)):
            held = [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]
            self.assertNotIn(name, held)
        self.assertEqual(os.read(one, 1), b"")  # nobody has the other end

    def test_soft_limits(self):
        def lower():
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
            hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
            resource.setrlimit(resource.RLIMIT_CPU, (1, hard))
        _, river = self.start(lower)
        for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_CPU):
            soft, hard = resource.prlimit(worker_of(river), limit)
            self.assertEqual(soft, hard if limit == resource.RLIMIT_CPU else soft)
            self.assertNotEqual(soft, 100)

    def zombies_of(self, pid):
        found = []
        for name in os.listdir("/proc"):
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if fields[:2] == ["Z", str(pid)]:
                found.append(name)
        return found

    def test_children_that_came_with_exec_are_reaped(self):
        launcher = ("sh", "-c", 'sleep 0.1 & sleep 1.5 & exec "$@"', "sh")
        port, river = self.start(None, launcher=launcher)
        time.sleep(1.7)
        wait_until(lambda: not self.zombies_of(river.pid), "all are reaped", 3)
        self.check_life(port, river)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("unshare"), "needs a pid namespace")
    def test_as_process_1_orphans_are_reaped(self):
        done = os.path.join(self.directory(), "done")
        # The inner shell ends at once: what it has started becomes a child of process 1.
        launcher = ("unshare", "--pid", "--fork", "--kill-child", "sh", "-c",
                    f'(sh -c "sleep 1; : >{done}" &) ; exec "$@"', "sh")
        port, _, river = self.serve(always(answer("x")), launcher=launcher)
        self.assertEqual(river.status()["supervisor_pid"], 1)
        with open(f"/proc/{river.pid}/task/{river.pid}/children", encoding="utf-8") as file:
            first = int(file.read().split()[0])
        wait_until(lambda: os.path.exists(done), "the orphan has ended")
        wait_until(lambda: not self.zombies_of(first), "it is reaped", 3)
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        os.kill(first, signal.SIGTERM)
        self.assertEqual(river.wait(), 0)


if __name__ == "__main__":
    main()
