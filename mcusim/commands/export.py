"""export: images, samples and answers of trained models, for Renode scripts and Robot suites of one's own."""

from dataclasses import replace
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
    from mcusim.line.export import export as export_case
    from mcusim.line.export import why_not
    from mcusim.line.preflight import check_line

    setting, bench = options.set_up(experiment, session, out, may_train=True, **choices)
    chosen = setting.experiment.with_options(engine=setting.experiment.engines[0])  # that of the profile
    with bench:
        check_line(chosen, bench.stages, setting.out)
        reasons = [(case, why_not(case, bench)) for case in chosen.cases()]
        left_out = [reason for _, reason in reasons if reason]
        if len(left_out) == len(reasons):
            raise left_out[0]
        for case in (case for case, reason in reasons if not reason):
            folder = export_case(replace(setting, experiment=chosen), case, bench, shown)
            session.close()
            say(str(folder))
    for reason in left_out:
        say(f"note: not exported: {reason.where}: {reason.what} ({reason.hint})", error=True)
