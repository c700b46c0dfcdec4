"""validate: the cycles of the model against cycles that somebody measured on silicon."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcusim.commands import options
from mcusim.commands.profile import counted_in, foreign_engines, stall_option
from mcusim.commands.streams import say
from mcusim.system.errors import BUDGET_BROKEN, EngineError, MissingToolError

if TYPE_CHECKING:
    from mcusim.engines.engine import Engine
    from mcusim.timing.record import Deviation, Line
    from mcusim.timing.recording import Recording
    from mcusim.workloads.measured import Measured

_NAME_WIDTH = 36


def address(value: str) -> int:
    """`0x08000000` or 134217728."""
    try:
        found = int(value, 0)
    except ValueError:
        found = -1
    if not 0 <= found < 1 << 32:
        raise click.BadParameter(f"{value!r} is no address: write for example 0x08000000")
    return found


@click.command()
@click.argument("table", type=options.PATH, metavar="ROWS.csv")
@click.option("--engine", metavar="E", help="Run them in this engine [the first that has the memory they need].")
@click.option(
    "--load-address", type=address, metavar="ADDRESS", help="Where the first byte of .bin (and .hex) images lies."
)
@click.option(
    "--max-median", type=click.FloatRange(0), metavar="PERCENT", help="Exit with 7 when the median error is larger."
)
@click.option(
    "--max-p90", type=click.FloatRange(0), metavar="PERCENT", help="... when one row in ten has a larger error."
)
@click.option(
    "--record", type=options.PATH, metavar="F", help="Write the rows into this record, as platforms/measured.csv."
)
@stall_option("How long")
def validate(
    table: Path,
    engine: str | None,
    load_address: int | None,
    max_median: float | None,
    max_p90: float | None,
    record: Path | None,
    stall_s: float,
) -> None:
    """How far the model's cycles are from measured ones.

    ROWS.csv has a line for each measurement on silicon: image,from,to,calls,board,clock,measured. The image (ELF, .bin
    or .hex, beside the table) runs in an engine; the calls of `from` are measured to their return, or to `to`, and
    priced for the board at that clock. A column `serial` may have what the firmware receives.
    """
    from mcusim.timing.record import deviation, read_record, summary, told_kinds, write_record
    from mcusim.workloads.measured import read_measured

    engines = foreign_engines(engine)
    if record and record.exists():
        read_record(record)  # before anything takes time
    import tempfile

    with tempfile.TemporaryDirectory(prefix="mcusim-validate-") as folder:
        rows = read_measured(table, load_address, Path(folder))
        numbers = f"{'MHz':>5} {'predicted':>14} {'measured':>14} {'error':>8}"
        click.echo(f"{'program':<{_NAME_WIDTH}} {'board':<18} {numbers}  code")
        runs, lines = _Runs(engines, stall_s, Path(folder)), []
        for row in rows:
            lines.append(line := runs.line(row))
            where = f"{row.name:<{_NAME_WIDTH}} {row.board.name:<18} {row.clock_hz / 1e6:>5g}"
            cycles = f"{line.predicted:>14,} {row.measured:>14,.0f} {line.error_pct:>+7.2f}%"
            click.echo(f"{where} {cycles}  {told_kinds(line.kinds)}")
    found = deviation([line.error_pct for line in lines])
    for told in (str(found), *summary(lines)):
        click.echo(told)
    if record:
        write_record(record, lines)
        say(f"wrote {record}")
    if _beyond(found, max_median, max_p90):
        click.get_current_context().exit(BUDGET_BROKEN)


def _beyond(found: Deviation, max_median: float | None, max_p90: float | None) -> bool:
    bounds = (("median", found.median, max_median), ("p90", found.p90, max_p90))
    broken = [(name, value, bound) for name, value, bound in bounds if bound is not None and value > bound]
    for name, value, bound in broken:
        say(f"{name} of {value:.2f} % is more than the allowed {bound:g} %", error=True)
    return bool(broken)


class _Runs:
    """What was recorded already: the same calls at another clock are priced anew, and not run again."""

    def __init__(self, engines: Sequence[Engine], stall_s: float, folder: Path) -> None:
        self._engines, self._stall_s, self._folder = engines, stall_s, folder
        self._recordings: dict[object, Recording] = {}
        self._told: set[str] = set()

    def line(self, row: Measured) -> Line:
        """What the model says of the calls of `row`, in the mean."""
        from mcusim.timing.of_run import parameters_of
        from mcusim.timing.profile import price_recording
        from mcusim.timing.record import line_of

        key = row.firmware, row.board.name, row.calls, row.serial
        if key not in self._recordings:
            self._recordings[key] = self._record(row)
        chip = row.board.chip
        priced = price_recording(self._recordings[key], chip, row.clock_hz, parameters_of(chip))
        return line_of(priced, row.name, row.record, chip.name, row.measured, row.use, row.source)

    def _record(self, row: Measured) -> Recording:
        """In the first engine that has the memory."""
        from mcusim.engines.engine import LacksMemoryError

        refusals: list[EngineError] = []
        able = [engine for engine in self._engines if engine.FACTS.serial or not row.serial]
        for engine in able:
            try:
                return self._in(engine, row)
            except LacksMemoryError as error:
                refusals.append(error)
        raise self._refused(row, refusals)

    def _refused(self, row: Measured, refusals: list[EngineError]) -> EngineError:
        """Another engine would do, if it was here."""
        from mcusim.engines import ENGINES

        if not refusals:
            names = ", ".join(engine.FACTS.name for engine in self._engines)
            hint = f"take engine {' or '.join(key for key, one in ENGINES.items() if one.FACTS.serial)}"
            refusals = [EngineError(f"no serial input in engine {names}", where=str(row.firmware.elf), hint=hint)]
        others = [one for one in ENGINES.values() if one.FACTS.foreign and one not in self._engines]
        lacking = next((error for one in others if (error := one.missing()) is not None), None)
        first = refusals[0]
        if isinstance(lacking, MissingToolError):
            first.hint = f"{lacking.what}, which may have that memory: {lacking.hint}"
        return first

    def _in(self, engine: Engine, row: Measured) -> Recording:
        from mcusim.timing.recording import record

        folder = self._folder / f"run-{len(self._recordings)}-{engine.FACTS.name}"
        asked = {"stall_s": self._stall_s, "calls": row.calls, "serial": row.serial}
        execution, counts = counted_in(engine, row.firmware, row.board, folder, **asked)
        if not execution.complete:
            raise EngineError(
                execution.notes[-1], where=str(row.firmware.elf), hint="correct 'from' or 'to' of that row"
            )
        if row.calls and counts.samples < row.calls:
            what = f"{row.firmware.start!r} was called {counts.samples} times, and not {row.calls}"
            raise EngineError(what, where=str(row.firmware.elf), hint="correct 'calls' of that row, or leave it empty")
        for note in execution.notes:
            if note not in self._told:
                say(f"note: {note}", error=True)
            self._told.add(note)
        return record(counts, row.firmware.elf, row.board.name)
