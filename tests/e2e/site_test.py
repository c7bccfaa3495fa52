#!/usr/bin/env python3
"""The manual as a web site: it builds, River serves it, and a browser shows it as it should.

With SCREENSHOTS=DIRECTORY the pictures that the browser took are kept there, to be looked at.
"""

import html.parser
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse

from browser import DARK, chromium
from harness import ROOT, SECONDS, Test, get, main

BUILD_SECONDS_MAX = 5  # it takes a third of one; the machine may be busy
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
PNG_BYTES_MIN = 20000  # an empty page has a quarter of that
PHONE, DESKTOP = 360, 1280

# Loads each page in a frame of each width, and says what a reader would notice.
PROBE = """
const pages = %s, widths = %s, report = {};
function measure(frame, page, width) {
  const at = frame.contentDocument, root = at.documentElement, form = at.getElementById("search");
  const nav = at.querySelector("nav");
  report[page + "@" + width] = {
    overflow: root.scrollWidth - root.clientWidth,
    contents: !!nav && frame.contentWindow.getComputedStyle(nav).display !== "none",
    search: !!form && !form.hidden,
    background: frame.contentWindow.getComputedStyle(at.body).backgroundColor,
  };
}
function load(page, width) {
  return new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.style = `width: ${width}px; height: 800px; border: 0`;
    frame.onload = () => done(frame);
    frame.src = page;
    document.body.append(frame);
  });
}
async function search(words) {
  const frame = await load("index.html", 1280), at = frame.contentDocument;
  const field = at.querySelector("#search input");
  field.value = words;
  field.dispatchEvent(new Event("input"));
  for (let i = 0; i < 100 && !frame.contentWindow.riverIndex; i++)
    await new Promise((done) => setTimeout(done, 20));
  await new Promise((done) => setTimeout(done, 20));
  report[words] = [...at.querySelectorAll("#found a")].map((a) => a.getAttribute("href"));
  frame.remove();
}
(async () => {
  for (const page of pages) for (const width of widths) {
    const frame = await load(page, width);
    measure(frame, page, width);
    frame.remove();
  }
  for (const words of ["max-header-bytes", "Websocket EXTENDED", "no such words anywhere"])
    await search(words);
  const out = document.createElement("pre");
  out.id = "report";
  out.textContent = JSON.stringify(report);
  document.body.append(out);
})();
"""


def build(directory, root=ROOT):
    return subprocess.run([sys.executable, os.path.join(root, "tools", "site", "build.py"),
                           directory], capture_output=True, text=True, timeout=SECONDS,
                          check=False)


def contents(directory):
    """Names and bytes of all files."""
    found = {}
    for name in sorted(os.listdir(directory)):
        with open(os.path.join(directory, name), "rb") as file:
            found[name] = file.read()
    return found


