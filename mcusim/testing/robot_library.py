"""Robot Framework keywords that run an experiment of mcusim and hold its figures against limits, on any engine.

= A first suite =

| *** Settings ***
| Library           mcusim.testing.robot_library
| Suite Setup       Run Model    examples/digits    board=nucleo_l452re_p    engine=qemu
|
| *** Test Cases ***
| The Model Is Good Enough
|     Accuracy Should Be At Least    0.95
|     Mismatches Should Be At Most    0
|
| The Model Fits
|     Rom Should Be Below    64 KiB    data_type=int8
|     Ram Should Be Below    16 KiB    data_type=int8
|
| The Model Is Fast Enough
|     Latency Should Be Below    30 ms    data_type=int8

It runs in plain ``robot``. Engines ``qemu`` and ``renode`` are started by mcusim: no server, no ``renode-test``.

= Which run =

An experiment has a run for each model, data type, board and engine. Each keyword with a limit holds *every* run
against it, or those that ``model``, ``data_type``, ``board`` and ``engine`` choose; it fails when they choose none. A
run that failed, or whose figure nobody knows, passes no limit.

= Units =

A limit without a unit is in the unit of the report: ms, bytes, uWh, cycles. Others may be named: ``2.5 ms``,
``800 us``, ``1 s``, ``16 KiB``, ``1 MiB``, ``20 kB``, ``0.1 uWh``, ``80 nWh``.

= The model's error =

Cycles are modelled, and with them latency and energy. ``margin=p90``, or ``margin=median``, counts the error of the
model in, as ``[expect] margin`` does: ``Latency Should Be Below    30 ms    margin=p90`` holds the latency
and what nine of ten programs were off by at most. A run whose error nobody knows does not pass.

= Limits of the experiment file =

`Budgets Should Be Kept` holds the runs against ``[expect]`` of the file.

= Other figures =

`Figure Should Be At Most` and `Figure Should Be At Least` take any number of the report by its name.
"""

import atexit
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robot.api import logger

from mcusim.line.watcher import Silent
from mcusim.reports.report import Report
from mcusim.reports.to_markdown import render
from mcusim.system.errors import McusimError
from mcusim.system.version import VERSION
from mcusim.testing.runs import Runs, demand, told_error
from mcusim.testing.session import Session

ROBOT_LIBRARY_VERSION = VERSION
ROBOT_LIBRARY_SCOPE = "GLOBAL"

__all__ = [
    "accuracy_drop_should_be_at_most",
    "accuracy_should_be_at_least",
    "budgets_should_be_kept",
    "cycles_should_be_below",
    "energy_should_be_below",
    "figure_should_be_at_least",
    "figure_should_be_at_most",
    "get_figure",
    "latency_should_be_below",
    "load_report",
    "mismatches_should_be_at_most",
    "ram_should_be_below",
    "rom_should_be_below",
    "run_model",
]


class _Current:
    """The report that keywords look at."""

    runs: Runs | None = None


class _Log(Silent):
    """Stages become lines of Robot's log."""

    def stage(self, text: str) -> None:
        logger.info(text)

    def training(self, text: str) -> None:
        logger.info(text)


_session = Session(_Log())  # until the last suite has ended
atexit.register(_session.close)


def run_model(
    experiment: str,
    *,
    model: str | None = None,
    data_type: str | None = None,
    board: str | None = None,
    engine: str | None = None,
    samples: str | None = None,
    seed: int | None = None,
    jobs: int | None = None,
    hardware: str | None = None,
    out: str | None = None,
    cache: str | None = None,
) -> Report:
    """Trains, quantizes, builds and runs an experiment, and keeps its report for the other keywords.

    ``experiment`` is a TOML file, or a folder with an ``experiment.toml``. The other arguments change it as options of
    ``mcusim run`` do: ``engine=renode``, ``samples=100`` or ``samples=all``, ``hardware=boards.toml``. Everything is
    written to ``out`` [build/<experiment>]. ``cache`` is a folder of what engines saw in earlier runs, which is not run
    again.

    Fails when any run did, with its error. Broken budgets of the file are the business of `Budgets Should Be Kept`.

    Returns the report: ``${report.runs}[0].accuracy``; see also `Get Figure`.
    """
    _Current.runs = None
    try:
        report = _session.run(
            experiment,
            model=model,
            data_type=data_type,
            board=board,
            engine=engine,
            samples=samples,
            seed=seed,
            jobs=jobs,
            hardware=hardware,
            out=out,
            cache=cache,
        )
    except (McusimError, OSError) as error:
        raise AssertionError(told_error(error)) from None
    return _keep(report)


