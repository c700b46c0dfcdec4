"""PyTorch file -> Source: `.pt2` of torch.export, without PyTorch.

A file is hostile until proved otherwise: nothing in it is executed or unpickled. What it says is put in words of ONNX,
and read as ONNX is.
"""

from pathlib import Path

from mcusim.models.listing import Listing
from mcusim.models.onnx.convert import Converted, converted
from mcusim.models.pytorch import reference
from mcusim.models.pytorch.file import program_in, reading
from mcusim.models.pytorch.translate import GROUPS, ON_LENGTHS, model_of
from mcusim.models.source import NO_SHAPES, Shapes, Source

NAME = "pytorch"
SUFFIXES = (".pt2",)
REFERENCE = reference
FLOAT_ONLY = True
LENGTHS = "of lengths"
WORDS = {LENGTHS: "whole numbers that a program computes where a batch is open"}


def read(path: Path, name: str, shapes: Shapes = NO_SHAPES) -> Source:
    """See `ModelFormat`; a file of this format leaves none open but the batch."""
    return read_whole(path, name, shapes).source


def read_whole(path: Path, name: str, shapes: Shapes = NO_SHAPES) -> Converted:
    """With how its tensors lie in memory."""
    program = program_in(path)
    with reading():
        model = model_of(program)
    return converted(model, name, shapes)


def listings() -> tuple[Listing, ...]:
    found = {name: (kind,) for kind, group in GROUPS.items() for name in group} | dict.fromkeys(ON_LENGTHS, (LENGTHS,))
    return (Listing("function", ("what it is",), dict(sorted(found.items())), WORDS),)
