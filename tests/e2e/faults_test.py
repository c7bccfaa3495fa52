"""What goes wrong around River: processes that die or stand still, disks that are full, descriptors
and memory that run out, clocks that jump. After each of it service goes on, and nothing leaks."""

import calendar
import json
import mmap
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

from harness import (ROOT, SECONDS, River, Test, always, answer, ask, command, connect, get,
                     is_sanitized, main, proxy, wait_until)

sys.path.insert(0, os.path.join(ROOT, "tests", "soak"))
import zero_loss  # pylint: disable=wrong-import-position,wrong-import-order

SERVICE_SECONDS = 6 if is_sanitized() else 1
SHIFT = os.path.join(zero_loss.BUILD, zero_loss.VARIANT, "tests", "soak", "libclock_shift.so")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def respond(port, body="ok", more=""):
    return f'app {{ listeners {{ "{port}"; }}\nrespond body="{body}"\n{more} }}\n'


@unittest.skipUnless(os.path.exists(zero_loss.LOAD), "the load generator was not built")
class Processes(Test):
    """Under load."""

    def load(self):
        load = self.own(zero_loss.Load("--keepalive", "8", "--fresh", "8", "--h2", "1",
                                       "--websocket", "2", "--upload", "0", "--download", "1"))
        port = self.port()
        river = self.river(proxy(f"{port} h2c=true", load.origin))
        river.deaths_expected = True
        load.say(f"target {port.number}")
        load.wait_for(1000)
        return load, port, river

    def is_served(self, port):
        try:
            return ask(port, "/p/7/100").status == 200
        except (EOFError, ConnectionResetError):
            return False

    def test_a_worker_that_dies_is_replaced_within_a_second(self):
        load, port, river = self.load()
        before = descriptors(river.pid)
        # A sanitizer would report SIGSEGV as a mistake of River's.
        deaths = [signal.SIGKILL, signal.SIGABRT] + [signal.SIGSEGV] * (not is_sanitized())
        for number in deaths:
            old = river.status()["worker_pid"]
            os.kill(old, number)
            start = time.monotonic()
            # The listener stays, so whoever is not accepted by the dying one is only late.
            wait_until(lambda: self.is_served(port), "service is back", 10)
            self.assertLess(time.monotonic() - start, SERVICE_SECONDS, number)
            wait_until(river.is_up, "the next worker serves")
            load.wait_for(load.requests + 500)
            self.assertIn(f"pid={old}", river.errors())
        self.assertEqual(river.status()["restarts"], len(deaths))
        wait_until(lambda: descriptors(river.pid) == before, "the supervisor has what it had")
        report = load.stop()
        # Nobody was refused, whenever they came.
        self.assertEqual(report["kinds"]["fresh"]["failed"]["refused"], 0)

    def test_a_worker_that_stands_still_and_goes_on(self):
        load, _, river = self.load()
        worker = river.status()["worker_pid"]
        for _ in range(3):
            os.kill(worker, signal.SIGSTOP)
            time.sleep(0.5)
            os.kill(worker, signal.SIGCONT)
            load.wait_for(load.requests + 500)
        report = load.stop()
        self.assertEqual(report["failures"], 0, report["samples"])
        self.assertEqual(river.status()["worker_pid"], worker)

    def test_a_worker_that_is_stopped_for_good_is_replaced(self):
        port, _, river = self.serve(always(answer("x")))
        river.deaths_expected = True
        worker = river.status()["worker_pid"]
        os.kill(worker, signal.SIGSTOP)
        start = time.monotonic()
        wait_until(lambda: river.status()["worker_pid"] not in (0, worker), "another one comes")
        wait_until(lambda: self.is_served(port), "service is back", 10)
        self.assertLess(time.monotonic() - start, 2)
        self.assertIn("worker was stopped by a signal", river.errors())


