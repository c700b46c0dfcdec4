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
    from collections.abc import Iterator

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
    from mcusim.commands.terminal import output
    from mcusim.reports.html.page import demand
    from mcusim.reproduce.to_console import show

    study = _study(paper)
    demand()
    session.out = out or Path("build") / study.name
    session.report = f"{study.name}.csv"
    last: deque[Reproduction] = deque(maxlen=1)
    try:
        last.extend(_reproduced(study, session, **choices))
    finally:
        session.close()
        for found in (one for one in last if one.ran):
            show(found, output())
            for path in _written(found, session.out):
                say(f"{path.suffix[1:]}: {path}")
    return last[0].exit_code


def _study(name: str) -> Study:
    from mcusim.reproduce import STUDIES
    from mcusim.system.errors import ConfigurationError, suggestion

    if name not in STUDIES:
        hint = suggestion(name, STUDIES)
        raise ConfigurationError(f"no experiments of a paper {name!r} come with mcusim", where="PAPER", hint=hint)
    return STUDIES[name]


def _reproduced(
    study: Study, session: Session, *, datasets: tuple[str, ...], quick: bool, train: bool, jobs: int | None
) -> Iterator[Reproduction]:
    from mcusim.commands.terminal import Terminal
    from mcusim.reproduce.run import reproductions

    assert session.out is not None
    parts = study.chosen(datasets)
    yield from reproductions(study, parts, session.out, Terminal(session), quick=quick, train=train, jobs=jobs)


def _written(found: Reproduction, out: Path) -> Iterator[Path]:
    from mcusim.reproduce import to_csv, to_html
    from mcusim.system.files import write_text

    for path, text in (
        (out / f"{found.study.name}.csv", to_csv.render(found)),
        (out / f"{found.study.name}.html", to_html.render(found)),
    ):
        write_text(path, text)
        yield path
