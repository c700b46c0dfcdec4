"""Sphinx: docs/ as a site. `script/docs` builds it."""

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from mcusim.system.version import VERSION  # noqa: E402
from tools import site  # noqa: E402

project = "mcusim"
author = "The authors of mcusim"
version = release = VERSION
extensions = ["myst_parser", "sphinx_click"]
myst_heading_anchors = 4  # links to headings, as GitHub spells them
html_theme = "furo"
html_title = "mcusim"
html_show_sourcelink = False
pygments_style, pygments_dark_style = "friendly", "monokai"
nitpicky = True
smartquotes = False  # what is quoted is TOML


def setup(app: Any) -> None:
    app.connect("builder-inited", lambda _: site.write())
    app.connect("source-read", _link)
    for part in ("description", "options"):
        app.connect(f"sphinx-click-process-{part}", _escape)


def _link(_: Any, name: str, text: list[str]) -> None:
    """Links of docs/ lead out of it, too: into the repository. What is generated has its links."""
    page = site.DOCS / f"{name}.md"
    if page.parent == site.DOCS:
        text[0] = site.with_links(text[0], page, page)


def _escape(_: Any, __: Any, lines: list[str]) -> None:
    """Help of commands is plain text with code between graves; sphinx-click takes it for reStructuredText."""
    lines[:] = [line if line.lstrip().startswith((".. ", ":")) else _literal(line) for line in lines]


def _literal(line: str) -> str:
    parts = line.split("`")
    parts[::2] = [part.replace("*", r"\*").replace("_", r"\_") for part in parts[::2]]
    return "``".join(parts)
