"""generate: the C library of a model, for a project of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcusim.commands import options
from mcusim.commands.session import Session
from mcusim.commands.streams import say
from mcusim.system.errors import ConfigurationError

if TYPE_CHECKING:
    from mcusim.line.sources import Sources

MODEL_OPTIONS = ("scheme", "format", "rounding", "calibration")


@click.command()
@click.argument("source", type=options.PATH, metavar="EXPERIMENT.toml|MODEL.keras")
@options.out_option
@options.model_option
@options.type_option
@options.seed_option
@click.option("--scheme", metavar="S", help="Of a model file: per-layer (default) or per-network.")
@click.option("--format", metavar="Qm.n", help="Fixed point of a whole network, for example Q7.9.")
@click.option("--rounding", metavar="R", help="nearest (default) or floor.")
@click.option("--calibration", type=options.PATH, metavar="F", help="Training samples (.npz), to choose scales.")
@click.pass_obj
def generate(session: Session, /, source: Path, out: Path | None, **choices: Any) -> None:
    """Write the C of trained models.

    Headers, weights and cnn(input, output), for a project of your own: compile model.c, include model.h. An integer
    type of a model file needs --calibration, or --scheme per-network with a --format.
    """
    model_options = {name: choices.pop(name) for name in MODEL_OPTIONS}
    from mcusim.models import is_model

    if is_model(source):
        if out is None:
            raise ConfigurationError("a folder is needed", where="mcusim generate", hint="--out lib/")
        if choices["models"]:
            raise ConfigurationError("--model chooses from an experiment", hint="leave it out for a model file")
        session.out = out
        _write(_from_model(source, choices["data_types"], choices["seed"] or 0, **model_options), out)
        return
    for name, value in model_options.items():
        if value is not None:
            raise ConfigurationError(f"--{name} is for a model file", hint="the experiment says it in [[quantization]]")
    _from_experiment(session, source, out, **choices)


def _from_model(path: Path, data_types: tuple[str, ...], seed: int, **chosen: Any) -> Sources:
    from mcusim.line.library import library_of_model

    if len(data_types) != 1:
        raise ConfigurationError("one data type is needed", where="mcusim generate", hint="--data-type int16")
    calibration = chosen.pop("calibration")
    return library_of_model(path, calibration, seed, data_type=data_types[0], **{k: v for k, v in chosen.items() if v})


def _from_experiment(session: Session, path: Path, out: Path | None, **choices: Any) -> None:
    from mcusim.commands.terminal import Terminal
    from mcusim.engines import ENGINES
    from mcusim.line.case import Bench, Setting, ready_model
    from mcusim.line.preflight import check_out

    on_no_board = next(name for name, engine in ENGINES.items() if not engine.FACTS.needs_board)
    experiment, out = options.open_experiment(path, session, out, engine=on_no_board, **choices)
    check_out(out)
    setting, bench = Setting(experiment, out, may_train=False), Bench(Terminal(session))
    for case in experiment.cases():
        library = ready_model(setting, case, bench).generated.library
        session.close()
        _write(library, out / "library" / case.id.removesuffix(f"-{on_no_board}"))


def _write(library: Sources, folder: Path) -> None:
    from mcusim.line.preflight import check_out

    check_out(folder, library.files)
    library.write(folder)
    size = sum(map(len, library.files.values()))
    say(f"{folder}: {len(library.files)} files, {size / 1024:,.0f} KiB; compile model.c, include model.h")
