"""kernels: what can run a layer, and of an experiment what each would cost and which was chosen."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcusim.commands import options
from mcusim.commands.inventory import print_table
from mcusim.commands.session import Session
from mcusim.commands.streams import say
from mcusim.commands.written import write_json
from mcusim.system.names import printable, shortened

if TYPE_CHECKING:
    from mcusim.experiment.case import Case
    from mcusim.line.offers import Offer, Offers

WIDTH, KERNEL, LONGEST_LAYER = 80, 30, 60
HEADINGS = (("", "", "cycles/", "code", "weights", "scratch"), ("kernel", "cycles", "MAC", "bytes", "bytes", "bytes"))
WIDTHS = (12, 8, 7, 8, 8)  # of the columns behind the kernel


@click.command()
@click.argument("experiment", type=options.PATH, metavar="[EXPERIMENT.toml]", required=False)
@options.decorated(options.out_option, options.model_option, options.type_option, options.board_option)
@click.option("--all", "every", is_flag=True, help="Every variant, and what does not fit, with the reason.")
@click.option("--json", "to_json", type=options.PATH, metavar="F", help="Also write all of it as JSON.")
@click.pass_obj
def kernels(
    session: Session, /, experiment: Path | None, out: Path | None, every: bool, to_json: Path | None, **choices: Any
) -> None:
    """What can run a layer: names for `[target] kernels`.

    Of an experiment: for each layer the kernels that fit, each in its fastest variant, with the cycles that are
    expected of it on the board, and the bytes of its code, weights and scratch memory. `*` is what runs, and why stands
    beside the layer's name. Nothing is built, unless flash_max or ram_max are given.
    """
    from mcusim.kernels import KERNELS

    if experiment is None:
        print_table(("kernel", "what it is"), [(kernel.NAME, kernel.SUMMARY) for kernel in KERNELS])
        return
    told = _of_experiment(session, experiment, out, every, **choices)
    if to_json:
        write_json(to_json, cases=told)


def _of_experiment(session: Session, path: Path, out: Path | None, every: bool, **choices: Any) -> list[dict[str, Any]]:
    from mcusim.commands.terminal import Terminal
    from mcusim.line.bench import Bench
    from mcusim.line.case import place_of, ready_model
    from mcusim.line.offers import offers
    from mcusim.line.ready import Setting

    experiment, out = options.open_experiment(path, session, out, **choices)
    setting = Setting(experiment, out, may_train=False)
    told: list[dict[str, Any]] = []
    shown: set[tuple[str, str]] = set()
    with Bench(Terminal(session)) as bench:
        for case in experiment.cases():
            if (case.library_name, case.board_name) in shown:  # on another engine
                continue
            shown.add((case.library_name, case.board_name))
            offered = offers(ready_model(setting, case, bench).generated.choice, experiment.target.kernels)
            _, board = place_of(case, bench)
            session.close()
            _show(case, offered, board.clock_hz if board else None, every)
            told.append(_record(case, offered, board.clock_hz if board else None))
    return told


def _show(case: Case, offers: Offers, clock_hz: int | None, every: bool) -> None:
    from mcusim.line.offers import by_layer, shortest

    words = (shortened(case.model.name, LONGEST_LAYER), case.quantization.label, case.board_name)
    say(printable(", ".join(words)))
    for headings in HEADINGS:
        _say_row("  ", headings)
    for name, each in by_layer(offers.each).items():
        chosen = next(offer for offer in each if offer.chosen)
        _say_wrapped(f"{shortened(name, LONGEST_LAYER)} ({chosen.kind}): {_label(chosen)}, {chosen.why}")
        for offer in each if every else shortest(each):
            _say_offer(offer)
    for line in _sums(offers, clock_hz):
        say(line)
    say("")


def _sums(offers: Offers, clock_hz: int | None) -> list[str]:
    per_mac = f", {offers.cycles / offers.macs:.3f} a MAC" if offers.macs else ""
    time = f", {1e3 * offers.cycles / clock_hz:,.2f} ms at {clock_hz / 1e6:g} MHz" if clock_hz else ""
    return [
        f"in all: {offers.cycles:,.0f} cycles expected{per_mac}{time}",
        f"        {offers.flash_bytes:,} bytes of flash, {offers.ram_bytes:,} of RAM, about, start-up on top",
    ]


def _say_offer(offer: Offer) -> None:
    mark = "* " if offer.chosen else "  "
    if not offer.fits:
        _say_wrapped(f"  {offer.kernel}: {offer.why}")
        return
    per_mac = f"{offer.cycles / offer.macs:.3f}" if offer.macs else ""
    sizes = (offer.code_bytes, offer.weights_bytes, offer.scratch_bytes)
    _say_row(mark, (_label(offer), f"{offer.cycles:,.0f}", per_mac, *(f"{size:,}" for size in sizes)))


def _say_row(mark: str, cells: Sequence[str]) -> None:
    numbers = (cell.rjust(width) for cell, width in zip(cells[1:], WIDTHS, strict=True))
    say(f"{mark}{cells[0].ljust(KERNEL)}{''.join(numbers)}")


def _say_wrapped(text: str) -> None:
    import textwrap

    start = text[: len(text) - len(text.lstrip(" "))]
    for line in textwrap.wrap(printable(text), WIDTH, initial_indent=start, subsequent_indent="    "):
        say(line)


def _label(offer: Offer) -> str:
    return f"{offer.kernel} ({offer.variant})" if offer.variant else offer.kernel


def _record(case: Case, offers: Offers, clock_hz: int | None) -> dict[str, Any]:
    """Names as the experiment and the model have them, control characters and all: JSON escapes them."""
    of_all = dataclasses.asdict(offers)
    each = of_all.pop("each")
    names = {"model": case.model.name, "quantization": case.quantization.label, "board": case.board_name}
    return {**names, "clock_hz": clock_hz, **of_all, "offers": each}
