"""Promises -> a line for each, with what this commit reaches. Exit code 7 when one does not hold."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from mcusim.system.errors import ConfigurationError, MissingToolError
from mcusim.system.toolchain import find_arm_tool, version_line
from tools.bars import accuracy, boards, graphs, house, kernels, models, timing
from tools.bars.group import Group, NotHere, Place
from tools.bars.rows import KEPT_WITH, Row, Verdict, read, shown, verdicts, without_kept, write
from tools.command import end

GROUPS = tuple(
    group for module in (timing, house, kernels, accuracy, models, boards, graphs) for group in module.GROUPS
)
BROKEN = 7


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    rows, figures, holds = read(), {}, True
    has_compiler = _has_compiler()
    if not has_compiler:
        print(f"another compiler than GCC {KEPT_WITH}: of compiled code only bars are held, not figures that were kept")
    chosen = [group for group in GROUPS if (options.long or not group.is_long) and options.only in group.name]
    if not chosen:
        names = ", ".join(repr(group.name) for group in GROUPS)
        raise ConfigurationError(
            f"no group has {options.only!r} in its name", hint=f"take one of {names}; or add --long"
        )
    start = time.monotonic()
    for group, found in _measured(chosen, rows, options.data, has_compiler):
        took, start = time.monotonic() - start, time.monotonic()
        heading = f"{group.name}, {took:.0f} s:" if isinstance(found, list) else f"{group.name}: not measured, {found}"
        print(heading, flush=True)
        for one in found if isinstance(found, list) else []:
            print(_line(one), flush=True)
            figures[one.row.name] = one.figure
            holds = holds and one.holds
    if options.update and has_compiler:
        write(rows, figures)
    if not holds:
        print("not all hold: mend them, or take the promise back in tools/bars/bars.csv")
    else:
        print(f"all {len(figures)} that were measured hold" if figures else "nothing was measured")
    return 0 if holds else BROKEN


def _measured(
    groups: Sequence[Group], rows: Sequence[Row], data: Path | None, has_compiler: bool
) -> Iterator[tuple[Group, list[Verdict] | NotHere]]:
    for group in groups:
        held = without_kept(rows) if group.is_compiled and not has_compiler else rows
        with tempfile.TemporaryDirectory(prefix="mcusim-bars-") as work:
            try:
                yield group, verdicts(held, group.measure(Place(Path(work), data)))
            except NotHere as why:
                yield group, why


def _has_compiler() -> bool:
    try:
        return KEPT_WITH in version_line(find_arm_tool("gcc")).split()
    except MissingToolError:
        return False


def _line(one: Verdict) -> str:
    row = one.row
    bar = f"{row.sense} {row.bar}" if row.bar else ""
    return f"  {row.name:<48} {shown(one.figure):>12} {row.unit:<8} {bar:<10} {one.word}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/bars",
        description="Every promise, and what this commit reaches. Exit code 7 when one does not hold.",
        epilog="Figures that follow from the commit alone are kept in tools/bars/bars.csv, and may only get better.",
    )
    parser.add_argument("--long", action="store_true", help="also what takes minutes")
    parser.add_argument("--only", default="", metavar="TEXT", help="groups whose name has it")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="has uci_har.npz and models/*.tflite")
    parser.add_argument(
        "--update", action="store_true", help=f"keep what was measured in bars.csv; only with GCC {KEPT_WITH}"
    )
    return parser


if __name__ == "__main__":
    end(main)
