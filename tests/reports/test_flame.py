"""Flame graphs: as wide as the cycles they show, told without a script, and a line where there are none."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mcusim.reports.html.flame import WIDTH, Flames, flames_of
from mcusim.reports.report import Run
from mcusim.timing.stacks import STACKS, Stack, save
from tests.reports.reports import good_run, timed

pytestmark = pytest.mark.usefixtures("drawn")


def run_of(cycles: float) -> Run:
    run = timed(good_run())
    assert run.cycles is not None
    return replace(run, cycles=replace(run.cycles, mean=cycles))


RUN = run_of(1000.0)
FOUND = (
    Stack(("cnn",), 100.0),
    Stack(("cnn", "layer_conv"), 50.0, ("model.c", 9)),
    Stack(("cnn", "layer_conv", "nn_tile"), 400.0, ("nn_tile.S", 12)),
    Stack(("cnn", "layer_conv", "nn_tile"), 1.0, ("nn_tile.S", 13)),
    Stack(("cnn", "layer_conv", "nn_tile"), 199.0, ("nn_tile.S", 40)),
    Stack(("cnn", "layer_dense"), 249.0),
    Stack(("cnn", "memcpy"), 1.0),
    Stack(("cnn", "layer_dense"), -3.0, ("model.c", 12)),  # what skipped instructions save
)


def flames(folder: Path, *found: Stack, run: Run = RUN, most: int = 6) -> Flames:
    (folder / run.id).mkdir(exist_ok=True)
    save(found, folder / run.id / STACKS)
    return flames_of(run, folder, most)


def widths(svg: str) -> dict[str, float]:
    """Of each mark that tells something, what it tells and how wide it is drawn."""
    found = {}
    for path in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}path"):
        for title in path.iter("{http://www.w3.org/2000/svg}title"):
            found[title.text or ""] = float(re.findall(r"h(-?[\d.]+)", path.get("d", ""))[0])
    return found


def test_frames_are_as_wide_as_their_cycles(tmp_path: Path) -> None:
    found = widths(flames(tmp_path, *FOUND).whole)
    told = {
        "cnn: 1,000 cycles, 100.0%": 1000,
        "layer_conv: 650 cycles, 65.0%": 650,
        "nn_tile: 600 cycles, 60.0%": 600,
        "12 nn_tile.S: 400 cycles, 40.0%": 400,
        "13-40 nn_tile.S: 200 cycles, 20.0%": 200,
        "layer_dense: 249 cycles, 24.9%": 249,
    }
    assert found.keys() == told.keys(), "lines of 5 % have no room, and of 1 cycle nothing is seen"
    assert found == pytest.approx({name: cycles * WIDTH / 1000 for name, cycles in told.items()}, abs=1.5)


def test_what_it_calls_is_looked_into(tmp_path: Path) -> None:
    found = flames(tmp_path, *FOUND)
    assert [name for name, _ in found.parts] == ["conv: 650 cycles, 65.0%", "dense: 249 cycles, 24.9%"]
    assert widths(found.parts[0][1])["layer_conv: 650 cycles, 65.0%"] == WIDTH
    assert "9 model.c: 50 cycles, 5.0%" in widths(found.parts[0][1])
    assert found.lines[0] == ("nn_tile.S:12", 400.0, 0.4) and len(found.lines) == 5
    assert len(flames(tmp_path, *FOUND, most=1).parts) == 1


def test_many_small_ones_and_several_roots_are_put_together(tmp_path: Path) -> None:
    small = [Stack(("cnn", f"f{number}"), 1.0) for number in range(1000)]
    found = widths(flames(tmp_path, *small, Stack(("(interrupts)", "SysTick"), 1000.0)).whole)
    assert [*found] == [
        "all: 2,000 cycles, 100.0%",
        "cnn: 1,000 cycles, 50.0%",
        "1000 smaller: 1,000 cycles, 50.0%",
        "(interrupts): 1,000 cycles, 50.0%",
        "SysTick: 1,000 cycles, 50.0%",
    ]


def test_deep_and_many_calls_are_bounded(tmp_path: Path) -> None:
    deep = Stack(tuple(f"f{number}" for number in range(5000)), 1000.0, ("a.c", 1))
    assert len(widths(flames(tmp_path, deep).whole)) == 40


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", '{"format": 2, "stacks": []}', '{"format": 1, "stacks": []}', '{"format": 1}'),
        *('{"format": 1, "stacks": [[[], 0.0, null]]}', '{"format": 1, "stacks": [[["cnn"], NaN, null]]}'),
        *('{"format": 1, "stacks": [["cnn", 1.0, null]]}', '{"format": 1, "stacks": [[["cnn"], 1.0, ["a.c"]]]}'),
        '{"format": 1, "stacks": [[["cnn"], 1e308, null], [["cnn"], 1e308, null]]}',
        '{"format": 1, "stacks": [[["cnn"], -1.0, null]]}',
    ],
)
def test_what_are_no_stacks_is_told(content: str, tmp_path: Path) -> None:
    (tmp_path / RUN.id).mkdir()
    (tmp_path / RUN.id / STACKS).write_text(content)
    found = flames_of(RUN, tmp_path, 6)
    assert found.missing.startswith("'stacks.json' has no stacks: ") or "is of another run" in found.missing
    assert not found.whole


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        assert "there is no stacks.json in a folder of that run" in flames_of(RUN, folder, 6).missing
    uncounted = replace(RUN, cycles=None, no_cycles="the engine counts none")
    assert flames_of(uncounted, None, 6).missing == "the engine counts none"
    assert flames_of(replace(uncounted, no_cycles=None), None, 6).missing == "nobody counted its cycles"
    assert "no stacks.json" in flames_of(replace(RUN, id="../x"), tmp_path, 6).missing


@pytest.mark.parametrize(("cycles", "is_it"), [(1015.0, True), (985.0, True), (1025.0, False), (0.0, False)])
def test_stacks_of_another_run_are_not_shown(cycles: float, is_it: bool, tmp_path: Path) -> None:
    found = flames(tmp_path, *FOUND, run=run_of(cycles))
    assert (found.missing == "") is is_it and (is_it or "is of another run: it has 1,000 cycles" in found.missing)


def test_stacks_are_kept_as_they_are(tmp_path: Path) -> None:
    save(FOUND, tmp_path / STACKS)
    document: dict[str, Any] = json.loads((tmp_path / STACKS).read_text())
    assert document["format"] == 1 and document["stacks"][1] == [["cnn", "layer_conv"], 50.0, ["model.c", 9]]
