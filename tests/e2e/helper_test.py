"""Helpers: processes that do one thing for River. The build `breakin` has one that is of no use
(src/app/breakin_trial.c): it is started, watched and replaced, tries to leave its cage, and goes
mad, while the worker serves."""

import ctypes
import os
import re
import signal
import struct
import time

from harness import (BREAKIN, ROOT, Test, always, answer, ask, is_sanitized, main, wait_until)
from memory import children, name_of, nursery_of, parent_of

NOBODY = 65534
SOURCE = os.path.join(ROOT, "src", "app", "breakin_trial.c")
PAUSE_SECONDS = 1.0  # before the next one from the fifth death within ten seconds on


def demands():
    with open(SOURCE, encoding="utf-8") as file:
        return re.findall(r'^    X\("([^"]*)",', file.read(), re.MULTILINE)


class Helper(Test):
    def setUp(self):
        if is_sanitized():
            self.skipTest("these need the build `breakin` alone")
        self.assertTrue(os.path.exists(BREAKIN), "run `tools/build breakin` first")
        system = 'user "nobody"' if os.geteuid() == 0 else ""
        self.port_, _, self.river_ = self.serve(always(answer("x")), binary=BREAKIN, system=system)
        self.worker = self.river_.status()["worker_pid"]
        self.trial = self.next_one(0)

    def next_one(self, old, seconds=5):
        """The helper that serves."""
        def found():
            lines = [l for l in self.river_.errors().splitlines() if "a helper serves" in l]
            pid = int(re.search(r" pid=(\d+)", lines[-1])[1]) if lines else 0
            return pid if pid != old else None
        return wait_until(found, "a helper serves", seconds)

    def demand(self, what):
        """Tells it to do that. When and why it was ended."""
        info = struct.pack("iiiiiiP", signal.SIGUSR2, 0, -1, 0, os.getpid(), os.getuid(),
                           demands().index(what))
        room = ctypes.create_string_buffer(info, 128)
        if ctypes.CDLL(None, use_errno=True).syscall(297, self.trial, self.trial, signal.SIGUSR2,
                                                     room) != 0:
            raise OSError(ctypes.get_errno(), "rt_tgsigqueueinfo")
        line = wait_until(lambda: self.death_of(self.trial), f"it ends: {what}")
        self.trial = self.next_one(self.trial)
        return line

    def death_of(self, pid):
        lines = [l for l in self.river_.errors().splitlines()
                 if "helper died" in l and f" pid={pid} " in l]
        return lines[0] if lines else None

    def check_that_the_worker_serves(self):
        self.assertEqual(ask(self.port_, "/").status, 200)
        status = self.river_.status()
        self.assertEqual((status["worker_pid"], status["restarts"]), (self.worker, 0))
        self.assertNotIn("worker died", self.river_.errors())

    def test_it_is_a_child_like_the_others_and_has_its_own_cage(self):
        nursery = nursery_of(self.river_.pid)
        self.assertEqual(sorted(children(self.river_.pid)),
                         sorted([nursery, self.worker, self.trial]))
        self.assertEqual(parent_of(self.trial), self.river_.pid)
        self.assertEqual(name_of(self.trial), "river-trial")
        with open(f"/proc/{self.trial}/status", encoding="utf-8") as file:
            facts = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        self.assertEqual((facts["Seccomp"], facts["NoNewPrivs"]), ("2", "1"))
        self.assertEqual(int(facts["CapEff"], 16), 0)
        if os.geteuid() == 0:
            self.assertEqual(facts["Uid"].split(), [str(NOBODY)] * 4)
            self.assertEqual(facts["Groups"].strip(), "")
        with open(f"/proc/{self.trial}/limits", encoding="utf-8") as file:
            limits = file.read()
        self.assertRegex(limits, r"Max data size +\d+")
        self.assertRegex(limits, r"Max processes +0 ")

    def test_one_that_is_killed_comes_back(self):
        for _ in range(3):
            begin = time.monotonic()
            os.kill(self.trial, signal.SIGKILL)
            self.trial = self.next_one(self.trial)
            self.assertLess(time.monotonic() - begin, PAUSE_SECONDS)
        self.check_that_the_worker_serves()

    def test_from_the_fifth_death_on_it_takes_a_second(self):
        for _ in range(4):
            os.kill(self.trial, signal.SIGKILL)
            self.trial = self.next_one(self.trial)
        begin = time.monotonic()
        os.kill(self.trial, signal.SIGKILL)
        self.trial = self.next_one(self.trial)
        self.assertGreater(time.monotonic() - begin, 0.9 * PAUSE_SECONDS)
        self.check_that_the_worker_serves()

    def test_what_its_table_has_not_kills_it(self):
        """Some of it a worker may do."""
        for call in ("socket", "accept4", "connect", "fork", "execve", "kill", "sendmsg"):
            with self.subTest(call=call):
                self.assertIn(f"signal=SYS call={call} ", self.demand(call))
        self.assertNotIn("trial:", self.river_.errors())
        self.check_that_the_worker_serves()

    def test_what_its_table_has(self):
        self.assertIn("exit_status=98", self.demand("its own call"))
        self.assertIn("trial: its own call: returned something", self.river_.errors())

    def test_landlock_refuses_files_though_the_call_is_allowed(self):
        if "landlock" not in self.river_.errors():
            self.skipTest("this kernel has no Landlock")
        self.assertIn("exit_status=98", self.demand("a file"))
        self.assertIn("trial: a file: returned nothing, errno 13", self.river_.errors())

    def test_memory_is_bounded(self):
        self.assertIn("exit_status=98", self.demand("memory"))
        self.assertIn("trial: memory: returned nothing", self.river_.errors())

    def test_one_that_floods_is_ended(self):
        self.assertIn("signal=KILL", self.demand("flood"))
        self.assertIn('gone mad: it is ended" kind=trial', self.river_.errors())
        self.assertIn("it sends too many records", self.river_.errors())
        self.check_that_the_worker_serves()

    def test_one_that_sends_what_is_no_record_is_ended(self):
        for what in ("short", "no record", "kind", "values", "length"):
            with self.subTest(what=what):
                before = self.river_.errors().count("it sends what is no record")
                self.assertIn("signal=KILL", self.demand(what))
                self.assertEqual(self.river_.errors().count("it sends what is no record"),
                                 before + 1)
        self.check_that_the_worker_serves()

    def test_one_that_is_stuck_is_ended(self):
        self.assertIn("signal=ABRT", self.demand("spin"))
        self.assertIn('"a helper is stuck: it is ended"', self.river_.errors())
        self.check_that_the_worker_serves()

    def test_one_that_is_stopped_is_ended(self):
        old = self.trial
        os.kill(old, signal.SIGSTOP)
        self.trial = self.next_one(old)
        self.assertIn("signal=KILL", self.death_of(old))
        self.check_that_the_worker_serves()

    def test_it_ends_with_its_supervisor(self):
        os.kill(self.trial, signal.SIGSTOP)  # it hears nothing
        self.river_.signal(signal.SIGKILL)
        self.river_.wait()
        wait_until(lambda: not os.path.exists(f"/proc/{self.trial}"), "it ends")
        self.assertEqual(ask(self.port_, "/").status, 200)

    def test_it_ends_with_river(self):
        self.river_.signal(signal.SIGTERM)
        self.assertEqual(self.river_.wait(), 0)
        self.assertFalse(os.path.exists(f"/proc/{self.trial}"))
        self.assertNotIn("helper died", self.river_.errors())


if __name__ == "__main__":
    main()
