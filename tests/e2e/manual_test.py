"""The manual's examples are right, and every option that works stands in one of them."""

import os
import re
import subprocess
import tempfile
import unittest

import certificates
import harness

MANUAL = os.path.join(harness.ROOT, "docs", "manual")
LATER = "## Not supported yet"
OPTIONS_LATER = ("refresh-bounds", "min-seconds", "max-seconds")  # of looking names up


def examples(language="kdl"):
    """(page, number, text) of each block of KDL, or of another language."""
    for page in sorted(os.listdir(MANUAL)):
        with open(os.path.join(MANUAL, page), encoding="utf-8") as file:
            for number, block in enumerate(re.findall(rf"^```{language}\n(.*?)^```",
                                                      file.read(), re.M | re.S), 1):
                yield page, number, block


def options_that_work():
    """Names of options in the reference, without those of later features at its end."""
    with open(os.path.join(MANUAL, "reference.md"), encoding="utf-8") as file:
        for line in file.read().split(LATER)[0].splitlines():
            row = re.match(r"\| `(?:\S+ )?([a-z0-9-]+)[= ]?.*?` \|", line)
            if row and row[1] not in OPTIONS_LATER:
                yield row[1]


def make_certificates(directory):
    """The files that the examples name, by relative paths."""
    own = certificates.Authority(directory, "own-ca")
    clients = certificates.Authority(directory, "clients-ca")
    for name, kind in (("site", "ecdsa"), ("site-rsa", "rsa")):
        own.ocsp(own.issue(name, ["www.example.org"], kind=kind))
    own.issue("shop", ["shop.example.org"])
    own.issue("river")
    for name in ("orders", "gateway"):
        clients.issue(name, [name + ".internal"])
    os.symlink(clients.pem, os.path.join(directory, "ca.pem"))
    os.symlink(os.path.join(directory, "clients.crl"), os.path.join(directory, "ca.crl"))
    os.mkdir(os.path.join(directory, "www"))
    os.makedirs(os.path.join(directory, "releases", "42"))
    os.symlink("releases/42", os.path.join(directory, "current"))
    os.rename(clients.crl(), os.path.join(directory, "clients.crl"))
    for path, word in (("blocked.txt", "scanners"), ("sites/shop.kdl", "Shop {")):
        os.makedirs(os.path.dirname(os.path.join(directory, path)), exist_ok=True)
        with open(os.path.join(directory, path), "w", encoding="utf-8") as file:
            file.write("\n".join(text for _, _, text in examples("text") if word in text))
    with open(os.path.join(directory, "token.txt"), "w", encoding="utf-8") as file:
        file.write("a secret\n")
    for name in ("404.html", "sorry.html"):
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write("<!doctype html><title>Sorry</title>\n")


class Manual(unittest.TestCase):

    def test_every_example_is_right(self):
        count = 0
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        make_certificates(directory.name)
        for page, number, text in examples():
            with self.subTest(page=page, number=number), \
                    tempfile.NamedTemporaryFile("w", dir=directory.name) as file:
                file.write(text)
                file.flush()
                done = subprocess.run([harness.BINARY, "check", file.name], capture_output=True,
                                      text=True, timeout=harness.SECONDS, check=False,
                                      cwd=directory.name)
                self.assertEqual(done.returncode, 0, f"{page}, example {number}:\n{done.stderr}")
            count += 1
        self.assertGreaterEqual(count, 7)

    def test_examples_in_toml_are_right(self):
        texts = [text for _, _, text in examples("toml")]
        self.assertGreaterEqual(len(texts), 1)
        for text in texts:
            with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
                file.write(text)
                file.flush()
                done = subprocess.run([harness.BINARY, "check", file.name], capture_output=True,
                                      text=True, timeout=harness.SECONDS, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_reference_hides_nothing(self):
        with open(os.path.join(MANUAL, "reference.md"), encoding="utf-8") as file:
            works, later = file.read().split(LATER)
        rows = [line for line in works.splitlines() if line.startswith("| `")]
        self.assertGreater(len(rows), 150)
        self.assertFalse([row for row in rows if "*Not supported" in row])
        self.assertIn("`domain hook=`", later)
        tasks = works.split("\n## ")[1:]
        for task in tasks:
            self.assertEqual(task.count("```kdl"), 1, task)
            self.assertIn("\n### `", task)
        sections = re.findall(r"^### `(.*?)`$", works, re.M)
        self.assertEqual(len(sections), len(set(sections)))
        for section in sections:
            done = subprocess.run([harness.BINARY, "defaults", section], capture_output=True,
                                  text=True, timeout=harness.SECONDS, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(done.stdout.startswith(f"// {section}:\n"), done.stdout)
        done = subprocess.run([harness.BINARY, "defaults", "overlord"], capture_output=True,
                              text=True, timeout=harness.SECONDS, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("overlord", done.stderr)

    def test_every_column_of_the_status_is_defined(self):
        with open(os.path.join(MANUAL, "running.md"), encoding="utf-8") as file:
            text = file.read()
        for source in ("status.c", "status_certificates.c"):
            with open(os.path.join(harness.ROOT, "src", "admin", source),
                      encoding="utf-8") as file:
                names = set(re.findall(r'"((?:[A-Z][A-Z]+|[2-5]xx)(?: [A-Z]+)*)"', file.read()))
            self.assertGreaterEqual(len(names), 5)
            for name in names:
                self.assertRegex(text, rf"\| [^|]*`{name}`[^|]*\|", source)

    def test_every_option_stands_in_an_example(self):
        text = "\n".join(block for _, _, block in examples())
        names = set(options_that_work())
        self.assertIn("head-timeout-ms", names)
        missing = sorted(name for name in names if not re.search(rf"\b{name}\b", text))
        self.assertEqual(missing, [])


if __name__ == "__main__":
    harness.main()
