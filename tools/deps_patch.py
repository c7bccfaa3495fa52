"""For tools/deps: a copy of deps/ in which a crate is built from patched sources.

The sources are those that Cargo.lock names: the crate's archive in cargo's registry cache must
have the checksum that it gives. They are unpacked in the cache, never in the tree, and changed as
the patch says: each hunk's lines must be there exactly once, or the build ends.
"""

import glob
import hashlib
import os
import re
import shutil
import sys
import tarfile

PATCHES = {"rustls": "rustls-server.patch"}  # deps/patches


def locked(lock, crate):
    """Version and checksum of a crate of crates.io in the text of a Cargo.lock."""
    found = re.search(rf'^name = "{crate}"\nversion = "(.*)"\nsource = "registry\+.*"\n'
                      r'checksum = "([0-9a-f]{64})"\n', lock, re.M)
    return found.groups() if found else sys.exit(f"deps: Cargo.lock pins no {crate} to patch")


def unpack(home, name, checksum, target):
    """The sources of `name`, CRATE-VERSION, into target/name."""
    for path in glob.glob(os.path.join(home, "registry", "cache", "*", name + ".crate")):
        with open(path, "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() != checksum:
                continue
        with tarfile.open(path) as archive:
            for member in archive:
                where = os.path.normpath(member.name)
                if not member.isreg() or not where.startswith(name + "/"):
                    sys.exit(f"deps: {path} holds {member.name}, which no crate does")
                place = os.path.join(target, where)
                os.makedirs(os.path.dirname(place), exist_ok=True)
                with open(place, "wb") as file:
                    shutil.copyfileobj(archive.extractfile(member), file)
        return os.path.join(target, name)
    return sys.exit(f"deps: no {name}.crate with the checksum of Cargo.lock in {home}/registry")


def hunks(patch):
    """(file, old text, new text) of each hunk of a unified diff."""
    file, body = None, None
    found = []
    for line in patch.splitlines(keepends=True):
        if line.startswith("--- a/"):
            file, body = line[6:].strip(), None
        elif line.startswith("@@ "):
            body = [file, "", ""]
            found.append(body)
        elif body and line[0] in " -+":
            body[1] += line[1:] if line[0] in " -" else ""
            body[2] += line[1:] if line[0] in " +" else ""
    return found


def apply(patch_path, source):
    with open(patch_path, encoding="utf-8") as file:
        wanted = hunks(file.read())
    if not wanted:
        sys.exit(f"deps: {patch_path} changes nothing")
    for name, old, new in wanted:
        path = os.path.join(source, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if text.count(old) != 1:
            sys.exit(f"deps: {patch_path} does not apply to {name} (found {text.count(old)} times):"
                     " see deps/README.md")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))


def patched_copy(deps, home, target):
    """Copies what cargo needs of deps/ into `target`, with the patched crates beside it."""
    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(target)
    shutil.copytree(os.path.join(deps, "src"), os.path.join(target, "src"))
    with open(os.path.join(deps, "Cargo.lock"), encoding="utf-8") as file:
        lock = file.read()
    with open(os.path.join(deps, "Cargo.toml"), encoding="utf-8") as file:
        manifest = file.read() + "\n[patch.crates-io]\n"
    for crate, patch in PATCHES.items():
        version, checksum = locked(lock, crate)
        source = unpack(home, f"{crate}-{version}", checksum, os.path.join(target, "crates"))
        apply(os.path.join(deps, "patches", patch), source)
        manifest += f'{crate} = {{ path = "crates/{crate}-{version}" }}\n'
        # A crate at a path has neither source nor checksum in a lock file.
        lock = re.sub(rf'^(name = "{crate}"\nversion = ".*"\n)source = .*\nchecksum = .*\n', r"\1",
                      lock, flags=re.M)
    for name, text in (("Cargo.toml", manifest), ("Cargo.lock", lock)):
        with open(os.path.join(target, name), "w", encoding="utf-8") as file:
            file.write(text)
    return target
