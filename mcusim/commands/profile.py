"""profile: where the cycles of a run, or of any firmware, go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcusim.commands import options
from mcusim.commands.options import Function
from mcusim.commands.streams import say
from mcusim.system.errors import ConfigurationError, EngineError, suggestion
from mcusim.system.files import starts_with, write_text

if TYPE_CHECKING:
    from mcusim.boards.board import Board
    from mcusim.boards.chip import Chip
    from mcusim.engines.counts import Counts
    from mcusim.engines.engine import Engine, Execution
    from mcusim.timing.recording import Recording
    from mcusim.workloads.foreign import ForeignElf

    Found = tuple[str, Recording, Board]  # title, what was counted, where
FILES = ("disassembly", "stacks", "speedscope")
OWN_SYMBOL = "mcusim_input"
ELF_MAGIC = b"\x7fELF"
ELF_SUFFIXES = (".elf", ".axf", ".out")  # if it is none, it is told as a damaged one
STALL_S, LONGEST_STALL_S = 60.0, 86400.0  # a call of an ELF may take


def clock(value: str) -> int:
    """`80MHz`, `48e6` or `48000000` -> Hz."""
    from mcusim.boards.clock import hertz

    found = hertz(value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no clock of a core: write for example 80MHz")
    return found


def seconds(value: str) -> float:
    """More than nothing, at most a day: never nan or inf."""
    try:
        found = float(value)
    except ValueError:
        found = 0.0
    if not 0 < found <= LONGEST_STALL_S:
        raise click.BadParameter(f"{value!r} is no time: write seconds, for example 120")
    return found


def stall_option(how_long: str) -> Callable[[Function], Function]:
    """How its help begins."""
    told = f"{how_long} one call, or the way to the first one, may take [{STALL_S:g}]."
    return click.option("--stall", "stall_s", type=seconds, default=str(STALL_S), metavar="SECONDS", help=told)


@click.command()
@click.argument("target", type=options.PATH, metavar="RUN|FIRMWARE.elf")
@click.option(
    "--clock", "clock_hz", type=clock, metavar="HZ", help="Price it for this clock, for example 80MHz [the board's]."
)
@click.option(
    "--wait-states",
    type=click.IntRange(0, 15),
    metavar="N",
    help="With these flash wait states [the chip's at the clock].",
)
@click.option("--board", metavar="B", help="Only runs on this board; for an ELF: the board it is for.")
@click.option("--model", metavar="M", help="Only runs of this model.")
@click.option("--data-type", metavar="T", help="Only runs of this data type.")
@click.option(
    "--from", "start", default="cnn", show_default=True, metavar="SYMBOL", help="ELF: measure from this function ..."
)
@click.option(
    "--calls", type=click.IntRange(0), default=0, metavar="N", help="ELF: leave it after N calls [at its end]."
)
@click.option("--engine", metavar="E", help="ELF: in this engine [the first one that runs any firmware].")
@click.option("--to", "end", metavar="SYMBOL", help="... to this symbol [until it returns].")
@stall_option("ELF: how long")
@click.option(
    "--rows",
    type=click.IntRange(1, 10000),
    default=20,
    show_default=True,
    metavar="N",
    help="Functions and lines to list.",
)
@click.option("--disassembly", type=options.PATH, metavar="F", help="Write every instruction with its cycles.")
@click.option("--stacks", type=options.PATH, metavar="F", help="Write collapsed stacks, for a flame graph.")
@click.option("--speedscope", type=options.PATH, metavar="F", help="Write a file for speedscope.app.")
def profile(target: Path, clock_hz: int | None, wait_states: int | None, rows: int, **asked: Any) -> None:
    """Where the cycles go, and what they were at another clock.

    RUN is the folder of a `mcusim run`: nothing is executed again, its recordings are priced anew. FIRMWARE.elf may
    be any firmware for a board of mcusim: it runs in an engine, QEMU if it is there, and the calls of one function are
    measured.
    """
    from mcusim.timing import profile as pricing
    from mcusim.timing import render
    from mcusim.timing.of_run import parameters_of

    files = {name: path for name in FILES if (path := asked.pop(name))}
    is_elf = starts_with(target, ELF_MAGIC) or target.suffix.lower() in ELF_SUFFIXES
    found = _of_elf(target, **asked) if is_elf else _of_run(target, **asked)
    if len(found) > 1 and files:
        hint = f"choose one with --model, --data-type and --board: {'; '.join(title for title, *_ in found)}"
        raise ConfigurationError(f"{len(found)} runs fit, and a file is for one", hint=hint)
    for title, recording, where in found:
        chip = _with_wait_states(where.chip, wait_states)
        priced = pricing.price_recording(recording, chip, clock_hz or where.clock_hz, parameters_of(chip))
        say(title)
        click.echo(render.to_text(priced, where.model_copy(update={"chip": chip}), rows=rows))
        if recording.no_lines:
            say(f"note: without lines of the source, which cannot be read: {recording.no_lines}", error=True)
    if files:
        _write(files.get("disassembly"), render.to_disassembly(priced, recording))
        _write(files.get("stacks"), render.to_collapsed_stacks(priced))
        _write(files.get("speedscope"), render.to_speedscope(priced, recording, title))


def _of_elf(
    path: Path, board: str | None, engine: str | None, start: str, end: str | None, calls: int, stall_s: float, **_: Any
) -> list[Found]:
    """The ELF file, run now. `calls` to measure."""
    import tempfile

    from mcusim.boards.load import load_board
    from mcusim.system.elf import read_elf
    from mcusim.timing.recording import record
    from mcusim.workloads.foreign import ForeignElf

    if board is None:
        hint = "add --board; mcusim boards lists them"
        raise ConfigurationError(f"{path.name!r} is a firmware: for which board?", hint=hint)
    chosen = load_board(board)
    runner = foreign_engines(engine)[0]
    with tempfile.TemporaryDirectory(prefix="mcusim-profile-") as folder:
        try:
            firmware = ForeignElf(path, start, end)
            execution, counts = counted_in(runner, firmware, chosen, Path(folder), stall_s=stall_s, calls=calls)
        except EngineError as error:
            if OWN_SYMBOL in read_elf(path).symbols:
                error.hint = (
                    "it is the firmware of a run, and waits for its samples: mcusim profile RUN, its --out folder"
                )
            raise
    for note in execution.notes:
        say(f"note: {note}", error=True)
    return [(f"{path}: {start} on {chosen.name}", record(counts, path, chosen.name), chosen)]


def counted_in(
    engine: Engine, firmware: ForeignElf, board: Board, folder: Path, **asked: Any
) -> tuple[Execution, Counts]:
    """Runs it, telling people how far it is. `asked`: more of a Job."""
    from mcusim.engines.engine import Job, no_samples

    image = firmware.image(engine.FACTS, board, folder)
    job = Job(image, no_samples(), folder, board, profile=True, tell=lambda text: say(text, error=True), **asked)
    with engine.open(1) as ready:
        execution = ready.run(job)
    assert execution.counts is not None  # of a job that profiles
    return execution, execution.counts


def foreign_engines(name: str | None) -> Sequence[Engine]:
    """Those that run a firmware of others, or the one of that name; at least one, that is here."""
    from mcusim.engines import ENGINES

    able = {key: engine for key, engine in ENGINES.items() if engine.FACTS.foreign}
    if name is not None and name not in able:
        raise ConfigurationError(f"no engine {name!r} runs a firmware of others", hint=suggestion(name, able))
    chosen = list(able.values()) if name is None else [able[name]]
    here = [engine for engine in chosen if engine.missing() is None]
    if not here:
        lacking = chosen[0].missing()
        assert lacking is not None
        raise lacking
    return here


def _of_run(path: Path, board: str | None, model: str | None, data_type: str | None, **_: Any) -> list[Found]:
    """The recordings that a run left beside its report."""
    from mcusim.boards.load import load_board
    from mcusim.reports.report import REPORT, Report
    from mcusim.timing.load_recording import load
    from mcusim.timing.recording import RECORDING

    file = path / REPORT if path.is_dir() else path
    report = Report.read(file)
    wanted = {"board": board, "model": model, "data_type": data_type}
    runs = [run for run in report.runs if all(value in (None, getattr(run, key)) for key, value in wanted.items())]
    if not runs:
        told = ", ".join(f"{key} {value!r}" for key, value in wanted.items() if value is not None)
        hint = f"it has {'; '.join(run.label for run in report.runs) or 'none yet'}"
        raise ConfigurationError(f"the report has no run{told and f' of {told}'}", where=str(file), hint=hint)
    found = [(run.label, file.parent / run.id / RECORDING) for run in runs]
    recordings = [(label, load(place)) for label, place in found if place.is_file()]
    if not recordings:
        hint = "engine qemu makes one for boards whose chip has [timing], when timing_samples is not 0"
        raise ConfigurationError(f"{len(runs)} runs fit, and none has a recording", where=str(file), hint=hint)
    return [(label, recording, load_board(recording.board)) for label, recording in recordings]


def _with_wait_states(chip: Chip, wait_states: int | None) -> Chip:
    """The chip as if its flash always had these wait states; with 0 nothing waits, slow RAM neither.

    Nobody measured such a chip.
    """
    if wait_states is None or chip.timing is None:
        return chip
    always = {"wait_states": wait_states, "wait_states_up_to_hz": [], "records": []}
    if wait_states == 0:
        none = {"wait_states": 0, "single_load": 0, "load_after_other": 0}
        always["ram"] = [ram.model_copy(update=none) for ram in chip.timing.ram]
    timing = chip.timing.model_copy(update=always)
    return chip.model_copy(update={"timing": timing, "name": f"{chip.name} with {wait_states} wait states"})


def _write(path: Path | None, text: str) -> None:
    if path:
        write_text(path, text)
        say(f"wrote {path}")
