"""Templates of codegen/templates -> C and linker scripts."""

from functools import cache
from typing import Any

import jinja2

from mcusim.system.assets import CODEGEN


def render(template: str, **values: Any) -> str:
    """Not escaped, for it is no HTML: whatever a user named has to be plain before it comes here."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    """One for all: it keeps what it has compiled."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(CODEGEN / "templates"),
        line_statement_prefix="%%",
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["hex"] = lambda value: f"0x{value:08X}"
    return environment
