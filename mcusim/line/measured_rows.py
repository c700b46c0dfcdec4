"""Report -> rows for the record of the model: what real boards measured beside what it says, of the same work."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone

from mcusim.boards.load import load_board
from mcusim.experiment.experiment import Experiment
from mcusim.reports.measured import pairs
from mcusim.reports.report import Report
from mcusim.system.names import printable
from mcusim.timing.record import HELD_OUT, Line
from mcusim.timing.timing import MEASURED

ROWS = "measured.csv"
LEAST_CYCLES = 1000  # of a layer: its call, which the model does not count as its own, is a dozen of them


def measured_rows(report: Report, experiment: Experiment) -> Iterator[Line]:
    """As platforms/measured.csv has them. None of what stood in for a board."""
    boards = {board.name: board for board in map(load_board, filter(None, experiment.boards))}
    for pair in pairs(report.runs):
        modelled, counted = pair.modelled, pair.counted
        first, second, board = modelled.cycles, counted.cycles, boards.get(counted.board)
        if not (first and second and board and first.kind and second.how == MEASURED):
            continue
        if min(first.mean, second.mean) < 1:
            continue
        records = board.chip.timing.records if board.chip.timing else []
        line = Line(
            program=printable(f"{report.experiment} {counted.model_label} {counted.type_label}"),
            record=(records or [board.chip.name])[0],
            chip=board.chip.name,
            clock_hz=board.clock_hz,
            kinds=tuple(first.kind.split(", ")),
            use=HELD_OUT,
            predicted=round(first.mean),
            measured=second.mean,
            source="mcusim run",
            date=datetime.now(timezone.utc).date().isoformat(),
        )
        yield line
        for layer in pair.layers:
            if layer.counted >= LEAST_CYCLES:
                program = printable(f"{line.program}: {layer.name}")
                yield replace(line, program=program, predicted=round(layer.modelled), measured=layer.counted)
