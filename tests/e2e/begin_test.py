"""The first minutes: `river proxy` and `river files` need no file, `river init` writes one."""

import os
import re
import shutil
import signal
import subprocess

import certificates
from harness import BINARY, ROOT, Test, always, answer, command, connect, get, main, wait_until


class Begun:
    """A River that a command without a file has started, in a directory of its own."""

    def __init__(self, *arguments, directory):
        self.control = os.path.join(directory, "control.sock")
        self.paths = [os.path.join(directory, name) for name in ("stdout", "stderr")]
        with open(self.paths[0], "wb") as output, open(self.paths[1], "wb") as error:
            self.process = subprocess.Popen(
                [BINARY, *arguments, "--control-socket", self.control,
                 "--threads-per-service", "2"], stdin=subprocess.DEVNULL, stdout=output,
                stderr=error, cwd=directory)
        wait_until(self.listens, "River starts")

    def read(self, which):
        with open(self.paths[which], encoding="utf-8", errors="replace") as file:
            return file.read()

    def output(self):
        return self.read(0)

    def errors(self):
        return self.read(1)

    def listens(self):
        if self.process.poll() is not None:
            raise AssertionError(self.errors())
        return "River listens at" in self.errors()

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(20)


class WithoutFile(Test):
    def begin(self, *arguments, directory=None):
        return self.own(Begun(*arguments, directory=directory or self.directory()))

    def test_proxy_forwards_and_logs(self):
        seen = []
        origin = self.origin(always(answer("yes"), seen))
        number = str(origin).rsplit(":", 1)[1]
        for written in (f"127.0.0.1:{number}", f"http://127.0.0.1:{number}/", f"localhost:{number}",
                        number, f":{number}", f"0.0.0.0:{number}"):
            with self.subTest(written=written):
                port = self.port()
                river = self.begin("proxy", written, "--listen", str(port))
                peer = self.connect(port)
                self.assertEqual(peer.ask(get("/hello")).body, b"yes")
                line = wait_until(river.output, "the access log")
                self.assertIn("target=/hello", line)
                said = [l for l in river.errors().splitlines() if l.startswith("River listens")]
                self.assertEqual(said, [f"River listens at http://{port}/ and forwards to "
                                        f"{written}; Ctrl-C stops it"])
                river.close()
        self.assertEqual({r.target for r in seen}, {"/hello"})

    def test_localhost_is_where_the_application_listens(self):
        """Many development servers listen at [::1] alone, others at 127.0.0.1 alone."""
        for at in ("127.0.0.1", "::1"):
            origin = self.origin(always(answer("yes")), at)
            number = str(origin).rsplit(":", 1)[1]
            for written in (number, f"localhost:{number}"):
                with self.subTest(at=at, written=written):
                    port = self.port()
                    river = self.begin("proxy", written, "--listen", str(port))
                    peer = self.connect(port)
                    for _ in range(4):
                        self.assertEqual(peer.ask(get()).body, b"yes")
                    self.assertNotIn("failed", river.errors())
                    river.close()

    def test_every_way_to_write_where_it_listens(self):
        origin = self.origin(always(answer("yes")))
        for form in ("{}", ":{}", "*:{}", "0.0.0.0:{}", "localhost:{}", "127.0.0.1:{}"):
            port = self.port()
            number = str(port).rsplit(":", 1)[1]
            with self.subTest(form=form):
                river = self.begin("proxy", str(origin), "--listen", form.format(number))
                self.assertEqual(self.connect(port).ask(get()).body, b"yes")
                river.close()
        port = self.port("::1")
        number = str(port).rsplit(":", 1)[1]
        for form in (f"[::1]:{number}", f"[::]:{number}", number):
            with self.subTest(form=form):
                river = self.begin("proxy", str(origin), "--listen", form)
                self.assertEqual(self.connect(port).ask(get()).body, b"yes")
                river.close()
        directory = self.directory()
        path = os.path.join(directory, "a.sock")
        self.begin("proxy", str(origin), "--listen", path)
        self.assertEqual(self.connect(path).ask(get()).body, b"yes")

    def test_files(self):
        directory = self.directory()
        os.mkdir(os.path.join(directory, "public"))
        with open(os.path.join(directory, "public", "index.html"), "w", encoding="utf-8") as file:
            file.write("<p>hello")
        port = self.port()
        river = self.begin("files", "./public", "--listen", str(port), directory=directory)
        self.assertEqual(self.connect(port).ask(get()).body, b"<p>hello")
        self.assertIn("serves the files in ./public", river.errors())

    def test_tls_on_both_sides(self):
        directory = self.directory()
        own = certificates.Authority(directory, "own-ca")
        own.issue("site", ["a.example"])
        own.issue("backend", ["backend.internal"])
        inner = self.port()
        self.begin("proxy", str(self.origin(always(answer("inside")))), "--listen", str(inner),
                   "--cert", "backend.pem", "--key", "backend.key", directory=directory)
        port = self.port()
        outer = self.directory()
        for name in ("site.pem", "site.key", "own-ca.pem"):
            shutil.copy(os.path.join(directory, name), outer)
        river = self.begin("proxy", f"https://{inner}", "--listen", str(port), "--cert", "site.pem",
                           "--key", "site.key", "--origin-name", "backend.internal",
                           "--origin-ca", "own-ca.pem", directory=outer)
        self.assertIn(f"https://{port}/", river.errors())
        name = str(port).rsplit(":", 1)[1]
        done = subprocess.run(["curl", "-sS", "--cacert", own.pem, "--resolve",
                               f"a.example:{name}:127.0.0.1", f"https://a.example:{name}/"],
                              capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(done.stdout, "inside", done.stderr + river.errors() + river.output())
        # New files at the same paths are taken up by a reload.
        own.issue("site", ["a.example"])
        for name in ("site.pem", "site.key"):
            shutil.copy(os.path.join(directory, name), outer)
        done = command("reload", "--wait", "--control-socket", river.control)
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1]), (0, "reloaded"),
                         done.stdout)
        # Broken ones are not, and the message names the argument.
        with open(os.path.join(outer, "site.key"), "w", encoding="utf-8") as file:
            file.write("nonsense")
        done = command("reload", "--wait", "--control-socket", river.control)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stdout.startswith("--key site.key: error: "), done.stdout)
        os.kill(river.process.pid, signal.SIGHUP)
        wait_until(lambda: "--key site.key: error: " in river.errors(), "the error log names it")
        wait_until(lambda: "--key site.key: not renewed: " in river.errors(), "and what stays")

    def test_a_reload_without_a_file_says_why_nothing_changes(self):
        port = self.port()
        river = self.begin("proxy", str(self.origin(always(answer("yes")))), "--listen", str(port))
        done = command("reload", "--control-socket", river.control)
        self.assertEqual((done.returncode, done.stdout),
                         (0, "nothing has changed: this River was started without a file, so only "
                             "its certificates can\n"))
        os.kill(river.process.pid, signal.SIGHUP)
        wait_until(lambda: "River was started without a file" in river.errors(), "the log says so")
        self.assertEqual(self.connect(port).ask(get()).body, b"yes")

    def test_an_upgrade_goes_on_with_the_same_arguments(self):
        port = self.port()
        river = self.begin("proxy", str(self.origin(always(answer("yes")))), "--listen", str(port))
        done = command("upgrade", "--control-socket", river.control)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + river.errors())
        self.assertEqual(river.process.wait(20), 0)
        self.assertEqual(self.connect(port).ask(get()).body, b"yes")
        peer = connect(river.control)
        peer.send("status json\n")
        pid = int(peer.rest().decode().split('"supervisor_pid":')[1].split(",")[0])
        peer.close()
        os.kill(pid, signal.SIGINT)
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the new one ends")


