"""Deployments: a static root that is a link, or is replaced, is followed without a reload."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time

import harness
from harness import Test, ask, connect, get, main, wait_until

FILES = ("/", "/page.html", "/sub/", "/sub/large.bin")
LARGE = 300000  # not kept in memory, and more than one write


class DeployTest(Test):
    def setUp(self):
        self.base = self.directory()
        os.mkdir(os.path.join(self.base, "app"))
        self.listen = self.port()

    def path(self, *parts):
        return os.path.join(self.base, "app", *parts)

    def release(self, name, at=None, age=3600):
        """A directory in which each file holds its release's name only, and has its length."""
        at = at or self.path("releases")
        top = os.path.join(at, name)
        os.makedirs(os.path.join(top, "public", "sub"))
        mark = name[0].encode()
        for part, data in (("index.html", mark * 100), ("page.html", mark * 100),
                           ("sub/index.html", mark * 100), ("sub/large.bin", mark * LARGE)):
            for below in ("", "public"):
                path = os.path.join(top, below, part)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(data)
                past = time.time() - age
                os.utime(path, (past, past))
        return top

    def point(self, to, link="current"):
        """As `ln -sfn` and `mv -T` do it: the link is replaced in one step."""
        fresh = self.path(".fresh")
        os.symlink(to, fresh)
        os.rename(fresh, self.path(link))

    def start(self, base_path=None, system="", **how):
        return self.river(f'files {{ listeners {{ "{self.listen}" h2c=true; }}\n file-server {{ '
                          f'base-path "{base_path or self.path("current")}"; }} }}', system, **how)

    def shows(self):
        """The release that is served."""
        answers = {ask(self.listen, "/page.html").body for _ in range(4)}
        return {bytes(sorted(set(body))).decode() for body in answers}

    def becomes(self, name, seconds=1.0):
        """From now on, and within a second."""
        since = time.monotonic()
        wait_until(lambda: self.shows() == {name}, f"{name} is served", seconds=5)
        took = time.monotonic() - since
        if not harness.is_sanitized():
            self.assertLess(took, seconds + 0.9)  # the machine may be busy
        for target in FILES:
            self.assertEqual(set(ask(self.listen, target).body.decode()), {name}, target)

    def worker(self, river):
        return river.status()["worker_pid"]


class Links(DeployTest):
    def test_a_link_is_followed_without_a_reload_in_the_same_worker(self):
        self.release("a")
        self.release("b")
        self.point("releases/a")
        river = self.start()
        before = self.worker(river)
        self.assertEqual(self.shows(), {"a"})
        self.point("releases/b")
        self.becomes("b")
        self.point(self.path("releases", "a"))
        self.becomes("a")
        shutil.rmtree(self.path("releases", "b"))
        self.release("c")
        self.point("releases/c")
        self.becomes("c")
        self.assertEqual(self.worker(river), before)
        self.assertNotIn("fresh worker", river.errors())
        self.assertEqual(river.errors().count("leads to another directory"), 3)

    def test_the_commands_of_the_manual(self):
        self.release("a")
        self.release("b", self.path("x"))
        os.rename(self.path("x", "b"), self.path("build"))
        os.symlink("releases/a", self.path("current"))
        river = self.start()
        before = self.worker(river)
        with open(os.path.join(harness.ROOT, "docs", "manual", "files.md"),
                  encoding="utf-8") as file:
            commands = re.search(r"^```sh\n(.*?)^```", file.read(), re.M | re.S)[1]
        subprocess.run(["sh", "-e", "-c", commands], cwd=self.path(), check=True)
        self.becomes("b")
        self.assertEqual(os.readlink(self.path("current")), "releases/43")
        self.assertEqual(self.worker(river), before)

    def test_a_link_in_the_middle_of_the_path(self):
        self.release("a")
        self.release("b")
        self.point("releases/a")
        river = self.start(self.path("current", "public", ""))
        before = self.worker(river)
        self.assertEqual(self.shows(), {"a"})
        self.point("releases/b")
        self.becomes("b")
        self.assertEqual(self.worker(river), before)

    def test_what_was_missing_and_what_is_no_more(self):
        self.release("a")
        os.remove(os.path.join(self.release("b"), "page.html"))
        self.point("releases/b")
        self.start()
        self.assertEqual(ask(self.listen, "/page.html").status, 404)
        self.point("releases/a")
        wait_until(lambda: ask(self.listen, "/page.html").status == 200, "it is there")
        self.point("releases/b")
        wait_until(lambda: ask(self.listen, "/page.html").status == 404, "it is gone")

    def test_a_link_that_dangles_keeps_the_old_one_and_is_logged_once(self):
        self.release("a")
        self.release("b")
        self.point("releases/a")
        river = self.start()
        before = self.worker(river)
        os.remove(self.path("current"))
        wait_until(lambda: "leads nowhere" in river.errors(), "it is logged")
        time.sleep(1.3)
        self.assertEqual(self.shows(), {"a"})
        self.point("releases/none")
        time.sleep(0.7)
        self.point("releases/a/page.html")
        time.sleep(0.7)
        self.assertEqual(self.shows(), {"a"})
        self.assertEqual(river.errors().count("leads nowhere"), 1)
        self.point("releases/b")
        self.becomes("b")
        self.assertEqual(self.worker(river), before)

    def test_a_reload_keeps_the_worker_and_follows_on(self):
        self.release("a")
        self.release("b")
        self.point("releases/a")
        river = self.start()
        before = self.worker(river)
        with open(river.config, encoding="utf-8") as file:
            text = file.read()
        with open(river.config, "w", encoding="utf-8") as file:
            file.write(text.replace("h2c=true", "h2c=false"))
        self.point("releases/b")
        done = harness.command("reload", "--wait", "--control-socket", river.control)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.becomes("b")
        self.point("releases/a")
        self.becomes("a")
        self.assertEqual(self.worker(river), before)

    def test_the_next_worker_serves_what_the_last_one_did(self):
        self.release("a")
        self.release("b")
        self.release("c")
        self.point("releases/a")
        river = self.start()
        self.point("releases/b")
        self.becomes("b")
        os.remove(self.path("current"))
        river.deaths_expected = True
        before = self.worker(river)
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: self.worker(river) not in (0, before), "the next worker starts")
        wait_until(river.is_up, "it serves")
        self.assertEqual(self.shows(), {"b"})
        before = self.worker(river)
        self.point("releases/c")
        self.becomes("c")
        self.assertEqual(self.worker(river), before)

    def test_an_open_answer_ends_as_it_began(self):
        self.release("a")
        self.release("b")
        self.point("releases/a")
        self.start()
        peer = connect(self.listen)
        peer.send(get("/sub/large.bin"))
        head = peer.head()
        self.point("releases/b")
        self.becomes("b")
        body = peer.exactly(int(head.get("content-length")))
        self.assertEqual(set(body), {ord("a")})
        peer.send(get("/sub/large.bin"))
        self.assertEqual(set(peer.response().body), {ord("b")})
        peer.close()


