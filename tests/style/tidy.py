#!/usr/bin/env python3
"""Runs clang-tidy over src/base and src/http, with the checks of .clang-tidy.

    tests/style/tidy.py BUILD_DIRECTORY

The directory holds a clang build's compile_commands.json. Each finding is printed; the last line is
"N passed, N failed", one for each file.
"""

import concurrent.futures
import glob
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECONDS_MAX = 300


def tidy(program, build, path):
    """Whether the file is clean; prints what is not."""
    try:
        done = subprocess.run([program, "--quiet", "-p", build, path], cwd=ROOT, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        print(f"{path}: not finished after {SECONDS_MAX} s")
        return False
    if done.returncode != 0:
        print(done.stdout, end="", flush=True)
    return done.returncode == 0


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build/release")
    program = shutil.which("clang-tidy-22") or shutil.which("clang-tidy")
    if not program:
        sys.exit("clang-tidy is missing: tools/setup test installs it")
    paths = sorted(os.path.relpath(p, ROOT) for room in ("base", "http")
                   for p in glob.glob(os.path.join(ROOT, "src", room, "*.c")))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        clean = list(pool.map(lambda path: tidy(program, build, path), paths))
    print(f"{sum(clean)} passed, {len(clean) - sum(clean)} failed")
    sys.exit(0 if all(clean) else 1)


if __name__ == "__main__":
    main()