class Document(html.parser.HTMLParser):
    """What a page refers to, and what it can be referred to by."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.policies = [], [], [], []
        self.current = 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        fields = dict(attributes)
        self.tags.append(tag)
        self.ids += [fields["id"]] if "id" in fields else []
        self.links += [fields[name] for name in ("href", "src") if name in fields]
        self.current += fields.get("aria-current") == "page"
        if fields.get("http-equiv") == "Content-Security-Policy":
            self.policies.append(fields["content"])
        assert "style" not in fields and not any(name.startswith("on") for name in fields), tag


class Builder(Test):
    """What makes the pages."""

    def copy(self):
        """What the site is made of, to be spoiled."""
        root = os.path.join(self.directory(), "tree")
        for part in ("docs", "tools"):
            shutil.copytree(os.path.join(ROOT, part), os.path.join(root, part))
        shutil.copy(os.path.join(ROOT, "meson.build"), root)
        return root

    def spoiled(self, page, text):
        """What the build says when this stands at the end of a page."""
        root, out = self.copy(), self.directory()
        with open(os.path.join(root, page), "a", encoding="utf-8") as file:
            file.write(text)
        done = build(out, root)
        return done, out

    def test_the_same_text_gives_the_same_bytes_quickly(self):
        one, other = self.directory(), self.directory()
        start = time.monotonic()
        done = build(one)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertLess(time.monotonic() - start, BUILD_SECONDS_MAX)
        build(other, self.copy())
        self.assertEqual(contents(one), contents(other))
        before = {name: os.stat(os.path.join(one, name)).st_mtime_ns for name in os.listdir(one)}
        with open(os.path.join(one, "gone.html"), "w", encoding="utf-8"):
            pass  # a chapter that there was
        self.assertEqual(build(one).returncode, 0)
        self.assertEqual({name: os.stat(os.path.join(one, name)).st_mtime_ns
                          for name in os.listdir(one)}, before)

    def test_links_that_lead_nowhere_stop_it(self):
        for link in ("nothing.md", "tls.md#no-such-heading", "#no-such-heading",
                     "reference.md#servicesnamenothing", "../../src/nothing.c", "../../../../etc",
                     "reference.md#system.daemonize-bool"):  # a row: GitHub has no such place
            with self.subTest(link=link):
                done, out = self.spoiled("docs/manual/logs.md", f"\n[there]({link})\n")
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr, r"^docs/manual/logs\.md:\d+: the link " +
                                 re.escape(link) + " leads nowhere\n$")
                self.assertEqual(os.listdir(out), [])

    def test_links_that_lead_somewhere_do_not(self):
        done, out = self.spoiled("docs/manual/logs.md", (
            "\n[a](tls.md) [b](../manual/tls.md#certificates-of-clients) [c](#logs) [d](logs.md)"
            " [e](../../meson.build) [f](https://example.org/x.md#y)\n"))
        self.assertEqual(done.stderr, "")
        page = contents(out)["logs.html"].decode()
        for text in ('<a href="tls.html">a</a>', '<a href="tls.html#certificates-of-clients">b</a>',
                     '<a href="#logs">c</a>', '<a href="#">d</a>',
                     '<span class="elsewhere" title="meson.build, in the source">e</span>',
                     '<a href="https://example.org/x.md#y">f</a>'):
            self.assertIn(text, page)

    def test_the_list_of_chapters_is_whole(self):
        done, _ = self.spoiled("docs/manual/new.md", "# New\n")
        self.assertEqual(done.stderr, "docs/manual/README.md: lists new.md 0 times, not once\n")
        done, _ = self.spoiled("docs/manual/README.md", "\n[Old](tls.md)\n")
        self.assertIn("lists tls.md 2 times", done.stderr)
        self.assertIn("calls tls.md “Old”, but its title is “TLS”", done.stderr)

    def test_markup_stays_text(self):
        done, out = self.spoiled("docs/manual/logs.md", (
            "\n<script>alert(1)</script> <b onclick='a()'>x</b> [y](javascript:alert(1)) `<i>`\n\n"
            "<style>p { color: red }</style>\n\n| `<u>` | <u> |\n|:-:|---|\n| a | b |\n\n"
            "```kdl\n<s> \"</code>\" // <s>\n```\n\n## <h1> & \"quotes\"\n"))
        self.assertEqual(done.stderr, "")
        page = contents(out)["logs.html"].decode()
        document = Document(page)
        self.assertEqual(document.tags.count("script"), 1)
        self.assertFalse({"b", "i", "u", "s", "style"} & set(document.tags))
        self.assertIn('<h2 id="h1--quotes">&lt;h1&gt; &amp; &quot;quotes&quot;', page)
        self.assertFalse(any(link.startswith("javascript") for link in document.links))

    def test_what_is_not_ours_is_left_alone(self):
        out = self.directory()
        with open(os.path.join(out, "index.html"), "w", encoding="utf-8") as file:
            file.write("precious")
        self.assertEqual(build(out).returncode, 1)
        self.assertEqual(contents(out), {"index.html": b"precious"})


class Site(Test):
    """The site behind River."""

    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="river-e2e-")
        cls.addClassCleanup(holder.cleanup)
        cls.site = holder.name
        assert build(cls.site).returncode == 0
        cls.pages = sorted(name for name in os.listdir(cls.site) if name.endswith(".html"))

    def serve(self, directory=None):
        """The port where a River serves it at /docs/, as `make run` does."""
        port = self.port()
        self.river(f'docs {{\n listeners {{ "{port}"; }}\n routes {{ route "/docs" {{ '
                   f'file-server {{ base-path "{directory or self.site}"; '
                   'strip-prefix "/docs"; }; }; }\n}\n')
        return port


class Served(Site):
    """What a client gets."""

    def test_every_page_and_part_is_served(self):
        files = contents(self.site)
        self.assertGreaterEqual(len(files), 19)
        peer = self.connect(self.serve())
        for name, data in {**files, "": files["index.html"]}.items():
            with self.subTest(name=name):
                response = peer.ask(get("/docs/" + name))
                self.assertEqual((response.status, response.body), (200, data))
                kind = TYPES[os.path.splitext(name)[1] or ".html"]
                self.assertEqual(response.get("content-type"), kind)
                again = peer.ask(get("/docs/" + name, f"If-None-Match: {response.get('etag')}"))
                self.assertEqual((again.status, again.body), (304, b""))

    def test_every_link_arrives(self):
        peer = self.connect(self.serve())
        seen, waiting, ids = {}, ["index.html"], {}
        references = []
        while waiting:
            name = waiting.pop()
            response = peer.ask(get("/docs/" + name))
            self.assertEqual(response.status, 200, name)
            seen[name] = response.body.decode()
            if not name.endswith(".html"):
                continue
            document = Document(seen[name])
            ids[name] = document.ids
            for link in document.links:
                url = urllib.parse.urljoin(name, link)
                if urllib.parse.urlsplit(url).scheme:
                    continue
                path, _, anchor = url.partition("#")
                references.append((name, path, anchor))
                if path not in seen and path not in waiting:
                    waiting.append(path)
        self.assertEqual(set(self.pages) - set(seen), set())
        index = json.loads(contents(self.site)["search-index.js"].decode().split("=", 1)[1][:-2])
        references += [("search-index.js", index["pages"][page][0], anchor)
                       for page, anchor, *_ in index["entries"]]
        for name, path, anchor in references:
            if anchor:
                self.assertIn(anchor, ids[path], f"in {name}")
        self.assertGreater(len(references), 900)

    def test_every_page_is_whole(self):
        titles = set()
        for name in self.pages:
            with self.subTest(page=name):
                text = contents(self.site)[name].decode()
                document = Document(text)
                self.assertTrue(text.startswith('<!doctype html>\n<html lang="en">'))
                self.assertEqual(document.tags.count("h1"), 1)
                self.assertEqual(document.tags.count("main"), 1)
                self.assertEqual(document.current, 1)
                self.assertEqual(len(document.ids), len(set(document.ids)))
                self.assertTrue(set(self.pages) <= set(document.links))
                self.assertRegex(text, '<meta name="description" content="[^"]{20,}">')
                self.assertIn('name="viewport" content="width=device-width', text)
                self.assertEqual(len(document.policies), 1)
                self.assertIn("default-src 'none'; style-src 'self'; script-src 'self'",
                              document.policies[0])
                titles.add(re.search("<title>(.*?)</title>", text)[1])
        self.assertEqual(len(titles), len(self.pages))
        text = contents(self.site)["reference.html"].decode()
        self.assertEqual(text.count('<table class="options">'), text.count("<table"))


class Browser(Site):
    """What Chromium makes of it."""

    def probed(self, *flags):
        """The probe's report, and what Chromium complained of."""
        directory, home = os.path.join(self.directory(), "site"), self.directory()
        shutil.copytree(self.site, directory)
        pages = self.pages + ["control.html"]
        for name, text in (
                ("control.html", "<!doctype html><p style='width: 500px'>wide</p>"
                                 "<script>console.error('the control')</script>"),
                ("probe.html", "<!doctype html><link rel=icon href=icon.svg><body>"
                               "<script src=probe.js></script>"),
                ("probe.js", PROBE % (json.dumps(pages), json.dumps([PHONE, DESKTOP])))):
            with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                file.write(text)
        port = self.serve(directory)
        done = chromium(home, f"http://{port}/docs/probe.html", "--dump-dom",
                        "--enable-logging=stderr", *flags, milliseconds=60000)
        found = re.search('<pre id="report">(.*?)</pre>', done.stdout, re.S)
        self.assertTrue(found, done.stdout[-500:] + done.stderr[-2000:])
        complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return json.loads(html.unescape(found[1])), complaints

    def test_pages_fit_and_work_in_light_and_dark(self):
        backgrounds = []
        for flags in ((), (DARK,)):
            report, complaints = self.probed(*flags)
            self.assertTrue(any("the control" in line for line in complaints))
            self.assertEqual([line for line in complaints if "the control" not in line], [])
            self.assertGreater(report[f"control.html@{PHONE}"]["overflow"], 100)
            for page in self.pages:
                phone, desktop = report[f"{page}@{PHONE}"], report[f"{page}@{DESKTOP}"]
                self.assertEqual((phone["overflow"], desktop["overflow"]), (0, 0), page)
                self.assertEqual((phone["contents"], desktop["contents"]), (False, True), page)
                self.assertTrue(phone["search"] and desktop["search"], page)
            self.assertEqual(report["max-header-bytes"][0],
                             "reference.html#servicesnameoverload.max-header-bytes-n")
            self.assertIn("http2.html#websockets", report["Websocket EXTENDED"])
            self.assertEqual(report["no such words anywhere"], [])
            backgrounds.append(report[f"index.html@{PHONE}"]["background"])
        self.assertEqual(backgrounds[0], "rgb(255, 255, 255)")
        self.assertNotEqual(backgrounds[0], backgrounds[1])

    def test_a_page_has_its_contents_without_scripts(self):
        directory = os.path.join(self.directory(), "site")
        shutil.copytree(self.site, directory)
        os.remove(os.path.join(directory, "search.js"))
        done = chromium(self.directory(), f"http://{self.serve(directory)}/docs/limits.html",
                        "--dump-dom")
        self.assertRegex(done.stdout, r'<form id="search" role="search" hidden="">')
        self.assertIn('<a href="limits.html" aria-current="page">Limits</a>', done.stdout)

    def test_pictures_are_taken(self):
        directory = os.path.join(self.directory(), "site")
        shutil.copytree(self.site, directory)
        port, home = self.serve(directory), self.directory()
        pictures = os.environ.get("SCREENSHOTS") or self.directory()
        for page, height in (("addresses.html", 1400), ("reference.html#contents", 1600)):
            frame = f"phone-{page.split('.', 1)[0]}.html"  # Chromium's windows have 500 at least
            with open(os.path.join(directory, frame), "w", encoding="utf-8") as file:
                file.write(f'<!doctype html><body style="margin: 0"><iframe src="{page}" style='
                           f'"width: {PHONE}px; height: {height}px; border: 0"></iframe>')
            for kind, path, width in (("desktop", page.split("#", 1)[0], DESKTOP),
                                      ("phone", frame, 500)):
                for look, flags in (("light", ()), ("dark", (DARK,))):
                    picture = os.path.join(pictures, f"{page.split('.')[0]}-{kind}-{look}.png")
                    chromium(home, f"http://{port}/docs/{path}", f"--window-size={width},{height}",
                             f"--screenshot={picture}", *flags)
                    self.check_picture(picture, (width, height))

    def check_picture(self, path, size):
        with open(path, "rb") as file:
            data = file.read()
        self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(struct.unpack(">II", data[16:24]), size)
        self.assertGreater(len(data), PNG_BYTES_MIN, path)


if __name__ == "__main__":
    main()
