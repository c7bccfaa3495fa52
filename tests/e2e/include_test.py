"""One configuration from many files, snippets, variables and inherited sections, in a running
River: what a change of any of them does."""

import os
import shutil
import ssl
import time

from certificates import Authority
from harness import Test, command, connect, get, main, wait_until
from reload_test import reload


def write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)


def service(name, listener, body, more=""):
    return f'{name} {{\n listeners {{ "{listener}"; }}\n respond body="{body}"\n{more}\n}}\n'


class IncludeTest(Test):
    def setUp(self):
        self.place = self.directory()
        os.mkdir(os.path.join(self.place, "sites"))

    def site(self, name, text):
        write(os.path.join(self.place, "sites", name), text)

    def begin(self, services, before="", system="watch true", **options):
        text = (f"system {{\n threads-per-service 1\n{system}\n}}\n{before}"
                f"services {{\n{services}\n}}\n")
        return self.river("", text=text, **options)

    def body(self, port):
        peer = connect(port)
        try:
            return peer.ask(get()).body.decode()
        finally:
            peer.close()

    def becomes(self, port, body):
        def asked():
            try:
                return self.body(port) == body
            except (OSError, EOFError):
                return False
        wait_until(asked, f"{body} is answered")


class Watch(IncludeTest):
    def test_files_that_come_change_and_go(self):
        one, two, own = self.port(), self.port(), self.port()
        self.site("b.kdl", service("b", one, "first"))
        river = self.begin(f'include "{self.place}/sites/*.kdl"\n' + service("own", own, "own"))
        self.assertEqual((self.body(one), self.body(own)), ("first", "own"))
        worker = river.status()["worker_pid"]
        self.site("b.kdl", service("b", one, "second"))
        self.becomes(one, "second")
        self.site("a.kdl", service("a", two, "new"))
        self.becomes(two, "new")
        os.unlink(os.path.join(self.place, "sites", "a.kdl"))

        def is_gone():
            try:
                self.body(two)
            except (OSError, EOFError):
                return True
            return False
        wait_until(is_gone, "nobody listens any more")
        self.assertEqual(self.body(own), "own")
        self.assertEqual(river.status()["worker_pid"], worker)

    def test_a_mistake_changes_nothing_and_names_its_file(self):
        port = self.port()
        self.site("a.kdl", service("a", port, "first"))
        river = self.begin(f'include "{self.place}/sites/*.kdl"')
        self.site("a.kdl", service("a", port, "second", "nonsense"))
        wait_until(lambda: "nothing was changed" in river.errors() or
                   "not reloaded" in river.errors(), "it is refused")
        self.assertEqual(self.body(port), "first")
        shown = reload(river)
        self.assertEqual(shown.returncode, 1)
        self.assertIn(f"{self.place}/sites/a.kdl:4:1: error: there is no `nonsense` here",
                      shown.stdout + shown.stderr)
        self.assertRegex(river.errors(), 'mistake in the configuration" what=".*a.kdl:4:1')
        self.site("a.kdl", service("a", port, "third"))
        self.becomes(port, "third")

    def test_files_that_are_values(self):
        port, other = self.port(), self.port()
        path = os.path.join(self.place, "motd")
        write(path, "hello\n")
        river = self.begin(service("a", port, f"{{file.{path}}}") + service("b", other, "b"))
        worker = river.status()["worker_pid"]
        self.assertEqual(self.body(port), "hello")
        write(path, "bye")
        self.becomes(port, "bye")
        self.assertEqual(river.status()["worker_pid"], worker)
        os.unlink(path)
        wait_until(lambda: "cannot read" in reload(river).stdout, "it is missed")
        self.assertEqual(self.body(port), "bye")

    def test_a_value_of_the_system_starts_another_worker(self):
        port = self.port()
        path = os.path.join(self.place, "threads")
        write(path, "1")
        river = self.begin(service("a", port, "a"), system=f"""drain-timeout "500ms"
                           max-connections "{{file.{path}}}00" """)
        worker = river.status()["worker_pid"]
        write(path, "2")
        self.assertEqual(reload(river).returncode, 0)
        self.assertNotEqual(river.status()["worker_pid"], worker)
        self.assertEqual(self.body(port), "a")