class Successors(Test):
    """What happens to the old one is not the new one's loss."""

    def start(self, system="drain-timeout-ms 300"):
        """A River with a request under way that takes longer than a drain."""
        over = threading.Event()
        self.addCleanup(over.set)

        def script(peer):
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            over.wait(SECONDS)
        port, waits = self.port(), self.port()
        river = self.river(respond(port) + proxy(waits, self.origin(script), name="waits"),
                           system)
        peer = self.connect(waits)
        peer.send(get())
        peer.head()
        self.assertEqual(peer.exactly(4), b"half")
        return port, river, peer

    def test_an_upgrade_whose_old_worker_meets_its_deadline(self):
        port, river, peer = self.start()
        result = command("upgrade", "--control-socket", river.control)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        pid = int(result.stdout.split()[2])
        self.addCleanup(os.kill, pid, signal.SIGINT)
        self.assertTrue(peer.is_closed())
        self.assertEqual(river.wait(), 0)
        self.assertIn("drain deadline passed", river.errors())
        self.assertEqual(self.connect(port).ask(get()).status, 200)

    def test_an_address_that_the_new_one_gives_up_is_free(self):
        port, river, _ = self.start("drain-timeout-ms 60000")
        more = self.port()
        with open(river.config, encoding="utf-8") as file:
            text = file.read()
        added = f'services {{ more {{ listeners {{ "{more}"; }}\nrespond body="x"; }}'

        def reload(changed):
            with open(river.config, "w", encoding="utf-8") as file:
                file.write(changed)
            result = command("reload", "--wait", "--control-socket", river.control)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        reload(text.replace("services {", added))
        self.assertEqual(self.connect(more).ask(get()).status, 200)
        result = command("upgrade", "--control-socket", river.control)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.addCleanup(os.kill, int(result.stdout.split()[2]), signal.SIGINT)
        wait_until(lambda: os.path.exists(river.control), "the new one has the control socket")
        reload(text)
        self.assertIsNone(river.process.poll())  # the old one has a request to finish

        def is_free():
            try:
                connect(more).close()
                return False
            except ConnectionRefusedError:
                return True
        wait_until(is_free, "nobody listens there any more", 5)
        self.assertIsNone(river.process.poll())
        self.assertEqual(self.connect(port).ask(get()).status, 200)

    def test_a_fresh_worker_whose_predecessor_meets_its_deadline(self):
        port, river, peer = self.start()
        old = river.status()["worker_pid"]
        with open(river.config, encoding="utf-8") as file:
            text = file.read()
        with open(river.config, "w", encoding="utf-8") as file:
            file.write(text.replace("drain-timeout-ms 300", "drain-timeout-ms 301"))
        result = command("reload", "--wait", "--control-socket", river.control)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertNotEqual(river.status()["worker_pid"], old)
        self.assertTrue(peer.is_closed())
        wait_until(lambda: not os.path.exists(f"/proc/{old}"), "the old worker is gone")
        self.assertEqual(self.connect(port).ask(get()).status, 200)


class Disks(Test):
    """Logs that cannot be written."""

    def serve_log(self, path, **options):
        port = self.port()
        river = self.river(respond(port), f'log {{ access "{path}"; }}', **options)
        return port, river

    def ask_many(self, port, count, target="/" + "a" * 500):
        peer = connect(port)
        for _ in range(count):
            self.assertEqual(peer.ask(get(target)).status, 200)
        peer.close()

    def expect_loss(self, river, count):
        """Lines are counted, and the other log says so."""
        wait_until(lambda: river.status()["worker"]["log_lines_dropped"]["access"] >= count,
                   "lost lines are counted")
        wait_until(lambda: "log lines dropped" in river.errors(), "the error log says so")

    def test_a_device_that_is_always_full(self):
        port, river = self.serve_log("/dev/full")
        self.ask_many(port, 100)
        self.expect_loss(river, 100)

    def test_a_disk_that_is_full_for_a_while(self):
        directory = self.directory()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory],
                                 check=False, capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("nothing can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", directory], check=True)
        filler, path = (os.path.join(directory, n) for n in ("filler", "access.log"))
        with open(filler, "wb") as file:
            file.write(b"x" * 40960)
        port, river = self.serve_log(path)

        def lines():
            with open(path, encoding="utf-8") as file:
                return file.read().splitlines()
        self.ask_many(port, 200)
        self.expect_loss(river, 1)
        # Each line stands there, or is counted; one that stands there in part is counted.
        dropped = lambda: river.status()["worker"]["log_lines_dropped"]["access"]
        wait_until(lambda: len(lines()) + dropped() in (200, 201), "all lines are accounted for")
        os.unlink(filler)
        self.ask_many(port, 3, "/after")
        wait_until(lambda: sum('"/after"' in l for l in lines()) == 3, "it is written again")
        whole, torn = [], []
        for line in lines():
            try:
                whole.append(json.loads(line))
            except ValueError:
                torn.append(line)
        # Where the disk was full one line may be cut; none stands in another one's line.
        self.assertLessEqual(len(torn), 1)
        self.assertEqual(len([l for l in whole if l["target"] == "/after"]), 3)

    def test_a_file_that_may_not_grow(self):
        path = os.path.join(self.directory(), "access.log")
        port, river = self.serve_log(path)
        for pid in (river.pid, river.status()["worker_pid"]):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (20000, resource.RLIM_INFINITY))
        self.ask_many(port, 100)
        self.expect_loss(river, 1)
        self.assertEqual(os.path.getsize(path), 20000)

    def test_a_full_error_log(self):
        port = self.port()
        river = self.river(proxy(port, "127.0.0.1:1"), 'log { error "/dev/full"; }')
        for _ in range(20):
            self.assertEqual(self.connect(port).ask(get()).status, 502)
        wait_until(lambda: river.status()["worker"]["requests"] == 20, "all are counted")


