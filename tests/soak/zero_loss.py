#!/usr/bin/env python3
"""The proof that reloads and upgrades lose nothing: many kinds of load at once go through a River
while its configuration changes and its program is replaced.

    tests/soak/zero_loss.py [--requests N] [--reloads N] [--upgrades N] [--rate N]

--rate is requests a second (0: as many as go through; then latencies are those of a machine that
has nothing left). The first tenth of the requests is a start and the phase "before"; then the
reloads and upgrades are spread evenly ("during"); the last tenth is "after". After each reload
its effect must be there at once. It passes when no answer was lost, cut, wrong or late, no
request met a connection's end, every reload and upgrade succeeded, and p99 during them is at most
1.5 times p99 before. With --reloads 0 --upgrades 0 it shows that the load itself is at peace.
"""

import argparse
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
import harness  # pylint: disable=wrong-import-position
from certificates import Authority  # pylint: disable=wrong-import-position

P99_FACTOR_MAX = 1.5
PHASE_COUNT_MIN = 1000  # fewer answers than that have no p99 worth comparing
P99_KINDS = ("keepalive", "fresh", "h2")
COMMAND_SECONDS = 120
STUCK_SECONDS = 60
VARIANT = os.environ.get("RIVER_VARIANT", "release")
BUILD = os.environ.get("RIVER_BUILD", os.path.join(ROOT, "build"))
LOAD = os.path.join(BUILD, VARIANT, "tests", "soak", "soak_load")


class Load:
    """The load generator with its origin, and what it says."""

    def __init__(self, *options):
        self.process = subprocess.Popen([LOAD, *options], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, bufsize=1)
        self.origin = "127.0.0.1:" + self.process.stdout.readline().split()[1]
        self.requests = self.failures = 0
        self.report = None
        self.moved = time.monotonic()
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                self.report = json.loads(line)
                continue
            requests, self.failures = map(int, line.split()[1:])
            if requests > self.requests:
                self.moved = time.monotonic()
            self.requests = requests

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait_for(self, requests):
        """Until so many requests are done."""
        while self.requests < requests:
            if self.process.poll() is not None:
                raise AssertionError("the load has ended too early")
            if time.monotonic() - self.moved > STUCK_SECONDS:
                raise AssertionError(f"no request was answered for {STUCK_SECONDS} s")
            time.sleep(0.005)

    def stop(self):
        """The report."""
        if self.process.poll() is None:
            self.say("stop")
        self.process.wait(60)
        self.thread.join(10)
        if self.process.returncode != 0 or self.report is None:
            raise AssertionError("the load has no report")
        return self.report

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.thread.join(10)
        self.process.stdin.close()
        self.process.stdout.close()


