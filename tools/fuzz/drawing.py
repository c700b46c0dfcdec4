"""Seed -> what a strategy of hypothesis draws from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

T = TypeVar("T")
BYTES = 8192  # that decide; a network takes some hundred


def drawn(strategy: st.SearchStrategy[Any], seed: int, use: Callable[[Any], T]) -> T | None:
    """What `use` makes of it; it may draw more, where the strategy is `data()`. None for a seed that draws nothing."""
    found: list[T] = []

    @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def take(value: Any) -> None:
        found.append(use(value))

    take.hypothesis.fuzz_one_input(np.random.default_rng(seed).bytes(BYTES))  # type: ignore[attr-defined]
    return found[0] if found else None
