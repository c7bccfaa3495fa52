"""What the tests of applications share: where a program is installed, how it is started, and the
River in front of it. tests/apps/run installs the programs; a test alone takes what is there.

A test's docstring says what was done; with the configuration it goes into the table at the end.
"""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
import certificates  # pylint: disable=wrong-import-position
import harness       # pylint: disable=wrong-import-position

for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "GIT_SSL_CAINFO",
             "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
    os.environ.pop(name, None)  # clients trust and ask whom the test says

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("RIVER_BUILD", os.path.join(ROOT, "build"))
APPS = os.path.join(os.path.abspath(BUILD), "apps")
START_SECONDS_MAX = 60  # JupyterLab takes long on a cold disk
TEST_SECONDS_MAX = 120


def place(name, *more):
    """A path within the directory where the program `name` is installed."""
    return os.path.join(APPS, name, *more)


def use(name):
    """Continues with the Python for which the program was installed, so that its client
    libraries can be imported. Does nothing where it is missing: then the tests are skipped."""
    python = place(name, "bin", "python")
    if os.path.exists(python) and not sys.prefix.startswith(place(name)):
        os.execv(python, [python, *sys.argv])


def why_missing(name):
    """A reason for skipping, or None where the program is installed."""
    if os.path.exists(place(name, "installed")):
        return None
    try:
        with open(place(name, "failed"), encoding="utf-8") as file:
            return f"{name} could not be installed: {file.read().strip()}"
    except OSError:
        return f"{name} is not installed; `make test-apps` does that"


def version(package):
    """Of a Python package in this environment."""
    import importlib.metadata  # pylint: disable=import-outside-toplevel
    return importlib.metadata.version(package)


class Program:
    """A process group of ours that serves, with its output in a file."""

    def __init__(self, command, address, directory, environment=None):
        descriptor, self.log = tempfile.mkstemp(prefix="program-", suffix=".log", dir=directory)
        self.process = subprocess.Popen(
            command, cwd=directory, stdin=subprocess.DEVNULL, stdout=descriptor,
            stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "HOME": directory, **(environment or {})})
        os.close(descriptor)
        self.name = os.path.basename(command[0])
        self.last_words = ""
        try:
            harness.wait_until(lambda: self.answers(address), f"{command[0]} starts",
                               START_SECONDS_MAX)
        except BaseException as error:
            self.close()
            raise AssertionError(f"{error}\n{self.output()}") from error

    def answers(self, address):
        if self.process.poll() is not None:
            raise AssertionError(f"ended with {self.process.returncode}")
        try:
            harness.connect(address).close()
            return True
        except OSError:
            return False

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # children that outlived it, too
        except ProcessLookupError:
            pass
        self.process.wait(10)
        said = self.output()
        self.last_words = said[-3000:]  # its directory goes, too
        if self.name == "river" and any(word in said for word in harness.REPORTS):
            raise AssertionError(said)


class AppTest(harness.Test):
    """A test of the application `app`, installed as `program`."""

    app = program = ""
    configuration = ""
    programs = ()

    @classmethod
    def setUpClass(cls):
        missing = why_missing(cls.program)
        if missing:
            note(cls.app, "", "", "", f"skipped: {missing}")
            raise unittest.SkipTest(missing)

    @classmethod
    def version(cls):
        return version(cls.program)

    def setUp(self):
        self.programs = []
        signal.signal(signal.SIGALRM, too_long)
        signal.alarm(TEST_SECONDS_MAX)
        self.addCleanup(signal.alarm, 0)

    def run(self, result=None):
        def bad():
            return len(result.failures) + len(result.errors)
        before, skipped = bad(), len(result.skipped)
        super().run(result)
        done = " ".join((self._testMethodDoc or self._testMethodName).split())
        outcome = "FAILED" if bad() > before else "ok"
        for program in self.programs if bad() > before else ():
            print(f"---- {program.name}\n{program.last_words}", file=sys.stderr)
        if len(result.skipped) > skipped:
            outcome = "skipped: " + result.skipped[-1][1]
        note(self.app, self.version(), done, self.configuration, outcome)
        return result

    def start(self, *command, at, **options):
        """A program that serves at the address or Port `at`, ended with the test."""
        command = [str(word) for word in command]
        if not os.path.isabs(command[0]):
            command[0] = place(self.program, "bin", command[0])
        directory = options.pop("directory", None) or self.directory()
        return self.own_program(Program(command, at, directory, **options))

    def own_program(self, program):
        self.programs.append(program)
        return self.own(program)

    def river_proxy(self, origin, *flags, tls=False):
        """`river proxy ORIGIN`: the Port where it listens."""
        port, directory = self.port(), self.directory()
        flags = list(flags)
        if tls:
            self.authority, pair = self.certificate(directory)
            flags += ["--cert", pair.chain, "--key", pair.key]
        self.configuration = "river proxy ADDRESS" + (" --cert … --key …" if tls else "")
        command = [harness.BINARY, "proxy", str(origin), "--listen", str(port), *flags,
                   "--control-socket", os.path.join(directory, "control")]
        self.own_program(Program(command, port, directory))
        return port

    def certificate(self, directory):
        """An authority's certificate, and a chain and key for localhost."""
        authority = certificates.Authority(directory, "ca")
        pair = authority.issue("site", names=["localhost", "app.example", "IP:127.0.0.1"])
        return authority.pem, pair

    def river_file(self, services, shown):
        """A River with a configuration, of which the table shows `shown`."""
        self.configuration = shown
        return self.river(services)

    def trust(self):
        """What a client of the standard library needs for `tls=True`."""
        return ssl.create_default_context(cafile=self.authority)


def too_long(*_arguments):
    raise AssertionError(f"took longer than {TEST_SECONDS_MAX} s")


def note(*row):
    """A row for the table: application, version, what was done, configuration, result."""
    table = os.environ.get("APPS_TABLE")
    if table:
        with open(table, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


class pinned:  # pylint: disable=invalid-name
    """While it lasts, this name is 127.0.0.1 for this process."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.real = socket.getaddrinfo

        def find(host, *arguments, **options):
            return self.real("127.0.0.1" if host == self.name else host, *arguments, **options)
        socket.getaddrinfo = find

    def __exit__(self, *_error):
        socket.getaddrinfo = self.real


main = harness.main
