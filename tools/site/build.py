#!/usr/bin/env python3
"""Builds the manual as a web site: tools/site/build.py DIRECTORY

The chapters are those that docs/manual/README.md lists, in its order; behind them come a few pages
of docs/. Each becomes one HTML file that refers to the others relatively, so the site works below
any path. Nothing is written unless all is well: every link leads to a page, a heading or a file of
the tree. The same text gives the same bytes, and a file that would not change is not written.
"""

import json
import os
import re
import string
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

from render import Page, escape, slug  # pylint: disable=wrong-import-position

CONTENTS = "docs/manual/README.md"
BACKGROUND = ("docs/GLOSSARY.md", "docs/THREATS.md", "docs/PERFORMANCE.md")
COPIED = ("site.css", "search.js", "icon.svg")
MARK = "search-index.js"  # a directory that holds something is ours if it holds this
DESCRIPTION_CHARS_MAX = 160


class Mistakes(Exception):
    """What is wrong with the pages: one line each, with its place."""


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def name_of(path):
    """The name on the site: running.md is running.html, the manual's README the front page."""
    return "index.html" if path == CONTENTS else slug(os.path.basename(path)[:-3]) + ".html"


def version():
    return re.search(r"version: *'([^']+)'", read("meson.build"))[1]


class Site:
    def __init__(self):
        self.mistakes = []
        front = self.load(CONTENTS)
        listed = [(line, target, text) for line, target, text in front.links
                  if target.endswith(".md") and "/" not in target]
        self.chapters = [front] + [self.load("docs/manual/" + target) for _, target, _ in listed]
        self.background = [self.load(path) for path in BACKGROUND]
        self.pages = {page.path: page for page in self.chapters + self.background}
        self.check_contents(listed)
        for page in self.pages.values():
            self.resolve(page)
        if self.mistakes:
            raise Mistakes("\n".join(self.mistakes))

    def load(self, path):
        if not os.path.isfile(os.path.join(ROOT, path)):
            raise Mistakes(f"{CONTENTS}: {path} is not there")
        page = Page(path, name_of(path), read(path))
        self.mistakes += page.mistakes
        return page

    def check_contents(self, listed):
        """The list names every chapter, once, by its title."""
        names = [target for _, target, _ in listed]
        for name in sorted(os.listdir(os.path.join(ROOT, "docs/manual"))):
            if name.endswith(".md") and name != "README.md" and names.count(name) != 1:
                self.mistakes.append(
                    f"{CONTENTS}: lists {name} {names.count(name)} times, not once")
        for line, target, text in listed:
            title = self.pages["docs/manual/" + target].title
            if text != title:
                self.mistakes.append(f"{CONTENTS}:{line}: calls {target} “{text}”, "
                                     f"but its title is “{title}”")

    def resolve(self, page):
        """Turns links between files of the tree into links between pages."""
        for line, token in page.link_tokens:
            target = token.attrs["href"]
            if re.match(r"https?://", target):
                continue
            path, _, anchor = target.partition("#")
            path = os.path.normpath(os.path.join(os.path.dirname(page.path), path)) if path \
                else page.path
            other = self.pages.get(path)
            if other:
                token.attrs["href"] = ("" if other is page else other.name) + \
                    (f"#{anchor}" if anchor else "" if other is not page else "#")
                if not anchor or anchor in other.anchors:
                    continue
            elif not anchor and not path.startswith("..") and \
                    os.path.exists(os.path.join(ROOT, path)):
                page.leave_unlinked(token, path)
                continue
            self.mistakes.append(f"{page.path}:{line}: the link {target} leads nowhere")

    def files(self):
        """Everything the site consists of: (name, text)."""
        template = string.Template(read(os.path.join(HERE, "page.html")))
        order = self.chapters + self.background
        for number, page in enumerate(order):
            before = order[number - 1] if number else None
            after = order[number + 1] if number + 1 < len(order) else None
            yield page.name, template.substitute(
                title=escape(page.title if page is order[0] else
                             f"{page.title} · {order[0].title}"),
                description=escape(shorten(page.description)), version=version(),
                navigation=self.navigation(page), content=page.html(),
                turn=turn("prev", "Previous", before) + turn("next", "Next", after))
        for name in COPIED:
            yield name, read(os.path.join(HERE, name))
        yield MARK, "window.riverIndex = " + json.dumps(
            self.index(), ensure_ascii=False, separators=(",", ":")) + ";\n"

    def navigation(self, current):
        def group(pages):
            return ('<ul class="chapters">\n' +
                    "\n".join(chapter_item(page, current) for page in pages) + "\n</ul>\n")
        return group(self.chapters) + "<h2>Background</h2>\n" + group(self.background)

    def index(self):
        """What search.js looks words up in: pages, and [page, anchor, title, text, later]."""
        order = self.chapters + self.background
        return {"pages": [[page.name, page.title] for page in order],
                "entries": [[number, *entry] for number, page in enumerate(order)
                            for entry in page.entries()]}


def chapter_item(page, current):
    here = ' aria-current="page"' if page is current else ""
    sections = ""
    if page is current and page.headings:
        sections = "\n<ul>\n" + "\n".join(
            f'<li class="depth-{h.depth}"><a href="#{h.anchor}">{h.short}</a></li>'
            for h in page.headings) + "\n</ul>"
    return f'<li><a href="{page.name}"{here}>{escape(page.title)}</a>{sections}</li>'


def turn(relation, word, page):
    if not page:
        return "<span></span>"
    return (f'<a rel="{relation}" href="{page.name}"><span>{word}</span>'
            f'{escape(page.title)}</a>')


def shorten(text):
    """Whole words, and not more than a search engine shows."""
    if len(text) <= DESCRIPTION_CHARS_MAX:
        return text
    return text[:DESCRIPTION_CHARS_MAX].rsplit(" ", 1)[0].rstrip(",;:") + " …"


def write(directory, files):
    """Writes what changed, each file whole or not at all; removes pages that are no more."""
    os.makedirs(directory, exist_ok=True)
    present = os.listdir(directory)
    if present and MARK not in present:
        raise Mistakes(f"{directory} holds something else; name an empty directory, or a new one")
    files = dict(files)
    for name in present:
        if name.endswith(".html") and name not in files:
            os.remove(os.path.join(directory, name))
    for name in sorted(files, key=lambda name: name != MARK):
        path, data = os.path.join(directory, name), files[name].encode()
        if name in present:
            with open(path, "rb") as file:
                if file.read() == data:
                    continue
        with open(path + ".new", "wb") as file:
            file.write(data)
        os.replace(path + ".new", path)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("\n", maxsplit=1)[0])
    try:
        write(sys.argv[1], Site().files())
    except Mistakes as mistakes:
        sys.exit(str(mistakes))


if __name__ == "__main__":
    main()
