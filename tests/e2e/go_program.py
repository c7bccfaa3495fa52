"""Programs of others that Go builds, once, into the user's cache."""

import hashlib
import os
import shutil
import subprocess
import unittest

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "river")
BUILD_SECONDS_MAX = 280


def find_go():
    places = os.environ.get("PATH", "") + ":/usr/local/go/bin:/usr/lib/go/bin"
    return shutil.which("go", path=places)


def go_programs(place, *modules):
    """The paths of what `modules` (package@version) are built to, in CACHE/place. Skips the test
    where they are not there and cannot be built."""
    directory = os.path.join(CACHE, place)
    names = [module.split("@", 1)[0].rsplit("/", 1)[1] for module in modules]
    paths = [os.path.join(directory, name) for name in names]
    if all(os.access(path, os.X_OK) for path in paths):
        return paths
    go = find_go()
    if not go:
        raise unittest.SkipTest(f"no `go` to build {place} with")
    os.makedirs(directory, exist_ok=True)
    new = os.path.join(directory, f"new-{os.getpid()}")
    try:
        done = subprocess.run([go, "install", *modules], stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=BUILD_SECONDS_MAX, check=False, cwd="/",
                              env={**os.environ, "GOFLAGS": "-mod=mod", "GOBIN": new})
        if done.returncode != 0:
            raise unittest.SkipTest(f"{place} could not be built: " + done.stderr.strip()[-300:])
        for name, path in zip(names, paths):
            os.replace(os.path.join(new, name), path)
    except subprocess.TimeoutExpired:
        raise unittest.SkipTest(f"building {place} took too long") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return paths


def go_source(source):
    """The path of what one file without dependencies is built to; skips the test as above."""
    with open(source, "rb") as file:
        mark = hashlib.sha256(file.read()).hexdigest()[:16]
    program = os.path.join(CACHE, f"{os.path.basename(source)[:-3]}-{mark}")
    if os.access(program, os.X_OK):
        return program
    go = find_go()
    if not go:
        raise unittest.SkipTest(f"no `go` to build {source} with")
    os.makedirs(CACHE, exist_ok=True)
    new = f"{program}.{os.getpid()}"
    try:
        done = subprocess.run([go, "build", "-o", new, source], stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=BUILD_SECONDS_MAX, check=False, cwd="/")
    except subprocess.TimeoutExpired:
        raise unittest.SkipTest(f"building {source} took too long") from None
    if done.returncode != 0:
        raise unittest.SkipTest(f"{source} could not be built: " + done.stderr.strip()[-300:])
    os.replace(new, program)
    return program
