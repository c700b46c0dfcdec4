"""Model file -> Source: a module for each format, listed here."""

from pathlib import Path
from typing import Protocol

from mcusim.models.contents import demand_contents
from mcusim.models.keras import reader as keras
from mcusim.models.listing import Listing
from mcusim.models.onnx import reader as onnx
from mcusim.models.pytorch import reader as pytorch
from mcusim.models.reference import Reference
from mcusim.models.source import NO_SHAPES, Shapes, Source
from mcusim.models.tflite import reader as tflite
from mcusim.system.errors import ModelError, suggestion
from mcusim.system.files import demand_regular


class ModelFormat(Protocol):
    """What a module of this package is. `SUFFIXES` tell its files.

    One with `FLOAT_ONLY = True` has none that are quantized already.
    """

    NAME: str

    @property
    def SUFFIXES(self) -> tuple[str, ...]: ...

    @property
    def REFERENCE(self) -> Reference | None:
        """Its framework, which the float model is held against; None where there is none to ask."""

    def listings(self) -> tuple[Listing, ...]:
        """What its files may be made of."""

    def read(self, path: Path, name: str, shapes: Shapes = NO_SHAPES) -> Source:
        """The graph is called `name`. Raises ModelError whatever is wrong with the file; where it lies is told outside.

        `shapes`: of inputs, by name, "" for an only one, for axes whose length the file leaves open.
        """


MODELS: tuple[ModelFormat, ...] = (keras, onnx, pytorch, tflite)
SUFFIXES = tuple(suffix for model_format in MODELS for suffix in model_format.SUFFIXES)
SAVED = "save the Keras model itself, where it was trained: model.save('model.keras')"
EXPORTED = (
    "export it, where it was trained: torch.export.save(torch.export.export(model.eval(), (example,)), 'model.pt2'), "
    "or torch.onnx.export(model.eval(), (example,), 'model.onnx')"
)
OTHERS = {  # what users have instead -> what helps
    **dict.fromkeys((".pb", ".ckpt", ".index", ".cc"), SAVED),
    **dict.fromkeys((".pt", ".pth", ".safetensors", ".mlmodel"), EXPORTED),
}


def is_model(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in SUFFIXES


def may_hold_integers(path: Path) -> bool:
    """May it be quantized already, by its name?"""
    known = [model_format for model_format in MODELS if path.suffix.lower() in model_format.SUFFIXES]
    return any(not getattr(model_format, "FLOAT_ONLY", False) for model_format in known)


def read_model(path: Path, name: str, shapes: Shapes = NO_SHAPES) -> Source:
    """Raises ModelError for a file that is not there or of no known format, or whatever is wrong with it.

    `shapes`: see `ModelFormat`.
    """
    demand_model(path, str(path))
    try:
        return format_of(path).read(path, name, shapes)
    except ModelError as error:
        demand_contents(path, str(path))
        raise ModelError(error.what, where=error.where or str(path), hint=error.hint) from None
    except MemoryError:
        raise ModelError("the model does not fit into memory", where=str(path), hint="use a smaller model") from None


def demand_model(path: Path, where: str) -> None:
    """Raises ModelError when there is no such file, it is none, or no format has such a name."""
    if not path.exists():
        near = [file.name for file in path.parent.glob("*") if is_model(file)]
        hint = f"looked for {path.absolute()}" + (f"; {suggestion(path.name, near)}" if near else "")
        raise ModelError(f"there is no model file {path.name!r}", where=where, hint=hint)
    demand_regular(path, hint=SAVED, kind=ModelError)
    format_of(path, where)


def demand_no_other(path: Path) -> None:
    """Raises ModelError for what is a model elsewhere: a SavedModel, or a file of PyTorch's or TensorFlow's own."""
    if path.suffix.lower() in OTHERS or (path / "saved_model.pb").is_file():
        demand_model(path, str(path))


def format_of(path: Path, where: str | None = None) -> ModelFormat:
    """By its name. Raises ModelError for one that is not known."""
    for model_format in MODELS:
        if path.suffix.lower() in model_format.SUFFIXES:
            return model_format
    if path.suffix.lower() not in OTHERS:
        demand_contents(path, where or str(path))
    hint = OTHERS.get(path.suffix.lower(), f"known are {', '.join(SUFFIXES)}")
    raise ModelError(f"{path.name!r} is no model of a known format", where=where or str(path), hint=hint)
