"""Help, the manual page and the completions: made from one table, and used as people use them."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

from harness import BINARY, ROOT, SECONDS, Test, command, main, wait_until

COMMANDS = ("run proxy files init check status reload upgrade doctor defaults reasons env "
            "completion man help version").split()


def help_of(name):
    done = command(name, "--help")
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def flags_in(text):
    """(name, words that its values need) of each flag in a help text."""
    for name, values in re.findall(r"^  (--[a-z-]+)((?: [A-Z0-9][\w.|]*)*)  ", text, re.M):
        yield name, values.split()


def on_a_terminal(*arguments, **environment):
    """What a command prints when its output is a terminal."""
    parent, child = pty.openpty()
    names = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")}
    process = subprocess.Popen([BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=child,
                               stderr=child, env={**names, "TERM": "xterm", **environment})
    os.close(child)
    output = b""
    while True:
        try:
            output += os.read(parent, 65536)
        except OSError:  # the other end is closed
            break
    os.close(parent)
    process.wait(SECONDS)
    return output.decode()


class Help(Test):
    def test_each_command_has_its_own_with_two_examples(self):
        overview = command("--help").stdout
        for name in COMMANDS:
            with self.subTest(command=name):
                text = help_of(name)
                self.assertIn(f"\n  {name} ", overview)
                self.assertTrue(text.startswith(f"river {name} - "), text)
                self.assertEqual(command("help", name).stdout, text)
                examples = text.split("Examples:\n")[1].splitlines()
                self.assertEqual(len(examples), 4)
                for line in examples[::2]:
                    self.assertIn("river", line)
        self.assertEqual(sorted(re.findall(r"^  ([a-z]+)(?: .*)?$", overview.split("Commands:")[1]
                                           .split("\n\n")[0], re.M)), sorted(COMMANDS))

    def test_the_flags_that_it_lists_are_accepted_and_others_are_not(self):
        every = {name: values for c in COMMANDS for name, values in flags_in(help_of(c))}
        self.assertIn("--origin-ca", every)
        for name in COMMANDS:
            own = dict(flags_in(help_of(name)))
            self.assertIn("--help", own)
            for flag, values in every.items():
                values = [value.split("|")[0] for value in values]
                values = ["2" if value == "N" else value for value in values]
                done = command(name, flag, *values, "--help")
                with self.subTest(command=name, flag=flag):
                    self.assertEqual(done.returncode, 0 if flag in own else 2, done.stderr)
                    if flag not in own:
                        self.assertIn(f"`river {name} --help` tells more", done.stderr)

    def test_what_is_unknown_points_to_the_right_help(self):
        for arguments, said in ((["check", "--jsn"], "`river check --help` tells more"),
                                (["status", "--jsn"], "unknown flag --jsn; did you mean --json?"),
                                (["--jsn"], "`river --help` tells more"),
                                (["help", "chekc"], "did you mean check?"),
                                (["site.kdl"], "to run it: river run site.kdl")):
            done = command(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn(said, done.stderr)

    def test_commands_in_the_manual_and_in_examples_are_right(self):
        texts = [("help of " + c, help_of(c).split("Examples:\n")[1]) for c in COMMANDS]
        pages = [os.path.join(ROOT, "docs", "manual", p)
                 for p in os.listdir(os.path.join(ROOT, "docs", "manual"))]
        for path in [os.path.join(ROOT, "README.md"), *pages]:
            with open(path, encoding="utf-8") as file:
                texts.append((os.path.basename(path), file.read()))
        count = 0
        for where, text in texts:
            for line in re.findall(r"^(?:    |  |\$ |)river ((?:[a-z]+|--)[^\n]*)", text, re.M):
                line = re.sub(r"[\[\]]", "", line)
                words = re.split(r" +[#|>&;]|\|\|| \(| - |  ", line)[0].split()
                if words[0] not in COMMANDS and not words[0].startswith("--"):
                    continue  # a sentence
                done = command(*words, "--help")
                self.assertEqual(done.returncode, 0, f"{where}: river {line}\n{done.stderr}")
                count += 1
        self.assertGreater(count, 40)


class Colours(Test):
    def test_only_on_a_terminal_and_not_with_no_color(self):
        path = os.path.join(self.directory(), "wrong.kdl")
        with open(path, "w", encoding="utf-8") as file:
            file.write("nonsense\n")
        for arguments in (["--help"], ["proxy", "--help"], ["check", path]):
            with self.subTest(arguments=arguments):
                self.assertIn("\x1b[", on_a_terminal(*arguments))
                self.assertIn("\x1b[", on_a_terminal(*arguments, NO_COLOR=""))
                self.assertNotIn("\x1b", on_a_terminal(*arguments, NO_COLOR="1"))
                self.assertNotIn("\x1b", on_a_terminal(*arguments, TERM="dumb"))
                done = command(*arguments)
                self.assertNotIn("\x1b", done.stdout + done.stderr)


class ManualPage(Test):
    def test_man_shows_it_without_a_warning(self):
        page = os.path.join(self.directory(), "river.1")
        with open(page, "w", encoding="utf-8") as file:
            file.write(command("man").stdout)
        done = subprocess.run(["man", "--warnings=w", "-l", page], capture_output=True, text=True,
                              timeout=SECONDS, check=False,
                              env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8",
                                   "MAN_KEEP_FORMATTING": "", "MANPAGER": "cat"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        text = re.sub(r".\x08|\x1b\[[0-9;]*m", "", done.stdout)
        for name in COMMANDS:
            self.assertRegex(text, rf"(?m)^   river {name} \[FLAGS\]")
            for flag, _ in flags_in(help_of(name)):
                self.assertIn(flag, text)
            for line in help_of(name).split("Examples:\n")[1].splitlines()[::2]:
                self.assertIn(" ".join(line.split()), " ".join(text.split()))


class Shell:
    """An interactive shell on a terminal, in which `river` prints its arguments."""

    def __init__(self, program, setup, directory):
        parent, child = pty.openpty()
        self.fd = parent
        environment = {"PATH": os.environ["PATH"], "HOME": directory, "TERM": "xterm",
                       "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(program, stdin=child, stdout=child, stderr=child,
                                        cwd=directory, env=environment, start_new_session=True)
        os.close(child)
        self.seen = ""
        for line in setup:
            self.write(line + "\n")
        self.write("echo rea''dy\n")
        wait_until(lambda: self.read() and "\nready" in self.seen, "the shell")

    def write(self, text):
        os.write(self.fd, text.encode())

    def read(self):
        while select.select([self.fd], [], [], 0.05)[0]:
            self.seen += os.read(self.fd, 65536).decode(errors="replace")
            self.seen = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]|\r", "", self.seen)
        return True

    def types(self, text):
        """The arguments that `river` gets when this is typed; \\t completes."""
        self.seen = ""
        for piece in re.split(r"(?<=\t)", text):
            self.write(piece)
            time.sleep(0.15)
            self.read()
        self.write("\n")

        def arguments():
            self.read()
            return re.search(r"\nGOT:([^\r\n]*)", self.seen)
        return wait_until(arguments, f"an answer to {text!r}, not {self.seen!r}")[1].strip()

    def close(self):
        os.close(self.fd)  # hangs up
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


# What is typed, and what it becomes. Where a flag's value follows, zsh writes `=`.
TYPED = (("river pro\t3000", "proxy 3000"),
         ("river status --j\t", "status --json"),
         ("river --config-k\tx", "--config-kdl x"),
         ("river check sit\t", "check site.kdl"),
         ("river check --comp\t0.5 x", "check --compat 0.5 x"),
         ("river check --kdl-version 1\tx", "check --kdl-version 1 x"),
         ("river proxy 3000 --cert my\t", "proxy 3000 --cert my.pem"),
         ("river proxy 3000 --cert=my\t", "proxy 3000 --cert my.pem"),
         ("river init --tls my.\tother.k\t", "init --tls my.pem other.key"),
         ("river files pub\t", "files public"),
         ("river completion f\t", "completion fish"),
         ("river help comp\t", "help completion"))


class Completion(Test):
    def prepare(self, shell):
        directory = self.directory()
        for name in ("site.kdl", "my.pem", "other.key", "public.txt"):
            with open(os.path.join(directory, name), "w", encoding="utf-8"):
                pass
        os.mkdir(os.path.join(directory, "public"))
        os.mkdir(os.path.join(directory, "functions"))
        with open(os.path.join(directory, "functions", "_river"), "w", encoding="utf-8") as file:
            file.write(command("completion", shell).stdout)
        if not shutil.which(shell):
            self.skipTest(f"there is no {shell}")
        return directory

    def try_all(self, shell):
        for typed, wanted in TYPED:
            with self.subTest(typed=typed):
                self.assertEqual(shell.types(typed).replace("=", " ").removesuffix("/"), wanted)

    def test_bash(self):
        directory = self.prepare("bash")
        shell = Shell(["bash", "--norc", "--noprofile", "-i"],
                      ["river() { printf 'GOT:%s\\n' \"$*\"; }", "source functions/_river"],
                      directory)
        self.own(shell)
        self.try_all(shell)

    def test_zsh(self):
        """Both as a file that compinit finds, and by `source`."""
        for load in ("fpath=($PWD/functions $fpath)", None):
            directory = self.prepare("zsh")
            shell = Shell(["zsh", "-f", "-i"],
                          ["unsetopt zle_bracketed_paste 2>/dev/null; unset zle_bracketed_paste",
                           load or ":", "autoload -Uz compinit && compinit -u -D",
                           ":" if load else "source functions/_river",
                           "river() { print -r -- GOT:$* }"], directory)
            self.own(shell)
            self.try_all(shell)

    def test_fish(self):
        directory = self.prepare("fish")
        for typed, wanted in TYPED:
            if typed.count("\t") > 1 or "=" in typed:
                continue
            start = typed.split("\t")[0]
            script = f"source functions/_river; complete -C '{start}'"
            done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True,
                                  text=True, timeout=SECONDS, check=False, cwd=directory,
                                  env={**os.environ, "HOME": directory})
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            offers = [line.split("\t")[0] for line in done.stdout.splitlines()]
            before = start.rsplit(" ", 1)[0].removeprefix("river").split()
            wanted = wanted.split()[len(before)]
            with self.subTest(typed=typed):
                self.assertEqual([offer.removesuffix("/") for offer in offers], [wanted])


if __name__ == "__main__":
    main()