class Configuration:
    """River's configuration, which each step changes in one respect."""

    def __init__(self, directory, origin, certificates):
        self.origin = origin
        self.front, self.tls, self.extra = harness.Port(), harness.Port(), harness.Port()
        self.authority = Authority(directory, "ca")
        # Made before the run: that takes processor time from everybody.
        self.pairs = [self.authority.issue(f"site{i}", names=["soak.example"])
                      for i in range(certificates)]
        self.place = os.path.join(directory, "site")  # of the certificate and its key
        self.header = 0
        self.tokens = 10000000
        self.has_extra = False
        self.renew()

    def renew(self):
        """A new certificate at the old place."""
        pair = self.pairs.pop()
        for kind in ("chain", "key"):
            os.replace(getattr(pair, kind), f"{self.place}.{kind}")

    def text(self):
        extra = ("" if not self.has_extra else
                 f'extra {{ listeners {{ "{self.extra}"; }}\nrespond body="extra\\n"; }}\n')
        return f"""
system {{
    drain-timeout-ms 600000
}}
services {{
    front {{
        listeners {{
            "{self.front}" h2c=true
            "{self.tls}" cert-path="{self.place}.chain" key-path="{self.place}.key"
        }}
        connectors {{ "{self.origin}"; }}
        rate-limiting {{
            rule kind="source-ip" max-buckets=4000 tokens-per-bucket={self.tokens} \\
                refill-qty=1000000 refill-rate-ms=1
        }}
        path-control {{
            response-filters {{ filter kind="upsert-header" key="x-soak" value="{self.header}"; }}
        }}
    }}
    {extra}
}}
"""

    # Each step changes something, and returns a check that sees it.

    def step_header(self):
        self.header += 1
        return lambda: self.ask(self.front)[1] == str(self.header)

    def step_service(self):
        self.has_extra = not self.has_extra
        return lambda: self.ask(self.extra)[0] == (200 if self.has_extra else None)

    def step_certificate(self):
        before = self.serial()
        self.renew()
        return lambda: self.serial() != before

    def step_limiter(self):
        self.tokens -= 1
        return lambda: self.ask(self.front)[0] == 200

    STEPS = (step_service, step_header, step_service, step_certificate, step_limiter)

    def step(self, number):
        return self.STEPS[number % len(self.STEPS)](self)

    def ask(self, port):
        """(status, x-soak) of an answer; (None, None): nobody listens."""
        connection = http.client.HTTPConnection(*port.address, timeout=harness.SECONDS)
        try:
            connection.request("GET", "/p/1/100")
            response = connection.getresponse()
            response.read()
            return response.status, response.getheader("x-soak")
        except ConnectionRefusedError:
            return None, None
        finally:
            connection.close()

    def connect_tls(self):
        context = ssl.create_default_context(cafile=self.authority.pem)
        context.check_hostname = False  # it is issued for a name, and asked for by address
        connection = http.client.HTTPSConnection(*self.tls.address, timeout=harness.SECONDS,
                                                 context=context)
        connection.connect()
        return connection

    def serial(self):
        connection = self.connect_tls()
        try:
            return connection.sock.getpeercert()["serialNumber"]
        finally:
            connection.close()

    def close(self):
        for port in (self.front, self.tls, self.extra):
            port.close()


class TlsClient:
    """New connections with TLS, one after the other: handshake, a request, the end."""

    def __init__(self, configuration):
        self.configuration = configuration
        self.done = 0
        self.failures = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.over.wait(0.02):
            try:
                connection = self.configuration.connect_tls()
                try:
                    connection.request("GET", "/p/1/100", headers={"Connection": "close"})
                    response = connection.getresponse()
                    if response.status != 200 or len(response.read()) != 100:
                        self.failures.append(f"status {response.status}")
                    self.done += 1
                finally:
                    connection.close()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))

    def stop(self):
        self.over.set()
        self.thread.join(harness.SECONDS)


