#!/usr/bin/env python3
"""The style test: what docs/STYLE.md promises and a machine can see.

    tests/style/check.py [ROOT]

Each rule is a function that yields (path, line, message). It prints every violation and, last,
"N passed, N failed", one for each rule. Before that it runs itself over planted violations
(selftest.py): a rule that does not fire there fails.
"""

import os
import re
import sys

import circles
import comments
import names

ROOMS = {"base": 0, "loop": 1, "http": 1, "kdl": 1, "net": 2, "transport": 3, "pool": 4, "proxy": 5,
         "filter": 6, "balance": 6, "admin": 7, "config": 8, "build": 9, "cage": 9,
         "app": 10}
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
COLUMNS_MAX = 100
BLOCK_COLUMNS_MAX = 80
README_LINES_MAX = 40
ADAPTER_LINES_MAX = 1450
CIRCLE_UNITS_MAX = 4

# Outside `base` these calls have a replacement that knows lengths, budgets or errors.
BANNED = {
    "malloc": "memory_new or an arena", "calloc": "memory_new or an arena",
    "realloc": "a Buf or an arena", "reallocarray": "a Buf or an arena",
    "free": "memory_drop", "alloca": "an arena", "memcpy": "span_copy", "memmove": "span_copy",
    "mempcpy": "span_copy", "memset": "span_fill or an initialiser", "memcmp": "str_equal",
    "memchr": "str_find", "memmem": "str_find", "bcopy": "span_copy", "bzero": "an initialiser",
    "strlen": "str_from_c", "strnlen": "str_from_c", "strcmp": "str_equal", "strncmp": "str_starts",
    "strcasecmp": "str_equal_nocase", "strncasecmp": "str_equal_nocase", "strchr": "str_find",
    "strrchr": "str_find", "strstr": "str_find", "strcpy": "span_copy or str_to_c",
    "strncpy": "span_copy or str_to_c", "stpcpy": "text_add", "strlcpy": "str_to_c",
    "strcat": "text_add", "strncat": "text_add", "strdup": "arena_copy", "strndup": "arena_copy",
    "strtok": "str_cut", "strtok_r": "str_cut", "strsep": "str_cut", "sprintf": "text_format",
    "snprintf": "text_format", "vsprintf": "text_format_list", "vsnprintf": "text_format_list",
    "asprintf": "text_format", "sscanf": "number_decimal", "scanf": "number_decimal",
    "fscanf": "number_decimal", "gets": "read", "fgets": "read", "getline": "read",
    "atoi": "number_decimal", "atol": "number_decimal", "atoll": "number_decimal",
    "strtol": "number_decimal", "strtoul": "number_decimal", "strtoll": "number_decimal",
    "strtoull": "number_decimal", "strtod": "number_decimal", "assert": "CHECK",
    "abort": "CHECK", "signal": "sigaction", "rand": "the thread's random numbers",
    "random": "the thread's random numbers", "gethostbyname": "net's resolver",
    "inet_addr": "ip_parse", "inet_ntoa": "ip_print", "inet_ntop": "ip_print",
    "inet_pton": "ip_parse", "localtime": "date_print", "gmtime": "date_print",
    "ctime": "date_print", "strftime": "date_print", "system": "posix_spawn",
    "popen": "posix_spawn",
}

# Headers of the C library and the kernel; every other <header> is foreign.
OURS_TO_USE = set("""
assert ctype dirent errno fcntl fnmatch getopt grp inttypes limits locale math mntent netdb poll
pthread pwd sched semaphore setjmp signal spawn stdalign stdarg stdatomic stdbool stddef stdint
stdio stdlib stdnoreturn string strings syslog termios threads time ucontext unistd wchar execinfo
immintrin emmintrin tmmintrin nmmintrin smmintrin arm_neon cpuid ifaddrs sysexits
""".split())
OURS_TO_USE_BELOW = ("sys/", "netinet/", "arpa/", "linux/", "net/", "asm/", "bits/", "sanitizer/")

SYSTEM_CALL = "/* system call */"
FOREIGN_CALL = "/* foreign call */"


