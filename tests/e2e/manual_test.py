"""The manual's examples are right, and every option that works stands in one of them."""

import os
import re
import subprocess
import tempfile
import unittest

import certificates
import harness

MANUAL = os.path.join(harness.ROOT, "docs", "manual")
UNSUPPORTED = re.compile(r"not supported yet", re.I)
SECTIONS_LATER = ("acme",)
OPTIONS_LATER = ("refresh-bounds", "min-seconds", "max-seconds")


def examples(language="kdl"):
    """(page, number, text) of each block of KDL, or of another language."""
    for page in sorted(os.listdir(MANUAL)):
        with open(os.path.join(MANUAL, page), encoding="utf-8") as file:
            for number, block in enumerate(re.findall(rf"^```{language}\n(.*?)^```",
                                                      file.read(), re.M | re.S), 1):
                yield page, number, block


def options_that_work():
    """Names of options in the reference, without the sections of later features."""
    with open(os.path.join(MANUAL, "reference.md"), encoding="utf-8") as file:
        section = ""
        for line in file:
            if line.startswith("## "):
                section = line
            row = re.match(r"\| `(?:\S+ )?([a-z0-9-]+)[= ]?.*?` \|", line)
            later = any(name in section for name in SECTIONS_LATER)
            if row and not later and not UNSUPPORTED.search(line.split("(not")[0]):
                if row[1] not in OPTIONS_LATER:
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
    os.rename(clients.crl(), os.path.join(directory, "clients.crl"))
    for path, word in (("blocked.txt", "scanners"), ("sites/shop.kdl", "Shop {")):
        os.makedirs(os.path.dirname(os.path.join(directory, path)), exist_ok=True)
        with open(os.path.join(directory, path), "w", encoding="utf-8") as file:
            file.write("\n".join(text for _, _, text in examples("text") if word in text))
    with open(os.path.join(directory, "token.txt"), "w", encoding="utf-8") as file:
        file.write("a secret\n")


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

    def test_every_option_stands_in_an_example(self):
        text = "\n".join(block for _, _, block in examples())
        names = set(options_that_work())
        self.assertIn("head-timeout-ms", names)
        missing = sorted(name for name in names if not re.search(rf"\b{name}\b", text))
        self.assertEqual(missing, [])


if __name__ == "__main__":
    harness.main()