class Soak:
    """A River, the load that goes through it, and what was done to it."""

    def __init__(self, *options):
        self.load = Load(*options)
        self.problems = []
        self.river = self.configuration = self.tls = None

    def start(self, directory, reloads=0):
        self.configuration = Configuration(directory, self.load.origin,
                                           1 + reloads // len(Configuration.STEPS) + 1)
        self.river = harness.River("", text=self.configuration.text(), threads=0)
        self.tls = TlsClient(self.configuration)
        self.load.say(f"target {self.configuration.front.number}")

    def command(self, *words):
        done = subprocess.run([harness.BINARY, *words, "--control-socket", self.river.control],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=COMMAND_SECONDS, check=False)
        if done.returncode != 0:
            self.problems.append(f"river {' '.join(words)}: {done.stderr.strip()}")
        return done.returncode == 0

    def reload(self, number):
        check = self.configuration.step(number)
        with open(self.river.config + ".new", "w", encoding="utf-8") as file:
            file.write(self.configuration.text())
        os.replace(self.river.config + ".new", self.river.config)
        if self.command("reload", "--wait") and not check():
            step = Configuration.STEPS[number % len(Configuration.STEPS)].__name__
            self.problems.append(f"reload {number} ({step}) had no effect")

    def supervisor(self):
        try:
            return self.river.status()["supervisor_pid"]
        except (OSError, ValueError):
            return None  # the control socket passes from one to the other

    def upgrade(self, number):
        before = harness.wait_until(self.supervisor, "a River answers")
        if (self.command("upgrade") and
                harness.wait_until(self.supervisor, "the new River answers") == before):
            self.problems.append(f"upgrade {number}: the old River answers")

    def stop(self):
        """The load's report."""
        self.tls.stop()  # first: the origin ends with the load
        report = self.load.stop()
        self.problems += [f"TLS: {f}" for f in self.tls.failures[:10]]
        return report

    def end_latest(self):
        """The River that answers now may be another one than we started."""
        try:
            pid = self.river.status()["supervisor_pid"]
        except (OSError, ValueError):
            return
        if pid != self.river.pid:
            os.kill(pid, signal.SIGINT)
            harness.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the last River ends")

    def close(self):
        self.load.close()
        if self.tls:
            self.tls.stop()
        if self.river:
            self.end_latest()
            self.river.close()
        if self.configuration:
            self.configuration.close()


def schedule(reloads, upgrades):
    """The names of all events, each kind spread evenly."""
    events = [((i + 0.5) / reloads, "reload", i) for i in range(reloads)]
    events += [((i + 0.5) / upgrades, "upgrade", i) for i in range(upgrades)]
    return sorted(events)


def failed_of(kind):
    return sum(kind["failed"].values())


def judge(report, problems):
    """What was lost and what was slow in the run, as sentences."""
    lost = list(problems)
    slow = []
    for name, kind in report["kinds"].items():
        if failed_of(kind):
            causes = ", ".join(f"{n} {c}" for c, n in kind["failed"].items() if n)
            lost.append(f"{name}: {failed_of(kind)} failed ({causes})")
        if kind["raced"]:
            lost.append(f"{name}: {kind['raced']} requests met the end of their connection")
        phases = kind["phases"]
        before, during = phases.get("before"), phases.get("during")
        if (name in P99_KINDS and before and during and
                min(before["count"], during["count"]) >= PHASE_COUNT_MIN and
                during["p99_us"] > P99_FACTOR_MAX * before["p99_us"]):
            slow.append(f"{name}: p99 is {during['p99_us']} us during, "
                        f"{before['p99_us']} us before")
    return lost, slow


def show(report, tls_done):
    phases = [p for p in next(iter(report["kinds"].values()))["phases"] if p != "start"]
    print(f"{'':10}{'done':>10}{'failed':>8}{'raced':>7}{'closed':>8}" +
          "".join(f"{p + ' p50/p99/p99.9 ms':>32}" for p in phases))
    for name, kind in report["kinds"].items():
        cells = []
        for phase in phases:
            times = kind["phases"][phase]
            cells.append(" / ".join(f"{times[q] / 1000:.2f}" for q in
                                    ("p50_us", "p99_us", "p999_us")))
        print(f"{name:10}{kind['done']:>10}{failed_of(kind):>8}{kind['raced']:>7}"
              f"{kind['idle_closed']:>8}" + "".join(f"{c:>32}" for c in cells))
    print(f"{'tls':10}{tls_done:>10}")
    print(f"{report['requests']} requests in {report['seconds']:.1f} s")
    for sample in report["samples"][:20]:
        print("  ", sample)


def run(soak, directory, requests, reloads, upgrades):
    soak.start(directory, reloads)
    edge = requests // 10
    soak.load.wait_for(edge // 5)  # connections are made, caches filled: no measure of anything
    soak.load.say("phase before")
    soak.load.wait_for(edge)
    soak.load.say("phase during")
    for share, what, number in schedule(reloads, upgrades):
        soak.load.wait_for(int(edge + share * (requests - 2 * edge)))
        getattr(soak, what)(number)
    soak.load.wait_for(requests - edge)
    soak.load.say("phase after")
    soak.load.wait_for(requests)
    return soak.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("requests", 1000000), ("reloads", 100), ("upgrades", 20),
                          ("rate", 10000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    soak = Soak("--rate", str(options.rate))
    directory = harness.tempfile.mkdtemp(prefix="river-soak-")
    try:
        report = run(soak, directory, options.requests, options.reloads, options.upgrades)
        show(report, soak.tls.done)
        lost, slow = judge(report, soak.problems)
    finally:
        soak.close()
        harness.shutil.rmtree(directory, ignore_errors=True)
    for sentence in lost + slow:
        print("WRONG:", sentence)
    print(f"{options.reloads} reloads, {options.upgrades} upgrades: "
          f"{'something' if lost else 'nothing'} was lost"
          f"{', but it was slow' if slow else ''}")
    sys.exit(1 if lost or slow else 0)


if __name__ == "__main__":
    main()
