"""Headless Chromium, for tests that want to know what a browser makes of what River sends."""

import os
import shutil
import subprocess
import unittest

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--ignore-certificate-errors", "--disable-dev-shm-usage", "--hide-scrollbars"]
SECONDS_MAX = 90
DARK = "--blink-settings=preferredColorScheme=0"


def chromium(directory, url, *flags, milliseconds=5000):
    """Loads a page, with a profile below `directory`; the page's own clock runs so many
    milliseconds. What came out is the DOM (--dump-dom); errors of the page stand in .stderr
    as lines with CONSOLE in them (--enable-logging=stderr)."""
    program = shutil.which("chromium")
    if not program:
        raise unittest.SkipTest("chromium is not here (tools/setup test installs it)")
    return subprocess.run([program, *FLAGS, f"--virtual-time-budget={milliseconds}",
                           f"--user-data-dir={directory}/profile", *flags, url],
                          capture_output=True, text=True, timeout=SECONDS_MAX, check=False,
                          env={**os.environ, "HOME": directory})