class Source:
    """One C file: its lines, and the same lines without comments and literals."""

    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            self.text = file.read()
        self.lines = self.text.split("\n")
        if self.lines and self.lines[-1] == "":
            self.lines.pop()
        self.code = bare(self.text).split("\n")
        parts = path.split("/")
        self.room = parts[1] if parts[0] == "src" and len(parts) > 2 else None


def bare(text):
    """The text with comments and literals blanked, line by line the same."""
    def blank(match):
        found = match.group(0)
        if found.startswith("/"):
            return re.sub(r"[^\n]", " ", found)
        return found[0] + re.sub(r"[^\n]", " ", found[1:-1]) + found[-1]
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\''
    return re.sub(pattern, blank, text, flags=re.S)


def functions(source):
    """(first line, last line) of each body: our braces stand in the first column."""
    start = None
    for number, line in enumerate(source.code, 1):
        if line.rstrip() == "{":
            start = number
        elif line.startswith("}") and start is not None:
            yield start, number
            start = None


def check_layers(tree):
    """A file includes only its own room or a lower one; equals never see each other."""
    for source in tree.room_sources():
        for number, line in enumerate(source.lines, 1):
            include = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not include:
                continue
            room = include[1].split("/")[0]
            if include[1].count("/") != 1 or room not in ROOMS:
                yield source.path, number, f'include "room/file.h", not "{include[1]}"'
            elif room != source.room and ROOMS[room] >= ROOMS[source.room]:
                yield source.path, number, f"{source.room} may not know {room}"


def check_filters(tree):
    """Filters reach an exchange only through a FilterCall."""
    for source in tree.room_sources():
        if source.room == "filter":
            for number, line in enumerate(source.lines, 1):
                include = re.match(r'\s*#\s*include\s+"(proxy|pool|transport)/([^"]+)"', line)
                if include and include[2] not in ("filter.h", "filter_call.h"):
                    yield source.path, number, f'"{include[1]}/{include[2]}": use filter_call.h'


def check_static_names(tree):
    """A static function has at least two words, so that its name says what it is about."""
    for source in tree.room_sources():
        if source.path.endswith(".c"):
            for match in re.finditer(r"^(?:[A-Z_]\w+ )*static [^;{}()=]*?(\w+)\([^;{}]*\)\n\{",
                                     "\n".join(source.code), re.M):
                if "_" not in match[1]:
                    number = "\n".join(source.code).count("\n", 0, match.start(1)) + 1
                    yield source.path, number, f"{match[1]}: one word"


def check_circles(tree):
    """At most four units call each other in a circle (circles.py)."""
    for circle in circles.circles(circles.edges_of(circles.units_of(tree.room_sources()))):
        if len(circle) > CIRCLE_UNITS_MAX:
            room, name = circle[0].split("/")
            yield (f"src/{room}/{name}" + ("" if name.endswith(".h") else ".c"), 1,
                   f"{len(circle)} units call each other in a circle: {' '.join(circle)}")


def check_function_lines(tree):
    """Functions fit on a page."""
    for source in tree.sources:
        for first, last in functions(source):
            if last - first + 1 > FUNCTION_LINES_MAX:
                yield source.path, first, f"a function of {last - first + 1} lines"


def check_file_lines(tree):
    """Files fit in a head."""
    for source in tree.sources:
        if len(source.lines) > FILE_LINES_MAX:
            yield source.path, len(source.lines), f"a file of {len(source.lines)} lines"


def check_columns(tree):
    """Lines are at most 100 columns, without tabs and blanks at the end."""
    for path, lines in tree.texts():
        code = path.endswith((".c", ".h", ".py", ".rs", "tests/run", "tools/deps"))
        for number, line in enumerate(lines, 1):
            if code and len(line) > COLUMNS_MAX:
                yield path, number, f"{len(line)} columns"
            if line != line.rstrip():
                yield path, number, "white space at the end of the line"
            if code and "\t" in line:
                yield path, number, "a tab"


