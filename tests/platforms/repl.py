"""Platform descriptions as Renode 1.16 reads them, only stricter: what needs a newer one than 1.16.0 is an error, too.

Written after Renode's Grammar.cs. `load` resolves `using` and merges entries of one name, as CreationDriver.cs does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.platforms.repl_layout import ReplError, with_braces

KEYWORDS = {"using", "new", "as", "preinit", "init", "reset", "local", "prefixed", "true", "false", "none", "empty"}


@dataclass(frozen=True)
class Range:
    """Addresses from `start` up to, not including, `end`."""

    start: int
    end: int


@dataclass(frozen=True)
class Name:
    """A reference to an entry, or the value of an enumeration: `Type.Value`."""

    text: str


@dataclass(frozen=True)
class New:
    type: str
    attributes: dict[str, Value]


Value = int | float | bool | str | Range | Name | New | None


@dataclass(frozen=True)
class Registration:
    """Where an entry hangs: a `register` such as sysbus, and the point there. `@ none` has neither."""

    register: str | None
    point: Value = None


@dataclass(frozen=True)
class Irq:
    """One arrow: output `source` (a name, a number, or None for the only one) to input `line` of `target`."""

    source: int | str | None
    target: str
    line: int
    local: int | None = None


@dataclass
class Entry:
    name: str
    type: str | None = None
    registrations: list[Registration] | None = None
    attributes: dict[str, Value] = field(default_factory=dict)
    irqs: list[Irq] = field(default_factory=list)
    init: list[str] = field(default_factory=list)
    adds_to_init: bool = False


@dataclass
class File:
    usings: list[str]
    entries: list[Entry]


def load(path: Path, _above: tuple[Path, ...] = ()) -> dict[str, Entry]:
    """Entries of a file and of those it uses, merged. Raises ReplError."""
    path = path.resolve()
    if path in _above:
        raise ReplError(f"{path.name} uses itself")
    parsed = parse(path.read_text(encoding="utf-8"))
    entries: dict[str, Entry] = {}
    for using in parsed.usings:
        if not (path.parent / using).is_file():
            raise ReplError(f"{path.name} uses {using!r}, which is no file")
        entries |= load(path.parent / using, (*_above, path))
    for entry in parsed.entries:
        _merge(entries, entry)
    if not _above:
        _demand_targets(entries)
    return entries


def _merge(entries: dict[str, Entry], entry: Entry) -> None:
    known = entries.get(entry.name)
    if known is None and entry.type is None and entry.name != "sysbus":
        raise ReplError(f"{entry.name!r} is never declared")
    if known is not None and entry.type is not None:
        raise ReplError(f"{entry.name!r} is declared twice")
    if known is None:
        entries[entry.name] = entry
        return
    known.registrations = known.registrations if entry.registrations is None else entry.registrations
    known.attributes |= entry.attributes
    redrawn = {irq.source for irq in entry.irqs}
    known.irqs = [irq for irq in known.irqs if irq.source not in redrawn] + entry.irqs
    known.init = known.init + entry.init if entry.adds_to_init else entry.init or known.init


def _demand_targets(entries: dict[str, Entry]) -> None:
    for entry in entries.values():
        for irq in entry.irqs:
            if irq.target not in entries:
                raise ReplError(f"{entry.name!r} interrupts {irq.target!r}, which is not declared")
        for registration in entry.registrations or []:
            if registration.register not in (None, "sysbus", *entries):
                raise ReplError(f"{entry.name!r} is registered at {registration.register!r}, which is not declared")


def parse(text: str) -> File:
    """One file. Raises ReplError with what stands there."""
    return _Parser(with_braces(text)).file()


class _Parser:
    """The grammar over text with braces."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def file(self) -> File:
        usings, entries = [], []
        while self.take(r"using\b"):
            usings.append(self.string())
            self.take(";")
        while not self.ended():
            entries.append(self.entry())
            if not self.ended():
                self.demand(";")
        return File(usings, entries)

    def ended(self) -> bool:
        return not self.text[self.at :].strip()

    def take(self, pattern: str) -> str | None:
        match = re.compile(rf"\s*({pattern})", re.DOTALL).match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match.group(1)

    def demand(self, pattern: str, what: str = "") -> str:
        found = self.take(pattern)
        if found is None:
            rest = self.text[self.at :].strip().split("\n")[0]
            raise ReplError(f"expected {what or pattern} at {rest[:60]!r}")
        return found

    def identifier(self) -> str:
        name = self.demand(r"[A-Za-z][A-Za-z0-9_]*", "a name")
        if name in KEYWORDS:
            raise ReplError(f"{name!r} is a keyword")
        return name

    def string(self) -> str:
        return self.demand(r'"[^"\n]*"', "a string")[1:-1]

    def number(self) -> int:
        text = self.demand(r"0x[0-9A-Fa-f_]+|[0-9][0-9_]*", "a number")
        return int(text, 0) if text.startswith("0x") else int(text)

    def entry(self) -> Entry:
        self.refuse(r"(local|preinit)\b")
        entry = Entry(self.identifier())
        self.demand(":")
        if self.take(r"(?=[A-Za-z])") is not None:
            entry.type = self.demand(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*", "a type")
        if self.take("@"):
            entry.registrations = self.registrations()
        if self.take(r"\{"):
            self.attributes(entry)
        elif entry.type is None and entry.registrations is None:
            raise ReplError(f"{entry.name!r} is empty")
        return entry

    def refuse(self, pattern: str) -> None:
        found = self.take(pattern)
        if found:
            raise ReplError(f"{found!r} is not for these files: newer than Renode 1.16.0, or never needed")

    def registrations(self) -> list[Registration]:
        if self.take(r"none\b"):
            return [Registration(None)]
        if not self.take(r"\{"):
            return [self.registration()]
        found = [self.registration()]
        while self.take(";"):
            found.append(self.registration())
        self.demand(r"\}")
        return found

    def registration(self) -> Registration:
        register = self.identifier()
        return Registration(register, self.value() if self.take(r"(?=[0-9<]|new\b)") is not None else None)

    def attributes(self, entry: Entry) -> None:
        while not self.take(r"\}"):
            self.refuse(r"(preinit|reset)\b")
            if kind := self.take(r"init(\s+add)?\s*:"):
                entry.init, entry.adds_to_init = self.statements(), "add" in kind
            elif self.take(r"(?=[A-Za-z][A-Za-z0-9_]*\s*:)") is not None:
                name = self.identifier()
                self.demand(":")
                if name in entry.attributes:
                    raise ReplError(f"{entry.name!r} has {name!r} twice")
                entry.attributes[name] = self.value()
            else:
                entry.irqs += self.irqs()
            if self.take(r"(?=\})") is None:
                self.demand(";")

    def statements(self) -> list[str]:
        block = self.demand(r"\{[^{}]*\}", "commands")
        return [" ".join(line.split()) for line in block[1:-1].split(";")]

    def value(self) -> Value:
        self.refuse(r"\[")
        quoted = self.take(r'"[^"\n]*"') or self.take(r"'''.*?'''")
        if quoted is not None:
            return quoted[3:-3] if quoted.startswith("'''") else quoted[1:-1]
        if self.take("<"):
            return self.range()
        if self.take(r"new\b"):
            return self.new()
        if self.take(r"(?=-?[0-9])") is not None:
            return self.scalar()
        word = self.demand(r"\.?[A-Za-z][A-Za-z0-9_.]*", "a value")
        return {"true": True, "false": False, "none": None}.get(word, Name(word))

    def scalar(self) -> Value:
        sign = -1 if self.take("-") else 1
        fraction = self.take(r"[0-9][0-9_]*\.[0-9]+")
        return sign * float(fraction) if fraction else sign * self.number()

    def range(self) -> Range:
        start = self.number()
        self.demand(",")
        end = start + self.number() if self.take(r"\+") else self.number()
        self.demand(">")
        if end <= start:
            raise ReplError(f"range <0x{start:X}, 0x{end:X}> is empty")
        return Range(start, end)

    def new(self) -> New:
        inner = Entry("new")
        kind = self.demand(r"[A-Za-z][A-Za-z0-9_.]*", "a type")
        self.demand(r"\{")
        self.attributes(inner)
        return New(kind, inner.attributes)

    def irqs(self) -> list[Irq]:
        sources = self.ends(named=True) if self.take(r"(?=->)") is None else [None]
        self.demand("->", "an attribute or an arrow")
        found = self.destination(sources)
        while self.take(r"\|"):
            found += self.destination(sources)
        return found

    def destination(self, sources: list[int | str | None]) -> list[Irq]:
        target = self.identifier()
        local = self.number() if self.take("#") else None
        self.demand("@")
        lines = self.ends(named=False)
        if len(lines) != len(sources):
            raise ReplError(f"{len(sources)} outputs drive {len(lines)} inputs of {target!r}")
        return [Irq(source, target, int(str(line)), local) for source, line in zip(sources, lines, strict=True)]

    def ends(self, *, named: bool) -> list[int | str | None]:
        if not self.take(r"\["):
            return self.end(named)
        found = self.end(named)
        while self.take(","):
            found += self.end(named)
        self.demand(r"\]")
        return found

    def end(self, named: bool) -> list[int | str | None]:
        if named and self.take(r"(?=[A-Za-z])") is not None:
            return [self.identifier()]
        first = self.number()
        if not self.take(r"-(?!>)"):
            return [first]
        last = self.number()
        return list(range(first, last + 1) if last > first else range(first, last - 1, -1))
