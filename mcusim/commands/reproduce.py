"""reproduce: the experiments of a paper, and its numbers beside ours."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcusim.commands import options
from mcusim.commands.session import Session
from mcusim.commands.streams import say

if TYPE_CHECKING:
    from mcusim.reproduce.run import Reproduction
    from mcusim.reproduce.study import Study


@click.command()
@click.argument("paper", metavar="PAPER")
@options.repeated("dataset", "datasets", "D", "Only this data set (again for more).", None, options.several)
@click.option(
    "--quick", is_flag=True, help="Few samples on boards; accuracies are what the same graphs answer in NumPy."
)
@click.option("--train", is_flag=True, help="Train as the paper does, 15 times each, in place of shipped networks.")
@options.decorated(options.out_option, options.jobs_option)
@click.pass_obj
def reproduce(session: Session, /, paper: str, out: Path | None, **choices: Any) -> int:
    """Run a paper's experiments, beside its own numbers.

    PAPER is `microai`: three data sets, sizes of a network, four or five data types, two boards. Of each data set
    --out has the report of a run, and of all a page with the paper's figures and tables, and a CSV file. The same
    command with the same --out goes on where it was interrupted.
    """
    from mcusim.commands.terminal import Terminal, output
    from mcusim.reports.html.page import demand
    from mcusim.reproduce import to_csv, to_html
    from mcusim.reproduce.run import reproductions
    from mcusim.reproduce.to_console import show
    from mcusim.system.files import write_text

    study = _study(paper)
    demand()
    session.out = out or Path("build") / study.name
    session.report = f"{study.name}.csv"
    last: deque[Reproduction] = deque(maxlen=1)
    parts = study.chosen(choices.pop("datasets"))
    try:
        last.extend(reproductions(study, parts, session.out, Terminal(session), **choices))
    finally:
        session.close()
        for found in (one for one in last if one.ran):
            show(found, output())
            for suffix, text in (("csv", to_csv.render(found)), ("html", to_html.render(found))):
                path = session.out / f"{study.name}.{suffix}"
                write_text(path, text)
                say(f"{suffix}: {path}")
    return last[0].exit_code


def _study(name: str) -> Study:
    from mcusim.reproduce import STUDIES
    from mcusim.system.errors import ConfigurationError, suggestion

    if name not in STUDIES:
        hint = suggestion(name, STUDIES)
        raise ConfigurationError(f"no experiments of a paper {name!r} come with mcusim", where="PAPER", hint=hint)
    return STUDIES[name]
