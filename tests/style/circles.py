"""Which units call each other, and the circles in that.

A unit is a room's name.c; what its header itself does (an accessor of data) is a unit of its own.
A unit reaches another one when it names one of its functions: to call it, or to put it into a
table. Two more kinds of calls count, since they are calls all the same: `x->member(...)` reaches
every function that a table calls `.member`, if the unit knows the table's type; and who names the
kind of a token or message (TOKEN_..., MESSAGE_...) reaches those to whom the thread hands it, that
is, whose functions are called for `case` of that kind. A unit may name its own objects
(TOKEN_EXCHANGE in exchange_state.c), and a token that somebody else has made is opaque: to keep it
and to wake it reaches nobody. What is not seen: a function that is handed over as an argument.

Equal names are no calls: a member of a structure, a variable, or a static function that is called
like somebody else's function. A function that several files define, of which a build has one,
reaches all of them.
"""

import re

DEFINITION = re.compile(r"^(?!typedef|struct|enum|union|#|static_assert|extern)"
                        r"((?:[A-Za-z_][\w]*[ \*]+)+\**)([a-z_]\w*)\(", re.M)
WORD = re.compile(r"[A-Za-z_]\w*")
THROUGH = re.compile(r"(?:->|\.)\s*([a-z_]\w*)\s*\(")
ENTRY = re.compile(r"\.([a-z_]\w*)\s*=\s*&?([a-z_]\w*)\b(?!\s*\()")
TYPE = re.compile(r"\b([A-Z]\w*[a-z]\w*)\b(?:\)\s*\{|[ \*]+\w+(?:\[\w*\])*\s*=\s*\{)")
# What stands before a name where it is declared; no keyword is a type.
DECLARED = re.compile(r"\b(?!return\b|else\b|case\b|goto\b|sizeof\b)[A-Za-z_]\w*(?: +\**| *\*+ ?)"
                      r"([a-z_]\w*)\s*(?=[=;,)\[])")
NAMED = re.compile(r"(?<![\w.])(?<!->)[a-z_]\w*")
CALL = re.compile(r"(?<![\w.])(?<!->)([a-z_]\w*)\(")
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
    return kind.split("_")[1].lower() in re.split(r"[_.]", unit.split("/")[1])


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

    def variables(self):
        """Names that are declared and never called: no functions, whoever has one of that name."""
        return set(DECLARED.findall(self.code)) - set(CALL.findall(self.code))

    def named(self):
        """Names that may be of others' functions: neither its own nor members nor variables."""
        return set(NAMED.findall(self.code)) - self.private - self.public - self.variables()


def units_of(sources):
    units = {}
    for source in sources:
        name = unit_of(source)
        units.setdefault(name, Unit(name)).add(source)
    return units


def owners_of(units):
    """{function: units that define it}."""
    owners = {}
    for unit in units.values():
        for function in unit.public:
            owners.setdefault(function, set()).add(unit.name)
    return owners


def defined_by(unit, function, owners):
    """The units of a function that this one names."""
    return {unit.name} if function in unit.private else owners.get(function, set())


def handlers(units, owners):
    """{kind of token or message: the units of the functions behind its `case`}."""
    found = {}
    for unit in units.values():
        for match in CASE.finditer(unit.code):
            body = unit.code[match.end():]
            body = body[:re.search(r"\bbreak;|\breturn\b[^;]*;|\n    default:|\n}", body).end()]
            for word in NAMED.findall(body):
                found.setdefault(match[1], set()).update(owners.get(word, ()))
    return found


def tables_of(units, owners):
    """{member: {(type of the table, unit of the function)}}."""
    tables = {}
    for unit in units.values():
        for match in ENTRY.finditer(unit.code):
            member, function = match.groups()
            types = list(TYPE.finditer(unit.code, 0, match.start()))
            for to in defined_by(unit, function, owners) if types else ():
                tables.setdefault(member, set()).add((types[-1][1], to))
    return tables


def edges_of(units):
    """{unit: units that it calls}."""
    owners = owners_of(units)
    tables = tables_of(units, owners)
    reached = handlers(units, owners)
    edges = {}
    for unit in units.values():
        to = set()
        for function in unit.named():
            to |= owners.get(function, set())
        known = set(WORD.findall(unit.code + units.get(unit.name + ".h", unit).code))
        for member in THROUGH.findall(unit.code):
            to |= {name for kind, name in tables.get(member, ()) if kind in known}
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
