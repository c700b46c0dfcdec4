"""boards, datasets, layers: what there is."""

from __future__ import annotations

from collections.abc import Sequence

import click

from mcusim.commands.streams import say


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

    print_table(("name", "what it is"), [(name, dataset.SUMMARY) for name, dataset in DATASETS.items()])


@click.command()
def layers() -> None:
    """What models may have, and how each number type computes it."""
    from mcusim.models.keras.support import NUMBER_TYPES, WORDS, activations, kinds

    print_table(("layer", *NUMBER_TYPES), [(name, *cells) for name, cells in kinds().items()])
    say("")
    print_table(("activation", *NUMBER_TYPES), [(name, *cells) for name, cells in activations().items()])
    say("")
    print_table(("word", "what it means"), list(WORDS.items()))


def print_table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table without frame: easy to read, and to cut."""
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    for row in [headings, *rows]:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
