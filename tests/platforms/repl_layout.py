"""Lines of a platform description -> text with braces and semicolons, as Renode's PreLexer.cs makes of indentation."""

from __future__ import annotations

import re
from collections.abc import Iterator

INDENT = 4


class ReplError(Exception):
    """A description that Renode would refuse, or read otherwise than it looks."""


def with_braces(text: str) -> str:
    """Raises ReplError where Renode would, and for comments in /* */, backslashes and tabs anywhere."""
    return "\n".join(_with_braces(list(_without_comments(_rolled(text)))))


def _rolled(text: str) -> Iterator[str]:
    """Lines; one that begins a ''' string takes the lines up to its end with it."""
    inside: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if "\\" in line or "\r" in line:
            raise ReplError(f"line {number}: a backslash or carriage return")
        if "\t" in line:
            raise ReplError(f"line {number}: a tab")
        quotes = line.count("'''")
        if inside:
            inside.append(line)
            if quotes:
                yield "\n".join(inside)
                inside = []
        elif quotes in (0, 2):
            yield line
        elif quotes == 1:
            inside = [line]
        else:
            raise ReplError(f"line {number}: one ''' string ends where another begins")
    if inside:
        raise ReplError(f"unclosed ''' string: {inside[0]!r}")


_QUOTED = re.compile(r"'''.*?'''|\"[^\"\n]*\"", re.DOTALL)


def _without_comments(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        hidden = _QUOTED.sub(lambda quoted: "x" * len(quoted.group()), line)
        if '"' in hidden.split("//")[0]:
            raise ReplError(f"unclosed string: {line!r}")
        if "/*" in hidden:
            raise ReplError(f"a comment in /* */: {line!r}")
        at = hidden.find("//")
        if at > 0 and hidden[at - 1] != " ":
            raise ReplError(f"// begins no comment after {hidden[at - 1]!r}: {line!r}")
        yield line if at < 0 else line[:at]


def _braces(line: str) -> int:
    """How many braces a line opens, counted as Renode counts: not between double quotes, even in ''' strings."""
    outside = "".join(line.split('"')[::2])
    return outside.count("{") - outside.count("}")


def _with_braces(lines: list[str]) -> list[str]:
    """Indentation as braces, ends of lines as semicolons; what is inside braces already stays as it is."""
    found = [line.rstrip() for line in lines if line.strip()]
    if not found:
        return []
    decorated = []
    depth = indent = 0
    for line, following in zip(found, [*found[1:], ""], strict=True):
        if line is found[0] and line.startswith(" "):
            raise ReplError(f"the first line is indented: {line!r}")
        depth += _braces(line)
        if depth:
            decorated.append(line)
            continue
        spaces = len(following) - len(following.lstrip(" "))
        if spaces % INDENT or spaces // INDENT > indent + 1:
            raise ReplError(f"indented by {spaces} spaces: {following.strip()!r}")
        step = spaces // INDENT - indent
        end = ";" if following else ""
        decorated.append(line + ("{" * step if step > 0 else "}" * -step + end))
        indent += step
    if depth:
        raise ReplError("braces are not balanced")
    return decorated
