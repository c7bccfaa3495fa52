"""The container image: its steps, done by hand in namespaces, because no engine may be here.

The build stage's `make build` is what has built the binary under test; `dist/image-root` and the
whole second stage are done as the file says.
"""

import fcntl
import fnmatch
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import unittest

from harness import BINARY, ROOT, SECONDS, Test, is_sanitized, main, wait_until

DIST = os.path.join(ROOT, "dist")


def instructions():
    """Of each stage: a list of (word, arguments)."""
    with open(os.path.join(DIST, "Containerfile"), encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ")
    stages = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            word, rest = line.split(" ", 1)
            if word == "FROM":
                stages.append([])
            stages[-1].append((word, rest))
    return stages


def in_namespaces(root, user, words):
    """Becomes the container's first process; runs in namespaces of its own (unshare)."""
    def mount(*arguments):
        subprocess.run(["mount", *arguments], check=True)
    mount("--bind", root, root)
    mount("-t", "proc", "proc", root + "/proc")
    mount("-t", "tmpfs", "tmpfs", root + "/dev")
    for name in ("null", "zero", "urandom"):
        with open(f"{root}/dev/{name}", "wb"):
            pass
        mount("--bind", f"/dev/{name}", f"{root}/dev/{name}")
    mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", root + "/tmp")
    mount("-o", "remount,bind,ro", root)
    with socket.socket() as sock:  # the loopback interface goes up
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 1))
    os.chroot(root)
    os.chdir("/")
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    os.execve(words[0], words, {"PATH": "/usr/bin"})


class Container(Test):
    def start(self, *arguments, files=()):
        """The image, running: (pid of its first process, words for a command in it)."""
        image = self.directory()
        os.chmod(image, 0o755)
        stages = instructions()
        steps = dict(stages[1])
        self.assertEqual(stages[1][0], ("FROM", "scratch"))
        self.assertIn(("RUN", "dist/image-root /image"), stages[0])
        self.assertEqual(steps["COPY"], "--from=build /image/ /")
        subprocess.run([os.path.join(DIST, "image-root"), image], check=True, cwd=ROOT,
                       env={**os.environ, "RIVER_BINARY": os.path.abspath(BINARY)})
        for name, text in files:
            with open(image + name, "w", encoding="utf-8") as file:
                file.write(text)
        words = json.loads(steps["ENTRYPOINT"]) + (list(arguments) or json.loads(steps["CMD"]))
        user, group = steps["USER"].split(":")
        self.assertEqual(user, group)
        self.assertGreater(int(user), 0)
        with open(os.path.join(image, "..", os.path.basename(image) + ".log"), "wb") as log:
            self.addCleanup(os.unlink, log.name)
            process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child",
                 sys.executable, os.path.abspath(__file__), "--inside", image, user, *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

        def output():
            with open(log.name, encoding="utf-8", errors="replace") as file:
                return file.read()
        self.output = output
        self.process = process
        self.addCleanup(self.end)
        self.first = None

        def serves():
            self.assertIsNone(process.poll(), output())
            with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
                children = file.read().split()
            self.first = int(children[0]) if children else None
            return "msg=serving" in output() and self.first
        wait_until(serves, "River serves in the container")
        return self.first

    def end(self):
        if self.process.poll() is None:
            os.kill(self.first or self.process.pid, signal.SIGKILL)
        self.process.wait(SECONDS)

    def inside(self, *words):
        """Runs a program of the image, as `podman exec` would."""
        return subprocess.run(
            ["nsenter", "--target", str(self.first), "--mount", "--pid", "--net", "--root", "--wd",
             "--setuid", "65532", "--setgid", "65532", *words], capture_output=True, text=True,
            timeout=SECONDS, check=False)

    def fetch(self, port):
        return subprocess.run(["nsenter", "--target", str(self.first), "--net", "curl", "-sS",
                               f"http://127.0.0.1:{port}/"], capture_output=True, text=True,
                              timeout=SECONDS, check=False).stdout

    def check_is_caged(self):
        with open(f"/proc/{self.first}/status", encoding="ascii") as file:
            status = file.read()
        self.assertRegex(status, r"Uid:\t65532\t65532\t65532\t65532")
        self.assertRegex(status, r"CapEff:\t0+\n")
        self.assertRegex(status, r"NSpid:\t\d+\t1\n")


@unittest.skipIf(is_sanitized(), "sanitizers need more than the image has")
@unittest.skipUnless(os.geteuid() == 0, "only root may make these namespaces")
@unittest.skipUnless(shutil.which("unshare") and shutil.which("nsenter"), "no namespaces here")
class Image(Container):
    def test_it_runs_as_process_1_without_root_on_a_read_only_root(self):
        self.start()
        self.assertIn("River runs.", self.fetch(8080))
        self.check_is_caged()
        health = json.loads(dict(instructions()[1])["HEALTHCHECK"].removeprefix("CMD "))
        done = self.inside(*health)
        self.assertEqual(done.returncode, 0, done.stderr + self.output())
        self.assertIn("seccomp", done.stdout)
        self.assertIn("landlock", done.stdout)
        self.assertEqual(self.inside("/bin/sh", "-c", "true").returncode, 127)
        self.assertIn('"status":200', self.output())
        number = dict(instructions()[1])["STOPSIGNAL"]
        os.kill(self.first, getattr(signal, number))
        self.assertEqual(self.process.wait(SECONDS), 0)

    def test_another_configuration_and_other_arguments(self):
        text = 'services { a { listeners { "127.0.0.1:8081"; }\nrespond body="mine"; }\n}\n'
        self.start(files=[("/etc/river/river.kdl", text)])
        self.assertEqual(self.fetch(8081), "mine")
        self.end()
        self.start("proxy", "8082", "--listen", ":8083")
        self.assertIn("502", self.fetch(8083))
        self.check_is_caged()


class BuildStage(Test):
    def test_what_is_built_from_is_not_ignored(self):
        with open(os.path.join(ROOT, ".dockerignore"), encoding="utf-8") as file:
            patterns = [line.strip() for line in file if line.strip() and line[0] != "#"]
        done = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            self.skipTest("this is not a clone")
        files = done.stdout.split()
        self.assertIn("dist/Containerfile", files)
        for pattern in patterns:
            self.assertEqual([f for f in files if fnmatch.fnmatch(f, pattern) or
                              f.startswith(pattern + "/")], [], pattern)

    def test_its_steps_exist(self):
        commands = [rest for word, rest in instructions()[0] if word == "RUN"]
        self.assertIn("make build", commands)
        for line in commands:
            if line.startswith("dist/"):
                self.assertTrue(os.access(os.path.join(ROOT, line.split()[0]), os.X_OK))
        with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as file:
            self.assertTrue(re.search(r"^build:", file.read(), re.M))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        in_namespaces(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    main()
