"""Rooms -> how many of their mutants the tests kill, and the others one by one. Exit code 7 below the bar."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

from tools.command import end
from tools.mutants.rooms import ROOMS
from tools.mutants.run import mutants

BAR = 0.9
BELOW = 7
EXPLAINED = Path(__file__).with_name("explained.csv")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    reasons, holds = _reasons(), True
    for name in options.room or ROOMS:
        found = mutants(ROOMS[name], options.work / name, options.sample, options.seed, options.jobs, options.again)
        killed = sum(mutant.is_killed for mutant in found)
        explained = 0
        for mutant in (one for one in found if not one.is_killed):
            reason = reasons.get((mutant.function, mutant.difference), "")
            explained += bool(reason)
            print(f"{mutant.function}: {mutant.verdict}{reason and ', ' + reason}\n{mutant.difference}", flush=True)
        print(f"{name}: {killed} of {len(found)} killed, {explained} explained", flush=True)
        holds = holds and killed + explained >= BAR * len(found)
    return 0 if holds else BELOW


def _reasons() -> dict[tuple[str, str], str]:
    """Why a mutant cannot be told from the code, by function and by the lines that change."""
    with EXPLAINED.open(encoding="utf-8", newline="") as file:
        return {(row["function"], f"-{row['out']}\n+{row['in']}"): row["why"] for row in csv.DictReader(file)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/mutants",
        description=f"Change a room's code and count what its tests find. Exit code 7 below {BAR:.0%}.",
        epilog="Goes on where it stopped; --again after tests were written, another folder after others were changed.",
    )
    parser.add_argument("room", nargs="*", metavar="ROOM", help=f"{', '.join(ROOMS)}; all without one")
    parser.add_argument(
        "--sample", type=int, default=200, metavar="N", help="mutants of each room (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="which N (default %(default)s)")
    parser.add_argument("--again", action="store_true", help="try those again that no test has found")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="at once (default %(default)s)")
    parser.add_argument(
        "--work", type=Path, default=Path("build/mutants"), metavar="FOLDER", help="default %(default)s"
    )
    return parser


if __name__ == "__main__":
    end(main)
