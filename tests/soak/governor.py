"""Holds a soak to its share of a processor: clients that want much of it wait their turn."""

import os
import resource
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")
AHEAD_SECONDS = 2  # of the processor that may be used at once, after a rest


def processor_seconds(pid):
    """What a process has used; 0: it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / TICK


class Governor:
    """`pids()` names the processes that count, besides this one and those that it has reaped."""

    def __init__(self, percent, pids):
        self.share = percent / 100
        self.pids = pids
        self.lock = threading.Lock()
        self.start = self.since = time.monotonic()
        self.first = self.last = self.used()
        self.credit = AHEAD_SECONDS

    def used(self):
        """The processor time of all, in seconds. A child that is reaped counts as ended."""
        own = sum(u.ru_utime + u.ru_stime for u in map(
            resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
        return own + sum(map(processor_seconds, self.pids()))

    def may_go(self):
        """Whether what was used so far is within the share."""
        with self.lock:
            now, used = time.monotonic(), self.used()
            self.credit = min(self.credit + (now - self.since) * self.share, AHEAD_SECONDS)
            # What a process had used leaves the sum when it ends, until it is reaped.
            self.credit -= max(0, used - self.last)
            self.since, self.last = now, used
            return self.credit > 0

    def wait(self, over):
        """Until there is something left of the share, or the soak is over."""
        while not self.may_go() and not over.wait(0.2):
            pass

    def percent(self):
        """Of one processor, on average so far."""
        return 100 * (self.used() - self.first) / max(0.001, time.monotonic() - self.start)
