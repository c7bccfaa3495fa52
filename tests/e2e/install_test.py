"""`make install`: each file is where its reader looks for it, is understood there, and goes."""

import os
import shutil
import signal
import subprocess
import unittest

import certificates
from harness import (BINARY, ROOT, SECONDS, Test, always, answer, command, get, main, proxy,
                     wait_until)

FILES = {"bin/river", "lib/systemd/system/river.service", "lib/systemd/system/river.socket",
         "lib/sysusers.d/river.conf", "lib/tmpfiles.d/river.conf", "share/man/man1/river.1",
         "share/bash-completion/completions/river", "share/zsh/site-functions/_river",
         "share/fish/vendor_completions.d/river.fish"}
NEEDS_ROOT = unittest.skipUnless(os.geteuid() == 0, "only root may do that")


def make(target, **variables):
    """`make TARGET NAME=VALUE...`: what it prints."""
    done = subprocess.run(["make", "-s", "-C", ROOT, target,
                           *(f"{name}={value}" for name, value in variables.items())],
                          capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "RIVER_BINARY": os.path.abspath(BINARY)})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files_below(directory):
    return {os.path.relpath(os.path.join(place, name), directory)
            for place, _, names in os.walk(directory) for name in names}


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def needs(program):
    return unittest.skipUnless(shutil.which(program), f"there is no {program}")


