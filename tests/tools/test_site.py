"""Pages that are written from the code: they name every key, and links lead to pages or to the repository."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mcusim.experiment.schema import SCHEMAS
from tools import site
from tools.site import DOCS, GENERATED, PAGES, REPOSITORY, ROOT


def keys_of(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    if not isinstance(value, dict):
        return set()
    own = set(value["properties"]) if isinstance(value.get("properties"), dict) else set()
    return own.union(*map(keys_of, value.values()))


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_key_of_a_schema_is_told(kind: str) -> None:
    schema = SCHEMAS[kind]()
    page = site.keys_page(kind, schema)
    told = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    told |= set(re.findall(r"\b(\w+)(?:\.NAME)?\]", " ".join(re.findall(r"^## (.*)$", page, re.MULTILINE))))
    assert keys_of(schema) == told
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert rows and {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("docs/ci.md", "[a](compare.md) [b](experiment.md#regress) [c](#here)", None),
        ("docs/ci.md", "[a](https://example.org/x.md)", None),
        ("docs/ci.md", "[a](../CONTRIBUTING.md#add-a-layer)", "[a](generated/contributing.md#add-a-layer)"),
        ("docs/ci.md", "[a](../examples)", f"[a]({REPOSITORY}/tree/main/examples)"),
        ("platforms/README.md", "[a](../docs/timing.md)", "[a](../timing.md)"),
        (
            "platforms/README.md",
            "[a](boards/sparkfun_edge.toml)",
            f"[a]({REPOSITORY}/blob/main/platforms/boards/sparkfun_edge.toml)",
        ),
        ("CHANGELOG.md", "[a](docs/pytest.md)", "[a](../pytest.md)"),
    ],
)
def test_links_lead_to_pages_or_to_the_repository(source: str, text: str, expected: str | None) -> None:
    page = GENERATED / PAGES[source] if source in PAGES else ROOT / source
    assert site.with_links(text, ROOT / source, page) == (text if expected is None else expected)
    assert page.is_relative_to(DOCS)


def test_keywords_of_the_library_are_told() -> None:
    pytest.importorskip("robot", reason="pip install 'mcusim[dev]'")
    assert "\n## Latency Should Be Below\n" in site.keywords_page()
