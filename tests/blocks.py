"""Blocks of code in the texts of the project: found as Markdown has them, fenced and indented."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
TEXTS = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "platforms/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
)
EXCUSE = re.compile(r"<!-- (?:not tested: (?P<why>[^>]{10,})|BEGIN \w+: [^>]+) -->\s*")
CONSOLE = "console"  # commands, and below them what they print; so are blocks that are indented


@dataclass(frozen=True)
class Block:
    """`language` is the first word behind the fence. `excused`: the comment above says why nothing can be tested."""

    path: Path
    line: int
    language: str
    text: str
    excused: bool

    @property
    def name(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def blocks(path: Path) -> Iterator[Block]:
    before = ""
    for token in MarkdownIt("commonmark").parse(path.read_text(encoding="utf-8")):
        if token.type in ("fence", "code_block"):
            assert token.map
            excused = bool(EXCUSE.fullmatch(before))
            yield Block(path, token.map[0] + 1, token.info or CONSOLE, token.content, excused)
        before = token.content if token.type == "html_block" else ""


BLOCKS = [block for path in TEXTS for block in blocks(path)]
