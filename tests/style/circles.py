"""Which units call each other, and the circles in that.

A unit is a room's name.c; what its header itself does (an accessor of data) is a unit of its own.
A unit reaches another one when it names one of its functions: to call it, or to put it into a
table. Two more kinds of calls count, since they are calls all the same: `x->member(...)` reaches
every function that a table calls `.member`, if the unit knows the table's type; and who names the
kind of a token or message (TOKEN_..., MESSAGE_...) reaches those to whom the thread hands it, that
is, whose functions are called for `case` of that kind. A unit may name its own objects
(TOKEN_EXCHANGE in exchange_state.c), and a token that somebody else has made is opaque: to keep it
and to wake it reaches nobody.
"""

import re

DEFINITION = re.compile(r"^(?!typedef|struct|enum|union|#|static_assert|extern)"
                        r"((?:[A-Za-z_][\w]*[ \*]+)+\**)([a-z_]\w*)\(", re.M)
WORD = re.compile(r"[A-Za-z_]\w*")
THROUGH = re.compile(r"(?:->|\.)\s*([a-z_]\w*)\s*\(")
ENTRY = re.compile(r"\.([a-z_]\w*)\s*=\s*&?([a-z_]\w*)\b(?!\s*\()")
TYPE = re.compile(r"\b([A-Z]\w*[a-z]\w*)\b(?:\)\s*\{|[ \*]+\w+(?:\[\w*\])*\s*=\s*\{)")
CASE = re.compile(r"case ((?:TOKEN|MESSAGE)_\w+):")
KIND = re.compile(r"\b(?:TOKEN|MESSAGE)_[A-Z_]+\b")


def unit_of(source):
    name = source.path.rsplit("/", 1)[1]
    return f"{source.room}/{name if name.endswith('.h') else name[:-2]}"


def bodies(text):
    """What a header does, without what it declares: the bodies of its functions."""
    return "\n".join(re.findall(r"^\{$.*?^\}$", text, re.M | re.S))


def is_own(unit, kind):
    """Whether a token of that kind names an object of this unit: TOKEN_EXCHANGE in exchange_*."""
    return kind.split("_")[1].lower() in re.split(r"[/_.]", unit)


class Unit:
    """What one unit defines, and what it mentions."""

    def __init__(self, name):
        self.name = name
        self.public = set()
        self.private = set()
        self.code = ""

    def add(self, source):
        text = "\n".join(source.code)
        self.code += (text if source.path.endswith(".c") else bodies(text)) + "\n"
        for match in DEFINITION.finditer(text):
            end = text.find("{", match.end())
            if end < 0 or ";" in text[match.end():end] or "=" in match[1]:
                continue
            private = "static" in match[1].split() and source.path.endswith(".c")
            (self.private if private else self.public).add(match[2])


def units_of(sources):
    units = {}
    for source in sources:
        name = unit_of(source)
        units.setdefault(name, Unit(name)).add(source)
    return units


def handlers(units, owner):
    """For each kind of token or message, the units of the functions behind its `case`."""
    found = {}
    for unit in units.values():
        for match in CASE.finditer(unit.code):
            body = unit.code[match.end():]
            body = body[:re.search(r"\bbreak;|\breturn\b[^;]*;|\n    default:|\n}", body).end()]
            for word in WORD.findall(body):
                if word in owner:
                    found.setdefault(match[1], set()).add(owner[word])
    return found


def tables_of(units, owner):
    """{member: {(type of the table, unit of the function)}}."""
    tables = {}
    for unit in units.values():
        for match in ENTRY.finditer(unit.code):
            member, function = match.groups()
            to = unit.name if function in unit.private else owner.get(function)
            types = list(TYPE.finditer(unit.code, 0, match.start()))
            if to and types:
                tables.setdefault(member, set()).add((types[-1][1], to))
    return tables


def edges_of(units):
    """{unit: units that it calls}."""
    owner = {}
    for unit in units.values():
        for function in unit.public:
            owner[function] = unit.name
    tables = tables_of(units, owner)
    reached = handlers(units, owner)
    edges = {}
    for unit in units.values():
        to = {owner[w] for w in set(WORD.findall(unit.code)) if w in owner}
        to -= {owner[w] for w in unit.private if w in owner}
        known = set(WORD.findall(unit.code + units.get(unit.name + ".h", unit).code))
        for member in THROUGH.findall(unit.code):
            for kind, name in tables.get(member, ()):
                to |= {name} if kind in known else set()
        cases = {m[1] for m in CASE.finditer(unit.code)}
        for kind in set(KIND.findall(unit.code)) - cases:
            to |= set() if is_own(unit.name, kind) else reached.get(kind, set())
        edges[unit.name] = to - {unit.name}
    return edges


def circles(edges):
    """The strongly connected components of more than one unit, the largest first (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in sorted(edges.get(v, ())):
            if w not in index:
                visit(w)
            if w in stack:
                low[v] = min(low[v], low[w] if index[w] >= index[v] else index[w])
        if low[v] == index[v]:
            circle = []
            while not circle or circle[-1] != v:
                circle.append(stack.pop())
            if len(circle) > 1:
                found.append(sorted(circle))

    for v in sorted(edges):
        if v not in index:
            visit(v)
    return sorted(found, key=len, reverse=True)
