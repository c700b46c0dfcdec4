"""Clocks as users write them."""

from __future__ import annotations

import pytest

from mcusim.boards.clock import hertz


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("80MHz", 80_000_000),
        ("48e6", 48_000_000),
        ("48000000", 48_000_000),
        ("32.768 kHz", 32_768),
        ("1g", 1_000_000_000),
        ("80", None),  # of which nobody means hertz
        ("999", None),
        ("0", None),
        ("-48e6", None),
        ("1e99", None),
        ("fast", None),
        ("1.2.3", None),
    ],
)
def test_hertz(text: str, found: int | None) -> None:
    assert hertz(text) == found
