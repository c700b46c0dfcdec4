"""Keywords pass and fail as their names say, and a suite that uses them runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mcusim import pipeline
from mcusim.experiment.read import open_experiment
from mcusim.reports.report import Check, Report, Run, RunError
from mcusim.system.errors import EngineError
from mcusim.testing import robot_library, session
from mcusim.timing.timing import Cycles
from tests.lines import FakeEngine, experiment
from tests.lines import engine as engine  # noqa: PLC0414  (a fixture)
from tests.lines import stages as stages  # noqa: PLC0414
from tests.reports.reports import ERROR, good_run

ROOT = Path(__file__).parents[2]


def report(*runs: Run, checks: tuple[Check, ...] = ()) -> Report:
    return Report(1, "0", "digits", "2026-01-01T00:00:00+00:00", 1.0, True, runs, checks)


def timed(data_type: str, **figures: Any) -> Run:
    known: dict[str, Any] = {"cycles": Cycles(1e6, 1, 2, 50, "modelled"), "latency_ms": 20.0, "energy_uwh": 0.08}
    return replace(good_run(data_type=data_type), **known | figures)


@pytest.fixture
def keep(tmp_path: Path) -> Callable[..., None]:
    """Makes a report the one that keywords look at."""

    def load(*runs: Run, checks: tuple[Check, ...] = ()) -> None:
        path = tmp_path / "report.json"
        report(*runs, checks=checks).write(path)
        robot_library.load_report(str(path))

    return load


LIMITS = [  # keyword, a limit that the run keeps, one that it does not
    (robot_library.accuracy_should_be_at_least, 0.92, 0.93),
    (robot_library.accuracy_drop_should_be_at_most, 0.003, 0.002),
    (robot_library.cycles_should_be_below, "1.1 Mcycles", "1000000"),
    (robot_library.latency_should_be_below, "20.1", "20 ms"),
    (robot_library.latency_should_be_below, "1 s", "20000 us"),
    (robot_library.energy_should_be_below, "81 nWh", "0.08 uWh"),
    (robot_library.rom_should_be_below, "23.5 KiB", "24 kB"),
    (robot_library.ram_should_be_below, "6001", "6000 bytes"),
]


@pytest.mark.parametrize(("keyword", "good", "bad"), LIMITS)
def test_a_limit_is_kept_or_broken(keep: Callable[..., None], keyword: Any, good: Any, bad: Any) -> None:
    keep(timed("int8"))
    keyword(good)
    with pytest.raises(AssertionError, match=r"cnn, int8, nucleo_l452re_p: .* should be [<>]=? "):
        keyword(bad)


def test_the_error_is_counted_in(keep: Callable[..., None]) -> None:
    """As [expect] margin does it."""
    keep(timed("int8", cycles=Cycles(1e6, 1, 2, 50, "modelled", "integer", ERROR)))
    robot_library.latency_should_be_below("21.21", margin="p90")
    robot_library.figure_should_be_at_most("cycles.mean", "1.0118 Mcycles", margin="median")
    robot_library.latency_should_be_below("20.1", margin="none")
    with pytest.raises(AssertionError, match=r"latency 21\.20891 with 5\.7 % \(p90 of its error\) should be < 21 ms"):
        robot_library.latency_should_be_below("21", margin="p90", data_type="int8")
    with pytest.raises(AssertionError, match="margin is 'p95': give none or median or p90"):
        robot_library.latency_should_be_below("21", margin="p95")
    with pytest.raises(AssertionError, match=r"ROM has no error to count in: margin is for cycles.mean, latency_ms"):
        robot_library.rom_should_be_below("1 MiB", margin="p90")
    keep(timed("int8", cycles=Cycles(1e6, 1, 2, 50, "modelled", "float", None, "no float was measured")))
    robot_library.energy_should_be_below("1 uWh")
    with pytest.raises(
        AssertionError, match=r"energy 0.08: margin = 'p90' cannot be counted in: no float was measured"
    ):
        robot_library.energy_should_be_below("1 uWh", margin="p90")


def test_any_figure_has_a_limit(keep: Callable[..., None]) -> None:
    keep(timed("int8", scores={"mae": 0.25}))
    robot_library.figure_should_be_at_most("rom_bytes.weights", "4 kB", board="nucleo_l452re_p")
    robot_library.figure_should_be_at_least("accuracy_float", "0.93")
    with pytest.raises(
        AssertionError, match=r"cnn, int8, .*: rom_bytes.weights 4,000 should be <= 3,072 bytes, off by 30.2 %"
    ):
        robot_library.figure_should_be_at_most("rom_bytes.weights", "3 KiB")
    with pytest.raises(AssertionError, match=r"accuracy_float 0.93 should be >= 0.94, off by 1 points$"):
        robot_library.figure_should_be_at_least("accuracy_float", "0.94")
    keep(good_run())
    with pytest.raises(AssertionError, match=r"nobody knows cycles\.samples \(engine 'qemu'\)"):
        robot_library.figure_should_be_at_least("cycles.samples", "50")


@pytest.mark.parametrize(
    ("name", "limit", "words"),
    [
        ("acuracy", "1", "no report has a figure 'acuracy': did you mean 'accuracy'?"),
        ("compiler", "1", "no report has a figure 'compiler'"),
        ("accuracy", "high", "'high' is no limit: give a number"),
        ("samples", "1 KiB", "'1 KiB' is no limit in samples: a number and one of samples"),
    ],
)
def test_a_figure_or_limit_that_is_none(keep: Callable[..., None], name: str, limit: str, words: str) -> None:
    keep(timed("int8"))
    with pytest.raises(AssertionError) as caught:
        robot_library.figure_should_be_at_most(name, limit)
    assert str(caught.value).startswith(words)


def test_mismatches(keep: Callable[..., None]) -> None:
    keep(timed("int8", mismatches=1))
    robot_library.mismatches_should_be_at_most(1)
    with pytest.raises(AssertionError, match="mismatches 1 should be <= 0 samples"):
        robot_library.mismatches_should_be_at_most(0)


def test_every_chosen_run_is_held_and_the_wrong_ones_are_named(keep: Callable[..., None]) -> None:
    keep(timed("int8", latency_ms=10.0), timed("int16", latency_ms=30.0), timed("float32", latency_ms=40.0))
    robot_library.latency_should_be_below("20 ms", data_type="int8")
    with pytest.raises(AssertionError) as raised:
        robot_library.latency_should_be_below("20 ms", engine="qemu")
    assert [line.split(",")[1] for line in str(raised.value).splitlines()] == [" int16", " float32"]


def test_a_figure_that_nobody_knows_passes_no_limit(keep: Callable[..., None]) -> None:
    keep(good_run())
    with pytest.raises(AssertionError, match=r"nobody knows latency \(engine 'qemu'\)"):
        robot_library.latency_should_be_below("1 s")


def test_a_part_of_the_samples_passes_no_limit(keep: Callable[..., None]) -> None:
    keep(timed("int8", complete=False, samples=7))
    with pytest.raises(AssertionError, match="only 7 samples were run"):
        robot_library.accuracy_should_be_at_least(0.1)


def test_a_choice_without_runs_is_an_error(keep: Callable[..., None]) -> None:
    keep(timed("int8"))
    with pytest.raises(AssertionError, match="no run has board=nucleo; there are: cnn, int8, nucleo_l452re_p"):
        robot_library.rom_should_be_below("1 MiB", board="nucleo")
    with pytest.raises(AssertionError, match="unknown argument 'type': runs are chosen by model, data_type"):
        robot_library.rom_should_be_below("1 MiB", type="int8")


@pytest.mark.parametrize("limit", ["", "fast", "5 KB", "5 ms", "-1", "1 2", "nan", "1e999x"])
def test_a_limit_that_is_none(keep: Callable[..., None], limit: str) -> None:
    keep(timed("int8"))
    with pytest.raises(AssertionError, match="is no limit in bytes: a number and one of bytes, B, kB, KiB"):
        robot_library.rom_should_be_below(limit)


def test_budgets_of_the_file(keep: Callable[..., None]) -> None:
    run = timed("int8")
    kept = Check("accuracy_min", run.id, 0.9, 0.92, True)
    keep(run, checks=(kept,))
    robot_library.budgets_should_be_kept()
    keep(run, checks=(kept, Check("latency_ms_max", run.id, 5.0, 20.0, False)))
    with pytest.raises(AssertionError, match="latency 20 ms is over 5 ms by 300 %"):
        robot_library.budgets_should_be_kept()
    keep(run)
    with pytest.raises(AssertionError, match="no budgets"):
        robot_library.budgets_should_be_kept()


def test_a_figure_by_its_name(keep: Callable[..., None]) -> None:
    keep(timed("int8"), timed("int16", accuracy=0.5))
    assert robot_library.get_figure("accuracy", data_type="int16") == 0.5
    assert robot_library.get_figure("rom_bytes.weights", data_type="int8") == 4000
    keep(timed("int8", scores={"mae": 0.25}), timed("int16", accuracy=0.5))
    assert robot_library.get_figure("scores.mae", data_type="int8") == 0.25
    with pytest.raises(AssertionError, match="2 runs have a figure 'accuracy', choose one by model, data_type"):
        robot_library.get_figure("accuracy")
    for name in ("acuracy", "cycles.median", "__class__", "cycles._x", "scores.rmse"):
        with pytest.raises(AssertionError, match="has no figure"):
            robot_library.get_figure(name, data_type="int8")


def test_nothing_is_held_against_an_older_report(keep: Callable[..., None], tmp_path: Path) -> None:
    keep(timed("int8"))
    failed = replace(good_run(), error=RunError("EngineError", "it hangs", "nn.h:3", "look there"))
    with pytest.raises(AssertionError, match=r"it hangs\nin: nn.h:3\nhint: look there"):
        keep(failed)
    with pytest.raises(AssertionError, match="there is no report: Run Model"):
        robot_library.rom_should_be_below("1 MiB")
    with pytest.raises(AssertionError, match="No such file"):
        robot_library.load_report(str(tmp_path / "none.json"))


# -- Run Model ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def line(engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An experiment file that needs no tools."""
    monkeypatch.setattr(
        session, "open_experiment", lambda path, **_: experiment(tmp_path, "a") if path.name == "a" else path
    )
    return engine


