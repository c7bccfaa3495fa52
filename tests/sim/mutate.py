#!/usr/bin/env python3
"""Deletes each wake-up, re-arm and queue-leaving call of the rooms loop, transport, pool and proxy
in turn, and counts how many of these mutants the simulation, a transcript or a unit test finds.

    tests/sim/mutate.py [--seeds N] [--more N] [--jobs N] [--sample N] [--list] [FILE...]

A mutant is compiled by itself and linked with everything else, which was compiled once, without
link-time optimization. What is found stops at the first failing seed. Whom neither `--seeds` of the
simulation nor the other programs find is tried with `--more` of its seeds. The survivors are listed
at the end; docs/TESTING.md says why each of them is harmless or is found elsewhere.
"""

import argparse
import concurrent.futures
import json
import os
import random
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("RIVER_BUILD", os.path.join(ROOT, "build"))
RELEASE = os.path.join(BUILD, "release")
WORK = os.path.join(BUILD, "mutate")
ROOMS = ("base", "loop", "http", "net", "transport", "pool", "proxy", "balance", "filter")
MUTATED = ("src/loop", "src/pool", "src/proxy", "src/transport")
MORE_ROOMS = ("kdl", "config", "build", "cage", "admin", "app")
# In this order, until one of them fails.
PROGRAMS = ("sim/sim", "sim/wire", "sim/calls", "sim/records", "unit/unit")

PROGRAM_SECONDS = 200

# Calls that wake, arm again, or leave a queue; and assignments that do.
NAMES = r"""thread_again\w* thread_flush_token mux_flush_later mux_stream_again exchange_again
lease_again lease_connected lease_failed lease_retry lease_unwait lease_doubt upstream_again
fetch_wake exchange_doubt_upstream timer_set timer_stop timer_drop
client_deadline deadline_set client_idle_deadline origin_unwait waiters_leave waiters_push
poller_alarm poller_add poller_remove mailbox_post mailbox_awake rest upstream_doubt mux_ping
mux_leave mux_end mux_notify origin_mux_\w+ origin_return park_push h2_resume h2_open_\w+
mux_consume place_push place_retry place_serve_all place_dial\w* place_ask
stream_again client_mux_flush upstream_mux_flush timers_handle again_handle
flush_handle wheel_advance entry_unlink entry_link thread_tell_draining messages_handle
mux_watch list_unlink slots_give_back counter_room""".split()
CALL = re.compile(r"^(\s+)(?:\(void\)!?|CHECK\()?(?:" + "|".join(NAMES) + r")\(")
SET = re.compile(r"^(\s+)(?:w|\w+->wire|\w+\.wire)(?:->|\.)(?:readable|again|looked)"
                 r" \|?= [^=;]*;$")
WAKE = re.compile(r"^(\s+)\(void\)!write\(m->wake_fd")
# The disk's threads and the logs have tests of their own; a helper's thread is no worker's.
SKIPPED = {"src/loop/disk.c", "src/loop/log.c", "src/loop/gate.c", "src/loop/crash.c",
           "src/pool/helper_thread.c", "src/proxy/dump.c"}
# Stood in for by files of the program's own.
STAND_INS = {"sim": ("src/net/tls_rustls", "src/loop/disk.c"), "records": ("src/net/tls_rustls",)}


def mutants(files):
    """(file, first line, last line, text) of each statement that can be deleted."""
    for path in files:
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            lines = file.read().split("\n")
        number = 0
        while number < len(lines):
            line = lines[number]
            if not (CALL.match(line) or SET.match(line) or WAKE.match(line)):
                number += 1
                continue
            last = number
            while not lines[last].split("/*")[0].rstrip().endswith((";", "{")):
                last += 1
            if lines[last].split("/*")[0].rstrip().endswith(";"):
                text = " ".join(part.strip() for part in lines[number:last + 1])
                yield path, number, last, text
            number = last + 1