class Mistakes(Test):
    def test_they_are_about_the_arguments(self):
        directory = self.directory()
        own = certificates.Authority(directory, "own-ca")
        own.issue("site", ["a.example"])
        own.issue("other", ["b.example"])
        for arguments, status, said in (
                (["proxy", "app:3000"], 2, "app:3000: River does not look up names here yet"),
                (["proxy", "127.0.0.1"], 2, "127.0.0.1: the port is missing"),
                (["proxy", "127.0.0.1:70000"], 2, "a port is a number between 1 and 65535"),
                (["proxy", "::1:3000"], 2, "an IPv6 address needs brackets"),
                (["proxy", "http://127.0.0.1:3000/app"], 2, "a path cannot be added"),
                (["proxy", "ftp://127.0.0.1"], 2, "only http:// and https://"),
                (["proxy", "3000", "--listen", "https://a"], 2, "--listen https://a: write only"),
                (["proxy", "3000", "--listen", "a.example:80"], 2,
                 "--listen a.example:80: listen at an address of this machine"),
                (["proxy", "3000", "--cert", "no.pem", "--key", "site.key"], 1,
                 "--cert no.pem: error: "),
                (["proxy", "3000", "--cert", "site.pem", "--key", "other.key"], 1,
                 "--key other.key: error: "),
                (["proxy", "https://127.0.0.1:1", "--origin-ca", "no.pem"], 1,
                 "--origin-ca no.pem: error: "),
                (["proxy", "https://127.0.0.1:1", "--origin-name", "a b"], 1,
                 "--origin-name a b: error: "),
                (["files", ".", "--user", "no-such-user"], 1, "--user no-such-user: error: "),
                (["files", "./missing"], 1, "./missing: error: "),
                (["files", "site.pem"], 1, "site.pem: error: ")):
            with self.subTest(arguments=arguments):
                done = subprocess.run([BINARY, *arguments], capture_output=True, text=True,
                                      timeout=20, check=False, cwd=directory)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn(said, done.stderr)
                # Nothing is said about a text that the user has never seen.
                for word in ("kdl", "cert-path", "key-path", "ca-path", "tls-sni", "base-path",
                             " | "):
                    self.assertNotIn(word, done.stderr)

    def test_a_port_in_use(self):
        port = self.port()
        origin = str(self.origin(always(answer("yes"))))
        self.own(Begun("proxy", origin, "--listen", str(port), directory=self.directory()))
        done = command("proxy", origin, "--listen", str(port))
        self.assertEqual(done.returncode, 3)
        self.assertIn(f"cannot listen on {port}", done.stderr)