class Values(IncludeTest):
    def test_the_environment(self):
        port = self.port()
        os.environ["RIVER_TEST_BODY"] = "from outside"
        self.addCleanup(os.environ.pop, "RIVER_TEST_BODY")
        river = self.begin(service("a", port, "{env.RIVER_TEST_BODY}, {env.NOT_SET:else}"))
        self.assertEqual(self.body(port), "from outside, else")
        self.assertEqual(reload(river).returncode, 0)
        self.assertEqual(self.body(port), "from outside, else")

    def test_relative_paths_count_from_the_including_file(self):
        path = os.path.join(self.place, "river.kdl")
        os.mkdir(os.path.join(self.place, "sites", "more"))
        self.site("a.kdl", 'include "more/*.kdl"')
        self.site("more/b.kdl", service("b", "127.0.0.1:8099", "b"))
        write(path, 'services { include "sites/a.kdl"; }')
        shown = command("check", path)
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        self.site("more/b.kdl", service("b", "127.0.0.1:x", "b"))
        shown = command("check", path)
        self.assertIn(f"{self.place}/sites/more/b.kdl:2:14: error: the port must be", shown.stderr)


    def test_a_key_is_no_text(self):
        """It would be in messages, and in the memory of the traffic."""
        key = Authority(self.place, "ca").issue("one", names=["a.example"]).key
        path = os.path.join(self.place, "river.kdl")
        for text in (f'services {{ include "{key}"; }}',
                     f'services {{ a {{ listeners {{ "127.0.0.1:80"; }}; '
                     f'respond body="{{file.{key}}}"; }}; }}'):
            write(path, text)
            shown = command("check", path)
            self.assertEqual(shown.returncode, 1)
            self.assertIn("takes no text with a private key in it", shown.stderr)
            self.assertNotIn("BEGIN", shown.stderr)


class Tls(IncludeTest):
    def test_a_section_serves_all_and_is_renewed(self):
        authority = Authority(self.place, "ca")
        pairs = [authority.issue(n, names=["a.example", "b.example"]) for n in ("one", "two")]
        live = os.path.join(self.place, "live")

        def take(pair):
            for one, name in ((pair.key, "key"), (pair.chain, "pem")):
                shutil.copy(one, f"{live}.{name}.new")
                os.rename(f"{live}.{name}.new", f"{live}.{name}")

        take(pairs[0])
        port = self.port()
        river = self.begin(f'a {{ hosts "a.example"; listeners {{ "{port}" tls=true; }}\n'
                           f' respond body="a"; }}\n'
                           f'b {{ hosts "b.example"; listeners {{ "{port}" tls=true; }}\n'
                           f' respond body="b"; }}\n',
                           before=f'tls {{ certificate cert-path="{live}.pem" '
                                  f'key-path="{live}.key"; }}\n')
        context = ssl.create_default_context(cafile=authority.pem)

        def ask(host):
            peer = connect(port)
            try:
                with context.wrap_socket(peer.socket, server_hostname=host) as over:
                    over.sendall(get("/", host=host))
                    return over.recv(4096)[-1:], over.getpeercert(True)
            finally:
                peer.close()
        body, first = ask("a.example")
        self.assertEqual(body, b"a")
        self.assertEqual(ask("b.example"), (b"b", first))
        take(pairs[1])
        wait_until(lambda: ask("a.example")[1] != first, "it is renewed")
        self.assertEqual(river.status()["reloads"] >= 1, True)


class Scale(IncludeTest):
    def test_a_thousand_files(self):
        port = self.port()
        for i in range(1000):
            self.site(f"s{i:04}.kdl", f's{i} {{ hosts "h{i}"; listeners {{ "{port}"; }}\n'
                                      f' respond body="{i}"; }}\n')
        river = self.begin(f'include "{self.place}/sites/*.kdl"', system="")
        peer = connect(port)
        self.assertEqual(peer.ask(get("/", host="h999")).body, b"999")
        self.site("s0500.kdl", f's500 {{ hosts "h500"; listeners {{ "{port}"; }}\n'
                               ' respond body="changed"; }\n')
        start = time.monotonic()
        done = reload(river)
        self.assertEqual(done.stdout, "~ service s500: respond body\nreloaded\n")
        self.assertLess(time.monotonic() - start, 10)
        self.assertEqual(peer.ask(get("/", host="h500")).body, b"changed")
        peer.close()


if __name__ == "__main__":
    main()
