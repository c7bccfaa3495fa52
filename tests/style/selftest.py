"""Plants one violation of each rule in a small tree and expects exactly that rule to fire; and
tries what circles.py takes for a call."""

import os
import tempfile

import circles
import comments



def link(i, to):
    """One of five units in a chain, or at its end."""
    return f"/* link{i}.c - a link. */\nvoid link_{i}(void)\n{{\n    {to}();\n}}\n"


CLEAN = {
    "src/base/str.h": "/* str.h - slices. */\n",
    "src/base/README.md": "slices\n",
    "src/loop/timer.c": '/* timer.c - time. */\n#include <time.h>\n#include "base/str.h"\n'
                        "int timer_fire(Str s)\n{\n    return s.at[0];\n}\n",
    "src/loop/README.md": "time: `timer.c`, `link_1`, `link_1()`, `base/str.h`, `ti*`\n",
    "src/loop/meson.build": "library('loop', b ? 'z.c' : 'y.c',\n    'a.c',\n    'timer.c')\n",
    "src/http/head.c": "/* head.c - heads; a memcpy( or cut_off in a comment is fine. */\n",
    "src/http/README.md": "heads\n",
    **{f"src/http/link{i}.c": link(i, f"link_{i + 1}") for i in range(4)},
    "src/http/link4.c": link(4, "link_1"),
    "src/net/tls.c": "/* tls.c - TLS. */\n#include <rustls.h>\n"
                     "int g(Str s)\n{\n    return feed(s.at, s.len); /* foreign call */\n}\n",
    "src/net/socket.c": "/* socket.c - sockets. */\nint f(Str s)\n{\n"
                        "    return write(1, s.at, s.len); /* system call */\n}\n",
    "src/filter/README.md": "filters\n",
    "src/net/README.md": "peers; `SOMETHING`, `some-option`, `other/thing`\n",
    "docs/HOUSE.md": "`link1.c`, `src/http`, `HOUSE.md`\n```\n`no_such`\n```\n`name.c`\n",
    "docs/manual/page.md": "y" * 120 + "\n```kdl\n" + "x" * 80 + "\n```\n",
    "deps/src/lib.rs": "//! Adapters.\n" + "// A comment.\n\n" * 1250,
}
LONG = "\n".join("    f();" for _ in range(70))
# name of the rule, file, its text
PLANTED = [
    ("layers", "src/loop/timer.c", '/* timer.c - time. */\n#include "http/head.h"\n'),
    ("layers", "src/base/str.h", '/* str.h - slices. */\n#include "net/tls.h"\n'),
    ("layers", "src/net/tls.c", '/* tls.c - TLS. */\n#include "socket.h"\n'),
    ("filters", "src/filter/cidr.c", '/* cidr.c - c. */\n#include "proxy/exchange.h"\n'),
    ("static_names", "src/http/head.c", "/* head.c - h. */\nstatic int fail(int x)\n{\n}\n"),
    ("circles", "src/http/link4.c", link(4, "link_0")),
    ("function_lines", "src/http/head.c", "/* head.c - h. */\nint g(void)\n{\n" + LONG + "\n}\n"),
    ("file_lines", "src/http/head.c", "/* head.c - heads. */\n" + "int f(void);\n" * 600),
    ("columns", "src/http/head.c", "/* head.c - heads. */\n/* " + "x" * 100 + " */\n"),
    ("columns", "src/http/head.c", "/* head.c - heads. */\nint a; \n"),
    ("columns", "src/http/head.c", "/* head.c - heads. */\n\tint a;\n"),
    ("banned_calls", "src/http/head.c", "/* head.c - heads. */\nint x = atoi(text);\n"),
    ("banned_calls", "src/http/head.c", "/* head.c - heads. */\nvoid *x = malloc (3);\n"),
    ("slice_pointers", "src/http/head.c", "/* head.c - heads. */\nvoid *x = s.at + 1;\n"),
    ("slice_pointers", "src/http/head.c", "/* head.c - heads. */\nvoid *x = s->at;\n"),
    ("system_call_marks", "src/http/head.c", "/* head.c - h. */\nf(s.at); /* system call */\n"),
    ("system_call_marks", "src/http/head.c", "/* head.c - h. */\nf(s.at); /* foreign call */\n"),
    ("foreign_headers", "src/net/socket.c", "/* socket.c - sockets. */\n#include <rustls.h>\n"),
    ("header_names", "src/net/string.h", "/* string.h - texts. */\n"),
    ("opening_comment", "src/http/head.c", "int x;\n"),
    ("opening_comment", "src/http/head.c", "/* tail.c - the wrong name. */\n"),
    ("conditional_code", "src/http/head.c", "/* head.c - */\nint g(void)\n{\n#if X\n#endif\n}\n"),
    ("readmes", "src/http/README.md", "line\n" * 41),
    ("readmes", "src/http/README.md", None),
    ("names", "src/loop/README.md", "`timer_gone`\n"),
    ("names", "src/loop/README.md", "`gone.c`\n"),
    ("names", "src/loop/README.md", "`str.h`\n"),
    ("names", "src/loop/README.md", "`str.*`\n"),
    ("names", "docs/HOUSE.md", "`loop/str.h`\n"),
    ("names", "docs/HOUSE.md", "`src/gone`\n"),
    ("names", "docs/HOUSE.md", "`Timer.gone`\n"),
    ("names", "docs/HOUSE.md", "a comment names `cut_off`\n"),
    ("lists", "src/loop/meson.build", "    'timer.c',\n    'mailbox.c',\n"),
    ("lists", "src/loop/meson.build", "    'mailbox.c', 'timer.c',\n"),
    ("adapters", "deps/src/lib.rs", "pub fn f() {}\n" * 1451),
    ("manual_blocks", "docs/manual/site.md", "```kdl\n" + "x" * 81 + "\n```\n"),
    ("manual_blocks", "docs/manual/site.md", "a\n\n    " + "x" * 77 + "\n"),
    ("left_overs", "src/http/head.c", "/* head.c - heads. TO" "DO: write it */\n"),
]