def check_banned_calls(tree):
    """Calls that do not know how long things are stay in base."""
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
    for source in tree.room_sources():
        if source.room == "base":
            continue
        for number, line in enumerate(source.code, 1):
            for call in pattern.finditer(line):
                yield source.path, number, f"{call[1]}: use {BANNED[call[1]]}"


def is_marked(line):
    return SYSTEM_CALL in line or FOREIGN_CALL in line


def check_slice_pointers(tree):
    """A slice's pointer appears only as x.at[i], which the compiler checks."""
    pattern = re.compile(r"(?:\.|->)at\b(?!\s*\[)")
    for source in tree.room_sources():
        if source.room == "base":
            continue
        for number, line in enumerate(source.code, 1):
            if pattern.search(line) and not is_marked(source.lines[number - 1]):
                yield (source.path, number,
                       f"a bare .at: use x.at[i], or mark the line {SYSTEM_CALL}")


def foreign_headers(source):
    """(header, line) of each include that is neither ours nor the system's."""
    for number, line in enumerate(source.lines, 1):
        include = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
        if not include:
            continue
        name = include[1]
        if name.removesuffix(".h") not in OURS_TO_USE and not name.startswith(OURS_TO_USE_BELOW):
            yield name, number


def check_system_call_marks(tree):
    """Marked lines stand only where system calls and foreign libraries are wrapped."""
    for source in tree.room_sources():
        wraps = any(True for _ in foreign_headers(source))
        for number, line in enumerate(source.lines, 1):
            if FOREIGN_CALL in line and not wraps:
                yield source.path, number, "this file wraps no foreign library"
        if source.room in ("http", "kdl", "config", "build", "filter", "balance"):
            for number, line in enumerate(source.lines, 1):
                if SYSTEM_CALL in line:
                    yield source.path, number, f"{source.room} makes no system calls"


def check_foreign_headers(tree):
    """A foreign header appears in one file only."""
    users = {}
    for source in tree.room_sources():
        for name, number in foreign_headers(source):
            users.setdefault(name, []).append((source.path, number))
    for name, places in users.items():
        for path, number in places[1:]:
            yield path, number, f"<{name}> belongs to {places[0][0]} alone"


def check_header_names(tree):
    """No header is called like one of the system's: its room would include it instead."""
    for source in tree.room_sources():
        name = os.path.basename(source.path)
        if name.endswith(".h") and name[:-2] in OURS_TO_USE:
            yield source.path, 1, f"<{name}> is the system's"


def check_opening_comment(tree):
    """Each file opens with what it is."""
    for source in tree.sources:
        name = os.path.basename(source.path)
        if not source.text.startswith("/* ") or name not in source.lines[0]:
            yield source.path, 1, f"the file must open with '/* {name} - what it is'"


def check_conditional_code(tree):
    """No #if inside a function: choose a file (base, where compilers differ, aside)."""
    for source in tree.room_sources():
        if source.room == "base":
            continue
        for first, last in functions(source):
            for number in range(first, last):
                if re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b", source.lines[number - 1]):
                    yield source.path, number, "#if inside a function"


def check_readmes(tree):
    """Each room has a README of at most 40 lines."""
    for room in ROOMS:
        path = f"src/{room}/README.md"
        if not os.path.isdir(os.path.join(tree.root, "src", room)):
            continue
        if path not in tree.paths:
            yield path, 1, "the room has no README.md"
        elif len(tree.lines(path)) > README_LINES_MAX:
            yield path, README_LINES_MAX + 1, f"more than {README_LINES_MAX} lines"


def check_names(tree):
    """What documents name exists (names.py; it has a list of exceptions)."""
    yield from names.violations(tree)


def check_lists(tree):
    """A room's meson.build lists its files sorted, one a line."""
    for path in [p for p in tree.paths if re.fullmatch(r"src/\w+/meson\.build", p)]:
        before = ""
        for number, line in enumerate(tree.lines(path), 1):
            files = re.findall(r"'(\w+\.c)'", line) if re.match(r"\s+'", line) else []
            if len(files) > 1:
                yield path, number, "more than one file a line"
            elif files and files[0] < before:
                yield path, number, f"{files[0]} comes before {before}"
            before = files[0] if files else ""


