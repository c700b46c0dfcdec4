"""Functions whose cycles changed, where both runs left a recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.comparison.compare import MOST_PRICED, compare
from mcusim.comparison.told import lines
from mcusim.reports.report import Run
from mcusim.timing.recording import Recording, save
from tests.comparison.comparing import report, run, slower
from tests.timing.test_recording import small


def recorded(folder: Path, *runs: Run, times: int = 7) -> Path:
    """A report, and recordings of a loop that ran so often."""
    report(*runs).write(folder / "report.json")
    edges, events = np.array([[times, 1]], np.uint64), np.zeros((1, 2), np.uint64)
    counts = replace(small().counts, edge_counts=edges, event_counts=events)
    found: Recording = replace(small(), counts=counts)
    for one in runs:
        (folder / one.id).mkdir()
        save(found, folder / one.id / "profile.json")
    return folder


def test_functions_that_take_longer_are_named(tmp_path: Path) -> None:
    base, head = recorded(tmp_path / "a", run()), recorded(tmp_path / "b", slower(run(), 0, 9), times=10)
    [found] = compare(base, head, {}).runs
    [function] = found.functions
    assert function.name == "cnn" and function.head > function.base > 0
    assert any(line.startswith("cycles of functions: cnn ") for line in lines(found))


def test_nothing_is_priced_where_cycles_are_the_same(tmp_path: Path) -> None:
    base, head = recorded(tmp_path / "a", run()), recorded(tmp_path / "b", run(), times=10)
    assert compare(base, head, {}).runs[0].functions == ()


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"format": 9}', b'{"format": 1, "board": "no such"}'])
def test_a_recording_that_is_none_is_no_trouble(content: bytes | None, tmp_path: Path) -> None:
    base, head = recorded(tmp_path / "a", run()), recorded(tmp_path / "b", slower(run(), 0, 9), times=10)
    path = head / run().id / "profile.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert compare(base, head, {}).runs[0].functions == ()


@pytest.mark.parametrize("name", ["../a/x", "x" * 300, "a\0b", "/etc"])
def test_an_id_that_is_no_name_of_a_folder(name: str, tmp_path: Path) -> None:
    for folder, found in (("a", run(id=name)), ("b", slower(run(id=name), 0, 9))):
        report(found).write(tmp_path / folder / "report.json")
    assert compare(tmp_path / "a", tmp_path / "b", {}).runs[0].functions == ()


def test_of_many_runs_those_that_changed_most_are_looked_at(tmp_path: Path) -> None:
    names = [f"m{number}" for number in range(MOST_PRICED + 2)]
    base = recorded(tmp_path / "a", *(run(id=name, model=name) for name in names))
    later = [slower(run(id=name, model=name), 0, 9 + number) for number, name in enumerate(names)]
    found = compare(base, recorded(tmp_path / "b", *later, times=10), {}).runs
    assert [bool(one.functions) for one in found] == [False, False, *[True] * MOST_PRICED]
