"""`river status`: what a running River says about itself."""

import ctypes
import json
import os
import shutil
import signal
import socket
import stat
import struct
import tempfile
import threading
import time
import unittest

from harness import Test, always, answer, command, connect, get, main, proxy, wait_until


class Status(Test):
    def setUp(self):
        self.listen, self.origin_, self.river_ = self.serve(always(answer("hello")))
        peer = self.connect(self.listen)
        for _ in range(5):
            peer.ask(get())
        self.connect(self.listen).ask(b"GET / HTTP/1.1\r\n\r\n")

    def test_json(self):
        result = command("status", "--json", "--control-socket", self.river_.control)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        status = json.loads(result.stdout)
        self.assertEqual(status["state"], "serving")
        self.assertEqual(status["supervisor_pid"], self.river_.pid)
        self.assertGreater(status["up_ms"], 0)
        worker = status["worker"]
        self.assertEqual((worker["threads"], worker["requests"], worker["accepted"]), (2, 6, 2))
        self.assertEqual(worker["faults"], {"request-host-missing": 1}
                         if "request-host-missing" in worker["faults"] else worker["faults"])
        self.assertEqual(len(worker["faults"]), 1)
        service = worker["services"][0]
        self.assertEqual((service["name"], service["answers"]["2xx"], service["answers"]["4xx"]),
                         ("app", 5, 1))
        self.assertEqual(service["upstreams"], [str(self.origin_)])
        upstream = worker["upstreams"][0]
        self.assertEqual({k: upstream[k] for k in ("name", "requests", "failures", "opened",
                                                   "reused", "active", "idle")},
                         {"name": str(self.origin_), "requests": 5, "failures": 0, "opened": 1,
                          "reused": 4, "active": 0, "idle": 1})
        for part in ("used_bytes", "peak_bytes", "max_bytes"):
            self.assertIn(part, worker["memory"])
        self.assertEqual(worker["log_lines_dropped"], {"access": 0, "error": 0})

    def test_endpoints(self):
        """Those that are not simply up with weight 1; none here had a state changed."""
        self.assertEqual(self.river_.status()["worker"]["services"][0]["endpoints"], [])
        origin, port = self.origin(always(answer("hello"))), self.port()
        river = self.river(proxy(port, [f"{self.origin_}", f"{origin} weight=3"]))
        service = river.status()["worker"]["services"][0]
        self.assertEqual(service["endpoints"],
                         [{"name": str(origin), "state": "up", "weight": 3}])
        text = command("status", "--control-socket", river.control).stdout
        self.assertRegex(text, rf"ENDPOINT +STATE +WEIGHT SERVICE\n{origin} +up +3 app\n")

    def test_times(self):
        """By bounds; what River answered by itself has no origin's times."""
        def slow(_):
            time.sleep(0.06)
            return answer("late")
        listen, _, river = self.serve(always(slow))
        peer = self.connect(listen)
        for _ in range(3):
            peer.ask(get())
        peer.ask(b"GET / HTTP/1.1\r\n\r\n")
        service = river.status()["worker"]["services"][0]
        times = service["request_time"]
        self.assertEqual(times["count"], 4)
        self.assertEqual(sum(times["ms"].values()), 4)
        self.assertEqual(list(times["ms"])[:4] + list(times["ms"])[-2:],
                         ["5", "10", "25", "50", "10000", "more"])
        self.assertGreaterEqual(times["sum_us"], 3 * 60_000)
        self.assertEqual(times["ms"]["5"] + times["ms"]["10"] + times["ms"]["25"], 1)
        first = service["first_byte_time"]
        self.assertEqual((first["count"], first["ms"]["5"] + first["ms"]["50"]), (3, 0))
        self.assertEqual(service["connect_time"]["count"], 3)

    def test_for_people(self):
        result = command("status", environment={"RIVER_CONTROL_SOCKET": self.river_.control})
        self.assertEqual(result.returncode, 0)
        for word in ("serving for", f"pid {self.river_.pid}", "SERVICE", "UPSTREAM", "FAULTS",
                     str(self.origin_)):
            self.assertIn(word, result.stdout)

    def test_only_its_user_may_ask(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.river_.control).st_mode), 0o600)

    def test_nonsense_and_silence_disturb_nobody(self):
        silent = [self.own(connect(self.river_.control)) for _ in range(3)]
        for line in ("x\n", "y" * 1000, "status text", "\0\n"):
            peer = self.own(connect(self.river_.control))
            peer.send(line)
            if line != "status text":
                self.assertEqual(peer.rest(), b"")
        self.assertEqual(self.river_.status()["state"], "serving")
        self.assertEqual(len(silent), 3)

    def test_nobody_there(self):
        result = command("status", "--control-socket", "/nonexistent/control")
        self.assertEqual(result.returncode, 3)
        self.assertIn("no River answers", result.stderr)


