"""A good file + chance -> one that is not: damaged, cut, spliced, of huge sizes, deep, or with names that mean harm."""

from __future__ import annotations

import io
import json
import random
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

EVIL = "mcusim-fuzz-evil"  # what no file may be called that mcusim writes
NAMES = (
    *("\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b31m", "\u202egpj.exe", "a\x00b", "a\nb\r\nc", "\u2028", "\ufeff"),
    *(f"../../{EVIL}", f"/tmp/{EVIL}", f"..\\{EVIL}", f"~/{EVIL}", f"$HOME/{EVIL}", f"a/{EVIL}", ".", "..", ""),
    *(
        "*/ #error evil /*",
        '"; #error evil',
        "??/",
        "\\",
        "\\\n#error evil",
        "int",
        "main",
        "cnn",
        "_Pragma",
        "0",
        "é",
        "µ²",
    ),
    *(
        f"$(touch {EVIL})",
        f"`touch {EVIL}`",
        f"; touch {EVIL};",
        f"| touch {EVIL}",
        "-rf",
        "--help",
        "%s%n%d",
        "{0}",
        "{{x}}",
    ),
    *(
        "<script>alert(1)</script>",
        "]]>",
        "&lt;",
        '"><img src=x>',
        "[red]x[/red]",
        "|a|b|",
        "`c`",
        "::error::evil",
        "##[group]",
    ),
    *("nan", "inf", "x" * 5000, "__class__", "__import__('os')", "CON", "con.", "a" * 300),
)
NUMBERS = (
    *(0, -1, 1, 2, 255, 65536, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), 10**9, 10**30),
    *(0.5, -0.5, 1e-45, 1e-300, 1e38, 3.5e38, 1e308, float("nan"), float("inf"), -float("inf")),
)
WORDS = tuple(
    value.to_bytes(size, "little")
    for size in (2, 4, 8)
    for value in (0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), 64)
) + (b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\0\0\x80\xff", b"\xff\xff\xff\x7f", b"\xff\xff\xff\x7f"[::-1])
DEEP, BOMB_BYTES = 20_000, 3 << 29
Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def mutated(chance: random.Random, good: Sequence[bytes]) -> bytes:
    """One of `good` with up to four changes; the others are what parts come from."""
    content = chance.choice(good)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        content = _changed(chance, content, good)
    return content


def _changed(chance: random.Random, content: bytes, good: Sequence[bytes]) -> bytes:
    if zipfile.is_zipfile(io.BytesIO(content)) and chance.random() < 0.8:
        return _of_archive(chance, content, good)
    text = _text(content)
    if text is not None and chance.random() < 0.8:
        return _of_text(chance, text).encode("utf-8", "surrogatepass")
    return chance.choice(BYTES)(chance, content, good)


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


# -- bytes -------------------------------------------------------------------------------------------------------------


def _place(chance: random.Random, content: bytes) -> int:
    """Mostly near an end, where headers and tables lie."""
    near = min(len(content), 300)
    where = chance.random()
    return (
        chance.randrange(near + 1)
        if where < 0.4
        else len(content) - chance.randrange(near + 1)
        if where < 0.6
        else (chance.randrange(len(content) + 1))
    )


def _flip(chance: random.Random, content: bytes, _good: Sequence[bytes]) -> bytes:
    made = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        if made:
            made[min(_place(chance, content), len(made) - 1)] ^= 1 << chance.randrange(8)
    return bytes(made)


def _cut(chance: random.Random, content: bytes, _good: Sequence[bytes]) -> bytes:
    return content[: _place(chance, content)]


def _lose(chance: random.Random, content: bytes, _good: Sequence[bytes]) -> bytes:
    start = _place(chance, content)
    return content[:start] + content[start + chance.choice((1, 2, 4, 100, 5000)) :]


def _insert(chance: random.Random, content: bytes, _good: Sequence[bytes]) -> bytes:
    start = _place(chance, content)
    return content[:start] + chance.randbytes(chance.choice((1, 4, 100, 100_000))) + content[start:]


def _repeat(chance: random.Random, content: bytes, _good: Sequence[bytes]) -> bytes:
    start, length = _place(chance, content), chance.choice((4, 60, 1000))
    return content[: start + length] + content[start : start + length] * chance.choice((1, 3, 1000)) + content[start:]


def _splice(chance: random.Random, content: bytes, good: Sequence[bytes]) -> bytes:
    other = chance.choice(good)
    return content[: _place(chance, content)] + other[_place(chance, other) :]


def _word(chance: random.Random, content: bytes, _good: Sequence[bytes]) -> bytes:
    start, word = _place(chance, content) // 4 * 4, chance.choice(WORDS)
    return content[:start] + word + content[start + len(word) :]


def _name(chance: random.Random, content: bytes, _good: Sequence[bytes]) -> bytes:
    """In place of letters, as long as they are."""
    runs = [found for found in re.finditer(rb"[A-Za-z_0-9./]{3,}", content)]
    if not runs:
        return content
    run = chance.choice(runs)
    told = chance.choice(NAMES).encode("utf-8", "replace")
    return content[: run.start()] + (told + b" " * len(run[0]))[: len(run[0])] + content[run.end() :]


BYTES: tuple[Mutation, ...] = (_flip, _flip, _cut, _lose, _insert, _repeat, _splice, _word, _word, _word, _name, _name)


# -- text --------------------------------------------------------------------------------------------------------------


def _of_text(chance: random.Random, text: str) -> str:
    try:
        return json.dumps(_of_document(chance, json.loads(text)))
    except (ValueError, RecursionError, TypeError):
        return chance.choice(TEXTS)(chance, text)


def _of_document(chance: random.Random, document: Any) -> Any:
    """One of its values, or keys, is another."""
    places: list[tuple[Any, Any]] = []
    pending = [document]
    while pending:
        one = pending.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        places += [(one, key) for key in keys]
        pending += [one[key] for key in keys]
    if not places or chance.random() < 0.02:
        return _odd(chance, document)
    holder, key = chance.choice(places)
    if isinstance(holder, dict) and chance.random() < 0.2:
        holder[chance.choice(NAMES)] = holder.pop(key)
    elif chance.random() < 0.1:
        del holder[key]
    else:
        holder[key] = _odd(chance, holder[key])
    return document


def _odd(chance: random.Random, now: Any) -> Any:
    if isinstance(now, str) and chance.random() < 0.6:
        return chance.choice(NAMES)
    if isinstance(now, (int, float)) and chance.random() < 0.6:
        return chance.choice(NUMBERS)
    deep: Any = []
    for _ in range(chance.choice((1, 40, 900))):
        deep = [deep]
    return chance.choice(
        (None, True, {}, [], deep, [now] * 3, {"a": now}, chance.choice(NAMES), chance.choice(NUMBERS))
    )


def _number(chance: random.Random, text: str) -> str:
    return _replaced(chance, r"-?\d[\d_]*(\.\d+)?", text, lambda _: str(chance.choice(NUMBERS)))


def _quoted(chance: random.Random, text: str) -> str:
    spelled = (repr, json.dumps, lambda name: f'"{name}"')
    return _replaced(chance, r'"[^"\n]*"', text, lambda _: chance.choice(spelled)(chance.choice(NAMES)))


def _written(chance: random.Random, text: str) -> str:
    return _replaced(chance, r"[A-Za-z_]\w*", text, lambda _: chance.choice(NAMES))


def _replaced(chance: random.Random, pattern: str, text: str, made: Callable[[str], str]) -> str:
    found = list(re.finditer(pattern, text))
    if not found:
        return text
    one = chance.choice(found)
    return text[: one.start()] + made(one[0]) + text[one.end() :]


def _lines(chance: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    if not lines:
        return text
    place, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    how = chance.randrange(4)
    if how == 0:
        del lines[place]
    elif how == 1:
        lines[place:place] = [lines[place]] * chance.choice((1, 2, 12))
    elif how == 2:
        lines[place], lines[other] = lines[other], lines[place]
    else:
        lines[place] = lines[place].rstrip("\n") + chance.choice((",", "[", "=", '"""', " = [[", "\t", "]")) + "\n"
    return "".join(lines)


def _nested(chance: random.Random, text: str) -> str:
    place, opened = chance.randrange(len(text) + 1), chance.choice("[{(<")
    return text[:place] + opened * chance.choice((2, 300, DEEP)) + text[place:]


def _deep_value(chance: random.Random, text: str) -> str:
    depth = chance.choice((2, 300, DEEP))
    made = chance.choice(("[" * depth + "]" * depth, "{a=" * depth + "1" + "}" * depth, ".".join("a" * depth)))
    return _replaced(chance, r'"[^"\n]*"|\d+', text, lambda _: made)


TEXTS = (_number, _number, _quoted, _quoted, _written, _written, _lines, _lines, _nested, _deep_value)


# -- archives ----------------------------------------------------------------------------------------------------------


def _of_archive(chance: random.Random, content: bytes, good: Sequence[bytes]) -> bytes:
    """A member is another, is one too many, is missing, or is much larger than it looks."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(one.filename, archive.read(one)) for one in archive.infolist() if one.file_size < 2**26]
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, RuntimeError, NotImplementedError, EOFError):
        return chance.choice(BYTES)(chance, content, good)
    if not members:
        return chance.choice(BYTES)(chance, content, good)
    place = chance.randrange(len(members))
    name, data = members[place]
    how = chance.random()
    if how < 0.7:
        members[place] = name, _changed(chance, data, [data for _, data in members])
    elif how < 0.75:
        del members[place]
    elif how < 0.8:
        members.append((name, chance.randbytes(50)))
    elif how < 0.9:
        members[place] = chance.choice(NAMES), data
    elif how < 0.95:
        members.append((f"../../{EVIL}", data))
    else:
        return _bomb(content, name)
    return _zipped(members, chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def _zipped(members: Sequence[tuple[str, bytes]], method: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name.encode("utf-8", "replace").decode() or "x")
            info.compress_type = method
            archive.writestr(info, data)
    return made.getvalue()


def _bomb(content: bytes, name: str) -> bytes:
    """One member has 1.5 GiB of zeros, in 1.5 MB."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for other in old.namelist():
            if other != name:
                archive.writestr(other, old.read(other))
        with archive.open(name, "w") as member:
            for _ in range(BOMB_BYTES >> 24):
                member.write(_zeros())
    return made.getvalue()


@cache
def _zeros() -> bytes:
    return bytes(1 << 24)
