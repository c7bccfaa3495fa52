"""Supervisor and worker: restarts, crash lines, draining, stopping, the pid file, the daemon."""

import ctypes
import os
import signal
import threading
import time

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

    def test_the_worker_does_not_outlive_its_supervisor(self):
        port, _, river = self.serve(always(answer("x")))
        pid = worker_of(river)
        river.signal(signal.SIGKILL)
        river.wait()

        def gone():
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                    return file.read().rsplit(")", 1)[1].split()[0] == "Z"
            except OSError:
                return True
        wait_until(gone, "the worker ends")
        wait_until(lambda: refuses(port), "nobody listens any more")


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


if __name__ == "__main__":
    main()
