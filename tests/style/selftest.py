"""Plants one violation of each rule in a small tree and expects exactly that rule to fire."""

import os
import tempfile

CLEAN = {
    "src/base/str.h": "/* str.h - slices. */\n",
    "src/base/README.md": "slices\n",
    "src/loop/timer.c": '/* timer.c - time. */\n#include <time.h>\n#include "base/str.h"\n'
                        "int timer_fire(Str s)\n{\n    return s.at[0];\n}\n",
    "src/loop/README.md": "time\n",
    "src/http/head.c": "/* head.c - heads; a memcpy( in a comment is fine. */\n",
    "src/http/README.md": "heads\n",
    "src/net/tls.c": "/* tls.c - TLS. */\n#include <rustls.h>\n"
                     "int g(Str s)\n{\n    return feed(s.at, s.len); /* foreign call */\n}\n",
    "src/net/socket.c": "/* socket.c - sockets. */\nint f(Str s)\n{\n"
                        "    return write(1, s.at, s.len); /* system call */\n}\n",
    "src/net/README.md": "peers\n",
    "deps/src/lib.rs": "//! Adapters.\n" + "// A comment.\n\n" * 1250,
}
LONG = "\n".join("    f();" for _ in range(70))
# name of the rule, file, its text
PLANTED = [
    ("layers", "src/loop/timer.c", '/* timer.c - time. */\n#include "http/head.h"\n'),
    ("layers", "src/base/str.h", '/* str.h - slices. */\n#include "net/tls.h"\n'),
    ("layers", "src/net/tls.c", '/* tls.c - TLS. */\n#include "socket.h"\n'),
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
    ("opening_comment", "src/http/head.c", "int x;\n"),
    ("opening_comment", "src/http/head.c", "/* tail.c - the wrong name. */\n"),
    ("conditional_code", "src/http/head.c", "/* head.c - */\nint g(void)\n{\n#if X\n#endif\n}\n"),
    ("readmes", "src/http/README.md", "line\n" * 41),
    ("readmes", "src/http/README.md", None),
    ("adapters", "deps/src/lib.rs", "pub fn f() {}\n" * 1451),
    ("left_overs", "src/http/head.c", "/* head.c - heads. TO" "DO: write it */\n"),
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


def run_all(run):
    """(passed, failed) of the planted violations."""
    results = [("a clean tree", fired(run, CLEAN) == [])]
    for rule, path, text in PLANTED:
        results.append((f"{rule} in {path}", fired(run, {**CLEAN, path: text}) == [rule]))
    for name, held in results:
        if not held:
            print(f"selftest: {name} did not do what it should")
    return sum(held for _, held in results), sum(not held for _, held in results)
