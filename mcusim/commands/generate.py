"""generate: the C library of a model, for a project of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcusim.commands import options
from mcusim.commands.session import Session
from mcusim.commands.streams import say
from mcusim.system.errors import ConfigurationError
from mcusim.system.names import file_name

if TYPE_CHECKING:
    from mcusim.line.front import Generated
    from mcusim.line.sources import Sources

MODEL_OPTIONS = ("scheme", "format", "rounding", "calibration")


@click.command()
@click.argument("source", type=options.PATH, metavar="EXPERIMENT.toml|MODEL")
@options.out_option
@options.model_option
@options.type_option
@options.board_option
@options.seed_option
@click.option("--scheme", metavar="S", help="Of a model file: per-layer, per-network, per-channel or per-tensor.")
@click.option("--format", metavar="Qm.n", help="Fixed point of a whole network, for example Q7.9.")
@click.option("--rounding", metavar="R", help="nearest (default) or floor.")
@click.option("--calibration", type=options.PATH, metavar="F", help="Training samples (.npz), to choose scales.")
@click.pass_obj
def generate(session: Session, /, source: Path, out: Path | None, **choices: Any) -> None:
    """Write the C of trained models.

    Headers, weights and cnn(input, output), for a project of your own: compile every *.c and *.S, include model.h. An
    integer type of a model file needs --calibration, or --scheme per-network with a --format; a model that is quantized
    in its file needs none of these. An experiment's boards
    choose its kernels, and --board those of a model file, which is else written in plain C for any core.
    """
    model_options = {name: choices.pop(name) for name in MODEL_OPTIONS}
    from mcusim.models import is_model

    if is_model(source):
        if out is None:
            raise ConfigurationError("a folder is needed", where="mcusim generate", hint="--out lib/")
        if choices["models"]:
            raise ConfigurationError("--model chooses from an experiment", hint="leave it out for a model file")
        session.out = out
        boards = choices["boards"]
        if len(boards) > 1:
            raise ConfigurationError("a library is for one board", where="mcusim generate", hint="give one --board")
        seed = choices["seed"] or 0
        generated = _from_model(source, choices["data_types"], seed, *boards, **model_options)
        for note in generated.notes:
            say(f"note: {note}")
        _write(generated.library, out)
        return
    for name, value in model_options.items():
        if value is not None:
            raise ConfigurationError(f"--{name} is for a model file", hint="the experiment says it in [[quantization]]")
    _from_experiment(session, source, out, **choices)


def _from_model(
    path: Path, data_types: tuple[str, ...], seed: int, board: str | None = None, **chosen: Any
) -> Generated:
    from mcusim.line.library import library_of_model

    if len(data_types) > 1:
        raise ConfigurationError("one data type is needed", where="mcusim generate", hint="--data-type int16")
    calibration = chosen.pop("calibration")
    words = {name: value for name, value in chosen.items() if value}
    words |= {"data_type": data_types[0]} if data_types else {}
    return library_of_model(path, calibration, seed, board, **words)


def _from_experiment(session: Session, path: Path, out: Path | None, **choices: Any) -> None:
    from mcusim.commands.terminal import Terminal
    from mcusim.line.bench import Bench
    from mcusim.line.case import Setting, ready_model
    from mcusim.line.preflight import check_out

    experiment, out = options.open_experiment(path, session, out, **choices)
    check_out(out)
    setting, bench = Setting(experiment, out, may_train=False), Bench(Terminal(session))
    notes: dict[str, None] = {}  # each once
    libraries: dict[str, dict[str, Sources]] = {}  # by model and data type, then by board
    for case in experiment.cases():
        generated = ready_model(setting, case, bench).generated
        libraries.setdefault(file_name(case.library_name), {}).setdefault(case.board_name, generated.library)
        notes |= {f"note ({case.label}): {note}": None for note in generated.notes}
    session.close()
    for note in notes:
        say(note)
    for name, by_board in libraries.items():
        alike = len({library.digest for library in by_board.values()}) == 1
        for board, library in by_board.items():
            _write(library, out / "library" / (name if alike else f"{name}-{file_name(board)}"))
            if alike:
                break


def _write(library: Sources, folder: Path) -> None:
    from mcusim.line.preflight import check_out

    check_out(folder, library.files)
    library.write(folder)
    size = sum(map(len, library.files.values()))
    sources = "*.c and *.S" if any(name.endswith(".S") for name in library.files) else "*.c"
    say(f"{folder}: {len(library.files)} files, {size / 1024:,.0f} KiB; compile all {sources}, include model.h")
