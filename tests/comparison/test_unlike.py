"""What else differs between two runs, and which figures mean less for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcusim.comparison.comparison import Unlike
from mcusim.comparison.told import remarks
from mcusim.comparison.unlike import CIRCUMSTANCES, NOT_KNOWN
from mcusim.reports.report import RunError
from tests.comparison.comparing import compared, only, report, run

OTHER: dict[str, object] = {
    "model_sha256": "ee" * 32,
    "data_sha256": "ff" * 32,
    "samples": 17,
    "task": "regression",
    "normalization": "none",
    "clock_hz": 80_000_000,
    "compiler": "arm-none-eabi-gcc 14",
    "flags": ("-O3",),
    "engine_version": "11.0",
    "cycles.how": "measured",
}


def with_other(key: str) -> tuple[Unlike, ...]:
    found = run()
    if key == "cycles.how":
        assert found.cycles
        return only(found, replace(found, cycles=replace(found.cycles, how="measured"))).unlike
    return only(found, replace(found, **{key: OTHER[key]})).unlike


@pytest.mark.parametrize("key", CIRCUMSTANCES)
def test_each_circumstance_is_told_with_what_it_means(key: str) -> None:
    [told] = with_other(key)
    assert (told.what, told.means) == CIRCUMSTANCES[key] and told.base != told.head


@pytest.mark.parametrize("key", ["model_sha256", "data_sha256"])
def test_what_an_older_report_does_not_tell_is_said(key: str) -> None:
    [told] = only(run(**{key: None}), run()).unlike
    assert told.base == NOT_KNOWN and "did not tell" in told.means
    assert not only(run(**{key: None}), run(**{key: None})).unlike


def test_what_of_both_none_knows_is_no_difference() -> None:
    assert not only(run(engine_version=None, normalization=None), run()).unlike


def test_failed_runs_have_nothing_to_mean_less() -> None:
    assert not only(run(error=RunError("x", "y")), run(compiler="another")).unlike


def test_another_mcusim_and_an_interruption() -> None:
    found = compared(report(run()), report(run(complete=False), mcusim="0.2.0")).runs[0].unlike
    assert [told.what for told in found] == ["version of mcusim", "run of HEAD, which was interrupted"]


def test_what_is_unlike_in_all_runs_is_said_once() -> None:
    base = [run(id=name, model=name) for name in "abcde"]
    every = compared(base, [replace(one, compiler="gcc 14") for one in base])
    [told] = [remark for remark in remarks(every) if "compiler" in remark]
    assert told.endswith("cycles, ROM and stack may differ for it; accuracy does not")
    some = compared(base, [base[0], *(replace(one, compiler="gcc 14") for one in base[1:])])
    [told] = [remark for remark in remarks(some) if "compiler" in remark]
    assert told.endswith("(b, int8, nucleo_l452re_p; c, int8, nucleo_l452re_p; d, int8, nucleo_l452re_p; 1 more)")
