"""Relative paths of a configuration count from its directory, wherever River is started."""

import os
import signal
import ssl
import subprocess

import harness
from certificates import Authority
from harness import Test, ask, connect, get, main, wait_until
from reload_test import reload

ELSEWHERE = ("sh", "-c", 'cd "$0" && path=$1 binary=$2 && shift 4 && '
                         'exec "$binary" --config-kdl "$path" "$@"')


class RelativeTest(Test):
    def setUp(self):
        self.base = self.directory()
        self.start_directory = os.path.join(self.base, "start")
        os.mkdir(self.start_directory)
        self.listen, self.secure = self.port(), self.port()

    def write(self, path, text):
        path = os.path.join(self.base, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def fill(self, top, word):
        """Everything that the configuration names but what it includes."""
        self.write(f"{top}/www/index.html", f"{word} file")
        self.write(f"{top}/token", f"{word} token\n")
        self.write(f"{top}/blocked", "192.0.2.0/24\n")
        authority = Authority(os.path.join(self.base, top), f"{word}-ca")
        authority.issue("site", ["a.example"])

    def configure(self, top, more=""):
        self.write(f"{top}/river.kdl", f"""services {{
            include "more/*.kdl"
            files {{
                listeners {{ "{self.listen}"; }}
                file-server {{ base-path "www"; }}
            }}
            {more}
        }}""")
        self.write(f"{top}/more/site.kdl", f"""site {{
            listeners {{ "{self.secure}" cert-path="site.pem" key-path="site.key"; }}
            path-control {{
                request-filters {{ filter kind="block-cidr-range" addrs-file="blocked"; }}
            }}
            respond body="{{file.token}}"
        }}""")

    def start(self, path, **how):
        return self.river("", text="services { }", threads=None,
                          launcher=(*ELSEWHERE, self.start_directory, path), **how)

    def check(self, path):
        return subprocess.run([harness.BINARY, "check", path], cwd=self.start_directory,
                              capture_output=True, text=True, check=False)

    def shows(self):
        """The word of the file, of the value, and of the certificate's issuer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with context.wrap_socket(connect(self.secure).socket, server_hostname="a.example") as tls:
            tls.sendall(get().encode() if isinstance(get(), str) else get())
            answer = tls.recv(10000).decode()
            issued = tls.getpeercert(binary_form=True)
        words = [ask(self.listen, "/").body.decode().split()[0],
                 answer.rsplit("\n", 1)[-1].split()[0]]
        words += [word for word in ("conf", "start") if f"{word}-ca".encode() in issued]
        return words


class FromElsewhere(RelativeTest):
    def test_paths_count_from_the_configuration_by_a_relative_and_an_absolute_path(self):
        self.fill("conf", "conf")
        self.configure("conf")
        for path in ("../conf/river.kdl", os.path.join(self.base, "conf", "river.kdl")):
            checked = self.check(path)
            self.assertEqual((checked.returncode, checked.stderr), (0, ""))
            river = self.start(path)
            self.assertEqual(self.shows(), ["conf"] * 3)
            self.configure("conf", f'x {{ listeners {{ "{self.port()}"; }}\n respond\n }}')
            done = reload(river)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.shows(), ["conf"] * 3)
            self.configure("conf")
            self.write("conf/token", "conf token\n")
            river.close()

    def test_what_is_only_where_river_was_started_is_used_with_one_warning(self):
        self.fill("start", "start")
        self.configure("conf")
        checked = self.check("../conf/river.kdl")
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertEqual(checked.stderr.count("is only where River was started"), 1)
        self.assertIn("move it to ../conf/", checked.stderr)
        river = self.start("../conf/river.kdl")
        self.assertEqual(self.shows(), ["start"] * 3)
        os.rename(os.path.join(self.base, "start", "site.pem"),
                  os.path.join(self.base, "start", "away.pem"))
        self.assertEqual(reload(river).returncode, 1)
        self.assertEqual(self.shows(), ["start"] * 3)

    def test_a_certificate_that_has_vanished_where_river_was_started_is_kept(self):
        self.fill("start", "start")
        self.configure("conf")
        with open(os.path.join(self.base, "conf", "more", "site.kdl"), encoding="utf-8") as file:
            site = file.read()
        self.write("conf/more/site.kdl", "")
        self.configure_alone(site)
        river = self.start("../conf/river.kdl")
        os.rename(os.path.join(self.base, "start", "site.pem"),
                  os.path.join(self.base, "start", "away.pem"))
        river.signal(signal.SIGHUP)  # which renews certificates, whatever else is wrong
        wait_until(lambda: "not renewed: cannot read site.pem" in river.errors(), "it is logged")
        self.assertEqual(self.shows(), ["start"] * 3)

    def configure_alone(self, site):
        with open(os.path.join(self.base, "conf", "river.kdl"), encoding="utf-8") as file:
            text = file.read()
        self.write("conf/river.kdl", text.replace('include "more/*.kdl"', site))

    def test_what_is_in_both_counts_from_the_configuration_with_a_warning(self):
        self.fill("start", "start")
        self.fill("conf", "conf")
        self.configure("conf")
        checked = self.check("../conf/river.kdl")
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertEqual(checked.stderr.count("which counts, and another one is where River"), 1)
        self.start("../conf/river.kdl")
        self.assertEqual(self.shows(), ["conf"] * 3)

    def test_what_is_nowhere_is_missed_where_it_should_be(self):
        self.configure("conf")
        checked = self.check("../conf/river.kdl")
        self.assertEqual(checked.returncode, 1)
        self.assertIn("cannot read ../conf/token", checked.stderr)
        self.assertNotIn("River was started", checked.stderr)

    def test_the_directory_of_the_start_changes_nothing(self):
        self.fill("start", "start")
        self.configure("start")
        for path in ("river.kdl", "./river.kdl", os.path.join(self.start_directory, "river.kdl")):
            checked = self.check(path)
            self.assertEqual((checked.returncode, checked.stderr), (0, ""))
            river = self.start(path)
            self.assertEqual(self.shows(), ["start"] * 3)
            river.close()

    def test_a_renewed_certificate_and_a_link_are_followed_there(self):
        self.fill("conf", "conf")
        self.configure("conf")
        top = os.path.join(self.base, "conf")
        os.rename(os.path.join(top, "www"), os.path.join(top, "a"))
        os.symlink("a", os.path.join(top, "www"))
        self.write("conf/b/index.html", "next file")
        self.start("../conf/river.kdl")
        self.assertEqual(self.shows(), ["conf"] * 3)
        os.symlink("b", os.path.join(top, "new"))
        os.rename(os.path.join(top, "new"), os.path.join(top, "www"))
        wait_until(lambda: self.shows()[0] == "next", "the link is followed")

    def test_arguments_count_from_where_they_are_written(self):
        self.write("start/www/index.html", "start file")
        process = subprocess.Popen([harness.BINARY, "files", "www", "--listen", str(self.listen)],
                                   cwd=self.start_directory, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: self.answers() == b"start file", "it serves")
        finally:
            process.terminate()
            process.wait()

    def answers(self):
        try:
            return ask(self.listen, "/").body
        except OSError:
            return None


if __name__ == "__main__":
    main()
