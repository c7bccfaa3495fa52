#!/usr/bin/env python3
"""The soak under trouble: real clients ask through River for --minutes, while origins are stopped,
killed and started again. At the end nothing may hang, nothing may be left over, and each origin
must serve.

    tests/soak/trouble.py [--minutes N] [--seed N] [--bytes N] [--percent N] [--only WORD]
                          [--link 25ms,0.1%,100mbit]

There are two origins, each an nginx: `steady`, to which nothing happens, and `troubled`, which is
stopped (SIGSTOP), killed and started, as the seed says. With --link there is a third, `far`, at
the other end of a link that is that long, loses as many packets and carries as much
(tests/e2e/link.py); clients come from there as well. Large files over HTTP/1 and HTTP/2 at full
speed and throttled, `git clone` and `git push`, gRPC streams that are quiet, WebSockets, wrk,
h2load, and readers that are slow: what goes to the steady origin must succeed; what goes to the
troubled one may fail, but must end. Large files at full speed come one after the other from each
origin, and what takes much of the processor waits until all of this together has taken less than
--percent of one. It prints what each kind of client did, and last "N passed, N failed".
"""

import argparse
import base64
import contextlib
import http.server
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
import harness  # pylint: disable=wrong-import-position
from certificates import Authority  # pylint: disable=wrong-import-position
from link import FAR, NEAR, Link, enter  # pylint: disable=wrong-import-position
from governor import Governor, processor_seconds  # pylint: disable=wrong-import-position
try:
    import grpc
except ImportError:
    sys.path.append("/usr/lib/python3/dist-packages")
    try:
        import grpc
    except ImportError:
        grpc = None

BACKEND = "/usr/lib/git-core/git-http-backend"
STUCK_SECONDS = 240  # no client may take longer than this beyond what its transfer needs
REST_SECONDS = 100   # until River must have closed what is idle (keep-alive is 75 seconds)
REST_BYTES_MAX = 8 << 20  # blocks that its threads keep for the next requests
IDLE_CPU_PERCENT_MAX = 5
MESSAGE_SECONDS = 130  # of quiet between two messages of a gRPC stream: more than any time limit
DEFAULTS = {"seed": 1, "bytes": 2 << 30, "percent": 60, "only": "", "link": ""}


# ---- origins -------------------------------------------------------------------------------------

class GitHandler(http.server.BaseHTTPRequestHandler):
    """Git's smart protocol, by its own CGI program."""
    protocol_version = "HTTP/1.1"

    def answer(self):
        path, _, query = self.path.partition("?")
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                body += self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    break
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        done = subprocess.run([BACKEND], input=body, capture_output=True, check=False, env={
            **os.environ, "GIT_PROJECT_ROOT": self.server.root, "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
            "REMOTE_USER": "soak", "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "CONTENT_LENGTH": str(len(body))})
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
        status = [value for name, value in fields if name == "Status"]
        self.send_response(int(status[0].split()[0]) if status else 200)
        for name, value in fields:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest)

    do_GET = do_POST = answer

    def log_message(self, *_arguments):
        pass


class GitOrigin:
    """A repository that can be cloned and pushed to."""

    def __init__(self, directory):
        self.bare = os.path.join(directory, "soak.git")
        git(directory, "init", "-q", "--bare", self.bare)
        git(self.bare, "config", "http.receivepack", "true")
        git(directory, "clone", "-q", self.bare, "first")
        work = os.path.join(directory, "first")
        for i in range(40):
            with open(os.path.join(work, f"file-{i}"), "wb") as file:
                file.write(os.urandom(50000))
        git(work, "add", "-A")
        git(work, "commit", "-qm", "first")
        git(work, "push", "-q", "origin", "HEAD:main")
        git(self.bare, "symbolic-ref", "HEAD", "refs/heads/main")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), GitHandler)
        self.server.root = directory
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.at = "127.0.0.1:%d" % self.server.server_address[1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def git(directory, *words, seconds=STUCK_SECONDS):
    return subprocess.run(["git", "-c", "user.name=soak", "-c", "user.email=soak@localhost",
                           "-c", "http.sslVerify=false", "-C", directory, *words], check=True,
                          capture_output=True, timeout=seconds)


def quiet_stream(stream, _context):
    """A conversation in which both sides are mostly quiet."""
    for data in stream:
        yield data[::-1]


class GrpcOrigin:
    """Both ways, one message at a time."""

    def __init__(self):
        import concurrent.futures  # pylint: disable=import-outside-toplevel
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(16))
        both = grpc.stream_stream_rpc_method_handler(quiet_stream)
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("t.Test", {"Both": both}),))
        self.at = "127.0.0.1:%d" % self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def close(self):
        self.server.stop(0).wait(10)


