"""What a script may import from mcusim itself."""

from __future__ import annotations

import pytest

import mcusim


@pytest.mark.parametrize("name", mcusim.__all__)
def test_public_names_are_there(name: str) -> None:
    assert getattr(mcusim, name).__name__ == name


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = mcusim.nonsense
