"""h2spec against a listener with TLS: what fails is what h2spec_expected.txt lists, no more and no
less. It is built by Go, once, into the user's cache; where that cannot be, the test is skipped."""

import os
import re
import subprocess
import xml.etree.ElementTree

import certificates
from go_program import go_programs
from harness import Test, main

HERE = os.path.dirname(os.path.abspath(__file__))
MODULE = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible"


def expected():
    with open(os.path.join(HERE, "h2spec_expected.txt"), encoding="utf-8") as file:
        lines = [line.split(None, 1) for line in file if line.strip() and line[0] != "#"]
    return {name: reason.strip() for name, reason in lines}


def outcome(report):
    """From the report: the names of all cases, and of those that failed."""
    names, failed = [], {}
    numbers = {}
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        section = case.get("package")
        numbers[section] = numbers.get(section, 0) + 1
        name = f"{section}/{numbers[section]}"
        names.append(name)
        if case.find("failure") is not None or case.find("error") is not None:
            failed[name] = re.sub(r"\s+", " ", case.get("classname"))
    return names, failed


class H2Spec(Test):
    def test_what_fails_is_what_is_listed(self):
        path, = go_programs("h2spec-2.2.1", MODULE)
        place = self.directory()
        site = certificates.Authority(place, "ca").issue("site", ["localhost", "127.0.0.1"])
        port = self.port()
        self.river('App { listeners { "%s" cert-path="%s" key-path="%s"; }\n'
                   'respond status=200 body="hello"\n}' % (port, site.chain, site.key))
        report = os.path.join(place, "report.xml")
        done = subprocess.run([path, "-t", "-k", "-h", "localhost", "-p", str(port.number), "-o",
                               "3", "-j", report], stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=250, check=False)
        self.assertTrue(os.path.exists(report), done.stdout[-2000:] + done.stderr)
        names, failed = outcome(report)
        print(f"h2spec: {len(names)} cases, {len(names) - len(failed)} passed")
        self.assertGreaterEqual(len(names), 145)
        known = expected()
        self.assertEqual({n: d for n, d in failed.items() if n not in known}, {}, "new failures")
        self.assertEqual(set(known) - set(failed), set(), "these pass now: take them off the list")


if __name__ == "__main__":
    main()
