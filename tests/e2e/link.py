"""A link with a delay, losses and a rate between two network namespaces, `near` and `far`
(tests/soak/link.c). Whoever is `within` one of them opens its sockets there, and so does what it
starts; the file system and the processes are those of all."""

import contextlib
import ctypes
import os
import re
import select
import signal
import subprocess

from harness import ROOT, SECONDS

BUILD = os.environ.get("RIVER_BUILD", os.path.join(ROOT, "build"))
NEAR, FAR = "10.77.0.1", "10.77.0.2"
NAMESPACES = {"near": 10, "far": 11}  # descriptors of the process
CLONE_NEWNET = 0x40000000
NOT_PERMITTED = 77


class NoLink(Exception):
    """The system permits none; the words say why."""


def find_program():
    """Of whichever variant was built."""
    for variant in (os.environ.get("RIVER_VARIANT", "release"), "release", "gcc", "address"):
        path = os.path.join(BUILD, variant, "tests", "soak", "soak_link")
        if os.access(path, os.X_OK):
            return path
    raise FileNotFoundError("soak_link is not built")


def parse(text):
    """`25ms,0.1%,100mbit` as delay in microseconds, losses per million, and kbit/s."""
    found = re.fullmatch(r"([\d.]+)ms(?:,([\d.]+)%)?(?:,([\d.]+)mbit)?", text)
    if not found:
        raise ValueError(f"{text}: a link is like 25ms,0.1%,100mbit")
    delay, loss, rate = (float(n or 0) for n in found.groups())
    return round(delay * 1000), round(loss * 10000), round(rate * 1000)


def enter(descriptor):
    """This thread, what it starts, and threads that it makes."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns: " + os.strerror(ctypes.get_errno()))


class Link:
    """One that is up."""

    def __init__(self, text, seed=1):
        self.process = subprocess.Popen([find_program(), *map(str, parse(text)), str(seed)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS)
        line = self.process.stdout.readline() if ready else ""
        if not line.startswith("link "):
            self.process.kill()
            _, why = self.process.communicate()
            if self.process.returncode == NOT_PERMITTED:
                raise NoLink(why.strip())
            raise OSError(f"soak_link ended with {self.process.returncode}: {why}")
        self.sides = {name: os.open(f"/proc/{self.process.pid}/fd/{number}", os.O_RDONLY)
                      for name, number in NAMESPACES.items()}

    @contextlib.contextmanager
    def within(self, side):
        """This thread is there meanwhile."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            enter(self.sides[side])
            yield
        finally:
            enter(home)
            os.close(home)

    def close(self):
        """Ends it; returns what each way did, as {way: {carried, lost, dropped}}."""
        if self.process.returncode is not None:
            return {}
        for descriptor in self.sides.values():
            os.close(descriptor)
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=SECONDS)
        did = {}
        for line in output.splitlines():
            way, *words = line.split()
            did[way] = {words[i]: int(words[i + 1]) for i in range(0, len(words), 2)}
        return did
