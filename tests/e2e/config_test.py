"""The command line, the configuration's mistakes, and what overrides what."""

import os
import socket
import ssl
import subprocess
import time

import certificates
from harness import BINARY, ROOT, Test, always, answer, command, get, is_sanitized, main, proxy

GOOD = proxy("127.0.0.1:8080", "127.0.0.1:8081")


class CommandLine(Test):
    def file(self, text, name="river.kdl"):
        path = os.path.join(self.directory(), name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def test_help_and_version(self):
        for flag in ("--help", "-h", "help"):
            result = command(flag)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            for word in ("--config-kdl", "--validate-configs", "status", "Exit status"):
                self.assertIn(word, result.stdout)
        self.assertRegex(command("--version").stdout, r"^river \d+\.\d+\.\d+\n$")

    def test_usage_errors_exit_with_2_and_help(self):
        for words, said in ((["--confg-kdl", "x"], "did you mean --config-kdl?"),
                            (["statsu"], "did you mean status?"),
                            (["--config-kdl"], "needs a value"),
                            ([], "no configuration"),
                            (["check"], "which file?"),
                            (["check", "a", "b"], '"b"'),
                            (["check", "a", "--compat", "9"], "0.5|0.8"),
                            (["status", "--print-kdl"], "does not belong"),
                            (["--daemonize=yes"], "takes no value")):
            with self.subTest(words):
                result = command(*words)
                self.assertEqual((result.returncode, result.stdout), (2, ""))
                self.assertIn(said, result.stderr)

    def test_check_and_validate_say_that_it_is_right(self):
        path = self.file(f"services {{\n{GOOD}}}\n")
        for words in (["check", path], ["--validate-configs", "--config-kdl", path],
                      ["run", path, "--validate-configs"]):
            result = command(*words)
            self.assertEqual((result.returncode, result.stderr), (0, ""), words)
            self.assertIn("1 service", result.stdout)

    def test_all_mistakes_in_one_run_each_at_its_place(self):
        path = self.file("system {\n    threads-per-servce 8\n}\nservices {\n    app {\n"
                         "        listeners {\n            \"1.2.3.4:99999\"\n        }\n"
                         "        connectors {\n            \"127.0.0.1:1\" weight=-1\n"
                         "        }\n    }\n}\n")
        for words in (["check", path], ["run", path]):
            result = command(*words)
            self.assertEqual(result.returncode, 1)
            for place in (":2:5: error:", ":7:13: error:", ":10:"):
                self.assertIn(path + place, result.stderr)
            self.assertIn("threads-per-service", result.stderr)  # the word that was meant
            self.assertIn("^^^^^^^^^^^^^^^^^^", result.stderr)
            self.assertIn("nothing was started", result.stderr)
            self.assertNotIn("\x1b", result.stderr)

    def test_what_is_not_built_yet_is_named_at_its_line(self):
        path = self.file("services {\n" + proxy("127.0.0.1:1", "127.0.0.1:2") + "}\n"
                         "acme { accept-terms-of-service true; store-dir \"/x\"; }\n")
        result = command("check", path)
        self.assertEqual(result.returncode, 1)
        self.assertIn("`acme` is not supported yet", result.stderr)

    def test_users_and_groups_must_exist(self):
        services = "services {\n" + proxy("127.0.0.1:1", "127.0.0.1:2") + "}\n"
        for line, words in (('user "no-such-user"', "user `no-such-user`: there is none"),
                            ('group "no-such-group"', "group `no-such-group`: there is none"),
                            ('user "4123456789"', "has no account, so `group` must be set too"),
                            ('user "99999999999"', "user `99999999999`: there is none")):
            path = self.file(f"{services}system {{\n    {line}\n}}\n")
            result = command("check", path)
            self.assertEqual(result.returncode, 1)
            self.assertIn(words, result.stderr)
            self.assertIn(f"{path}:{services.count(chr(10)) + 2}:", result.stderr)
        for line in ('user "root"', 'group "0"', 'user "4123456789"; group "0"'):
            result = command("check", self.file(f"{services}system {{ {line}; }}\n"))
            self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_file_that_is_not_there(self):
        result = command("check", "/nonexistent/river.kdl")
        self.assertEqual(result.returncode, 1)
        self.assertIn("/nonexistent/river.kdl", result.stderr)

    def toml(self, address, origin):
        return self.file("[system]\nthreads-per-service = 1\n[[basic-proxy]]\nname = \"Example\"\n"
                         "[[basic-proxy.listeners]]\n[basic-proxy.listeners.source]\n"
                         "kind = \"Tcp\"\n[basic-proxy.listeners.source.value]\n"
                         f"addr = \"{address}\"\n[basic-proxy.connector]\n"
                         f"proxy_addr = \"{origin}\"\n", "river.toml")

    def test_the_old_toml_format_is_read_and_called_deprecated(self):
        result = command("check", self.toml("127.0.0.1:1", "127.0.0.1:2"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("deprecated", result.stderr)
        shown = command("check", "--print-kdl", self.toml("127.0.0.1:1", "127.0.0.1:2"))
        self.assertIn('"127.0.0.1:2"', shown.stdout)
        again = command("check", self.file(shown.stdout, "again.kdl"))
        self.assertEqual((again.returncode, again.stderr), (0, ""))

    def test_mistakes_in_toml_are_shown_at_their_place(self):
        path = self.file("[system]\nthreads-per-servise = 1\n[[basic-proxy]]\n", "river.toml")
        result = command("--validate-configs", "--config-toml", path)
        self.assertEqual(result.returncode, 1)
        self.assertIn("river.toml:2:1", result.stderr)
        self.assertIn("threads-per-service", result.stderr)

    def test_print_kdl_shows_what_was_read(self):
        path = self.file("a  0x10 \"b\"   c=true // comment\n/- d\n")
        result = command("check", "--print-kdl", "--kdl-version", "1", path)
        self.assertEqual((result.returncode, result.stdout), (0, 'a 0x10 "b" c=true\n'))
        result = command("check", "--print-kdl", "--kdl-version", "2", path)
        self.assertEqual(result.returncode, 1)

    def test_defaults_are_a_configuration_that_checks(self):
        result = command("defaults")
        self.assertEqual(result.returncode, 0)
        self.assertIn("keep-alive-timeout-ms 75000", result.stdout)
        self.assertEqual(command("check", self.file(result.stdout)).returncode, 0)
        self.assertIn("| ", command("defaults", "--markdown").stdout)

    def test_env_lists_what_is_read(self):
        result = command("env", environment={"RIVER_LOG_LEVEL": "debug"})
        self.assertEqual(result.returncode, 0)
        self.assertIn("RIVER_THREADS_PER_SERVICE", result.stdout)
        self.assertIn("debug", result.stdout)


class Toml(Test):
    """A River that runs by a file in River 0.2's format."""

    def setUp(self):
        self.place = self.directory()
        self.authority = certificates.Authority(self.place, "ca")

    def write(self, listener, more=""):
        """The configuration's path; `more` stands in the listener's value."""
        path = os.path.join(self.place, "old")
        connector = self.origin(always(answer("by toml")))
        with open(path, "w", encoding="utf-8") as file:
            file.write('[[basic-proxy]]\nname = "app"\n'
                       f'connector.proxy_addr = "{connector}"\n'
                       '[[basic-proxy.listeners]]\nsource.kind = "Tcp"\n'
                       f'source.value = {{ addr = "{listener}" {more} }}\n')
        return path

    def tls(self, key):
        pair = self.authority.issue("site", ["a.example"])
        return f', tls = {{ cert_path = "{pair.chain}", key_path = "{key or pair.key}" }}'

    def test_requests_pass(self):
        port = self.port()
        self.river("", flags=("--config-toml", self.write(port)))
        peer = self.connect(port)
        peer.send(get())
        self.assertEqual(peer.response().body, b"by toml")

    def test_tls_without_http_2(self):
        port = self.port()
        self.river("", flags=("--config-toml", self.write(port, self.tls(None))))
        context = ssl.create_default_context(cafile=self.authority.pem)
        context.set_alpn_protocols(["h2", "http/1.1"])
        host, number = str(port).rsplit(":", 1)
        with socket.create_connection((host, int(number))) as plain:
            with context.wrap_socket(plain, server_hostname="a.example") as client:
                self.assertEqual(client.selected_alpn_protocol(), "http/1.1")
                client.sendall(get("/", "Connection: close"))
                self.assertIn(b"by toml", client.makefile("rb").read())

    def test_a_key_that_is_none_is_shown_where_toml_names_it(self):
        path = self.write("127.0.0.1:1", self.tls("/nonexistent"))
        result = command("check", "--compat", "0.5", os.path.join(self.place, "old"))
        self.assertEqual(result.returncode, 1)  # it does not end in .toml, so it is no KDL
        result = command("--validate-configs", "--config-toml", path)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, path + r":6:\d+: error: cannot read /nonexistent")


class Overrides(Test):
    def threads(self, **options):
        port = self.port()
        river = self.river(proxy(port, "127.0.0.1:1"), "threads-per-service 3", **options)
        return river.status()["worker"]["threads"]

    def test_the_command_line_wins_over_environment_and_file(self):
        environment = {"RIVER_THREADS_PER_SERVICE": "1"}
        self.assertEqual(self.threads(environment=environment, threads=2), 2)

    def test_the_environment_wins_over_the_file(self):
        environment = {"RIVER_THREADS_PER_SERVICE": "1"}
        self.assertEqual(self.threads(environment=environment, threads=None), 1)
        self.assertEqual(self.threads(threads=None), 3)

    def test_a_bad_variable_is_named(self):
        path = os.path.join(self.directory(), "river.kdl")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"services {{\n{GOOD}}}\n")
        result = command("check", path, environment={"RIVER_LOG_LEVEL": "loud"})
        self.assertEqual(result.returncode, 1)
        self.assertIn("RIVER_LOG_LEVEL", result.stderr)


class Quickstart(Test):
    def test_the_example_serves_as_it_says(self):
        with open(os.path.join(ROOT, "examples", "quickstart.kdl"), encoding="utf-8") as file:
            text = file.read()
        ports = {number: self.port() for number in ("8080", "8081", "8082")}
        for number, port in ports.items():
            text = text.replace(f"127.0.0.1:{number}", str(port))
        manual = self.directory()
        with open(os.path.join(manual, "index.html"), "wb") as file:
            file.write(b"the manual")
        self.assertIn('"build/docs"', text)
        text = text.replace("build/docs", manual)
        services = text[text.index("services {") + len("services {"):text.rindex("}")]
        self.river(services)
        bodies = {self.connect(ports["8080"]).ask(get()).body for _ in range(4)}
        self.assertEqual(bodies, {b"Hello from one.\n", b"Hello from two.\n"})
        self.assertEqual(self.connect(ports["8080"]).ask(get("/docs/")).body, b"the manual")
        moved = self.connect(ports["8080"]).ask(get("/docs"))
        self.assertEqual((moved.status, moved.get("location")), (308, "/docs/"))


class Hostile(Test):
    """Files that are made to cost time, or to give orders to a terminal."""

    def check(self, text):
        path = os.path.join(self.directory(), "river.kdl")
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        return subprocess.run([BINARY, "check", path], capture_output=True, check=False,
                              timeout=60)

    def test_time_grows_with_the_length_and_no_faster(self):
        n = 200_000
        shapes = {
            "open comments": "/*" * n,
            "nested comments": "/*" * n + "*/" * n,
            "lines of a string": 'a """\n' + "x\n" * n * 4 + '"""\n',
            "open strings": "/- kdl-version 2\n" + '##"""\n' * n,
            "open strings of version 1": "/- kdl-version 1\n" + 'r##"\n' * n,
            "a run of quotes": '/- kdl-version 2\na ##"' + '"' * n * 2,
            "blank escapes": 'a """\n' + "\\\n" * n + 'x\n"""\n',
            "nothing but opening quotes": 'a """\n' * n,
        }
        for name, text in shapes.items():
            with self.subTest(shape=name):
                start = time.monotonic()
                self.assertEqual(self.check(text).returncode, 1)
                self.assertLess(time.monotonic() - start, 10 if is_sanitized() else 3)

    def test_nothing_of_a_file_gives_orders_to_a_terminal(self):
        hostile = {"escape": "\x1b[2J", "eight bits": "\x9b2J", "turned": "\u202egnp",
                   "isolated": "\u2067x", "mark": "\u200f", "hidden": "\u200b",
                   "backspace": "\b\b\b", "return": "\rriver.kdl: configuration is valid"}
        for name, text in hostile.items():
            escaped = "".join(f"\\u{{{ord(c):x}}}" for c in text)
            for written in (f'services {{ "{text}" {{ nonsense "{text}"; }} }}',
                            f'"{escaped}" "{escaped}"',
                            f'services {{ "{escaped}" {{ "{escaped}" 1; }} }}',
                            f'system {{ "{escaped}" "{text}"; pid-file "{escaped}" "x"; }}'):
                for version in (1, 2):
                    done = self.check(f"/- kdl-version {version}\n{written}\n")
                    shown = (done.stdout + done.stderr).decode("utf-8")
                    with self.subTest(name=name, written=written, version=version):
                        self.assertEqual(done.returncode, 1)
                        for c in shown:
                            self.assertTrue(c == "\n" or c.isprintable(), repr(shown))


if __name__ == "__main__":
    main()
