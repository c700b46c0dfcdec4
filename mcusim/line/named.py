"""Sources of a library -> the same under names of its own, so that one program can hold several."""

from __future__ import annotations

import re

from mcusim.line.sources import Sources
from mcusim.system.errors import ConfigurationError

NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_TOLD = re.compile(r"^#define (\w+)|^\} (\w+);|^void (\w+)\(", re.MULTILINE)  # by model.h
_SHARED = re.compile(r"^NN_SHARED_LAYER void (\w+)\(", re.MULTILINE)  # by units, with model.c
_FILE = re.compile(r"model\w*\.[ch]")


def check_name(name: str | None) -> None:
    """Raises ConfigurationError for one that is no beginning of names in C, or that a C library might have taken."""
    if name is not None and not NAME.fullmatch(name):
        hint = "lower-case letters, digits and _, up to 31, a letter first: --name kws"
        raise ConfigurationError(f"names in C cannot begin with {name!r}", where="--name", hint=hint)


def named(library: Sources, name: str) -> Sources:
    """`name`_ before all that a program or its linker sees: model.h, what it tells, routines, layers of several files.

    model.h includes nothing else of the library then, so that numbers of two of them may differ.
    """
    files = {**library.files, "model.h": _by_itself(library)}
    routines = {file.removesuffix(".S") for file in files if file.endswith(".S")}
    words = {word for match in _TOLD.finditer(files["model.h"]) for word in match.groups() if word} | routines
    words |= {word for text in files.values() for word in _SHARED.findall(text)}
    words |= {f"{routine.upper()}_H" for routine in routines} | {file for file in files if _FILE.fullmatch(file)}
    own = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(words)))})\b")

    def prefixed(text: str) -> str:
        return own.sub(lambda match: f"{name.upper() if match[0].isupper() else name}_{match[0]}", text)

    return Sources({prefixed(file): prefixed(text) for file, text in files.items()})


def _by_itself(library: Sources) -> str:
    """model.h with the type that `number_t` is."""
    told = re.search(r"^#define NN_NUMBER_BITS (\d+)", library.files["number_config.h"], re.MULTILINE)
    assert told, "number_config.h tells the bits of a number"
    ctype = "float" if told[1] == "0" else f"int{8 if int(told[1]) <= 8 else 16}_t"
    text = library.files["model.h"].replace('#include "number.h"', "#include <stdint.h>")
    return re.sub(r"\bnumber_t\b", ctype, text)
