"""What the first `make run` says while it installs and builds: nobody waits before silence."""

import importlib.machinery
import importlib.util
import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr

from harness import ROOT, SECONDS, Test, main


def shell_functions(*names):
    """These functions of tools/setup, as text."""
    with open(os.path.join(ROOT, "tools", "setup"), encoding="utf-8") as file:
        text = file.read()
    return "\n".join(re.search(rf"^{name}\(\) \{{\n.*?^\}}$", text, re.M | re.S)[0]
                     for name in names)


class Packages(Test):
    def install(self, script):
        """Runs setup's installation with this in place of apt-get: (status, output, log)."""
        directory = self.directory()
        path = os.path.join(directory, "apt-get")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + script)
        os.chmod(path, 0o755)
        text = (f"set -eu\napt_log={directory}/log\nas_root() {{ \"$@\"; }}\n"
                + shell_functions("say", "say_progress", "apt_install") + "\napt_install a b\n")
        # Ten seconds pass in one.
        text = text.replace("sleep 1 ", "sleep 0.1 ")
        done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False,
                              timeout=SECONDS, env={**os.environ, "PATH": directory + ":" +
                                                    os.environ["PATH"]})
        with open(os.path.join(directory, "log"), encoding="utf-8") as file:
            return done.returncode, done.stdout + done.stderr, file.read()

    def test_apt_is_in_a_log_and_its_progress_is_said(self):
        status, said, log = self.install(
            'echo "0 upgraded, 2 newly installed, 0 to remove"\necho "Unpacking a (1) ..."\n'
            'sleep 1.5\necho "Unpacking b (1) ..."; echo "Setting up a (1) ..."\nsleep 1.2\n'
            'echo noise >&2\n')
        self.assertEqual(status, 0, said)
        self.assertIn("setup: 1 of 2 packages unpacked, 0 set up, 10 s\n", said)
        self.assertIn("setup: 2 of 2 packages unpacked, 1 set up, 20 s\n", said)
        self.assertNotIn("noise", said)
        self.assertIn("noise", log)

    def test_its_failure_is_passed_on(self):
        self.assertEqual(self.install("echo no such package >&2; exit 100\n"),
                         (100, "", "no such package\n"))


class Crates(Test):
    def load(self):
        sys.path.insert(0, os.path.join(ROOT, "tools"))
        self.addCleanup(sys.path.remove, os.path.join(ROOT, "tools"))
        loader = importlib.machinery.SourceFileLoader("deps", os.path.join(ROOT, "tools", "deps"))
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader("deps", loader))
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        loader.exec_module(module)
        sys.dont_write_bytecode = before
        return module

    def test_the_crates_that_are_built_are_counted_once(self):
        tree = "ours v0.1.0 (/x)\na v1.0.0\nb v2.0.0 (proc-macro)\n\na v1.0.0 (*)\na v2.0.0\n"
        self.assertEqual(self.load().count_crates(tree), 4)

    def test_progress_is_said_and_a_failure_passed_on(self):
        deps = self.load()
        deps.PROGRESS_S = 0.3
        artifact = ('{"reason":"compiler-artifact","package_id":"%s",'
                    '"target":{"kind":["%s"]}}')
        script = (f"echo '{artifact % ('a', 'custom-build')}'; sleep 0.7; "
                  f"echo '{artifact % ('a', 'lib')}'; echo '{artifact % ('b', 'lib')}'; "
                  "echo '{\"reason\":\"build-finished\"}'; sleep 0.7; exit 101")
        said = io.StringIO()
        with redirect_stderr(said):
            status = deps.show_progress(["sh", "-c", script], 7)
        self.assertEqual(status, 101)
        lines = [line.split(",")[0] for line in said.getvalue().splitlines()]
        self.assertEqual(list(dict.fromkeys(lines)), ["deps: crate 0 of 7", "deps: crate 2 of 7"])


if __name__ == "__main__":
    main()
