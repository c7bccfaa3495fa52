"""git over HTTP: git's own http-backend under gunicorn, and git as the client."""

import os
import shutil
import subprocess
import unittest

from apps import AppTest, main, use, version

use("git")

BRIDGE = """
import os, subprocess, threading

def application(environ, start_response):
    cgi = {key: value for key, value in environ.items()
           if isinstance(value, str) and (key.startswith("HTTP_") or key in (
               "REQUEST_METHOD", "QUERY_STRING", "PATH_INFO", "CONTENT_TYPE", "REMOTE_ADDR"))}
    if environ.get("CONTENT_LENGTH"):
        cgi["CONTENT_LENGTH"] = environ["CONTENT_LENGTH"]
    cgi.update(GIT_PROJECT_ROOT=os.environ["ROOT"], GIT_HTTP_EXPORT_ALL="1",
               PATH=os.environ["PATH"], HOME=os.environ["ROOT"], GATEWAY_INTERFACE="CGI/1.1",
               GIT_PROTOCOL=environ.get("HTTP_GIT_PROTOCOL", ""))
    backend = subprocess.Popen(["git", "http-backend"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, env=cgi)

    def feed():
        try:
            while piece := environ["wsgi.input"].read(65536):
                backend.stdin.write(piece)
            backend.stdin.close()
        except BrokenPipeError:
            pass
    threading.Thread(target=feed, daemon=True).start()
    status, fields = "200 OK", []
    while (line := backend.stdout.readline().decode("latin-1").strip()):
        name, value = line.split(":", 1)
        if name.lower() == "status":
            status = value.strip()
        else:
            fields.append((name, value.strip()))
    start_response(status, fields)
    return iter(lambda: backend.stdout.read1(65536), b"")
"""
MEGABYTES = 6


class Git(AppTest):
    app = "git http-backend (gunicorn)"
    program = "git"

    @classmethod
    def version(cls):
        done = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False)
        return f"{done.stdout.split()[-1]}, {version('gunicorn')}"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not shutil.which("git"):
            raise unittest.SkipTest("no git on this machine")

    def setUp(self):
        super().setUp()
        self.place = self.directory()
        root = os.path.join(self.place, "root")
        self.bare = os.path.join(root, "group", "tea pot.git")
        self.git(self.place, "init", "-q", "--bare", "-b", "main", self.bare)
        self.git(self.bare, "config", "http.receivepack", "true")
        with open(os.path.join(self.place, "bridge.py"), "w", encoding="utf-8") as file:
            file.write(BRIDGE)
        self.server = self.port()
        self.start("gunicorn", "-b", self.server, "-w", "1", "--threads", "4",
                   "bridge:application", at=self.server, directory=self.place,
                   environment={"ROOT": root})

    def git(self, directory, *words, config=(), environment=None):
        """Output of git, without the user's configuration."""
        settings = [w for c in config for w in ("-c", c)]
        done = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@app.example", *settings, *words],
            cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            check=False, env={**os.environ, "HOME": self.place, "GIT_CONFIG_NOSYSTEM": "1",
                              "GIT_TERMINAL_PROMPT": "0", **(environment or {})})
        self.assertEqual(done.returncode, 0, f"git {words}: {done.stderr}")
        return done.stdout + done.stderr

    def commit(self, work, name, size):
        with open(os.path.join(work, name), "wb") as file:
            file.write(os.urandom(size))
        self.git(work, "add", "-A")
        self.git(work, "commit", "-qm", name)

    def work(self, url, config=(), environment=None):
        def git(directory, *words, more=()):
            return self.git(directory, *words, config=[*config, *more], environment=environment)
        first, second = (os.path.join(self.place, name) for name in ("first", "second"))
        git(self.place, "clone", "-q", url, first)
        self.commit(first, "large", MEGABYTES << 20)
        git(first, "push", "-q", "origin", "HEAD:main", more=["http.postBuffer=65536"])
        git(self.place, "clone", "-q", url, second)
        self.assertEqual(self.git(first, "rev-parse", "HEAD"),
                         self.git(second, "rev-parse", "HEAD"))
        for number in range(30):
            self.commit(second, f"small {number}", 100)
        git(second, "push", "-q", "origin", "HEAD:main", "HEAD:refs/heads/feature/x")
        git(first, "pull", "-q", "--ff-only", "origin", "main")
        self.assertIn("refs/heads/feature/x", git(first, "ls-remote", "origin"))
        git(second, "push", "-q", "origin", "--delete", "feature/x")
        shallow = os.path.join(self.place, "shallow")
        git(self.place, "clone", "-q", "--depth", "1", url, shallow)
        self.assertEqual(self.git(shallow, "rev-list", "--count", "HEAD").strip(), "1")
        git(shallow, "fetch", "-q", "--unshallow")
        self.assertEqual(self.git(shallow, "rev-list", "--count", "HEAD").strip(), "31")
        self.git(shallow, "fsck", "--strict")
        self.git(self.bare, "fsck", "--strict")
        shutil.rmtree(first)

    def test_http(self):
        """clone, push of 6 MB in chunks, pull, a branch made and deleted, shallow clone and
        --unshallow, fsck"""
        port = self.river_proxy(self.server)
        self.work(f"http://{port}/group/tea%20pot.git")

    def test_https(self):
        """the same with TLS and HTTP/2"""
        port = self.river_proxy(self.server, tls=True)
        trace = os.path.join(self.place, "trace")
        self.work(f"https://localhost:{port.number}/group/tea%20pot.git",
                  config=[f"http.sslCAInfo={self.authority}"],
                  environment={"GIT_TRACE_CURL": trace, "GIT_TRACE_CURL_NO_DATA": "1"})
        with open(trace, encoding="utf-8", errors="replace") as file:
            self.assertIn("HTTP/2 200", file.read())


if __name__ == "__main__":
    main()
