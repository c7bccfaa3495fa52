"""Runs a command as a systemd unit would, where no systemd runs: with the unit's system calls and
capabilities, without new privileges and without memory that is writable and executable.

    confine.py UNIT COMMAND...

A call that the unit forbids ends the process (systemd would answer with an error), so that a test
cannot overlook it.
"""

import ctypes
import os
import platform
import re
import shutil
import struct
import subprocess
import sys

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_MDWE = 24, 38, 22, 65
ALLOW, KILL = 0x7fff0000, 0x80000000
ARCHITECTURES = {"x86_64": 0xc000003e, "aarch64": 0xc00000b7}
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # of classic BPF
HEADERS = ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
           "/usr/include/aarch64-linux-gnu/asm/unistd.h", "/usr/include/asm-generic/unistd.h")
CAPABILITIES = "/usr/include/linux/capability.h"


def numbers(path, pattern):
    with open(path, encoding="utf-8") as file:
        return {name.lower(): int(n) for name, n in re.findall(pattern, file.read())}


class Unit:
    """What a unit's [Service] allows."""

    def __init__(self, path):
        self.path = path
        with open(path, encoding="utf-8") as file:
            self.lines = [l.strip().split("=", 1) for l in file if re.match(r"^[A-Z]\w+=", l)]

    def all(self, name):
        return [value for key, value in self.lines if key == name]

    @staticmethod
    def missing():
        """What this machine lacks for it, as a sentence; None: nothing."""
        if platform.machine() not in ARCHITECTURES:
            return "confine.py does not know this architecture"
        if not any(map(os.path.exists, HEADERS)) or not os.path.exists(CAPABILITIES):
            return "this system has no headers with the calls' numbers"
        if not shutil.which("systemd-analyze"):
            return "this system has no systemd-analyze"
        return None

    def calls(self):
        """The names of all system calls that are allowed, groups resolved."""
        allowed = set()
        for value in self.all("SystemCallFilter"):
            names = set()
            for word in value.lstrip("~").split():
                names |= expand(word) if word.startswith("@") else {word}
            allowed = allowed - names if value.startswith("~") else allowed | names
        return allowed

    def capabilities(self):
        return set(" ".join(self.all("CapabilityBoundingSet")).lower().split())


def expand(group, known={}):  # pylint: disable=dangerous-default-value
    """The calls of a group; groups may hold groups."""
    if group not in known:
        # It would speak to the service manager of what runs here, and wait for its answer.
        environment = {k: v for k, v in os.environ.items() if k != "NOTIFY_SOCKET"}
        text = subprocess.run(["systemd-analyze", "syscall-filter", group], check=True,
                              capture_output=True, text=True, env=environment).stdout
        words = [l.strip() for l in text.splitlines()[1:] if l.strip() and "#" not in l]
        known[group] = set().union(*(expand(w) if w.startswith("@") else {w} for w in words))
    return known[group]


def program(calls):
    """A filter that lets these numbers pass."""
    architecture = ARCHITECTURES[platform.machine()]
    lines = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    for number in calls:
        lines += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    lines.append((RETURN, 0, 0, KILL))
    return b"".join(struct.pack("HBBI", *line) for line in lines), len(lines)


def confine(unit):
    libc = ctypes.CDLL(None, use_errno=True)
    header = next(filter(os.path.exists, HEADERS))
    known = numbers(header, r"#define __NR_(\w+)\s+(\d+)")
    kept = unit.capabilities()
    calls = [known[name] for name in unit.calls() if name in known]
    for name, number in numbers(CAPABILITIES, r"#define (CAP_\w+)\s+(\d+)").items():
        if name not in kept and os.geteuid() == 0:
            libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    code, count = program(calls)
    buffer = ctypes.create_string_buffer(code)
    filter_ = struct.pack("H6xP", count, ctypes.addressof(buffer))
    libc.prctl(PR_SET_MDWE, 1, 0, 0, 0)  # kernels before 6.3 do not know it
    if (libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or
            libc.prctl(PR_SET_SECCOMP, 2, filter_, 0, 0) != 0):
        sys.exit(f"confine: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    confine(Unit(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
