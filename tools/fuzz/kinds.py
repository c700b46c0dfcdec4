"""All kinds."""

from __future__ import annotations

from tools.fuzz import boards, files, graphs
from tools.fuzz.kind import Kind

KINDS: tuple[Kind, ...] = (*graphs.KINDS, *boards.KINDS, *files.KINDS)


def kind_of(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)
