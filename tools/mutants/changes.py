"""Files of a room -> a sample of all small changes of their functions, as mutmut makes them: each a whole new file."""

from __future__ import annotations

import ast
import difflib
import importlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LINKED = "\N{LATIN LETTER LATERAL CLICK}"  # mutmut's, between a class and its method


@dataclass(frozen=True)
class Change:
    """`function`: with its module, as mutmut spells it.

    `difference`: the lines that are taken out and put in. `text`: of the changed file.
    """

    function: str
    file: str
    difference: str
    text: str

    @property
    def key(self) -> str:
        return f"{self.function}\n{self.difference}"

    def apply(self) -> None:
        """The function that is there gets the code of the changed one: who has imported it has it, too."""
        module, _, name = self.function.rpartition(".")
        *classes, function = name.split(LINKED)[1:] if LINKED in name else [name.removeprefix("x_")]
        there: Any = importlib.import_module(module)
        statement, namespace = _alone(ast.parse(self.text), classes, function), dict(vars(there))
        exec(compile(statement, self.file, "exec", annotations.compiler_flag), namespace)
        new = vars(namespace[classes[0]])[function] if classes else namespace[function]
        old = vars(getattr(there, classes[0]) if classes else there)[function]
        old = getattr(old, "__func__", old)
        old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__


def _alone(tree: ast.Module, classes: Sequence[str], function: str) -> ast.Module:
    """A function without decorators, in its class, if it has one, without bases."""
    body: list[ast.stmt] = tree.body
    for name in classes:
        body = next(node for node in body if isinstance(node, ast.ClassDef) and node.name == name).body
    found: ast.stmt = next(node for node in body if isinstance(node, ast.FunctionDef) and node.name == function)
    assert isinstance(found, ast.FunctionDef)
    found.decorator_list = []
    for name in classes:
        found = ast.ClassDef(name, bases=[], keywords=[], body=[found], decorator_list=[])
    return ast.fix_missing_locations(ast.Module([found], []))


def drawn(root: Path, patterns: Sequence[str], sample: int, seed: int) -> list[Change]:
    """Of all that there are, in the order of files."""
    from libcst import FunctionDef
    from mutmut.mutation.file_mutation import create_mutations

    every: list[tuple[Path, Any, Any]] = []
    for file in sorted({file for pattern in patterns for file in _files(root, pattern)}):
        module, mutations, *_ = create_mutations(str(file), file.read_text(encoding="utf-8"))
        every += [
            (file, module, one) for one in mutations if isinstance(one.contained_by_top_level_function, FunctionDef)
        ]
    chosen = sorted(random.Random(seed).sample(range(len(every)), min(sample, len(every))))
    return [_change(root, *every[at]) for at in chosen]


def _files(root: Path, pattern: str) -> Iterator[Path]:
    """Those in folders below, too."""
    for found in root.glob(pattern):
        yield from found.rglob("*.py") if found.is_dir() else [found]


def _change(root: Path, file: Path, module: Any, mutation: Any) -> Change:
    before, after = module.code, module.deep_replace(mutation.original_node, mutation.mutated_node).code
    told = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0))[2:]
    first = int(told[0].split()[1].removeprefix("-").partition(",")[0])
    difference = "\n".join(line for line in told if line[0] in "+-")
    tree, name = ast.parse(before), file.relative_to(root).with_suffix("")
    dotted = ".".join(name.parts).removesuffix(".__init__")
    return Change(f"{dotted}.{_function(tree, first)}", str(file.relative_to(root)), difference, after)


def _function(tree: ast.Module, line: int) -> str:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and _holds(node, line):
            own = next(one for one in node.body if isinstance(one, ast.FunctionDef) and _holds(one, line))
            return f"x{LINKED}{node.name}{LINKED}{own.name}"
        if isinstance(node, ast.FunctionDef) and _holds(node, line):
            return f"x_{node.name}"
    raise AssertionError(line)


def _holds(node: ast.stmt, line: int) -> bool:
    start: int = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
    return start <= line <= (node.end_lineno or 0)
