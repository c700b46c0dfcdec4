"""explore: which values of an experiment's keys give the best trade of figures."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcusim.commands import options
from mcusim.commands.session import Session
from mcusim.commands.streams import say
from mcusim.system.cores import cores
from mcusim.system.errors import OK

if TYPE_CHECKING:
    from mcusim.experiment.experiment import Experiment
    from mcusim.explore.exploration import Exploration


@click.command()
@options.decorated(options.experiment_argument, options.out_option, options.board_option, options.engine_option)
@click.option("--evaluations", type=click.IntRange(1, 2**31), metavar="N", help="Points to evaluate, at most.")
@options.decorated(options.jobs_option, options.seed_option, options.scheduler_option)
@click.option("--save-front", type=options.PATH, metavar="DIR", help="Write an experiment for each point of the front.")
@click.option("--html", type=options.PATH, metavar="FILE", help="Write a page: the front, all points, contributions.")
@click.option("--no-test", is_flag=True, help="Leave the test set alone: the front stays one of validation samples.")
@click.pass_obj
def explore(session: Session, /, experiment: Path, out: Path | None, html: Path | None, **choices: Any) -> int:
    """Find the best trade of accuracy, cycles, ROM and RAM.

    [explore] of the experiment names axes, keys with several values, and objectives. Points are judged by training
    samples that are held out; what is best is built and run, and at last, once, the front on the test set. The same
    command with the same --out goes on where it was interrupted. Exit code 7 tells that no point keeps the budgets.
    """
    from mcusim.commands.terminal import output
    from mcusim.explore.exploration import EXPLORATION
    from mcusim.explore.to_console import show
    from mcusim.explore.to_html import render
    from mcusim.reports.html.page import demand
    from mcusim.system.files import write_text

    if html:
        demand()
    own = {name: choices.pop(name) for name in ("scheduler", "save_front", "no_test", "evaluations")}
    if own["scheduler"] is not None:
        experiment = experiment.absolute()  # workers are started elsewhere
    chosen, folder = options.open_experiment(experiment, session, out, **choices)
    session.report = EXPLORATION
    found = None
    try:
        for found in _explored(chosen, folder.absolute() if own["scheduler"] else folder, session, **own):
            session.finished_runs = found.evaluations
    finally:
        session.close()
        if found:
            show(found, output())
            say(f"exploration: {folder / EXPLORATION}")
        if found and html:
            write_text(html, render(found))
            say(f"page: {html}")
    return found.exit_code if found else OK


def _explored(
    chosen: Experiment,
    out: Path,
    session: Session,
    *,
    scheduler: str | None,
    save_front: Path | None,
    no_test: bool,
    evaluations: int | None,
) -> Iterator[Exploration]:
    """As it grows."""
    from mcusim.commands.terminal import Terminal
    from mcusim.explore.axes import space_of
    from mcusim.explore.evaluate import LEARNED, POINTS
    from mcusim.explore.exploration import EXPLORATION
    from mcusim.explore.explore import explorations
    from mcusim.explore.final import saved, tested
    from mcusim.explore.save import demand_writer
    from mcusim.explore.store import EVALUATIONS
    from mcusim.explore.workers import opened
    from mcusim.line.preflight import check_machine, check_out
    from mcusim.system.toml_file import read_toml

    test = chosen.explore.test and not no_test
    if test or save_front:
        demand_writer()
    check_out(out, (EXPLORATION, EVALUATIONS, POINTS, LEARNED))
    if save_front:
        check_out(save_front)
    if evaluations:
        chosen = chosen.model_copy(update={"explore": chosen.explore.model_copy(update={"evaluations": evaluations})})
    tables, _ = read_toml(chosen.path)
    watcher = Terminal(session)
    jobs, check = chosen.target.jobs or cores(), partial(check_machine, chosen, chosen.engines[:1])
    with opened(scheduler, jobs, check, computing=chosen.explore.fidelity == "estimate") as workers:
        for found in explorations(chosen, tables, out, workers, watcher):
            yield found
    kept = save_front or out / "front"
    files = saved(found, chosen, space_of(chosen, tables), out, kept) if test or save_front else []
    for whole in tested(found, files, out, watcher) if test else ():
        whole.write(out)
        yield whole
