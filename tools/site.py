"""Pages of the docs site that nobody writes: what the code says of itself, and texts that lie beside docs/.

`docs/conf.py` has them written into docs/generated/ at each build; nothing of them is committed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mcusim.experiment.schema import SCHEMAS, Schema
from mcusim.system.toml_file import read_toml

ROOT = Path(__file__).parents[1]
DOCS, GENERATED = ROOT / "docs", ROOT / "docs" / "generated"
REPOSITORY: str = read_toml(ROOT / "pyproject.toml")[0]["project"]["urls"]["Repository"]
PAGES: Mapping[str, str] = {  # texts that have their place elsewhere, and are pages here
    "platforms/README.md": "boards.md",
    "examples/digits/README.md": "digits.md",
    "examples/uci_har/README.md": "uci_har.md",
    "examples/cmake/README.md": "cmake.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
LIBRARY = "mcusim.testing.robot_library"
LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)#\s]+)(?=[)#])")


def write() -> None:
    """Anew: what an earlier build has left is gone."""
    shutil.rmtree(GENERATED, ignore_errors=True)
    GENERATED.mkdir(parents=True)
    for source, name in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        (GENERATED / name).write_text(with_links(text, ROOT / source, GENERATED / name), encoding="utf-8")
    for kind, make in SCHEMAS.items():
        (GENERATED / f"{kind}.schema.json").write_text(json.dumps(make(), indent=1), encoding="utf-8")
        (GENERATED / f"{kind}.md").write_text(keys_page(kind, make()), encoding="utf-8")
    (GENERATED / "keywords.md").write_text(keywords_page(), encoding="utf-8")


def with_links(text: str, source: Path, page: Path) -> str:
    """The text of `source` as `page` of the site: links lead to pages, or else to the repository."""

    def moved(found: re.Match[str]) -> str:
        target = (source.parent / found[1]).resolve()
        path = target.relative_to(ROOT).as_posix()
        if path in PAGES:
            target = GENERATED / PAGES[path]
        elif target.parent != DOCS:
            return f"{REPOSITORY}/{'tree' if target.is_dir() else 'blob'}/main/{path}"
        return os.path.relpath(target, page.parent)

    return LINK.sub(moved, text)


# -- JSON Schema -> tables ---------------------------------------------------------------------------------------------


def keys_page(kind: str, schema: Schema) -> str:
    """A table for each record of the schema; one that several keys have stands there once."""
    head = (
        f"`mcusim schema {kind}` prints it, as {{download}}`JSON Schema <{kind}.schema.json>`. Written from the code."
    )
    titles: dict[str, list[str]] = {}
    for title, record in _records("", schema):
        titles.setdefault(json.dumps(record), []).append(title)
    parts = [f"# {kind.capitalize()}: every key", head]
    for text, of in titles.items():
        record = json.loads(text)
        told = _text(record.get("description", "")), _table(record)
        parts += [f"## {', '.join(filter(None, of)) or 'Top level'}", *told] if any(told) else []
    return "\n\n".join(filter(None, parts)) + "\n"


def _records(title: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Those with names for their keys: itself, `[table]` and `[[array of tables]]` below it, and definitions."""
    yield title, {key: value for key, value in schema.items() if key in ("description", "properties")}
    for key, told in schema["properties"].items():
        for written, record in _inside(told):
            path = f"{title.strip('[]')}.{key}".lstrip(".")
            yield from _records(written.format(path), record)
    for name, told in schema.get("$defs", {}).items():
        yield from _records(name, told)


def _inside(told: Schema) -> Iterator[tuple[str, Schema]]:
    """The record that a key is of, if it is one, with how its table is written: for one, for many, for many by name."""
    places = {"[{}]": told, "[[{}]]": told.get("items", {}), "[{}.NAME]": told.get("additionalProperties", {})}
    yield from (
        (place, record) for place, record in places.items() if isinstance(record, dict) and "properties" in record
    )
    for either in told.get("anyOf", ()):
        yield from _inside(either)


def _table(record: Schema) -> str:
    """Records inside have tables of their own."""
    rows = [
        f"| `{key}` | {_type(told)} | {_default(told)} | {_cell(told.get('description', ''))} |"
        for key, told in record["properties"].items()
        if not any(_inside(told))
    ]
    return "\n".join(["| key | type | default | |", "|---|---|---|---|", *rows]) if rows else ""


def _type(told: Schema) -> str:
    if "$ref" in told:
        return told["$ref"].rpartition("/")[2]  # type: ignore[no-any-return]
    if "enum" in told:
        return ", ".join(f"`{value}`" for value in told["enum"])
    if "const" in told:
        return f"`{told['const']}`"
    if "anyOf" in told:
        return " or ".join(_type(arm) for arm in told["anyOf"])
    if "items" in told:
        return f"list of {_type(told['items'])}"
    low, high = (told.get(name, told.get(f"exclusive{name.capitalize()}")) for name in ("minimum", "maximum"))
    reach = (
        f", {'..' if low is None else low} to {high}"
        if high is not None
        else f", from {low}"
        if low is not None
        else ""
    )
    return f"{told.get('type', 'any')}{reach}"


def _default(told: Schema) -> str:
    return f"`{json.dumps(told['default'])}`" if "default" in told else ""


def _text(text: str) -> str:
    """Docstrings quote names in one grave accent, as Markdown does; tables of TOML are no links."""
    return " ".join(text.split()).replace("[", "\\[").replace("<", "&lt;")


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|")


# -- Robot Framework ---------------------------------------------------------------------------------------------------


def keywords_page() -> str:
    """What libdoc finds in the library."""
    from robot.libdocpkg import LibraryDocumentation
    from robot.utils import html_format

    library: Any = LibraryDocumentation(LIBRARY)
    parts = ["# Keywords of Robot Framework", f"`Library    {LIBRARY}`", html_format(library.doc)]
    for keyword in library.keywords:
        arguments = ", ".join(f"`{argument}`" for argument in map(str, keyword.args))
        parts += [f"## {keyword.name}", arguments, html_format(keyword.doc)]
    return "\n\n".join(filter(None, parts)) + "\n"
