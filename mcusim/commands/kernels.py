"""kernels: what can run a layer, and of an experiment what each would cost and which was chosen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcusim.commands import options
from mcusim.commands.inventory import print_table
from mcusim.commands.session import Session
from mcusim.commands.streams import say
from mcusim.system.names import printable

if TYPE_CHECKING:
    from mcusim.line.offers import Offer

HEADINGS = ("layer", "", "kernel", "cycles", "c/MAC", "code", "weights", "scratch", "why")


@click.command()
@click.argument("experiment", type=options.PATH, metavar="[EXPERIMENT.toml]", required=False)
@options.decorated(options.out_option, options.model_option, options.type_option, options.board_option)
@click.option("--all", "every", is_flag=True, help="Also those that do not fit, with the reason.")
@click.pass_obj
def kernels(session: Session, /, experiment: Path | None, out: Path | None, every: bool, **choices: Any) -> None:
    """What can run a layer: names for `[target] kernels`.

    Of an experiment: for each layer every kernel that fits, with the cycles that are expected of it on the board, and
    the bytes of its code, weights and scratch memory. `*` is the one that runs. Nothing is built.
    """
    from mcusim.kernels import KERNELS

    if experiment is None:
        print_table(("kernel", "what it is"), [(kernel.NAME, kernel.SUMMARY) for kernel in KERNELS])
        return
    _of_experiment(session, experiment, out, every, **choices)


def _of_experiment(session: Session, path: Path, out: Path | None, every: bool, **choices: Any) -> None:
    from mcusim.commands.terminal import Terminal
    from mcusim.line.case import Bench, Setting, offers_of

    experiment, out = options.open_experiment(path, session, out, **choices)
    setting, bench = Setting(experiment, out, may_train=False), Bench(Terminal(session))
    shown: set[str] = set()
    for case in experiment.cases():
        if case.label in shown:  # another engine
            continue
        shown.add(case.label)
        offers = offers_of(setting, case, bench)
        session.close()
        chosen = [offer for offer in offers if offer.chosen]
        total = sum(offer.cycles for offer in chosen)
        say(f"{printable(case.label)}: {total:,.0f} cycles expected, by the formulas of the kernels")
        print_table(HEADINGS, list(_rows(offers, every)))
        say("")


def _rows(offers: tuple[Offer, ...], every: bool) -> Iterator[tuple[str, ...]]:
    before = ""
    for offer in offers:
        if not offer.fits and not every:
            continue
        name = printable(offer.layer) if offer.layer != before else ""
        before = offer.layer
        if not offer.fits:
            yield (name, "", offer.kernel, *[""] * 5, offer.why)
            continue
        per_mac = f"{offer.cycles / offer.macs:.3f}" if offer.macs else ""
        sizes = (f"{size:,}" for size in (offer.code_bytes, offer.weights_bytes, offer.scratch_bytes))
        yield name, "*" * offer.chosen, offer.kernel, f"{offer.cycles:,.0f}", per_mac, *sizes, offer.why
