"""Tests -> a row for each room: how many of its branches they take; and what they do not take, by function.

Exit code 7 where all tests take, and reasons explain, fewer branches than the bar.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.command import end
from tools.coverage.rooms import Counted, Missed, counted, missed, room_of
from tools.coverage.run import kept, measured

PACKAGE = Path("mcusim")
BAR = 0.93
BELOW = 7


def main(arguments: Sequence[str] | None = None) -> int:
    own, to_pytest = _divided(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(own)
    folder, code = options.work.absolute(), 0
    if not options.kept:
        code = measured(PACKAGE.absolute(), folder, to_pytest or _all_tests())
    files = kept(folder)
    found = missed(files)
    counts = {file: counted(file, told, found) for file, told in files.items()}
    print(_rooms(counts), _worst(counts, options.worst), sep="\n\n")
    for room in options.room:
        print(f"\n{_told(room, files, found)}")
    every = sum(counts.values(), Counted())
    is_below = not to_pytest and every.taken + every.explained < BAR * every.branches
    return code or (BELOW if is_below else 0)


def _divided(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is ours, and what is behind --."""
    words = [*arguments, "--"]
    at = words.index("--")
    return words[:at], words[at + 1 : -1]


def _all_tests() -> list[str]:
    """As script/test has them."""
    return ["-q", "-n", str((os.cpu_count() or 1) + 1), "--dist", "loadfile", "--no-loadscope-reorder"]


def _rooms(counts: Mapping[str, Counted]) -> str:
    rooms: dict[str, Counted] = {}
    for file, one in counts.items():
        rooms[room_of(file)] = rooms.get(room_of(file), Counted()) + one
    lines = [_row("room", "branches", "taken", "explained", "left", "lines ran")]
    for name, one in [*sorted(rooms.items()), ("all", sum(rooms.values(), Counted()))]:
        ran = one.ran / one.lines if one.lines else 1
        left = one.branches - one.taken - one.explained
        lines.append(_row(name, one.branches, f"{one.share:.1%}", one.explained, left, f"{ran:.1%}"))
    return "\n".join(lines)


def _row(name: str, *cells: object) -> str:
    return f"{name:12}" + "".join(f"{cell:>11}" for cell in cells)


def _worst(counts: Mapping[str, Counted], most: int) -> str:
    """Files by the branches that nobody takes or explains."""
    left = {file: one.branches - one.taken - one.explained for file, one in counts.items()}
    worst = sorted((file for file in left if left[file]), key=lambda file: (-left[file], file))[:most]
    return "\n".join(f"{left[file]:4} of {counts[file].branches:4}  {file}" for file in worst)


def _told(room: str, files: Mapping[str, Any], found: Sequence[Missed]) -> str:
    lines = []
    for file in files:
        own = [f"    {one}" for one in found if one.file == file and room in (room_of(file), file)]
        lines += [file, *own] if own else []
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/coverage",
        description=f"Run the tests and tell which branches of the package they take. Exit code 7 below {BAR:.0%}.",
        epilog="What follows -- goes to pytest, in place of all tests on all cores: script/coverage -- tests/numbers",
    )
    parser.add_argument("room", nargs="*", metavar="ROOM", help="tell what is not taken, function by function")
    parser.add_argument("--kept", action="store_true", help="of the last run: no test runs")
    parser.add_argument("--worst", type=int, default=20, metavar="N", help="files (default %(default)s)")
    parser.add_argument(
        "--work", type=Path, default=Path("build/coverage"), metavar="FOLDER", help="default %(default)s"
    )
    return parser


if __name__ == "__main__":
    end(main)
