"""Commits that say that they change comments alone ("comments: ...") must: without its comments,
each C file in them is the same as before, so the program is, but for its debugging information."""

import re
import subprocess

LOOKED_AT = 300  # the newest commits
PIECES = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|/\*.*?\*/|//[^\n]*|\s+', re.S)


def code_of(text):
    """The code in a C file: comments and blanks between words are one blank."""
    def one(match):
        found = match.group(0)
        return found if found[0] in "\"'" else " "
    return re.sub(" +", " ", PIECES.sub(one, text))


def git(root, *words):
    done = subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def strays(root):
    """(path, commit) of what such a commit changes besides comments."""
    for line in git(root, "log", f"-{LOOKED_AT}", "--format=%h %s").split("\n"):
        commit, _, subject = line.partition(" ")
        if not subject.startswith("comments: "):
            continue
        names = git(root, "diff-tree", "--no-commit-id", "--name-only", "-r", commit)
        for path in names.split():
            if path.endswith(".md"):
                continue
            before = git(root, "show", f"{commit}^:{path}")
            after = git(root, "show", f"{commit}:{path}")
            if not path.endswith((".c", ".h")) or code_of(before) != code_of(after):
                yield path, commit
