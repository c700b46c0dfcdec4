"""boards, datasets, layers: what there is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcusim.commands import options
from mcusim.commands.streams import say
from mcusim.commands.written import write_json

if TYPE_CHECKING:
    from mcusim.models.listing import Listing

FORMATS = ("keras", "onnx", "pytorch", "tflite")  # in literals: looking at --help imports no reader


@click.command()
def boards() -> None:
    """Boards that come with mcusim."""
    from mcusim.boards.load import board_names, load_board

    rows = []
    for board in map(load_board, board_names()):
        sizes = (f"{region.size_bytes // 1024}" for region in (board.memory.flash, board.memory.ram))
        machine = board.qemu.machine if board.qemu else "no"
        rows.append((board.name, board.title, board.chip.title, f"{board.clock_hz / 1e6:g}", *sizes, machine))
    print_table(("name", "board", "chip", "MHz", "flash KiB", "RAM KiB", "in QEMU as"), rows)


@click.command()
def datasets() -> None:
    """Data sets that come with mcusim."""
    from mcusim.datasets import DATASETS

    rows = [(name, dataset.SUMMARY, dataset.LICENCE) for name, dataset in DATASETS.items()]
    print_table(("name", "what it is", "licence"), rows)


@click.command()
@click.option("--format", "chosen", type=click.Choice(FORMATS), help="Only what files of this format may have.")
@click.option("--json", "to_json", type=options.PATH, metavar="F", help="Also write all of it as JSON.")
def layers(chosen: str | None, to_json: Path | None) -> None:
    """What models of each format may have, and how it is computed.

    The names are those that the format's files have. --json: for each format its tables, and of each row its cells.
    """
    from mcusim.models import MODELS

    known = {one.NAME: one for one in MODELS if chosen in (None, one.NAME)}
    for name, one in known.items():
        say(f"{name} ({', '.join(one.SUFFIXES)})")
        for listing in one.listings():
            _print_listing(listing)
        say("")
    if to_json:
        told = {name: {listing.what: _rows(listing) for listing in one.listings()} for name, one in known.items()}
        write_json(to_json, layers=told)


def _print_listing(listing: Listing) -> None:
    say("")
    print_table((listing.what, *listing.columns), [(name, *cells) for name, cells in listing.rows.items()])
    if listing.words:
        say("")
        print_table(("word", "what it means"), list(listing.words.items()))


def _rows(listing: Listing) -> dict[str, dict[str, str]]:
    """Of each row its cells by column."""
    return {name: dict(zip(listing.columns, cells, strict=True)) for name, cells in listing.rows.items()}


def print_table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table without frame: easy to read, and to cut."""
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    for row in [headings, *rows]:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
