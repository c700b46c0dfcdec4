"""A scratch copy of the tree for each recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipes.tree import Tree

collect_ignore = ["toys"]  # their tests run where they are copied to


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "tree")
