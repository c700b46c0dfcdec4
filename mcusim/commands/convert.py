"""convert: a model as a file of another format, quantized if it was not."""

import os
from pathlib import Path
from typing import Any

import click

from mcusim.commands import options
from mcusim.commands.session import Session
from mcusim.commands.streams import say
from mcusim.system.errors import ConfigurationError

WHERE = "mcusim convert"


@click.command()
@click.argument("model", type=options.PATH, metavar="MODEL")
@click.option("--to", type=click.Choice(["tflite"]), default="tflite", help="Format of the new file [tflite].")
@click.option("--out", type=options.PATH, metavar="F", help="The file [<model>.tflite].")
@click.option("--force", is_flag=True, help="Overwrite it.")
@options.type_option
@options.seed_option
@click.option("--scheme", metavar="S", help="Scales of int8: per-channel (default) or per-tensor.")
@click.option("--calibration", type=options.PATH, metavar="F", help="Training samples (.npz), to choose scales.")
@click.pass_obj
def convert(session: Session, /, model: Path, to: str, out: Path | None, force: bool, **choices: Any) -> None:
    """Write a model as a .tflite file.

    For TensorFlow Lite Micro, and whoever else reads such files. A float model is quantized as `mcusim run` does it:
    --data-type int8 needs --calibration, float32 nothing. A model that is quantized in its file keeps its integers.
    TensorFlow Lite Micro computes the bits that mcusim computes: where it is installed, that is proved before the file
    is written.
    """
    out = out or Path(f"{model.stem}.{to}")
    _demand_free(model, out, force)
    from mcusim.line.convert import convert as convert_model
    from mcusim.system.files import write_bytes

    seed, data_types = choices.pop("seed") or 0, choices.pop("data_types")
    if len(data_types) > 1:
        raise ConfigurationError("one data type is needed", where=WHERE, hint="--data-type int8")
    calibration = choices.pop("calibration")
    words = {name: value for name, value in choices.items() if value}
    words |= {"data_type": data_types[0]} if data_types else {}
    made = convert_model(model, to, calibration, seed, **words)
    write_bytes(out, made.content)
    session.close()
    for note in made.notes:
        say(f"note: {note}")
    say(f"{out}: {len(made.content) / 1024:,.0f} KiB; {made.proof}")


def _demand_free(model: Path, out: Path, force: bool) -> None:
    """Raises ConfigurationError."""
    if not out.exists():
        return
    if model.exists() and os.path.samefile(model, out):
        raise ConfigurationError(f"{out.name!r} is the model itself", where=WHERE, hint="name another file: --out")
    if out.is_file() and not force:
        raise ConfigurationError(f"{out.name!r} is there already", where=str(out), hint="--force overwrites it")
