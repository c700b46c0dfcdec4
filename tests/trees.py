"""Python files as trees, for tests of the code itself: each is read, and walked through, once by each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), path.name)


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree_of(path)))


@cache
def calls_in(path: Path) -> tuple[ast.Call, ...]:
    return tuple(node for node in nodes_of(path) if isinstance(node, ast.Call))


@pytest.fixture(scope="module", autouse=True)
def forget() -> Iterator[None]:
    """A million nodes, through which the garbage collector would go while other tests run."""
    yield
    for kept in (tree_of, nodes_of, calls_in):
        kept.cache_clear()


def imports_in(path: Path, *, types: bool = True) -> Iterator[ast.Import | ast.ImportFrom]:
    """Those inside functions too; without `types` not those that only type checkers see."""
    return (node for node in _statements(tree_of(path), types) if isinstance(node, (ast.Import, ast.ImportFrom)))


def _statements(node: ast.AST, types: bool) -> Iterator[ast.AST]:
    for block in BLOCKS:
        for inner in getattr(node, block, ()):
            if types or getattr(getattr(inner, "test", None), "id", "") != "TYPE_CHECKING":
                yield inner
                yield from _statements(inner, types)
