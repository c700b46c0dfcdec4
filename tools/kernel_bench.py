"""Networks -> what our kernels take for them, beside plain C, and beside a kernel library when a folder has one.

    python -m tools.kernel_bench --network uci_har_f80 --type int8 --layers
    python -m tools.kernel_bench --library ~/CMSIS-NN --markdown

All are built by the same compiler, run in QEMU, and priced by the same timing model (docs/timing.md): nothing of it was
measured on silicon. Weights and samples are random (tools/networks.py).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.commands.profile import clock
from mcusim.graph import Graph
from mcusim.system.arrays import Array
from mcusim.system.errors import McusimError
from tools.kernel_runs import PLAIN, Run, at_clock, run_ours
from tools.networks import DATA_TYPES, NETWORKS, network

TYPES, BOARDS = ("int8", "int16", "float32"), ("nucleo_l452re_p",)


@dataclass(frozen=True)
class Row:
    """One network in one data type on one board. What could not be run has `problem` in place of figures.

    `mismatches`: samples whose answer is not, number for number, that of `Graph.run`; of float32, whose sums numpy adds
    in another order, that of plain C.
    """

    network: str
    data_type: str
    board: Board
    ours: Run | None = None
    plain: Run | None = None
    mismatches: int = 0
    problem: str = ""

    @property
    def speed_up(self) -> float:
        """How much longer plain C takes."""
        assert self.ours and self.plain
        return self.plain.cycles / self.ours.cycles


def rows(names: Sequence[str], data_types: Sequence[str], boards: Sequence[Board], samples: int) -> Iterator[Row]:
    """One after the other as they are measured."""
    for name in names:
        there = network(name)
        for data_type in data_types:
            graph = there.quantized(data_type)
            for board in boards:
                yield _row(there.title, data_type, board, graph, there.x[:samples])


def _row(title: str, data_type: str, board: Board, graph: Graph, x: Array) -> Row:
    with tempfile.TemporaryDirectory(prefix="mcusim-kernels-") as name:
        try:
            ours, plain = (run_ours(graph, x, board, Path(name), *chosen) for chosen in ((), (PLAIN,)))
        except McusimError as error:
            return Row(title, data_type, board, problem=error.what)
    exact = plain.answers if graph.data_type == "float32" else graph.run(x)
    mismatches = int(np.any(ours.answers != exact, axis=-1).sum())
    return Row(title, data_type, board, ours, plain, mismatches)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        boards = [at_clock(load_board(name), options.clock) for name in options.board or BOARDS]
        print(HEAD)
        for row in rows(options.network or list(NETWORKS), options.type or TYPES, boards, options.samples):
            print(shown(row), flush=True)
            if options.layers and row.ours:
                print("\n".join(layers_shown(row.ours)), flush=True)
    except McusimError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Modelled times of kernels, beside those of plain C.")
    parser.add_argument("--network", action="append", choices=NETWORKS, help="only this one (again for more)")
    parser.add_argument("--type", action="append", choices=DATA_TYPES, help=f"(again for more) [{' '.join(TYPES)}]")
    parser.add_argument("--board", action="append", help=f"name or file (again for more) [{' '.join(BOARDS)}]")
    parser.add_argument("--clock", type=clock, help="for example 80MHz [the board's]")
    parser.add_argument("--samples", type=int, default=2, help="that run, random ones (%(default)s)")
    parser.add_argument("--layers", action="store_true", help="each layer, with the cycles that its kernel expected")
    return parser


HEAD = (
    f"{'network':<20} {'type':<10} {'board':<16} {'ms':>8} {'c/MAC':>6} {'speed-up':>8} {'ROM':>8} {'RAM':>8} "
    f"{'mismatches':>10} {'plain ms':>9} {'ROM':>8} {'RAM':>8}"
)


def shown(row: Row) -> str:
    """A line of the table."""
    line = f"{row.network:<20} {row.data_type:<10} {row.board.name:<16}"
    if row.ours is None or row.plain is None:
        return f"{line} {row.problem}"
    ours, plain = row.ours, row.plain
    line += f" {ours.latency_ms:>8.2f} {ours.cycles_per_mac:>6.3f} {row.speed_up:>8.2f}"
    line += f" {ours.rom_bytes:>8,} {ours.ram_bytes:>8,} {row.mismatches:>10}"
    return f"{line} {plain.latency_ms:>9.2f} {plain.rom_bytes:>8,} {plain.ram_bytes:>8,}"


def layers_shown(run: Run) -> Iterator[str]:
    """A line for each layer: its kernel, cycles, and those that the kernel's formula says."""
    for layer in run.layers:
        line = f"    {layer.name:<20} {layer.kernel:<26}"
        if layer.cycles is None:
            yield f"{line} the compiler made one function of it and another layer"
            continue
        per_mac = f"{layer.cycles / layer.macs:.3f}" if layer.macs else ""
        line += f" {layer.cycles:>12,.0f} {per_mac:>7}"
        if layer.expected is not None:
            line += f" {layer.expected:>12,.0f} expected ({layer.expected / layer.cycles - 1:+.1%})"
        yield line


if __name__ == "__main__":
    sys.exit(main())