class Descriptors(Test):
    def limit(self, worker, more):
        """Lets the process open so many more descriptors than it has. They are numbered from the
        lowest free number on, so that is what counts."""
        used = {int(n) for n in os.listdir(f"/proc/{worker}/fd")}
        highest = max(used) + 1
        free = highest - len(used)
        _, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (highest + more - free, hard))
        self.addCleanup(lambda: os.path.exists(f"/proc/{worker}") and resource.prlimit(
            worker, resource.RLIMIT_NOFILE, (hard, hard)))
        return hard

    def test_accept_pauses_and_recovers(self):
        port = self.port()
        river = self.river(respond(port), threads=1)
        worker = river.status()["worker_pid"]
        first = self.connect(port)
        self.assertEqual(first.ask(get()).status, 200)
        self.limit(worker, 5)
        peers = [self.connect(port) for _ in range(20)]
        for peer in peers:
            peer.send(get())
        wait_until(lambda: river.status()["worker"]["refused"] > 0, "accept fails")
        self.assertEqual(river.status()["worker"]["connections"], 6)
        # Whoever is in goes on; the pause is no busy loop.
        before = cpu_seconds(worker)
        time.sleep(0.5)
        self.assertEqual(first.ask(get()).status, 200)
        self.assertLess(cpu_seconds(worker) - before, 0.3)
        # Each that leaves makes room for one that waits; who is idle for long is closed for others.
        for peer in peers:
            self.assertEqual(peer.response().status, 200)
            peer.close()
        self.assertEqual(self.connect(port).ask(get()).status, 200)
        self.assertIn("accepting pauses", river.errors())

    def start_with(self, limit, services):
        def lower():
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        return self.river(services, preexec=lower)

    def many(self, port, count):
        """So many clients at once, each of which has got an answer."""
        peers = []
        for _ in range(count):
            peer = connect(port)
            self.addCleanup(peer.close)
            peers.append(peer)
            self.assertEqual(peer.ask(get()).status, 200)
        return peers

    def test_most_of_few_descriptors_are_for_clients(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        origin = self.origin(always(answer("x")))
        for limit in (256, 1024):
            for services in (respond, lambda p: proxy(p, origin)):
                port = self.port()
                river = self.start_with(limit, services(port))
                fit = int(re.search(r"clients_max=(\d+)", river.errors())[1])
                self.assertGreaterEqual(fit, limit * 8 // 10)
                peers = self.many(port, fit)
                self.assertEqual(river.status()["worker"]["connections"], fit)
                # All of them go on, and a reload has the descriptors that it needs.
                for peer in peers[::10]:
                    self.assertEqual(peer.ask(get()).status, 200)
                more = self.port()
                with open(river.config, encoding="utf-8") as file:
                    text = file.read()
                with open(river.config, "w", encoding="utf-8") as file:
                    file.write(text.replace("services {", "services {\n" + respond(more).replace(
                        "app", "more")))
                done = command("reload", "--wait", "--control-socket", river.control)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                river.close()

    def test_clients_that_are_idle_give_way_to_origins(self):
        """The clients that fit are there, and then all requests need a connection at once."""
        over = threading.Event()
        self.addCleanup(over.set)

        def script(peer):
            while True:
                request = peer.request()
                if request.target == "/held":
                    over.wait(SECONDS)
                peer.send(answer("x"))
        port = self.port()
        river = self.start_with(128, proxy(port, self.origin(script)))
        fit = int(re.search(r"clients_max=(\d+)", river.errors())[1])
        idle = self.many(port, fit - 20)
        time.sleep(1.1)
        busy = [self.connect(port) for _ in range(20)]
        for peer in busy:
            peer.send(get("/held"))
        wait_until(lambda: river.status()["worker"]["active"] == 20, "all are under way")
        time.sleep(0.5)
        over.set()
        self.assertEqual({peer.response().status for peer in busy}, {200})
        self.assertLess(river.status()["worker"]["connections"], fit)
        for peer in idle:
            peer.close()

    def test_no_descriptor_for_an_origin_is_a_503(self):
        port = self.port()
        origin = self.origin(always(answer("x")))
        river = self.river(proxy(port, origin), threads=1)
        worker = river.status()["worker_pid"]
        peer = self.connect(port)
        peer.send(b"GET / HTTP/1.1\r\n")
        wait_until(lambda: river.status()["worker"]["connections"] == 1, "it is in")
        hard = self.limit(worker, 0)
        response = peer.ask(b"Host: a\r\n\r\n")
        self.assertEqual(response.status, 503)
        self.assertEqual(set(river.status()["worker"]["faults"]), {"descriptors"})
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (hard, hard))
        self.assertEqual(self.connect(port).ask(get()).status, 200)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Memory(Test):
    def test_readers_that_do_not_read_cost_others_nothing(self):
        body = b"x" * 3000000
        port, _, river = self.serve(always(answer(body)), system="buffer-memory-bytes 4194304")
        slow = []
        for _ in range(64):
            peer = self.connect(port)
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.send(get())
            slow.append(peer)
        time.sleep(1)
        memory = river.status()["worker"]["memory"]
        self.assertLessEqual(memory["peak_bytes"], 4194304)
        self.assertEqual(self.connect(port).ask(get()).body, body)
        for peer in slow:
            peer.close()
        wait_until(lambda: river.status()["worker"]["active"] == 0, "all are gone")
        wait_until(lambda: river.status()["worker"]["memory"]["used_bytes"] <= 524288,
                   "the memory is free again")


@unittest.skipUnless(os.path.exists(SHIFT), "a clock that jumps was not built for this variant")
class Clocks(Test):
    def setUp(self):
        path = os.path.join(self.directory(), "shift")
        with open(path, "wb") as file:
            file.write(struct.pack("q", 0))
        self.file = self.own(open(path, "r+b"))  # pylint: disable=consider-using-with
        self.shift = self.own(mmap.mmap(self.file.fileno(), 8))
        self.environment = {"LD_PRELOAD": SHIFT, "CLOCK_SHIFT": path}

    def jump(self, seconds):
        self.shift[:] = struct.pack("q", seconds)

    @staticmethod
    def date_of(response):
        """How far its Date is from now."""
        stamp = calendar.timegm(time.strptime(response.get("date"), "%a, %d %b %Y %H:%M:%S GMT"))
        return stamp - time.time()

    def test_jumps_of_the_wall_clock(self):
        """Deadlines, rates and idle times are those of another clock; dates follow it."""
        port, waits = self.port(), self.port()
        origin = self.origin(always(lambda _: time.sleep(1.5) or answer("x")))
        limit = ('rate-limiting { rule kind="source-ip" max-buckets=100 tokens-per-bucket=8 '
                 'refill-qty=1 refill-rate-ms=3600000; }')
        river = self.river(respond(port, more=limit) + proxy(waits, origin, name="waits"),
                           "log { access stdout; }", environment=self.environment)
        peer, waiting = self.connect(port), self.connect(waits)
        self.assertLess(abs(self.date_of(peer.ask(get()))), 3)
        for day in (1, -1, 400, -400):
            slow = self.connect(waits)
            slow.send(get())
            time.sleep(0.1)
            self.jump(day * 86400)
            # The idle connection is still there, and the date is another one.
            time.sleep(1.2)
            response = peer.ask(get())
            self.assertEqual(response.status, 200)
            self.assertLess(abs(self.date_of(response) - day * 86400), 3)
            # What was under way is neither cut nor late.
            self.assertEqual(slow.response().status, 200)
        # Days have passed by the wall, but no hour: the bucket has what it had (of eight tokens
        # five are gone).
        statuses = [peer.ask(get()).status for _ in range(4)]
        self.assertEqual(statuses, [200, 200, 200, 429])
        waiting.send(get())
        self.assertEqual(waiting.response().status, 200)
        for entry in river.logged(14):
            self.assertLess(entry["total_us"], 5000000, entry)
        self.assertEqual(river.status()["restarts"], 0)
        self.assertLess(river.status()["up_ms"], 60000)

    def test_a_jump_while_it_drains(self):
        port = self.port()
        origin = self.origin(always(lambda _: time.sleep(1) or answer("x")))
        river = self.river(proxy(port, origin), "drain-timeout-ms 20000",
                           environment=self.environment)
        peer = self.connect(port)
        peer.send(get())
        wait_until(lambda: river.status()["worker"]["active"] == 1, "it is under way")
        river.signal(signal.SIGTERM)
        self.jump(86400)
        self.assertEqual(peer.response().status, 200)
        self.assertEqual(river.wait(), 0)


if __name__ == "__main__":
    main()
