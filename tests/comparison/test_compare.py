"""What changed from one report to another: all of it, nothing else, and where."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.comparison.compare import compare
from mcusim.comparison.comparison import Comparison
from mcusim.comparison.told import lines, of_decisions, remarks
from mcusim.reports.figures import FIGURES, REGRESS
from mcusim.reports.report import Report, Run, RunError
from mcusim.system.errors import ConfigurationError, DataError
from tests.comparison.comparing import SAMPLES, bits, compared, larger, only, report, run, slower

EVERY = dict.fromkeys(REGRESS, "0")


def told(found: Comparison) -> list[str]:
    return [line for one in found.runs for line in lines(one)]


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """The good run, with figures of its own."""
    found = slower(run(), draw(st.integers(0, 2)), draw(st.integers(-9, 9)))
    found = larger(found, draw(st.integers(0, 2)), draw(st.integers(-9, 9)))
    unknown: dict[str, Any] = {key: None for key in ("cycles", "latency_ms", "rom_bytes", "accuracy", "right")}
    lost = draw(st.sets(st.sampled_from([*unknown])))
    wrong = draw(st.sets(st.integers(0, SAMPLES - 1), max_size=4))
    accuracy = draw(st.sampled_from([0.0, 0.25, 0.9, 1.0]))
    known = {"accuracy": accuracy, "right": bits(*wrong)}
    return replace(found, **(known | {key: None for key in lost}))


@given(st.lists(runs(), max_size=4))
@settings(max_examples=30, deadline=None)
def test_a_report_is_equal_to_itself(found: list[Run]) -> None:
    every = [replace(one, id=str(number), model=f"m{number}") for number, one in enumerate(found)]
    same = compared(every, every, **EVERY)
    assert {one.state for one in same.runs} <= {"equal"} and len(same.runs) == len(every)
    assert not same.broken and same.exit_code == 0 and not told(same)
    assert all(not one.changed and not one.layers and not one.unlike for one in same.runs)


@given(runs(), runs())
@settings(max_examples=60, deadline=None)
def test_sides_swap(one: Run, other: Run) -> None:
    there, back = only(one, other), only(other, one)
    assert there.state == back.state
    assert {change.key for change in there.changes} == {change.key for change in back.changes}
    opposite = {"better": "worse", "worse": "better", None: None}
    for change in there.changes:
        reverse = back.change(change.key)
        assert reverse is not None and (reverse.base, reverse.head) == (change.head, change.base)
        assert reverse.verdict == opposite[change.verdict]
        assert (change.difference or 0) == -(reverse.difference or 0)
    assert {layer.name for layer in there.layers} == {layer.name for layer in back.layers}


@given(runs(), runs())
@settings(max_examples=60, deadline=None)
def test_without_slack_whatever_is_worse_breaks_its_limit_and_nothing_else(one: Run, other: Run) -> None:
    found = only(one, other, **EVERY)
    worse = {change.key for change in found.changes if change.verdict == "worse" or change.head is None}
    assert {held.change.key for held in found.held if not held.passed} == worse & {row.key for row in REGRESS.values()}


def test_every_figure_is_compared_but_for_noise() -> None:
    keys = {change.key for change in only(run(), run(emulated_mips=1.0)).changes}
    assert keys == {key for key, figure in FIGURES.items() if figure.value(run()) is not None} - {"emulated_mips"}
    assert only(run(), run(emulated_mips=1.0, wall_s=9.0)).state == "equal"


def test_one_cycle_is_found_with_its_layer() -> None:
    found = only(run(), slower(run(), 1, 1), cycles="0")
    assert [held.passed for held in found.held] == [False]
    assert found.reasons[0] == "cycles +5e-05 % (+1 cycles): conv2 (+1)"


def test_one_cycle_of_one_of_the_timed_samples_is_found_with_its_layer() -> None:
    assert only(run(), slower(run(), 2, 0.02)).reasons[0] == "cycles +1e-06 % (+0.02 cycles): logits (+0.02)"


def test_one_byte_is_found_with_its_layer() -> None:
    found = only(run(), larger(run(), 2, 1), rom_bytes="0")
    assert [held.passed for held in found.held] == [False]
    assert found.reasons[0] == "ROM +0.00417 % (+1 bytes): code of logits (+1)"


def test_one_sample_is_found() -> None:
    wrong = run(right=bits(*range(100, 315)), accuracy=(SAMPLES - 215) / SAMPLES)
    found = only(run(), wrong, accuracy="0")
    assert [held.passed for held in found.held] == [False]
    [decided] = found.decisions
    changed = "changed 1 right -> wrong, 0 wrong -> right, p = 1"
    assert of_decisions(decided) == f"decisions: {changed}; wrong now: sample 314"


def test_samples_that_changed_places_are_told_though_accuracy_is_the_same() -> None:
    found = only(run(), run(right=bits(*range(101, 315))))
    assert found.state == "changed" and not found.changed
    assert "changed 1 right -> wrong, 1 wrong -> right, p = 1" in " ".join(lines(found))


def test_a_kernel_that_changed_is_the_reason() -> None:
    found = only(run(), slower(run(), 1, 62_000, kernel="plain", variant=None))
    assert found.reasons[0] == (
        "cycles +3.1 % (+62,000 cycles): conv2 went from 'direct' (compact) to 'plain' (+62,000)"
    )


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (slower(run(), 0, 5, numbers="Q4.4", data_type="int16"), "conv1 (+5)"),
        (slower(run(), 0, 5, macs=1), "conv1 (MACs 300,000 -> 1) (+5)"),
        (slower(slower(run(), 0, 5), 2, -7), "logits (-7), conv1 (+5)"),
        (replace(slower(run(), 0, 5), layers=run().layers), "outside of the layers (+5)"),
        (
            slower(replace(run(), layers=(*run().layers, replace(run().layers[0], name="x", cycles=0.0))), 3, 9),
            "x is new (+9)",
        ),
    ],
)
def test_what_explains_cycles(head: Run, reason: str) -> None:
    assert only(run(), head).reasons[0].endswith(f"cycles): {reason}")


def test_layers_of_many_changes_are_summed_up() -> None:
    layers = tuple(replace(run().layers[0], name=f"l{number}") for number in range(9))
    base = head = run(layers=layers)
    for number in range(9):
        head = slower(head, number, number + 1)
    assert only(base, head).reasons[0].endswith("l8 (+9), l7 (+8), l6 (+7), 6 more (+21)")


def test_layers_that_older_reports_do_not_tell_of_have_not_changed() -> None:
    older = run(layers=tuple(replace(layer, code_bytes=None, weight_bytes=None, cycles=None) for layer in run().layers))
    found = only(older, slower(run(), 0, 5))
    assert not found.layers and not [reason for reason in found.reasons if "cycles +" in reason]
    assert only(older, larger(run(), 0, 5)).reasons[0] == "ROM +0.0208 % (+5 bytes): code (+5)"


def test_the_same_firmware_at_another_price() -> None:
    found = only(run(), slower(run(), 0, 5))
    assert found.reasons[1].startswith("the firmware is the same, byte for byte")
    other = only(run(), slower(run(elf_sha256="cd" * 32), 0, 5))
    assert other.reasons[1].startswith("the generated code is the same")
    assert len(only(run(), slower(run(elf_sha256="cd" * 32, kernels_sha256="1"), 0, 5)).reasons) == 1


def test_new_and_vanished_runs() -> None:
    found = compared([run(), run(id="b", model="b")], [run(), run(id="c", model="c")], cycles="0")
    assert [one.state for one in found.runs] == ["equal", "new", "vanished"] and found.exit_code == 0
    assert all(change.base is None for change in found.runs[1].changes)
    assert remarks(found) == ["new: c, int8, nucleo_l452re_p", "vanished: b, int8, nucleo_l452re_p"]


def test_a_run_that_an_interrupted_experiment_never_came_to_keeps_no_limit() -> None:
    half = report(run(), complete=False, regress={"cycles": "1%"})
    found = compared(report(run(), run(id="b", model="b")), half)
    [(missing, held)] = found.broken
    assert missing.run.model == "b" and "HEAD ended before this run" in (held.reason or "") and found.exit_code == 7
    assert "HEAD is not complete" in " ".join(remarks(found))


def test_what_is_not_known_any_more_keeps_no_limit() -> None:
    failed = run(error=RunError("EngineError", "it hangs"), complete=False)
    for head in (failed, run(cycles=None, latency_ms=None, no_cycles="no chip"), run(complete=False, samples=7)):
        [held] = only(run(), head, latency_ms="5%").held
        assert not held.passed and held.reason
    assert "failed now: it hangs" in lines(only(run(), failed)) and only(run(), failed).state == "changed"
    assert "failed before: it hangs" in lines(only(failed, run()))


def test_what_was_not_known_is_not_held_and_said() -> None:
    for base in (run(latency_ms=None), run(complete=False), run(error=RunError("EngineError", "it hangs"))):
        found = compared([base], [run(latency_ms=1e9)], latency_ms="5%")
        assert not found.broken and "not held: cnn, int8, nucleo_l452re_p: latency" in " ".join(remarks(found))


def test_limits_of_options_replace_those_of_the_report_one_by_one() -> None:
    head = report(larger(slower(run(), 0, 100_000), 0, 600), regress={"cycles": "1%", "rom_bytes": "1 KiB"})
    assert [held.limit.name for _, held in compared(report(run()), head).broken] == ["cycles"]
    assert [held.limit.name for _, held in compared(report(run()), head, cycles="10%").broken] == []
    assert [held.limit.name for _, held in compared(report(run()), head, rom_bytes=0).broken] == ["cycles", "rom_bytes"]


@pytest.mark.parametrize("limits", [{"cycles": "-1"}, {"nonsense": "1"}, {"accuracy": "2%"}, {"cycles": ""}])
def test_limits_of_a_report_that_are_none(limits: dict[str, str]) -> None:
    with pytest.raises(DataError) as refused:
        compared(report(run()), report(run(), regress=limits))
    assert "'regress' of the report of 'gestures'" in (refused.value.where or "") and refused.value.hint


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2))
def test_numbers_beyond_all_measure(found: list[float]) -> None:
    one = only(run(latency_ms=found[0]), run(latency_ms=found[1]), latency_ms="0")
    [change] = [change for change in one.changes if change.key == "latency_ms"]
    assert change.difference is None or abs(change.difference) < float("inf")
    assert change.relative is None or abs(change.relative) < float("inf")
    assert list(lines(one)) is not None


def test_from_files(tmp_path: Path) -> None:
    report(run()).write(tmp_path / "base" / "report.json")
    report(slower(run(), 0, 1)).write(tmp_path / "head" / "report.json")
    assert compare(tmp_path / "base", tmp_path / "head" / "report.json", {}).runs[0].state == "changed"
    first = compare(tmp_path / "none", tmp_path / "head", {})
    assert first.is_first and first.exit_code == 0 and [one.state for one in first.runs] == ["new"]
    with pytest.raises(ConfigurationError, match="there is no report at 'none'"):
        compare(tmp_path / "base", tmp_path / "none", {})
    same = compare(tmp_path / "base", tmp_path / "base", {})
    assert "BASE and HEAD are the same file" in remarks(same)


CUT = report(run()).to_json()[:500].encode()


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 2}', b"\x00" * 100, CUT])
def test_what_is_no_report_is_an_error_on_either_side(content: bytes, tmp_path: Path) -> None:
    report(run()).write(tmp_path / "good" / "report.json")
    (tmp_path / "bad.json").write_bytes(content)
    for sides in ((tmp_path / "bad.json", tmp_path / "good"), (tmp_path / "good", tmp_path / "bad.json")):
        with pytest.raises(DataError):
            compare(*sides, {})


def test_a_report_of_an_older_version_is_compared_in_what_it_tells() -> None:
    values = json.loads(report(run()).to_json())
    for key in ("git", "regress", "planned"):
        del values[key]
    for key in ("model_sha256", "data_sha256", "kernels_sha256", "right"):
        del values["runs"][0][key]
    for layer in values["runs"][0]["layers"]:
        del layer["code_bytes"], layer["weight_bytes"]
    older = Report.from_json(json.dumps(values))
    found = compared(older, report(run()), **EVERY)
    assert found.exit_code == 0 and found.runs[0].state == "equal" and not found.runs[0].decisions
    assert [one.what for one in found.runs[0].unlike] == ["model file", "test data"]
    slow = compared(older, report(slower(run(), 1, 1)), cycles="0")
    assert slow.exit_code == 7 and slow.runs[0].reasons[0].endswith("conv2 (+1)")
