"""What a board counted -> cycles, latency, energy; a clock that is not the board's; modelled beside measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mcusim.engines.engine import Execution, Silicon
from mcusim.line.measured_rows import measured_rows
from mcusim.line.part import Part, Span, joined
from mcusim.line.silicon import with_silicon
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
    stand_in = with_silicon(RUN, execution([500], replace(SILICON, metered=True, emulated=True)))
    assert stand_in.energy_how is None


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


def test_parts_of_two_machines_are_one_run() -> None:
    halves = []
    for first, cycles, board in ((0, [500, 520], "n1"), (2, [540, 560], "n2")):
        seen = execution(cycles, replace(SILICON, boards=(board,), clock_hz=((board, 47_904_000.0),)))
        part = Part(RUN, "a", "w", Span(first, first + 2, 4), seen, np.dtype((np.int8, (2,))), {}, np.arange(2) + first)
        halves.append(part)
    whole = joined(halves)
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
