"""What every HTML page is: a template of ours, into which names go as text only; and how large it may be."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcusim.system.errors import MissingToolError
from mcusim.system.names import printable, shortened

if TYPE_CHECKING:
    import jinja2

LARGEST_BYTES = 2_000_000  # which browsers and mails take
LONGEST_TEXT = 600  # letters of a cell or a note


def demand() -> None:
    """Raises MissingToolError without what draws the pictures."""
    if importlib.util.find_spec("vl_convert") is None:
        what = "the Python package 'vl-convert-python' is not installed: it draws the pictures of the HTML report"
        raise MissingToolError(what, hint="pip install 'mcusim[html]'")


def that_fits(pages: Iterable[str]) -> str:
    """The first that is not too large, or else the last: each shows less than the one before."""
    page = ""
    for page in pages:
        if len(page.encode()) <= LARGEST_BYTES:
            break
    return page


@cache
def template(path: Path) -> jinja2.Template:
    """It may extend those of this folder.

    Whatever it shows is cut, freed of control characters and escaped, unless it is a picture of ours.
    """
    import jinja2

    loader = jinja2.FileSystemLoader([path.parent, Path(__file__).parent])
    strict: Any = jinja2.StrictUndefined
    environment = jinja2.Environment(
        loader=loader, autoescape=True, finalize=_shown, undefined=strict, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(path.name)


def _shown(value: Any) -> Any:
    if hasattr(value, "__html__"):
        return value
    text = str(value)
    inner = shortened(printable(text), LONGEST_TEXT)
    return f"{' ' * text.startswith(' ')}{inner}{' ' * text.endswith(' ')}" if inner else ""
