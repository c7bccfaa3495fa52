"""The manual's chapter about operating: its commands are run, and what they print is compared."""

import os
import re
import subprocess
import time

from harness import BINARY, Port, Test, main, wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHAPTER = os.path.join(ROOT, "docs", "manual", "operating.md")


def blocks(kind):
    with open(CHAPTER, encoding="utf-8") as file:
        return re.findall(rf"^```{kind}\n(.*?)^```$", file.read(), re.M | re.S)


def commands():
    """Each command, and what it prints; None where the chapter shows nothing."""
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def pattern(text):
    return re.escape(text).replace(re.escape("..."), r"[^\0]*?")


class Operating(Test):
    def setUp(self):
        self.home = self.directory()
        self.port = self.own(Port("127.0.0.1"))
        self.control = os.path.join(self.home, "control.sock")
        self.pids = set()
        os.mkdir(os.path.join(self.home, "bin"))
        os.symlink(BINARY, os.path.join(self.home, "bin", "river"))
        with open(os.path.join(self.home, "river.kdl"), "w", encoding="utf-8") as file:
            file.write(self.here(blocks("kdl")[0]))
        self.environment = {**os.environ, "RIVER_CONTROL_SOCKET": self.control,
                            "PATH": os.path.join(self.home, "bin") + ":" + os.environ["PATH"]}
        self.addCleanup(self.end)

    def here(self, text):
        return (text.replace("127.0.0.1:8080", str(self.port))
                .replace("8080\"", str(self.port).split(":")[1] + '"')
                .replace("/run/river/control.sock", self.control))

    def end(self):
        done = self.run_command("river status --json")
        match = re.search(r'"supervisor_pid": ?(\d+)', done.stdout)
        if match:
            pid = int(match[1])
            os.kill(pid, 2)
            wait_until(lambda: not os.path.exists(self.control), "it ends")

    def run_command(self, command):
        return subprocess.run(["sh", "-c", command], cwd=self.home, env=self.environment,
                              capture_output=True, text=True, timeout=30, check=False)

    def start(self, command):
        log = open(os.path.join(self.home, "log"), "wb")
        process = subprocess.Popen(["sh", "-c", "exec " + command], cwd=self.home, stderr=log,
                                   env=self.environment)
        log.close()
        self.addCleanup(process.wait, 10)
        wait_until(lambda: self.run_command("river status").returncode == 0, "it serves")

    def test_the_chapter(self):
        count = 0
        for command, output in commands():
            with self.subTest(command=command):
                if command.startswith("kill "):
                    continue
                if command.endswith(" &"):
                    self.start(self.here(command[:-2]))
                    continue
                done = self.run_command(self.here(command))
                self.assertRegex(done.stdout + done.stderr, r"\A" + pattern(self.here(output)) +
                                 r"\Z", done)
                count += 1
                if command.startswith("river upgrade"):
                    time.sleep(0.2)
        self.assertGreater(count, 15)


if __name__ == "__main__":
    main()
