"""Colours for code: HTML with spans of the classes comment, string, name, key, value and prompt."""

import html
import re

KDL = re.compile(r"""
    (?P<comment> //[^\n]* | /\*.*?\*/ | /- )
  | (?P<string>  r(?P<a>\#*)".*?"(?P=a) | (?P<b>\#+)".*?"(?P=b) | "(?:\\.|[^"\\])*" )
  | (?P<word>    [^\s{};="\\()/]+ )
  | (?P<other>   . )""", re.S | re.X)
VALUE = re.compile(r"#?(true|false|null)|[-+]?\d[\w.]*")
TOML = re.compile(r"""
    (?P<comment> \#[^\n]* )
  | (?P<string>  "(?:\\.|[^"\\\n])*" | '[^'\n]*' )
  | (?P<name>    ^[ ]*\[\[?[\w.-]+\]\]? )
  | (?P<key>     [\w-]+ (?=[ ]*=) )
  | (?P<value>   \b(?:true|false|\d[\w.]*)\b )""", re.M | re.X)
SHELL = re.compile(r"(?P<comment>(?:^|(?<=\s))\#.*$)|(?P<prompt>^\$(?=\ ))", re.M | re.X)


def escape(text):
    return html.escape(text, quote=True)


def span(kind, text):
    return f'<span class="{kind}">{escape(text)}</span>'


def highlight(code, language):
    if language == "kdl":
        return kdl(code)
    return by_pattern(TOML if language == "toml" else SHELL, code)


def by_pattern(pattern, code):
    """Each named group that matches, in a span of its name."""
    out, at = [], 0
    for match in pattern.finditer(code):
        out += [escape(code[at:match.start()]), span(match.lastgroup, match[0])]
        at = match.end()
    return "".join(out) + escape(code[at:])


def kdl(code):
    """A node begins on each new line (unless it continues the last one) and behind { } and ;."""
    out, begins = [], True
    for match in KDL.finditer(code):
        text = match[0]
        if match["comment"]:
            out.append(span("comment", text))
        elif match["string"]:
            is_key = code.startswith("=", match.end())
            out.append(span("key" if is_key else "string", text))
            begins = False
        elif match["word"]:
            kind = ("name" if begins else "key" if code.startswith("=", match.end()) else
                    "value" if VALUE.fullmatch(text) else None)
            out.append(span(kind, text) if kind else escape(text))
            begins = False
        else:
            out.append(escape(text))
            if text in "{};":
                begins = True
            elif text == "\n":
                line = code[:match.start()].rsplit("\n", 1)[-1]
                begins = not re.search(r"\\[ \t]*(//.*)?$", line)
    return "".join(out)
