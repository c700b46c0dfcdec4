"""What the tests did to each mutant, and what may be missing below the bar; mutmut itself is not run here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.mutants import __main__, run
from tools.mutants.rooms import ROOMS, Room
from tools.mutants.run import Mutant

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_has_its_files_and_tests(name: str) -> None:
    assert all(list(ROOT.glob(pattern)) for pattern in ROOMS[name].files)
    assert all((ROOT / test).exists() for test in ROOMS[name].tests)


def test_a_mutant_without_a_test_or_that_tests_pass_is_not_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = {"passed": 0, "failed": 1, "unseen": 33, "looped": 36, "crashed": -11}
    (tmp_path / "mutants").mkdir()
    (tmp_path / "mutants" / "a.py.meta").write_text(json.dumps({"exit_code_by_key": codes}))
    found = run.mutants(Room(("*",), ()), tmp_path, sample=9, seed=1, jobs=1)
    assert {mutant.name: mutant.is_killed for mutant in found} == {
        "passed": False,
        "failed": True,
        "unseen": False,
        "looped": True,
        "crashed": True,
    }


@pytest.mark.parametrize(("survivors", "code"), [(1, 0), (2, 7)])
def test_below_nine_of_ten_the_exit_code_says_so(
    survivors: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts = ["survived"] * survivors + ["killed"] * (10 - survivors)
    every = [Mutant(f"room.x_{at}__mutmut_1", verdict) for at, verdict in enumerate(verdicts)]
    monkeypatch.setattr(__main__, "mutants", lambda *_: every)
    monkeypatch.setattr(__main__, "difference", lambda *_: "-a\n+b")
    assert __main__.main(["front"]) == code
    assert f"{10 - survivors} of 10 killed" in capsys.readouterr().out


def test_what_is_explained_counts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(__main__, "mutants", lambda *_: [Mutant("room.x_one__mutmut_1", "survived")])
    monkeypatch.setattr(__main__, "difference", lambda *_: "-a\n+b")
    monkeypatch.setattr(__main__, "_reasons", lambda: {("room.x_one", "-a\n+b"): "the same for every input"})
    assert __main__.main(["front"]) == 0
    assert "the same for every input" in capsys.readouterr().out
