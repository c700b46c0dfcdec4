"""pytest: fixtures that run experiments and hold their figures, and TOML files that are tests. docs/pytest.md.

All of mcusim is imported where a test uses it first: a session without such tests pays for this module alone.
"""

from __future__ import annotations

import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mcusim.testing.pytest_items import ExperimentFile
    from mcusim.testing.pytest_runs import Figures, Tester

OPTIONS = {  # each is a fixture, too
    "board": "Board to run on, by name or file, in place of the experiment's; again: each test for each.",
    "engine": "Engine to run on, as `mcusim run --engine`; again: each test for each.",
    "samples": "How many test samples run, or `all`; again: each test for each.",
}
MARKERS = {
    "mcusim(experiment, **choices)": "what the fixture mcusim_run runs",
    "needs_board(*boards)": "skips where no board can be emulated, or --mcusim-board chooses others than these",
    "needs_renode": "skips without Renode",
    "needs_hardware(*boards)": "skips where the hardware map has none of these real boards",
}
_NEEDS = {"needs_board", "needs_renode", "needs_hardware"}
COLLECTED = "mcusim*.toml"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mcusim", "neural networks on emulated boards")
    for name, words in OPTIONS.items():
        group.addoption(f"--mcusim-{name}", action="append", metavar=name[0].upper(), help=words)
    words = "Keep what engines saw in this folder, for other sessions, as `mcusim run --cache` does."
    group.addoption("--mcusim-cache", metavar="DIR", help=words)
    words = "Write baselines in place of comparing with them."
    group.addoption("--mcusim-update-baseline", action="store_true", help=words)


def pytest_configure(config: pytest.Config) -> None:
    for marker, words in MARKERS.items():
        config.addinivalue_line("markers", f"{marker}: {words}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """An option that is given several times."""
    marked = {name for mark in metafunc.definition.iter_markers("parametrize") for name in _names(mark)}
    for name in OPTIONS:
        fixture, values = f"mcusim_{name}", chosen(metafunc.config, name)
        if len(values) > 1 and fixture in metafunc.fixturenames and fixture not in marked:
            metafunc.parametrize(fixture, values)


def _names(mark: pytest.Mark) -> list[str]:
    names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)


def chosen(config: pytest.Config, name: str) -> list[str]:
    """What was given for an option; nothing where pytest does not know it, since the plug-in came too late."""
    return config.getoption(f"mcusim_{name}", None) or []


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ExperimentFile | None:
    if not fnmatch(file_path.name, COLLECTED):
        return None
    from mcusim.testing.pytest_items import ExperimentFile

    options = {name: chosen(parent.config, name) for name in OPTIONS}
    return ExperimentFile.from_parent(parent, path=file_path, options=options)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips what cannot run here, with the reason."""
    marks = [mark for mark in item.iter_markers() if mark.name in _NEEDS]
    if marks:
        from mcusim.testing.pytest_runs import why_not

        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        board = parameters.get("mcusim_board")
        boards = [board] if board else chosen(item.config, "board")
        for reason in filter(None, (why_not(mark.name, mark.args, boards) for mark in marks)):
            pytest.skip(reason)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """A figure against a number: which run, which unit, by how much."""
    if "mcusim.testing.measured" not in sys.modules:
        return None
    from mcusim.testing.measured import told_comparison

    return told_comparison(op, left, right)


def _first(request: pytest.FixtureRequest, name: str) -> str | None:
    return next(iter(chosen(request.config, name)), None)


@pytest.fixture
def mcusim_board(request: pytest.FixtureRequest) -> str | None:
    """--mcusim-board, or what a test is parametrized with."""
    return _first(request, "board")


@pytest.fixture
def mcusim_engine(request: pytest.FixtureRequest) -> str | None:
    """--mcusim-engine, likewise."""
    return _first(request, "engine")


@pytest.fixture
def mcusim_samples(request: pytest.FixtureRequest) -> str | int | None:
    """--mcusim-samples, likewise."""
    return _first(request, "samples")


@pytest.fixture
def mcusim(
    request: pytest.FixtureRequest,
    mcusim_board: str | None,
    mcusim_engine: str | None,
    mcusim_samples: str | int | None,
) -> Tester:
    """Runs experiments: ``mcusim.run("experiment.toml").latency_ms <= 12``."""
    from mcusim.testing.pytest_runs import Tester, shared

    options = {"board": mcusim_board, "engine": mcusim_engine, "samples": mcusim_samples}
    update = bool(request.config.getoption("mcusim_update_baseline", False))
    return Tester(shared(request.config), request.path.parent, options, update)


@pytest.fixture
def mcusim_run(request: pytest.FixtureRequest, mcusim: Tester) -> Figures:
    """The run that ``@pytest.mark.mcusim("experiment.toml", data_type="int8")`` names."""
    __tracebackhide__ = True
    mark = request.node.get_closest_marker("mcusim")
    if mark is None:
        pytest.fail("mcusim_run needs an experiment: @pytest.mark.mcusim('experiment.toml')", pytrace=False)
    return mcusim.run(*mark.args, **mark.kwargs)
