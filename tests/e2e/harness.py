"""What the end-to-end tests are made of: a River under test, origins, and clients.

Everything listens on loopback at a port that the system chose. Whatever a test starts is registered
for its end at once, and ended by its own pid. Every wait has a deadline.
"""

import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("RIVER_BINARY", os.path.join(ROOT, "build", "river"))
BREAKIN = os.path.join(os.environ.get("RIVER_BUILD", os.path.join(ROOT, "build")),
                       "breakin", "src", "app", "river")  # with hooks: src/app/breakin.h
SECONDS = 15  # that anything at all may take
REPORTS = ("AddressSanitizer", "runtime error:", "LeakSanitizer", "ThreadSanitizer")


def is_sanitized():
    return os.environ.get("RIVER_VARIANT", "release") != "release"


def wait_until(condition, what, seconds=SECONDS):
    """The first true value of `condition`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(0.01)


# ---- ports ---------------------------------------------------------------------------------------

class Port:
    """A port that is ours: a socket stays bound to it without listening, so that no other program
    gets it, while one that sets SO_REUSEADDR (River, nginx) may listen on it."""

    def __init__(self, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.holder = socket.socket(family, socket.SOCK_STREAM)
        self.holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.holder.bind((host, 0))
        self.host = host
        self.number = self.holder.getsockname()[1]

    def __str__(self):
        return f"[{self.host}]:{self.number}" if ":" in self.host else f"{self.host}:{self.number}"

    @property
    def address(self):
        return (self.host, self.number)

    def close(self):
        self.holder.close()


# ---- messages ------------------------------------------------------------------------------------

class Message:
    """A head, as it came: first line, fields in order, and a body where one was read."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.raw = head
        self.first = lines[0]
        self.fields = [tuple(s.strip() for s in line.split(":", 1)) for line in lines[1:] if line]
        self.body = b""
        self.trailers = []

    @property
    def status(self):
        return int(self.first.split(" ")[1])

    @property
    def method(self):
        return self.first.split(" ")[0]

    @property
    def target(self):
        return self.first.split(" ")[1]

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None


class Peer:
    """One side of a connection, read with buffering and deadlines."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(SECONDS)
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def fill(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def until(self, mark):
        """Everything up to and including `mark`."""
        while mark not in self.buffer:
            if not self.fill():
                raise EOFError(f"the end came before {mark!r}; got {self.buffer[:400]!r}")
        end = self.buffer.index(mark) + len(mark)
        taken, self.buffer = self.buffer[:end], self.buffer[end:]
        return taken

    def exactly(self, count):
        while len(self.buffer) < count:
            if not self.fill():
                raise EOFError(f"the end came after {len(self.buffer)} of {count} bytes")
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def rest(self):
        """Everything up to the end of the connection."""
        try:
            while self.fill():
                pass
        except ConnectionResetError:
            pass
        taken, self.buffer = self.buffer, b""
        return taken

    def is_closed(self):
        """Whether the peer has nothing more to say (waits for its end)."""
        return self.rest() == b""

    def head(self):
        return Message(self.until(b"\r\n\r\n")[:-4])

    def chunks(self, message):
        """A chunked body into message.body, its trailer fields into message.trailers."""
        while True:
            size = int(self.until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                break
            message.body += self.exactly(size)
            assert self.exactly(2) == b"\r\n"
        while (line := self.until(b"\r\n")) != b"\r\n":
            name, value = line.decode("latin-1").split(":", 1)
            message.trailers.append((name.strip(), value.strip()))

    def request(self):
        message = self.head()
        if message.get("transfer-encoding"):
            self.chunks(message)
        else:
            message.body = self.exactly(int(message.get("content-length") or 0))
        return message

    def response(self, method="GET"):
        message = self.head()
        if message.status == 101 or (message.status >= 200 and
                                     (method == "HEAD" or message.status in (204, 304))):
            return message
        if message.status < 200:
            return message
        if message.get("transfer-encoding"):
            self.chunks(message)
        elif message.get("content-length") is not None:
            message.body = self.exactly(int(message.get("content-length")))
        else:
            message.body = self.rest()
        return message

    def ask(self, text, method="GET"):
        self.send(text)
        return self.response(method)

    def finish(self):
        """Says that nothing more comes."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()


class SlowPeer(Peer):
    """Reads at `rate` bytes a second."""

    def __init__(self, connection, rate):
        super().__init__(connection)
        self.rate = rate

    def fill(self):
        data = self.socket.recv(16384)
        self.buffer += data
        time.sleep(len(data) / self.rate)
        return bool(data)


