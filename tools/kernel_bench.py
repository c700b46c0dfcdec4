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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.commands.profile import clock
from mcusim.experiment.kernel_choice import KernelChoice, kernel_names
from mcusim.experiment.tables import Target
from mcusim.graph import Graph
from mcusim.system.arrays import Array
from mcusim.system.errors import BuildError, ConfigurationError, McusimError
from tools import cmsis_nn
from tools.kernel_library import Adapter, Library, is_in, load_adapter
from tools.kernel_runs import ANY, PLAIN, Row, Run, at_clock, run_ours
from tools.kernel_tables import (
    HEAD,
    LIBRARY_HEAD,
    conditions,
    layers_shown,
    layers_table,
    limits_table,
    networks_table,
    shown,
    write_tables,
)
from tools.networks import DATA_TYPES, NETWORKS, Network, network

TYPES, BOARDS = ("int8", "int16", "float32"), ("nucleo_l452re_p",)
CODE_IN_RAM: dict[str, bool | Literal["auto"]] = {"auto": "auto", "true": True, "false": False}
IN_DETAIL = ("uci_har_f80", "int8")  # whose layers docs/kernels.md shows
GROUPS = {True: "UCI-HAR", False: "MLPerf Tiny"}
ELSEWHERE = "other boards and clocks"
# What docs/kernels.md shows of [target]
RAM, FLASH = (45_000, 40_000, 35_000, 30_000, 28_000), (14_000, 12_000, 10_000, 8_000, 7_500)
NAMED = ("points", "tiles")
LIMITS: tuple[tuple[str, str, str, Target], ...] = (  # network, data type, [target] in words, and as it is
    ("uci_har_f80", "int8", "", ANY),
    *(("uci_har_f80", "int8", f"ram_max = {size:_}", Target(ram_max=size)) for size in RAM),
    ("uci_har_f16", "int8", "", ANY),
    *(("uci_har_f16", "int8", f"flash_max = {size:_}", Target(flash_max=size)) for size in FLASH),
    ("uci_har_f80", "float32", "", ANY),
    ("uci_har_f80", "float32", f"kernels = {list(NAMED)}", Target(kernels=KernelChoice(default=NAMED))),
)
KNOWN: tuple[Adapter, ...] = (cmsis_nn.Adapter(),)
HOW_TO_ADAPT = """
another library: --adapter FILE.py names a Python file with a class Adapter:

  name = "MyNN"
  sources = ["src/*.c"]         # patterns below FOLDER: the C of the library, all of which is compiled
  without = ["*_test.c"]        # names among them that are not for this core
  includes = ["inc"]            # folders of its headers
  headers = ["mynn.h"]          # that the generated program includes
  def version(self, folder):    # -> str, for the table
  def graph(self, network, data_type):   # -> the Graph that it can run, network.quantized(data_type)
                                         #    or nearest to it; None where it has no such numbers
  def call(self, layer, graph, name):    # -> tools.kernel_library.Call, the C that runs one layer:
      Call(constants=c_array("int8_t", f"{name}_kernel", layer.kernel),
           body=f"    mynn_dense(input0, {name}_kernel, output, {layer.elements});",
           scratch="0")         # a C expression: bytes that `scratch` has to have

Activations lie channels last; those of 8 bits without a sign are given less 128, as int8_t. tools/cmsis_nn.py is one.
"""


@dataclass(frozen=True)
class Bench:
    """What is measured, and how. `folder`: of a library, None for none; `adapter`: a file that tells of it."""

    names: Sequence[str]
    data_types: Sequence[str]
    boards: Sequence[Board]
    samples: int
    target: Target
    work: Path
    folder: Path | None = None
    adapter: Path | None = None

    def rows(self) -> Iterator[Row]:
        """One after the other as they are measured."""
        libraries = {board.name: self._library(board) for board in self.boards} if self.folder else {}
        for name in self.names:
            there = network(name)
            for data_type in self.data_types:
                graph = there.quantized(data_type)
                for board in self.boards:
                    row = self._row(there, data_type, graph, board)
                    library = libraries.get(board.name)
                    yield _beside(row, library, there, there.x[: self.samples]) if library else row

    @property
    def library_title(self) -> str:
        return "" if self.folder is None else _title(self._adapter(self.folder), self.folder)

    def _row(self, there: Network, data_type: str, graph: Graph, board: Board) -> Row:
        row, x = Row(there.title, data_type, board), there.x[: self.samples]
        try:
            ours, plain = (run_ours(graph, x, board, self.work, target) for target in (self.target, PLAIN))
        except McusimError as error:
            return replace(row, problem=error.what)
        exact = plain.answers if graph.data_type == "float32" else graph.run(x)
        return replace(row, ours=ours, plain=plain, mismatches=_differing(ours.answers, exact))

    def _library(self, board: Board) -> Library:
        assert self.folder is not None
        return Library(self._adapter(self.folder), self.folder, board, self.work / board.name)

    def _adapter(self, folder: Path) -> Adapter:
        if self.adapter:
            return load_adapter(self.adapter)
        found = next((adapter for adapter in KNOWN if is_in(adapter, folder)), None)
        if found is None:
            hint = f"known are {', '.join(adapter.name for adapter in KNOWN)}; --help tells how to write an --adapter"
            raise ConfigurationError("there is no library that is known here", where=str(folder), hint=hint)
        return found