class Init(Test):
    def check(self, directory, *arguments):
        done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=20,
                              check=False, cwd=directory)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_what_it_writes_is_right(self):
        directory = self.directory()
        certificates.Authority(directory, "own-ca").issue("site", ["a.example"])
        strange = 'a "strange" \\ dir\t'
        os.mkdir(os.path.join(directory, strange))
        for number, arguments in enumerate((
                [], ["--proxy", "3000"], ["--static", "."], ["--proxy", "/run/app.sock"],
                ["--proxy", "localhost:3000", "--static", strange],
                ["--proxy", "https://192.0.2.1", "--listen", "127.0.0.1:80"],
                ["--proxy", "3000", "--tls", "site.pem", "site.key"])):
            with self.subTest(arguments=arguments):
                name = f"{number}.kdl"
                said = self.check(directory, "init", *arguments, name)
                self.assertIn(f"river run {name}", said)
                self.assertEqual(self.check(directory, "check", name),
                                 f"{name}: configuration is valid, 1 service\n")
                with open(os.path.join(directory, name), encoding="utf-8") as file:
                    self.assertEqual(self.check(directory, "init", *arguments), file.read())

    def test_the_manual_shows_what_it_prints(self):
        with open(os.path.join(ROOT, "docs", "manual", "running.md"), encoding="utf-8") as file:
            text = file.read()
        shown = re.search(r"`river init --proxy 127.0.0.1:3000` prints:\n\n```kdl\n(.*?)```", text,
                          re.S)
        self.assertEqual(command("init", "--proxy", "127.0.0.1:3000").stdout, shown[1])

    def test_a_file_is_not_overwritten(self):
        directory = self.directory()
        path = os.path.join(directory, "river.kdl")
        with open(path, "w", encoding="utf-8") as file:
            file.write("precious\n" * 1000)
        done = command("init", path)
        self.assertEqual((done.returncode, done.stderr),
                         (3, f"river: {path} exists already; --force overwrites it\n"))
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious\n" * 1000)
        self.assertEqual(command("init", "--force", path).returncode, 0)
        self.assertEqual(command("check", path).returncode, 0)
        done = command("init", os.path.join(directory, "none", "river.kdl"))
        self.assertEqual(done.returncode, 3)
        self.assertIn("cannot be written", done.stderr)

    def test_an_application_below_api_and_files_elsewhere(self):
        directory = self.directory()
        with open(os.path.join(directory, "index.html"), "w", encoding="utf-8") as file:
            file.write("page")
        port = self.port()
        origin = self.origin(always(answer("api")))
        path = os.path.join(directory, "river.kdl")
        done = command("init", "--proxy", str(origin), "--static", directory, "--listen", str(port),
                       path)
        self.assertEqual(done.returncode, 0)
        with open(path, encoding="utf-8") as file:
            self.river("", text=file.read())
        peer = self.connect(port)
        self.assertEqual([peer.ask(get(target)).body for target in ("/", "/api/x")],
                         [b"page", b"api"])


if __name__ == "__main__":
    main()
