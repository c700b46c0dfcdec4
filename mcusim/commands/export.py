"""export: images, samples and answers of trained models, for Renode scripts and Robot suites of one's own."""

from pathlib import Path
from typing import Any

import click

from mcusim.commands import options
from mcusim.commands.session import Session
from mcusim.commands.streams import say

MOST_SHOWN = 1000  # samples in a firmware; flash holds fewer of most models


@click.command()
@options.decorated(
    options.choice_options,
    options.board_option,
    options.engine_option,
    options.samples_option,
    options.jobs_option,
    options.seed_option,
)
@click.option(
    "--shown", type=click.IntRange(1, MOST_SHOWN), default=3, metavar="N", help="Samples that console.elf prints [3]."
)
@click.pass_obj
def export(session: Session, /, experiment: Path, out: Path | None, shown: int, **choices: Any) -> None:
    """Write what a Renode script or Robot suite needs.

    A folder for each run of the experiment, below DIR/export: the image that takes samples through the mailbox, one
    that prints a few predictions to the board's console, the samples, the expected answers, the platform with its
    clocks, and case.json. Cycles are modelled from a profile in --engine. Models are trained when they have not been.
    Runs on boards without a platform for Renode are left out, and told.
    """
    from mcusim.commands.terminal import Terminal
    from mcusim.line.bench import Bench
    from mcusim.line.case import Setting
    from mcusim.line.export import export as export_case
    from mcusim.line.export import why_not
    from mcusim.line.preflight import check_line, check_out

    chosen, out = options.open_experiment(experiment, session, out, **choices)
    chosen = chosen.with_options(engine=chosen.engines[0])  # that of the profile
    setting = Setting(chosen, out)
    with Bench(Terminal(session)) as bench:
        check_line(chosen, bench.stages, out)
        check_out(out, (case.id for case in chosen.cases()))
        left_out = {case.id: error for case in chosen.cases() if (error := why_not(case, bench))}
        able = [case for case in chosen.cases() if case.id not in left_out]
        for error in left_out.values() if not able else ():
            raise error
        for case in able:
            folder = export_case(setting, case, bench, shown)
            session.close()
            say(str(folder))
    for error in left_out.values():
        say(f"note: not exported: {error.where}: {error.what} ({error.hint})", error=True)
