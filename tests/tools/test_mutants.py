"""What the tests did to each mutant, and what may be missing below the bar; mutmut itself is not run here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.mutants import __main__, run
from tools.mutants.changes import Change
from tools.mutants.rooms import ROOMS, Room
from tools.mutants.run import Mutant

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_has_its_files_and_tests(name: str) -> None:
    assert all(list(ROOT.glob(pattern)) for pattern in ROOMS[name].files)
    assert all((ROOT / test).exists() for test in ROOMS[name].tests)


CODE = """
class One:
    def twice(self, x):
        return 2 * x

def twice(x):
    return One().twice(x)
"""
TEST = "from package.one import twice\n\ndef test_twice():\n    assert twice(3) == 6\n"
SEEN, UNSEEN, ENDLESS = "return 3 * x", "return 2 * x + 0", "while True: pass"
SCRIPT = """
from pathlib import Path
from tools.mutants import run
from tools.mutants.changes import Change
from tools.mutants.rooms import Room
run.PATIENCE_SECONDS = 2
text, name = {code!r}, "package.one.xǁOneǁtwice"
every = [Change(name, "package/one.py", new, text.replace("return 2 * x", new)) for new in {new}]
run.drawn = lambda *_: every
print([one.verdict for one in run.mutants(Room(("package/*",), ("tests",)), Path("work"), 9, 1, 2, {again})])
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """With a module and its test."""
    for name, text in (("package/one.py", CODE), ("tests/test_one.py", TEST)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    return tmp_path


def verdicts(checkout: Path, new: tuple[str, ...], *, again: bool = False) -> str:
    """Of the changes, in a process of its own, as the tool has."""
    script = SCRIPT.format(code=CODE, new=new, again=again)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or done.stderr


def test_tests_fail_pass_or_do_not_end(checkout: Path) -> None:
    found = verdicts(checkout, (SEEN, UNSEEN, ENDLESS))
    assert found == "['killed', 'survived', 'too slow']"
    assert [Mutant("", "", one).is_killed for one in ("killed", "survived", "too slow", "no test")] == [
        *(True, False),
        *(True, False),
    ]


def test_goes_on_where_it_stopped_and_with_again_tries_what_no_test_has_found(checkout: Path) -> None:
    keys = [f"package.one.xǁOneǁtwice\n{new}" for new in (SEEN, UNSEEN)]
    known = {"verdicts": dict(zip(keys, ("survived", "killed"), strict=True))}  # the wrong way round
    (checkout / "work").mkdir()
    (checkout / "work" / "verdicts.json").write_text(json.dumps(known))
    assert verdicts(checkout, (SEEN, UNSEEN)) == "['survived', 'killed']"
    assert verdicts(checkout, (SEEN, UNSEEN), again=True) == "['killed', 'killed']"


def test_a_test_that_fails_without_a_change_is_named(checkout: Path) -> None:
    (checkout / "tests" / "test_one.py").write_text("def test_no():\n    assert False\n")
    assert "tests/test_one.py fails without a change" in verdicts(checkout, (SEEN,))


def test_tests_of_the_module_come_before_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").mkdir()
    for name in ("one", "two", "two_more", "quick"):
        (tmp_path / "tests" / f"test_{name}.py").touch()
    steps = run._steps(
        Room(("package/*",), ("tests",), ("tests/test_quick.py",)), Change("", "package/two/part.py", "", "")
    )
    assert steps == (["tests/test_quick.py"], ["tests/test_two.py", "tests/test_two_more.py"], ["tests/test_one.py"])


@pytest.mark.parametrize(("survivors", "code"), [(1, 0), (2, 7)])
def test_below_nine_of_ten_the_exit_code_says_so(
    survivors: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts = ["survived"] * survivors + ["killed"] * (10 - survivors)
    every = [Mutant(f"room.x_{at}", "-a\n+b", verdict) for at, verdict in enumerate(verdicts)]
    monkeypatch.setattr(__main__, "mutants", lambda *_: every)
    assert __main__.main(["front"]) == code
    assert f"{10 - survivors} of 10 killed" in capsys.readouterr().out


def test_what_is_explained_counts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(__main__, "mutants", lambda *_: [Mutant("room.x_one", "-a\n+b", "survived")])
    monkeypatch.setattr(__main__, "_reasons", lambda: {("room.x_one", "-a\n+b"): "the same for every input"})
    assert __main__.main(["front"]) == 0
    assert "the same for every input" in capsys.readouterr().out
