"""docs/approximation.md tells of every approximation."""

from __future__ import annotations

import re
from pathlib import Path

from mcusim.approximate import APPROXIMATIONS

DOCS = Path(__file__).parents[2] / "docs" / "approximation.md"


def test_docs_tell_of_each() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE))
    assert {one.NAME: one.SUMMARY for one in APPROXIMATIONS}.items() <= told.items()
