"""The soak under trouble, in its short form: real clients of many kinds while an origin is stopped,
killed and started; nothing may hang or be left over (tests/soak/trouble.py)."""

import os
import shutil
import sys
import unittest

from harness import ROOT, Test, is_sanitized, main

sys.path.insert(0, os.path.join(ROOT, "tests", "soak"))
import trouble  # pylint: disable=wrong-import-position,wrong-import-order

TOOLS = ("curl", "nginx", "git", "wrk", "h2load")


@unittest.skipUnless(all(shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin")
                         for tool in TOOLS), "a client or a server is not here")
class Trouble(Test):
    def test_nothing_hangs_and_nothing_is_left_over_while_an_origin_comes_and_goes(self):
        problems, _ = trouble.soak(0.5, bytes=(8 if is_sanitized() else 40) << 20,
                                   percent=100)
        self.assertEqual(problems, [])


if __name__ == "__main__":
    main()