def _title(adapter: Adapter, folder: Path) -> str:
    return f"{adapter.name} {adapter.version(folder)}".rstrip()


def _differing(answers: Array, exact: Array) -> int:
    return int(np.any(answers != exact, axis=-1).sum())


def _beside(row: Row, library: Library, there: Network, x: Array) -> Row:
    """The row with what the library takes, where it has such numbers."""
    try:
        graph = library.adapter.graph(there, row.data_type)
        if graph is None:
            return row
        made, difference = library.run(graph, x, row.board)
    except McusimError as error:
        return replace(row, problem=f"{row.problem}; {library.adapter.name}: {error.what}".lstrip("; "))
    return replace(row, library=made, difference=difference)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="mcusim-kernels-") as name:
            _measure(_bench(options, Path(name)), options)
    except McusimError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _bench(options: argparse.Namespace, work: Path) -> Bench:
    chosen = KernelChoice(default=tuple(options.kernel or ()))
    return Bench(
        names=options.network or list(NETWORKS),
        data_types=options.type or TYPES,
        boards=[_board(name, options.clock) for name in options.board or BOARDS],
        samples=options.samples,
        target=Target(
            kernels=chosen,
            flash_max=options.flash_max,
            ram_max=options.ram_max,
            code_in_ram=CODE_IN_RAM[options.code_in_ram],
        ),
        work=work,
        folder=options.library,
        adapter=options.adapter,
    )


def _board(text: str, clock_hz: int | None) -> Board:
    """`NAME` or `NAME@CLOCK`"""
    name, _, own = text.partition("@")
    return at_clock(load_board(name), clock(own) if own else clock_hz)


def _measure(bench: Bench, options: argparse.Namespace) -> None:
    """Prints each row when it is there; the tables of the docs come last."""
    title = bench.library_title
    print(HEAD + (LIBRARY_HEAD if title else ""))
    measured = []
    for row in bench.rows():
        measured.append(row)
        print(shown(row), flush=True)
        if options.layers and row.ours:
            print("\n".join(layers_shown(row.ours)), flush=True)
    if options.markdown:
        write_tables(_parts(measured, title) | _limits(bench))


def _parts(rows: Sequence[Row], title: str) -> dict[str, str]:
    """Tables of docs/kernels.md, by the names of their markers; those that no row is about stay as they are."""
    usual = [load_board(name) for name in BOARDS]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        group = GROUPS[row.network.startswith("UCI-HAR")] if row.board in usual else ELSEWHERE
        groups.setdefault(group, []).append(row)
    short = title.partition(" ")[0]
    parts = {name: f"{conditions(some, title)}\n\n{networks_table(some, short)}" for name, some in groups.items()}
    name, data_type = IN_DETAIL
    wanted = (network(name).title, data_type, usual[0])
    detail = [row.ours for row in rows if (row.network, row.data_type, row.board) == wanted and row.ours]
    return {**parts, **({"layers": layers_table(detail[0])} if detail else {})}


def _limits(bench: Bench) -> dict[str, str]:
    """Likewise, of networks that have to do with less memory, or with other kernels: those of LIMITS, if all are there.

    Nothing where other networks, types or boards were asked for.
    """
    asked = {(name, data_type) for name in bench.names for data_type in bench.data_types}
    if not {case[:2] for case in LIMITS} <= asked or bench.boards != [load_board(name) for name in BOARDS]:
        return {}
    return {"limits": limits_table([_limited(bench, *case) for case in LIMITS])}


def _limited(bench: Bench, name: str, data_type: str, words: str, target: Target) -> tuple[str, str, str, Run | str]:
    there = network(name)
    try:
        x = there.x[: bench.samples]
        made: Run | str = run_ours(there.quantized(data_type), x, bench.boards[0], bench.work, target)
    except BuildError as error:
        made = error.what
    return there.title, data_type, words, made


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Modelled times of kernels, beside those of plain C, and of another library.",
        epilog=HOW_TO_ADAPT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--network", action="append", choices=NETWORKS, help="only this one (again for more)")
    parser.add_argument("--type", action="append", choices=DATA_TYPES, help=f"(again for more) [{' '.join(TYPES)}]")
    parser.add_argument("--board", action="append", help=f"NAME or NAME@CLOCK (again for more) [{' '.join(BOARDS)}]")
    parser.add_argument("--clock", type=clock, help="of boards without one, for example 80MHz [their own]")
    parser.add_argument("--kernel", action="append", choices=kernel_names(), help="only this one (again for more)")
    parser.add_argument("--flash-max", type=int, metavar="BYTES", help="[target] flash_max, for our kernels")
    parser.add_argument("--ram-max", type=int, metavar="BYTES", help="[target] ram_max, for our kernels")
    parser.add_argument(
        "--code-in-ram", choices=CODE_IN_RAM, default="auto", help="[target] code_in_ram, likewise [auto]"
    )
    parser.add_argument("--samples", type=int, default=2, help="that run, random ones (%(default)s)")
    parser.add_argument("--layers", action="store_true", help="each layer, with the cycles that its kernel expected")
    parser.add_argument("--library", type=Path, metavar="FOLDER", help="sources of a kernel library: CMSIS-NN")
    parser.add_argument("--adapter", type=Path, metavar="FILE", help="Python that tells of another library: see below")
    parser.add_argument("--markdown", action="store_true", help="write the tables of docs/kernels.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