class Install(Test):
    def install(self):
        """Into a directory that is its prefix: everything can be used from there."""
        directory = self.directory()
        make("install", PREFIX=directory, SYSCONFDIR=directory + "/etc")
        return directory

    def run_it(self, *arguments, **options):
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False,
                              **options)
        self.assertEqual((done.returncode, done.stderr), (0, ""), arguments)
        return done.stdout

    def test_destdir_is_where_files_are_put_and_not_named_in_them(self):
        destination = self.directory()
        make("install", DESTDIR=destination, PREFIX="/usr")
        found = files_below(destination)
        self.assertEqual(found, {"usr/" + name for name in FILES} |
                         {"etc/logrotate.d/river", "etc/river/river.kdl"})
        for name in found - {"usr/bin/river"}:
            self.assertNotIn(destination, read(destination, name))
            self.assertEqual(os.stat(os.path.join(destination, name)).st_mode & 0o777, 0o644)
        self.assertIn("ExecStart=/usr/bin/river run /etc/river/river.kdl",
                      read(destination, "usr/lib/systemd/system/river.service"))
        make("uninstall", DESTDIR=destination, PREFIX="/usr")
        self.assertEqual(files_below(destination), set())

    def test_a_changed_configuration_stays(self):
        directory = self.install()
        path = os.path.join(directory, "etc", "river", "river.kdl")
        with open(path, "a", encoding="utf-8") as file:
            file.write("// mine\n")
        changed = read(path)
        said = make("install", PREFIX=directory, SYSCONFDIR=directory + "/etc")
        self.assertIn("stays as it is", said)
        self.assertEqual(read(path), changed)
        self.assertIn("was changed and stays",
                      make("uninstall", PREFIX=directory, SYSCONFDIR=directory + "/etc"))
        self.assertEqual(files_below(directory), {"etc/river/river.kdl"})
        self.assertEqual(read(path), changed)

    def test_the_programs_find_them(self):
        directory = self.install()
        river = os.path.join(directory, "bin", "river")
        self.assertEqual(self.run_it(river, "--version"), command("--version").stdout)
        for shell, path in (("bash", "bash-completion/completions/river"),
                            ("zsh", "zsh/site-functions/_river"),
                            ("fish", "fish/vendor_completions.d/river.fish")):
            self.assertEqual(read(directory, "share", path), command("completion", shell).stdout)
        if shutil.which("man"):
            self.assertIn("river proxy", self.run_it(
                "man", "-M", os.path.join(directory, "share", "man"), "river",
                env={**os.environ, "MANPAGER": "cat", "LC_ALL": "C.UTF-8"}))

    @needs("systemd-analyze")
    def test_systemd_understands_the_units(self):
        directory = self.install()
        units = os.path.join(directory, "lib", "systemd", "system")
        self.assertEqual(self.run_it("systemd-analyze", "--no-pager", "verify",
                                     os.path.join(units, "river.service"),
                                     os.path.join(units, "river.socket")), "")

    @NEEDS_ROOT
    @needs("systemd-sysusers")
    def test_the_user_and_the_directories_are_made(self):
        destination = self.directory()
        make("install", DESTDIR=destination, PREFIX="/usr")
        self.run_it("systemd-sysusers", "--root=" + destination, "river.conf",
                    env={**os.environ, "SYSTEMD_LOG_LEVEL": "err"})
        entry = [line.split(":") for line in read(destination, "etc", "passwd").splitlines()
                 if line.startswith("river:")][0]
        self.assertIn("nologin", entry[6])
        self.assertIn("\nriver:", "\n" + read(destination, "etc", "group"))
        self.run_it("systemd-tmpfiles", "--root=" + destination, "--create", "river.conf")
        for name, mode in (("run/river", 0o755), ("var/lib/river", 0o700),
                           ("var/log/river", 0o750)):
            self.assertEqual(os.stat(os.path.join(destination, name)).st_mode & 0o777, mode)

    def test_the_configuration_is_right(self):
        """But for the user, whom only the installation adds; its comments are right, too."""
        directory = self.install()
        own = certificates.Authority(directory, "own-ca")
        own.issue("site", ["a.example"])
        text = read(directory, "etc", "river", "river.kdl")
        self.assertIn('user "river"', text)
        text = text.replace('user "river"', 'user "nobody"')
        self.assertIn('// "[::]:443"', text)
        tls = text.replace('// "[::]:443"', '"[::]:443"').replace(
            directory + "/etc/river/site", directory + "/site")
        for one in (text, tls):
            path = os.path.join(directory, "try.kdl")
            with open(path, "w", encoding="utf-8") as file:
                file.write(one)
            self.assertEqual(self.run_it(BINARY, "check", path),
                             f"{path}: configuration is valid, 1 service\n")

    @needs("logrotate")
    def test_logs_are_rotated_without_losing_a_line(self):
        directory = self.install()
        logs = os.path.join(directory, "log")
        os.mkdir(logs, 0o700)
        log = os.path.join(logs, "access.log")
        port = self.port()
        river = self.river(proxy(port, self.origin(always(answer("x")))),
                           f'log {{ access "{log}" format="json"; }}')
        self.connect(port).ask(get("/before"))
        wait_until(lambda: "/before" in read(log), "the first line")
        # systemctl, as far as the file uses it.
        programs = os.path.join(directory, "programs")
        os.mkdir(programs)
        with open(os.path.join(programs, "systemctl"), "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\n[ "$*" = "kill --kill-who=main --signal=USR1 river.service" ] '
                       f'&& kill -USR1 {river.pid}\n')
        os.chmod(file.name, 0o755)
        rules = os.path.join(directory, "rules")
        with open(rules, "w", encoding="utf-8") as file:
            file.write(read(directory, "etc", "logrotate.d", "river")
                       .replace("/var/log/river", logs))
        os.chmod(rules, 0o644)
        for turn in range(3):
            self.run_it("logrotate", "--force", "--state", os.path.join(directory, "state"), rules,
                        env={**os.environ, "PATH": programs + ":" + os.environ["PATH"]})
            wait_until(lambda: os.path.exists(log), "a new log")
            self.connect(port).ask(get(f"/turn-{turn}"))
            wait_until(lambda t=turn: f"/turn-{t}" in read(log), "its line")
        self.assertEqual(sorted(os.listdir(logs)),
                         ["access.log", "access.log.1", "access.log.2.gz", "access.log.3.gz"])
        self.assertIn("/turn-1", read(logs, "access.log.1"))
        river.signal(signal.SIGTERM)
        self.assertEqual(river.wait(SECONDS), 0)


if __name__ == "__main__":
    main()