# What is tried; files of a room; the calls that circles.py sees in them.
CALLS = [
    ("a call", {"a.c": "void a(void)\n{\n    b(1);\n}\n",
                "b.c": "void b(int x)\n{\n}\n"}, {"a": {"b"}}),
    ("a call of what a header does", {"a.c": "void a(void)\n{\n    b(1);\n}\n",
                                      "b.h": "static inline int b(int x)\n{\n    return x;\n}\n"},
     {"a": {"b.h"}}),
    ("a header that only declares", {"a.c": "void a(void)\n{\n}\n", "a.h": "void b(void);\n",
                                     "b.c": "void b(void)\n{\n}\n"}, {}),
    ("a function in a table", {"a.c": "static const Row rows[] = {{1, b}};\n",
                               "b.c": "void b(int x)\n{\n}\n"}, {"a": {"b"}}),
    ("a call through a table", {"a.c": "int a(const Kind *k)\n{\n    return k->open(1);\n}\n",
                                "b.c": "static int f(int x)\n{\n    return x;\n}\n"
                                       "const Kind b = {.open = f};\n"}, {"a": {"b"}}),
    ("a table of another type", {"a.c": "int a(const Sort *s)\n{\n    return s->open(1);\n}\n",
                                 "b.c": "static int f(int x)\n{\n    return x;\n}\n"
                                        "const Kind b = {.open = f};\n"}, {}),
    ("a token", {"a.c": "void a(void)\n{\n    wake(TOKEN_BELL);\n}\n",
                 "turn.c": "void turn(int kind)\n{\n    switch (kind) {\n"
                           "    case TOKEN_BELL:\n        ring();\n        break;\n    }\n}\n",
                 "b.c": "void ring(void)\n{\n}\n"}, {"a": {"b"}, "turn": {"b"}}),
    ("a token of its own", {"bell_wait.c": "void a(void)\n{\n    wake(TOKEN_BELL);\n}\n",
                            "turn.c": "void turn(int kind)\n{\n    switch (kind) {\n"
                                      "    case TOKEN_BELL:\n        ring();\n        break;\n"
                                      "    }\n}\n",
                            "bell.c": "void ring(void)\n{\n}\n"}, {"turn": {"bell"}}),
    ("a static function of that name", {"a.c": "static void b(void)\n{\n}\n"
                                               "void a(void)\n{\n    b();\n    c();\n}\n",
                                        "b.c": "void b(void)\n{\n}\nvoid c(void)\n{\n}\n"},
     {"a": {"b"}}),
    ("only a static function of that name", {"a.c": "static void b(void)\n{\n}\n"
                                                    "void a(void)\n{\n    b();\n}\n",
                                             "b.c": "void b(void)\n{\n}\n"}, {}),
    ("a member of that name", {"a.c": "int a(X *x)\n{\n    return x->b + x->y.b;\n}\n",
                               "b.c": "void b(void)\n{\n}\n"}, {}),
    ("a variable of that name", {"a.c": "int a(X *b)\n{\n    uint64_t c = 1;\n"
                                        "    return b + c;\n}\n",
                                 "b.c": "void b(void)\n{\n}\nint c(void)\n{\n}\n"}, {}),
    ("one of two that a build has", {"a.c": "void a(void)\n{\n    b();\n}\n",
                                     "b_one.c": "void b(void)\n{\n}\n",
                                     "b_two.c": "void b(void)\n{\n}\n"},
     {"a": {"b_one", "b_two"}}),
]


