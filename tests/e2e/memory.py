"""Processes from outside: whose child one is, and what its memory holds."""

import itertools
import os
import re
import struct

PAGE = os.sysconf("SC_PAGE_SIZE")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        return [int(word) for word in file.read().split()]


def name_of(pid):
    with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
        return file.read().strip()


def parent_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return int(file.read().rsplit(")", 1)[1].split()[1])


def named(pid, name):
    """The children of that name."""
    return [child for child in children(pid) if name_of(child) == name]


def nursery_of(supervisor):
    found = named(supervisor, "river-nursery")
    assert len(found) == 1, found
    return found[0]


def mappings(pid):
    """(start, end, offset in the file, whether it is a memory file) of what may be read."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        for line in file:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) r... ([0-9a-f]+) \S+ \d+ *(.*)$", line)
            if match and not match[4].startswith("[v"):
                yield (int(match[1], 16), int(match[2], 16), int(match[3], 16),
                       match[4].startswith("/memfd:"))


def resident(pid, start, end):
    """Stretches of pages that are in memory or in swap: looking at others would make them."""
    first = start // PAGE
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as file:
        file.seek(first * 8)
        data = b""
        while len(data) < (end - start) // PAGE * 8:
            more = file.read((end - start) // PAGE * 8 - len(data))
            if not more:
                break
            data += more
    pages = [word[0] >> 62 != 0 for word in struct.iter_unpack("<Q", data)]
    at = 0
    for there, group in itertools.groupby(pages):
        count = len(list(group))
        if there:
            yield start + at * PAGE, start + (at + count) * PAGE
        at += count


def stretches(pid):
    """The bytes of all that the process could read, without making a page."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, offset, shared in mappings(pid):
            if shared:
                with open(f"/proc/{pid}/map_files/{start:x}-{end:x}", "rb") as file:
                    yield from data_of(file.fileno(), offset, offset + end - start)
                continue
            for low, high in resident(pid, start, end):
                try:
                    yield os.pread(memory.fileno(), high - low, low)
                except OSError:
                    pass


def data_of(fd, start, end):
    """What a sparse file holds between two places."""
    while start < end:
        try:
            low = os.lseek(fd, start, os.SEEK_DATA)
        except OSError:  # only a hole is left
            return
        start = min(os.lseek(fd, low, os.SEEK_HOLE), end)
        if low < start:
            yield os.pread(fd, start - low, low)


def holds(pid, texts):
    """Those of the texts that are in the memory of the process."""
    return {text for data in stretches(pid) for text in texts if text in data}


def family(pid):
    """A process and all below it."""
    found = [pid]
    for child in children(pid) if os.path.exists(f"/proc/{pid}") else []:
        found += family(child)
    return found
