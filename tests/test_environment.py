"""docs/environment.md names every environment variable that the code reads, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from mcusim.commands.streams import OBEYED_BY
from mcusim.datasets import DATASETS
from mcusim.datasets.published import Publication
from tests.trees import forget as forget  # noqa: PLC0414  (a fixture)
from tests.trees import nodes_of

ROOT = Path(__file__).parents[1]
# Set by us for a process that we start, and read by it alone; and what it is given as it is.
OURS = {"HOME", "PYTHONPATH", "MCUSIM_NONCE", "MCUSIM_PARENT", "MCUSIM_PLUGIN_API", "MCUSIM_RENODE_LOCK"}
# Read elsewhere: by libraries for us, and by scripts.
OTHERS = {
    "MCUSIM_PYTHON",
    "MCUSIM_VENV",
    "MCUSIM_APT",
    "MCUSIM_EXTRAS",
    "MCUSIM_REQUIRE",
    "MCUSIM_OTHER_QEMUS",
    "MCUSIM_FREERTOS",
}
OTHERS |= {"MCUSIM_GRAPHS"}
NAME = re.compile(r"_?[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
LISTED = re.compile(r"_?MCUSIM_|PYRENODE_|RENODE_")


def documented() -> set[str]:
    return set(re.findall(r"`(_?[A-Z][A-Z0-9_]+)(?:=\w+)?`", (ROOT / "docs" / "environment.md").read_text())) - {"PATH"}


def read() -> set[str]:
    """What modules look up in `os.environ`, by name or in a list of names that begin as ours and Renode's do."""
    found = set(OBEYED_BY) | set(_mirrors())
    for path in (ROOT / "mcusim").rglob("*.py"):
        if "os.environ" in path.read_text(encoding="utf-8"):
            found |= {name for node in nodes_of(path) for name in _names(node)}
    return found


def _mirrors() -> Iterator[str]:
    """What data sets look up, by a name that is made of theirs."""
    for module in DATASETS.values():
        publication = getattr(module, "PUBLICATION", None)
        if isinstance(publication, Publication):
            yield publication.mirror


def _names(node: ast.AST) -> Iterator[str]:
    words = [child.value for child in ast.iter_child_nodes(node) if isinstance(child, ast.Constant)]
    is_set = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
    is_lookup = isinstance(node, (ast.Call, ast.Subscript, ast.Compare)) and "os.environ" in ast.unparse(node)
    is_lookup &= not is_set
    for word in words:
        if isinstance(word, str) and NAME.fullmatch(word) and (is_lookup or LISTED.match(word)):
            yield word


def test_every_variable_is_documented() -> None:
    assert read() - OURS - documented() == set()


def test_no_other_is() -> None:
    assert documented() - read() - OTHERS == set()
