#!/usr/bin/env python3
"""Runs clang-tidy, with the checks of .clang-tidy, and gcc -fanalyzer over src/base and src/http.

    tests/style/tidy.py BUILD_DIRECTORY

The directory holds a clang build's compile_commands.json. Each finding is printed; the last line is
"N passed, N failed", one for each file and program.
"""

import concurrent.futures
import glob
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECONDS_MAX = 300
ANALYSER = ["gcc", "-std=gnu17", "-O2", "-D_GNU_SOURCE", "-Isrc", "-fanalyzer", "-Wall", "-Werror",
            "-c", "-o", os.devnull]


def is_clean(command, path):
    """Whether the command finds nothing in the file; prints what it finds."""
    try:
        done = subprocess.run(command + [path], cwd=ROOT, check=False, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        print(f"{path}: {command[0]} has not finished after {SECONDS_MAX} s")
        return False
    if done.returncode != 0:
        # clang-tidy counts suppressed warnings on its standard error; gcc reports there
        print(done.stdout or done.stderr, end="", flush=True)
    return done.returncode == 0


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build/release")
    program = shutil.which("clang-tidy-22") or shutil.which("clang-tidy")
    if not program or not shutil.which("gcc"):
        sys.exit("clang-tidy or gcc is missing: tools/setup test installs them")
    paths = sorted(os.path.relpath(p, ROOT) for room in ("base", "http")
                   for p in glob.glob(os.path.join(ROOT, "src", room, "*.c")))
    archive = subprocess.run([os.path.join(ROOT, "tools/deps")], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.split()[-1]
    analyser = [*ANALYSER, "-isystem", os.path.join(archive, "include")]
    jobs = [(command, path) for command in ([program, "--quiet", "-p", build], analyser)
            for path in paths]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        clean = list(pool.map(lambda job: is_clean(*job), jobs))
    print(f"{sum(clean)} passed, {len(clean) - sum(clean)} failed")
    sys.exit(0 if all(clean) else 1)


if __name__ == "__main__":
    main()