def test_run_model(line: FakeEngine, tmp_path: Path) -> None:
    ran = robot_library.run_model("a", out=str(tmp_path / "out"))
    assert [run.data_type for run in ran.runs] == ["float32", "int8"]
    robot_library.mismatches_should_be_at_most(0)
    assert (tmp_path / "out" / "report.json").is_file()


def test_run_model_fails_with_its_runs(line: FakeEngine, tmp_path: Path) -> None:
    def trouble(number: int) -> None:
        raise EngineError("it hangs", where="nn.h:3", hint="look there")

    line.trouble = trouble
    with pytest.raises(AssertionError, match=r"a, float32, .*: it hangs\nin: nn.h:3\nhint: look there"):
        robot_library.run_model("a", out=str(tmp_path / "out"))


def test_run_model_tells_what_the_command_would(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="No such file"):
        robot_library.run_model(str(tmp_path / "none.toml"))
    with pytest.raises(AssertionError, match="'many' is neither 'all' nor a number from 1"):
        robot_library.run_model("examples/digits", samples="many")
    with pytest.raises(AssertionError, match=r"unknown engine 'qmeu'(.|\n)*did you mean 'qemu'"):
        robot_library.run_model(str(ROOT / "examples" / "digits"), engine="qmeu")


def test_arguments_are_options_of_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = []

    def run(chosen: Any, out: Path, *_: Any, cache: Path | None) -> Report:
        seen.append((chosen, out, cache))
        return report(good_run())

    monkeypatch.setattr(pipeline, "run", run)
    path = ROOT / "examples" / "digits"
    robot_library.run_model(str(path), board="sparkfun_edge", data_type="int8", engine="qemu,renode", samples="7")
    robot_library.run_model(str(path), cache="kept", hardware="mine.toml")
    wanted = open_experiment(path, boards=("sparkfun_edge",), data_types=("int8",), engine="qemu,renode", samples=7)
    assert seen[0] == (wanted, Path("build/digits"), None)
    assert seen[1] == (open_experiment(path, hardware=Path("mine.toml")), Path("build/digits"), Path("kept"))


