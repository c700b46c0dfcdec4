"""A generated library -> the files of its user: under names of their own, with what the stack takes, no others left."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mcusim.boards.board import Board
from mcusim.cores import core_of
from mcusim.line.build import frames_of
from mcusim.line.preflight import check_out
from mcusim.line.sources import Sources
from mcusim.system.errors import ConfigurationError, MissingToolError

if TYPE_CHECKING:
    from mcusim.line.front import Generated

LIBRARY_BYTES = 64  # of the stack, for memcpy and divisions of 64 bits, of newlib-nano and libgcc: they take 40 at most
MANIFEST = "mcusim-files.txt"  # what was written, as sha256sum tells and checks it
_ENTRY = re.compile(r"^([0-9a-f]{64})  (\w+\.[chS])$", re.ASCII | re.MULTILINE)
_TOLD = re.compile(r"^#define (\w+)|^\} (\w+);|^(?:void|int) (\w+)\(", re.MULTILINE)  # by model.h
_SHARED = re.compile(r"^NN_SHARED_LAYER void (\w+)\(", re.MULTILINE)  # by units, with model.c


def check_name(name: str | None) -> None:
    """Raises ConfigurationError for one that is no beginning of names in C, or that a C library might have taken."""
    if name is not None and not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name):
        hint = "lower-case letters, digits and _, up to 31, a letter first: --name kws"
        raise ConfigurationError(f"names in C cannot begin with {name!r}", where="--name", hint=hint)


def named(library: Sources, name: str) -> Sources:
    """`name`_ before all that a program or its linker sees: model.h, what it tells, routines, layers of several files.

    model.h includes nothing else of the library then, so that numbers of two of them may differ.
    """
    config = library.files["number_config.h"]
    is_float, is_wide = "NUMBER_BITS 0\n" in config, re.search(r"NUMBER_BITS (?:9|1\d)\n", config)
    header = library.files["model.h"].replace('#include "number.h"', "#include <stdint.h>")
    header = re.sub(r"\bnumber_t\b", "float" if is_float else "int16_t" if is_wide else "int8_t", header)
    files = {**library.files, "model.h": header}
    routines = {file.removesuffix(".S") for file in files if file.endswith(".S")}
    words = {word for match in _TOLD.finditer(header) for word in match.groups() if word} | routines
    words |= {word for text in files.values() for word in _SHARED.findall(text)}
    words |= {f"{routine.upper()}_H" for routine in routines} | {file for file in files if file.startswith("model")}
    own = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(words)))})\b")

    def prefixed(text: str) -> str:
        return own.sub(lambda match: f"{name.upper() if match[0].isupper() else name}_{match[0]}", text)

    return Sources({prefixed(file): prefixed(text) for file, text in files.items()})


def with_stack(generated: Generated, board: Board | None) -> Generated:
    """Where there is a board and its compiler, model.h tells what that counts; else how to find out."""
    try:
        toolchain = core_of(board.chip).toolchain() if board else None
    except MissingToolError:
        toolchain = None
    if toolchain is None:
        return generated
    frames, files = frames_of(generated.library, toolchain), generated.library.files
    deepest = 0
    for step in generated.program.steps:
        routines = max((routine.stack_bytes for routine in step.code.routines), default=0)
        deepest = max(deepest, frames.pop(step.function) + routines)
    most = deepest + sum(frames.values()) + LIBRARY_BYTES
    how = f"{LIBRARY_BYTES} of them for the C library;\n * by -fstack-usage of {toolchain.version}, -O2."
    text = re.sub(r"Stack: .*", lambda _: f"Stack: at most {most} bytes, {how}", files["model.h"])
    return replace(generated, library=Sources({**files, "model.h": text}))


def write_library(library: Sources, folder: Path) -> tuple[str, ...]:
    """-> notes. What an earlier run wrote, and this one does not, is removed, or it would be compiled, too; a file that
    has been changed since is its user's, and stays. Raises OSError, ConfigurationError as `check_out`, or BuildError.
    """
    check_out(folder, (*library.files, MANIFEST))
    for digest, name in _ENTRY.findall(_read(folder / MANIFEST).decode(errors="replace")):
        if name not in library.files and _digest(_read(folder / name)) == digest:
            (folder / name).unlink()
    manifest = "".join(f"{_digest(text.encode())}  {name}\n" for name, text in library.files.items())
    Sources({**library.files, MANIFEST: manifest}).write(folder)
    compiled = sorted(path.name for path in folder.iterdir() if path.suffix in (".c", ".S"))
    foreign = ", ".join(name for name in compiled if name not in library.files)
    return (f"in this folder, but not of this library: {foreign}",) if foreign else ()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(path: Path) -> bytes:
    """Nothing where there is no file, or a link to one."""
    return path.read_bytes() if path.is_file() and not path.is_symlink() else b""
