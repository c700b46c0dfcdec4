"""Tests of prices rest on nothing that another test learned."""

from __future__ import annotations

import pytest

from mcusim.timing import block_runs, decode


@pytest.fixture(autouse=True)
def _nothing_is_known() -> None:
    for known in (decode._KNOWN, decode._ALIKE, decode._SHAPES, block_runs._STATES):
        known.clear()
    decode._names.cache_clear()
