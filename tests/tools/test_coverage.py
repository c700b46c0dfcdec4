"""What tests run is counted in every process, and what they do not is told by room, file and function."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcusim.system.errors import ConfigurationError
from tools.coverage import __main__, rooms, run

CODE = """
def sign(x):
    if x < 0:
        return -1
    return 1 if x else 0

def never():
    return 2
"""
TEST = """
import os, subprocess, sys
from package import one

def test_here_in_a_fork_and_in_another_python(tmp_path):
    assert one.sign(0) == 0
    child = os.fork()
    if child == 0:
        one.sign(-1)
        os._exit(0)
    os.waitpid(child, 0)
    subprocess.run([sys.executable, "-c", "from package import one; one.sign({})"], check=True)
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("coverage", reason="pip install 'mcusim[dev]'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name, text in (("package/one.py", CODE), ("tests/test_one.py", TEST.format(3))):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    return tmp_path


def test_processes_that_tests_start_are_counted(checkout: Path) -> None:
    quiet = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    assert run.measured(checkout / "package", checkout / "work", [*quiet, "tests"]) == 0
    (found,) = [one for one in rooms.missed(run.kept(checkout / "work")) if one.function]
    assert (found.function, found.file, str(found)) == ("never", "package/one.py", "never: 8")
    (checkout / "tests" / "test_one.py").write_text(TEST.format("None"))
    assert run.measured(checkout / "package", checkout / "work", [*quiet, "tests"]) == 1, "of pytest"


def told(branches: int, taken: int, lines: list[int], jumps: list[list[int]]) -> dict[str, object]:
    summary = {"num_branches": branches, "covered_branches": taken, "num_statements": 10, "covered_lines": 9}
    functions = {
        "f": {"missing_lines": lines, "missing_branches": jumps},
        "g": {"missing_lines": [], "missing_branches": []},
    }
    return {"summary": summary, "functions": functions}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a run: two rooms, and a reason for one."""
    files = {
        "mcusim/numbers/one.py": told(8, 6, [3, 4, 5, 9], [[2, 3], [12, -1]]),
        "mcusim/engines/two.py": told(4, 1, [7], [[6, 7], [8, 9], [8, 10]]),
        "mcusim/graph.py": told(0, 0, [], []),
    }
    (tmp_path / "coverage.json").write_text(json.dumps({"files": files}))
    explained = tmp_path / "explained.csv"
    explained.write_text("files,functions,why\nmcusim/engines/*,f,needs a board\n")
    monkeypatch.setattr(rooms, "EXPLAINED", explained)
    return tmp_path


def test_rooms_have_a_row_each_and_files_are_told_by_what_is_left(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert __main__.main(["--kept", "--work", str(work), "numbers", "engines"]) == 7, "10 of 12"
    assert capsys.readouterr().out.splitlines() == [
        "room           branches      taken  explained       left  lines ran",
        "engines               4      25.0%          3          0      90.0%",
        "mcusim                0     100.0%          0          0      90.0%",
        "numbers               8      75.0%          0          2      90.0%",
        "all                  12      58.3%          3          2      90.0%",
        "",
        "   2 of    8  mcusim/numbers/one.py",
        "",
        "mcusim/numbers/one.py",
        "    f: 3-5, 9, 2->3, 12->end",
        "",
        "mcusim/engines/two.py",
        "    f: 7, 6->7, 8->9, 8->10  (needs a board)",
    ]


def test_the_bar_is_of_all_tests(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(__main__, "measured", lambda *_: 0)
    assert [__main__.main(["--work", str(work), *more]) for more in ([], ["--", "tests/numbers"])] == [7, 0]
    monkeypatch.setattr(__main__, "BAR", 10 / 12)
    assert __main__.main(["--kept", "--work", str(work)]) == 0


def test_arguments_behind_two_dashes_are_those_of_pytest(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(__main__, "measured", lambda package, folder, arguments: asked.append(arguments) or 1)
    assert __main__.main(["--work", str(work), "--", "tests/numbers", "-x"]) == 1
    assert __main__.main(["--work", str(work)]) == 1
    assert asked[0] == ["tests/numbers", "-x"] and asked[1][:2] == ["-q", "-n"]


def test_nothing_was_run_yet(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has nothing of a run"):
        __main__.main(["--kept", "--work", str(tmp_path)])


@pytest.mark.parametrize("row", rooms._reasons(), ids=lambda row: f"{row[0]} {row[1]}")
def test_reasons_are_of_files_that_are_there(row: tuple[str, str, str]) -> None:
    files, _, why = row
    assert list(Path(__file__).parents[2].glob(files)) and why
