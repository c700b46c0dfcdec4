"""Templates of codegen/templates -> C and linker scripts."""

from __future__ import annotations

from typing import Any

import jinja2

from mcusim.system.assets import CODEGEN


def render(template: str, **values: Any) -> str:
    """Not escaped, for it is no HTML: whatever a user named has to be plain before it comes here."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(CODEGEN / "templates"),
        line_statement_prefix="%%",
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["hex"] = lambda value: f"0x{value:08X}"
    return environment.get_template(template).render(**values)
