"""The heartbeat of the worker's threads: where one is stuck the worker is replaced; one that is
busy, idle, stopped or starved is left alone.

Threads get stuck in the build `breakin` alone (src/app/breakin_stuck.c), which looks ten times as
often as River itself: so where River needs about ten seconds, that one needs about one."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

from harness import (BINARY, BREAKIN, SECONDS, Test, always, answer, ask, connect, get,
                     is_sanitized, main, proxy, wait_until)

LOOK_SECONDS = 0.2   # of the build `breakin`
LEAST_SECONDS = 5 * LOOK_SECONDS * 7 / 8  # a look may come that early
QUIET_SECONDS = 14   # in which River itself would find a stuck thread
FOUND_SECONDS = 10   # more than enough for the build `breakin`
STUCK = "a thread of the worker is stuck"
ID = "the-request-that-hangs"
# Executes its arguments as nobody, where /proc shows everybody only what is his own (and River's
# worker, which nobody may trace, is not). $3 is the path of the configuration.
HIDE = """
mount -t proc -o hidepid=invisible proc /proc && chown -R 65534 "$(dirname "$3")" &&
exec setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"
"""


def worker_of(river):
    """0: there is none, or it died in the middle of its answer."""
    try:
        return river.status()["worker_pid"]
    except json.JSONDecodeError:
        return 0


def asks_for(what):
    return get(f"/breakin/{what}", f"X-Request-Id: {ID}")


def lines(river, words):
    return [line for line in river.errors().splitlines() if words in line]


def wakeups(pid, thread):
    with open(f"/proc/{pid}/task/{thread}/status", encoding="utf-8") as file:
        return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", file.read(), re.MULTILINE)[1])


class Stuck(Test):
    def setUp(self):
        if is_sanitized():
            self.skipTest("these need the build `breakin` alone")
        self.assertTrue(os.path.exists(BREAKIN), "run `tools/build breakin` first")

    def start(self, threads=1, **options):
        port, _, river = self.serve(always(answer("x")), binary=BREAKIN, threads=threads,
                                    **options)
        river.deaths_expected = True
        return port, river

    def stick(self, port, what):
        peer = self.connect(port)
        peer.send(asks_for(what))
        return peer

    def expect_replaced(self, port, river, old, start, at_least=LEAST_SECONDS):
        """Another worker serves; the one before was ended for being stuck. The log's two lines."""
        wait_until(lambda: worker_of(river) not in (0, old), "another worker")
        took = time.monotonic() - start
        self.assertGreater(took, at_least)
        self.assertLess(took, FOUND_SECONDS)
        self.assertEqual(ask(port, "/").status, 200)
        wait_until(river.is_up, "it is up")
        found, died = lines(river, STUCK), lines(river, "worker died")
        self.assertEqual((len(found), len(died)), (1, 1), river.errors())
        for line in (found[0], died[0]):
            self.assertIn("level=error", line)
            self.assertIn(f"pid={old} ", line)
            self.assertIn(f"request_id={ID}", line)
        self.assertEqual(river.status()["restarts"], 1)
        return found[0], died[0]

    def test_a_thread_that_spins(self):
        port, river = self.start()
        old = worker_of(river)
        self.assertEqual(ask(port, "/").status, 200)
        peer = self.stick(port, "spin")
        found, died = self.expect_replaced(port, river, old, time.monotonic())
        self.assertIn("thread=1 ", found)
        self.assertIn("state=running", found)
        # The handler of the signal has noted the thread, as for every other death.
        self.assertIn("signal=ABRT thread=1 ", died)
        self.assertTrue(peer.is_closed())
        self.assertEqual(lines(river, "killed"), [])

    def test_a_thread_that_hangs_in_a_system_call(self):
        port, river = self.start()
        old = worker_of(river)
        self.stick(port, "hang")
        found, died = self.expect_replaced(port, river, old, time.monotonic())
        self.assertIn('state="waiting in a system call"', found)
        self.assertIn("signal=ABRT thread=1 ", died)

    def test_one_that_hears_no_signal_is_killed_a_second_later(self):
        port, river = self.start()
        old = worker_of(river)
        self.stick(port, "spin-deaf")
        _, died = self.expect_replaced(port, river, old, time.monotonic(), 1 + LEAST_SECONDS)
        self.assertIn("signal=KILL ", died)
        self.assertEqual(len(lines(river, "worker did not end in time: killed")), 1)

    def test_the_other_threads_go_on_until_then(self):
        port, river = self.start(threads=4)
        old = worker_of(river)
        peers = [self.connect(port) for _ in range(16)]
        for peer in peers:
            self.assertEqual(peer.ask(get()).status, 200)
        start = time.monotonic()
        peers[0].send(asks_for("spin"))
        time.sleep(LOOK_SECONDS)
        for peer in peers[1:]:
            peer.send(get())
        served = 0
        for peer in peers[1:]:
            peer.socket.settimeout(0.05)
            try:
                served += peer.response().status == 200
            except (EOFError, OSError):
                pass  # it is the stuck one's
        self.assertGreater(served, 3)
        found, died = self.expect_replaced(port, river, old, start)
        number = re.search(r" thread=(\d) ", found)[1]
        self.assertIn(f"signal=ABRT thread={number} ", died)

    def test_again_and_again(self):
        port, river = self.start()
        for count in (1, 2, 3):
            old = worker_of(river)
            self.stick(port, "spin")
            wait_until(lambda: worker_of(river) not in (0, old), "another worker")
            wait_until(river.is_up, "it is up")
            self.assertEqual(ask(port, "/").status, 200)
            self.assertEqual(len(lines(river, STUCK)), count)
        self.assertEqual(river.status()["restarts"], 3)

    def test_a_long_turn_is_not_stuck(self):
        port, river = self.start()
        old = worker_of(river)
        for _ in range(4):
            self.assertEqual(ask(port, "/breakin/nap").status, 200)
        self.assertEqual(worker_of(river), old)
        self.assertNotIn(STUCK, river.errors())

    def test_a_worker_that_is_stopped_in_the_middle_of_a_turn(self):
        port, river = self.start()
        old = worker_of(river)
        peer = self.stick(port, "nap")
        for _ in range(4):
            time.sleep(0.05)
            os.kill(old, signal.SIGSTOP)
            time.sleep(2 * LOOK_SECONDS)
            os.kill(old, signal.SIGCONT)
        self.assertEqual(peer.response().status, 200)
        self.assertEqual(worker_of(river), old)
        # For good: that is what replaces it, not its heart.
        self.stick(port, "nap")
        time.sleep(0.05)
        os.kill(old, signal.SIGSTOP)
        wait_until(lambda: worker_of(river) not in (0, old), "another one comes")
        self.assertEqual(ask(port, "/").status, 200)
        self.assertIn("worker was stopped by a signal", river.errors())
        self.assertNotIn(STUCK, river.errors())

    def test_a_thread_that_gets_no_processor_is_starved(self):
        port, river = self.start()
        old = worker_of(river)
        threads = [int(n) for n in os.listdir(f"/proc/{old}/task")]
        pinned = [t for t in threads if len(os.sched_getaffinity(t)) == 1]
        self.stick(port, "spin")
        time.sleep(0.05)
        try:
            os.sched_setscheduler(pinned[0], os.SCHED_IDLE, os.sched_param(0))
        except (IndexError, PermissionError):
            self.skipTest("no thread can be starved here")
        one = os.sched_getaffinity(pinned[0])
        with subprocess.Popen([sys.executable, "-c", "while True: pass"],
                              preexec_fn=lambda: os.sched_setaffinity(0, one)) as hog:
            try:
                time.sleep(10 * LOOK_SECONDS)
                self.assertEqual(worker_of(river), old)
                self.assertNotIn(STUCK, river.errors())
            finally:
                hog.kill()
        # What was starved is stuck, now that it has the time for it.
        wait_until(lambda: worker_of(river) not in (0, old), "another worker", FOUND_SECONDS)
        self.assertIn(STUCK, river.errors())

    def test_a_worker_that_leaves_has_its_deadline_instead(self):
        port, river = self.start(system="drain-timeout-ms 2000")
        old = worker_of(river)
        self.stick(port, "spin")
        time.sleep(LOOK_SECONDS)
        river.signal(signal.SIGTERM)
        self.assertNotEqual(river.wait(), 0)
        self.assertFalse(os.path.exists(f"/proc/{old}"))
        self.assertNotIn(STUCK, river.errors())

    def test_river_itself_has_no_such_hook(self):
        port, _, river = self.serve(always(answer("x")))
        for what in ("spin", "hang", "spin-deaf", "nap"):
            self.assertEqual(ask(port, f"/breakin/{what}").status, 200)
        with open(BINARY, "rb") as file:
            self.assertNotIn(b"/breakin/", file.read())
        self.assertNotIn("worker died", river.errors())


