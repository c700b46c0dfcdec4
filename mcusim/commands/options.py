"""Arguments and options that several commands share, and what they make of an experiment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mcusim.commands import completion
from mcusim.commands.session import Session
from mcusim.reports import FORMATS

if TYPE_CHECKING:
    from mcusim.experiment.experiment import Experiment
    from mcusim.line.bench import Bench
    from mcusim.line.ready import Setting
    from mcusim.line.sharding import Which

Function = TypeVar("Function", bound=Callable[..., Any])
LARGEST_SEED = 2**31
PATH = click.Path(path_type=Path)


def samples(value: str) -> int | str:
    from mcusim.experiment.tables import parse_samples
    from mcusim.system.validation import Unusable

    try:
        return parse_samples(value)
    except Unusable as error:
        raise click.BadParameter(str(error)) from None


def shard(_: click.Context, __: click.Parameter, value: str | None) -> Which | None:
    from mcusim.line.sharding import read_shard
    from mcusim.system.validation import Unusable

    try:
        return read_shard(value) if value is not None else None
    except Unusable as error:
        raise click.BadParameter(f"{error}: {error.hint}") from None


def several(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """`a,b` is both, as of --engine; but where it is the name of a file."""
    return tuple(one for value in values for one in ([value] if Path(value).exists() else value.split(",")))


def repeated(
    name: str, key: str, metavar: str, told: str, complete: Any, callback: Any = None
) -> Callable[[Function], Function]:
    """An option that may be given again for more."""
    asked = {"metavar": metavar, "help": told, "shell_complete": complete, "callback": callback}
    return click.option(f"--{name}", key, multiple=True, **asked)


experiment_argument = click.argument("experiment", type=PATH, metavar="EXPERIMENT.toml")
out_option = click.option("--out", type=PATH, metavar="DIR", help="Where everything is written [build/<experiment>].")
model_option = repeated("model", "models", "M", "Only this model (again for more).", completion.models)
type_option = repeated(
    "data-type", "data_types", "T", "Only this data type: float32, int4 .. int16.", completion.data_types, several
)
board_option = repeated(
    "board", "boards", "B", "This board, by name or file, in place of the experiment's.", completion.boards, several
)
engine_option = click.option(
    "--engine",
    metavar="E",
    help="Engine to run on: see `mcusim engines`. qemu,renode runs on both and compares.",
    shell_complete=completion.engines,
)
seed_option = click.option(
    "--seed", type=click.IntRange(0, LARGEST_SEED), metavar="N", help="Seed of training and sampling."
)
samples_option = click.option(
    "--samples", type=samples, metavar="N|all", help="Test samples to run, each class with its share."
)
jobs_option = click.option("--jobs", type=click.IntRange(1, 1024), metavar="N", help="Processes [one for each core].")
scheduler_option = click.option(
    "--scheduler", metavar="ADDRESS", help="Run on a Dask cluster: tcp://host:8786 [this machine]."
)
shard_option = click.option(
    "--shard", callback=shard, metavar="K/N", help="Run the K-th of N parts of it, for `mcusim merge`."
)
cache_option = click.option(
    "--cache", type=PATH, metavar="DIR", help="Keep what engines saw there, and run nothing that is there already."
)

hardware_option = click.option(
    "--hardware", type=PATH, metavar="F", help="Map of real boards [~/.config/mcusim/hardware.toml]."
)
wait_option = click.option(
    "--wait", "wait_s", type=click.FloatRange(0, 7 * 24 * 3600), metavar="S", help="Wait so long for a board in use."
)


def decorated(*options: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Several options at once, in this order of `--help`."""

    def apply(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return apply


def files_of(formats: Mapping[str, str]) -> Callable[[Function], Function]:
    """An option for each format, by what it writes."""
    every = (click.option(f"--{name}", type=PATH, metavar="F", help=f"Write {told}.") for name, told in formats.items())
    return decorated(*every)


report_options = files_of(FORMATS)
choice_options = decorated(experiment_argument, out_option, model_option, type_option)
run_options = decorated(
    choice_options,
    board_option,
    engine_option,
    samples_option,
    jobs_option,
    hardware_option,
    wait_option,
    seed_option,
    shard_option,
    scheduler_option,
    cache_option,
    report_options,
)


def open_experiment(path: Path, session: Session, out: Path | None, **choices: Any) -> tuple[Experiment, Path]:
    """The experiment as the command line changes it, and the folder for its results."""
    from mcusim.experiment import read
    from mcusim.system.names import file_name

    experiment = read.open_experiment(path, **choices)
    session.out = out or Path("build") / file_name(experiment.name)
    return experiment, session.out


def set_up(
    path: Path, session: Session, out: Path | None, *, may_train: bool = False, **choices: Any
) -> tuple[Setting, Bench]:
    """For stages of the experiment by themselves. Raises OSError where its results cannot be written."""
    from mcusim.commands.terminal import Terminal
    from mcusim.line.bench import Bench
    from mcusim.line.preflight import check_out
    from mcusim.line.ready import Setting

    chosen, out = open_experiment(path, session, out, **choices)
    check_out(out, (case.id for case in chosen.cases()))
    return Setting(chosen, out, may_train), Bench(Terminal(session))
