"""Budgets: kept, broken, and never passed in silence."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from mcusim.experiment.experiment import Experiment
from mcusim.experiment.quantization import Quantization
from mcusim.experiment.tables import Expect, ExpectFor, General, Model, Target
from mcusim.line.budgets import budgets_of, judged
from mcusim.line.build import RomBytes
from mcusim.line.measure import RamBytes
from mcusim.reports.figures import BUDGETS, OF_TASKS
from mcusim.reports.report import Budget, Check, Run, RunError
from mcusim.tasks import task_named
from mcusim.timing.timing import Cycles, ErrorPct, Margin


def run(**figures: object) -> Run:
    return Run(id="r", model="m", data_type="int8", board="b", engine="qemu", **{"complete": True, **figures})  # type: ignore[arg-type]


def check(of: Run, limits: dict[str, float], margin: Margin | None = None) -> tuple[Check, ...]:
    return judged(of, [Budget(name, of.id, limit, margin) for name, limit in limits.items()])


FIGURES = [  # limit, figures that keep it, figures that break it
    ("accuracy_min", 0.9, {"accuracy": 0.9}, {"accuracy": 0.8999}),
    (
        "accuracy_drop_max",
        0.002,
        {"accuracy": 0.948, "accuracy_float": 0.95},
        {"accuracy": 0.947, "accuracy_float": 0.95},
    ),
    ("mismatches_max", 0, {"mismatches": 0}, {"mismatches": 1}),
    (
        "cycles_max",
        100,
        {"cycles": Cycles(100.0, 9, 191, 2, "modelled")},
        {"cycles": Cycles(100.1, 90, 111, 2, "modelled")},
    ),
    ("latency_ms_max", 5.0, {"latency_ms": 5.0}, {"latency_ms": 5.1}),
    ("rom_bytes_max", 15, {"rom_bytes": RomBytes(10, 5, 15)}, {"rom_bytes": RomBytes(10, 6, 16)}),
    ("ram_bytes_max", 9, {"ram_bytes": RamBytes(2, 3, 4, 9)}, {"ram_bytes": RamBytes(2, 4, 4, 10)}),
    ("energy_uwh_max", 0.1, {"energy_uwh": 0.1}, {"energy_uwh": 0.11}),
]


@pytest.mark.parametrize(("name", "limit", "good", "bad"), FIGURES)
def test_kept_and_broken(name: str, limit: float, good: dict[str, object], bad: dict[str, object]) -> None:
    [kept] = check(run(**good), {name: limit})
    assert kept.passed and kept.reason is None
    [broken] = check(run(**bad), {name: limit})
    assert not broken.passed and broken.value is not None
    assert re.search(rf" is (over|under) .*\({name}\)$", str(broken))


@pytest.mark.parametrize(("name", "limit"), [(entry[0], entry[1]) for entry in FIGURES])
def test_a_figure_that_is_not_there_breaks_its_budget(name: str, limit: float) -> None:
    [broken] = check(run(), {name: limit})
    assert not broken.passed and broken.value is None
    assert broken.reason is not None and broken.reason.startswith("this run has no ")
    assert broken.reason in str(broken)


def test_a_part_of_the_samples_proves_nothing() -> None:
    [broken] = check(run(accuracy=1.0, complete=False, samples=7), {"accuracy_min": 0.5})
    assert not broken.passed and broken.value == 1.0 and broken.reason == "only 7 samples were run"


def test_a_failed_run_breaks_its_budgets() -> None:
    [broken] = check(run(complete=False, error=RunError("EngineError", "it hangs")), {"accuracy_min": 0.5})
    assert not broken.passed and broken.reason == "the run failed: it hangs"


ERROR: ErrorPct = {"median": 1.0, "p90": 5.0, "from": "39 held-out measurements"}


def timed(latency_ms: float, **told: object) -> Run:
    cycles = Cycles(100.0, 9, 191, 2, "modelled", "integer", ERROR)
    return run(cycles=replace(cycles, **told), latency_ms=latency_ms, accuracy=0.9)  # type: ignore[arg-type]


def test_the_margin_is_counted_in_and_said() -> None:
    """The bound of a model that is 5 % too fast is 20 / 19 of what it says."""
    [kept] = check(timed(11.21), {"latency_ms_max": 12.0}, "p90")
    assert kept.passed and (kept.value, kept.margin, kept.margin_pct) == (11.21, "p90", 5.0)
    assert str(kept) == "latency 11.21 ms with 5 % (p90 of its error) = 11.8 ms is within 12 ms (latency_ms_max)"
    [broken] = check(timed(11.59), {"latency_ms_max": 12.0}, "p90")
    assert not broken.passed and broken.held == pytest.approx(12.2)
    assert "= 12.2 ms is over 12 ms by 1.67 % (latency_ms_max)" in str(broken)
    assert [check(timed(11.9), {"latency_ms_max": 12.0}, told)[0].passed for told in (None, "median")] == [True, False]


def test_only_what_is_modelled_has_a_margin() -> None:
    limits = {"accuracy_min": 0.9, "cycles_max": 104, "energy_uwh_max": 0.1}
    share, cycles, energy = check(replace(timed(1.0), energy_uwh=0.096), limits, "p90")
    assert share.passed and share.margin is None and "error" not in str(share)
    assert not cycles.passed and not energy.passed
    [measured] = check(timed(11.9, how="measured", error_pct=None), {"latency_ms_max": 12.0}, "p90")
    assert measured.passed and measured.margin_pct is None


def test_an_experiment_has_limits_and_margin_of_a_case() -> None:
    chosen = Experiment(
        path=Path("a.toml"),
        general=General(name="a"),
        models=(Model(architecture="mlp"),),
        quantizations=(Quantization(data_type="int8"), Quantization(data_type="float32")),
        target=Target(boards=("nucleo_l452re_p",)),
        expect=Expect(latency_ms_max=12.0, margin="p90"),
        expect_for=(ExpectFor(data_type="float32", margin="none"),),
    )
    run = timed(11.6)
    [[of_int8], [of_float]] = [judged(run, budgets_of(run, chosen, case)) for case in chosen.cases()]
    assert (of_int8.margin, of_int8.passed, of_float.margin, of_float.passed) == ("p90", False, None, True)


def test_a_margin_that_nobody_knows_does_not_pass() -> None:
    unknown = timed(1.0, error_pct=None, no_error_pct="nothing was measured of chip 'x'")
    [broken] = check(unknown, {"latency_ms_max": 12.0}, "p90")
    assert not broken.passed and broken.value == 1.0 and broken.margin == "p90" and broken.margin_pct is None
    assert str(broken) == (
        "latency 1 ms is within 12 ms (latency_ms_max), but margin = 'p90' cannot be counted in: "
        "nothing was measured of chip 'x'"
    )
    assert check(unknown, {"latency_ms_max": 12.0})[0].passed
    [older] = check(run(latency_ms=1.0, cycles=None), {"latency_ms_max": 12.0}, "median")
    assert not older.passed


def test_no_budget_no_check() -> None:
    assert check(run(), {}) == ()


@pytest.mark.parametrize(
    ("name", "scheme", "why"),
    [
        ("accuracy_drop_max", "affine, as in the file", "quantized in its file"),
        ("accuracy_drop_max", "per-layer", "engine 'qemu'"),
        ("rom_bytes_max", "affine, as in the file", "engine 'qemu'"),
    ],
)
def test_why_a_figure_is_not_there(name: str, scheme: str, why: str) -> None:
    [broken] = check(run(scheme=scheme), {name: 1})
    assert broken.reason is not None and broken.reason.endswith(f"({why})")


@pytest.mark.parametrize("name", [name for name, (_, figure) in BUDGETS.items() if figure in OF_TASKS])
@pytest.mark.parametrize("task", ["none", "classification", "regression", "anomaly", "multilabel, regression"])
def test_no_score_is_missing_because_of_an_engine(name: str, task: str) -> None:
    [broken] = check(run(task=task, accuracy=None, accuracy_float=None), {name: 1})
    its_own = any(BUDGETS[name][1] in task_named(one).FIGURES for one in task.split(", "))
    told = f"it is scored as {task!r}" + (", without labels" if task == "none" else "")
    assert not broken.passed and str(broken.reason).endswith(f"({'there are no labels for it' if its_own else told})")


def test_top_k_has_to_be_asked_for() -> None:
    [broken] = check(run(task="classification", accuracy=0.9), {"top_k_min": 0.9})
    assert str(broken.reason).endswith("([task] does not ask for it)")


def test_why_there_are_no_cycles() -> None:
    limits = {"latency_ms_max": 1, "rom_bytes_max": 1}
    latency, rom = check(run(no_cycles="nobody knows this clock"), limits)
    assert str(latency.reason).endswith("(nobody knows this clock)") and str(rom.reason).endswith("(engine 'qemu')")