# -- in Robot ----------------------------------------------------------------------------------------------------------


def robot(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False
    )


def test_libdoc_documents_every_keyword_and_no_other(tmp_path: Path) -> None:
    from robot.libdocpkg import LibraryDocumentation

    documented = LibraryDocumentation("mcusim.testing.robot_library")
    names = {keyword.name.lower().replace(" ", "_"): keyword.doc for keyword in documented.keywords}
    assert set(names) == set(robot_library.__all__)
    assert all(len(doc) > 40 for doc in names.values())
    written = robot("robot.libdoc", "mcusim.testing.robot_library", tmp_path / "keywords.html")
    assert written.returncode == 0 and (tmp_path / "keywords.html").stat().st_size > 10_000


def test_a_suite_fails_with_our_words_and_no_traceback(tmp_path: Path) -> None:
    report(timed("int8")).write(tmp_path / "report.json")
    suite = tmp_path / "limits.robot"
    suite.write_text(
        "*** Settings ***\nLibrary    mcusim.testing.robot_library\n"
        f"Suite Setup    Load Report    {tmp_path}/report.json\n"
        "*** Test Cases ***\nGood\n    Rom Should Be Below    24 KiB    data_type=int8\n"
        "Bad\n    Rom Should Be Below    23 KiB    data_type=int8\n"
    )
    done = robot("robot", "--outputdir", tmp_path, suite)
    assert done.returncode == 1 and "1 passed, 1 failed" in done.stdout
    assert "cnn, int8, nucleo_l452re_p: ROM 24,000 should be < 23,552 bytes, off by 1.9 %" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