def without(path, first, last):
    """The file's text with a statement deleted; line numbers stay."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        lines = file.read().split("\n")
    lines[first] = re.match(r"\s*", lines[first])[0] + "(void)0;"
    for number in range(first + 1, last + 1):
        lines[number] = ""
    return "\n".join(lines)


class Builder:
    """Compiles one file at a time, as the release build does but without optimizing the link."""

    def __init__(self):
        with open(os.path.join(RELEASE, "compile_commands.json"), encoding="utf-8") as file:
            commands = json.load(file)
        self.commands = {}
        for entry in commands:
            path = entry["file"]  # as it is where the build made it
            if path.startswith(".."):
                path = os.path.relpath(os.path.join(RELEASE, path), ROOT)
            room = path.split("/")[1] if path.startswith("src/") else ""
            if room in ROOMS + MORE_ROOMS and os.path.basename(path) != "main.c":
                self.commands[path] = shlex.split(entry["command"])
            elif path.startswith(("tests/sim/", "tests/unit/")):
                self.commands.setdefault((entry["output"].split("/")[2], path),
                                         shlex.split(entry["command"]))
        self.link = self.linker()

    @staticmethod
    def linker():
        """What the release build links its tests with, but objects and libraries of ours."""
        listed = subprocess.run(["ninja", "-C", RELEASE, "-t", "commands", "tests/unit/unit"],
                                check=True, capture_output=True, text=True).stdout
        words = shlex.split(listed.strip().split("\n")[-1])
        return [w for w in words[3:] if not w.endswith(".o") and not w.startswith(("src/", "-flto"))
                and w not in ("-Wl,--start-group", "-Wl,--end-group")]

    @staticmethod
    def source_of(key):
        """A file of the tree, or one that the build has made."""
        path = key if isinstance(key, str) else key[1]
        ours = os.path.join(ROOT, path)
        return ours if os.path.exists(ours) else os.path.join(RELEASE, path)

    def object_of(self, key):
        name = key if isinstance(key, str) else "-".join(key)
        return os.path.join(WORK, name.replace("/", "-") + ".o")

    def is_fresh(self, key):
        """Whether the object is younger than its source and every header."""
        target = self.object_of(key)
        if not os.path.exists(target):
            return False
        newest = max(os.path.getmtime(os.path.join(folder, name))
                     for top in ("src", "tests/sim", "tests/unit")
                     for folder, _, names in os.walk(os.path.join(ROOT, top)) for name in names
                     if name.endswith(".h"))
        newest = max(newest, os.path.getmtime(self.source_of(key)))
        return os.path.getmtime(target) > newest

    def compile(self, key, source, target):
        """True: it compiles."""
        words = [w for w in self.commands[key] if not w.startswith("-flto") and w != "-Werror"]
        words = words[:words.index("-MD")] + ["-w", "-O1", "-o", target, "-c", source]
        path = key if isinstance(key, str) else key[1]
        words.append("-I" + os.path.join(ROOT, os.path.dirname(path)))
        return subprocess.run(words, cwd=RELEASE, capture_output=True, check=False).returncode == 0

    def link_program(self, objects, target):
        words = [self.commands["src/transport/mux.c"][0], "-o", target]
        done = subprocess.run(words + objects + self.link, cwd=RELEASE, capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            raise SystemExit("mutate: cannot link:\n" + done.stderr[-2000:])

    def objects(self, program):
        """What a program is made of; some have stand-ins for rustls and the disk."""
        def is_part(key):
            if not isinstance(key, str):
                return key[0] == program + ".p"
            if key.split("/")[1] in MORE_ROOMS:
                return program == "unit"
            return not key.startswith(STAND_INS.get(program, ()))
        return [key for key in self.commands if is_part(key)]


def run(words):
    """What a program says; None: it passes."""
    name = os.path.basename(words[0])
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False,
                              timeout=PROGRAM_SECONDS)
    except subprocess.TimeoutExpired:
        return f"{name}: never ends"
    if done.returncode == 0:
        return None
    lines = [line for line in done.stdout.split("\n") if "seed" in line]
    return f"{name}: {lines[0].strip() if lines else done.returncode}"


def find(builder, job, seeds, more):
    """How a mutant was found; None: it was not; "" when it does not compile. `seeds` of the
    simulation come first, `more` last."""
    path, first, last, _ = job
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        source = os.path.join(folder, os.path.basename(path))
        with open(source, "w", encoding="utf-8") as file:
            file.write(without(path, first, last))
        changed = os.path.join(folder, "changed.o")
        if not builder.compile(path, source, changed):
            return ""
        arguments = {"sim": seeds, "wire": (os.path.join(ROOT, "tests/wire"),)}
        for name in (os.path.basename(program) for program in PROGRAMS):
            program = os.path.join(folder, name)
            objects = [changed if key == path else builder.object_of(key)
                       for key in builder.objects(name)]
            builder.link_program(objects, program)
            how = run([program, *arguments.get(name, ())])
            if how:
                return how
        return run([os.path.join(folder, "sim"), *more]) if more else None


def main():
    """Counts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--more", type=int, default=3000, help="seeds, for those not found")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--first", type=int, default=0, help="seed")
    parser.add_argument("--again", help="only what survives in this output of an earlier run")
    parser.add_argument("--sample", type=int, default=0, help="only so many, chosen by chance")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    files = options.files or sorted(
        os.path.join(folder, name) for folder in MUTATED
        for name in os.listdir(os.path.join(ROOT, folder)) if name.endswith(".c"))
    jobs = list(mutants([f for f in files if f not in SKIPPED]))
    if options.again:
        with open(options.again, encoding="utf-8") as file:
            survived = {line.split(None, 1)[1].strip() for line in file
                        if line.startswith("SURVIVES")}
        jobs = [job for job in jobs if f"{job[0]}:{job[1] + 1}: {job[3]}" in survived]
    if options.sample:
        jobs = random.Random(1).sample(jobs, min(options.sample, len(jobs)))
    if options.list:
        for path, first, _, text in jobs:
            print(f"{path}:{first + 1}: {text}")
        print(len(jobs))
        return 0
    os.makedirs(WORK, exist_ok=True)
    subprocess.run([os.path.join(ROOT, "tools/build"), "release",
                    *("tests/" + program for program in PROGRAMS)], check=True)
    builder = Builder()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        wanted = sorted({str(key): key for program in PROGRAMS
                         for key in builder.objects(os.path.basename(program))}.values(), key=str)
        stale = [key for key in wanted if not builder.is_fresh(key)]
        if not all(pool.map(lambda key: builder.compile(
                key, builder.source_of(key), builder.object_of(key)), stale)):
            raise SystemExit("mutate: something does not compile")
        found, survivors = 0, []
        whole = os.path.join(WORK, "sim")
        builder.link_program([builder.object_of(key) for key in builder.objects("sim")], whole)
        seeds = ("--first", str(options.first), str(options.seeds))
        rest = options.first + options.seeds
        more = ("--first", str(rest), str(options.more)) if options.more else ()
        if subprocess.run([whole, *seeds], check=False).returncode:
            raise SystemExit("mutate: the simulation fails without any mutation")
        for job, how in zip(jobs, pool.map(lambda job: find(builder, job, seeds, more), jobs)):
            where = f"{job[0]}:{job[1] + 1}: {job[3]}"
            if how is None:
                survivors.append(where)
            elif how:
                found += 1
            print(f"{'SURVIVES' if how is None else 'found' if how else 'no code'}  {where}"
                  f"\n      {how or ''}", flush=True)
    total = found + len(survivors)
    print(f"\n{found} of {total} mutants found ({100 * found / max(total, 1):.1f} %); survivors:")
    for where in survivors:
        print("  " + where)
    return 0


if __name__ == "__main__":
    sys.exit(main())
