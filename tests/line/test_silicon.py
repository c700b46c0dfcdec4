"""What a board counted -> cycles, latency, energy; a clock that is not the board's; modelled beside measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mcusim.engines.engine import Execution, LayerSums, Silicon
from mcusim.line.measure import LayerFigures
from mcusim.line.measured_rows import measured_rows
from mcusim.line.part import Part, Span, joined
from mcusim.line.silicon import READ_BETWEEN, with_silicon
from mcusim.reports.measured import pairs
from mcusim.reports.report import Report, Run
from mcusim.reports.table import remarks
from mcusim.system.errors import EngineError
from mcusim.timing.record import read_record, write_record
from mcusim.timing.timing import Cycles

RUN = Run(
    id="a", model="m", data_type="int8", board="nucleo_l452re_p", engine="probe", clock_hz=48_000_000, no_cycles="why"
)
SILICON = Silicon(
    boards=("n1",), clock_hz=(("n1", 47_904_000.0),), cold_cycles=(620,), window_cycles=20, power_w=0.0158
)


def execution(cycles: list[int] | None = None, silicon: Silicon | None = SILICON) -> Execution:
    count = len(cycles or [0])
    return Execution(
        answers=np.zeros((count, 2), np.uint8),
        indices=np.arange(count),
        wall_s=1.0,
        engine="probe",
        engine_version="1",
        cycle_counter=None if cycles is None else np.array(cycles, np.uint64),
        silicon=silicon,
    )


def test_cycles_are_measured_and_latency_is_at_the_boards_own_clock() -> None:
    run = with_silicon(RUN, execution([500, 520, 540]))
    assert run.cycles == Cycles(500.0, 480, 520, 3, "measured", first=600, window=20)
    assert run.clock_hz_measured == 47_904_000 and run.no_cycles is None
    assert run.latency_ms == pytest.approx(500 / 47_904, rel=1e-3)
    assert run.energy_uwh == pytest.approx(500 / 47_904_000 * 0.0158 / 3600 * 1e6, abs=1e-9) and run.energy_how is None


def test_a_meter_is_believed_more_than_the_boards_file() -> None:
    run = with_silicon(RUN, execution([500], replace(SILICON, power_w=0.0158, metered=True)))
    assert run.energy_uwh and run.energy_how == "measured"
    assert run.energy_window == "repeats"
    stand_in = with_silicon(RUN, execution([500], replace(SILICON, metered=True, emulated=True)))
    assert stand_in.energy_how is None and stand_in.energy_window is None


def test_energy_by_a_pin_follows_from_no_clock() -> None:
    run = with_silicon(RUN, execution([500], replace(SILICON, metered=True, energy_j=3.6e-6)))
    assert run.energy_uwh == pytest.approx(1e-3) and (run.energy_how, run.energy_window) == ("measured", "pin")


def test_what_stands_in_for_a_board_measures_nothing() -> None:
    run = with_silicon(RUN, execution([500], replace(SILICON, emulated=True, clock_hz=())))
    assert run.cycles and run.cycles.how == "counted" and run.clock_hz_measured is None
    assert not any("measured" in note for note in run.notes)


def test_a_clock_that_nobody_measured_is_told() -> None:
    run = with_silicon(RUN, execution([500], replace(SILICON, clock_hz=())))
    assert run.latency_ms == pytest.approx(480 / 48_000) and any("was not measured" in note for note in run.notes)


@pytest.mark.parametrize("clock_hz", [46.5e6, 49.5e6, 24e6])
def test_another_clock_is_refused(clock_hz: float) -> None:
    with pytest.raises(EngineError, match="its file says 48") as caught:
        with_silicon(RUN, execution([500], replace(SILICON, clock_hz=(("n2", clock_hz),), boards=("n1", "n2"))))
    assert caught.value.where == "board 'n2'"


def test_a_board_that_counts_nothing() -> None:
    run = with_silicon(RUN, execution(None))
    assert run.cycles is None and run.no_cycles == "no board's cycle counter was read"
    assert with_silicon(RUN, execution(None, None)) == RUN, "an emulator is no board"


def part(first: int, cycles: list[int], silicon: Silicon) -> Part:
    span, seen, answer = Span(first, first + len(cycles), 4), execution(cycles, silicon), np.dtype((np.int8, (2,)))
    return Part(RUN, "a", "w", span, seen, answer, {}, np.arange(len(cycles)) + first)


def test_parts_of_two_machines_are_one_run() -> None:
    boards = {"n1": (0, [500, 520]), "n2": (2, [540, 560])}
    silicon = (replace(SILICON, boards=(name,), clock_hz=((name, 47_904_000.0),)) for name in boards)
    whole = joined([part(*told, own) for told, own in zip(boards.values(), silicon, strict=True)])
    assert whole.execution.cycle_counter is not None and whole.execution.cycle_counter.tolist() == [500, 520, 540, 560]
    assert whole.execution.silicon and whole.execution.silicon.boards == ("n1", "n2")
    assert whole.execution.silicon.clock_hz == (("n1", 47_904_000.0), ("n2", 47_904_000.0))


def test_modelled_beside_measured() -> None:
    modelled = replace(RUN, id="b", engine="qemu", no_cycles=None, cycles=Cycles(510.0, 500, 520, 3, "modelled"))
    measured = with_silicon(RUN, execution([520]))
    [pair] = pairs((measured, modelled, replace(modelled, id="c", board="sparkfun_edge")))
    assert pair.error_pct == pytest.approx(2.0)
    told = remarks(Report(1, "1", "e", "2026", 0.0, True, runs=(modelled, measured)))
    assert any(
        "510 modelled by qemu, 500 measured by probe (600 in the first call" in line and "+2.00 %" in line
        for line in told
    )


def test_rows_for_the_record_of_the_model(tmp_path: Path) -> None:
    """Of real boards only, and as `mcusim validate --record` writes them."""
    of_model = Cycles(510.0, 500, 520, 3, "modelled", kind="integer, flash-bound")
    modelled = replace(RUN, id="b", engine="qemu", cycles=of_model)
    measured = with_silicon(RUN, execution([520]))
    stand_in = with_silicon(RUN, execution([520], replace(SILICON, emulated=True)))
    experiment = SimpleNamespace(boards=("nucleo_l452re_p",))
    report = Report(1, "1", "e", "2026", 0.0, True, runs=(modelled, measured))
    [line] = measured_rows(report, experiment)  # type: ignore[arg-type]
    assert (line.record, line.chip, line.kinds) == ("stm32l4", "stm32l452re", ("integer", "flash-bound"))
    assert line.error_pct == pytest.approx(2.0)
    write_record(tmp_path / "measured.csv", [line])
    assert read_record(tmp_path / "measured.csv") == (line,)
    assert not list(measured_rows(replace(report, runs=(modelled, stand_in)), experiment))  # type: ignore[arg-type]


LAYERS = (LayerFigures("a", "Dense", 100), LayerFigures("b", "Dense", 0))


def test_what_reading_between_layers_takes_is_no_layers() -> None:
    """Three samples: each layer without a gap of nothing, the model without all that reads."""
    sums = LayerSums(3, marks=30, nothing=6, layers=(306, 156))
    run = with_silicon(replace(RUN, layers=LAYERS), execution([500], replace(SILICON, layers=sums)))
    assert [layer.cycles for layer in run.layers] == [100.0, 50.0] and run.layers[0].cycles_per_mac == 1.0
    assert run.layers[1].share == pytest.approx(1 / 3, abs=1e-6)
    assert run.cycles and run.cycles.window == 20 + 10 + 4 * 2 and run.cycles.mean == 462
    assert READ_BETWEEN in run.notes
    twice = joined([part(first, [500], replace(SILICON, layers=sums)) for first in (0, 1)])
    assert twice.execution.silicon and twice.execution.silicon.layers == LayerSums(6, 60, 12, (612, 312))


def test_layers_beside_the_models() -> None:
    modelled = replace(RUN, id="b", engine="qemu", cycles=Cycles(3030.0, 1, 1, 1, "modelled", "integer"))
    modelled = replace(modelled, layers=tuple(map(LayerFigures.taking, LAYERS, (2020.0, 90.0), (3000.0, 3000.0))))
    sums = LayerSums(1, 0, 0, (2000, 100))
    counted = with_silicon(replace(RUN, layers=LAYERS), execution([3000], replace(SILICON, layers=sums)))
    report = Report(1, "0", "e", "2026-11-27T00:00:00+00:00", 1.0, True, (modelled, counted))
    [told] = [line for line in remarks(report) if line.startswith("cycles by layer")]
    assert told.endswith(": a 2,020, 2,000 (+1.0 %); b 90, 100 (-10.0 %)")
    rows = list(measured_rows(report, SimpleNamespace(boards=("nucleo_l452re_p",))))  # type: ignore[arg-type]
    assert [(row.program, row.predicted, row.measured) for row in rows] == [
        ("e m int8", 3030, 2980.0),
        ("e m int8: a", 2020, 2000.0),
    ], "a layer of a hundred cycles proves nothing"
