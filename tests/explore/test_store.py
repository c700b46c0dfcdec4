"""Evaluations on the disk: whatever ended the process before, what is whole is used and the rest is passed over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcusim.explore.point import Point
from mcusim.explore.store import Store
from mcusim.reports.report import RunError
from mcusim.system.own_code import own_code

POINTS = [
    Point((0, 1), {"a": "x"}, figures={"accuracy": 0.5}, digest="d"),
    Point((1, 1), {"a": "y"}, "firmware", error=RunError("BuildError", "no", None, None)),
]


def filled(path: Path) -> Store:
    store = Store(path)
    for number, point in enumerate(POINTS):
        store.keep(str(number), point)
    return store


def test_what_was_kept_is_there_again(tmp_path: Path) -> None:
    filled(tmp_path / "new" / "file")
    again = Store(tmp_path / "new" / "file")
    assert [again.get(str(number)) for number in range(3)] == [*POINTS, None] and not again.ignored


def test_a_line_that_was_cut_off_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    filled(path)
    path.write_bytes(path.read_bytes()[:-9])
    store = Store(path)
    assert store.get("0") == POINTS[0] and store.get("1") is None and store.ignored == 1
    store.keep("1", POINTS[1])
    assert Store(path).get("1") == POINTS[1]


BAD = [
    b"\xff\xfe",
    b"[]",
    b'{"mcusim": 1}',
    b"[" * 100_000,
    *(
        json.dumps({"mcusim": own_code(), "key": "k", "point": POINTS[0].told() | change}).encode()
        for change in (
            {"genes": "x"},
            {"figures": {"accuracy": float("nan")}},
            {"figures": {"accuracy": float("inf")}},
            {"figures": [1]},
            {"fidelity": "dream"},
            {"chosen": None},
            {"error": "x"},
            {"digest": 5},
            {"figures": {"accuracy": "0.9"}},
            {"figures": {"accuracy": True}},
            {"figures": {}},
            {"more": 1},
        )
    ),
]


@pytest.mark.parametrize("line", BAD, ids=map(str, range(len(BAD))))
def test_a_hostile_line_is_passed_over(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "file").write_bytes(line + b"\n")
    assert Store(tmp_path / "file").ignored == 1


def test_evaluations_of_another_mcusim_are_none(tmp_path: Path) -> None:
    path = tmp_path / "file"
    filled(path)
    lines = [{**json.loads(line), "mcusim": "0" * 64} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert Store(path).ignored == 2