def check_adapters(tree):
    """The adapters in Rust are few: at most 1450 lines of code in all."""
    total = 0
    for path in [p for p in tree.paths if p.startswith("deps/src/")]:
        code = [line.strip() for line in tree.lines(path)]
        total += sum(bool(line) and not line.startswith("//") for line in code)
        if total > ADAPTER_LINES_MAX:
            yield path, len(code), f"{total} lines of adapters"


def check_manual_blocks(tree):
    """Examples of the manual fit its page: code blocks have at most 80 columns."""
    directory = os.path.join("docs", "manual")
    pages = os.path.join(tree.root, directory)
    for name in sorted(os.listdir(pages)) if os.path.isdir(pages) else ():
        path, fenced = os.path.join(directory, name), False
        for number, line in enumerate(tree.lines(path) if name.endswith(".md") else (), 1):
            fenced ^= line.startswith("```")
            if (fenced or line.startswith("    ")) and len(line) > BLOCK_COLUMNS_MAX:
                yield path, number, f"{len(line)} columns in an example"


def check_left_overs(tree):
    """Unfinished thoughts go to the issues, not into the tree."""
    pattern = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    for path, lines in tree.texts():
        for number, line in enumerate(lines, 1):
            if pattern.search(line):
                yield path, number, "an unfinished thought"


class Tree:
    """The files that the rules look at."""

    MADE = ("__pycache__", "run", "history", "target")
    PROGRAMS = ("tests/run", "tools/setup", "tools/build", "tools/deps")
    TEXT_ENDS = (".c", ".h", ".py", ".rs", ".sh", "meson.build", "Makefile", ".kdl")
    SKIPPED = ("tests/fuzz/corpus", "tests/fuzz/corpora", "tests/wire/", "tests/config/",
               "tests/kdl/")

    def __init__(self, root):
        self.root = root
        self.paths = []
        for top in ("src", "tests", "tools", "examples", "bench", "deps"):
            for directory, below, names in os.walk(os.path.join(root, top)):
                below[:] = sorted(d for d in below if d not in self.MADE)
                self.paths += [os.path.relpath(os.path.join(directory, n), root)
                               for n in sorted(names)]
        self.paths = [p for p in self.paths
                      if not p.startswith(self.SKIPPED) or p.endswith((".c", ".h", ".py"))]
        self.sources = [Source(root, p) for p in self.paths if p.endswith((".c", ".h"))]

    def room_sources(self):
        return [s for s in self.sources if s.room in ROOMS]

    def lines(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()

    def texts(self):
        for path in self.paths:
            if path.endswith(self.TEXT_ENDS) or path in self.PROGRAMS:
                yield path, self.lines(path)


def check_comment_commits(tree):
    """Commits whose subject begins with "comments: " change nothing else (comments.py)."""
    for path, commit in comments.strays(tree.root):
        yield path, 1, f"{commit} changes more than comments"


RULES = [check_layers, check_filters, check_static_names, check_circles, check_function_lines,
         check_file_lines, check_columns, check_banned_calls, check_slice_pointers,
         check_system_call_marks, check_foreign_headers, check_header_names,
         check_opening_comment, check_conditional_code, check_readmes, check_names,
         check_lists, check_adapters, check_manual_blocks, check_left_overs, check_comment_commits]


def run(root):
    """Violations of each rule, in the order of RULES."""
    tree = Tree(root)
    return [(rule, list(rule(tree))) for rule in RULES]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(here))
    sys.path.insert(0, here)
    import selftest  # pylint: disable=import-outside-toplevel
    passed, failed = selftest.run_all(run, Tree)
    for rule, violations in run(root):
        for path, number, message in violations:
            print(f"{path}:{number}: {message}")
        if violations:
            print(f"  rule {rule.__name__[6:]}: {rule.__doc__}")
        failed += bool(violations)
        passed += not violations
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