# What comments.py takes for the same code, or not.
CODE = [
    ("other words", "int a; /* one */\n", "int a;\n/* two\n * lines */\n", True),
    ("another name", "int a; /* one */\n", "int b; /* one */\n", False),
    ("another literal", 'f("/* one */");\n', 'f("/* two */");\n', False),
]


def plant(root, files):
    for path, text in files.items():
        if text is not None:
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)


def fired(run, files):
    """Names of the rules that fire on a tree of these files."""
    with tempfile.TemporaryDirectory() as root:
        plant(root, files)
        return [rule.__name__[6:] for rule, violations in run(root) if violations]


def calls(tree_of, files):
    """{unit: units that it calls} in a room of these files; without those that call nobody."""
    with tempfile.TemporaryDirectory() as root:
        plant(root, {f"src/net/{name}": text for name, text in files.items()})
        units = circles.units_of(tree_of(root).room_sources())
        edges = {name[4:]: {to[4:] for to in found}
                 for name, found in circles.edges_of(units).items()}
        return {name: found for name, found in edges.items() if found}


def finds_circles():
    """Whether it finds two circles, one within a chain, the larger one first."""
    edges = {"a": {"b"}, "b": {"a", "c"}, "c": {"d"}, "d": {"e"}, "e": {"c"}, "f": {"a"}}
    return circles.circles(edges) == [["c", "d", "e"], ["a", "b"]]


def run_all(run, tree_of):
    """(passed, failed) of the planted violations and of what circles.py is tried with."""
    results = [("a clean tree", fired(run, CLEAN) == []), ("circles", finds_circles())]
    for name, one, other, same in CODE:
        results.append((name, (comments.code_of(one) == comments.code_of(other)) == same))
    for name, files, expected in CALLS:
        results.append((name, calls(tree_of, files) == expected))
    for rule, path, text in PLANTED:
        results.append((f"{rule} in {path}", fired(run, {**CLEAN, path: text}) == [rule]))
    for name, held in results:
        if not held:
            print(f"selftest: {name} did not do what it should")
    return sum(held for _, held in results), sum(not held for _, held in results)
