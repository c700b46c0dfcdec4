"""docs/kernels.md knows every kernel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcusim.kernels import KERNELS

DOCS = Path(__file__).parents[2] / "docs" / "kernels.md"


def test_docs_list_every_kernel(request: pytest.FixtureRequest) -> None:
    rows = "\n".join(f"| `{kernel.NAME}` | {kernel.SUMMARY} |" for kernel in KERNELS)
    text = DOCS.read_text(encoding="utf-8")
    pattern = r"(?<=<!-- from mcusim/kernels: all -->\n\n).*?\n*(?=<!-- end -->)"
    wanted, count = re.subn(pattern, lambda _: f"| kernel | |\n|---|---|\n{rows}\n\n", text, count=1, flags=re.DOTALL)
    assert count, "no markers"
    if request.config.getoption("--update-golden"):
        DOCS.write_text(wanted, encoding="utf-8", newline="\n")
    else:
        assert text == wanted, f"{DOCS.name} is behind mcusim/kernels/: --update-golden writes it"


@pytest.mark.parametrize("name", [kernel.NAME for kernel in KERNELS])
def test_docs_tell_how_a_kernel_works(name: str) -> None:
    assert f"\n### `{name}`\n\n" in DOCS.read_text(encoding="utf-8")