class Crowds(Test):
    """Who asks the control socket is answered, whoever else is there."""

    def test_sixty_that_ask_nothing(self):
        _, _, river = self.serve(always(answer("x")))
        for _ in range(60):
            self.connect(river.control)
        start = time.monotonic()
        self.assertTrue(river.status()["worker"])
        self.assertLess(time.monotonic() - start, 3)
        before = self.cpu_seconds(river.pid)
        time.sleep(1)
        self.assertLess(self.cpu_seconds(river.pid) - before, 0.5)  # it waits, it does not spin

    def test_one_that_is_slow_to_ask_has_its_time(self):
        _, _, river = self.serve(always(answer("x")))
        peer = self.connect(river.control)
        time.sleep(1)
        peer.send("status json\n")
        self.assertTrue(json.loads(peer.rest())["worker"])

    @staticmethod
    def cpu_seconds(pid):
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @unittest.skipUnless(os.geteuid() == 0, "needs the right to take descriptors")
    def test_a_worker_that_floods_its_supervisor(self):
        """What it says is bounded, and others are heard in between."""
        port, _, river = self.serve(always(answer("x")))
        libc = ctypes.CDLL(None, use_errno=True)
        pid = river.status()["worker_pid"]
        process = libc.syscall(434, pid, 0)  # pidfd_open
        self.addCleanup(os.close, process)
        pipe = [n for n in os.listdir(f"/proc/{pid}/fd")
                if os.readlink(f"/proc/{pid}/fd/{n}").startswith("pipe:")]
        answers = max(libc.syscall(438, process, int(n), 0) for n in pipe)  # pidfd_getfd
        self.addCleanup(os.close, answers)
        stop = threading.Event()

        def flood():
            number = 0
            while not stop.is_set():
                number = number % 60 + 1
                head = struct.pack("=IIQQ", 7, number, 0, 0)  # a part of the status
                try:
                    os.write(answers, head + b"x" * 4072)
                except BlockingIOError:
                    time.sleep(0.0001)
        threads = [threading.Thread(target=flood) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                peer = self.connect(river.control)
                start = time.monotonic()
                peer.send("status text\n")
                self.assertLess(len(peer.rest()), 20 << 20)
                self.assertLess(time.monotonic() - start, 10)
                self.assertEqual(self.connect(port).ask(get()).status, 200)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(river.status()["worker_pid"], pid)

class Cut(Test):
    """What breaks off is no answer: the worker, or River itself, has died in the middle."""

    def ask(self, said, *words):
        directory = tempfile.mkdtemp(prefix="river-e2e-")
        path = os.path.join(directory, "control.sock")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()

        def say():
            peer, _ = listener.accept()
            with peer:
                peer.recv(100)
                peer.sendall(said)
        thread = threading.Thread(target=say)
        thread.start()
        try:
            return command("status", *words, "--control-socket", path)
        finally:
            thread.join()
            listener.close()
            shutil.rmtree(directory)

    def test_json_is_whole_or_nothing(self):
        half = b'{"state":"serving","worker":{"threads":2,' + b'"x":1,' * 100000
        for said in (half + b"\nthe worker died\nexit 2\n", half, b""):
            result = self.ask(said, "--json")
            self.assertEqual((result.returncode, result.stdout), (3, ""))
            self.assertIn("the answer broke off", result.stderr)

    def test_whole_json(self):
        said = b'{"x":[' + b"1," * 100000 + b"1]}\n"
        result = self.ask(said, "--json")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout.encode(), said)

    def test_text_says_so(self):
        result = self.ask(b"supervisor pid 1\n\nthe worker died\nexit 2\n")
        self.assertEqual(result.returncode, 3)
        self.assertEqual(result.stdout, "supervisor pid 1\n\nthe worker died\n")
        self.assertIn("the answer broke off", result.stderr)

    def test_worker_killed_while_it_answers(self):
        """Whenever that is, what is printed is a document."""
        _, _, river = self.serve(always(answer("hello")))
        river.deaths_expected = True
        for i in range(8):
            pid = river.status()["worker_pid"]
            asks = threading.Timer(i * 0.0005, os.kill, (pid, signal.SIGKILL))
            asks.start()
            result = command("status", "--json", "--control-socket", river.control)
            asks.join()
            if result.returncode == 0:
                json.loads(result.stdout)
            else:
                self.assertEqual(result.stdout, "")
                self.assertIn("the answer broke off", result.stderr)
            wait_until(lambda old=pid: river.status()["worker_pid"] not in (0, old), "a worker")


if __name__ == "__main__":
    main()