class Replaced(DeployTest):
    def test_a_directory_that_is_replaced_is_served_by_a_fresh_worker(self):
        self.release("a")
        self.release("b")
        os.rename(self.path("releases", "a"), self.path("current"))
        river = self.start()
        self.assertEqual(self.shows(), {"a"})
        os.rename(self.path("current"), self.path("old"))
        os.rename(self.path("releases", "b"), self.path("current"))
        self.becomes("b")
        self.assertIn("fresh worker", river.errors())

    def test_a_target_outside_of_the_links_directory_starts_a_fresh_worker(self):
        self.release("a")
        elsewhere = self.release("b", self.directory())
        self.point("releases/a")
        river = self.start()
        before = self.worker(river)
        self.point(elsewhere)
        self.becomes("b")
        self.assertNotEqual(self.worker(river), before)
        self.point("releases/a")  # the fresh worker's cage admits only what is elsewhere
        wait_until(lambda: self.shows() == {"a"}, "it is back", seconds=10)
        self.assertEqual(river.errors().count("needs a fresh worker"), 2)

    def test_without_a_cage_no_fresh_worker_is_needed(self):
        self.release("a")
        elsewhere = self.release("b", self.directory())
        self.point("releases/a")
        river = self.start(system="sandbox false")
        before = self.worker(river)
        self.point(elsewhere)
        self.becomes("b")
        self.assertEqual(self.worker(river), before)

    def test_links_inside_of_the_root_still_do_not_lead_out(self):
        self.release("a")
        self.release("b")
        os.symlink("../b/page.html", self.path("releases", "a", "out.html"))
        os.symlink("page.html", self.path("releases", "a", "in.html"))
        self.point("releases/a")
        self.start()
        self.assertEqual(ask(self.listen, "/in.html").status, 200)
        self.assertEqual(ask(self.listen, "/out.html").status, 404)


class UnderLoad(DeployTest):
    SECONDS = 4

    def load(self, stop, wrong, counts):
        peer = connect(self.listen)
        while not stop.is_set():
            for target in FILES:
                peer.send(get(target))
                answer = peer.response()
                counts.append(answer.body[:1])
                marks = set(answer.body)
                size = LARGE if target.endswith("bin") else 100
                if answer.status != 200 or len(marks) != 1 or len(answer.body) != size:
                    wrong.append((target, answer.status, marks, len(answer.body)))
        peer.close()

    def flip(self, every, how):
        self.release("a")
        self.release("b")
        self.point("releases/a")
        river = self.start(**how)
        before = self.worker(river)
        stop, wrong, counts = threading.Event(), [], []
        threads = [threading.Thread(target=self.load, args=(stop, wrong, counts))
                   for _ in range(4)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + self.SECONDS
        turn = 0
        while time.monotonic() < end:
            turn += 1
            self.point(f"releases/{'ab'[turn % 2]}")
            time.sleep(every)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong[:3], [])
        self.assertEqual(set(counts), {b"a", b"b"})
        self.point("releases/b")
        self.becomes("b")
        self.assertEqual(self.worker(river), before)
        return river

    def test_flips_under_load_in_the_cage_with_two_threads(self):
        river = self.flip(0.61, {"threads": 2})
        self.assertIn("landlock", river.errors())

    def test_a_hundred_flips_a_second(self):
        river = self.flip(0.01, {"threads": 2})
        self.assertLess(river.errors().count("leads to another directory"),
                        2 * self.SECONDS + 4)


if __name__ == "__main__":
    main()
