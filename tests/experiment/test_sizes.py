"""A number of bytes, as people write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.experiment.tables import Expect, ExpectFor, Target
from mcusim.reports.figures import BUDGETS
from mcusim.system.errors import ConfigurationError
from mcusim.system.validation import Place, Unusable, read_bytes, validate


def test_bytes_and_their_multiples() -> None:
    assert [read_bytes(text) for text in ("7", "48 KiB", "48kib", " 2 MiB ", "9B")] == [7, 49152, 49152, 2**21, 9]
    assert read_bytes(5) == 5 and read_bytes(True) is True


@pytest.mark.parametrize("text", ["", "KiB", "1.5 KiB", "-1", "16 KB", "16 kB", "1e3", "1 GiB", "16 KiB 3"])
def test_what_is_no_number_of_bytes(text: str) -> None:
    with pytest.raises(Unusable, match="is no number of bytes"):
        read_bytes(text)


@pytest.mark.parametrize("table", [Expect, ExpectFor])
@pytest.mark.parametrize("name", [name for name, (budget, _) in BUDGETS.items() if budget.limit == "bytes"])
def test_budgets_of_bytes_are_written_likewise(table: type[Expect], name: str) -> None:
    read = [validate(table, {name: value}, Place("x")).limits[name] for value in (40_000, "8 KiB", "0")]
    assert read == [40_000, 8192, 0]
    with pytest.raises(ConfigurationError, match="is no number of bytes") as caught:
        validate(table, {name: "8 KB"}, Place("x"))
    assert caught.value.hint and '"48 KiB"' in caught.value.hint
    with pytest.raises(ConfigurationError) as caught:
        validate(table, {name: 1.5}, Place("x"))
    assert caught.value.hint and '"48 KiB"' in caught.value.hint


def test_whatever_is_in_bytes_may_be_told_in_kib() -> None:
    in_bytes = [name for name, (_, figure) in BUDGETS.items() if figure.unit == "bytes"]
    assert in_bytes == [name for name, (budget, _) in BUDGETS.items() if budget.limit == "bytes"]


@pytest.mark.parametrize("value", [0, -1, 1.5, True, [1], "much"])
def test_a_limit_that_is_none(value: object, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        validate(Target, {"ram_max": value}, Place("test.toml", "[target]\nram_max = 0\n").at("target"))
    assert caught.value.where == "test.toml:2, target.ram_max"
    assert caught.value.hint and "48 KiB" in caught.value.hint
