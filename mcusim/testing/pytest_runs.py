"""What pytest's fixtures are: `Tester` runs experiments, `Figures` are the numbers of their runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mcusim.boards.load import board_names, load_board
from mcusim.comparison.compare import compare_sides
from mcusim.comparison.comparison import Side
from mcusim.comparison.limits import read_limits
from mcusim.comparison.wording import told
from mcusim.engines import ENGINES
from mcusim.engines.hardware.attached import read_map
from mcusim.line.stages import STAGES
from mcusim.reports.figures import FIGURES, REGRESS
from mcusim.reports.report import DEFAULT_ENGINE, Report, Run, known, why_unknown
from mcusim.system.errors import McusimError, suggestion
from mcusim.system.validation import Place
from mcusim.testing.measured import Measured
from mcusim.testing.once import Once
from mcusim.testing.runs import Runs, demand, figure_named, told_error
from mcusim.testing.session import opened

_SESSION = pytest.StashKey[Once]()
NEEDS_HARDWARE = "needs_hardware"  # a real board
_NEEDS = {"needs_board": DEFAULT_ENGINE, "needs_renode": "renode"}  # marker: engine
_EXACT = dict.fromkeys(REGRESS, "0")  # no figure may be worse


def shared(config: pytest.Config) -> Once:
    """What all tests of this process run with, and the processes of pytest-xdist share the results of."""
    if _SESSION not in config.stash:
        folder: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        folder = folder.parent if hasattr(config, "workerinput") else folder
        cache = config.getoption("mcusim_cache", None)
        config.stash[_SESSION] = session = Once(folder / "mcusim", Path(cache) if cache else None)
        config.add_cleanup(session.close)
    return config.stash[_SESSION]


@contextmanager
def failing() -> Iterator[None]:
    """An error fails the test in the words of the command, without a traceback."""
    found = None
    try:
        yield
    except (McusimError, OSError) as error:
        found = told_error(error)
    except AssertionError as error:  # of a run
        found = str(error)
    if found is not None:
        raise pytest.fail.Exception(found, pytrace=False) from None


def why_not(marker: str, boards: Sequence[str], chosen: Sequence[str]) -> str | None:
    """Why a test with that marker cannot run here."""
    if boards and chosen and not set(boards) & set(chosen):
        return f"it is for {', '.join(boards)}, and --mcusim-board is {', '.join(chosen)}"
    if marker == NEEDS_HARDWARE:
        return _not_attached(boards or chosen)
    engine = ENGINES[_NEEDS[marker]]
    try:
        STAGES.check_tools(engine.FACTS, load_board((boards or board_names())[0]))
        if missing := engine.missing():
            raise missing
    except McusimError as error:
        return ": ".join(filter(None, (error.what, error.hint)))
    return None


def _not_attached(boards: Sequence[str]) -> str | None:
    """Why none of these boards (any at all, where none is named) is in the user's hardware map."""
    try:
        there = read_map(None)
    except McusimError as error:
        return ": ".join(filter(None, (error.what, error.hint)))
    if any(not boards or board.is_type(wanted) for board in there for wanted in (boards or [""])):
        return None
    return f"the hardware map has no {' or '.join(boards) or 'board'}: mcusim hardware add ID TYPE"


@dataclass(frozen=True, repr=False)
class Tester:
    """Runs experiments as the options of pytest say. Paths are those beside the test, else below the working folder."""

    session: Once
    folder: Path
    options: Mapping[str, Any]
    update_baseline: bool = False

    def run(self, experiment: str | Path, **choices: Any) -> Figures:
        """A TOML file, or a folder with an ``experiment.toml``; `choices` as ``model="a"``, ``data_type="int8"``,
        ``board=``, ``engine=``, ``samples=``, ``seed=`` and ``jobs=`` change it, and come before options of pytest.

        The same run is done once, however many tests ask for it. Fails when one of its runs does.
        """
        __tracebackhide__ = True
        beside = self.folder / experiment
        with failing():
            chosen = opened(beside if beside.exists() else experiment, **{**self.options, **choices})
            return Figures(self, Runs.of(self.session.report(chosen)))


class Figures:
    """Numbers of a run, by their names in report.json or in [regress]: `latency_ms`, `rom_bytes`, `cycles.mean` in [].

    Of several runs `where` chooses, as of an experiment with two data types.
    """

    def __init__(self, tester: Tester, runs: Runs) -> None:
        self._tester, self._runs = tester, runs

    @property
    def report(self) -> Report:
        """Of all runs."""
        return self._runs.report

    @property
    def run(self) -> Run:
        """All that the report has of the run; there has to be one only."""
        return self._runs.only("run")

    def where(self, **which: str) -> Figures:
        """Runs with this ``model``, ``data_type``, ``board``, ``engine``."""
        return Figures(self._tester, self._runs.where(**which))

    def budgets_kept(self) -> bool:
        """True; fails with every budget of the experiment's file that was broken."""
        __tracebackhide__ = True
        self._runs.demand_budgets()
        return True

    def no_worse_than(self, baseline: str | Path, **limits: str | float) -> bool:
        """True; fails where a figure is worse than in `baseline`, a report.json that is kept beside the test.

        ``latency_ms="2%"`` allows more, as [regress] of the experiment does. --mcusim-update-baseline writes it.
        """
        __tracebackhide__ = True
        path = self._tester.folder / baseline
        with failing():
            if self._tester.update_baseline:
                path.parent.mkdir(parents=True, exist_ok=True)
                self.report.write(path)
            worse = self._worse(path, limits)
        demand(worse)
        return True

    def _worse(self, path: Path, limits: Mapping[str, str | float]) -> list[str]:
        if not path.is_file():
            raise AssertionError(f"there is no baseline {path}\nhint: pytest --mcusim-update-baseline writes it")
        with Place("no_worse_than").located():
            allowed = read_limits(
                {**_EXACT, **self.report.regress, **{name: str(told) for name, told in limits.items()}}
            )
        chosen = {run.id for run in self._runs.every}
        compared = compare_sides(
            Side(path, (path,), (Report.read(path),)), Side(path, (path,), (self.report,)), allowed
        )
        runs = [one for one in compared.runs if one.run.id in chosen]
        return [f"{one.run.label}: {told(held)}" for one in runs for held in one.held if not held.passed]

    def __getitem__(self, name: str) -> Measured:
        __tracebackhide__ = True
        figure = figure_named(name)
        if figure is None:
            raise AssertionError(_unknown(name))
        run = self._runs.only(name)
        value = known(run, figure)
        if value is None:
            raise AssertionError(f"{run.label}: nobody knows {figure.name} ({why_unknown(run)})")
        return Measured.of(run, figure, value)

    def __getattr__(self, name: str) -> Measured:
        __tracebackhide__ = True
        if figure_named(name) is None:
            raise AttributeError(_unknown(name))
        return self[name]

    def __repr__(self) -> str:
        return f"<{'; '.join(run.label for run in self._runs.every)}>"


def _unknown(name: str) -> str:
    return f"no report has a figure {name!r}: {suggestion(name, {*FIGURES, *REGRESS})}"