def echo(peer):
    """A WebSocket's origin as far as a proxy can tell: what comes goes back."""
    peer.request()
    peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
              "Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
    while True:
        data = peer.socket.recv(65536)
        if not data:
            return
        peer.socket.sendall(data)


class Nginx(harness.Nginx):
    """One that can be killed, and started again at its port."""

    def __init__(self, size, more=""):
        super().__init__("keepalive_timeout 30s;", more)
        with open(os.path.join(self.directory, "root", "large"), "wb") as file:
            file.truncate(size)
        self.write("small", b"small\n" * 100)
        self.command = self.process.args

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    def close(self):
        self.process.send_signal(signal.SIGCONT)
        super().close()


# ---- clients -------------------------------------------------------------------------------------

class Kind:
    """One kind of client, which asks again and again; `strict`: it may not fail. `turn`: a lock
    that it holds meanwhile, None: it takes so little that it need not wait."""

    def __init__(self, soak, name, work, strict, turn=None):
        self.soak, self.name, self.work, self.strict = soak, name, work, strict
        self.turn = turn
        self.done = self.failed = 0
        self.longest = 0.0
        self.since = time.monotonic()
        self.samples = []
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.soak.over.is_set():
            with self.turn or contextlib.nullcontext():
                if self.turn:
                    self.soak.governor.wait(self.soak.over)
                if not self.soak.over.is_set():
                    self.once()
            time.sleep(0.02)  # a lock goes to whoever asks first, also to who had it last

    def once(self):
        """One try."""
        self.since = time.monotonic()
        try:
            self.work()
            self.done += 1
        except Exception as error:  # pylint: disable=broad-except
            self.failed += 1
            if len(self.samples) < 3:
                self.samples.append(f"{type(error).__name__}: {str(error)[:200]}")
            time.sleep(0.2)
        self.longest = max(self.longest, time.monotonic() - self.since)

    def problems(self):
        if self.thread.is_alive():
            yield f"{self.name}: hangs since {time.monotonic() - self.since:.0f} s"
        if self.strict and self.failed:
            yield f"{self.name}: {self.failed} failed: {self.samples}"
        if self.strict and self.done == 0:
            yield f"{self.name}: did nothing"


def run(*words, seconds=STUCK_SECONDS):
    done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode != 0:
        raise OSError(f"{words[0]}: {done.returncode}: {done.stderr[-200:]}")
    return done.stdout


