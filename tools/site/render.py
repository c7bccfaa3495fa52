"""One page of the site: its Markdown as HTML, its headings and links, and what a search finds."""

import re
import sys
from collections import namedtuple

try:
    import markdown_it
except ImportError:  # the interpreter is not Debian's own
    sys.path.append("/usr/lib/python3/dist-packages")
    try:
        import markdown_it
    except ImportError:
        sys.exit("the manual's site needs markdown-it for Python: Debian's python3-markdown-it, "
                 "or markdown-it-py 2 or newer of the Python Package Index")

from markdown_it.token import Token

from highlight import escape, highlight

LATER = "Not supported yet."
LONG_CODE_CHARS = 24  # from here on code may be broken, also behind a slash
Heading = namedtuple("Heading", "anchor depth short")


def slug(text):
    """The name that GitHub gives to a heading, so that links to it work in both places."""
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def plain(inline):
    """The text of an inline token, without its marks."""
    return "".join(" " if child.type == "softbreak" else child.content
                   for child in inline.children or [])


def raw(html):
    return Token("html_inline", "", 0, content=html)


def code(text):
    """Code between words: short pieces stay in one line, and options of a command in any case."""
    if len(text) < LONG_CODE_CHARS or text.startswith("-"):
        return f"<code>{escape(text)}</code>"
    return f'<code class="long">{escape(text).replace("/", "/<wbr>")}</code>'


class Page:
    """`anchors` are the headings' names; `link_tokens` wait for the site to say where they lead."""

    def __init__(self, path, name, text):
        self.path = path
        self.name = name
        self.title = self.description = ""
        self.anchors = set()      # of headings: only these work on GitHub, too
        self.headings = []        # below the title
        self.links = []           # (line, target, text)
        self.link_tokens = []     # (line, token)
        self.mistakes = []
        self.found = []           # [anchor, title, [texts], later]
        self.names = set()        # every id of the page
        self.markdown = markdown_it.MarkdownIt("commonmark", {"html": False}).enable("table")
        self.tokens = self.markdown.parse(text)
        self.rules()
        self.walk()
        if not self.title:
            self.mistakes.append(f"{path}:1: the page has no title")

    def rules(self):
        """What is rendered in our own way."""
        def code_inline(_, tokens, i, *_rest):
            return code(tokens[i].content)

        def block(_, tokens, i, *_rest):
            language = tokens[i].info.strip()
            kind = f' class="{escape(language)}"' if language else ""
            return f"<pre><code{kind}>{highlight(tokens[i].content, language)}</code></pre>\n"

        self.markdown.add_render_rule("code_inline", code_inline)
        self.markdown.add_render_rule("fence", block)
        self.markdown.add_render_rule("code_block", block)
        self.markdown.add_render_rule("table_open", lambda _, tokens, i, *_rest: (
            f'<div class="table"><table{tokens[i].meta.get("class", "")}>\n'))
        self.markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")

    def html(self):
        return self.markdown.renderer.render(self.tokens, self.markdown.options, {})

    def inner(self, children):
        return self.markdown.renderer.renderInline(children, self.markdown.options, {})

    def unique(self, name):
        """The name itself, or with a number behind it when it is taken."""
        candidate, number = name, 0
        while candidate in self.names:
            number += 1
            candidate = f"{name}-{number}"
        self.names.add(candidate)
        return candidate

    # ---- one walk over the tokens --------------------------------------------------------------

    def walk(self):
        row, in_heading, table = None, False, None
        for i, token in enumerate(self.tokens):
            if token.type == "heading_open":
                in_heading = True
                self.heading(token, self.tokens[i + 1])
            elif token.type == "heading_close":
                in_heading = False
            elif token.type == "table_open":
                table = token
            elif token.type == "tr_open":
                row = (token, [])
            elif token.type in ("th_open", "td_open"):
                self.cell(token, self.tokens[i + 1], row[1])
                if token.type == "th_open" and self.tokens[i + 1].content == "option":
                    table.meta["class"] = ' class="options"'
            elif token.type == "tr_close":
                self.row(*row)
                row = None
            elif token.type == "inline":
                self.inline(token)
                if not (row or in_heading):
                    self.text(plain(token))
            elif token.type == "fence":
                self.text(token.content)

    def heading(self, opening, inline):
        text = plain(inline)
        anchor = self.unique(slug(text))
        opening.attrs["id"] = anchor
        self.anchors.add(anchor)
        self.found.append([anchor, text, [], False])
        if opening.tag == "h1":
            if self.title:
                self.mistakes.append(f"{self.path}:{opening.map[0] + 1}: a second title")
            self.title = text
            return
        # The reference's headings are paths of sections: in the navigation they stand as a tree.
        parts = text.split("/") if inline.children[0].type == "code_inline" else []
        depth, short = int(opening.tag[1]) - 2, self.inner(inline.children)
        if parts:
            depth, short = len(parts) - 1, f"<code>{escape(parts[-1])}</code>"
        self.headings.append(Heading(anchor, min(depth, 4), short))
        inline.children.append(raw(f'<a class="anchor" href="#{anchor}" aria-hidden="true" '
                                   'tabindex="-1">#</a>'))

    def cell(self, opening, inline, cells):
        opening.attrs.pop("style", None)  # the page's policy allows no styles inside of it
        if opening.type == "th_open" and not inline.content:
            opening.tag = "td"
        cells.append(inline)

    def row(self, opening, cells):
        """A row that begins with code is an option, a reason code, ...: a search leads to it."""
        text = " · ".join(plain(cell) for cell in cells[1:] if cell.content)
        first = cells[0].children or []
        later = LATER in text or (self.found and self.section[1].endswith(", later"))
        if later:
            opening.attrs["class"] = "later"
        if not first or first[0].type != "code_inline" or not self.found:
            self.text(" · ".join((plain(cells[0]), text)))
            return
        # No heading's name holds a dot, so these names never take one of those.
        opening.attrs["id"] = self.unique(f"{self.section[0]}.{slug(first[0].content)}")
        self.found.append([opening.attrs["id"], plain(cells[0]), [text], later])

    @property
    def section(self):
        """What a search finds of the heading that we are below."""
        return next(found for found in reversed(self.found) if found[0] in self.anchors)

    def text(self, text):
        if not self.found:
            return
        self.section[2].append(text)
        self.section[3] = self.section[3] or text.rstrip().endswith(LATER)
        if not self.description:
            self.description = text.strip()

    def inline(self, token):
        line = token.map[0] + 1 if token.map else 1
        for i, child in enumerate(token.children):
            if child.type == "link_open":
                text = token.children[i + 1].content
                self.links.append((line, child.attrs["href"], text))
                self.link_tokens.append((line, child))
            elif child.type == "image":
                self.mistakes.append(f"{self.path}:{line}: the site has no place for images yet")

    # ---- for the site --------------------------------------------------------------------------

    def leave_unlinked(self, token, path):
        """A file of the tree that is no page: its name shows when pointed at."""
        token.tag = "span"
        token.attrs = {"class": "elsewhere", "title": f"{path}, in the source"}
        for inline in self.tokens:
            children = inline.children or []
            if token in children:
                closing = next(c for c in children[children.index(token):]
                               if c.type == "link_close")
                closing.tag = "span"

    def entries(self):
        return [[anchor, title, re.sub(r"\s+", " ", " ".join(texts)).strip(), int(later)]
                for anchor, title, texts, later in self.found]
