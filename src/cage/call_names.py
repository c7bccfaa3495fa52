#!/usr/bin/env python3
"""Writes the names of this architecture's system calls as C, from the compiler's own headers.

    call_names.py OUTPUT COMPILER...
"""

import re
import subprocess
import sys


def numbers(compiler):
    """(number, name) of every call that <sys/syscall.h> knows, sorted."""
    shown = subprocess.run([*compiler, "-E", "-dM", "-include", "sys/syscall.h", "-x", "c",
                            "/dev/null"], check=True, capture_output=True, text=True).stdout
    found = re.findall(r"^#define __NR_(\w+) (\d+)$", shown, re.MULTILINE)
    return sorted({int(number): name for name, number in found}.items())


def main():
    output, *compiler = sys.argv[1:]
    rows = numbers(compiler)
    if len(rows) < 200:
        sys.exit("the headers name hardly any system call")
    with open(output, "w", encoding="utf-8") as file:
        file.write("/* Made by call_names.py: the system calls of this architecture. */\n"
                   '#include "cage/call_names.h"\n\nconst CallName call_names[] = {\n')
        file.writelines(f'    {{{number}, S_INIT("{name}")}},\n' for number, name in rows)
        file.write(f"}};\nconst size_t call_name_count = {len(rows)};\n")


if __name__ == "__main__":
    main()
