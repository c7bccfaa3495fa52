"""The manual's chapters about a first site, operating and mutual TLS: their commands are run, and
what they print is compared."""

import os
import re
import subprocess
import time

from harness import BINARY, Port, Test, connect, main, wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MANUAL = os.path.join(ROOT, "docs", "manual")


def blocks(chapter, kind):
    with open(os.path.join(MANUAL, chapter), encoding="utf-8") as file:
        return re.findall(rf"^```{kind}\n(.*?)^```$", file.read(), re.M | re.S)


def commands(chapter):
    """Each command, and what it prints."""
    for block in blocks(chapter, "console"):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            while command.endswith("\\"):
                line, _, output = output.partition("\n")
                command += "\n" + line
            yield command, output


def pattern(text):
    return re.escape(text).replace(re.escape("..."), r"[^\0]*?")


class Chapters(Test):
    def setUp(self):
        self.home = self.directory()
        self.port = self.own(Port("127.0.0.1"))
        self.other_port = self.own(Port("127.0.0.1"))
        self.control = os.path.join(self.home, "control.sock")
        self.started = []
        os.mkdir(os.path.join(self.home, "bin"))
        os.symlink(BINARY, os.path.join(self.home, "bin", "river"))
        self.environment = {**os.environ, "RIVER_CONTROL_SOCKET": self.control,
                            "PATH": os.path.join(self.home, "bin") + ":" + os.environ["PATH"]}
        self.addCleanup(self.end)

    def here(self, text):
        return (text.replace("127.0.0.1:8080", str(self.port))
                .replace("127.0.0.1:9443", str(self.other_port))
                .replace("8080\"", str(self.port).split(":")[1] + '"')
                .replace("/run/river/control.sock", self.control))

    def end(self):
        done = self.run_command("river status --json")
        match = re.search(r'"supervisor_pid": ?(\d+)', done.stdout)
        if match:
            pid = int(match[1])
            os.kill(pid, 2)
            wait_until(lambda: not os.path.exists(self.control), "it ends")
        for process in self.started:
            process.wait(10)

    def run_command(self, command):
        return subprocess.run(["sh", "-c", command], cwd=self.home, env=self.environment,
                              capture_output=True, text=True, timeout=30, check=False)

    def start(self, command):
        log = open(os.path.join(self.home, "log"), "wb")
        process = subprocess.Popen(["sh", "-c", "exec " + command], cwd=self.home, stdout=log,
                                   stderr=log, env=self.environment)
        log.close()
        self.started.append(process)
        wait_until(lambda: self.run_command("river status").returncode == 0, "it serves")

    def write(self, name, text):
        with open(os.path.join(self.home, name), "w", encoding="utf-8") as file:
            file.write(self.here(text))

    def follow(self, chapter):
        """Does what the chapter says; how many commands were run."""
        self.write("river.kdl", blocks(chapter, "kdl")[0])
        count = 0
        for command, output in commands(chapter):
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
        return count

    def test_operating(self):
        self.assertGreater(self.follow("operating.md"), 15)

    def test_mutual_tls(self):
        self.write("ca.cnf", blocks("mutual-tls.md", "ini")[0])
        self.assertGreater(self.follow("mutual-tls.md"), 15)


class FirstSite(Chapters):
    """From an empty directory, by the chapter alone."""

    test_operating = test_mutual_tls = None

    def setUp(self):
        super().setUp()
        self.api_port = self.own(Port("127.0.0.1"))

    def here(self, text):
        for port, ours in (("8443", self.other_port), ("8080", self.port), ("3000", self.api_port)):
            text = re.sub(rf"\b{port}\b", str(ours.number), text)
        return text

    def start(self, command):
        if command.startswith("river "):
            super().start(command)
            self.add_service(self.here(blocks("first-site.md", "kdl")[0]))
            return
        program = subprocess.Popen(command.split(), cwd=self.home, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(program.wait, 10)
        self.addCleanup(program.kill)
        wait_until(lambda: answers(self.api_port), "the API serves")

    def add_service(self, text):
        """For the reload: what is within the braces of `services`."""
        with open(os.path.join(self.home, "site.kdl"), encoding="utf-8") as file:
            kept = file.read().rstrip().removesuffix("}")
        with open(os.path.join(self.home, "site.kdl"), "w", encoding="utf-8") as file:
            file.write(kept + text.split("{", 1)[1])

    def test_first_site(self):
        self.assertGreater(self.follow("first-site.md"), 8)


def answers(port):
    try:
        connect(port).close()
        return True
    except OSError:
        return False


if __name__ == "__main__":
    main()