class Soak:
    """River, its origins and its clients."""

    def __init__(self, options):
        self.options = options
        self.over = threading.Event()
        self.counting = threading.Lock()
        self.dice = random.Random(options.seed)
        self.directory = tempfile.mkdtemp(prefix="river-trouble-")
        self.link = Link(options.link, options.seed) if options.link else None
        self.far = self.start_far() if self.link else None
        self.steady = Nginx(options.bytes)
        self.troubled = Nginx(options.bytes)
        self.git = GitOrigin(self.directory)
        self.grpc = GrpcOrigin() if grpc else None
        self.echo = harness.Origin(echo)
        self.pushes = 0
        self.events = []
        self.kinds = []
        self.bytes = {}
        self.start_river()
        self.files = self.open_files()
        self.governor = Governor(options.percent, self.processes)

    def start_far(self):
        """This process is near from now on, where River and the other origins are."""
        with self.link.within("far"):
            self.far_port = harness.Port(FAR)
            far = Nginx(self.options.far_bytes, f"server {{ listen {self.far_port}; root root; }}")
        enter(self.link.sides["near"])
        return far

    def processes(self):
        """Those that live as long as the soak, or are killed by it."""
        return [self.river.pid, self.worker_pid] + [
            thing.process.pid for thing in (self.steady, self.troubled, self.far, self.link)
            if thing]

    def start_river(self):
        authority = Authority(self.directory, "ca")
        pair = authority.issue("server", ["localhost"])
        self.ports = {name: harness.Port() for name in
                      ("steady", "troubled", "git", "grpc", "echo", "steady-tls", "troubled-tls")}
        if self.far:
            self.ports.update({name: harness.Port(NEAR) for name in ("far", "far-tls")})
        tls = f'cert-path="{pair.chain}" key-path="{pair.key}"'
        origins = {"steady": self.steady, "troubled": self.troubled, "git": self.git.at,
                   "echo": self.echo, **({"far": self.far_port} if self.far else {})}
        services = ""
        for name, origin in origins.items():
            listeners = [f"{self.ports[name]} h2c=true"]
            if name + "-tls" in self.ports:
                listeners.append(f"{self.ports[name + '-tls']} {tls}")
            services += harness.proxy(listeners, str(origin), name=name)
        if self.grpc:
            services += harness.proxy(f"{self.ports['grpc']} h2c=true",
                                      f"{self.grpc.at} proto=\"h2-only\"", name="grpc")
        self.river = harness.River(services)
        self.worker_pid = self.river.status()["worker_pid"]

    # Each of these is one try of one client.

    def download(self, name, *words, rate=None):
        share = self.options.far_bytes if name.startswith("far") else self.options.bytes
        if rate:
            share = min(share, rate * 15)
        out = run("curl", "-sSk", "-o", "/dev/null", "-w", "%{size_download} %{http_code}", *words,
                  *(["--limit-rate", str(rate), "-r", f"0-{share - 1}"] if rate else []),
                  self.url(name) + "/large", seconds=STUCK_SECONDS + share / 2e6)
        if int(out.split()[0]) != share or out.split()[1] not in ("200", "206"):
            raise OSError("curl got " + out)
        with self.counting:
            self.bytes[name] = self.bytes.get(name, 0) + share

    def url(self, name):
        return ("https://" if name.endswith("-tls") else "http://") + str(self.ports[name])

    def from_afar(self, work):
        """One try of a client at the other end of the link."""
        with self.link.within("far"):
            work()

    def clone(self):
        with tempfile.TemporaryDirectory(dir=self.directory) as folder:
            git(folder, "clone", "-q", self.url("git") + "/soak.git", "copy")
            copy = os.path.join(folder, "copy")
            with open(os.path.join(copy, "pushed"), "wb") as file:
                file.write(os.urandom(300000))
            self.pushes += 1
            git(copy, "add", "-A")
            git(copy, "commit", "-qm", "another")
            git(copy, "-c", "http.postBuffer=100000", "push", "-q", "origin",
                f"HEAD:refs/heads/push-{self.pushes}")

    def quiet(self):
        def messages():
            for i in range(3):
                yield b"%d" % i
                if self.over.wait(MESSAGE_SECONDS):
                    return
        with grpc.insecure_channel(str(self.ports["grpc"])) as channel:
            call = channel.stream_stream("/t.Test/Both")(
                messages(), timeout=STUCK_SECONDS + 3 * MESSAGE_SECONDS)
            got = list(call)
        if len(got) != 3 and not self.over.is_set():
            raise OSError(f"{len(got)} of 3 messages")

    def websocket(self):
        key = base64.b64encode(os.urandom(16)).decode()
        with socket.create_connection(self.ports["echo"].address, timeout=30) as connection:
            connection.sendall(("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                f"Sec-WebSocket-Key: {key}\r\n\r\n").encode())
            head = connection.recv(65536)
            if b" 101 " not in head:
                raise OSError(head[:80])
            for _ in range(5):
                sent = os.urandom(self.dice.choice((1, 100, 30000)))
                connection.sendall(sent)
                got = b""
                while len(got) < len(sent):
                    more = connection.recv(65536)
                    if not more:
                        raise OSError("the tunnel ended")
                    got += more
                if got != sent:
                    raise OSError("other bytes through the tunnel")
                if self.over.wait(1):
                    return

    def wrk(self, name):
        out = run("wrk", "-t1", "-c8", "-d5s", "--timeout", "20s", self.url(name) + "/small")
        bad = [line for line in out.split("\n") if "Socket errors" in line or "Non-2xx" in line]
        if bad:
            raise OSError("wrk: " + "; ".join(bad))

    def h2load(self, name):
        out = run("h2load", "-n", "2000", "-c", "4", "-m", "20", "-T", "60", self.url(name) +
                  "/small")
        if "2000 succeeded" not in out:
            raise OSError("h2load: " + out[-300:])

    def slow_reader(self, name, seconds=15):
        with socket.create_connection(self.ports[name].address, timeout=60) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            end = time.monotonic() + seconds
            while time.monotonic() < end and not self.over.is_set():
                if not connection.recv(400):
                    raise OSError("cut")
                time.sleep(0.2)

    def small(self, name, *words):
        for _ in range(20):
            code = run("curl", "-sSk", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "90",
                       *words, self.url(name) + "/small")
            if code != "200":
                raise OSError("status " + code)

    def add_far(self):
        """Clients on either side of the link, and an origin that is at its other end."""
        turn = threading.Lock()
        kinds = [("curl h1", lambda: self.download("far")),
                 ("curl h2", lambda: self.download("far", "--http2-prior-knowledge")),
                 ("curl h1 TLS", lambda: self.download("far-tls", "--http1.1")),
                 ("curl h2 TLS", lambda: self.download("far-tls", "--http2")),
                 ("slow reader", lambda: self.slow_reader("far")),
                 ("small h2", lambda: self.small("far-tls", "--http2"))]
        for what, work in kinds:
            self.kinds.append(Kind(self, f"far: {what}", work, True, turn if "curl" in what else
                                   None))
            self.kinds.append(Kind(self, f"far from afar: {what}",
                                   lambda work=work: self.from_afar(work), True,
                                   turn if "curl" in what else None))

    def start(self):
        for name, strict in (("steady", True), ("troubled", False)):
            tls = name + "-tls"
            large, many = threading.Lock(), threading.Lock()
            h2c = "--http2-prior-knowledge"
            for what, turn, work in (
                    ("curl h1", large, lambda n=name: self.download(n)),
                    ("curl h1 TLS", large, lambda n=tls: self.download(n, "--http1.1")),
                    ("curl h2", large, lambda n=name: self.download(n, h2c)),
                    ("curl h2 TLS", large, lambda n=tls: self.download(n, "--http2")),
                    ("curl h1 throttled", None, lambda n=name: self.download(n, rate=200000)),
                    ("curl h1 TLS throttled", None,
                     lambda n=tls: self.download(n, "--http1.1", rate=150000)),
                    ("curl h2 throttled", None, lambda n=name: self.download(n, h2c, rate=250000)),
                    ("curl h2 TLS throttled", None,
                     lambda n=tls: self.download(n, "--http2", rate=300000)),
                    ("wrk", many, lambda n=name: self.wrk(n)),
                    ("h2load", many, lambda n=tls: self.h2load(n)),
                    ("slow reader", None, lambda n=name: self.slow_reader(n)),
                    ("small h2", threading.Lock(), lambda n=tls: self.small(n, "--http2"))):
                self.kinds.append(Kind(self, f"{name}: {what}", work, strict, turn))
        if self.link:
            self.add_far()
        self.kinds.append(Kind(self, "git", self.clone, True, threading.Lock()))
        self.kinds.append(Kind(self, "websocket", self.websocket, True))
        if self.grpc:
            self.kinds.append(Kind(self, "grpc", self.quiet, True))
        if self.options.only:
            self.kinds = [kind for kind in self.kinds if self.options.only in kind.name]
        for kind in self.kinds:
            kind.thread.start()

    # ---- trouble, and the end

    def trouble(self, until):
        """Stops, kills and starts the troubled origin until that time."""
        while time.monotonic() < until:
            what = self.dice.choice(("stop", "kill", "kill", "peace"))
            seconds = min(self.dice.uniform(0.2, 12), max(0, until - time.monotonic()))
            self.events.append(what)
            if what == "stop":
                self.troubled.process.send_signal(signal.SIGSTOP)
                time.sleep(seconds)
                self.troubled.process.send_signal(signal.SIGCONT)
            elif what == "kill":
                self.troubled.kill()
                time.sleep(seconds)
                self.troubled.start()
            time.sleep(min(self.dice.uniform(1, 8), max(0, until - time.monotonic())))

    def open_files(self):
        return len(os.listdir(f"/proc/{self.worker_pid}/fd"))

    def rests(self):
        """What River still holds, in words; empty: nothing."""
        worker = self.river.status()["worker"]
        held = [f"{worker[what]} {what}" for what in ("connections", "active") if worker[what]]
        held += [f"{o['name']}: {o[what]} {what}" for o in worker["upstreams"]
                 for what in ("active", "idle", "connecting", "waiting") if o[what]]
        if worker["memory"]["used_bytes"] > REST_BYTES_MAX:
            held.append(f"{worker['memory']['used_bytes']} bytes")
        held += [f"{n} open files more than at the start" for n in
                 (self.open_files() - self.files,) if n > 0]
        return ", ".join(held)

    def end(self):
        problems = []
        self.percent = self.governor.percent()
        self.over.set()
        deadline = time.monotonic() + STUCK_SECONDS + self.options.bytes / 2e6
        for kind in self.kinds:
            kind.thread.join(max(0, deadline - time.monotonic()))
            problems += list(kind.problems())
        for name in ("steady", "troubled") + (("far",) if self.far else ()):
            for words in (("--http1.1",), ("--http2",)):
                try:
                    self.small(name + "-tls", *words)
                except (OSError, subprocess.SubprocessError) as error:
                    problems.append(f"{name} does not serve with {words[0]}: {error}")
        end = time.monotonic() + REST_SECONDS
        while self.rests() and time.monotonic() < end:
            time.sleep(1)
        if self.rests():
            problems.append("left over: " + self.rests())
        before = processor_seconds(self.worker_pid)
        time.sleep(4)
        percent = 100 * (processor_seconds(self.worker_pid) - before) / 4
        if percent > IDLE_CPU_PERCENT_MAX:
            problems.append(f"River is idle and takes {percent:.0f} % of a processor")
        return problems

    def close(self):
        self.river.close()
        for thing in (self.steady, self.troubled, self.far, self.git, self.grpc, self.echo):
            if thing:
                thing.close()
        if self.link:
            print("  the link:", json.dumps(self.link.close()))
        shutil.rmtree(self.directory, ignore_errors=True)


def soak(minutes, **more):
    """Runs it; returns the problems and the kinds of clients with what they did."""
    options = argparse.Namespace(far_bytes=20 << 20, **{**DEFAULTS, "minutes": minutes, **more})
    it = Soak(options)
    try:
        it.start()
        it.trouble(time.monotonic() + minutes * 60)
        problems = it.end()
        for kind in it.kinds:
            print(f"  {kind.name:28} {kind.done:6} done, {kind.failed:5} failed, longest "
                  f"{kind.longest:6.1f} s{'' if kind.strict else '  (may fail)'}", flush=True)
        faults = it.river.status()["worker"]["faults"]
        print("  trouble:", {w: it.events.count(w) for w in sorted(set(it.events))})
        print("  bytes of large files:", json.dumps(it.bytes))
        print(f"  at the end {it.open_files()} open files (at the start {it.files}), "
              f"{it.river.status()['worker']['memory']['used_bytes']} bytes of memory in use")
        print(f"  together {it.percent:.0f} % of a processor on average; peak of River's memory "
              f"{it.river.status()['worker']['memory']['peak_bytes']} bytes")
        print("  River's reasons:", json.dumps(faults), flush=True)
        return problems, it.kinds
    finally:
        it.close()


def main():
    """Parses and runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60)
    for name, default in DEFAULTS.items():
        parser.add_argument("--" + name, type=type(default), default=default)
    problems, kinds = soak(**vars(parser.parse_args()))
    for problem in problems:
        print("  PROBLEM " + problem)
    print(f"{len(kinds) - min(len(problems), len(kinds))} passed, {len(problems)} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
