"""How far a model is off."""

from __future__ import annotations

import pytest

from mcusim.timing.record import deviation, error_pct


def test_errors_are_signed_and_summed_by_size() -> None:
    assert error_pct(102.0, 100.0) == pytest.approx(2.0) and error_pct(98.0, 100.0) == pytest.approx(-2.0)
    found = deviation([-3.0, 1.0, 2.0])
    assert (found.rows, found.median, found.largest) == (3, 2.0, 3.0) and found.p90 == pytest.approx(2.8)
    assert deviation([-1.5]).p90 == 1.5
