"""generate: the C library of a model, for a project of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcusim.commands import options
from mcusim.commands.session import Session
from mcusim.commands.streams import say
from mcusim.system.errors import ConfigurationError, Problems
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
@click.option("--name", metavar="N", help="N_ before all that a program sees, for several libraries in one: N_cnn.")
@click.pass_obj
def generate(session: Session, /, source: Path, out: Path | None, name: str | None, **choices: Any) -> None:
    """Write the C of trained models.

    Headers, weights and cnn(input, output), for a project of your own: compile every *.c and *.S, include model.h. An
    integer type of a model file needs --calibration, or --scheme per-network with a --format; a model that is quantized
    in its file needs none of these. An experiment's boards choose its kernels, and --board those of a model file, which
    is else written in plain C for any core. What an earlier run has left in the folder is removed.
    """
    chosen = {option: choices.pop(option) for option in MODEL_OPTIONS}
    from mcusim.line.hand_over import check_name
    from mcusim.models import is_model

    problems = Problems()
    with problems.caught():
        check_name(name)
    if is_model(source):
        misuses: list[tuple[Any, str, str]] = [
            (out is None, "a folder is needed", "--out lib/"),
            (choices["models"], "--model chooses from an experiment", "leave it out for a model file"),
            (choices["boards"][1:], "a library is for one board", "give one --board"),
            (choices["data_types"][1:], "one data type is needed", "--data-type int16"),
        ]
    else:
        hint = "the experiment says it in [[quantization]]"
        misuses = [(value is not None, f"--{option} is for a model file", hint) for option, value in chosen.items()]
    for is_one, what, hint in misuses:
        if is_one:
            problems.add(ConfigurationError(what, where="mcusim generate", hint=hint))
    problems.tell()
    if not is_model(source) or out is None:
        _from_experiment(session, source, out, name, **choices)
        return
    session.out = out
    generated = _from_model(source, **choices, **chosen)
    for note in generated.notes:
        say(f"note: {note}")
    _write(generated.library, out, name)


def _from_model(path: Path, calibration: Path | None, seed: int | None, **choices: Any) -> Generated:
    from mcusim.line.library import library_of_model

    words = {option: choices[option] for option in MODEL_OPTIONS[:-1] if choices[option]}
    words |= {"data_type": choices["data_types"][0]} if choices["data_types"] else {}
    return library_of_model(path, calibration, seed or 0, *choices["boards"], **words)


def _from_experiment(session: Session, path: Path, out: Path | None, own: str | None, **choices: Any) -> None:
    from mcusim.line.case import ready_model
    from mcusim.line.hand_over import with_stack
    from mcusim.line.preflight import board_of

    setting, bench = options.set_up(path, session, out, **choices)
    cases = list(setting.experiment.cases())
    names = sorted({file_name(case.library_name) for case in cases})
    if own and len(names) > 1:
        what = f"--name is for one library, and these are {len(names)}: {', '.join(names)}"
        raise ConfigurationError(what, where=str(path), hint="choose one: --model M --data-type T")
    notes: dict[str, None] = {}  # each once
    libraries: dict[str, dict[str, Sources]] = {}  # by model and data type, then by board
    for case in cases:
        generated = with_stack(ready_model(setting, case, bench).generated, board_of(case))
        libraries.setdefault(file_name(case.library_name), {}).setdefault(case.board_name, generated.library)
        notes |= {f"note ({case.label}): {note}": None for note in generated.notes}
    session.close()
    for note in notes:
        say(note)
    for name, by_board in libraries.items():
        alike = len({library.digest for library in by_board.values()}) == 1
        for board, library in by_board.items():
            _write(library, setting.out / "library" / (name if alike else f"{name}-{file_name(board)}"), own)
            if alike:
                break


def _write(library: Sources, folder: Path, name: str | None) -> None:
    from mcusim.line.hand_over import named, write_library

    library = named(library, name) if name else library
    for note in write_library(library, folder):
        say(f"note: {note}")
    size = sum(map(len, library.files.values()))
    sources = "*.c and *.S" if any(file.endswith(".S") for file in library.files) else "*.c"
    header = f"{name}_model.h" if name else "model.h"
    say(f"{folder}: {len(library.files)} files, {size / 1024:,.0f} KiB; compile all {sources}, include {header}")