def load_report(path: str) -> Report:
    """Keeps the ``report.json`` of an earlier run for the other keywords, and returns it. Fails as `Run Model` does."""
    _Current.runs = None
    try:
        report = Report.read(Path(path))
    except McusimError as error:
        raise AssertionError(told_error(error)) from None
    return _keep(report)


def budgets_should_be_kept() -> None:
    """Fails unless every limit of the experiment file was kept by every run, and when the file has none."""
    _runs({}).demand_budgets()


def accuracy_should_be_at_least(share: float, **which: str) -> None:
    """Of the test samples that were run, at least this share was classified as labelled: ``0.95``."""
    _hold("accuracy", share, which, ">=")


def accuracy_drop_should_be_at_most(share: float, **which: str) -> None:
    """Quantization cost at most this share of the accuracy of the float model: ``0.01`` is one percentage point."""
    _hold("accuracy_drop", share, which, "<=")


def mismatches_should_be_at_most(samples: int, **which: str) -> None:
    """At most so many samples are answered otherwise than the model's reference in Python does. ``0``: it is exact."""
    _hold("mismatches", samples, which, "<=")


def latency_should_be_below(limit: str, **which: str) -> None:
    """One inference takes less: ``30 ms``, ``800 us``, or a number of ms."""
    _hold("latency_ms", limit, which, "<")


def cycles_should_be_below(limit: str, **which: str) -> None:
    """One inference takes fewer cycles of the core, in the mean: ``1500000``, ``1.5 Mcycles``."""
    _hold("cycles.mean", limit, which, "<")


def energy_should_be_below(limit: str, **which: str) -> None:
    """One inference takes less energy: ``0.2 uWh``, ``80 nWh``, or a number of uWh."""
    _hold("energy_uwh", limit, which, "<")


def rom_should_be_below(limit: str, **which: str) -> None:
    """The firmware takes less flash: ``64 KiB``, or a number of bytes."""
    _hold("rom_bytes.total", limit, which, "<")


def ram_should_be_below(limit: str, **which: str) -> None:
    """Arena, other variables and the deepest use of the stack take less RAM: ``16 KiB``, or a number of bytes."""
    _hold("ram_bytes.total", limit, which, "<")


def figure_should_be_at_most(name: str, limit: str, **which: str) -> None:
    """Any number of the report, named as in it, is not above a limit: ``rom_bytes.weights    8 KiB``."""
    _hold(name, limit, which, "<=")


def figure_should_be_at_least(name: str, limit: str, **which: str) -> None:
    """Any number of the report, named as in it, is not below a limit: ``accuracy_float    0.93``."""
    _hold(name, limit, which, ">=")


def get_figure(name: str, **which: str) -> Any:
    """Any figure of one run, named as in the report: ``cycles.mean``, ``rom_bytes.weights``, ``instructions.max``.

    Fails when ``model``, ``data_type``, ``board`` and ``engine`` leave more than one run, or nobody knows the figure.
    """
    run = _runs(which).only(name)
    value: Any = run
    for part in name.split("."):
        named = isinstance(value, Mapping)
        if part.startswith("_") or not (part in value if named else hasattr(value, part)):
            raise AssertionError(f"{run.label} has no figure {name!r}")
        value = value[part] if named else getattr(value, part)
    return value


def _hold(name: str, limit: float | str, which: dict[str, str], relation: str) -> None:
    """Holds the chosen runs against a limit of the figure with that key."""
    margin = which.pop("margin", None)
    held = _runs(which).held(name, limit, relation, margin)
    for one in held:
        logger.info(one.seen)
    demand([one.wrong for one in held if one.wrong])


def _keep(report: Report) -> Report:
    logger.info(render(report))
    _Current.runs = Runs.of(report)
    return report


def _runs(which: Mapping[str, str]) -> Runs:
    if _Current.runs is None:
        raise AssertionError("there is no report: Run Model, or Load Report, comes first")
    return _Current.runs.where(**which)