def connect(to):
    """To a Port, an (host, port) pair, or the path of a Unix socket."""
    if isinstance(to, str):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(SECONDS)
        try:
            connection.connect(to)
        except OSError:
            connection.close()
            raise
    else:
        address = to.address if isinstance(to, Port) else to
        connection = socket.create_connection(address, SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Peer(connection)


def ask(to, target, *fields, method="GET", **more):
    """The answer to one request on a connection of its own."""
    peer = connect(to)
    try:
        return peer.ask(get(target, *fields, method=method, **more), method)
    finally:
        peer.close()


def get(target="/", *fields, method="GET", host="a.example", version="1.1"):
    """The bytes of a request without a body."""
    lines = [f"{method} {target} HTTP/{version}", f"Host: {host}", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def post(body, *fields, target="/", method="POST"):
    return get(target, f"Content-Length: {len(body)}", *fields, method=method) + body


# ---- origins -------------------------------------------------------------------------------------

class Origin:
    """An origin of which every byte is decided by the test: `script(peer)` runs for each
    connection, in a thread of its own; what it raises fails the test at the end."""

    def __init__(self, script, at="127.0.0.1"):
        self.script = script
        if str(at).startswith("/"):
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listener.bind(at)
            self.name = at
        elif isinstance(at, Port):
            self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(at.address)
            self.name = str(at)
        else:
            family = socket.AF_INET6 if ":" in at else socket.AF_INET
            self.listener = socket.socket(family, socket.SOCK_STREAM)
            self.listener.bind((at, 0))
            port = self.listener.getsockname()[1]
            self.name = f"[{at}]:{port}" if ":" in at else f"{at}:{port}"
        self.listener.listen(512)
        self.peers = []
        self.errors = []
        self.lock = threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def __str__(self):
        return self.name

    @property
    def connections(self):
        return len(self.peers)

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            if connection.family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(connection)
            with self.lock:
                self.peers.append(peer)
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        try:
            self.script(peer)
        except (EOFError, OSError):
            pass  # River closed the connection
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(error)
        finally:
            peer.close()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for peer in self.peers:
            peer.close()


def answer(body=b"ok", *fields, status="200 OK"):
    """The bytes of a response with a Content-Length."""
    if isinstance(body, str):
        body = body.encode("latin-1")
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def always(response, seen=None):
    """A script: answers every request with these bytes; the requests are added to `seen`."""
    def script(peer):
        while True:
            request = peer.request()
            if seen is not None:
                seen.append(request)
            peer.send(response(request) if callable(response) else response)
    return script


class EchoHandler(http.server.BaseHTTPRequestHandler):
    """A client's view of itself: answers with the request as JSON."""
    protocol_version = "HTTP/1.1"

    def reply(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode("latin-1")
        text = json.dumps({"method": self.command, "target": self.path,
                           "fields": self.headers.items(), "body": body}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = reply

    def log_message(self, *_arguments):
        pass


class PythonOrigin:
    """The standard library's HTTP server."""

    def __init__(self, handler=EchoHandler):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __str__(self):
        return "127.0.0.1:%d" % self.server.server_address[1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Nginx:
    """Debian's nginx, with a configuration and directory of its own."""

    def __init__(self, server_lines, more=""):
        self.port = Port()
        self.directory = tempfile.mkdtemp(prefix="river-e2e-")
        os.mkdir(os.path.join(self.directory, "root"))
        temporary = "".join(f"{name}_temp_path tmp-{name};" for name in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        text = f"""
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{ worker_connections 512; }}
http {{
    access_log off; {temporary} {more}
    server {{ listen {self.port}; root {self.directory}/root; {server_lines} }}
}}"""
        with open(os.path.join(self.directory, "nginx.conf"), "w", encoding="utf-8") as file:
            file.write(text)
        program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        self.process = subprocess.Popen(
            [program, "-p", self.directory, "-e", "stderr", "-c", "nginx.conf"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.answers() or self.process.poll() is not None, "nginx starts")

    def __str__(self):
        return str(self.port)

    def answers(self):
        try:
            connect(self.port).close()
            return True
        except OSError:
            return False

    def write(self, name, data):
        with open(os.path.join(self.directory, "root", name), "wb") as file:
            file.write(data)

    def close(self):
        self.process.terminate()
        self.process.wait(SECONDS)
        self.port.close()
        shutil.rmtree(self.directory, ignore_errors=True)


# ---- River ---------------------------------------------------------------------------------------

def proxy(listeners, connectors, more="", name="app", selection=""):
    """A service of the configuration that balances over `connectors`."""
    listeners, connectors = ([x] if not isinstance(x, (list, tuple)) else x
                             for x in (listeners, connectors))
    balance = f'load-balance {{ selection "{selection}"; }}\n' if selection else ""
    return (f"{name} {{\n listeners {{\n" + "".join(f'{quoted(l)}\n' for l in listeners) +
            f"}}\n connectors {{\n{balance}" + "".join(f'{quoted(c)}\n' for c in connectors) +
            f"}}\n{more}\n}}\n")


def quoted(endpoint):
    """An address with, maybe, arguments behind it."""
    address, *arguments = str(endpoint).split(" ", 1)
    return " ".join([f'"{address}"', *arguments])


class River:
    """A River with this configuration, serving. A `launcher` is a command that executes what
    follows it."""

    def __init__(self, services, system="", environment=None, flags=(), threads=2, wait=True,
                 text=None, launcher=(), pass_fds=(), binary=BINARY, user=None, preexec=None):
        """`user`: the id of a user who starts it; `preexec` runs before that."""
        self.directory = tempfile.mkdtemp(prefix="river-e2e-")
        if user is not None:
            os.chown(self.directory, user, user)
            binary = shutil.copy(binary, self.directory)  # where it was built may be another's
        self.config = os.path.join(self.directory, "river.kdl")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text or f"system {{\n{system}\n}}\nservices {{\n{services}\n}}\n")
        self.control = os.path.join(self.directory, "control.sock")
        self.error_path = os.path.join(self.directory, "stderr")
        self.output_path = os.path.join(self.directory, "stdout")
        self.deaths_expected = False
        self.closed = False
        command = [*launcher, binary, "--config-kdl", self.config,
                   "--control-socket", self.control, *flags]
        if threads:
            command += ["--threads-per-service", str(threads)]
        with open(self.error_path, "wb") as error, open(self.output_path, "wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=error, pass_fds=pass_fds,
                                            env={**os.environ, **(environment or {})},
                                            user=user, group=user, preexec_fn=preexec,
                                            extra_groups=[] if user is not None else None)
        if wait:
            wait_until(self.is_up, "River starts")

    @property
    def pid(self):
        return self.process.pid

    def is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(f"River ended with {self.process.returncode}: {self.errors()}")
        try:
            return self.status()["worker"]
        except (OSError, ValueError):
            return None

    def errors(self):
        with open(self.error_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def output(self):
        with open(self.output_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def logged(self, count):
        """The records of an access log in JSON on stdout, once there are so many."""
        def records():
            lines = [line for line in self.output().splitlines() if line.startswith("{")]
            return [json.loads(line) for line in lines] if len(lines) >= count else None
        return wait_until(records, f"{count} lines in the access log")

    def status(self):
        peer = connect(self.control)
        try:
            peer.send("status json\n")
            return json.loads(peer.rest())
        finally:
            peer.close()

    def signal(self, number):
        os.kill(self.process.pid, number)

    def wait(self, seconds=SECONDS):
        return self.process.wait(seconds)

    def close(self):
        """Ends it; complains about a worker that died or a sanitizer's report."""
        if self.closed:
            return
        self.closed = True
        if self.process.poll() is None:
            self.signal(signal.SIGINT)
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                self.end_workers()
                raise AssertionError("River did not end: " + self.errors()) from None
        if self.process.returncode < 0:
            self.end_workers()
        errors = self.errors()
        shutil.rmtree(self.directory, ignore_errors=True)
        if any(word in errors for word in REPORTS):
            raise AssertionError(errors)
        if "worker died" in errors and not self.deaths_expected:
            raise AssertionError(errors)


    def end_workers(self):
        """Those of a supervisor that was killed go on by themselves."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
                if self.config.encode() in words:
                    os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass


# ---- tests ---------------------------------------------------------------------------------------

class Test(unittest.TestCase):
    """A test that owns what it starts."""

    maxDiff = None

    def own(self, thing):
        self.addCleanup(thing.close)
        return thing

    def port(self, host="127.0.0.1"):
        return self.own(Port(host))

    def origin(self, script, at="127.0.0.1"):
        origin = Origin(script, at)
        self.addCleanup(lambda: self.assertEqual(origin.errors, []))
        return self.own(origin)

    def river(self, services, system="", **options):
        return self.own(River(services, system, **options))

    def connect(self, to):
        return self.own(connect(to))

    def directory(self):
        path = tempfile.mkdtemp(prefix="river-e2e-")
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def serve(self, script, more="", system="", **options):
        """A River in front of one scripted origin: (where it listens, the origin, the River)."""
        origin = self.origin(script)
        port = self.port()
        connector = f"{origin} {options.pop('arguments', '')}".strip()
        river = self.river(proxy(port, connector, more), system, **options)
        return port, origin, river


def command(*arguments, environment=None, seconds=SECONDS):
    """Runs the binary to its end."""
    return subprocess.run([BINARY, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=seconds, check=False,
                          env={**os.environ, **(environment or {})})


def main():
    unittest.main(verbosity=1)
