"""The process that makes all children: what it holds, whose they are, and what follows when it dies
or hangs."""

import os
import signal
import time
import unittest

from harness import (BINARY, River, Test, always, answer, ask, is_sanitized, main, proxy,
                     wait_until)
from memory import children, holds, name_of, nursery_of, parent_of

MARK = "a-name-that-only-the-configuration-has"
ANSWER_SECONDS = 2  # for a nursery (nursery.h)


def worker_of(river):
    return river.status()["worker_pid"]


def another_worker(river, old):
    def found():
        try:
            new = worker_of(river)
        except (OSError, ValueError):
            return None
        return new if new not in (0, old) and river.is_up() else None
    return wait_until(found, "another worker")


class Nursery(Test):
    def start(self, **options):
        port, _, river = self.serve(always(answer("x")), **options)
        river.deaths_expected = True
        return port, river

    def check_that_workers_are_replaced(self, port, river):
        old = worker_of(river)
        os.kill(old, signal.SIGKILL)
        new = another_worker(river, old)
        self.assertEqual(parent_of(new), river.pid)
        self.assertEqual(ask(port, "/").status, 200)
        return new

    def test_all_are_children_of_the_supervisor(self):
        port, river = self.start()
        self.assertEqual(sorted(children(river.pid)),
                         sorted([nursery_of(river.pid), worker_of(river)]))
        self.assertEqual(name_of(worker_of(river)), "river")
        nursery = nursery_of(river.pid)
        self.check_that_workers_are_replaced(port, river)
        self.assertEqual(nursery_of(river.pid), nursery)
        self.assertEqual(children(nursery), [])

    def test_it_holds_nothing(self):
        port = self.port()
        origin = self.origin(always(answer("x")))
        river = self.river(proxy(port, origin, name=MARK))
        nursery = nursery_of(river.pid)
        self.assertEqual(sorted(os.listdir(f"/proc/{nursery}/fd"), key=int)[:3], ["0", "1", "2"])
        self.assertEqual(len(os.listdir(f"/proc/{nursery}/fd")), 4)  # and its socket
        if os.geteuid() == 0 and not is_sanitized():
            self.assertFalse(holds(nursery, [MARK.encode()]))
            self.assertTrue(holds(river.pid, [MARK.encode()]))

    def test_one_that_dies_is_replaced(self):
        port, river = self.start()
        old = worker_of(river)
        nursery = nursery_of(river.pid)
        os.kill(nursery, signal.SIGKILL)
        wait_until(lambda: "the nursery died" in river.errors(), "the log says so")
        self.assertEqual(worker_of(river), old)
        self.assertEqual(ask(port, "/").status, 200)
        self.check_that_workers_are_replaced(port, river)
        self.assertNotEqual(nursery_of(river.pid), nursery)
        self.check_that_workers_are_replaced(port, river)

    def test_it_dies_together_with_the_worker(self):
        port, river = self.start()
        old = worker_of(river)
        os.kill(river.pid, signal.SIGSTOP)
        os.kill(nursery_of(river.pid), signal.SIGKILL)
        os.kill(old, signal.SIGKILL)
        os.kill(river.pid, signal.SIGCONT)
        another_worker(river, old)
        self.assertEqual(ask(port, "/").status, 200)

    def test_one_that_hangs_is_replaced(self):
        port, river = self.start()
        nursery = nursery_of(river.pid)
        os.kill(nursery, signal.SIGSTOP)
        begin = time.monotonic()
        self.check_that_workers_are_replaced(port, river)
        self.assertLess(time.monotonic() - begin, 3 * ANSWER_SECONDS)
        self.assertIn("the nursery does not answer", river.errors())
        self.assertFalse(os.path.exists(f"/proc/{nursery}"))

    def test_it_ends_with_its_supervisor(self):
        port, river = self.start()
        nursery = nursery_of(river.pid)
        river.signal(signal.SIGKILL)
        river.wait()
        wait_until(lambda: not os.path.exists(f"/proc/{nursery}"), "it ends")
        self.assertEqual(ask(port, "/").status, 200)

    def test_orders_to_the_group_are_not_for_it(self):
        """Ctrl-C reaches every process of a group."""
        port, river = self.start()
        nursery = nursery_of(river.pid)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT,
                       signal.SIGUSR1):
            os.kill(nursery, number)
        self.check_that_workers_are_replaced(port, river)
        self.assertEqual(nursery_of(river.pid), nursery)
        river.signal(signal.SIGTERM)
        self.assertEqual(river.wait(), 0)
        self.assertFalse(os.path.exists(f"/proc/{nursery}"))

    def test_in_the_background(self):
        port = self.port()
        origin = self.origin(always(answer("x")))
        river = self.own(River(proxy(port, origin), wait=False,
                               flags=("--daemonize", "--pidfile", f"{self.directory()}/pid")))
        self.assertEqual(river.wait(), 0)
        status = river.status()
        river.deaths_expected = True
        supervisor = status["supervisor_pid"]
        self.addCleanup(lambda: os.kill(supervisor, signal.SIGINT))
        nursery = nursery_of(supervisor)
        for fd in range(3):
            self.assertEqual(os.readlink(f"/proc/{nursery}/fd/{fd}"), "/dev/null")
        self.assertEqual(os.readlink(f"/proc/{nursery}/cwd"), "/")
        os.kill(status["worker_pid"], signal.SIGKILL)

        def next_worker():
            now = river.status()
            return now["worker"] and now["worker_pid"] != status["worker_pid"]
        wait_until(next_worker, "the next worker")
        self.assertEqual(ask(port, "/").status, 200)

    @unittest.skipIf(is_sanitized(), "the sanitizer has files of its own open")
    def test_a_worker_has_what_it_needs_and_no_more(self):
        _, river = self.start()
        kinds = {os.readlink(f"/proc/{worker_of(river)}/fd/{fd}").split(":")[0]
                 for fd in os.listdir(f"/proc/{worker_of(river)}/fd")}
        self.assertLessEqual(kinds, {"socket", "pipe", "anon_inode", "/dev/null",
                                     river.error_path, river.output_path})
        with open(f"/proc/{worker_of(river)}/comm", encoding="utf-8") as file:
            self.assertEqual(file.read().strip(), os.path.basename(BINARY))


if __name__ == "__main__":
    main()
