"""Names in the documents that are nowhere in the tree.

What counts is what docs/*.md and the rooms' README.md put into backticks and what looks like one of
ours: a path (it ends like a source or a document, begins with a directory of the tree, or is a
pattern in a room's README, `scan_*.c`), a word with an underscore (`wire_acked`), or a member of a
type (`Thread.pins`). A file's name alone means the room's in its README, and anybody's elsewhere.
A word must stand in code (a comment in C is none), or be the name of a file without its ending or
its `_test`.
"""

import glob
import os
import re

# What is no name of ours, and why it is written all the same.
EXCEPTIONS = {
    "name.c": "stands for any file's name",
    "ret_x": "stands for any result's name",
    "module_verb": "stands for any function's name",
    "SO_PASSRIGHTS": "an option of the kernel's that was not taken",
    "SO_RCVLOWAT": "an option of the kernel's that was not taken",
    "SO_SNDBUF": "an option of the kernel's that stays as it is",
    "in_bounds": "Frama-C's word",
    "certificate_expired": "an alert of TLS",
    "certificate_required": "an alert of TLS",
    "certificate_revoked": "an alert of TLS",
    "handshake_failure": "an alert of TLS",
    "no_application_protocol": "an alert of TLS",
    "unable_to_verify_leaf_signature": "an error of Node",
}
OURS = "tests/style/names.py"
TOPS = ("src", "tests", "docs", "tools", "deps", "dist", "examples", "bench")
ENDS = (".c", ".h", ".py", ".rs", ".md", ".def", ".kdl")
CODE_ENDS = (".py", ".rs", "meson.build", ".toml", ".def")
QUOTED = re.compile(r"`([^`]+)`")
PATH = re.compile(r"[\w*-][\w.*-]*(?:/[\w.*-]+)*/?")
WORD = re.compile(r"([A-Za-z_]\w*_\w*)(?:\(\))?")
MEMBER = re.compile(r"([A-Z]\w*[a-z]\w*|\w+_\w+)\.([a-z]\w*)")
ANY_WORD = re.compile(r"[A-Za-z_]\w*")


def documents(root):
    found = glob.glob("docs/*.md", root_dir=root) + glob.glob("src/*/README.md", root_dir=root)
    return sorted(found)


def quoted(text):
    """(line, what stands in backticks there), but for blocks of code."""
    text = re.sub(r"^```.*?^```$", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S | re.M)
    for match in QUOTED.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match[1]


class Known:
    """All names that the tree has."""

    def __init__(self, tree):
        self.root = tree.root
        self.words = set()
        self.files = {os.path.basename(p) for p in tree.paths}
        for name in self.files:
            stem = name.rsplit(".", 1)[0]
            self.words |= {stem, stem.removesuffix("_test")}
        for source in tree.sources:
            self.words.update(ANY_WORD.findall("\n".join(source.code)))
        for path in tree.paths:
            if path.endswith(CODE_ENDS) and not path.startswith("tests/style/"):
                self.words.update(ANY_WORD.findall("\n".join(tree.lines(path))))

    def exists(self, path):
        return bool(glob.glob(path, root_dir=self.root))

    def has_path(self, path, room):
        """Whether a document (of that room, or of none) may write this path."""
        if "/" not in path and room:
            return self.exists(f"src/{room}/{path}") or path.endswith((".rs", ".md")) and (
                path in self.files or self.exists(f"docs/{path}"))
        if "/" not in path:
            return path in self.files or self.exists(path) or self.exists(f"docs/{path}")
        return any(self.exists(p) for p in (path, f"src/{path}", f"docs/{path}", path + ".c"))


def is_path(text, room):
    if not PATH.fullmatch(text):
        return False
    return (text.endswith(ENDS) or text.split("/")[0] in TOPS and "/" in text
            or room is not None and "*" in text and "-" not in text)


def violations(tree):
    """(document, line, message) for each name that is nowhere."""
    known = Known(tree)
    unused = set(EXCEPTIONS)
    for document in documents(tree.root):
        room = document.split("/")[1] if document.startswith("src/") else None
        with open(os.path.join(tree.root, document), encoding="utf-8") as file:
            text = file.read()
        for line, name in quoted(text):
            word, member = WORD.fullmatch(name), MEMBER.fullmatch(name)
            unused.discard(name.removesuffix("()"))
            if name.removesuffix("()") in EXCEPTIONS:
                continue
            if is_path(name, room):
                good = known.has_path(name, room)
            elif word:
                good = word[1] in known.words
            else:
                good = not member or {member[1], member[2]} <= known.words
            if not good:
                yield document, line, f"`{name}` is not in the tree"
    for name in sorted(unused) if OURS in tree.paths else ():
        yield OURS, 1, f"no document names the exception {name}"