class Well(Test):
    """For as long as River itself would need to find a stuck thread, with its own pauses; and where
    that can be had, with those of the build `breakin` too."""

    def start(self):
        binaries = [BINARY] if is_sanitized() or not os.path.exists(BREAKIN) else [BINARY, BREAKIN]
        return [self.serve(always(answer("x")), binary=b) for b in binaries]

    def ask_for_a_while(self, port, end, failures):
        """About as busy as may be on a machine that others use too."""
        peer = connect(port)
        try:
            while time.monotonic() < end:
                if peer.ask(get()).status != 200:
                    failures.append("a status")
                time.sleep(0.002)
        except (EOFError, OSError) as error:
            failures.append(error)
        finally:
            peer.close()

    def test_an_idle_river_and_a_busy_one_are_not_restarted(self):
        idle, busy = self.start(), self.start()
        everybody = [(river, worker_of(river)) for _, _, river in idle + busy]
        # The threads that carry traffic: nobody wakes them for their beat.
        quiet = [(worker, int(n)) for _, worker in everybody[:len(idle)]
                 for n in os.listdir(f"/proc/{worker}/task")
                 if len(os.sched_getaffinity(int(n))) == 1]
        time.sleep(0.5)
        before = [wakeups(*q) for q in quiet]
        end, failures = time.monotonic() + QUIET_SECONDS, []
        clients = [threading.Thread(target=self.ask_for_a_while, args=(port, end, failures))
                   for port, _, _ in busy]
        for client in clients:
            client.start()
        for client in clients:
            client.join(QUIET_SECONDS + SECONDS)
        self.assertEqual(failures, [])
        self.assertEqual([wakeups(*q) for q in quiet], before)
        for river, worker in everybody:
            self.assertEqual(worker_of(river), worker)
            self.assertEqual(river.status()["restarts"], 0)
            self.assertNotIn("stuck", river.errors())

    def test_where_the_system_hides_threads_the_log_says_so(self):
        if is_sanitized():
            self.skipTest("it has nothing to do with memory")
        hidden = ["unshare", "--mount", "sh", "-c", HIDE, "sh"]
        directory = self.directory()
        path = shutil.copy(BINARY, os.path.join(directory, "river"))
        for name in (path, directory):
            os.chmod(name, 0o755)
        room = self.directory()
        if subprocess.run([*hidden, "true", "x", os.path.join(room, "x")], check=False,
                          capture_output=True).returncode != 0:
            self.skipTest("nothing can be hidden here")
        port, _, river = self.serve(always(answer("x")), binary=path, launcher=hidden)
        wait_until(lambda: "stuck threads will not be found" in river.errors(), "it says so", 3)
        self.assertEqual(ask(port, "/").status, 200)
        for _, _, seeing in self.start():
            self.assertNotIn("stuck", seeing.errors())

    def test_a_worker_that_is_stopped(self):
        for port, _, river in self.start():
            river.deaths_expected = True
            worker = worker_of(river)
            os.kill(worker, signal.SIGSTOP)
            time.sleep(0.4)
            os.kill(worker, signal.SIGCONT)
            self.assertEqual(ask(port, "/").status, 200)
            self.assertEqual(worker_of(river), worker)
            os.kill(worker, signal.SIGSTOP)
            start = time.monotonic()
            wait_until(lambda: worker_of(river) not in (0, worker), "another one comes")
            self.assertLess(time.monotonic() - start, 6 if is_sanitized() else 2)
            self.assertEqual(ask(port, "/").status, 200)
            self.assertIn("worker was stopped by a signal", river.errors())
            self.assertNotIn(STUCK, river.errors())


if __name__ == "__main__":
    main()
